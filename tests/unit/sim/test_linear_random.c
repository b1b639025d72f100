/* The checker of histories against random ones: of a store that really was linearizable, the same
 * with a lie in it, and small ones whose verdict is found by trying all orders. */
#include <stdlib.h>

#include "unit/sim/history.h"

/* ---- random histories of a store that is linearizable ---- */

enum { CLIENTS_MAX = 32, KEYS = 8, VALUE_BYTES = 1 << 16 };

struct plan {
    uint64_t seed;
    uint32_t operations;
    uint32_t clients;
    uint32_t keys;
    uint32_t unknown_percent;
    const enum linear_kind *kinds;
    uint32_t kinds_count;
};

enum phase { IDLE, CALLED, EFFECTIVE };

struct actor {
    enum phase phase;
    bool lost; /* nobody learns the outcome */
    uint64_t next_us;
    uint32_t operation;
    struct linear_request request;
    char value[16];
    char expected[16];
    struct linear_result result;
    char *text; /* what GET found */
};

struct cell {
    bool present;
    size_t len;
    char text[VALUE_BYTES];
};

struct world {
    const struct plan *plan;
    struct prng prng;
    struct cell *cells;
    /* Clients, and after them lost operations that will take effect late. */
    struct actor actors[2 * CLIENTS_MAX];
    uint32_t written;
};

static const enum linear_kind all_kinds[] = {LINEAR_GET,    LINEAR_GET, LINEAR_SET, LINEAR_INCR,
                                             LINEAR_APPEND, LINEAR_DEL, LINEAR_CAS};
static const enum linear_kind register_kinds[] = {LINEAR_GET,  LINEAR_GET, LINEAR_SET,
                                                  LINEAR_INCR, LINEAR_DEL, LINEAR_CAS};
static const enum linear_kind counter_kinds[] = {LINEAR_GET, LINEAR_INCR};
static const enum linear_kind list_kinds[] = {LINEAR_GET, LINEAR_APPEND, LINEAR_APPEND,
                                              LINEAR_APPEND};

static bool cell_number(const struct cell *cell, int64_t *number)
{
    *number = 0;
    return !cell->present || number_parse_i64(span_of(cell->text, cell->len), number);
}

static void cell_write(struct cell *cell, size_t at, struct span text)
{
    assert_true(at + text.len <= sizeof cell->text);
    memcpy(cell->text + at, text.ptr, text.len);
    cell->len = at + text.len;
    cell->present = true;
}

static void read_cell(struct actor *actor, const struct cell *cell)
{
    if (!cell->present) {
        actor->result = (struct linear_result){.reply = LINEAR_NIL};
        return;
    }
    actor->text = mem_alloc(cell->len + 1);
    memcpy(actor->text, cell->text, cell->len);
    actor->result =
        (struct linear_result){.reply = LINEAR_TEXT, .text = span_of(actor->text, cell->len)};
}

static void increment_cell(struct actor *actor, struct cell *cell)
{
    int64_t number;
    if (!cell_number(cell, &number)) {
        actor->result = (struct linear_result){.reply = LINEAR_REFUSED};
        return;
    }
    char digits[NUMBER_I64_CHARS];
    cell_write(cell, 0, span_of(digits, number_format_i64(digits, number + 1)));
    actor->result = (struct linear_result){.reply = LINEAR_NUMBER, .number = number + 1};
}

static void compare_and_set_cell(struct actor *actor, struct cell *cell)
{
    const struct linear_request *request = &actor->request;
    bool same = request->expected.ptr
                    ? cell->present && span_equal(span_of(cell->text, cell->len), request->expected)
                    : !cell->present;
    actor->result = (struct linear_result){.reply = same ? LINEAR_DONE : LINEAR_ABORTED};
    if (same)
        cell_write(cell, 0, request->value);
}

static void take_effect(struct world *world, struct actor *actor)
{
    struct cell *cell = &world->cells[actor->request.key];
    switch (actor->request.kind) {
    case LINEAR_GET:
        read_cell(actor, cell);
        return;
    case LINEAR_SET:
        cell_write(cell, 0, actor->request.value);
        actor->result = (struct linear_result){.reply = LINEAR_DONE};
        return;
    case LINEAR_INCR:
        increment_cell(actor, cell);
        return;
    case LINEAR_APPEND:
        cell_write(cell, cell->present ? cell->len : 0, actor->request.value);
        actor->result =
            (struct linear_result){.reply = LINEAR_NUMBER, .number = (int64_t)cell->len};
        return;
    case LINEAR_DEL:
        actor->result = (struct linear_result){.reply = LINEAR_NUMBER, .number = cell->present};
        cell->present = false;
        cell->len = 0;
        return;
    case LINEAR_CAS:
        compare_and_set_cell(actor, cell);
        return;
    }
}

/* Values are small numbers, so that different operations write equal ones, or unique tokens. */
static void choose_value(struct world *world, struct actor *actor)
{
    enum linear_kind kind = actor->request.kind;
    if (kind == LINEAR_APPEND || prng_below(&world->prng, 2) == 0)
        snprintf(actor->value, sizeof actor->value, ",%u", ++world->written);
    else
        snprintf(actor->value, sizeof actor->value, "%u", (unsigned)prng_below(&world->prng, 5));
    actor->request.value = span_text(actor->value);
    const struct cell *cell = &world->cells[actor->request.key];
    if (kind != LINEAR_CAS || !cell->present || cell->len >= sizeof actor->expected)
        return;
    memcpy(actor->expected, cell->text, cell->len);
    actor->request.expected = span_of(actor->expected, cell->len);
}

static void start(struct world *world, struct actor *actor, uint32_t client)
{
    const struct plan *plan = world->plan;
    actor->request =
        (struct linear_request){.client = client,
                                .key = (uint32_t)prng_below(&world->prng, plan->keys),
                                .kind = plan->kinds[prng_below(&world->prng, plan->kinds_count)]};
    choose_value(world, actor);
    actor->operation = linear_call(history, &actor->request, actor->next_us);
    actor->phase = CALLED;
    actor->lost = prng_below(&world->prng, 100) < plan->unknown_percent;
    actor->next_us += prng_below(&world->prng, 1000);
}

/* The client goes on; the operation takes effect much later, or never. */
static void lose(struct world *world, struct actor *actor)
{
    linear_unknown(history, actor->operation);
    struct actor *late = actor + CLIENTS_MAX;
    if (late->phase == IDLE && prng_below(&world->prng, 2) == 0) {
        *late = *actor;
        if (late->request.expected.ptr)
            late->request.expected.ptr = late->expected;
        late->request.value.ptr = late->value;
        late->next_us += prng_below(&world->prng, 50000);
    }
    actor->phase = IDLE;
}

static void step(struct world *world, struct actor *actor, uint32_t client)
{
    switch (actor->phase) {
    case IDLE:
        start(world, actor, client);
        return;
    case CALLED:
        if (actor->lost && client < CLIENTS_MAX) {
            lose(world, actor);
            return;
        }
        take_effect(world, actor);
        actor->phase = EFFECTIVE;
        actor->next_us += prng_below(&world->prng, 1000);
        return;
    case EFFECTIVE:
        if (!actor->lost)
            linear_return(history, actor->operation, actor->result, actor->next_us);
        mem_free(actor->text);
        actor->text = NULL;
        actor->phase = IDLE;
        actor->next_us += 1 + prng_below(&world->prng, 200);
        return;
    }
}

static bool may_step(const struct world *world, uint32_t client)
{
    if (world->actors[client].phase != IDLE)
        return true;
    return client < world->plan->clients && linear_count(history) < world->plan->operations;
}

static void generate(const struct plan *plan)
{
    struct world *world = mem_zalloc(sizeof *world);
    world->plan = plan;
    world->cells = mem_zalloc(plan->keys * sizeof *world->cells);
    prng_init(&world->prng, plan->seed);
    for (;;) {
        uint32_t first = LINEAR_NONE;
        for (uint32_t i = 0; i < 2 * CLIENTS_MAX; i++)
            if (may_step(world, i) &&
                (first == LINEAR_NONE || world->actors[i].next_us < world->actors[first].next_us))
                first = i;
        if (first == LINEAR_NONE)
            break;
        step(world, &world->actors[first], first);
    }
    mem_free(world->cells);
    mem_free(world);
}

static enum linear_verdict verdict_of(struct linear_report *report)
{
    enum linear_verdict verdict = linear_check(history, report);
    if (getenv("LINEAR_SHOW"))
        printf("%d %.*s%u operations, %llu configurations\n", verdict, (int)report->text.len,
               report->text.ptr ? report->text.ptr : "", linear_count(history),
               (unsigned long long)report->configurations);
    linear_report_close(report);
    return verdict;
}

static void renew_history(void)
{
    linear_free(history);
    history = linear_new();
}

static uint32_t check_random(uint64_t seed, const enum linear_kind *kinds, uint32_t kinds_count,
                             uint32_t unknown_percent)
{
    struct plan plan = {.seed = seed,
                        .operations = 400,
                        .clients = 1 + (uint32_t)seed % CLIENTS_MAX,
                        .keys = 1 + (uint32_t)seed % KEYS,
                        .unknown_percent = unknown_percent,
                        .kinds = kinds,
                        .kinds_count = kinds_count};
    renew_history();
    generate(&plan);
    struct linear_report report;
    enum linear_verdict verdict = verdict_of(&report);
    assert_int_not_equal(verdict, LINEAR_VIOLATED);
    return verdict == LINEAR_GAVE_UP;
}

static void test_random_linearizable_histories_pass(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint32_t unknown = (uint32_t)seed % 3;
        assert_int_equal(check_random(seed, all_kinds, 7, 0), 0);
        assert_int_equal(check_random(seed, counter_kinds, 2, unknown), 0);
        assert_int_equal(check_random(seed, register_kinds, 6, unknown), 0);
        assert_int_equal(check_random(seed, list_kinds, 4, unknown), 0);
    }
}

/* Appends of unknown outcome between writes that are not read are what the search is worst at. */
static void test_random_linearizable_histories_are_never_called_violated(void **state)
{
    (void)state;
    uint32_t gave_up = 0;
    for (uint64_t seed = 1; seed <= 60; seed++)
        gave_up += check_random(seed, all_kinds, 7, (uint32_t)seed % 3);
    assert_in_range(gave_up, 0, 3);
}

/* The n-th operation of this kind and reply, or the last before it. */
static struct operation *nth(enum linear_kind kind, enum linear_reply reply, uint32_t n)
{
    struct operation *found = NULL;
    for (uint32_t i = 0; i < history->count; i++) {
        struct operation *operation = &history->operations[i];
        if (operation->kind != kind || operation->outcome != RETURNED || operation->reply != reply)
            continue;
        found = operation;
        if (n-- == 0)
            break;
    }
    assert_non_null(found);
    return found;
}

static void test_one_value_that_nobody_wrote_is_always_caught(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct plan plan = {.seed = seed,
                            .operations = 300,
                            .clients = 1 + (uint32_t)seed % 8,
                            .keys = 2,
                            .unknown_percent = (uint32_t)seed % 2,
                            .kinds = all_kinds,
                            .kinds_count = 7};
        renew_history();
        generate(&plan);
        nth(LINEAR_GET, LINEAR_TEXT, (uint32_t)seed)->value = linear_value_of(SPAN("nobody's"));
        struct linear_report report;
        assert_int_equal(verdict_of(&report), LINEAR_VIOLATED);
    }
}

/* Of n clients at most n - 1 counted between the call and the return of a read. */
static void test_reads_that_are_older_than_all_that_is_under_way_are_caught(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct plan plan = {.seed = seed,
                            .operations = 2000,
                            .clients = 8,
                            .keys = 2,
                            .kinds = counter_kinds,
                            .kinds_count = 2};
        renew_history();
        generate(&plan);
        struct operation *read = nth(LINEAR_GET, LINEAR_TEXT, 400);
        int64_t number;
        assert_true(linear_value_number(&read->value, &number));
        char digits[NUMBER_I64_CHARS];
        read->value = linear_value_of(span_of(digits, number_format_i64(digits, number - 40)));
        struct linear_report report;
        assert_int_equal(verdict_of(&report), LINEAR_VIOLATED);
    }
}

/* One step off: often wrong, not always. Never given up. */
static void test_results_that_are_off_by_one_are_nearly_all_caught(void **state)
{
    (void)state;
    uint32_t caught = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct plan plan = {.seed = seed,
                            .operations = 1000,
                            .clients = 16,
                            .keys = KEYS,
                            .kinds = counter_kinds,
                            .kinds_count = 2};
        renew_history();
        generate(&plan);
        nth(LINEAR_INCR, LINEAR_NUMBER, (uint32_t)seed)->number++;
        struct linear_report report;
        enum linear_verdict verdict = verdict_of(&report);
        assert_int_not_equal(verdict, LINEAR_GAVE_UP);
        caught += verdict == LINEAR_VIOLATED;
    }
    assert_in_range(caught, 98, 100);
}

/* ---- small histories with any results, against trying all orders ---- */

enum { SMALL = 7, ROUNDS = 20000 };

static bool some_order_fits(uint32_t done, const struct value *value)
{
    uint64_t bound = UINT64_MAX;
    bool all = true;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct operation *operation = &history->operations[i];
        if (operation->outcome != RETURNED || done & 1U << i)
            continue;
        all = false;
        if (operation->back.at_us < bound)
            bound = operation->back.at_us;
    }
    for (uint32_t i = 0; i < history->count && !all; i++) {
        const struct operation *operation = &history->operations[i];
        struct value after = *value;
        if (done & 1U << i || operation->outcome == FAILED || operation->call.at_us > bound)
            continue;
        bool silent = linear_model_says_nothing(operation);
        if ((silent || linear_model_apply(history, operation, &after)) &&
            some_order_fits(done | 1U << i, &after))
            return true;
    }
    return all;
}

static void any_outcome(struct prng *prng, uint32_t number)
{
    static const char *const texts[] = {"", "1", "2", "12", "21", "11", "x"};
    enum linear_kind kind = history->operations[number].kind;
    uint64_t chance = prng_below(prng, 10);
    struct linear_result result = {.number = (int64_t)prng_below(prng, 3)};
    if (chance < 3) {
        linear_unknown(history, number);
        return;
    }
    if (chance == 3) {
        linear_failed(history, number);
        return;
    }
    do
        result.reply = (enum linear_reply)prng_below(prng, LINEAR_REFUSED + 1);
    while (!(replies_of[kind] & 1U << result.reply));
    if (result.reply == LINEAR_TEXT)
        result.text = span_text(texts[prng_below(prng, 7)]);
    linear_return(history, number, result, ++now_us);
}

static void generate_small(struct prng *prng, const enum linear_kind *kinds, uint32_t kinds_count)
{
    static const char *const texts[] = {"1", "2", ""};
    uint32_t open[SMALL];
    uint32_t opened = 0;
    while (history->count < SMALL || opened > 0) {
        if (history->count < SMALL && (opened == 0 || prng_below(prng, 2) == 0)) {
            struct linear_request request = {.key = 7,
                                             .kind = kinds[prng_below(prng, kinds_count)],
                                             .value = span_text(texts[prng_below(prng, 3)])};
            if (prng_below(prng, 2) == 0)
                request.expected = span_text(texts[prng_below(prng, 3)]);
            open[opened++] = linear_call(history, &request, ++now_us);
            continue;
        }
        uint32_t chosen = (uint32_t)prng_below(prng, opened);
        any_outcome(prng, open[chosen]);
        open[chosen] = open[--opened];
    }
}

static void test_small_histories_get_the_verdict_of_trying_all_orders(void **state)
{
    (void)state;
    static const struct {
        const enum linear_kind *kinds;
        uint32_t count;
    } mixes[] = {{all_kinds, 7}, {register_kinds, 6}, {counter_kinds, 2}, {list_kinds, 4}};
    uint32_t fine = 0;
    struct prng prng;
    prng_init(&prng, 1);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        renew_history();
        generate_small(&prng, mixes[i % 4].kinds, mixes[i % 4].count);
        struct value nothing = linear_value_absent();
        bool expected = some_order_fits(0, &nothing);
        struct linear_report report;
        enum linear_verdict verdict = linear_check(history, &report);
        assert_int_equal(verdict, expected ? LINEAR_OK : LINEAR_VIOLATED);
        linear_report_close(&report);
        fine += expected;
    }
    assert_in_range(fine, ROUNDS / 20, ROUNDS - ROUNDS / 20);
}

/* A search that tries little is what makes it fast: the count stands for the time. */
static void check_large(const enum linear_kind *kinds, uint32_t kinds_count, uint32_t unknown)
{
    struct plan plan = {.seed = 1,
                        .operations = 20000,
                        .clients = CLIENTS_MAX,
                        .keys = KEYS,
                        .unknown_percent = unknown,
                        .kinds = kinds,
                        .kinds_count = kinds_count};
    renew_history();
    generate(&plan);
    struct linear_report report;
    assert_int_equal(linear_count(history), 20000);
    enum linear_verdict verdict = linear_check(history, &report);
    if (getenv("LINEAR_SHOW"))
        printf("%llu configurations\n", (unsigned long long)report.configurations);
    assert_int_equal(verdict, LINEAR_OK);
    assert_in_range(report.configurations, 10000, 1000000);
    linear_report_close(&report);
}

static void test_large_history_of_all_kinds_takes_few_steps(void **state)
{
    (void)state;
    check_large(all_kinds, 7, 0);
}

static void test_large_history_of_registers_takes_few_steps(void **state)
{
    (void)state;
    check_large(register_kinds, 6, 1);
}

static void test_large_history_of_counters_takes_few_steps(void **state)
{
    (void)state;
    check_large(counter_kinds, 2, 1);
}

static void test_large_history_of_lists_takes_few_steps(void **state)
{
    (void)state;
    check_large(list_kinds, 4, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_linearizable_histories_pass),
        TEST(test_random_linearizable_histories_are_never_called_violated),
        TEST(test_one_value_that_nobody_wrote_is_always_caught),
        TEST(test_reads_that_are_older_than_all_that_is_under_way_are_caught),
        TEST(test_results_that_are_off_by_one_are_nearly_all_caught),
        TEST(test_small_histories_get_the_verdict_of_trying_all_orders),
        TEST(test_large_history_of_all_kinds_takes_few_steps),
        TEST(test_large_history_of_registers_takes_few_steps),
        TEST(test_large_history_of_counters_takes_few_steps),
        TEST(test_large_history_of_lists_takes_few_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
