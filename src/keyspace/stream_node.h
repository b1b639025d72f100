/* A node of a stream: some entries in one pack, as Redis writes it into RDB files. Private to
 * keyspace/.
 *
 *     live | deleted | number of fields | field … | 0 | entry …
 *     entry: flags | ms | seq | value …                                     | n   (SAME_FIELDS)
 *            flags | ms | seq | number of fields | field | value | … | n
 *
 * The node has an ID, and the entries' ms and seq are differences to it. Its fields are those of
 * its first entry; entries with the same fields have only values. n is the number of elements that
 * come before it in the entry, for walking backwards. Redis marks deleted entries with a flag; here
 * they are taken out, and those of a loaded node too: `deleted` is always 0. */
#ifndef FLOTILLA_KEYSPACE_STREAM_NODE_H
#define FLOTILLA_KEYSPACE_STREAM_NODE_H

#include "keyspace/listpack.h"
#include "keyspace/stream_id.h"

struct stream_node {
    struct stream_id id;
    struct listpack pack;
    uint32_t live;    /* the number of entries */
    uint32_t fields;  /* number of the node's own */
    uint32_t names;   /* the place of the first of them, or of the 0 */
    uint32_t entries; /* the place of the first entry */
    uint64_t sum;     /* of stream_entry_digest() of all entries */
};

/* An entry, and a position among its fields. Valid until the node changes. */
struct stream_entry {
    struct stream_id id;
    size_t field_count;
    /* Private. */
    const struct stream_node *node;
    size_t at;     /* the place of its flags */
    size_t values; /* the place of its first value, or of its first field */
    size_t fields; /* the place of the first field in the node; 0: it has fields of its own */
    size_t size;   /* the number that its last element says */
};

struct stream_field {
    struct span name;
    struct span value;
};

/* A position among the fields of an entry. */
struct stream_field_walk {
    const struct listpack *pack;
    size_t left;
    size_t name; /* the place of the next one; 0: not known yet */
    size_t value;
    bool apart; /* names and values are not side by side */
    char scratch[2][NUMBER_I64_CHARS];
};

void stream_entry_fields(const struct stream_entry *entry, struct stream_field_walk *walk);
/* False: there are no more. The spans are valid until the next call. */
bool stream_field_next(struct stream_field_walk *walk, struct stream_field *field);

/* A hash of the ID and all fields. */
uint64_t stream_entry_digest(const struct stream_entry *entry);

/* args: field, value, field, value and so on; count: of the pairs. */
struct stream_fields {
    const struct span *args;
    size_t count;
};

/* A bound for the bytes that the entry adds to a node, and for those of a node with only this
 * entry. */
size_t stream_fields_bytes(const struct stream_fields *fields);

struct stream_node *stream_node_new(struct stream_id id, const struct stream_fields *fields);
struct stream_node *stream_node_copy(const struct stream_node *from);
void stream_node_free(struct stream_node *node);
size_t stream_node_memory(const struct stream_node *node);

/* The ID is greater than that of every entry of the node, and there is room. */
void stream_node_append(struct stream_node *node, struct stream_id id,
                        const struct stream_fields *fields);
/* Takes out an entry of this node, or the first ones. They must not be all. */
void stream_node_delete(struct stream_node *node, const struct stream_entry *entry);
void stream_node_delete_first(struct stream_node *node, size_t count);

/* False: there is none. */
bool stream_node_first(const struct stream_node *node, struct stream_entry *entry);
bool stream_node_last(const struct stream_node *node, struct stream_entry *entry);
bool stream_entry_next(struct stream_entry *entry);
bool stream_entry_previous(struct stream_entry *entry);
/* The first one whose ID is not smaller, and how many come before it: all, if there is none. */
bool stream_node_seek(const struct stream_node *node, struct stream_id from,
                      struct stream_entry *entry, size_t *before);

/* Takes bytes of any origin. NULL: they are no node, or their entries are not in order. The node
 * may turn out to be without entries. */
struct stream_node *stream_node_load(struct stream_id id, struct span bytes);

#endif
