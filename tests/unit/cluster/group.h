/* Nodes that begin a cluster: foundings, their disks, and messages between them that a test may
 * hold back. */
#ifndef FLOTILLA_TESTS_UNIT_CLUSTER_GROUP_H
#define FLOTILLA_TESTS_UNIT_CLUSTER_GROUP_H

#include <stdio.h>
#include <string.h>

#include "cluster/founding.h"
#include "unit/support/test.h"

enum { GROUP_MAX = 5 };

#define LIST_OF_THREE "1@a:1,2@b:2,3@c:3"

struct group_node {
    struct founding founding;
    struct cluster_identity disk; /* what a restart finds */
    bool up;
    bool stores;      /* false: what is asked to be stored is not there yet */
    const char *list; /* cluster-nodes */
    const char *id;   /* cluster-id; NULL: none */
    uint64_t mark;
    bool alone;
};

struct group {
    struct group_node nodes[GROUP_MAX]; /* node i + 1 */
    size_t count;
    uint64_t now_ms;
    uint64_t drawn; /* incarnations and ids so far */
};

static inline void group_id(uint64_t number, char id[41])
{
    snprintf(id, 41, "%040llx", (unsigned long long)number);
}

static inline void group_wipe(struct group *group, size_t at)
{
    struct group_node *node = &group->nodes[at];
    node->disk = (struct cluster_identity){
        .cluster_id = CLUSTER_NO_ID, .node_id = at + 1, .incarnation = ++group->drawn};
}

static inline void group_start(struct group *group, size_t at)
{
    struct group_node *node = &group->nodes[at];
    struct cluster cluster;
    char message[256];
    assert_int_equal(cluster_parse(&cluster, span_text(node->list), CLUSTER_NO_ID, message),
                     ERR_NONE);
    struct founding_options options = {.self = at + 1,
                                       .cluster = &cluster,
                                       .cluster_id = node->id,
                                       .mark = node->mark,
                                       .alone = node->alone,
                                       .drawn_incarnation = ++group->drawn,
                                       .stored = node->disk};
    group_id(++group->drawn, options.drawn_id);
    founding_init(&node->founding, &options, group->now_ms);
    node->up = true;
    node->stores = true;
}

static inline void group_init(struct group *group, size_t count, const char *list)
{
    *group = (struct group){.count = count, .now_ms = 1000};
    for (size_t i = 0; i < count; i++) {
        group->nodes[i].list = list;
        group_wipe(group, i);
    }
}

/* Connections between all that are up; a node that is down is lost to the others. */
static inline void group_connect(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        for (size_t j = 0; j < group->count; j++) {
            if (i == j || !group->nodes[i].up)
                continue;
            if (group->nodes[j].up)
                founding_met(&group->nodes[i].founding, j + 1,
                             group->nodes[j].founding.stored.incarnation);
            else
                founding_lost(&group->nodes[i].founding, j + 1);
        }
}

static inline void group_stop(struct group *group, size_t at)
{
    group->nodes[at].up = false;
    group_connect(group);
}

/* What node `from` says now arrives at `to`, over bytes. */
static inline void group_tell(struct group *group, size_t from, size_t to)
{
    struct founding_said said;
    if (!group->nodes[from].up || !group->nodes[to].up)
        return;
    founding_say(&group->nodes[from].founding, &said);
    founding_heard(&group->nodes[to].founding, &said);
}

static inline void group_step(struct group *group, size_t at)
{
    struct group_node *node = &group->nodes[at];
    struct founding_update update;
    founding_step(&node->founding, group->now_ms, &update);
    if (!update.store || !node->stores)
        return;
    node->disk = *update.store;
    founding_stored(&node->founding);
}

static inline void group_run(struct group *group, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        group->now_ms += FOUNDING_ASK_MS;
        group_connect(group);
        for (size_t i = 0; i < group->count; i++)
            for (size_t j = 0; j < group->count; j++)
                if (i != j)
                    group_tell(group, i, j);
        for (size_t i = 0; i < group->count; i++)
            if (group->nodes[i].up)
                group_step(group, i);
    }
}

static inline void group_start_all(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        group_start(group, i);
}

static inline void group_restart(struct group *group, size_t at)
{
    group_stop(group, at);
    group_start(group, at);
}

static inline bool group_has_begun(const struct group *group, size_t at)
{
    return group->nodes[at].disk.begin == CLUSTER_BEGUN;
}

static inline void group_assert_describes(struct group *group, size_t at, const char *part)
{
    char text[FOUNDING_TEXT_MAX];
    founding_describe(&group->nodes[at].founding, text);
    if (!strstr(text, part))
        print_error("'%s' is not in '%s'\n", part, text);
    assert_non_null(strstr(text, part));
}

#endif
