#include "cluster/seeking_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static bool same_id(const char *one, const char *other)
{
    return strcmp(one, other) == 0;
}

/* ---- contacts ---- */

static struct seeking_contact *find(struct seeking *seeking, uint64_t key)
{
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++)
        if (seeking->contacts[i].key == key)
            return &seeking->contacts[i];
    return NULL;
}

void seeking_init(struct seeking *seeking, const struct founding_options *options, unsigned expect,
                  uint64_t now_ms)
{
    struct founding_options own = *options;
    *seeking = (struct seeking){.expect = expect, .alone_at_ms = UINT64_MAX};
    if (options->alone)
        seeking->alone_at_ms = now_ms + FOUNDING_ALONE_MS;
    own.alone = false; /* with a list of one node nobody else is a learner of the record */
    if (options->stored.begin == CLUSTER_EMPTY)
        seeking->wish = options->self;
    seeking_set_missing(seeking, "its seeds, none of which was looked up yet");
    founding_init(&seeking->founding, &own, now_ms);
    seeking->founding.seeks = true;
}

void seeking_set_address(struct seeking *seeking, const char *address)
{
    snprintf(seeking->address, sizeof seeking->address, "%s", address);
}

void seeking_set_missing(struct seeking *seeking, const char *text)
{
    snprintf(seeking->missing, sizeof seeking->missing, "%s", text);
}

bool seeking_contact(struct seeking *seeking, uint64_t key, const char *address, bool seed)
{
    ASSERT(key != 0);
    struct seeking_contact *contact = find(seeking, key);
    if (!contact)
        contact = find(seeking, 0);
    if (!contact)
        return false;
    if (contact->key != key)
        *contact = (struct seeking_contact){.key = key};
    contact->seed = seed;
    snprintf(contact->address, sizeof contact->address, "%s", address);
    return true;
}

void seeking_forget(struct seeking *seeking, uint64_t key)
{
    struct seeking_contact *contact = find(seeking, key);
    if (key != 0 && contact)
        *contact = (struct seeking_contact){.key = 0};
}

void seeking_met(struct seeking *seeking, uint64_t key, uint64_t incarnation)
{
    struct seeking_contact *contact = find(seeking, key);
    if (key == 0 || !contact || (contact->reached && contact->incarnation == incarnation))
        return;
    contact->reached = true;
    contact->heard = contact->heard && contact->incarnation == incarnation;
    contact->incarnation = incarnation;
    contact->cause[0] = '\0';
    if (!founding_has_begun(&seeking->founding))
        seeking->founding.ask_at_ms = 0; /* so that the node soon learns of this one */
}

void seeking_lost(struct seeking *seeking, uint64_t key, const char *cause)
{
    struct seeking_contact *contact = find(seeking, key);
    if (key == 0 || !contact)
        return;
    contact->reached = contact->heard = false;
    snprintf(contact->cause, sizeof contact->cause, "%s", cause);
}

void seeking_heard(struct seeking *seeking, uint64_t key, const struct seeking_said *said)
{
    struct seeking_contact *contact = find(seeking, key);
    if (key == 0 || !contact || !contact->reached || contact->incarnation != said->node.incarnation)
        return;
    contact->said = *said;
    contact->heard = true;
}

bool seeking_is_self(const struct seeking *seeking, const struct seeking_contact *contact)
{
    return contact->reached && contact->incarnation == seeking->founding.stored.incarnation;
}

/* The same node was found at an address before this one. */
static bool is_double(const struct seeking *seeking, const struct seeking_contact *contact)
{
    for (const struct seeking_contact *at = seeking->contacts; at != contact; at++)
        if (at->key && at->heard && at->incarnation == contact->incarnation)
            return true;
    return false;
}

/* Another node that has spoken, once for each. */
static bool is_node(const struct seeking *seeking, const struct seeking_contact *contact)
{
    return contact->key && contact->heard && !seeking_is_self(seeking, contact) &&
           !is_double(seeking, contact);
}

static const struct cluster_founder *place_in(const struct cluster_founders *record,
                                              uint64_t incarnation)
{
    for (size_t i = 0; i < record->count; i++)
        if (record->members[i].incarnation == incarnation)
            return &record->members[i];
    return NULL;
}

/* ---- a cluster that has begun ---- */

bool seeking_has_begun(const struct seeking *seeking, const struct seeking_contact *contact)
{
    return is_node(seeking, contact) && contact->said.node.begin == CLUSTER_BEGUN;
}

/* The only cluster that is there. NULL: there is none, or there are several. */
static const struct seeking_contact *begun_cluster(const struct seeking *seeking, bool *several)
{
    const struct seeking_contact *found = NULL;
    *several = false;
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = &seeking->contacts[i];
        if (!seeking_has_begun(seeking, contact))
            continue;
        *several = found && !same_id(found->said.node.cluster_id, contact->said.node.cluster_id);
        if (*several)
            return NULL;
        found = contact;
    }
    return found;
}

/* One of the node's own seeds is still being dialled for the first time, or has not spoken yet. It
 * may belong to another cluster. One that cannot be reached is not waited for. */
static bool awaits_a_seed(const struct seeking *seeking)
{
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = &seeking->contacts[i];
        if (contact->key && contact->seed && !contact->heard && !contact->cause[0] &&
            !seeking_is_self(seeking, contact))
            return true;
    }
    return false;
}

/* The cluster that this node asks to be taken into. NULL: none. */
static const struct seeking_contact *wanted_cluster(const struct seeking *seeking)
{
    bool several;
    const struct founding *founding = &seeking->founding;
    const struct seeking_contact *begun = begun_cluster(seeking, &several);
    bool allowed = begun && (same_id(founding->cluster_id, CLUSTER_NO_ID) ||
                             same_id(founding->cluster_id, begun->said.node.cluster_id));
    return allowed && founding->stored.begin == CLUSTER_EMPTY && founding->mark == 0 &&
                   seeking->address[0] && !awaits_a_seed(seeking)
               ? begun
               : NULL;
}

/* A member of that cluster says under which id the leader has taken this node in. */
static const struct seeking_contact *invitation(const struct seeking *seeking)
{
    const struct seeking_contact *wanted = wanted_cluster(seeking);
    for (size_t i = 0; wanted && i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = &seeking->contacts[i];
        if (seeking_has_begun(seeking, contact) && contact->said.given)
            return contact;
    }
    return NULL;
}

/* ---- the list of founders ---- */

/* Its record names this folder, so it has been drawn for this node too. */
static bool invites(const struct seeking *seeking, const struct seeking_contact *contact)
{
    return contact->said.node.begin == CLUSTER_FOUNDING &&
           place_in(&contact->said.node.founders, seeking->founding.stored.incarnation);
}

static int by_address(const void *one, const void *other)
{
    return strcmp(((const struct seeking_candidate *)one)->address,
                  ((const struct seeking_candidate *)other)->address);
}

static bool is_taken(const struct seeking_candidate *list, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].id == id)
            return true;
    return false;
}

/* Who wished for an id has it; the others get the lowest free ones in the order of addresses. */
static void give_ids(struct seeking_candidate *list, size_t count)
{
    uint64_t id = 1;
    for (size_t i = 0; i < count; i++) {
        if (list[i].id)
            continue;
        while (is_taken(list, count, id))
            id++;
        list[i].id = id;
    }
}

/* This node and all others that it has heard, by address. */
size_t seeking_gather(const struct seeking *seeking, struct seeking_candidate *list)
{
    size_t count = 1;
    list[0] = (struct seeking_candidate){seeking->address, seeking->founding.stored.incarnation,
                                         seeking->wish};
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = &seeking->contacts[i];
        if (!is_node(seeking, contact))
            continue;
        uint64_t wish = contact->said.node.begin == CLUSTER_EMPTY ? contact->said.node.id : 0;
        list[count++] =
            (struct seeking_candidate){contact->said.address, contact->incarnation, wish};
    }
    qsort(list, count, sizeof *list, by_address);
    return count;
}

static void add_node(struct cluster *cluster, const struct seeking_candidate *candidate)
{
    struct cluster_node node = {.id = candidate->id};
    const char *fault = cluster_address_parse(span_text(candidate->address), node.host, &node.port);
    ASSERT(!fault && cluster->count < RAFT_MEMBERS_MAX);
    size_t at = cluster->count++;
    for (; at > 0 && cluster->nodes[at - 1].id > node.id; at--)
        cluster->nodes[at] = cluster->nodes[at - 1];
    cluster->nodes[at] = node;
}

/* ---- what is in the way ---- */

/* Of one node that has spoken. */
static enum seeking_obstacle obstacle_at(const struct seeking *seeking,
                                         const struct seeking_contact *contact)
{
    if (contact->said.node.begin == CLUSTER_FOUNDING)
        return invites(seeking, contact) ? SEEKING_NO_OBSTACLE : SEEKING_HAS_A_RECORD;
    if (contact->said.address[0] == '\0')
        return SEEKING_KNOWS_NO_ADDRESS;
    return contact->said.expect == seeking->expect ? SEEKING_NO_OBSTACLE : SEEKING_EXPECTS_OTHERS;
}

static enum seeking_obstacle obstacle_of_contacts(const struct seeking *seeking,
                                                  const struct seeking_contact **where)
{
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = *where = &seeking->contacts[i];
        if (contact->key == 0 || seeking_is_self(seeking, contact))
            continue;
        if (contact->seed && !contact->heard)
            return SEEKING_NOT_REACHED;
        enum seeking_obstacle obstacle =
            is_node(seeking, contact) ? obstacle_at(seeking, contact) : SEEKING_NO_OBSTACLE;
        if (obstacle != SEEKING_NO_OBSTACLE)
            return obstacle;
    }
    *where = NULL;
    return SEEKING_NO_OBSTACLE;
}

static enum seeking_obstacle obstacle_of_list(const struct seeking *seeking)
{
    struct seeking_candidate list[SEEKING_CONTACTS_MAX + 1];
    size_t count = seeking_gather(seeking, list);
    if (count != seeking->expect)
        return count < seeking->expect ? SEEKING_TOO_FEW : SEEKING_TOO_MANY;
    for (size_t i = 0; i + 1 < count; i++)
        if (same_id(list[i].address, list[i + 1].address))
            return SEEKING_SAME_ADDRESS;
    for (size_t i = 0; i < count; i++)
        if (list[i].id && is_taken(list + i + 1, count - i - 1, list[i].id))
            return SEEKING_SAME_ID;
    return SEEKING_NO_OBSTACLE;
}

/* Why this node has no list of founders, and at which contact. */
enum seeking_obstacle seeking_obstacle(const struct seeking *seeking,
                                       const struct seeking_contact **where)
{
    bool several;
    *where = begun_cluster(seeking, &several);
    if (several)
        return SEEKING_SEVERAL_BEGUN;
    if (*where && seeking->address[0] == '\0')
        return SEEKING_NO_OWN_ADDRESS;
    if (*where && awaits_a_seed(seeking))
        return SEEKING_NOT_REACHED;
    if (*where)
        return wanted_cluster(seeking) ? SEEKING_NOT_TAKEN_IN : SEEKING_OTHER_CLUSTER;
    if (seeking->missing[0])
        return SEEKING_SEED_MISSING;
    enum seeking_obstacle obstacle = obstacle_of_contacts(seeking, where);
    if (obstacle != SEEKING_NO_OBSTACLE)
        return obstacle;
    if (seeking->address[0] == '\0')
        return SEEKING_NO_OWN_ADDRESS;
    return seeking->expect ? obstacle_of_list(seeking) : SEEKING_FOUNDS_NOTHING;
}

/* ---- deciding ---- */

static uint64_t id_on(const struct seeking_candidate *list, size_t count, uint64_t incarnation)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].incarnation == incarnation)
            return list[i].id;
    return 0;
}

/* What `contact` says, under the id that it has on this node's list. */
static void feed(struct seeking *seeking, const struct seeking_contact *contact, uint64_t id)
{
    struct founding_said said = contact->said.node;
    if (id == 0 || id == seeking->founding.stored.node_id)
        return;
    said.id = id;
    founding_met(&seeking->founding, id, contact->incarnation);
    founding_heard(&seeking->founding, &said);
}

static void set_list(struct seeking *seeking, const struct seeking_candidate *list, size_t count)
{
    struct founding *founding = &seeking->founding;
    uint64_t self = id_on(list, count, founding->stored.incarnation);
    struct cluster cluster = {.count = 0};
    for (size_t i = 0; i < count; i++)
        add_node(&cluster, &list[i]);
    char text[CLUSTER_LIST_MAX];
    cluster_list_text(&cluster, text);
    if (!founding->listed || founding->stored.node_id != self ||
        !same_id(text, founding->stored.list))
        founding_set_list(founding, &cluster, self);
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++)
        if (is_node(seeking, &seeking->contacts[i]))
            feed(seeking, &seeking->contacts[i],
                 id_on(list, count, seeking->contacts[i].incarnation));
}

/* The record is the list: it was drawn when all had the same one. */
static bool take_record_list(struct seeking *seeking)
{
    const struct cluster_founders *record = NULL;
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX && !record; i++)
        if (is_node(seeking, &seeking->contacts[i]) && invites(seeking, &seeking->contacts[i]))
            record = &seeking->contacts[i].said.node.founders;
    if (!record || record->count != seeking->expect)
        return false;
    struct seeking_candidate list[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < record->count; i++) {
        const struct cluster_founder *member = &record->members[i];
        if (!cluster_address_is_sound(span_text(member->address)))
            return false;
        list[i] = (struct seeking_candidate){member->address, member->incarnation, member->id};
    }
    set_list(seeking, list, record->count);
    return true;
}

static bool begins_alone(const struct seeking *seeking, uint64_t now_ms)
{
    return seeking->address[0] && (seeking->begins_alone || now_ms >= seeking->alone_at_ms);
}

static void choose_list(struct seeking *seeking, uint64_t now_ms)
{
    struct seeking_candidate list[SEEKING_CONTACTS_MAX + 1];
    const struct seeking_contact *where;
    bool several;
    bool found = begun_cluster(seeking, &several) != NULL || several;
    if (!found && begins_alone(seeking, now_ms)) {
        list[0] = (struct seeking_candidate){seeking->address, seeking->founding.stored.incarnation,
                                             seeking->wish ? seeking->wish : 1};
        set_list(seeking, list, 1);
        return;
    }
    if (!found && take_record_list(seeking))
        return;
    if (seeking_obstacle(seeking, &where) == SEEKING_NO_OBSTACLE) {
        size_t count = seeking_gather(seeking, list);
        give_ids(list, count);
        set_list(seeking, list, count);
    } else if (seeking->founding.listed) {
        founding_set_list(&seeking->founding, NULL, seeking->wish);
    }
}

static void hear_founders(struct seeking *seeking)
{
    const struct cluster_founders *record = &seeking->founding.stored.founders;
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = &seeking->contacts[i];
        const struct cluster_founder *member =
            is_node(seeking, contact) ? place_in(record, contact->incarnation) : NULL;
        if (member)
            feed(seeking, contact, member->id);
    }
}

void seeking_step(struct seeking *seeking, uint64_t now_ms, struct founding_update *update)
{
    struct founding *founding = &seeking->founding;
    const struct seeking_contact *inviting = invitation(seeking);
    switch (founding->stored.begin) {
    case CLUSTER_EMPTY:
        choose_list(seeking, now_ms);
        break;
    case CLUSTER_FOUNDING:
        hear_founders(seeking);
        break;
    case CLUSTER_BEGUN:
        break;
    }
    founding_step(founding, now_ms, update);
    if (!founding->storing && inviting) {
        update->store = founding_join(founding, &inviting->said.node, inviting->said.given);
        char *list = founding->next.list;
        snprintf(list, CLUSTER_LIST_MAX, "%" PRIu64 "@%s", inviting->said.given, seeking->address);
    }
}

enum err seeking_begin_alone(struct seeking *seeking, char why[SEEKING_TEXT_MAX])
{
    bool several;
    const struct founding *founding = &seeking->founding;
    const struct seeking_contact *begun = begun_cluster(seeking, &several);
    if (founding->stored.begin != CLUSTER_EMPTY || founding->storing) {
        snprintf(why, SEEKING_TEXT_MAX, "this node founds cluster %s already",
                 founding->stored.cluster_id);
        return ERR_EXISTS;
    }
    if (begun || several) {
        snprintf(why, SEEKING_TEXT_MAX, "one of its seeds belongs to a cluster%s%s: %s",
                 begun ? ", " : "", begun ? begun->said.node.cluster_id : "",
                 "a second one would begin");
        return ERR_EXISTS;
    }
    seeking->begins_alone = true;
    return ERR_NONE;
}

void seeking_say(const struct seeking *seeking, struct seeking_said *said)
{
    const struct seeking_contact *wanted = wanted_cluster(seeking);
    *said = (struct seeking_said){.expect = seeking->expect};
    founding_say(&seeking->founding, &said->node);
    if (said->node.begin == CLUSTER_EMPTY)
        said->node.id = seeking->wish;
    memcpy(said->address, seeking->address, sizeof said->address);
    memcpy(said->joins, wanted ? wanted->said.node.cluster_id : CLUSTER_NO_ID, sizeof said->joins);
}
