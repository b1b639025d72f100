/* flotilla.identity: its check, the upgrade from the first format, and a folder that was moved. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "platform/files.h"
#include "storage/identity.h"

/* The node's folder, which holds the lock file. */
static void node_folder(const struct check *check, char out[CHECK_PATH_MAX])
{
    snprintf(out, CHECK_PATH_MAX, "%s", check->lock_path);
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

void check_identity_load(struct check *check)
{
    char folder[CHECK_PATH_MAX];
    node_folder(check, folder);
    check->identity_err =
        storage_identity_load(&check->disk, folder, &check->identity, check->identity_message);
    if (check->identity_err) /* nothing of it counts */
        check->identity = (struct cluster_identity){.node_id = 0};
}

bool check_identity_find(struct check *check)
{
    char path[CHECK_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", check->options.path, STORAGE_IDENTITY_FILE);
    struct buf text = {0};
    bool found = len > 0 && len < CHECK_PATH_MAX && platform_read_file(path, &text) == ERR_NONE;
    if (found && cluster_identity_parse(buf_span(&text), &check->identity) == ERR_NONE)
        found = !check->identity.has_log; /* otherwise the log is missing or has another name */
    buf_close(&text);
    if (found)
        snprintf(check->lock_path, sizeof check->lock_path, "%s/flotilla.lock",
                 check->options.path);
    return found;
}

static void report_founders(const struct cluster_founders *founders)
{
    printf("%-14s", "Founders");
    for (size_t i = 0; i < founders->count; i++)
        printf("%s%" PRIu64 " at %s", i ? ", " : "", founders->members[i].id,
               founders->members[i].address);
    puts(founders->mark ? " (with imported data)" : "");
}

static void report_superseded(const struct cluster_superseded *superseded)
{
    for (size_t i = 0; i < superseded->count; i++) {
        const struct cluster_predecessor *old = &superseded->items[i];
        printf("%-14s%s up to entry %" PRIu64 " of term %" PRIu64 "\n", i ? "" : "Supersedes",
               old->cluster_id, old->last_index, old->last_term);
    }
}

void check_identity_report(const struct check *check)
{
    const struct cluster_identity *identity = &check->identity;
    if (check->identity_err == ERR_NOT_FOUND)
        return;
    printf("%-14s", "Identity");
    if (check->identity_err) {
        puts(check->identity_message);
        return;
    }
    printf("node %" PRIu64 ", incarnation %016" PRIx64 ", %s\n", identity->node_id,
           identity->incarnation,
           identity->begin == CLUSTER_BEGUN      ? "its cluster has begun"
           : identity->begin == CLUSTER_FOUNDING ? "it founds its cluster"
                                                 : "its cluster has not begun");
    if (identity->version > CLUSTER_VERSION_OLDEST)
        printf("%-14sit may hold what nodes before version %" PRIu32 " cannot read\n", "",
               identity->version);
    if (identity->previous)
        printf("%-14sit had incarnation %016" PRIx64 " before the folder was copied or moved\n", "",
               identity->previous);
    report_superseded(&identity->superseded);
    if (check_recover_is_pending(check))
        printf("%-14sthe next start makes this node the only member, behind all entries\n", "");
    if (identity->founders.count)
        report_founders(&identity->founders);
}

enum check_status check_identity_alone(struct check *check)
{
    check_identity_load(check);
    if (check->identity_err) {
        check_say("%s", check->identity_message);
        return check->identity_err == ERR_CORRUPT ? CHECK_CORRUPT : CHECK_UNREADABLE;
    }
    printf("%-14s%s\n", "Data folder", check->options.path);
    check_identity_report(check);
    puts("\nfine: there is no log yet");
    return CHECK_FINE;
}

/* ---- changes ---- */

bool check_is_wanted(const struct check *check, const char *question)
{
    printf("%s [y/N] ", question);
    bool wanted = check_confirm(check);
    if (!wanted)
        puts("nothing was changed");
    return wanted;
}

enum check_status check_identity_store(struct platform_disk *platform, const struct check *check,
                                       const struct cluster_identity *identity)
{
    char folder[CHECK_PATH_MAX];
    char message[CHECK_MESSAGE_MAX];
    struct disk port;
    node_folder(check, folder);
    platform_disk_port(platform, 0, &port);
    if (storage_identity_store(&port, folder, identity, message) == ERR_NONE)
        return CHECK_FINE;
    check_say("%s", message);
    return CHECK_UNREADABLE;
}

enum check_status check_upgrade(struct platform_disk *platform, struct check *check)
{
    const struct identity *old = &check->found.identity;
    if (check->identity_err != ERR_NOT_FOUND) {
        puts("there is nothing to upgrade: the folder has a " STORAGE_IDENTITY_FILE);
        return CHECK_FINE;
    }
    if (check->err || old->node_id == 0 || old->incarnation) {
        check_say("the folder is not one of the older version, or its log is damaged");
        return CHECK_CORRUPT;
    }
    char question[256];
    snprintf(question, sizeof question,
             "Upgrade node %" PRIu64 " of cluster %s? All of its nodes have to be stopped.",
             old->node_id, old->cluster_id);
    if (!check_is_wanted(check, question))
        return CHECK_FINE;
    struct cluster_identity identity = {
        .node_id = old->node_id,
        .incarnation = cluster_derived_incarnation(old->cluster_id, old->node_id),
        .begin = CLUSTER_BEGUN,
        .has_log = true};
    memcpy(identity.cluster_id, old->cluster_id, sizeof identity.cluster_id);
    enum check_status status = check_identity_store(platform, check, &identity);
    if (status == CHECK_FINE)
        puts("upgraded: start the node with the same cluster-nodes as before");
    return status;
}

enum check_status check_moved(struct platform_disk *platform, struct check *check)
{
    struct cluster_identity identity = check->identity;
    struct cluster_place place;
    if (check->identity_err) {
        check_say("the folder has no " STORAGE_IDENTITY_FILE " that can be read");
        return CHECK_UNREADABLE;
    }
    if (platform_folder_place(check->folder, &place.inode, &place.birth_ns)) {
        check_say("cannot look at '%s'", check->folder);
        return CHECK_UNREADABLE;
    }
    if (identity.previous == 0 && cluster_place_equal(&identity.place, &place)) {
        puts("the folder was not moved: there is nothing to do");
        return CHECK_FINE;
    }
    if (!check_is_wanted(check,
                         "Was the only copy of this folder moved, and does no other one exist?"))
        return CHECK_FINE;
    identity.place = place;
    if (identity.previous)
        identity.incarnation = identity.previous;
    identity.previous = 0;
    enum check_status status = check_identity_store(platform, check, &identity);
    if (status == CHECK_FINE)
        printf("the node is incarnation %016" PRIx64 "\n", identity.incarnation);
    return status;
}
