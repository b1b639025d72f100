#include "wire/witness.h"

#include <hiredis/hiredis.h>

#include "base/assert.h"
#include "base/number.h"
#include "wire/frame.h"

enum {
    HEAD = 6, /* arguments before the members */
    PER_MEMBER = 3,
    ARGS_MAX = HEAD + PER_MEMBER * RAFT_MEMBERS_MAX,
};

_Static_assert(ARGS_MAX <= (int)WIRE_FRAME_ARGS_MAX, "a frame has room for all members");

bool wire_is_witness(struct span name)
{
    return span_is(name, "RAFT.WITNESS");
}

void wire_encode_witness(struct buf *out, const struct wire_witness *witness)
{
    uint64_t numbers[ARGS_MAX] = {0, 0, witness->shard, witness->term, witness->from, witness->to};
    size_t argc = HEAD;
    for (size_t i = 0; i < witness->count; i++) {
        numbers[argc++] = witness->members[i].id;
        numbers[argc++] = witness->members[i].incarnation;
        numbers[argc++] = witness->members[i].index;
    }
    char texts[ARGS_MAX][NUMBER_I64_CHARS];
    const char *argv[ARGS_MAX] = {"RAFT.WITNESS", witness->cluster_id.ptr};
    size_t lens[ARGS_MAX] = {sizeof "RAFT.WITNESS" - 1, witness->cluster_id.len};
    for (size_t i = 2; i < argc; i++) {
        argv[i] = texts[i];
        lens[i] = number_format_u64(texts[i], numbers[i]);
    }
    char *formatted;
    int len = redisFormatCommandArgv(&formatted, (int)argc, argv, lens);
    if (len < 0)
        FATAL("out of memory");
    buf_add(out, formatted, (size_t)len);
    redisFreeCommand(formatted);
}

enum err wire_parse_witness(const struct span *args, size_t argc, struct wire_witness *witness)
{
    uint64_t numbers[ARGS_MAX];
    if (argc < HEAD || argc > ARGS_MAX || (argc - HEAD) % PER_MEMBER || !wire_is_witness(args[0]))
        return ERR_INVALID;
    for (size_t i = 2; i < argc; i++)
        if (!number_parse_u64(args[i], &numbers[i]))
            return ERR_INVALID;
    if (numbers[2] > UINT32_MAX)
        return ERR_INVALID;
    *witness = (struct wire_witness){.cluster_id = args[1],
                                     .shard = (uint32_t)numbers[2],
                                     .term = numbers[3],
                                     .from = numbers[4],
                                     .to = numbers[5],
                                     .count = (argc - HEAD) / PER_MEMBER};
    for (size_t i = 0; i < witness->count; i++) {
        const uint64_t *at = &numbers[HEAD + PER_MEMBER * i];
        witness->members[i] =
            (struct raft_witness){.id = at[0], .incarnation = at[1], .index = at[2]};
    }
    return ERR_NONE;
}
