#include <stdlib.h>

#include "unit/storage/journal.h"

/* A random life of a log, and a power loss after each of its steps. CRASH_SEEDS: how many lives. */
enum {
    SEEDS = 300,
    STEPS = 120,
    STATES_MAX = 2048,
    INDEX_MAX = 1024,
    UIDS_MAX = 4096,
    LOSSES = 3, /* random ones at each step */
};

/* What the log is to hold after each thing it was told. */
struct state {
    uint32_t uids[INDEX_MAX]; /* of the entries first to last */
    uint64_t first;
    uint64_t last;
    uint64_t prev_term;
    struct storage_snapshot snapshot;
    uint32_t snapshot_uid;
    size_t vote;    /* place in the list of votes */
    uint64_t floor; /* it was cut to this entry; UINT64_MAX: not */
};

struct tag {
    size_t states;
    size_t durable;
};

struct run {
    struct node node;
    struct journal journal;
    struct random random;
    struct state states[STATES_MAX];
    size_t state_count;
    size_t handed;  /* the newest state whose bytes the disk has been given */
    size_t to_hand; /* the same if the call under way gives it all that is gathered */
    struct tag tags[QUEUE_MAX];
    struct vote_record votes[STATES_MAX];
    size_t vote_count;
    uint64_t terms[UIDS_MAX]; /* of each entry by its number */
    uint32_t uid_count;
    uint64_t now_ms;
    uint64_t image_index; /* 0: none under way */
    uint32_t image_uid;
    struct buf install; /* what is still to be written */
    uint32_t install_uid;
    bool installing;
    bool replacing;    /* the log, by what is installed */
    struct state seen; /* what a start found */
};

static struct run *run; /* the port's calls have no other way to it */

static struct state *newest_state(void)
{
    return &run->states[run->state_count - 1];
}

static struct state *push_state(void)
{
    assert_true(run->state_count < STATES_MAX);
    struct state *state = &run->states[run->state_count++];
    if (run->state_count > 1)
        *state = state[-1];
    state->floor = UINT64_MAX;
    return state;
}

static void snapshot_bytes(struct buf *out, uint32_t uid)
{
    struct random random = {uid};
    buf_printf(out, "snapshot %u ", uid);
    size_t len = (size_t)random_below(&random, 4000);
    char *at = buf_reserve(out, len);
    for (size_t i = 0; i < len; i++)
        at[i] = (char)random_next(&random);
    out->len += len;
}

/* ---- recording ---- */

static struct journal_op *record(enum journal_kind kind, const char *path)
{
    struct journal_op *op = journal_add(&run->journal, kind);
    op->path = path ? copy_text(path) : NULL;
    op->states = run->state_count;
    return op;
}

static size_t number_of(const char *path)
{
    return (size_t)(fake_find(&run->node.fake, path) - run->node.fake.files);
}

static void record_replace(const char *path, struct span bytes)
{
    struct journal_op *op = record(JOURNAL_REPLACE, path);
    op->file = run->node.fake.file_count; /* the next one: a replaced file is a new file */
    buf_add_span(&op->bytes, bytes);
}

static enum err record_open(void *context, const char *path, bool create, int *file)
{
    if (create && !fake_find(context, path))
        record(JOURNAL_CREATE, path)->file = run->node.fake.file_count;
    return fake_open(context, path, create, file);
}

static enum err record_truncate(void *context, int file, uint64_t size)
{
    struct journal_op *op = record(JOURNAL_TRUNCATE, NULL);
    op->file = (size_t)run->node.fake.handles[file];
    op->size = size;
    return fake_truncate(context, file, size);
}

static enum err record_replace_file(void *context, const char *path, struct span bytes)
{
    record_replace(path, bytes);
    return fake_replace_file(context, path, bytes);
}

static enum err record_remove(void *context, const char *path)
{
    if (fake_find(context, path))
        record(JOURNAL_REMOVE, path);
    return fake_remove(context, path);
}

static enum err record_sync_folder(void *context, const char *path)
{
    record(JOURNAL_FOLDER, NULL);
    return fake_sync_folder(context, path);
}

/* An image that is written whole and synced. */
static void record_image(const char *path, struct span bytes)
{
    struct journal_op *op = record(JOURNAL_CREATE, path);
    op->file = run->node.fake.file_count;
    fake_put_image(&run->node.fake, path, bytes);
    op = record(JOURNAL_WRITE, NULL);
    op->file = number_of(path);
    op->sync = true;
    buf_add_span(&op->bytes, bytes);
}

static bool is_segment(int file)
{
    return strstr(run->node.fake.files[run->node.fake.handles[file]].path, ".incr.aof") != NULL;
}

/* The first lines of a log behind an installed snapshot: they sync nothing of the old log. */
static bool is_replacement(const struct disk_op *op)
{
    return run->replacing && run->node.fake.files[run->node.fake.handles[op->file]].bytes.len == 0;
}

static void record_queue(void *context, const struct disk_op *op)
{
    if (run->to_hand > run->handed)
        run->handed = run->to_hand;
    struct tag tag = {.states = run->state_count};
    /* What was told before is durable with it: earlier segments were synced before this one was
     * begun, and all else is synced when it is done. */
    bool sync = op->kind == DISK_WRITE && op->sync && is_segment(op->file);
    if (op->kind == DISK_TRUNCATE || (sync && !is_replacement(op)))
        tag.durable = run->handed;
    run->tags[run->node.fake.queued_count] = tag;
    fake_queue(context, op);
}

static void record_queued(struct disk_op *op)
{
    if (op->optional) { /* there may be no room for it, or for all of it */
        if (op->offset > run->node.fake.files[run->node.fake.handles[op->file]].bytes.len)
            op->bytes.len = 0;
        else if (random_chance(&run->random, 10))
            op->bytes.len = (size_t)random_below(&run->random, op->bytes.len + 1);
    }
    size_t file = op->file == DISK_NO_FILE ? 0 : (size_t)run->node.fake.handles[op->file];
    struct journal_op *done = NULL;
    switch (op->kind) {
    case DISK_WRITE:
        done = record(JOURNAL_WRITE, NULL);
        done->file = file;
        done->offset = op->offset;
        done->sync = op->sync;
        buf_add_span(&done->bytes, buf_span(&op->bytes));
        break;
    case DISK_TRUNCATE:
        done = record(JOURNAL_TRUNCATE, NULL);
        done->file = file;
        done->size = op->size;
        break;
    case DISK_REPLACE:
        record_replace(op->path, buf_span(&op->bytes));
        break;
    case DISK_RENAME:
        done = record(JOURNAL_RENAME, op->path);
        done->to = copy_text(op->to);
        break;
    case DISK_REMOVE:
        record(JOURNAL_REMOVE, op->path);
        break;
    case DISK_SYNC_FOLDER:
        record(JOURNAL_FOLDER, NULL);
        break;
    case DISK_MEASURE:
        break;
    }
    done = &run->journal.ops[run->journal.count - 1];
    done->states = run->tags[0].states;
    done->durable = run->tags[0].durable;
}

static void run_queued(size_t count)
{
    for (; count; count--) {
        record_queued(&run->node.fake.queued[0]);
        memmove(run->tags, run->tags + 1, sizeof run->tags - sizeof *run->tags);
        node_run(&run->node, 1);
    }
}

/* ---- a start ---- */

/* The newest vote of that term and node. */
static size_t place_of_vote(const struct vote_record *vote)
{
    for (size_t i = run->vote_count; i-- > 0;)
        if (run->votes[i].term == vote->term && run->votes[i].node == vote->node)
            return i;
    fail_msg("a vote for %llu in term %llu was never given", (unsigned long long)vote->node,
             (unsigned long long)vote->term);
    return 0;
}

static void note_entry(void *context, const struct entry *entry)
{
    (void)context;
    assert_true(entry->index < INDEX_MAX);
    assert_in_range(entry->seed, 1, run->uid_count);
    assert_int_equal(entry->term, run->terms[entry->seed]);
    if (run->seen.last)
        assert_int_equal(entry->index, run->seen.last + 1);
    run->seen.uids[entry->index] = (uint32_t)entry->seed;
    run->seen.last = entry->index;
}

static uint32_t uid_of_snapshot(struct span bytes)
{
    unsigned uid = 0;
    assert_true(bytes.len < 8000);
    char text[32] = {0};
    memcpy(text, bytes.ptr, bytes.len < 31 ? bytes.len : 31);
    assert_int_equal(sscanf(text, "snapshot %u ", &uid), 1);
    struct buf expected = {0};
    snapshot_bytes(&expected, uid);
    assert_true(span_equal(bytes, buf_span(&expected)));
    buf_close(&expected);
    return uid;
}

/* Opens the log; run->seen is what was found. */
static void open_log(struct node *node)
{
    const struct log log = {LOG_WARNING, node_log, node};
    const struct storage_visitor visitor = {node, node_load, note_entry, NULL};
    node->options.log = &log;
    node->seen.len = node->loaded.len = node->loads_ended = 0;
    struct state *seen = &run->seen;
    seen->last = seen->snapshot_uid = 0;
    enum err err = storage_open(&node->port, &node->options, &visitor, &node->storage,
                                &node->recovered, node->message);
    node->options.log = NULL;
    if (err)
        fail_msg("%s", node->message);
    const struct storage_recovered *found = &node->recovered;
    if (seen->last)
        assert_int_equal(seen->last, found->last_index);
    seen->first = found->first_index;
    seen->last = found->last_index;
    seen->prev_term = found->prev_term;
    seen->snapshot = found->snapshot;
    seen->vote = place_of_vote(&found->vote);
    seen->floor = UINT64_MAX;
    assert_int_equal(node->loads_ended, seen->snapshot.index ? 1 : 0);
    assert_int_equal(node->loaded.len, seen->snapshot.bytes);
    if (seen->snapshot.index)
        seen->snapshot_uid = uid_of_snapshot(buf_span(&node->loaded));
}

/* What is open and queued is gone, what was written is not. */
static void restart(void)
{
    if (run->node.storage)
        node_crash(&run->node);
    run->to_hand = run->handed;
    open_log(&run->node);
    struct state *state = push_state();
    *state = run->seen;
    state->floor = state->last;
    run->handed = run->to_hand = run->state_count - 1;
    struct journal_op *last = &run->journal.ops[run->journal.count - 1];
    assert_int_equal(last->kind, JOURNAL_FOLDER);
    last->states = run->state_count;
    last->durable = run->state_count - 1;
    run->image_index = 0;
    run->installing = false;
    buf_close(&run->install);
}

/* ---- the life of a log ---- */

/* All that is gathered may go to the disk with what comes now. */
static void about_to_flush(void)
{
    run->to_hand = run->state_count - 1;
}

static void step_vote(uint64_t term, uint64_t voted_for)
{
    about_to_flush();
    run->votes[run->vote_count] = (struct vote_record){.term = term, .node = voted_for};
    push_state()->vote = run->vote_count++;
    node_vote(&run->node, term, voted_for);
}

static size_t any_size(void)
{
    static const size_t sizes[] = {10, 10, 100, 100, 300, 1000, 3000, 9000};
    size_t limit = sizes[random_below(&run->random, sizeof sizes / sizeof *sizes)];
    return 1 + (size_t)random_below(&run->random, limit);
}

static void step_append(void)
{
    struct vote_record vote = run->votes[newest_state()->vote];
    if (vote.term == 0 || random_chance(&run->random, 10))
        step_vote(vote.term + 1, 0);
    struct buf value = {0};
    size_t len = any_size();
    memset(buf_reserve(&value, len), 'v', len);
    value.len = len;
    const struct span args[] = {SPAN("SET"), SPAN("k"), buf_span(&value)};
    about_to_flush();
    struct state *state = push_state();
    uint32_t uid = ++run->uid_count;
    assert_true(uid < UIDS_MAX && state->last + 1 < INDEX_MAX);
    run->terms[uid] = run->votes[state->vote].term;
    state->uids[++state->last] = uid;
    struct entry entry = {.index = state->last,
                          .term = run->terms[uid],
                          .kind = ENTRY_COMMAND,
                          .time_ms = 1,
                          .seed = uid};
    struct buf bytes = {0};
    entry_encode_command(&bytes, &entry, args, 3);
    entry.record = buf_span(&bytes);
    storage_append(run->node.storage, &entry, 1);
    buf_close(&bytes);
    buf_close(&value);
}

static void step_flush(void)
{
    about_to_flush();
    storage_flush(run->node.storage);
}

static void step_tick(void)
{
    run->to_hand = run->handed; /* a tick hands over nothing that was gathered */
    run->now_ms += random_below(&run->random, 700);
    storage_tick(run->node.storage, run->now_ms);
}

static void step_truncate(void)
{
    const struct state *before = newest_state();
    if (before->last == before->snapshot.index)
        return;
    uint64_t count = before->last - before->snapshot.index;
    uint64_t last = before->last - 1 - random_below(&run->random, count);
    about_to_flush();
    struct state *state = push_state();
    state->last = state->floor = last;
    assert_int_equal(storage_truncate(run->node.storage, last), ERR_NONE);
    if (run->image_index > last) { /* of entries that are gone */
        storage_image_drop(run->node.storage);
        run->image_index = 0;
    }
}

static uint64_t term_at(const struct state *state, uint64_t index)
{
    if (index == state->snapshot.index)
        return state->snapshot.term;
    return run->terms[state->uids[index]];
}

static void step_image(void)
{
    const struct state *state = newest_state();
    if (run->image_index || state->last == 0)
        return;
    about_to_flush();
    assert_int_equal(storage_cut(run->node.storage), ERR_NONE);
    run->image_index = state->last;
    run->image_uid = ++run->uid_count;
    run->to_hand = run->handed;
    struct buf bytes = {0};
    snapshot_bytes(&bytes, run->image_uid);
    record_image(storage_image_begin(run->node.storage), buf_span(&bytes));
    buf_close(&bytes);
}

static void step_adopt(void)
{
    if (!run->image_index)
        return;
    uint64_t index = run->image_index;
    run->image_index = 0;
    run->to_hand = run->handed;
    if (random_chance(&run->random, 10) || index < newest_state()->snapshot.index) {
        storage_image_drop(run->node.storage);
        return;
    }
    static const uint64_t keeps[] = {0, 1, 2000, 8000, 1 << 20};
    struct state *state = push_state();
    uint64_t term = term_at(state, index);
    struct buf bytes = {0};
    snapshot_bytes(&bytes, run->image_uid);
    state->snapshot = (struct storage_snapshot){.index = index, .term = term, .bytes = bytes.len};
    state->snapshot_uid = run->image_uid;
    buf_close(&bytes);
    uint64_t keep = keeps[random_below(&run->random, sizeof keeps / sizeof *keeps)];
    assert_int_equal(storage_image_adopt(run->node.storage, index, term, keep), ERR_NONE);
    uint64_t first = storage_status(run->node.storage).first_index;
    if (first > state->first)
        state->prev_term = term_at(state, first - 1);
    state->first = first;
}

static void step_install(void)
{
    struct storage *storage = run->node.storage;
    run->to_hand = run->handed;
    if (!run->installing || random_chance(&run->random, 5)) {
        assert_int_equal(storage_install_begin(storage), ERR_NONE);
        run->installing = true;
        run->install.len = 0;
        run->install_uid = ++run->uid_count;
        snapshot_bytes(&run->install, run->install_uid);
        return;
    }
    if (random_chance(&run->random, 5)) {
        storage_install_drop(storage);
        run->installing = false;
        return;
    }
    size_t len = run->install.len < 1500 ? run->install.len : 1500;
    storage_install_write(storage, span_of(run->install.ptr, len));
    run->install.len -= len;
    memmove(run->install.ptr, run->install.ptr + len, run->install.len);
}

static void step_finish(void)
{
    if (!run->installing || run->install.len)
        return;
    run->installing = false;
    run->image_index = 0;
    uint64_t term = run->votes[newest_state()->vote].term;
    about_to_flush();
    struct state *state = push_state();
    uint64_t index = state->snapshot.index + 1 + random_below(&run->random, 30);
    struct buf bytes = {0};
    snapshot_bytes(&bytes, run->install_uid);
    state->snapshot = (struct storage_snapshot){.index = index, .term = term, .bytes = bytes.len};
    state->snapshot_uid = run->install_uid;
    buf_close(&bytes);
    state->prev_term = term;
    state->last = state->floor = index;
    state->first = index + 1;
    run->replacing = true;
    assert_int_equal(storage_install_finish(run->node.storage, index, term), ERR_NONE);
    run->replacing = false;
}

/* What the log says that it holds now. */
static void step_read(void)
{
    const struct state *state = newest_state();
    storage_pin(run->node.storage, random_below(&run->random, state->last + 1));
    for (uint64_t index = state->first; index <= state->last; index++) {
        struct entry entry;
        assert_int_equal(storage_entry(run->node.storage, index, &entry), ERR_NONE);
        assert_int_equal(entry.seed, state->uids[index]);
    }
}

static void step_sync(void)
{
    static const enum storage_sync modes[] = {STORAGE_SYNC_ALWAYS, STORAGE_SYNC_EVERYSEC,
                                              STORAGE_SYNC_NO};
    run->to_hand = run->handed; /* it may sync, but hands over nothing that was gathered */
    storage_set_sync(run->node.storage, modes[random_below(&run->random, 3)]);
}

static void step_run(void)
{
    run_queued((size_t)random_below(&run->random, run->node.fake.queued_count + 1));
}

static void step_another_vote(void)
{
    struct vote_record vote = run->votes[newest_state()->vote];
    if (vote.node == 0 && vote.term)
        step_vote(vote.term, 1 + random_below(&run->random, 3));
    else
        step_vote(vote.term + 1, random_below(&run->random, 2) * 2);
}

static void any_step(void)
{
    static const struct {
        unsigned percent;
        void (*step)(void);
    } steps[] = {
        {30, step_append}, {5, step_another_vote}, {15, step_flush}, {12, step_run},
        {8, step_tick},    {6, step_truncate},     {5, step_image},  {5, step_adopt},
        {6, step_install}, {2, step_finish},       {3, restart},     {2, step_read},
        {1, step_sync},
    };
    unsigned chosen = (unsigned)random_below(&run->random, 100);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (chosen < steps[i].percent) {
            steps[i].step();
            return;
        }
        chosen -= steps[i].percent;
    }
}

static void begin_life(uint64_t seed)
{
    static const uint64_t segment_sizes[] = {0, 1500, 4000, 12000};
    static const uint64_t cache_sizes[] = {1, 1 << 20};
    static const uint64_t fill_sizes[] = {0, 700, 8192};
    run->random.state = seed;
    struct node *node = &run->node;
    node_init(node);
    node->port.open = record_open;
    node->port.truncate = record_truncate;
    node->port.replace_file = record_replace_file;
    node->port.remove = record_remove;
    node->port.sync_folder = record_sync_folder;
    node->port.queue = record_queue;
    node->options.sync = seed % 2 ? STORAGE_SYNC_ALWAYS : STORAGE_SYNC_EVERYSEC;
    node->options.segment_bytes_max = segment_sizes[random_below(&run->random, 4)];
    node->options.cache_bytes_max = cache_sizes[random_below(&run->random, 2)];
    node->options.fill_bytes = fill_sizes[seed / 15 % 3]; /* kept inputs of the fuzzer have none */
    push_state()->first = 1;
    run->vote_count = 1; /* none, in term 0 */
    restart();
}

static void end_life(void)
{
    step_flush();
    run_queued(run->node.fake.queued_count);
}

static void live(uint64_t seed)
{
    begin_life(seed);
    for (unsigned i = 0; i < STEPS; i++)
        any_step();
    end_life();
}

/* ---- what a start after a power loss may find ---- */

static bool is_beginning_of(const struct state *seen, const struct state *state)
{
    if (memcmp(&seen->snapshot, &state->snapshot, sizeof seen->snapshot) != 0 ||
        seen->snapshot_uid != state->snapshot_uid || seen->first != state->first ||
        seen->prev_term != state->prev_term || seen->last > state->last)
        return false;
    if (seen->last < seen->first)
        return true;
    size_t count = (size_t)(seen->last - seen->first) + 1;
    return memcmp(seen->uids + seen->first, state->uids + seen->first,
                  count * sizeof *seen->uids) == 0;
}

/* Down to where a cut was told since, all entries that were durable are there. */
static uint64_t least_last(size_t durable, size_t newest)
{
    uint64_t least = run->states[durable].last;
    for (size_t i = durable + 1; i <= newest; i++)
        if (run->states[i].floor < least)
            least = run->states[i].floor;
    return least;
}

static void check_found(size_t durable, size_t newest)
{
    const struct state *seen = &run->seen;
    size_t newest_vote = 0; /* what a killed process lost is not among the newest state's */
    for (size_t i = durable; i <= newest; i++)
        if (run->states[i].vote > newest_vote)
            newest_vote = run->states[i].vote;
    assert_in_range(seen->vote, run->states[durable].vote, newest_vote);
    uint64_t least = least_last(durable, newest);
    if (seen->last < least)
        fail_msg("the log ends at %llu, not at %llu", (unsigned long long)seen->last,
                 (unsigned long long)least);
    for (size_t i = durable; i <= newest; i++)
        if (is_beginning_of(seen, &run->states[i]))
            return;
    fail_msg("a log of %llu to %llu behind snapshot %llu is none of states %zu to %zu",
             (unsigned long long)seen->first, (unsigned long long)seen->last,
             (unsigned long long)seen->snapshot.index, durable, newest);
}

/* One more entry of the next term, and all is there at the next start. */
static void check_goes_on(struct node *node)
{
    struct state before = run->seen;
    node_vote(node, node->recovered.vote.term + 1, 3);
    node_append(node, before.last + 1, node->recovered.vote.term + 1);
    node_flush(node);
    node_restart(node);
    assert_vote(node, run->votes[before.vote].term + 1, 3);
    assert_int_equal(node->recovered.first_index, before.first);
    assert_int_equal(node->recovered.last_index, before.last + 1);
    assert_int_equal(node->recovered.last_term, run->votes[before.vote].term + 1);
    assert_int_equal(node->recovered.cut_bytes, 0);
}

struct crash {
    struct platter platter;
    size_t durable; /* state */
    size_t newest;
    uint64_t losses;
};

static void lose_power(struct crash *crash, struct loss *loss)
{
    static struct node node;
    platter_lose(&crash->platter, loss, &node);
    node.options.sync = run->node.options.sync;
    node.options.segment_bytes_max = run->node.options.segment_bytes_max;
    open_log(&node);
    check_found(crash->durable, crash->newest);
    if (crash->losses++ % 8 == 0)
        check_goes_on(&node);
    node_close(&node);
}

static void lose_at_random(struct crash *crash)
{
    for (unsigned i = 0; i < LOSSES; i++) {
        struct loss loss = {.random = {random_next(&run->random)}, .whole_file = -1};
        loss.lost_percent = (unsigned)random_below(&run->random, 101);
        loss.short_files = random_chance(&run->random, 50);
        lose_power(crash, &loss);
    }
}

/* The append under way ends at each border of a sector. */
static void lose_each_sector(struct crash *crash, const struct journal_op *op)
{
    const struct platter_file *file = &crash->platter.files[op->file];
    size_t before = (size_t)op->offset;
    for (size_t size = before / SECTOR * SECTOR; size < file->bytes.len; size += SECTOR) {
        struct loss loss = {.random = {size}, .whole_file = (int)op->file};
        loss.whole_size = size < file->synced.len ? file->synced.len : size;
        lose_power(crash, &loss);
    }
}

static void crash_everywhere(void)
{
    static struct crash crash;
    crash = (struct crash){.durable = 0};
    for (size_t i = 0; i < run->journal.count; i++) {
        const struct journal_op *op = &run->journal.ops[i];
        if (op->states && op->states - 1 > crash.newest)
            crash.newest = op->states - 1;
        platter_begin(&crash.platter, op);
        if (op->kind == JOURNAL_WRITE)
            lose_each_sector(&crash, op);
        lose_at_random(&crash);
        platter_end(&crash.platter, op);
        if (op->durable > crash.durable)
            crash.durable = op->durable;
        lose_at_random(&crash);
    }
    platter_close(&crash.platter);
}

static uint64_t seed_of_run;

static int name_the_life_that_failed(void **state)
{
    (void)state;
    if (run)
        print_message("replay: CRASH_FIRST=%llu CRASH_SEEDS=1\n", (unsigned long long)seed_of_run);
    return 0;
}

static void test_a_power_loss_at_any_step_loses_nothing_that_was_durable(void **state)
{
    (void)state;
    const char *seeds = getenv("CRASH_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : SEEDS;
    const char *first = getenv("CRASH_FIRST");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    for (; count; count--, seed++) {
        seed_of_run = seed;
        run = mem_zalloc(sizeof *run);
        live(seed);
        crash_everywhere();
        node_close(&run->node);
        journal_close(&run->journal);
        buf_close(&run->install);
        mem_free(run);
        run = NULL;
    }
}

/* ---- damage ---- */

/* A snapshot, history, whole segments and an open one with a mark in it. */
static void write_folder(struct node *node)
{
    node_init(node);
    node_start(node);
    for (uint64_t index = 1; index <= 40; index++) {
        if (index % 10 == 1) {
            assert_int_equal(storage_cut(node->storage), ERR_NONE);
            node_vote(node, index / 10 + 1, 2);
        }
        node_append_sized(node, index, index / 10 + 1, index * 3);
        node_flush(node);
        if (index != 20)
            continue;
        assert_int_equal(storage_cut(node->storage), ERR_NONE);
        fake_put_image(&node->fake, storage_image_begin(node->storage),
                       SPAN("the state machine as it was"));
        assert_int_equal(storage_image_adopt(node->storage, 20, 3, 1), ERR_NONE);
    }
    node_run_all(node);
    node_crash(node);
}

/* Up to where the newest mark in it says that it was synced. */
static uint64_t newest_mark(struct span bytes)
{
    uint64_t marked = 0;
    while (bytes.len) {
        struct record found;
        if (bytes.len > 1 && bytes.ptr[0] == '#' && (bytes.ptr[1] == '#' || bytes.ptr[1] == '\n'))
            break; /* filler */
        assert_int_equal(record_parse(bytes, &found), RECORD_OK);
        if (found.kind == RECORD_SYNC)
            marked = found.sync.synced;
        bytes = span_of(bytes.ptr + found.bytes, bytes.len - found.bytes);
    }
    return marked;
}

static void check_refused(const struct node *node, const char *path, size_t offset, int bit)
{
    static struct node damaged;
    static struct node before;
    node_copy(&damaged, node);
    char *byte = node_file(&damaged, path)->ptr + offset;
    *byte = (char)(*byte ^ (1 << bit));
    node_copy(&before, &damaged);
    assert_refused(&damaged, ERR_CORRUPT, strrchr(path, '/'));
    const char *said = strstr(damaged.message, " at offset ");
    unsigned long long at;
    assert_non_null(said);
    assert_int_equal(sscanf(said, " at offset %llu: ", &at), 1);
    assert_true(at <= offset);
    assert_int_equal(damaged.fake.changes, 0);
    assert_true(node_same_files(&damaged, &before));
    node_close(&before);
    node_close(&damaged);
}

static void test_any_flipped_bit_of_what_was_synced_is_refused_and_nothing_is_touched(void **state)
{
    (void)state;
    static struct node node;
    write_folder(&node);
    struct random random = {1};
    unsigned segments = 0;
    char manifest[1024] = {0};
    memcpy(manifest, node_file(&node, MANIFEST)->ptr, node_file(&node, MANIFEST)->len);
    for (const char *line = manifest; *line;) {
        unsigned long long seq;
        char type;
        assert_int_equal(sscanf(line, "file %*s seq %llu type %c", &seq, &type), 2);
        line = strchr(line, '\n') + 1;
        if (type == 'b')
            continue;
        char path[256];
        snprintf(path, sizeof path, FOLDER "/appendonlydir/appendonly.aof.%llu.incr.aof", seq);
        struct span bytes = buf_span(node_file(&node, path));
        size_t end = *line ? bytes.len : (size_t)newest_mark(bytes);
        assert_true(end > 1000);
        for (size_t offset = 0; offset < end; offset++)
            check_refused(&node, path, offset, (int)random_below(&random, 8));
        segments++;
    }
    assert_int_equal(segments, 3);
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_flipped_bit_of_what_was_synced_is_refused_and_nothing_is_touched),
        cmocka_unit_test_teardown(test_a_power_loss_at_any_step_loses_nothing_that_was_durable,
                                  name_the_life_that_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
