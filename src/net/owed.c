/* How long the replies may be that a client is owed. They are kept within
 * client-output-buffer-pause. */
#include "net/dispatch.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"

enum {
    KEYS_LOOKED_UP = 256,
    UNSURE_MAX = 64, /* replies of unknown length before a write */
};

/* At most, of the strings that are its keys' values, which are looked up only where they might be
 * long. */
static uint64_t strings_bytes(const struct keyspace *keyspace, const struct net_request *request)
{
    uint64_t most = (uint64_t)keyspace_longest(keyspace) * request->argc;
    if (most <= NET_SHORT_REPLY_BYTES)
        return 0;
    size_t positions[KEYS_LOOKED_UP];
    size_t count =
        command_keys(request->command, request->args, request->argc, positions, KEYS_LOOKED_UP);
    if (count > KEYS_LOOKED_UP)
        return most;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct item *item = keyspace_find(keyspace, request->args[positions[i]], NO_DEADLINE);
        bytes += item ? item_string_len(item) : 0;
    }
    return bytes;
}

/* So many replies whose length nobody knows may come before a write: fewer, if some were long of
 * late. */
static uint64_t unsure_max(const struct client *client)
{
    uint64_t longest = client->longest_reply;
    uint64_t most = longest ? client->net->settings.output_pause / longest : UNSURE_MAX;
    return most > UNSURE_MAX ? UNSURE_MAX : most ? most : 1;
}

bool client_may_write(struct client *client)
{
    if (client->owed_unsure < unsure_max(client) || client->net->settings.output_pause == 0)
        return true;
    if (client->owed_unsure > client_owed(client))
        client->owed_unsure = client_owed(client); /* some have come meanwhile */
    return client->owed_unsure < unsure_max(client);
}

bool client_count_reply(struct client *client, const struct net_request *request)
{
    const struct command *command = request->command;
    const struct shard *shard = client->net->shard;
    uint32_t flags = command->flags;
    bool counts = ((flags & COMMAND_VALUE_REPLY) || command->reply) &&
                  client->net->settings.output_pause != 0;
    if (counts && client->owed_lengthening)
        return false;
    if ((flags & COMMAND_LENGTHENS) && net_request_writes(request))
        client->owed_lengthening = true;
    if (!counts)
        return true;
    bool is_of_strings = !(flags & COMMAND_SINCE_TYPES);
    const struct keyspace *keyspace = shard_keyspace(shard, client->database);
    if (command->reply)
        client->owed_bytes += command->reply(keyspace, request->args, request->argc);
    else if (is_of_strings)
        client->owed_bytes += strings_bytes(keyspace, request);
    if (!(command->reply || is_of_strings) || shard_may_lengthen(shard))
        client->owed_unsure++;
    return true;
}
