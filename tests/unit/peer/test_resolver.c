#include "peer/resolver.h"

#include <arpa/inet.h>
#include <string.h>

#include <event2/event.h>

#include "unit/support/test.h"

struct heard {
    uint64_t tickets[RESOLVER_WAITING_MAX];
    size_t count;
    struct resolved last;
};

static void on_resolved(void *context, uint64_t ticket, const struct resolved *resolved)
{
    struct heard *heard = context;
    heard->tickets[heard->count++] = ticket;
    heard->last = *resolved;
}

static void wait_for_answers(struct event_base *base, const struct heard *heard, size_t count)
{
    while (heard->count < count)
        event_base_loop(base, EVLOOP_ONCE);
}

static void test_what_is_an_address_is_not_asked_for(void **state)
{
    (void)state;
    struct resolved resolved;
    assert_true(resolver_is_address("127.0.0.1", 7001, &resolved));
    assert_int_equal(resolved.count, 1);
    const struct sockaddr_in *in = (const struct sockaddr_in *)&resolved.addresses[0];
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 7001);
    assert_true(resolver_is_address("::1", 7001, &resolved));
    assert_false(resolver_is_address("localhost", 7001, &resolved));
}

static void test_answers_come_by_the_loop_in_the_order_of_the_questions(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct heard heard = {.count = 0};
    struct resolver *resolver = resolver_new(base, on_resolved, &heard);
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        assert_true(resolver_ask(resolver, ticket, "localhost", 7001));
    assert_int_equal(heard.count, 0);
    wait_for_answers(base, &heard, 3);
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        assert_int_equal(heard.tickets[ticket - 1], ticket);
    assert_true(heard.last.count > 0);
    assert_true(resolver_ask(resolver, 4, "localhost", 7001)); /* the thread is still there */
    wait_for_answers(base, &heard, 4);
    resolver_free(resolver);
    event_base_free(base);
}

static void test_a_name_without_an_address_has_a_cause(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct heard heard = {.count = 0};
    struct resolver *resolver = resolver_new(base, on_resolved, &heard);
    assert_true(resolver_ask(resolver, 1, "no such name, for it has blanks", 7001));
    wait_for_answers(base, &heard, 1);
    assert_int_equal(heard.last.count, 0);
    assert_true(strlen(heard.last.cause) > 0);
    resolver_free(resolver);
    event_base_free(base);
}

static void test_questions_have_a_bounded_number_of_places(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct heard heard = {.count = 0};
    struct resolver *resolver = resolver_new(base, on_resolved, &heard);
    for (uint64_t ticket = 0; ticket < RESOLVER_WAITING_MAX; ticket++)
        assert_true(resolver_ask(resolver, ticket, "localhost", 7001));
    assert_false(resolver_ask(resolver, 99, "localhost", 7001));
    resolver_free(resolver); /* with questions under way */
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_an_address_is_not_asked_for),
        cmocka_unit_test(test_answers_come_by_the_loop_in_the_order_of_the_questions),
        cmocka_unit_test(test_a_name_without_an_address_has_a_cause),
        cmocka_unit_test(test_questions_have_a_bounded_number_of_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
