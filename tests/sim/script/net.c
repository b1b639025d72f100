/* Messages under way: one list in the order of sending; the script picks. */
#include <string.h>

#include "base/mem.h"
#include "sim/script/script.h"

void flights_push(struct flights *flights, struct flight flight)
{
    if (flights->count == flights->cap) {
        flights->cap = flights->cap ? flights->cap * 2 : 16;
        flights->list = mem_realloc(flights->list, flights->cap * sizeof *flights->list);
    }
    flights->list[flights->count++] = flight;
}

void flights_close(struct flights *flights)
{
    for (size_t i = 0; i < flights->count; i++)
        flight_close(&flights->list[i]);
    mem_free(flights->list);
    *flights = (struct flights){0};
}

void flight_close(struct flight *flight)
{
    mem_free(flight->entries);
    flight->entries = NULL;
}

struct flight flight_copy(const struct flight *flight)
{
    struct flight copy = *flight;
    if (!flight->entries)
        return copy;
    size_t bytes = flight->message.append_request.entry_count * sizeof *copy.entries;
    copy.entries = mem_alloc(bytes);
    memcpy(copy.entries, flight->entries, bytes);
    return copy;
}

void net_send(struct world *world, struct flight flight)
{
    const struct raft_message *message = &flight.message;
    bool lost = message->to > NODES_MAX || world->cut[message->from][message->to];
    print_flight(world, "", &flight, lost ? " (lost)" : "");
    if (lost)
        flight_close(&flight);
    else
        flights_push(&world->network, flight);
}

static bool joins(const struct link *link, uint64_t from, uint64_t to)
{
    return (link->from == 0 || link->from == from) && (link->to == 0 || link->to == to);
}

static bool is_on(const struct link *link, uint64_t from, uint64_t to)
{
    return joins(link, from, to) || (link->both && joins(link, to, from));
}

static bool is_meant(const struct link *link, const struct raft_message *message)
{
    return is_on(link, message->from, message->to) &&
           (!link->type || strcmp(link->type, message_type_name(message)) == 0);
}

size_t net_find(const struct world *world, const struct link *link, size_t nth)
{
    size_t at = 0;
    for (; at < world->network.count; at++) {
        if (is_meant(link, &world->network.list[at].message) && nth-- == 0)
            break;
    }
    return at;
}

struct flight net_take(struct world *world, size_t at)
{
    struct flights *network = &world->network;
    struct flight flight = network->list[at];
    network->count--;
    memmove(&network->list[at], &network->list[at + 1],
            (network->count - at) * sizeof *network->list);
    return flight;
}

void net_reverse(struct world *world, const struct link *link)
{
    size_t count = 0;
    while (net_find(world, link, count) < world->network.count)
        count++;
    for (size_t i = 0; i < count / 2; i++) {
        struct flight *one = &world->network.list[net_find(world, link, i)];
        struct flight *two = &world->network.list[net_find(world, link, count - 1 - i)];
        struct flight swap = *one;
        *one = *two;
        *two = swap;
    }
}

void net_cut(struct world *world, const struct link *link, bool cut)
{
    for (uint64_t from = 1; from <= NODES_MAX; from++) {
        for (uint64_t to = 1; to <= NODES_MAX; to++) {
            if (from != to && is_on(link, from, to))
                world->cut[from][to] = cut;
        }
    }
    for (size_t at; cut && (at = net_find(world, link, 0)) < world->network.count;) {
        struct flight lost = net_take(world, at);
        flight_close(&lost);
    }
}
