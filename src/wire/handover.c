#include "wire/handover.h"

#include <hiredis/hiredis.h>

#include "base/assert.h"
#include "base/number.h"

enum { ARGS = 6, FIRST_NUMBER = 2 };

bool wire_is_handover(struct span name)
{
    return span_is(name, "RAFT.HANDOVER");
}

void wire_encode_handover(struct buf *out, const struct wire_handover *handover)
{
    const uint64_t numbers[ARGS] = {0,           0, handover->shard, handover->term, handover->from,
                                    handover->to};
    char texts[ARGS][NUMBER_I64_CHARS];
    const char *argv[ARGS] = {"RAFT.HANDOVER", handover->cluster_id.ptr};
    size_t lens[ARGS] = {sizeof "RAFT.HANDOVER" - 1, handover->cluster_id.len};
    for (size_t i = FIRST_NUMBER; i < ARGS; i++) {
        argv[i] = texts[i];
        lens[i] = number_format_u64(texts[i], numbers[i]);
    }
    char *formatted;
    int len = redisFormatCommandArgv(&formatted, ARGS, argv, lens);
    if (len < 0)
        FATAL("out of memory");
    buf_add(out, formatted, (size_t)len);
    redisFreeCommand(formatted);
}

enum err wire_parse_handover(const struct span *args, size_t argc, struct wire_handover *handover)
{
    uint64_t numbers[ARGS];
    if (argc != ARGS || !wire_is_handover(args[0]))
        return ERR_INVALID;
    for (size_t i = FIRST_NUMBER; i < ARGS; i++)
        if (!number_parse_u64(args[i], &numbers[i]))
            return ERR_INVALID;
    if (numbers[2] > UINT32_MAX)
        return ERR_INVALID;
    *handover = (struct wire_handover){.cluster_id = args[1],
                                       .shard = (uint32_t)numbers[2],
                                       .term = numbers[3],
                                       .from = numbers[4],
                                       .to = numbers[5]};
    return ERR_NONE;
}
