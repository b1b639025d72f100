#include "shard/internal.h"
#include "wire/hello.h"

static uint32_t own_version(const struct shard *shard)
{
    return shard->options.version ? shard->options.version : WIRE_VERSION;
}

static const struct shard_peer *find_met(const struct shard *shard, uint64_t node)
{
    const struct shard_versions *versions = &shard->versions;
    for (size_t i = 0; i < versions->count; i++)
        if (versions->met[i].node == node)
            return &versions->met[i];
    return NULL;
}

/* In a full table one that is no member gives up its place: there are more places than members. */
static struct shard_peer *place_for(struct shard *shard, uint64_t node)
{
    struct shard_versions *versions = &shard->versions;
    for (size_t i = 0; i < versions->count; i++)
        if (versions->met[i].node == node)
            return &versions->met[i];
    if (versions->count < SHARD_MET_MAX)
        return &versions->met[versions->count++];
    size_t at = 0;
    while (raft_membership_find(raft_membership(shard->raft), versions->met[at].node))
        at++;
    return &versions->met[at];
}

void shard_note_version(struct shard *shard, const struct shard_peer *peer)
{
    *place_for(shard, peer->node) = *peer;
}

uint32_t shard_version_of(const struct shard *shard, uint64_t node)
{
    const struct shard_peer *met = find_met(shard, node);
    if (node == raft_id(shard->raft))
        return own_version(shard);
    return met ? met->version : 0;
}

bool shard_all_speak(const struct shard *shard, uint32_t version)
{
    const struct raft_membership *members = raft_membership(shard->raft);
    for (size_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        const struct shard_peer *met = find_met(shard, member->id);
        if (member->id == raft_id(shard->raft))
            continue;
        if (!met || met->incarnation != member->incarnation || met->version < version)
            return false;
    }
    return own_version(shard) >= version;
}

bool shard_can_read(const struct shard *shard, uint64_t node)
{
    uint32_t version = shard_version_of(shard, node);
    return version == 0 || version >= raft_membership(shard->raft)->version;
}

uint32_t shard_version(const struct shard *shard)
{
    uint32_t agreed = shard->versions.agreed;
    return agreed > WIRE_VERSION_OLDEST ? agreed : WIRE_VERSION_OLDEST;
}

bool shard_forwards(const struct shard *shard)
{
    return shard->versions.agreed >= WIRE_VERSION_FORWARDS;
}

bool shard_will_forward(const struct shard *shard)
{
    return shard_forwards(shard) || raft_membership(shard->raft)->version >= WIRE_VERSION_FORWARDS;
}

/* Clients may wait for what the version brings, and connections may have to end. */
void shard_note_agreed(struct shard *shard)
{
    if (raft_membership(shard->raft)->version <= shard->versions.agreed)
        return;
    uint64_t commit = raft_commit_index(shard->raft);
    uint32_t version = raft_membership_at(shard->raft, commit)->version;
    if (version <= shard->versions.agreed)
        return;
    shard->versions.agreed = version;
    shard->membership_changed = true;
    shard->role_changed = true;
    log_line(shard->options.log, LOG_NOTICE,
             "shard %u: all members speak version %u: from now on nodes that do not are refused",
             (unsigned)shard->options.number, (unsigned)version);
}

/* A node that is alone agrees when a client wants what that brings: until then it may still be set
 * back. */
void shard_raise_version(struct shard *shard)
{
    const struct raft_membership *members = raft_membership(shard->raft);
    uint32_t version = own_version(shard);
    if (!shard_is_leader(shard) || (members->count < 2 && !shard->versions.wanted) ||
        members->version >= version || !shard_all_speak(shard, version))
        return;
    struct raft_membership wanted = *members;
    wanted.version = version;
    shard_change(shard, &wanted, shard->now); /* if it is refused now, the next turn tries again */
}

bool shard_has_sessions(const struct shard *shard)
{
    return shard->versions.agreed >= WIRE_VERSION_SESSIONS;
}

bool shard_has_types(const struct shard *shard)
{
    return shard->versions.agreed >= WIRE_VERSION_TYPES;
}

bool shard_has_databases(const struct shard *shard)
{
    return shard->versions.agreed >= WIRE_VERSION_DATABASES;
}

static uint32_t version_that_brought(enum shard_feature feature)
{
    switch (feature) {
    case SHARD_SESSIONS:
        return WIRE_VERSION_SESSIONS;
    case SHARD_TYPES:
        return WIRE_VERSION_TYPES;
    case SHARD_DATABASES:
        return WIRE_VERSION_DATABASES;
    }
    return WIRE_VERSION;
}

bool shard_ask(struct shard *shard, enum shard_feature feature)
{
    uint32_t version = version_that_brought(feature);
    shard->versions.wanted = true;
    return shard->versions.agreed >= version || shard_all_speak(shard, version) ||
           raft_membership(shard->raft)->version >= version;
}
