#include "wire/hello.h"

#include <string.h>

#include "unit/support/test.h"
#include "wire/frame.h"

static struct wire_hello hello_of(void)
{
    struct wire_hello hello = {.version = WIRE_VERSION,
                               .from = 1,
                               .to = UINT64_MAX,
                               .incarnation = 77,
                               .cluster_id = "0123456789abcdef0123456789abcdef01234567",
                               .lane = WIRE_URGENT};
    for (size_t i = 0; i < WIRE_NONCE_BYTES; i++)
        hello.nonce[i] = (unsigned char)(i * 9);
    return hello;
}

static struct wire_challenge challenge_of(void)
{
    struct wire_challenge challenge = {.incarnation = 78,
                                       .cluster_id = "0000000000000000000000000000000000000000"};
    memset(challenge.nonce, 0xab, sizeof challenge.nonce);
    return challenge;
}

static void read_back(struct wire_frame *frame, const struct buf *bytes)
{
    *frame = (struct wire_frame){.argc = 0};
    assert_true(bytes->len <= WIRE_GREETING_BYTES_MAX);
    assert_int_equal(
        wire_frame_read(frame, buf_span(bytes), WIRE_GREETING_ARGS_MAX, WIRE_GREETING_BYTES_MAX),
        WIRE_FRAME_DONE);
    assert_int_equal(frame->at, bytes->len);
}

static void test_a_greeting_reads_back(void **state)
{
    (void)state;
    struct buf out = {0};
    struct wire_frame frame;
    struct wire_hello hello = hello_of();
    struct wire_hello parsed = {.from = 0};
    wire_encode_hello(&out, &hello);
    read_back(&frame, &out);
    assert_int_equal(wire_parse_hello(frame.args, frame.argc, &parsed), ERR_NONE);
    assert_int_equal(parsed.from, hello.from);
    assert_int_equal(parsed.to, hello.to);
    assert_int_equal(parsed.incarnation, hello.incarnation);
    assert_int_equal(parsed.lane, hello.lane);
    assert_string_equal(parsed.cluster_id, hello.cluster_id);
    assert_memory_equal(parsed.nonce, hello.nonce, sizeof hello.nonce);
    buf_close(&out);
}

static void test_a_greeting_of_another_version_or_shape_is_refused(void **state)
{
    (void)state;
    struct buf out = {0};
    struct wire_frame frame;
    struct wire_hello hello = hello_of();
    struct wire_hello parsed;
    wire_encode_hello(&out, &hello);
    read_back(&frame, &out);
    for (size_t argc = 0; argc < 8; argc++)
        assert_int_equal(wire_parse_hello(frame.args, argc, &parsed), ERR_INVALID);
    static const struct {
        size_t at;
        const char *text;
    } bad[] = {{1, "x"},    {1, "03"},       {2, "-1"},     {3, "01"}, {4, "0"}, {4, "x"},
               {5, "0123"}, {6, "sideways"}, {6, "URGENT"}, {7, "00"}, {7, ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct span args[8];
        memcpy(args, frame.args, sizeof args);
        args[bad[i].at] = span_text(bad[i].text);
        assert_int_equal(wire_parse_hello(args, 8, &parsed), ERR_INVALID);
    }
    struct span args[8];
    char nonce[65];
    memcpy(args, frame.args, sizeof args);
    memset(nonce, 'g', 64);
    args[7] = span_of(nonce, 64);
    assert_int_equal(wire_parse_hello(args, 8, &parsed), ERR_INVALID);
    buf_close(&out);
}

static void test_a_greeting_names_its_version(void **state)
{
    (void)state;
    struct wire_hello hello = hello_of();
    for (uint32_t version = 1; version <= WIRE_VERSION + 1; version++) {
        struct buf out = {0};
        struct wire_frame frame;
        struct wire_hello parsed = {.version = 0};
        hello.version = version;
        wire_encode_hello(&out, &hello);
        read_back(&frame, &out);
        bool is_known = version >= WIRE_VERSION_OLDEST && version <= WIRE_VERSION;
        assert_int_equal(wire_parse_hello(frame.args, frame.argc, &parsed),
                         is_known ? ERR_NONE : ERR_FOREIGN);
        assert_int_equal(parsed.version, is_known ? version : 0);
        /* Another version may have other words. */
        if (!is_known)
            assert_int_equal(wire_parse_hello(frame.args, 3, &parsed), ERR_FOREIGN);
        buf_close(&out);
    }
}

static void test_a_challenge_reads_back(void **state)
{
    (void)state;
    struct buf out = {0};
    struct wire_frame frame;
    struct wire_challenge challenge = challenge_of();
    struct wire_challenge parsed = {.incarnation = 0};
    wire_encode_challenge(&out, &challenge);
    read_back(&frame, &out);
    assert_int_equal(wire_parse_challenge(frame.args, frame.argc, &parsed), ERR_NONE);
    assert_int_equal(parsed.incarnation, 78);
    assert_string_equal(parsed.cluster_id, challenge.cluster_id);
    assert_memory_equal(parsed.nonce, challenge.nonce, sizeof challenge.nonce);
    assert_int_equal(wire_parse_challenge(frame.args, 3, &parsed), ERR_INVALID);
    frame.args[1] = SPAN("0");
    assert_int_equal(wire_parse_challenge(frame.args, 4, &parsed), ERR_INVALID);
    buf_close(&out);
}

static void test_a_proof_reads_back_in_its_own_direction_only(void **state)
{
    (void)state;
    struct buf out = {0};
    struct wire_frame frame;
    struct wire_proof proof = {.given = true};
    struct wire_proof parsed = {.given = false};
    memset(proof.bytes, 0x5a, sizeof proof.bytes);
    wire_encode_proof(&out, WIRE_DIALLER, &proof);
    read_back(&frame, &out);
    assert_int_equal(wire_parse_proof(frame.args, frame.argc, WIRE_DIALLER, &parsed), ERR_NONE);
    assert_true(parsed.given);
    assert_memory_equal(parsed.bytes, proof.bytes, sizeof proof.bytes);
    assert_int_equal(wire_parse_proof(frame.args, frame.argc, WIRE_ACCEPTOR, &parsed), ERR_INVALID);
    frame.args[1].len--;
    assert_int_equal(wire_parse_proof(frame.args, frame.argc, WIRE_DIALLER, &parsed), ERR_INVALID);
    out.len = 0;
    proof.given = false;
    wire_encode_proof(&out, WIRE_ACCEPTOR, &proof);
    read_back(&frame, &out);
    assert_int_equal(wire_parse_proof(frame.args, frame.argc, WIRE_ACCEPTOR, &parsed), ERR_NONE);
    assert_false(parsed.given);
    buf_close(&out);
}

static void expect_another(const struct buf *one, enum wire_role role,
                           const struct wire_hello *hello, const struct wire_challenge *challenge)
{
    struct buf other = {0};
    wire_encode_transcript(&other, role, hello, challenge);
    assert_false(span_equal(buf_span(one), buf_span(&other)));
    buf_close(&other);
}

static void test_everything_that_was_said_is_in_the_transcript(void **state)
{
    (void)state;
    struct buf one = {0};
    const struct wire_hello hello = hello_of();
    const struct wire_challenge challenge = challenge_of();
    wire_encode_transcript(&one, WIRE_DIALLER, &hello, &challenge);
    expect_another(&one, WIRE_ACCEPTOR, &hello, &challenge);
    struct wire_hello said = hello;
    said.version--;
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    said = hello;
    said.from++;
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    said = hello;
    said.to--;
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    said = hello;
    said.incarnation++;
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    said = hello;
    said.cluster_id[39] = '0';
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    said = hello;
    said.lane = WIRE_BULK;
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    said = hello;
    said.nonce[31]++;
    expect_another(&one, WIRE_DIALLER, &said, &challenge);
    struct wire_challenge asked = challenge;
    asked.incarnation++;
    expect_another(&one, WIRE_DIALLER, &hello, &asked);
    asked = challenge;
    asked.cluster_id[0] = '1';
    expect_another(&one, WIRE_DIALLER, &hello, &asked);
    asked = challenge;
    asked.nonce[0]++;
    expect_another(&one, WIRE_DIALLER, &hello, &asked);
    buf_close(&one);
}

static void test_a_node_without_a_cluster_agrees_with_every_cluster(void **state)
{
    (void)state;
    static const char none[] = "0000000000000000000000000000000000000000";
    static const char one[] = "1111111111111111111111111111111111111111";
    static const char two[] = "2222222222222222222222222222222222222222";
    assert_true(wire_cluster_ids_agree(one, one));
    assert_true(wire_cluster_ids_agree(none, one));
    assert_true(wire_cluster_ids_agree(two, none));
    assert_false(wire_cluster_ids_agree(one, two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_greeting_reads_back),
        cmocka_unit_test(test_a_greeting_of_another_version_or_shape_is_refused),
        cmocka_unit_test(test_a_greeting_names_its_version),
        cmocka_unit_test(test_a_challenge_reads_back),
        cmocka_unit_test(test_a_proof_reads_back_in_its_own_direction_only),
        cmocka_unit_test(test_everything_that_was_said_is_in_the_transcript),
        cmocka_unit_test(test_a_node_without_a_cluster_agrees_with_every_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
