/* Restarts from what a power loss at many moments of a recorded run could have left, in every
 * choice of what was not synced, and says whether all is there that the node had claimed as its own
 * and synced.
 *
 *     power_loss JOURNAL CLAIMS FOLDER SECONDS [SEED]
 *
 * JOURNAL is what disk_record.so wrote, FOLDER the shard's. CLAIMS has lines "<bytes of the
 * journal> <index> <term>": at that moment all committed entries up to the index were synced, and
 * the node was in this term. Every step (a name, a cut, a sync of a folder) and the events around
 * it are tried in any case, other moments as long as there is time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "machine/state.h"
#include "shim/platter.h"
#include "storage/storage.h"

enum { AROUND = 3, BLOCKS_MAX = 24, RANDOM_LOSSES = 6, PASSES = 16, MESSAGE_MAX = 512 };

struct event {
    struct record_head head;
    struct span path;
    struct span data;
    size_t end; /* in the journal */
};

struct claim {
    size_t at;
    uint64_t index;
    uint64_t term;
};

struct run {
    struct buf journal;
    struct event *events;
    size_t event_count;
    bool *is_near_step; /* by event */
    struct claim *claims;
    size_t claim_count;
    const char *folder;
    struct identity identity;
    uint64_t *terms; /* of committed entries, 0: not known yet */
    size_t term_count;
    uint64_t random;
    double until;
    uint64_t moments;
    uint64_t starts;
    uint64_t failures;
};

/* One start. */
struct start {
    struct run *run;
    uint64_t claimed;
    bool is_truth; /* nothing was lost */
    struct machine_reader *state;
    uint64_t wrong_index; /* an entry of another term than it was committed with */
};

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    abort();
}

static _Noreturn void give_up(const char *what, const char *which)
{
    fprintf(stderr, "power_loss: %s: %s\n", what, which);
    exit(2);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- what was recorded ---- */

static void read_all(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        give_up("cannot read", path);
    for (;;) {
        size_t got = fread(buf_reserve(out, 1 << 16), 1, 1 << 16, file);
        out->len += got;
        if (got == 0)
            break;
    }
    fclose(file);
}

static void read_journal(struct run *run, const char *path)
{
    read_all(path, &run->journal);
    size_t cap = 0;
    for (size_t at = 0; at < run->journal.len;) {
        struct event event;
        if (run->journal.len - at < sizeof event.head)
            give_up("the journal ends within an event", path);
        memcpy(&event.head, run->journal.ptr + at, sizeof event.head);
        if (event.head.magic != JOURNAL_MAGIC)
            give_up("the journal is damaged", path);
        at += sizeof event.head;
        if (run->journal.len - at < event.head.path_len + event.head.len)
            give_up("the journal ends within an event", path);
        event.path = span_of(run->journal.ptr + at, event.head.path_len);
        event.data = span_of(run->journal.ptr + at + event.head.path_len, event.head.len);
        at += event.head.path_len + event.head.len;
        event.end = at;
        if (run->event_count == cap) {
            cap = cap ? cap * 2 : 4096;
            run->events = mem_realloc(run->events, cap * sizeof *run->events);
        }
        run->events[run->event_count++] = event;
    }
}

static void read_claims(struct run *run, const char *path)
{
    struct buf text = {0};
    read_all(path, &text);
    buf_add_char(&text, '\0');
    struct claim claim;
    int used = 0;
    for (const char *at = text.ptr; sscanf(at, "%zu %" SCNu64 " %" SCNu64 "\n%n", &claim.at,
                                           &claim.index, &claim.term, &used) == 3;
         at += used) {
        run->claims = mem_realloc(run->claims, (run->claim_count + 1) * sizeof *run->claims);
        run->claims[run->claim_count++] = claim;
        if (claim.index >= run->term_count)
            run->term_count = (size_t)claim.index + 1;
    }
    buf_close(&text);
    if (run->claim_count == 0)
        give_up("no claims", path);
    run->terms = mem_zalloc(run->term_count * sizeof *run->terms);
}

static bool is_step(const struct event *event)
{
    return event->head.kind != JOURNAL_WRITE && event->head.kind != JOURNAL_SYNC;
}

static void find_steps(struct run *run)
{
    run->is_near_step = mem_zalloc((run->event_count + 1) * sizeof *run->is_near_step);
    for (size_t i = 0; i < run->event_count; i++) {
        if (!is_step(&run->events[i]))
            continue;
        for (size_t near = i < AROUND ? 0 : i - AROUND;
             near <= i + AROUND + 1 && near <= run->event_count; near++)
            run->is_near_step[near] = true;
    }
}

static void find_identity(struct run *run)
{
    for (size_t i = 0; i < run->event_count; i++) {
        struct record record;
        if (run->events[i].head.kind == JOURNAL_WRITE &&
            record_parse(run->events[i].data, &record) == RECORD_OK &&
            record.kind == RECORD_IDENTITY) {
            run->identity = record.identity;
            return;
        }
    }
    give_up("nothing in the journal says whose log it is", run->folder);
}

/* ---- one start ---- */

static void hear(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static enum err load(void *context, struct span piece, char *message)
{
    struct start *start = context;
    if (!start->state)
        start->state = machine_reader_new(1, NULL);
    return machine_reader_feed(start->state, piece, message);
}

static void visit(void *context, const struct entry *entry)
{
    struct start *start = context;
    struct run *run = start->run;
    if (entry->index > start->claimed)
        return;
    uint64_t *term = &run->terms[entry->index];
    if (start->is_truth && *term == 0)
        *term = entry->term;
    if (*term && *term != entry->term && start->wrong_index == 0)
        start->wrong_index = entry->index;
}

static void judge(struct start *start, const struct storage_recovered *found,
                  const struct claim *claim, char *message)
{
    uint64_t last = found->last_index;
    uint64_t covered = found->snapshot.index;
    if (found->first_index > covered + 1)
        snprintf(message, MESSAGE_MAX, "entries between %" PRIu64 " and %" PRIu64 " are missing",
                 covered, found->first_index);
    else if (last < claim->index)
        snprintf(message, MESSAGE_MAX, "entry %" PRIu64 " was claimed, the log ends with %" PRIu64,
                 claim->index, last);
    else if (found->vote.term < claim->term)
        snprintf(message, MESSAGE_MAX, "term %" PRIu64 " was claimed, it is %" PRIu64 " now",
                 claim->term, found->vote.term);
    else if (start->wrong_index)
        snprintf(message, MESSAGE_MAX, "entry %" PRIu64 " is not the one that was committed",
                 start->wrong_index);
    else if (covered && start->state) {
        char why[MESSAGE_MAX] = "";
        if (machine_reader_finish(start->state, covered, found->snapshot.term, why))
            snprintf(message, MESSAGE_MAX, "the snapshot: %.400s", why);
    }
}

/* `message` stays empty if all is there. */
static void start_once(struct run *run, struct memory_disk *left, const struct claim *claim,
                       bool is_truth, char *message)
{
    struct disk port;
    memory_disk_port(left, &port);
    struct storage_options options = {.folder = run->folder,
                                      .append_folder = "appendonlydir",
                                      .append_filename = "appendonly.aof",
                                      .identity = run->identity,
                                      .cache_bytes_max = 1 << 20,
                                      .log = &(struct log){LOG_WARNING, hear, NULL}};
    struct start start = {.run = run, .claimed = claim->index, .is_truth = is_truth};
    struct storage_visitor visitor = {.context = &start, .load = load, .visit = visit};
    struct storage *storage;
    struct storage_recovered found;
    message[0] = '\0';
    enum err err = storage_open(&port, &options, &visitor, &storage, &found, message);
    if (!err)
        judge(&start, &found, claim, message);
    else if (message[0] == '\0')
        snprintf(message, MESSAGE_MAX, "it does not open: %s", err_text(err));
    storage_close(storage);
    machine_reader_free(start.state);
    run->starts++;
}

static void report(struct run *run, size_t event, const struct loss *loss, const char *message)
{
    static const char *const kinds[] = {"nothing", "everything", "one block", "some blocks"};
    if (run->failures++ < 10)
        printf("FAILED after event %zu of %zu: %s of what was not synced is lost (block %zu of %zu "
               "bytes, %u %%, names %s, random %" PRIu64 "): %s\n",
               event, run->event_count, kinds[loss->kind], loss->block, loss->block_bytes,
               loss->percent, loss->names_are_lost ? "lost" : "kept", loss->random, message);
}

static void try_loss(struct run *run, const struct platter *platter, size_t event,
                     const struct claim *claim, const struct loss *loss)
{
    struct memory_disk left = {0};
    struct loss choice = *loss;
    platter_lose(platter, &choice, run->folder, &left);
    char message[MESSAGE_MAX];
    bool is_truth = loss->kind == LOSS_NOTHING && !loss->names_are_lost;
    start_once(run, &left, claim, is_truth, message);
    if (message[0] == '\0' && loss->kind != LOSS_NOTHING) {
        start_once(run, &left, claim, false, message); /* what the first start left, again */
    }
    if (message[0])
        report(run, event, loss, message);
    memory_disk_clear(&left);
}

/* ---- one moment ---- */

static struct claim claim_at(const struct run *run, size_t at)
{
    struct claim held = {0};
    for (size_t i = 0; i < run->claim_count && run->claims[i].at <= at; i++) {
        if (run->claims[i].index > held.index)
            held.index = run->claims[i].index;
        if (run->claims[i].term > held.term)
            held.term = run->claims[i].term;
    }
    return held;
}

static void try_blocks(struct run *run, const struct platter *platter, size_t event,
                       const struct claim *claim, size_t block_bytes)
{
    size_t count = platter_dirty_blocks(platter, block_bytes);
    size_t step = count / BLOCKS_MAX + 1;
    size_t first = step > 1 ? (size_t)(platter_random(&run->random) % step) : 0;
    for (size_t block = first; block < count; block += step)
        try_loss(run, platter, event, claim,
                 &(struct loss){.kind = LOSS_BLOCK, .block_bytes = block_bytes, .block = block});
}

static void try_moment(struct run *run, const struct platter *platter, size_t event)
{
    struct claim claim = claim_at(run, event ? run->events[event - 1].end : 0);
    run->moments++;
    bool names = platter_dirty_names(platter) > 0;
    try_loss(run, platter, event, &claim, &(struct loss){.kind = LOSS_NOTHING});
    if (names)
        try_loss(run, platter, event, &claim,
                 &(struct loss){.kind = LOSS_NOTHING, .names_are_lost = true});
    size_t dirty = platter_dirty_blocks(platter, 512);
    if (dirty) {
        try_loss(run, platter, event, &claim, &(struct loss){.kind = LOSS_ALL});
        if (names)
            try_loss(run, platter, event, &claim,
                     &(struct loss){.kind = LOSS_ALL, .names_are_lost = true});
        try_blocks(run, platter, event, &claim, 512);
        if (dirty > 2)
            try_blocks(run, platter, event, &claim, 4096);
    }
    static const unsigned percents[] = {20, 50, 80};
    for (unsigned i = 0; (dirty || names) && i < RANDOM_LOSSES; i++)
        try_loss(run, platter, event, &claim,
                 &(struct loss){.kind = LOSS_SOME,
                                .block_bytes = i % 2 ? 4096 : 512,
                                .percent = percents[i % 3],
                                .random = platter_random(&run->random)});
}

/* A write under way: some of its bytes, which go with the next event again. */
static void try_within(struct run *run, struct platter *platter, size_t event)
{
    const struct event *next = &run->events[event];
    if (next->head.kind != JOURNAL_WRITE || next->data.len < 2)
        return;
    size_t some = 1 + (size_t)(platter_random(&run->random) % (next->data.len - 1));
    platter_take(platter, &next->head, next->path, span_of(next->data.ptr, some));
    try_moment(run, platter, event);
}

/* Each pass takes its share of the steps, all passes together all of them. */
static void try_pass(struct run *run, unsigned pass, unsigned one_in)
{
    struct platter platter = {0};
    for (size_t i = 0; i <= run->event_count; i++) {
        bool wanted = pass < PASSES && run->is_near_step[i] && i % PASSES == pass;
        wanted = wanted || platter_random(&run->random) % one_in == 0;
        if (wanted && (pass < PASSES || seconds_now() < run->until))
            try_moment(run, &platter, i);
        if (i == run->event_count)
            break;
        if (wanted)
            try_within(run, &platter, i);
        platter_take(&platter, &run->events[i].head, run->events[i].path, run->events[i].data);
    }
    platter_close(&platter);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        give_up("usage", "power_loss JOURNAL CLAIMS FOLDER SECONDS [SEED]");
    struct run run = {.folder = argv[3], .random = argc > 5 ? strtoull(argv[5], NULL, 10) : 1};
    read_journal(&run, argv[1]);
    read_claims(&run, argv[2]);
    find_steps(&run);
    find_identity(&run);
    run.until = seconds_now() + strtod(argv[4], NULL);
    unsigned pass = 0;
    while (pass < PASSES || seconds_now() < run.until) {
        try_pass(&run, pass, 200);
        pass++;
        if (pass == PASSES)
            printf("all steps: %" PRIu64 " moments, %" PRIu64 " starts\n", run.moments, run.starts);
    }
    printf("%zu events, %zu claims, %" PRIu64 " moments, %" PRIu64 " starts, %" PRIu64 " failed\n",
           run.event_count, run.claim_count, run.moments, run.starts, run.failures);
    buf_close(&run.journal);
    mem_free(run.events);
    mem_free(run.is_near_step);
    mem_free(run.claims);
    mem_free(run.terms);
    return run.failures ? 1 : 0;
}
