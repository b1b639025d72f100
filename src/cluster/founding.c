#include "cluster/founding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"

static bool same_id(const char *one, const char *other)
{
    return strcmp(one, other) == 0;
}

static bool is_id(const char *id)
{
    return !same_id(id, CLUSTER_NO_ID);
}

static struct founding_peer *find_peer(struct founding *founding, uint64_t id)
{
    for (size_t i = 0; i < founding->peer_count; i++)
        if (founding->peers[i].id == id)
            return &founding->peers[i];
    return NULL;
}

static void add_peers(struct founding *founding, const struct cluster *cluster)
{
    founding->peer_count = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        if (node->id == founding->stored.node_id)
            continue;
        struct founding_peer *peer = &founding->peers[founding->peer_count++];
        *peer = (struct founding_peer){.id = node->id};
        cluster_address(node, peer->address);
    }
}

void founding_set_list(struct founding *founding, const struct cluster *cluster, uint64_t self)
{
    struct cluster_identity *stored = &founding->stored;
    char list[CLUSTER_LIST_MAX] = "";
    founding->listed = cluster != NULL;
    founding->peer_count = 0;
    founding->list = 0;
    stored->node_id = self;
    if (cluster) {
        ASSERT(cluster_find(cluster, self));
        cluster_list_text(cluster, list);
        founding->list = XXH3_64bits(list, strlen(list));
        add_peers(founding, cluster);
    }
    if (stored->begin == CLUSTER_EMPTY)
        memcpy(stored->list, list, sizeof list);
}

void founding_init(struct founding *founding, const struct founding_options *options,
                   uint64_t now_ms)
{
    ASSERT(options->stored.node_id == options->self && options->stored.incarnation != 0);
    *founding = (struct founding){.stored = options->stored,
                                  .drawn_incarnation = options->drawn_incarnation,
                                  .mark = options->mark,
                                  .alone = options->alone,
                                  .alone_at_ms = now_ms + FOUNDING_ALONE_MS,
                                  .ask_at_ms =
                                      options->stored.begin == CLUSTER_BEGUN ? UINT64_MAX : now_ms};
    snprintf(founding->cluster_id, sizeof founding->cluster_id, "%s",
             options->cluster_id ? options->cluster_id : CLUSTER_NO_ID);
    snprintf(founding->drawn_id, sizeof founding->drawn_id, "%s", options->drawn_id);
    if (founding->stored.begin == CLUSTER_EMPTY)
        founding->stored.mark = options->mark;
    else
        founding->mark = founding->stored.mark;
    founding_set_list(founding, options->cluster, options->self);
}

/* ---- receiving ---- */

static void forget(struct founding_peer *peer)
{
    peer->heard = false;
}

void founding_met(struct founding *founding, uint64_t id, uint64_t incarnation)
{
    struct founding_peer *peer = find_peer(founding, id);
    if (!peer)
        return;
    if (!peer->reached || peer->incarnation != incarnation) {
        forget(peer);
        if (!founding_has_begun(founding))
            founding->ask_at_ms = 0; /* so that the node soon learns of this one */
    }
    peer->reached = true;
    peer->incarnation = incarnation;
}

void founding_lost(struct founding *founding, uint64_t id)
{
    struct founding_peer *peer = find_peer(founding, id);
    if (!peer)
        return;
    forget(peer);
    peer->reached = false;
}

/* This incarnation of the peer has stored the same record as this node. */
static bool vouches(const struct founding *founding, const struct founding_said *said)
{
    const struct cluster_founders *record = &founding->stored.founders;
    const struct cluster_founder *member = cluster_founders_find(record, said->id);
    return founding->stored.begin == CLUSTER_FOUNDING && said->begin != CLUSTER_EMPTY && member &&
           member->incarnation == said->incarnation &&
           cluster_founders_equal(&said->founders, record);
}

void founding_heard(struct founding *founding, const struct founding_said *said)
{
    struct founding_peer *peer = find_peer(founding, said->id);
    if (!peer || !peer->reached || peer->incarnation != said->incarnation)
        return;
    peer->said = *said;
    peer->heard = true;
    if (vouches(founding, said))
        peer->vouched = true;
}

/* ---- deciding ---- */

/* Whether the record names this folder: this node's id with `incarnation`. */
static bool names(const struct cluster_founders *record, uint64_t id, uint64_t incarnation)
{
    const struct cluster_founder *member = cluster_founders_find(record, id);
    return member && member->incarnation == incarnation;
}

static bool names_self(const struct founding *founding, const struct cluster_founders *record)
{
    return names(record, founding->stored.node_id, founding->stored.incarnation);
}

static bool allows_id(const struct founding *founding, const char *id)
{
    return !is_id(founding->cluster_id) || same_id(founding->cluster_id, id);
}

/* Whether this empty node can store the peer's record. */
static bool may_store(const struct founding *founding, const struct founding_said *said)
{
    return said->begin == CLUSTER_FOUNDING && said->list == founding->list &&
           said->founders.mark == founding->mark &&
           allows_id(founding, said->founders.cluster_id) && names_self(founding, &said->founders);
}

/* Why a peer keeps this node from drawing or beginning a record. */
enum lack {
    LACKS_NOTHING,
    LACKS_CONTACT,
    HAS_ANOTHER_LIST,
    HAS_OTHER_DATA,
    HAS_ANOTHER_ID,
    HAS_A_RECORD, /* it has another record, or one with another folder of this node */
    HAS_BEGUN,    /* its cluster, which this node cannot join */
    LOST_ITS_FOLDER,
    HAS_NOT_STORED, /* it has not stored the record yet */
    HAS_TO_DRAW,
};

static enum lack lack_of_empty(const struct founding *founding, const struct founding_peer *peer)
{
    const struct founding_said *said = &peer->said;
    if (said->begin == CLUSTER_BEGUN)
        return HAS_BEGUN;
    if (said->list != founding->list)
        return HAS_ANOTHER_LIST;
    if (said->mark != founding->mark)
        return HAS_OTHER_DATA;
    if (said->begin == CLUSTER_FOUNDING)
        return HAS_A_RECORD;
    return same_id(said->cluster_id, founding->cluster_id) ? LACKS_NOTHING : HAS_ANOTHER_ID;
}

/* Why a peer keeps this node from beginning its record. */
static enum lack lack_of_founder(const struct founding *founding, const struct founding_peer *peer)
{
    const struct founding_said *said = &peer->said;
    const struct cluster_founder *member =
        cluster_founders_find(&founding->stored.founders, peer->id);
    if (peer->vouched || !member || member->roles != RAFT_VOTER)
        return LACKS_NOTHING;
    if (!peer->heard)
        return LACKS_CONTACT;
    if (said->begin == CLUSTER_BEGUN)
        return HAS_BEGUN;
    if (member->incarnation != said->incarnation)
        return LOST_ITS_FOLDER;
    return said->begin == CLUSTER_FOUNDING ? HAS_A_RECORD : HAS_NOT_STORED;
}

static enum lack lack_of(const struct founding *founding, const struct founding_peer *peer)
{
    if (founding->stored.begin == CLUSTER_FOUNDING)
        return lack_of_founder(founding, peer);
    return peer->heard ? lack_of_empty(founding, peer) : LACKS_CONTACT;
}

static bool nothing_lacks(const struct founding *founding)
{
    for (size_t i = 0; i < founding->peer_count; i++)
        if (lack_of(founding, &founding->peers[i]) != LACKS_NOTHING)
            return false;
    return true;
}

/* The only cluster that other nodes have begun. NULL: there is none, or there are several. */
static const struct founding_said *begun_cluster(const struct founding *founding)
{
    const struct founding_said *found = NULL;
    for (size_t i = 0; i < founding->peer_count; i++) {
        const struct founding_peer *peer = &founding->peers[i];
        if (!peer->heard || peer->said.begin != CLUSTER_BEGUN)
            continue;
        if (found && !same_id(found->cluster_id, peer->said.cluster_id))
            return NULL;
        found = &peer->said;
    }
    return found;
}

static const struct founding_said *record_to_store(const struct founding *founding)
{
    for (size_t i = 0; i < founding->peer_count; i++)
        if (founding->peers[i].heard && may_store(founding, &founding->peers[i].said))
            return &founding->peers[i].said;
    return NULL;
}

static bool draws(const struct founding *founding)
{
    for (size_t i = 0; i < founding->peer_count; i++)
        if (founding->peers[i].id < founding->stored.node_id)
            return false;
    return true;
}

static void add_founder(struct founding *founding, const struct founding_peer *peer)
{
    struct cluster_founders *record = &founding->next.founders;
    struct cluster_founder member = {.id = peer->id, .roles = RAFT_LEARNER | RAFT_PROMOTE};
    if (!founding->alone) {
        member.roles = RAFT_VOTER;
        member.incarnation = peer->incarnation;
    }
    memcpy(member.address, peer->address, sizeof member.address);
    record->members[record->count++] = member;
}

/* Adds this node to the record, with its address from the list. */
static void add_self(struct founding *founding, const char *address)
{
    struct cluster_founders *record = &founding->next.founders;
    struct cluster_founder member = {.id = founding->stored.node_id,
                                     .roles = RAFT_VOTER,
                                     .incarnation = founding->stored.incarnation};
    snprintf(member.address, sizeof member.address, "%s", address);
    record->members[record->count++] = member;
}

/* The address of this node in the list. */
static void own_address(const struct founding *founding, char address[CLUSTER_ADDRESS_MAX])
{
    char start[32];
    snprintf(start, sizeof start, "%" PRIu64 "@", founding->stored.node_id);
    const char *at = founding->stored.list;
    while (strncmp(at, start, strlen(start)) != 0)
        at = strchr(at, ',') + 1;
    at += strlen(start);
    snprintf(address, CLUSTER_ADDRESS_MAX, "%.*s", (int)strcspn(at, ","), at);
}

static void take_record_id(struct founding *founding)
{
    memcpy(founding->next.cluster_id, founding->next.founders.cluster_id,
           sizeof founding->next.cluster_id);
    founding->next.begin = CLUSTER_FOUNDING;
}

static void draw(struct founding *founding)
{
    struct cluster_founders *record = &founding->next.founders;
    *record = (struct cluster_founders){.mark = founding->mark};
    memcpy(record->cluster_id,
           is_id(founding->cluster_id) ? founding->cluster_id : founding->drawn_id,
           sizeof record->cluster_id);
    char address[CLUSTER_ADDRESS_MAX];
    own_address(founding, address);
    bool added = false;
    for (size_t i = 0; i < founding->peer_count; i++) {
        if (!added && founding->peers[i].id > founding->stored.node_id) {
            add_self(founding, address);
            added = true;
        }
        add_founder(founding, &founding->peers[i]);
    }
    if (!added)
        add_self(founding, address);
    take_record_id(founding);
}

/* Joins the cluster of `said`. The node has no vote until the leader has taken it in. If the record
 * names this very incarnation, this folder stored the record once and has lost it: it is an older
 * copy and must not vote, so it takes a new incarnation. */
static void join(struct founding *founding, const struct founding_said *said)
{
    struct cluster_identity *next = &founding->next;
    memcpy(next->cluster_id, said->cluster_id, sizeof next->cluster_id);
    next->begin = CLUSTER_BEGUN;
    next->founders.count = 0;
    next->mark = 0;
    if (names_self(founding, &said->founders)) {
        next->previous = 0;
        next->incarnation = founding->drawn_incarnation;
    }
}

const struct cluster_identity *founding_join(struct founding *founding,
                                             const struct founding_said *said, uint64_t id)
{
    ASSERT(founding->stored.begin == CLUSTER_EMPTY && !founding->storing && id != 0);
    founding->next = founding->stored;
    founding->next.node_id = id;
    join(founding, said);
    founding->storing = true;
    return &founding->next;
}

/* A founder with the folder that the record names belongs to another cluster. It never stores the
 * record any more, so the record never begins, and to have stored it promises nothing. NULL: there
 * is none. */
static const struct founding_said *founder_elsewhere(const struct founding *founding)
{
    const struct cluster_identity *stored = &founding->stored;
    for (size_t i = 0; i < founding->peer_count; i++) {
        const struct founding_peer *peer = &founding->peers[i];
        const struct cluster_founder *member = cluster_founders_find(&stored->founders, peer->id);
        if (peer->heard && member && member->roles == RAFT_VOTER &&
            member->incarnation == peer->said.incarnation && peer->said.begin == CLUSTER_BEGUN &&
            !same_id(peer->said.cluster_id, stored->cluster_id))
            return &peer->said;
    }
    return NULL;
}

/* Empty again, and another folder to all others: this incarnation has stored its record. */
static void give_up_record(struct founding *founding)
{
    struct cluster_identity *next = &founding->next;
    memcpy(next->cluster_id, CLUSTER_NO_ID, sizeof next->cluster_id);
    next->begin = CLUSTER_EMPTY;
    next->founders.count = 0;
    next->list[0] = '\0';
    next->node_id = 0;
    next->previous = 0;
    next->incarnation = founding->drawn_incarnation;
}

static bool decide_empty(struct founding *founding, uint64_t now_ms)
{
    if (!founding->listed)
        return false;
    const struct founding_said *begun = begun_cluster(founding);
    if (begun && founding->mark == 0 && allows_id(founding, begun->cluster_id)) {
        join(founding, begun);
        return true;
    }
    const struct founding_said *drawn = record_to_store(founding);
    if (drawn) {
        founding->next.founders = drawn->founders;
        take_record_id(founding);
        return true;
    }
    bool may_draw = founding->alone ? now_ms >= founding->alone_at_ms && !begun
                                    : draws(founding) && nothing_lacks(founding);
    if (may_draw)
        draw(founding);
    return may_draw;
}

static bool decide_founding(struct founding *founding)
{
    const struct founding_said *begun = begun_cluster(founding);
    if (founding->seeks && founder_elsewhere(founding)) {
        give_up_record(founding);
        return true;
    }
    if (begun && !same_id(begun->cluster_id, founding->stored.cluster_id))
        begun = NULL;
    bool named = names_self(founding, &founding->stored.founders);
    if (begun && !named) {
        join(founding, begun);
        return true;
    }
    if (!named || (!begun && !nothing_lacks(founding)))
        return false;
    founding->next.begin = CLUSTER_BEGUN;
    return true;
}

static bool decide(struct founding *founding, uint64_t now_ms)
{
    founding->next = founding->stored;
    switch (founding->stored.begin) {
    case CLUSTER_EMPTY:
        return decide_empty(founding, now_ms);
    case CLUSTER_FOUNDING:
        return decide_founding(founding);
    case CLUSTER_BEGUN:
        return false;
    }
    return false;
}

void founding_step(struct founding *founding, uint64_t now_ms, struct founding_update *update)
{
    *update = (struct founding_update){.ask = false};
    if (now_ms >= founding->ask_at_ms) {
        update->ask = true;
        founding->ask_at_ms = founding_has_begun(founding) ? UINT64_MAX : now_ms + FOUNDING_ASK_MS;
    }
    if (!founding->storing && decide(founding, now_ms)) {
        founding->storing = true;
        update->store = &founding->next;
    }
}

void founding_stored(struct founding *founding)
{
    ASSERT(founding->storing);
    founding->storing = false;
    bool emptied = founding->stored.begin != CLUSTER_EMPTY && founding->next.begin == CLUSTER_EMPTY;
    founding->stored = founding->next;
    founding->ask_at_ms = 0; /* the others learn it at once */
    if (emptied) {
        /* What was drawn once names the record that was given up. */
        uint64_t drawn = XXH3_64bits(&founding->drawn_incarnation, sizeof(uint64_t));
        founding->drawn_incarnation = drawn ? drawn : 1;
        cluster_derive_id(founding->drawn_id);
        founding_set_list(founding, NULL, founding->stored.node_id);
    }
    for (size_t i = 0; i < founding->peer_count; i++) {
        struct founding_peer *peer = &founding->peers[i];
        if (peer->heard && vouches(founding, &peer->said))
            peer->vouched = true;
    }
}

uint64_t founding_deadline_ms(const struct founding *founding)
{
    return founding->ask_at_ms;
}

bool founding_has_begun(const struct founding *founding)
{
    return founding->stored.begin == CLUSTER_BEGUN;
}

void founding_say(const struct founding *founding, struct founding_said *said)
{
    const struct cluster_identity *stored = &founding->stored;
    *said = (struct founding_said){.id = stored->node_id,
                                   .incarnation = stored->incarnation,
                                   .begin = stored->begin,
                                   .mark = founding->mark,
                                   .list = founding->list,
                                   .founders = stored->founders};
    memcpy(said->cluster_id,
           stored->begin == CLUSTER_EMPTY ? founding->cluster_id : stored->cluster_id,
           sizeof said->cluster_id);
}

/* ---- describing ---- */

static const char *text_of(enum lack lack)
{
    switch (lack) {
    case LACKS_NOTHING:
        return "";
    case LACKS_CONTACT:
        return "which is not reached";
    case HAS_ANOTHER_LIST:
        return "whose cluster-nodes differ from this node's";
    case HAS_OTHER_DATA:
        return "which was not given the same data: one of the two nodes has another file, or none "
               "(--import)";
    case HAS_ANOTHER_ID:
        return "whose cluster-id differs from this node's";
    case HAS_A_RECORD:
        return "which has begun to found a cluster without this folder; if no node has begun, stop "
               "all and delete the data folders of those that wait";
    case HAS_BEGUN:
        return "which belongs to a cluster that this node cannot join: their cluster-id differ, or "
               "this node has data to import";
    case LOST_ITS_FOLDER:
        return "which lost its data folder while the cluster began; if no node has begun, stop all "
               "and delete the data folders of those that wait";
    case HAS_NOT_STORED:
        return "which has not stored the founders' record";
    case HAS_TO_DRAW:
        return "which has to draw the cluster's id";
    }
    return "";
}

static size_t add_text(char text[FOUNDING_TEXT_MAX], size_t len, const struct founding_peer *peer,
                       enum lack lack)
{
    int more = snprintf(text + len, FOUNDING_TEXT_MAX - len, "%s node %" PRIu64 " at %s, %s",
                        len ? ";" : "waiting for", peer->id, peer->address, text_of(lack));
    len += more > 0 ? (size_t)more : 0;
    return len < FOUNDING_TEXT_MAX ? len : FOUNDING_TEXT_MAX - 1;
}

void founding_describe(const struct founding *founding, char text[FOUNDING_TEXT_MAX])
{
    size_t len = 0;
    text[0] = '\0';
    if (founding_has_begun(founding))
        return;
    if (founding->stored.begin == CLUSTER_FOUNDING &&
        !names_self(founding, &founding->stored.founders)) {
        snprintf(text, FOUNDING_TEXT_MAX,
                 "this data folder was copied or moved while the cluster began; delete it");
        return;
    }
    for (size_t i = 0; i < founding->peer_count; i++) {
        enum lack lack = lack_of(founding, &founding->peers[i]);
        if (lack != LACKS_NOTHING)
            len = add_text(text, len, &founding->peers[i], lack);
    }
    if (len == 0 && founding->peer_count && !draws(founding))
        add_text(text, 0, &founding->peers[0], HAS_TO_DRAW);
}
