#include "peer/guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "peer/proof.h"
#include "unit/support/test.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        address.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        address.ss_family = AF_INET6;
    else
        address.ss_family = AF_UNIX;
    return address;
}

static struct guard_key key_of(const char *text)
{
    struct guard_key key;
    struct sockaddr_storage address = address_of(text);
    assert_true(guard_key_of((struct sockaddr *)&address, &key));
    return key;
}

static bool same(const char *one, const char *other)
{
    struct guard_key a = key_of(one), b = key_of(other);
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool loopback(const char *text)
{
    struct sockaddr_storage address = address_of(text);
    return guard_is_loopback((struct sockaddr *)&address);
}

static void test_an_address_is_known_however_it_is_written(void **state)
{
    (void)state;
    assert_true(same("10.1.2.3", "::ffff:10.1.2.3"));
    assert_false(same("10.1.2.3", "10.1.2.4"));
    assert_true(same("2001:db8::1", "2001:db8::ffff:1"));
    assert_false(same("2001:db8:0:1::1", "2001:db8:0:2::1"));
    struct guard_key key;
    struct sockaddr_storage local = address_of("/run/socket");
    assert_false(guard_key_of((struct sockaddr *)&local, &key));
}

static void test_loopback_is_what_never_leaves_the_machine(void **state)
{
    (void)state;
    assert_true(loopback("127.0.0.1"));
    assert_true(loopback("127.9.9.9"));
    assert_true(loopback("::1"));
    assert_true(loopback("::ffff:127.0.0.1"));
    assert_false(loopback("128.0.0.1"));
    assert_false(loopback("10.127.0.1"));
    assert_false(loopback("::2"));
    assert_false(loopback("::ffff:10.0.0.1"));
    assert_false(loopback("::127.0.0.1"));
    assert_false(loopback("/run/socket"));
}

/* What the next failure's answer waits. */
static uint32_t delay_after(struct guard guard, const struct guard_key *key, uint64_t now_ms)
{
    return guard_failed(&guard, key, now_ms).delay_ms;
}

static void test_guesses_are_answered_later_and_later(void **state)
{
    (void)state;
    static struct guard guard;
    struct guard_key key = key_of("10.0.0.1");
    struct guard_key other = key_of("10.0.0.2");
    guard = (struct guard){0};
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t expected = i * GUARD_DELAY_MS;
        if (expected > GUARD_DELAY_MAX_MS)
            expected = GUARD_DELAY_MAX_MS;
        assert_int_equal(guard_failed(&guard, &key, 1000).delay_ms, expected);
    }
    assert_int_equal(guard_failed(&guard, &other, 1000).delay_ms, 0);
}

static void test_guesses_made_at_once_are_all_counted(void **state)
{
    (void)state;
    static struct guard guard;
    struct guard_key key = key_of("10.0.0.1");
    guard = (struct guard){0};
    for (int i = 0; i < 20; i++) /* connections that were let in before the first one failed */
        guard_failed(&guard, &key, 1000);
    assert_int_equal(delay_after(guard, &key, 1000 + 16 * GUARD_FORGIVE_MS), 4 * GUARD_DELAY_MS);
    assert_int_equal(delay_after(guard, &key, 1000 + 17 * GUARD_FORGIVE_MS), 3 * GUARD_DELAY_MS);
}

static void test_time_forgives(void **state)
{
    (void)state;
    static struct guard guard;
    struct guard_key key = key_of("10.0.0.1");
    guard = (struct guard){0};
    guard_failed(&guard, &key, 1000);
    guard_failed(&guard, &key, 1000);
    assert_int_equal(delay_after(guard, &key, 1000 + GUARD_FORGIVE_MS - 1), 2 * GUARD_DELAY_MS);
    assert_int_equal(delay_after(guard, &key, 1000 + GUARD_FORGIVE_MS), GUARD_DELAY_MS);
    assert_int_equal(delay_after(guard, &key, 1000 + 100 * GUARD_FORGIVE_MS), 0);
}

static void test_repeats_are_counted_and_said_once_a_minute(void **state)
{
    (void)state;
    static struct guard guard;
    struct guard_key key = key_of("10.0.0.1");
    guard = (struct guard){0};
    struct guard_verdict verdict = guard_failed(&guard, &key, 1000);
    assert_true(verdict.say);
    assert_int_equal(verdict.repeats, 0);
    for (int i = 0; i < 4; i++)
        assert_false(guard_failed(&guard, &key, 1001).say);
    verdict = guard_failed(&guard, &key, 1000 + GUARD_SAY_MS);
    assert_true(verdict.say);
    assert_int_equal(verdict.repeats, 4);
}

static void test_a_full_table_forgets_who_failed_longest_ago(void **state)
{
    (void)state;
    static struct guard guard;
    guard = (struct guard){0};
    for (uint32_t i = 0; i <= GUARD_ADDRESSES; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.0.%u.%u", (unsigned)(i / 250), (unsigned)(i % 250));
        struct guard_key key = key_of(text);
        for (int j = 0; j < 2; j++)
            guard_failed(&guard, &key, 1000 + (i > 1));
    }
    struct guard_key first = key_of("10.0.0.0"), third = key_of("10.0.0.2");
    assert_int_equal(delay_after(guard, &first, 1001), 0);
    assert_int_equal(delay_after(guard, &third, 1001), 2 * GUARD_DELAY_MS);
}

static void test_a_proof_is_right_for_one_secret_role_and_connection(void **state)
{
    (void)state;
    struct wire_hello hello = {.from = 1, .to = 2, .incarnation = 1};
    struct wire_challenge challenge = {.incarnation = 1};
    struct span secret = SPAN("0123456789abcdef0123456789abcdef");
    struct wire_proof proof;
    proof_make(&proof, secret, WIRE_DIALLER, &hello, &challenge);
    assert_true(proof_is_right(&proof, secret, WIRE_DIALLER, &hello, &challenge));
    assert_false(proof_is_right(&proof, secret, WIRE_ACCEPTOR, &hello, &challenge));
    assert_false(proof_is_right(&proof, SPAN("0123456789abcdef0123456789abcdeF"), WIRE_DIALLER,
                                &hello, &challenge));
    assert_false(proof_is_right(&proof, SPAN(""), WIRE_DIALLER, &hello, &challenge));
    challenge.nonce[0] = 1;
    assert_false(proof_is_right(&proof, secret, WIRE_DIALLER, &hello, &challenge));
    challenge.nonce[0] = 0;
    proof.bytes[31] ^= 1;
    assert_false(proof_is_right(&proof, secret, WIRE_DIALLER, &hello, &challenge));
}

static void test_without_a_secret_only_the_empty_proof_is_right(void **state)
{
    (void)state;
    struct wire_hello hello = {.from = 1, .to = 2, .incarnation = 1};
    struct wire_challenge challenge = {.incarnation = 1};
    struct wire_proof proof;
    proof_make(&proof, SPAN(""), WIRE_DIALLER, &hello, &challenge);
    assert_false(proof.given);
    assert_true(proof_is_right(&proof, SPAN(""), WIRE_DIALLER, &hello, &challenge));
    assert_false(proof_is_right(&proof, SPAN("0123456789abcdef0123456789abcdef"), WIRE_DIALLER,
                                &hello, &challenge));
    proof.given = true;
    assert_false(proof_is_right(&proof, SPAN(""), WIRE_DIALLER, &hello, &challenge));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_is_known_however_it_is_written),
        cmocka_unit_test(test_loopback_is_what_never_leaves_the_machine),
        cmocka_unit_test(test_guesses_are_answered_later_and_later),
        cmocka_unit_test(test_guesses_made_at_once_are_all_counted),
        cmocka_unit_test(test_time_forgives),
        cmocka_unit_test(test_repeats_are_counted_and_said_once_a_minute),
        cmocka_unit_test(test_a_full_table_forgets_who_failed_longest_ago),
        cmocka_unit_test(test_a_proof_is_right_for_one_secret_role_and_connection),
        cmocka_unit_test(test_without_a_secret_only_the_empty_proof_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
