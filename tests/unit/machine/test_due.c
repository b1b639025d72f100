/* Reads that would see something gone at a later time. */
#include "machine/machine.h"

#include "unit/support/test.h"

struct due {
    struct command_table *table;
    struct machine machine;
};

static void begin(struct due *due)
{
    due->table = command_table_new();
    machine_init(&due->machine, due->table, 1);
    due->machine.clock_ms = 1000;
}

static void end(struct due *due)
{
    machine_close(&due->machine);
    command_table_free(due->table);
}

/* Runs a command as an entry of time 1000 would. */
static void run(struct due *due, const struct span *args, size_t argc)
{
    struct buf out = {0};
    struct resp_writer reply = {.out = &out, .protocol = 2};
    struct command_context context = {.databases = due->machine.databases,
                                      .keyspace = databases_at(due->machine.databases, 0),
                                      .now_ms = 1000,
                                      .revision = 1,
                                      .reply = &reply};
    command_find(due->table, args, argc)->run(&context, args, argc);
    assert_true(out.len > 0 && out.ptr[0] != '-');
    buf_close(&out);
}

static int64_t due_of(const struct due *due, struct span name, struct span key, int64_t until_ms)
{
    struct span args[] = {name, key, SPAN("x")};
    return machine_due(&due->machine, 0, command_find(due->table, args, 3), args, 3, until_ms);
}

static void test_a_key_is_due_at_its_deadline(void **state)
{
    (void)state;
    struct due due;
    begin(&due);
    run(&due, (struct span[]){SPAN("SET"), SPAN("k"), SPAN("v"), SPAN("PXAT"), SPAN("2000")}, 5);
    assert_true(due_of(&due, SPAN("GETRANGE"), SPAN("k"), 1999) == NO_DEADLINE);
    assert_true(due_of(&due, SPAN("GETRANGE"), SPAN("k"), 2500) == 2000);
    assert_true(due_of(&due, SPAN("GETRANGE"), SPAN("l"), 2500) == NO_DEADLINE);
    end(&due);
}

/* The latest of its fields is not looked for: the read waits for the time that it is to see. */
static void test_a_hash_is_due_when_the_first_of_its_fields_is(void **state)
{
    (void)state;
    struct due due;
    begin(&due);
    run(&due, (struct span[]){SPAN("HSET"), SPAN("h"), SPAN("a"), SPAN("1")}, 4);
    assert_true(due_of(&due, SPAN("HGET"), SPAN("h"), 9999) == NO_DEADLINE);
    run(&due,
        (struct span[]){SPAN("HPEXPIREAT"), SPAN("h"), SPAN("2000"), SPAN("FIELDS"), SPAN("1"),
                        SPAN("a")},
        6);
    assert_true(due_of(&due, SPAN("HGET"), SPAN("h"), 1999) == NO_DEADLINE);
    assert_true(due_of(&due, SPAN("HGET"), SPAN("h"), 2000) == 2000);
    assert_true(due_of(&due, SPAN("HGET"), SPAN("h"), 2500) == 2500);
    end(&due);
}

static int64_t due_of_sort(const struct due *due, struct span name, struct span word,
                           struct span pattern)
{
    struct span args[] = {name, SPAN("list"), word, pattern};
    return machine_due(&due->machine, 0, command_find(due->table, args, 4), args, 4, 2500);
}

/* Which keys the patterns name is known only when the elements are read. */
static void test_a_sort_by_other_keys_is_due_when_any_key_is(void **state)
{
    (void)state;
    static const struct span names[] = {{"SORT", 4}, {"SORT_RO", 7}};
    struct due due;
    begin(&due);
    run(&due, (struct span[]){SPAN("SET"), SPAN("w1"), SPAN("v"), SPAN("PXAT"), SPAN("2000")}, 5);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(due_of_sort(&due, names[i], SPAN("BY"), SPAN("w*")) == 2500);
        assert_true(due_of_sort(&due, names[i], SPAN("get"), SPAN("w*->f")) == 2500);
        assert_true(due_of_sort(&due, names[i], SPAN("GET"), SPAN("#")) == NO_DEADLINE);
        assert_true(due_of_sort(&due, names[i], SPAN("BY"), SPAN("nosort")) == NO_DEADLINE);
    }
    end(&due);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_due_at_its_deadline),
        cmocka_unit_test(test_a_hash_is_due_when_the_first_of_its_fields_is),
        cmocka_unit_test(test_a_sort_by_other_keys_is_due_when_any_key_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
