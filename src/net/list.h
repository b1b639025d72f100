/* Intrusive doubly linked lists: a client is on a waiting list and on the resume list without any
 * allocation, and leaves them in O(1). A link that is on no list points to itself. */
#ifndef FLOTILLA_NET_LIST_H
#define FLOTILLA_NET_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *prev;
    struct list_link *next;
};

#define LIST_OWNER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list_link *link)
{
    link->prev = link;
    link->next = link;
}

static inline bool list_is_alone(const struct list_link *link)
{
    return link->next == link;
}

static inline void list_remove(struct list_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

static inline void list_append(struct list_link *list, struct list_link *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* The first of the list, taken off it; NULL if there is none. */
static inline struct list_link *list_take_first(struct list_link *list)
{
    struct list_link *first = list->next;
    if (first == list)
        return NULL;
    list_remove(first);
    return first;
}

#endif
