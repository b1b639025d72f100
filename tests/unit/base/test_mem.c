#include "base/mem.h"
#include "unit/support/test.h"

static void test_footprint_is_a_class_of_the_allocator(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        size_t takes;
    } cases[] = {{0, 0},
                 {1, 8},
                 {8, 8},
                 {9, 16},
                 {129, 160},
                 {160, 160},
                 {161, 192},
                 {1024, 1024},
                 {1025, 1280},
                 {57 << 20, 64 << 20},
                 {50 << 20, 56 << 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(mem_footprint(cases[i].size), cases[i].takes);
}

/* What adds one item at a time, and what removes one at a time. */
static void test_arrays_have_a_quarter_more_than_they_need(void **state)
{
    (void)state;
    enum { MOST = 300000, LEAST = 4 };
    static const size_t sizes[] = {8, 12, 16, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t capacity = 0, changes = 0;
        for (size_t count = 1; count <= MOST; count++) {
            if (count <= capacity)
                continue;
            capacity = mem_grown(capacity, sizes[i]);
            changes++;
            assert_true(capacity >= count);
            /* the quarter, and a class of the allocator that is up to a quarter larger */
            assert_true(count < 16 || capacity <= count * 25 / 16 + 8);
        }
        assert_true(changes < 60); /* so that each item is copied few times */
        for (size_t count = MOST; count > 0; count--) {
            size_t less = mem_shrunk(count, capacity, LEAST);
            assert_true(less >= count && less <= capacity);
            if (less < capacity && count >= 16) /* one that comes and goes asks for nothing */
                assert_true(mem_shrunk(count - 1, less, LEAST) == less && less > count + 1);
            capacity = less;
            assert_true(capacity <= 2 * count + LEAST);
        }
    }
    assert_int_equal(mem_shrunk(0, 3, LEAST), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_footprint_is_a_class_of_the_allocator),
        cmocka_unit_test(test_arrays_have_a_quarter_more_than_they_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
