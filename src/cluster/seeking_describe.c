/* For what a node that seeks its cluster waits, in words. */
#include <stdarg.h>
#include <stdio.h>

#include "cluster/seeking_internal.h"

struct text {
    char *to;
    size_t len;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int more = vsnprintf(text->to + text->len, SEEKING_TEXT_MAX - text->len, format, args);
    va_end(args);
    text->len += more > 0 ? (size_t)more : 0;
    if (text->len >= SEEKING_TEXT_MAX)
        text->len = SEEKING_TEXT_MAX - 1;
}

/* All seeds that do not answer, not only the first. */
static void add_unreached(const struct seeking *seeking, struct text *text)
{
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        const struct seeking_contact *contact = &seeking->contacts[i];
        if (contact->key && contact->seed && !contact->heard && !seeking_is_self(seeking, contact))
            add(text, "%s seed %s, which %s", text->len ? ";" : "waiting for", contact->address,
                contact->cause[0] ? contact->cause : "has not answered yet");
    }
}

/* A leader that has refused says why; the others do not know. */
static const char *refusal_of(const struct seeking *seeking)
{
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++)
        if (seeking_has_begun(seeking, &seeking->contacts[i]) &&
            seeking->contacts[i].said.refusal[0])
            return seeking->contacts[i].said.refusal;
    return NULL;
}

static void add_joining(const struct seeking *seeking, const struct seeking_contact *begun,
                        struct text *text)
{
    const char *refusal = refusal_of(seeking);
    add(text, "waiting for the leader of cluster %s, found at %s, to take this node in",
        begun->said.node.cluster_id, begun->address);
    if (refusal)
        add(text, "; it refuses: %s", refusal);
}

static void add_count(const struct seeking *seeking, struct text *text)
{
    struct seeking_candidate list[SEEKING_CONTACTS_MAX + 1];
    size_t count = seeking_gather(seeking, list);
    add(text, "%s empty nodes: raft-bootstrap-expect is %u, and here are %zu:",
        count < seeking->expect ? "waiting for more" : "waiting for fewer", seeking->expect, count);
    for (size_t i = 0; i < count; i++)
        add(text, "%s %s", i ? "," : "", list[i].address);
}

static void add_obstacle(const struct seeking *seeking, enum seeking_obstacle obstacle,
                         const struct seeking_contact *where, struct text *text)
{
    static const struct seeking_contact nowhere;
    where = where ? where : &nowhere;
    const char *at = where->address;
    switch (obstacle) {
    case SEEKING_NO_OBSTACLE:
        break;
    case SEEKING_NO_OWN_ADDRESS:
        add(text, "waiting for RAFT.CLUSTER INIT or JOIN, or for another node that calls");
        break;
    case SEEKING_SEED_MISSING:
        add(text, "waiting for %s", seeking->missing);
        break;
    case SEEKING_NOT_REACHED:
        add_unreached(seeking, text);
        break;
    case SEEKING_SEVERAL_BEGUN:
        add(text, "its seeds belong to different clusters: no one can say which is the right one");
        break;
    case SEEKING_OTHER_CLUSTER:
        add(text,
            "the node at %s belongs to cluster %s, which this node cannot join: its cluster-id is "
            "another one, or it has data to import",
            at, where->said.node.cluster_id);
        break;
    case SEEKING_NOT_TAKEN_IN:
        add_joining(seeking, where, text);
        break;
    case SEEKING_FOUNDS_NOTHING:
        add(text, "no seed belongs to a cluster: waiting for one that does, or for RAFT.CLUSTER "
                  "INIT; raft-bootstrap-expect is 0");
        break;
    case SEEKING_HAS_A_RECORD:
        add(text,
            "waiting for the node at %s, which founds cluster %s without this node; if no node has "
            "begun, stop all and delete the data folders of those that wait",
            at, where->said.node.cluster_id);
        break;
    case SEEKING_KNOWS_NO_ADDRESS:
        add(text, "waiting for the node at %s, which does not know its own address yet", at);
        break;
    case SEEKING_EXPECTS_OTHERS:
        add(text, "waiting for the node at %s, whose raft-bootstrap-expect is %u and not %u", at,
            where->said.expect, seeking->expect);
        break;
    case SEEKING_SAME_ADDRESS:
        add(text, "two of the empty nodes say that they are at the same address: "
                  "cluster-announce-ip or cluster-announce-port is wrong");
        break;
    case SEEKING_SAME_ID:
        add(text, "two of the empty nodes have the same node-id");
        break;
    case SEEKING_TOO_FEW:
    case SEEKING_TOO_MANY:
        add_count(seeking, text);
        break;
    }
}

void seeking_describe(const struct seeking *seeking, char out[SEEKING_TEXT_MAX])
{
    const struct seeking_contact *where = NULL;
    enum seeking_obstacle obstacle = SEEKING_NO_OBSTACLE;
    struct text text = {out, 0};
    out[0] = '\0';
    if (seeking->founding.stored.begin == CLUSTER_EMPTY && !seeking->founding.listed)
        obstacle = seeking_obstacle(seeking, &where);
    else
        founding_describe(&seeking->founding, out);
    add_obstacle(seeking, obstacle, where, &text);
}
