#include "peer/guard.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

bool guard_key_of(const struct sockaddr *address, struct guard_key *key)
{
    memset(key, 0, sizeof *key);
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        memcpy(key->bytes, mapped, sizeof mapped);
        memcpy(key->bytes + sizeof mapped, &in->sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
    bool is_ipv4 = memcmp(&in6->sin6_addr, mapped, sizeof mapped) == 0;
    memcpy(key->bytes, &in6->sin6_addr, is_ipv4 ? 16 : 8);
    return true;
}

bool guard_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
    const unsigned char *bytes = in6->sin6_addr.s6_addr;
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return bytes[sizeof mapped] == 127;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static struct guard_entry *find(struct guard *guard, const struct guard_key *key)
{
    for (size_t i = 0; i < GUARD_ADDRESSES; i++) {
        struct guard_entry *entry = &guard->entries[i];
        if (entry->used && memcmp(&entry->key, key, sizeof *key) == 0)
            return entry;
    }
    return NULL;
}

static struct guard_entry *take_place(struct guard *guard, const struct guard_key *key)
{
    struct guard_entry *oldest = &guard->entries[0];
    for (size_t i = 0; i < GUARD_ADDRESSES && oldest->used; i++) {
        struct guard_entry *entry = &guard->entries[i];
        if (!entry->used || entry->counted_ms < oldest->counted_ms)
            oldest = entry;
    }
    *oldest = (struct guard_entry){.key = *key, .used = true};
    return oldest;
}

static void forgive(struct guard_entry *entry, uint64_t now_ms)
{
    uint64_t forgiven = (now_ms - entry->counted_ms) / GUARD_FORGIVE_MS;
    if (forgiven >= entry->failures) {
        entry->failures = 0;
        entry->counted_ms = now_ms;
        return;
    }
    entry->failures -= (uint32_t)forgiven;
    entry->counted_ms += forgiven * GUARD_FORGIVE_MS;
}

struct guard_verdict guard_failed(struct guard *guard, const struct guard_key *key, uint64_t now_ms)
{
    struct guard_entry *entry = find(guard, key);
    bool is_first = !entry;
    if (is_first) {
        entry = take_place(guard, key);
        entry->counted_ms = now_ms;
    }
    forgive(entry, now_ms);
    struct guard_verdict verdict = {.delay_ms = entry->failures * GUARD_DELAY_MS};
    if (verdict.delay_ms > GUARD_DELAY_MAX_MS)
        verdict.delay_ms = GUARD_DELAY_MAX_MS;
    if (entry->failures < GUARD_FAILURES_COUNTED)
        entry->failures++;
    if (!is_first && now_ms < entry->said_ms + GUARD_SAY_MS) {
        entry->repeats++;
        return verdict;
    }
    verdict.say = true;
    verdict.repeats = entry->repeats;
    entry->repeats = 0;
    entry->said_ms = now_ms;
    return verdict;
}
