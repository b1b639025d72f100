/* The life of a log and a power loss, as the input says: no entry and no vote that was durable is
 * lost, and the log opens and goes on. And a flipped bit in what was synced: the start refuses it,
 * names the place and touches nothing. The life, the journal of the disk and what a start may find
 * are those of the unit tests; here the input stands in the place of chance, so that the fuzzer
 * can steer towards what the code does seldom.
 *
 * Input: one byte for the settings, one for the share of the rest that is the script, places of
 * power losses (two bytes each), the place of the flipped bit (four bytes), the script, then what
 * each loss takes. */
int crash_tests_main(void);
#define main crash_tests_main
#include "unit/storage/test_crash.c"
#undef main

#include "fuzz/fuzz.h"

enum { LOSS_PLACES = 6, FLIP_BYTES = 4, FILES_ENOUGH = FILES_MAX * 3 / 4 };

static struct input script;
static struct input losses;
static const struct random *loss_random;

static bool decide(const struct random *random, uint64_t *value)
{
    struct input *from = NULL;
    if (random == &run->random)
        from = &script;
    else if (random == loss_random)
        from = &losses;
    if (!from || from->left == 0)
        return false;
    *value = input_two(from);
    return true;
}

/* The tables of the test are made for lives of a limited length. */
static bool has_room(void)
{
    const struct fake *fake = &run->node.fake;
    return fake->file_count + fake->queued_count < FILES_ENOUGH &&
           newest_state()->last + 100 < INDEX_MAX &&
           fake->handle_count + (int)fake->queued_count + 20 < HANDLES_MAX;
}

static void lose_steered(struct crash *crash, uint8_t flags)
{
    static struct loss loss;
    loss = (struct loss){.random = {flags}, .whole_file = -1};
    loss_random = &loss.random;
    loss.lost_percent = (unsigned)random_below(&loss.random, 101);
    loss.short_files = flags & 1;
    lose_power(crash, &loss);
    loss_random = NULL;
}

/* Before the operation is synced, and after. */
static void crash_at(const size_t *places, size_t count)
{
    static struct crash crash;
    crash = (struct crash){.durable = 0};
    for (size_t i = 0; i < run->journal.count; i++) {
        const struct journal_op *op = &run->journal.ops[i];
        if (op->states && op->states - 1 > crash.newest)
            crash.newest = op->states - 1;
        platter_begin(&crash.platter, op);
        for (size_t j = 0; j < count; j++)
            if (places[j] == 2 * i)
                lose_steered(&crash, (uint8_t)j);
        platter_end(&crash.platter, op);
        if (op->durable > crash.durable)
            crash.durable = op->durable;
        for (size_t j = 0; j < count; j++)
            if (places[j] == 2 * i + 1)
                lose_steered(&crash, (uint8_t)j);
    }
    platter_close(&crash.platter);
}

/* Lines of the manifest are segments, but for the snapshot's. */
static size_t named_segments(uint64_t *seqs, size_t max)
{
    struct span text = buf_span(node_file(&run->node, MANIFEST));
    size_t count = 0;
    while (text.len) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        char line[256] = {0};
        unsigned long long seq;
        char type;
        memcpy(line, text.ptr, (size_t)(newline - text.ptr));
        assert_int_equal(sscanf(line, "file %*s seq %llu type %c", &seq, &type), 2);
        if (type != 'b' && count < max)
            seqs[count++] = seq;
        text = span_of(newline + 1, text.len - (size_t)(newline - text.ptr) - 1);
    }
    return count;
}

/* All is written when this is called. */
static void flip(const uint8_t *place)
{
    uint64_t seqs[FILES_MAX];
    size_t count = named_segments(seqs, FILES_MAX);
    size_t chosen = place[0] % count;
    char path[256];
    snprintf(path, sizeof path, FOLDER "/appendonlydir/appendonly.aof.%llu.incr.aof",
             (unsigned long long)seqs[chosen]);
    struct span bytes = buf_span(node_file(&run->node, path));
    size_t end = chosen + 1 < count ? bytes.len : (size_t)newest_mark(bytes);
    if (end)
        check_refused(&run->node, path, (size_t)(place[1] << 8 | place[2]) % end, place[3] % 8);
}

/* The same memory for each life: most of it is states that were never reached. */
static void forget_life(void)
{
    static struct run life;
    size_t behind = offsetof(struct run, state_count);
    memset(life.states, 0, life.state_count * sizeof *life.states);
    memset((char *)&life, 0, offsetof(struct run, states));
    memset((char *)&life + behind, 0, sizeof life - behind);
    run = &life;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2 + 2 * LOSS_PLACES + FLIP_BYTES)
        return 0;
    struct input input = {bytes, len};
    uint64_t settings = input_byte(&input);
    size_t share = input_byte(&input);
    size_t places[LOSS_PLACES];
    for (size_t i = 0; i < LOSS_PLACES; i++)
        places[i] = input_two(&input);
    const uint8_t *flipped = input_part(&input, FLIP_BYTES).bytes;
    script = input_part(&input, input.left * share / UINT8_MAX);
    losses = input;
    random_decide = decide;
    forget_life();
    begin_life(settings);
    for (unsigned i = 0; i < STEPS && script.left && has_room(); i++)
        any_step();
    script.left = 0;
    end_life();
    for (size_t i = 0; i < LOSS_PLACES; i++)
        places[i] %= 2 * run->journal.count;
    crash_at(places, LOSS_PLACES);
    flip(flipped);
    node_close(&run->node);
    journal_close(&run->journal);
    buf_close(&run->install);
    return 0;
}

/* Lives by chance, of different lengths. */
static void seeds(void)
{
    struct random random = {1};
    for (size_t len = 64; len <= 1024; len += 64) {
        uint8_t bytes[1024];
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)random_next(&random);
        bytes[1] = 180;
        seed_put(span_of((const char *)bytes, len));
    }
}
