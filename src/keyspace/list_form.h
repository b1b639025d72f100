/* The inside of a list. Private to list*.c. */
#ifndef FLOTILLA_KEYSPACE_LIST_FORM_H
#define FLOTILLA_KEYSPACE_LIST_FORM_H

#include "keyspace/list.h"
#include "keyspace/series.h"

/* A leaf of the spine. Its own sum spares hashing what an edit does not concern. */
struct chunk {
    struct listpack pack; /* never empty */
    struct series series;
};

struct list {
    struct series series;
    bool is_long;
    union {
        struct listpack pack; /* !is_long */
        struct spine spine;   /* is_long; never empty */
    };
};

/* What one packed sequence may hold. */
struct list_limits {
    size_t bytes;
    size_t count;
};

struct list_limits list_limits(const struct value_rules *rules);

/* From one form to the other. */
void list_lengthen(struct list *list);
/* If it has become so short that it will not soon be long again. */
void list_shorten(struct list *list, const struct list_limits *limits);

void list_chunk_free(struct chunk *chunk);

#endif
