/* Intrusive doubly linked lists: a client is on a waiting list and on the resume list without any
 * allocation, and leaves them in O(1). A link that is on no list points to itself. */
#ifndef FLOTILLA_NET_LIST_H
#define FLOTILLA_NET_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev;
    struct link *next;
};

#define LINK_OWNER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void link_init(struct link *link)
{
    link->prev = link;
    link->next = link;
}

static inline bool link_is_alone(const struct link *link)
{
    return link->next == link;
}

static inline void link_remove(struct link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link_init(link);
}

static inline void link_append(struct link *list, struct link *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* The first of the list, taken off it; NULL if there is none. */
static inline struct link *link_take_first(struct link *list)
{
    struct link *first = list->next;
    if (first == list)
        return NULL;
    link_remove(first);
    return first;
}

#endif
