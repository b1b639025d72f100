/* --recover-quorum: a cluster that lost its majority goes on from one folder, under another cluster
 * id. Only flotilla.identity is replaced, as a whole. The node's next start does the rest
 * (shard_options.recovered), so an interruption leaves either the old cluster or the new one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "cluster/members.h"
#include "platform/entropy.h"
#include "platform/files.h"
#include "raft/raft.h"

static const struct raft_member *find_self(const struct check *check,
                                           const struct raft_membership *members)
{
    return raft_membership_find(members, check->identity.node_id);
}

/* The members that are in force at the end of the log, as far as this folder knows. */
static void find_members(const struct check *check, struct raft_membership *members)
{
    *members = machine_replay_position(check->replay)->membership;
    if (members->count == 0)
        cluster_founders_membership(&check->identity.founders, members);
}

bool check_recover_is_pending(const struct check *check)
{
    const struct cluster_predecessor *old = cluster_identity_recovered(&check->identity);
    return old && old->last_index && old->last_index == check->found.last_index &&
           old->last_term == check->found.last_term;
}

static bool is_only_voter(const struct check *check, const struct raft_membership *members)
{
    const struct raft_member *self = find_self(check, members);
    if (!self || !(self->roles & RAFT_VOTER) || self->incarnation != check->identity.incarnation ||
        raft_membership_is_joint(members))
        return false;
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].id != self->id && members->members[i].roles & RAFT_VOTER)
            return false;
    return true;
}

/* ---- what cannot be recovered ---- */

static enum check_status refuse(enum check_status status, const char *why)
{
    check_say("--recover-quorum: %s", why);
    return status;
}

static enum check_status refuse_folder(const struct check *check)
{
    const struct cluster_identity *identity = &check->identity;
    const struct identity *log = &check->found.identity;
    if (check->identity_err == ERR_NOT_FOUND)
        return refuse(CHECK_CORRUPT, "the folder has no flotilla.identity: it is none of a member, "
                                     "or not all of it; --upgrade is for the first version");
    if (check->identity_err)
        return refuse(CHECK_CORRUPT, check->identity_message);
    if (check->err)
        return refuse(check_inspect_status(check),
                      "the folder is damaged: take another one, or --export what can be read");
    if (check->found.cut_bytes)
        return refuse(CHECK_TORN, "the log has a torn tail: use --repair first");
    if (identity->begin != CLUSTER_BEGUN)
        return refuse(CHECK_USAGE, "this node never was a member: its cluster has not begun");
    if (log->node_id != identity->node_id || strcmp(log->cluster_id, identity->cluster_id) != 0)
        return refuse(CHECK_CORRUPT, "the log and flotilla.identity are of different nodes");
    if (check->found.vote.term >= RAFT_NUMBER_MAX)
        return refuse(CHECK_CORRUPT, "the term is beyond all reason");
    if (identity->superseded.count == CLUSTER_SUPERSEDED_MAX)
        return refuse(CHECK_USAGE, "the cluster was recovered too often: --export the data, and "
                                   "begin a new cluster with --import");
    return CHECK_FINE;
}

static enum check_status refuse_member(const struct check *check,
                                       const struct raft_membership *members)
{
    const struct raft_member *self = find_self(check, members);
    if (!self)
        return refuse(CHECK_USAGE, "this node is no member of its cluster, as far as its log "
                                   "knows: --export the data, and begin a new cluster with "
                                   "--import");
    if (self->address[0] == '\0')
        return refuse(CHECK_USAGE, "the folder knows no address of this node: start the node once");
    return CHECK_FINE;
}

/* ---- what is said ---- */

static void label(const char *text)
{
    printf("%-14s", text);
}

static void say_members(const struct check *check, const struct raft_membership *members)
{
    label("Members");
    for (size_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (i)
            label("");
        printf("node %" PRIu64 " at %s, %s%s\n", member->id, member->address,
               cluster_member_state(member),
               member->id == check->identity.node_id ? ": this folder" : ": will be gone");
    }
    const struct raft_member *self = find_self(check, members);
    if (self->incarnation != check->identity.incarnation) {
        label("");
        puts("the members name another folder of this node: is this a copy, or an older one?");
    }
}

static void say_entries(const struct check *check)
{
    const struct storage_recovered *found = &check->found;
    char clock[40];
    check_format_time(machine_replay_position(check->replay)->clock_ms, clock);
    label("Newest entry");
    printf("%" PRIu64 " of term %" PRIu64 ", written %s\n", found->last_index, found->last_term,
           clock);
    label("Committed");
    if (found->snapshot.index)
        printf("entries up to %" PRIu64 " for certain: a snapshot covers them\n",
               found->snapshot.index);
    else
        puts("no entry for certain: there is no snapshot");
    label("Kept");
    printf("all entries; of the last %" PRIu64 " the folder cannot say whether they were "
           "committed\n",
           found->last_index - found->snapshot.index);
    label("");
    puts("a write that its client was told nothing of, or -UNKNOWN, may take effect now");
    label("LOST");
    printf("EVERY ACKNOWLEDGED WRITE THAT IS NOT IN THIS FOLDER: what the others have behind entry "
           "%" PRIu64 "\n",
           found->last_index);
    label("");
    puts("see --compare for which of several folders has most");
}

static void say_plan(const struct check *check, const struct raft_membership *members,
                     const struct cluster_recovery *recovery)
{
    puts("RECOVERY WITHOUT A MAJORITY\n");
    say_members(check, members);
    say_entries(check);
    label("Then");
    printf("cluster %s begins, with node %" PRIu64 " as its only member\n", recovery->cluster_id,
           check->identity.node_id);
    label("");
    printf("cluster %s is superseded: its other folders can only be emptied\n\n",
           check->identity.cluster_id);
    puts("This is for a majority that is lost FOR GOOD. While others of the old cluster run, they\n"
         "may go on without this node and acknowledge writes that the new cluster never has.\n");
}

static void say_done(const struct check *check)
{
    printf("recovered: the cluster is %s\n"
           "what to do next: start this node with the configuration that it has (without "
           "cluster-id), and write to it;\nempty the data folders of the others before any of them "
           "starts; add each with RAFT.NODE ADD <id> <host:port>\n\n",
           check->identity.cluster_id);
}

/* ---- what is done ---- */

/* A process that was killed may have written what is not synced yet. The new cluster rests on it.
 */
static enum err sync_log(const struct check *check)
{
    enum err err = ERR_NONE;
    char folder[CHECK_PATH_MAX];
    int len = snprintf(folder, sizeof folder, "%s/%s", check->folder, check->append_folder);
    if (len < 0 || len >= CHECK_PATH_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < check->part_count && !err; i++)
        err = check_folder_sync_file(folder, check->parts[i].name);
    return err ? err : platform_sync_folder(folder);
}

static enum check_status recover(struct platform_disk *platform, struct check *check,
                                 const struct cluster_recovery *recovery)
{
    struct cluster_identity identity = check->identity;
    enum err err = sync_log(check);
    if (err) {
        check_say("cannot sync the log in '%s': %s", check->folder, err_text(err));
        return CHECK_UNREADABLE;
    }
    if (cluster_identity_recover(&identity, recovery))
        return CHECK_USAGE;
    enum check_status status = check_identity_store(platform, check, &identity);
    if (status)
        return status;
    check->identity = identity;
    say_done(check);
    return CHECK_FINE;
}

enum check_status check_recover(struct platform_disk *platform, struct check *check)
{
    struct raft_membership members;
    struct cluster_recovery recovery = {.incarnation = platform_draw_incarnation(),
                                        .last_index = check->found.last_index,
                                        .last_term = check->found.last_term};
    enum check_status status = refuse_folder(check);
    if (status)
        return status;
    find_members(check, &members);
    if (check_recover_is_pending(check) || is_only_voter(check, &members)) {
        puts("there is nothing to recover: this node is the only voter of its cluster; start it\n");
        return CHECK_FINE;
    }
    status = refuse_member(check, &members);
    if (status)
        return status;
    recovery.address = find_self(check, &members)->address;
    platform_draw_cluster_id(recovery.cluster_id);
    if (platform_folder_place(check->folder, &recovery.place.inode, &recovery.place.birth_ns)) {
        check_say("cannot look at '%s'", check->folder);
        return CHECK_UNREADABLE;
    }
    say_plan(check, &members, &recovery);
    if (!check_is_wanted(check, "Are the others lost for good, or stopped and about to be emptied? "
                                "Recover from this folder?"))
        return CHECK_FINE;
    return recover(platform, check, &recovery);
}
