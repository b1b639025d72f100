/* The leader serves clients of all nodes that wait for keys (block.h). */
#include "base/assert.h"
#include "base/mem.h"
#include "shard/block.h"
#include "shard/internal.h"

enum {
    STAMP_BITS = 16, /* of a millisecond of the group's time */
    DEPTH_MAX = 16,  /* of chains (BLMOVE) that are served in one turn; the rest follows */
};

void shard_forget_waiters(struct shard *shard)
{
    waits_clear(&shard->blocks.waiters);
    shard->blocks.office_term = 0;
    shard->blocks.serve_all = false;
}

void shard_begin_waking(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    if (blocks->office_term == raft_term(shard->raft))
        return;
    waits_clear(&blocks->waiters);
    blocks->office_term = raft_term(shard->raft);
    blocks->serve_ms = blocks->again_ms = shard->now.mono_ms + shard->options.raft.heartbeat_ms;
    blocks->serve_all = true;
}

/* The group's time never goes back, so that later leaders give later stamps. */
static uint64_t next_stamp(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    uint64_t least = (uint64_t)shard_now_ms(shard, shard->now) << STAMP_BITS;
    blocks->stamped = blocks->stamped >= least ? blocks->stamped + 1 : least;
    return blocks->stamped;
}

/* Clients of a node that is not heard from keep their place, and others are served. */
static bool is_heard(const struct shard *shard, uint64_t node)
{
    if (node == raft_id(shard->raft))
        return true;
    uint64_t contact_ms = raft_peer_contact_ms(shard->raft, node);
    return contact_ms && contact_ms + shard->options.raft.election_timeout_ms > shard->now.mono_ms;
}

/* Its node learns at once that this is committed. */
static void tell_when_committed(struct shard *shard, struct waiter_id id, uint64_t index)
{
    struct shard_origin *origin = shard_find_origin(shard, id.node, id.life);
    if (origin && origin->last_index < index)
        origin->last_index = index;
}

/* `flags`: WIRE_WAITER, or WIRE_WAITER_FIRST too. False: the write is refused, and `error` says
 * why; the waiter stays. */
static bool serve(struct shard *shard, struct waiter *waiter, uint64_t flags, const char **error)
{
    const struct entry_origin origin = {waiter->id.node, waiter->id.life, waiter->id.id | flags};
    uint64_t index = shard_next_index(shard);
    *error = shard_is_disputed(shard) ? SHARD_IS_DISPUTED : NULL;
    if (*error)
        return false;
    waits_set_under_way(waiter, true, index);
    const struct machine_request request = {ENTRY_COMMAND, waiter->database,
                                            span_of(waiter->text, waiter->text_len)};
    if (shard_propose(shard, &request, &origin, error)) {
        tell_when_committed(shard, waiter->id, index);
        return true;
    }
    ASSERT(*error); /* it was parsed when it came */
    waits_set_under_way(waiter, false, 0);
    return false;
}

/* The first `limit` of a line who are not being served. */
static void serve_line(struct shard *shard, struct wait_line *line, size_t limit)
{
    const char *error;
    struct wait_place *next;
    uint64_t silent = 0; /* a node that is not heard: others in line are often its clients too */
    if (line->under_way == line->count)
        return;
    for (struct wait_place *at = line->from ? line->from : line->first; at && limit; at = next) {
        next = at->next;
        if (!silent)
            line->from = at;
        if (at->waiter->under_way)
            continue;
        if (at->waiter->id.node == silent || !is_heard(shard, at->waiter->id.node)) {
            silent = at->waiter->id.node;
            shard->blocks.serve_all = true; /* it may be heard again */
            continue;
        }
        if (!serve(shard, at->waiter, WIRE_WAITER, &error)) {
            shard->blocks.serve_all = true; /* there may be room again */
            return;
        }
        limit--;
    }
}

static void serve_key(struct shard *shard, const struct wait_key *key)
{
    struct wait_line *next;
    for (struct wait_line *line = key->lines; line; line = next) {
        next = line->next;
        const struct waiter *first = line->first->waiter;
        size_t ready = first->command->blocking->ready(
            databases_at(shard->machine.databases, key->database), first->args, first->argc,
            span_of(key->name, key->len), shard_now_ms(shard, shard->now));
        if (ready > line->under_way)
            serve_line(shard, line, ready - line->under_way);
    }
}

void shard_wake_waiters(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    if (!shard_may_propose(shard) || waits_count(&blocks->waiters) == 0)
        return;
    if (shard->now.mono_ms < blocks->serve_ms)
        return;
    if (blocks->serve_all && shard->now.mono_ms >= blocks->again_ms) {
        blocks->serve_all = false;
        blocks->again_ms = shard->now.mono_ms + shard->options.raft.heartbeat_ms;
        waits_note_all(&blocks->waiters);
    }
    const struct wait_key *key;
    while ((key = waits_take_ready(&blocks->waiters)) != NULL)
        serve_key(shard, key);
}

void shard_wake_behind(struct shard *shard, unsigned database, const struct command *command,
                       const struct span *args, size_t argc)
{
    enum { KEYS_MAX = 16 };
    struct shard_blocks *blocks = &shard->blocks;
    size_t positions[KEYS_MAX];
    const struct wait_key *keys[KEYS_MAX];
    if (waits_count(&blocks->waiters) == 0 || (command->flags & COMMAND_DENYOOM) == 0 ||
        shard->now.mono_ms < blocks->serve_ms || blocks->depth == DEPTH_MAX)
        return;
    size_t count = command_keys(command, args, argc, positions, KEYS_MAX);
    if (count > KEYS_MAX)
        count = KEYS_MAX;
    for (size_t i = 0; i < count; i++) /* to serve somebody ends the life of the arguments */
        keys[i] = waits_find_key(&blocks->waiters, database, args[positions[i]]);
    blocks->depth++;
    for (size_t i = 0; i < count; i++)
        for (struct wait_line *line = keys[i] ? keys[i]->lines : NULL; line; line = line->next)
            serve_line(shard, line, 1);
    blocks->depth--;
}

bool shard_wait_begins(struct shard *shard, struct waiter_id id, uint64_t *stamp, unsigned database,
                       struct span text, const char **error)
{
    struct shard_blocks *blocks = &shard->blocks;
    shard_begin_waking(shard);
    struct waiter *waiter = waits_find(&blocks->waiters, id);
    bool is_new = *stamp == 0;
    *error = NULL;
    if (waiter) {
        *stamp = waiter->stamp;
        return true;
    }
    if (is_new)
        *stamp = next_stamp(shard);
    waiter = waits_add(&blocks->waiters, id, *stamp, database, text);
    if (waiter && (waiter->command->flags & COMMAND_WRITE) == 0) {
        waits_remove(&blocks->waiters, waiter); /* a read waits where its client is */
        waiter = NULL;
    }
    if (!waiter) {
        *error = "ERR the command cannot wait";
        return false;
    }
    waits_note_keys(&blocks->waiters, waiter);
    /* An earlier leader may have gone before its entry was committed. That a list is there does not
     * matter by now: its turn comes by the order of arrival. */
    if (!is_new && !waiter->command->blocking->group)
        return true;
    if (!waiter->command->blocking->runs_first(databases_at(shard->machine.databases, database),
                                               waiter->args, waiter->argc,
                                               shard_now_ms(shard, shard->now)))
        return true;
    if (serve(shard, waiter, is_new ? WIRE_WAITER | WIRE_WAITER_FIRST : WIRE_WAITER, error))
        return true;
    waits_remove(&blocks->waiters, waiter);
    return false;
}

uint64_t shard_wait_ends(struct shard *shard, struct waiter_id id)
{
    struct waits *waiters = &shard->blocks.waiters;
    struct waiter *waiter = waits_find(waiters, id);
    if (waiter) {
        waits_note_keys(waiters, waiter);
        waits_remove(waiters, waiter);
    }
    return shard_next_index(shard) - 1;
}

/* Its node may say again that it waits, before it has applied the entry. */
static void remember_served(struct shard *shard, struct waiter_id id, uint64_t index)
{
    struct shard_origin *origin = shard_find_origin(shard, id.node, id.life);
    if (!origin)
        return; /* this node itself: what it says to itself is not lost */
    if (origin->served_count == origin->served_cap) {
        origin->served_cap = origin->served_cap ? origin->served_cap * 2 : 16;
        origin->served =
            mem_realloc(origin->served, origin->served_cap * sizeof(struct shard_served));
    }
    origin->served[origin->served_count++] = (struct shard_served){id.id, index};
}

static void forget_served(struct shard_origin *origin, uint64_t applied)
{
    size_t kept = 0;
    for (size_t i = 0; i < origin->served_count; i++)
        if (origin->served[i].index > applied)
            origin->served[kept++] = origin->served[i];
    origin->served_count = kept;
}

static bool was_served(const struct shard_origin *origin, uint64_t id)
{
    for (size_t i = 0; i < origin->served_count; i++)
        if (origin->served[i].id == id)
            return true;
    return false;
}

void shard_note_served(struct shard *shard, struct waiter_id id, bool served, uint64_t index)
{
    struct waits *waiters = &shard->blocks.waiters;
    struct waiter *waiter = waits_count(waiters) ? waits_find(waiters, id) : NULL;
    if (!waiter || (!served && waiter->under_way && waiter->position != index))
        return; /* an entry of an earlier term, which this node applies late, decides nothing */
    waits_note_keys(waiters, waiter);
    if (!served) {
        waits_set_under_way(waiter, false, 0);
        return;
    }
    remember_served(shard, id, index);
    waits_remove(waiters, waiter);
}

static void answer_item(struct shard *shard, const struct wire_forward *message,
                        const struct shard_origin *origin, struct wire_wait *wait,
                        struct buf *items)
{
    const struct waiter_id id = {message->from, message->life, wait->id};
    const char *error = NULL;
    if (wait->kind == WIRE_WAIT_ENDS) {
        wait->number = shard_wait_ends(shard, id);
        tell_when_committed(shard, id, wait->number);
    } else if (was_served(origin, wait->id)) {
        wait->number = wait->number ? wait->number : next_stamp(shard);
    } else if (!shard_wait_begins(shard, id, &wait->number, wait->database, wait->text, &error)) {
        wait->kind = WIRE_WAIT_REFUSED;
        wait->number = 0;
    }
    wait->text = error ? span_text(error) : span_of("", 0);
    wait->database = 0;
    wire_add_wait(items, wait);
}

/* Clients of an earlier run of the process are gone. */
static void forget_earlier_lives(struct shard *shard, const struct wire_forward *message)
{
    struct waits *waiters = &shard->blocks.waiters;
    for (size_t i = waits_count(waiters); i-- > 0;) {
        struct waiter *waiter = dense_at(&waiters->waiters, i);
        if (waiter->id.node == message->from && waiter->id.life != message->life)
            waits_remove(waiters, waiter);
        if (i > waits_count(waiters))
            i = waits_count(waiters);
    }
}

enum err shard_serve_waits(struct shard *shard, const struct wire_forward *message,
                           struct shard_origin *origin)
{
    struct span items = message->items;
    struct buf answers = {0};
    struct wire_wait wait;
    if (message->wait.number <= origin->wait_number)
        return ERR_NONE; /* a newer one has overtaken it */
    shard_begin_waking(shard);
    if (origin->wait_number == 0)
        forget_earlier_lives(shard, message);
    origin->wait_number = message->wait.number;
    forget_served(origin, message->wait.applied);
    bool sound = true;
    while (sound && wire_take_wait(&items, &wait)) {
        sound = wait.kind != WIRE_WAIT_REFUSED;
        if (sound)
            answer_item(shard, message, origin, &wait, &answers);
    }
    struct wire_forward answer = *message;
    answer.type = WIRE_WAITED;
    answer.from = message->to;
    answer.to = message->from;
    answer.items = buf_span(&answers);
    shard_send_forward(shard, &answer, true);
    buf_close(&answers);
    shard->refusal = "waits that no node of this version sends";
    return sound && items.len == 0 ? ERR_NONE : ERR_INVALID;
}
