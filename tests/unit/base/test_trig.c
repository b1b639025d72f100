#include "base/trig.h"

#include <math.h>
#include <stdbool.h>

#include "base/prng.h"
#include "unit/support/test.h"

struct vector {
    double x;
    double y;
};

/* Correctly rounded results, computed with 300 bits. */
static const struct vector sines[] = {
    {0x0.0p+0, 0x0.0p+0},
    {0x0.0000000000001p-1022, 0x0.0000000000001p-1022},
    {0x1.56e1fc2f8f359p-997, 0x1.56e1fc2f8f359p-997},
    {0x1.5798ee2308c3ap-27, 0x1.5798ee2308c3ap-27},
    {0x1.916872b020c4ap-6, 0x1.915e2b00df1cep-6},
    {0x1.921fb54442d18p-6, 0x1.92155f7a3667ep-6},
    {0x1.999999999999ap-4, 0x1.98eaecb8bcb2cp-4},
    {0x1.0000000000000p-1, 0x1.eaee8744b05f0p-2},
    {0x1.921fb54442d18p-1, 0x1.6a09e667f3bccp-1},
    {0x1.0000000000000p+0, 0x1.aed548f090ceep-1},
    {0x1.7be76c8b43958p+0, 0x1.fe129674abbfdp-1},
    {0x1.921fb54442d18p+0, 0x1.0000000000000p+0},
    {0x1.0000000000000p+1, 0x1.d18f6ead1b446p-1},
    {0x1.8000000000000p+1, 0x1.210386db6d55bp-3},
    {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53},
    {0x1.7ec3c2fb2eb0bp-1, 0x1.5c181b8f1a928p-1},
    {0x1.b5b1dab63241dp+0, 0x1.fb10bf230c469p-1},
    {0x1.29890c8ace8b8p+0, 0x1.d5dc8cd4e8215p-1},
    {0x1.e5b36e685e780p+0, 0x1.e4f4b32c91978p-1},
    {0x1.f73bd3ec6e02dp+0, 0x1.d89501bc6a2a8p-1},
    {0x1.a59c72ecf479cp-3, 0x1.a2a3b1b453ef6p-3},
    {0x1.52e3e30eea11bp-5, 0x1.52cb24e790ae9p-5},
    {0x1.50c4199232a64p+1, 0x1.f46fd9a9f9c9fp-2},
    {0x1.a12b5d94894a2p-1, 0x1.74850706b8d52p-1},
    {0x1.78eb82bc1a127p-1, 0x1.57c913dc8c565p-1},
    {0x1.905f48e3347d9p+1, 0x1.c068cbcd690ffp-7},
    {0x1.7a3541b66e00cp+0, 0x1.fdc472fb4b6cbp-1},
};

static const struct vector cosines[] = {
    {0x0.0p+0, 0x1.0000000000000p+0},
    {0x0.0000000000001p-1022, 0x1.0000000000000p+0},
    {0x1.56e1fc2f8f359p-997, 0x1.0000000000000p+0},
    {0x1.5798ee2308c3ap-27, 0x1.0000000000000p+0},
    {0x1.916872b020c4ap-6, 0x1.ffd8a9fad59c0p-1},
    {0x1.921fb54442d18p-6, 0x1.ffd886084cd0dp-1},
    {0x1.999999999999ap-4, 0x1.fd712f9a817c1p-1},
    {0x1.0000000000000p-1, 0x1.c1528065b7d50p-1},
    {0x1.921fb54442d18p-1, 0x1.6a09e667f3bcdp-1},
    {0x1.0000000000000p+0, 0x1.14a280fb5068cp-1},
    {0x1.7be76c8b43958p+0, 0x1.63125014ae0cbp-4},
    {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54},
    {0x1.0000000000000p+1, -0x1.aa22657537205p-2},
    {0x1.8000000000000p+1, -0x1.fae04be85e5d2p-1},
    {0x1.921fb54442d18p+1, -0x1.0000000000000p+0},
    {0x1.7ec3c2fb2eb0bp-1, 0x1.777734534f200p-1},
    {0x1.b5b1dab63241dp+0, -0x1.1ba6fb973ef4fp-3},
    {0x1.29890c8ace8b8p+0, 0x1.96d00ec1a1a45p-2},
    {0x1.e5b36e685e780p+0, -0x1.4866ac2edbd56p-2},
    {0x1.f73bd3ec6e02dp+0, -0x1.8a018ec4fe8cdp-2},
    {0x1.a59c72ecf479cp-3, 0x1.f5305bcc4da4bp-1},
    {0x1.52e3e30eea11bp-5, 0x1.ff8fdc748e81bp-1},
    {0x1.50c4199232a64p+1, -0x1.beb16ed984c83p-1},
    {0x1.a12b5d94894a2p-1, 0x1.5f3ebec04283bp-1},
    {0x1.78eb82bc1a127p-1, 0x1.7b6a2d86c7620p-1},
    {0x1.905f48e3347d9p+1, -0x1.fff3ba1e871dbp-1},
    {0x1.7a3541b66e00cp+0, 0x1.7e18cb4b9d102p-4},
};

static const struct vector arc_sines[] = {
    {0x0.0p+0, 0x0.0p+0},
    {0x0.0000000000001p-1022, 0x0.0000000000001p-1022},
    {0x1.56e1fc2f8f359p-997, 0x1.56e1fc2f8f359p-997},
    {0x1.5798ee2308c3ap-27, 0x1.5798ee2308c3ap-27},
    {0x1.a36e2eb1c432dp-14, 0x1.a36e2ebd7e992p-14},
    {0x1.9210385c67dfep-6, 0x1.921a8dc0b8bd6p-6},
    {0x1.999999999999ap-5, 0x1.99c5570328659p-5},
    {0x1.999999999999ap-4, 0x1.9a49276037884p-4},
    {0x1.0000000000000p-1, 0x1.0c152382d7366p-1},
    {0x1.6a09e667f3bcdp-1, 0x1.921fb54442d19p-1},
    {0x1.ccccccccccccdp-1, 0x1.1ea93705fa172p+0},
    {0x1.ff7ced916872bp-1, 0x1.86ac9ad18f803p+0},
    {0x1.fffffffffffffp-1, 0x1.921fb50442d18p+0},
    {0x1.0000000000000p+0, 0x1.921fb54442d18p+0},
    {0x1.ac44ace32d283p-1, 0x1.fb495e953e6e2p-1},
    {0x1.e7c922b2d54e4p-2, 0x1.fc6b22414fdb2p-2},
    {0x1.4733f0771afc7p-1, 0x1.62f665a7a9a75p-1},
    {0x1.3476623b5f3d8p-3, 0x1.35a40940b4c90p-3},
    {0x1.450c74c9b42e5p-1, 0x1.602b032d06448p-1},
    {0x1.bc706f3b40e36p-1, 0x1.0d1ed3343c857p+0},
    {0x1.0bde6858f4b92p-1, 0x1.19e58fa0063bep-1},
    {0x1.7b855d00f82a0p-1, 0x1.ab7c66526a1abp-1},
    {0x1.57c33eb1be368p-1, 0x1.78e3a3d709d8fp-1},
    {0x1.0645d4519cde0p-4, 0x1.0673cb7547e44p-4},
    {0x1.8436c13d47a1cp-1, 0x1.b89fd4b5b561fp-1},
    {0x1.2ea49ac2bd0e3p-1, 0x1.43ccbcb458456p-1},
};

static void check(const struct vector *vectors, size_t count, double (*function)(double))
{
    for (size_t i = 0; i < count; i++)
        assert_true(function(vectors[i].x) == vectors[i].y);
}

#define CHECK(vectors, function) check(vectors, sizeof(vectors) / sizeof((vectors)[0]), function)

static void test_results_are_correctly_rounded(void **state)
{
    (void)state;
    CHECK(sines, trig_sin);
    CHECK(cosines, trig_cos);
    CHECK(arc_sines, trig_asin);
}

static bool next_to(double a, double b)
{
    return a == b || nextafter(a, b) == b;
}

static void test_results_are_those_of_the_c_library_or_next_to_them(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 200000; i++) {
        double part = (double)(prng_next(&prng) >> 11) / 0x1p53;
        double x = (2 * part - 1) * TRIG_PI;
        assert_true(next_to(trig_sin(x), sin(x)));
        assert_true(next_to(trig_cos(x), cos(x)));
        assert_true(next_to(trig_asin(part), asin(part)));
        assert_true(next_to(trig_asin(1 - part * part * part), asin(1 - part * part * part)));
        assert_true(next_to(trig_sin(x * part * part), sin(x * part * part)));
    }
}

static void test_other_arguments_are_bugs(void **state)
{
    (void)state;
    expect_assert_failure(trig_sin(3.2));
    expect_assert_failure(trig_cos(-3.2));
    expect_assert_failure(trig_cos(NAN));
    expect_assert_failure(trig_asin(1.0000000000000002));
    expect_assert_failure(trig_asin(-0.1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_correctly_rounded),
        cmocka_unit_test(test_results_are_those_of_the_c_library_or_next_to_them),
        cmocka_unit_test(test_other_arguments_are_bugs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
