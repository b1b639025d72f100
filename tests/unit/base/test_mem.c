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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_footprint_is_a_class_of_the_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
