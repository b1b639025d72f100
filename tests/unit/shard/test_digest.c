/* Digests between nodes: who is contradicted by a majority stops; where no majority agrees, writes
 * and reads are refused. */
#include "unit/shard/fixture.h"
#include "wire/digest.h"

enum { INTERVAL_MS = 100 };

static void open_with_digests(struct fixture *f, size_t voters)
{
    fixture_open(f, voters);
    fixture_end(f);
    f->digest_interval_ms = INTERVAL_MS;
    char message[512];
    assert_int_equal(fixture_start(f, voters, message), ERR_NONE);
}

/* The messages about digests that were sent since the last call; the last one to each node. */
static size_t sent(struct fixture *f, struct wire_digest to[4])
{
    struct span rest = buf_span(&f->sent_digests);
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    size_t count = 0;
    while (rest.len) {
        struct wire_digest digest;
        assert_int_equal(resp_parse(&parser, rest, &limits), RESP_COMMAND);
        assert_int_equal(wire_parse_digest(parser.args, parser.argc, &digest), ERR_NONE);
        to[digest.to] = digest;
        rest = span_of(rest.ptr + parser.consumed, rest.len - parser.consumed);
        count++;
    }
    resp_parser_close(&parser);
    f->sent_digests.len = 0;
    return count;
}

static void receive(struct fixture *f, struct wire_digest digest)
{
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    digest.cluster_id = span_text(f->cluster.cluster_id);
    wire_encode_digest(&bytes, &digest);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    assert_int_equal(shard_message(f->shard, &(struct shard_peer){digest.from, 1, 0}, parser.args,
                                   parser.argc, f->now),
                     ERR_NONE);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

/* Node `from` answers the question: as it is, or with another sum. */
static void answer(struct fixture *f, const struct wire_digest *question, uint64_t from,
                   uint64_t other_sum)
{
    struct wire_digest digest = *question;
    digest.answer = true;
    digest.from = from;
    digest.to = 1;
    digest.sum += other_sum;
    receive(f, digest);
}

static void ask(struct fixture *f, struct wire_digest to[4])
{
    fixture_pass(f, INTERVAL_MS);
    f->sent_digests.len = 0;
    fixture_turn(f);
    assert_true(sent(f, to) >= 1);
}

static void lead_and_ask(struct fixture *f, size_t voters, struct wire_digest to[4])
{
    open_with_digests(f, voters);
    fixture_lead(f);
    ask(f, to);
}

static void test_equal_answers_are_agreement(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    lead_and_ask(&f, 3, to);
    assert_int_equal(to[2].index, 1);
    assert_int_equal(to[3].verdict, WIRE_ASKS);
    answer(&f, &to[2], 2, 0);
    answer(&f, &to[3], 3, 0);
    assert_false(shard_is_disputed(f.shard));
    assert_int_equal(shard_stats(f.shard).digests_compared, 2);
    assert_int_equal(shard_stats(f.shard).digest_index, 1);
    fixture_pass(&f, INTERVAL_MS);
    fixture_turn(&f);
    assert_int_equal(sent(&f, to), 0); /* nothing new to be asked */
    fixture_close(&f);
}

static void test_who_differs_from_a_majority_hears_so(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    lead_and_ask(&f, 3, to);
    answer(&f, &to[2], 2, 0);
    answer(&f, &to[3], 3, 1);
    struct wire_digest verdict[4];
    assert_int_equal(sent(&f, verdict), 1);
    assert_int_equal(verdict[3].verdict, WIRE_CONTRADICTED);
    assert_true(verdict[3].sum == to[3].sum);
    assert_false(shard_is_disputed(f.shard));
    fixture_close(&f);
}

static void test_a_leader_that_a_majority_contradicts_stops(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    lead_and_ask(&f, 3, to);
    answer(&f, &to[2], 2, 1);
    assert_int_equal(f.contradicted, 0);
    assert_true(shard_is_disputed(f.shard));
    answer(&f, &to[3], 3, 1);
    assert_int_equal(f.contradicted, 1);
    fixture_close(&f);
}

static void test_without_a_majority_nothing_is_written_or_read(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    lead_and_ask(&f, 3, to);
    answer(&f, &to[2], 2, 1);
    answer(&f, &to[3], 3, 2);
    assert_int_equal(f.contradicted, 0);
    assert_true(shard_is_disputed(f.shard));
    assert_int_equal(fixture_ask(&f, 1, "SET k v"), SHARD_DISPUTED);
    assert_int_equal(fixture_ask(&f, 1, "GET k"), SHARD_DISPUTED);
    ask(&f, to);
    assert_int_equal(to[2].verdict, WIRE_DISPUTED);
    answer(&f, &to[2], 2, 0); /* it was begun again */
    assert_false(shard_is_disputed(f.shard));
    assert_int_equal(fixture_ask(&f, 1, "SET k v"), SHARD_ACCEPTED);
    fixture_close(&f);
}

static void test_one_against_one_is_disputed(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    lead_and_ask(&f, 2, to);
    answer(&f, &to[2], 2, 1);
    assert_int_equal(f.contradicted, 0);
    assert_true(shard_is_disputed(f.shard));
    fixture_close(&f);
}

static void test_an_answer_that_was_not_asked_for_counts_for_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    lead_and_ask(&f, 3, to);
    struct wire_digest other = to[2];
    other.index = 7;
    answer(&f, &other, 2, 1);
    other = to[2];
    other.term++;
    answer(&f, &other, 2, 1);
    answer(&f, &to[2], 2, 0);
    answer(&f, &to[2], 2, 1); /* once more */
    assert_int_equal(shard_stats(f.shard).digests_compared, 1);
    assert_false(shard_is_disputed(f.shard));
    fixture_close(&f);
}

/* Node 2 leads and has appended `count` entries, of which `commit` are committed. */
static void follow(struct fixture *f, uint64_t commit)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 1};
    struct buf records = {0};
    fixture_noops(&records, 1, 2, 1);
    message.append_request.first_index = 1;
    message.append_request.entry_count = 2;
    message.append_request.commit = commit;
    fixture_message(f, message, &records);
    fixture_turn(f);
    buf_close(&records);
}

static void test_a_follower_answers_when_it_has_applied_the_entry(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    open_with_digests(&f, 3);
    follow(&f, 1);
    receive(&f, (struct wire_digest){.term = 1, .from = 2, .to = 1, .index = 2});
    assert_int_equal(sent(&f, to), 0);
    follow(&f, 2);
    assert_int_equal(sent(&f, to), 1);
    assert_true(to[2].answer);
    assert_int_equal(to[2].index, 2);
    assert_true(to[2].chain != 0);
    receive(&f, (struct wire_digest){.term = 1, .from = 2, .to = 1, .index = 1});
    assert_int_equal(sent(&f, to), 1); /* one that it has passed */
    assert_int_equal(to[2].index, 1);
    fixture_close(&f);
}

static void test_a_follower_stops_only_if_the_verdict_is_about_it(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_digest to[4];
    open_with_digests(&f, 3);
    follow(&f, 2);
    receive(&f, (struct wire_digest){.term = 1, .from = 2, .to = 1, .index = 2});
    assert_int_equal(sent(&f, to), 1);
    struct wire_digest verdict = to[2];
    verdict.answer = false;
    verdict.from = 2;
    verdict.to = 1;
    verdict.verdict = WIRE_CONTRADICTED;
    receive(&f, verdict); /* of what it has itself */
    verdict.sum++;
    verdict.from = 3; /* no leader */
    receive(&f, verdict);
    assert_int_equal(f.contradicted, 0);
    verdict.from = 2;
    receive(&f, verdict);
    assert_int_equal(f.contradicted, 1);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_answers_are_agreement),
        cmocka_unit_test(test_who_differs_from_a_majority_hears_so),
        cmocka_unit_test(test_a_leader_that_a_majority_contradicts_stops),
        cmocka_unit_test(test_without_a_majority_nothing_is_written_or_read),
        cmocka_unit_test(test_one_against_one_is_disputed),
        cmocka_unit_test(test_an_answer_that_was_not_asked_for_counts_for_nothing),
        cmocka_unit_test(test_a_follower_answers_when_it_has_applied_the_entry),
        cmocka_unit_test(test_a_follower_stops_only_if_the_verdict_is_about_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
