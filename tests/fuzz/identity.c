/* A hostile flotilla.identity, with a checksum that is right: what is taken for one comes back from
 * its encoding as it was, fits together, and can be recovered from.
 *
 * Input: the lines before #END. */
#include <inttypes.h>

#include "base/crc.h"
#include "cluster/identity.h"

#include "fuzz/fuzz.h"

static struct cluster_identity identity;
static struct cluster_identity again;

static void expect_round_trip(void)
{
    struct buf text = {0};
    struct buf other = {0};
    cluster_identity_encode(&text, &identity);
    ASSERT(cluster_identity_parse(buf_span(&text), &again) == ERR_NONE);
    cluster_identity_encode(&other, &again);
    ASSERT(span_equal(buf_span(&text), buf_span(&other)));
    buf_close(&text);
    buf_close(&other);
}

static void expect_recovery(void)
{
    struct cluster_recovery recovery = {
        .incarnation = 1, .address = "h:1", .last_index = 7, .last_term = 3};
    memset(recovery.cluster_id, 'e', 40);
    bool is_drawn = strcmp(identity.cluster_id, recovery.cluster_id) != 0 &&
                    !cluster_supersedes(&identity.superseded, recovery.cluster_id);
    if (identity.begin != CLUSTER_BEGUN || !is_drawn)
        return;
    if (cluster_identity_recover(&identity, &recovery)) {
        ASSERT(identity.superseded.count == CLUSTER_SUPERSEDED_MAX);
        return;
    }
    ASSERT(cluster_identity_recovered(&identity)->last_index == 7);
    expect_round_trip();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf text = {0};
    buf_add(&text, (const char *)bytes, len);
    uint32_t crc = crc32c(0, text.ptr, text.len);
    buf_printf(&text, "#END:%08" PRIx32 "\r\n", crc);
    if (cluster_identity_parse(buf_span(&text), &identity) == ERR_NONE) {
        ASSERT(identity.incarnation != 0);
        ASSERT(identity.node_id != 0 || identity.begin == CLUSTER_EMPTY);
        ASSERT(identity.superseded.count <= CLUSTER_SUPERSEDED_MAX);
        expect_round_trip();
        expect_recovery();
    }
    buf_close(&text);
    return 0;
}

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"

static void seeds(void)
{
    static const char *const texts[] = {
        "#NODE:2:" CLUSTER_NO_ID ":0:a\r\n#STATE:empty\r\n#PLACE:0:0\r\n#LIST:\r\n#MARK:0\r\n",
        "#NODE:2:" CLUSTER_NO_ID ":1:a\r\n#STATE:empty\r\n#PLACE:0:0\r\n#LIST:1@h:1\r\n#MARK:0\r\n",
        "#NODE:3:" ONE ":1:a\r\n#STATE:founding\r\n#PREVIOUS:b\r\n#PLACE:5:6\r\n#LOG:begun\r\n"
        "#LIST:1@h:1,2@i:2\r\n#MARK:c\r\n#FOUNDERS:" ONE ":c:2\r\n#MEMBER:1:1:a:h:1\r\n"
        "#MEMBER:2:4:0:i:2\r\n",
        "#NODE:3:" TWO ":1:a\r\n#STATE:begun\r\n#PLACE:5:6\r\n#LOG:begun\r\n#LIST:1@h:1\r\n"
        "#MARK:0\r\n#SUPERSEDED:" ONE ":12:3\r\n#FOUNDERS:" TWO ":0:1\r\n#MEMBER:1:1:a:h:1\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        seed_put(span_text(texts[i]));
}
