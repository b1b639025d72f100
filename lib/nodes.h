/* The nodes that a client knows: those that it was given, and those that it has heard of. */
#ifndef FLOTILLA_LIB_NODES_H
#define FLOTILLA_LIB_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NODES_MAX = 64,
    NODES_GIVEN_MAX = 32,
    NODE_HOST_MAX = 256,
    NODE_NAME_MAX = NODE_HOST_MAX + 10
};

struct node {
    char host[NODE_HOST_MAX];
    uint16_t port;
    unsigned turn; /* which of its addresses is next */
};

struct nodes {
    struct node list[NODES_MAX];
    size_t count;
    size_t given; /* the first ones stay */
    size_t next;  /* whose turn it is */
};

/* "host:port", "[v6]:port"; false: it is neither. */
bool node_parse(const char *text, size_t length, struct node *node);
/* Addresses between commas, blanks allowed around them. false: `cause` says why. */
bool nodes_parse(struct nodes *nodes, const char *list, char *cause, size_t cause_size);
/* A node that was heard of; one too many takes the place of the one heard of first. Its number. */
size_t nodes_learn(struct nodes *nodes, const struct node *node);
/* The number of the node whose turn it is. */
size_t nodes_turn(struct nodes *nodes);
/* "host:port" */
void node_name(const struct node *node, char name[NODE_NAME_MAX]);

#endif
