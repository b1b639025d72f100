/* Commands about messages under way. */
#include <string.h>

#include "sim/script/script.h"

enum { DELIVERIES_MAX = 3000 };

static uint64_t end_of_link(struct world *world, const char *text)
{
    return strcmp(text, "*") == 0 ? 0 : number_of(world, text);
}

/* "1->2", "1<->2", "*->2", or "1": whatever comes from it or goes to it. */
static struct link parse_link(struct world *world, char *text)
{
    char *arrow = strstr(text, "->");
    if (!arrow)
        return (struct link){.from = number_of(world, text), .both = true};
    bool both = arrow > text && arrow[-1] == '<';
    arrow[both ? -1 : 0] = 0;
    return (struct link){
        .from = end_of_link(world, text), .to = end_of_link(world, arrow + 2), .both = both};
}

static struct link take_link(struct world *world, struct words *words)
{
    struct link link = {0};
    if (words->count > 1 && strstr(words->at[1], "->"))
        link = parse_link(world, take_word(words, 1));
    if (words->count > 1 && !is_number(words->at[1]))
        link.type = take_word(words, 1);
    return link;
}

/* Some of the messages that are meant. New ones queue behind them. */
struct choice {
    struct link link;
    size_t first;
    size_t count;
};

static size_t count_meant(const struct world *world, const struct link *link)
{
    size_t count = 0;
    while (net_find(world, link, count) < world->network.count)
        count++;
    return count;
}

/* [LINK] [TYPE] [COUNT] [nth=N] [newest] */
static struct choice take_choice(struct world *world, struct words *words)
{
    bool newest = take_flag(words, "newest");
    uint64_t nth = take_number(world, words, "nth", 0);
    struct choice choice = {.link = take_link(world, words)};
    size_t meant = count_meant(world, &choice.link);
    choice.count = meant;
    if (words->count > 1)
        choice.count = number_of(world, take_word(words, 1));
    if (newest || nth) {
        choice.first = newest ? meant - 1 : nth - 1;
        choice.count = 1;
    }
    if (meant == 0 || choice.count == 0 || choice.first + choice.count > meant)
        fail(world, "%zu messages are meant", meant);
    return choice;
}

void command_deliver(struct world *world, struct words *words)
{
    struct choice choice = take_choice(world, words);
    for (size_t i = 0; i < choice.count; i++) {
        struct flight flight = net_take(world, net_find(world, &choice.link, choice.first));
        node_deliver(world, &flight);
    }
}

void command_drop(struct world *world, struct words *words)
{
    struct choice choice = take_choice(world, words);
    for (size_t i = 0; i < choice.count; i++) {
        struct flight flight = net_take(world, net_find(world, &choice.link, choice.first));
        print_flight(world, "lost: ", &flight, "");
        flight_close(&flight);
    }
}

void command_duplicate(struct world *world, struct words *words)
{
    struct choice choice = take_choice(world, words);
    for (size_t i = 0; i < choice.count; i++) {
        size_t at = net_find(world, &choice.link, choice.first + i);
        struct flight copy = flight_copy(&world->network.list[at]);
        print_flight(world, "again: ", &copy, "");
        flights_push(&world->network, copy);
    }
}

void command_reverse(struct world *world, struct words *words)
{
    struct link link = take_link(world, words);
    net_reverse(world, &link);
}

static void cut_words(struct world *world, struct words *words, bool cut)
{
    for (size_t i = 1; i < words->count; i++) {
        struct link link = parse_link(world, words->at[i]);
        net_cut(world, &link, cut);
    }
}

void command_cut(struct world *world, struct words *words)
{
    cut_words(world, words, true);
}

void command_heal(struct world *world, struct words *words)
{
    const struct link all = {0};
    if (words->count == 1)
        net_cut(world, &all, false);
    else
        cut_words(world, words, false);
}

static size_t find_among(const struct world *world, const bool *among)
{
    size_t at = 0;
    for (; at < world->network.count; at++) {
        const struct raft_message *message = &world->network.list[at].message;
        if (among[message->from] && among[message->to])
            break;
    }
    return at;
}

static void deliver_all(struct world *world, const bool *among)
{
    size_t deliveries = 0;
    for (size_t at; (at = find_among(world, among)) < world->network.count;) {
        struct flight flight = net_take(world, at);
        node_deliver(world, &flight);
        if (++deliveries > DELIVERIES_MAX)
            fail(world, "there is no end to the messages");
    }
}

void command_stabilize(struct world *world, struct words *words)
{
    bool among[NODES_MAX + 1] = {false};
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++)
        among[ids.at[i]] = true;
    deliver_all(world, among);
}

void command_flights(struct world *world, struct words *words)
{
    struct link link = take_link(world, words);
    size_t at;
    for (size_t nth = 0; (at = net_find(world, &link, nth)) < world->network.count; nth++)
        print_flight(world, "", &world->network.list[at], "");
}
