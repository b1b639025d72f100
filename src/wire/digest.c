#include "wire/digest.h"

#include <hiredis/hiredis.h>

#include "base/assert.h"
#include "base/number.h"

enum { ARGS = 11 };

static const struct span question = {"RAFT.DIGEST", 11};
static const struct span answer = {"RAFT.DIGESTED", 13};

bool wire_is_digest(struct span name)
{
    return span_equal(name, question) || span_equal(name, answer);
}

void wire_encode_digest(struct buf *out, const struct wire_digest *digest)
{
    const uint64_t numbers[] = {
        digest->shard, digest->term,  digest->from,       digest->to,      digest->index,
        digest->sum,   digest->chain, digest->chain_from, digest->verdict,
    };
    struct span name = digest->answer ? answer : question;
    char texts[ARGS][NUMBER_I64_CHARS];
    const char *argv[ARGS] = {name.ptr, digest->cluster_id.ptr};
    size_t lens[ARGS] = {name.len, digest->cluster_id.len};
    for (size_t i = 2; i < ARGS; i++) {
        argv[i] = texts[i];
        lens[i] = number_format_u64(texts[i], numbers[i - 2]);
    }
    char *formatted;
    int len = redisFormatCommandArgv(&formatted, ARGS, argv, lens);
    if (len < 0)
        FATAL("out of memory");
    buf_add(out, formatted, (size_t)len);
    redisFreeCommand(formatted);
}

enum err wire_parse_digest(const struct span *args, size_t argc, struct wire_digest *digest)
{
    uint64_t shard = 0;
    uint64_t verdict = 0;
    if (argc != ARGS || !wire_is_digest(args[0]))
        return ERR_INVALID;
    digest->answer = span_equal(args[0], answer);
    digest->cluster_id = args[1];
    uint64_t *const numbers[] = {
        &shard,       &digest->term,  &digest->from,       &digest->to, &digest->index,
        &digest->sum, &digest->chain, &digest->chain_from, &verdict,
    };
    for (size_t i = 2; i < ARGS; i++)
        if (!number_parse_u64(args[i], numbers[i - 2]))
            return ERR_INVALID;
    if (shard > UINT32_MAX || verdict > WIRE_CONTRADICTED)
        return ERR_INVALID;
    digest->shard = (uint32_t)shard;
    digest->verdict = (enum wire_verdict)verdict;
    return ERR_NONE;
}
