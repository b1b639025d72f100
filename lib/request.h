/* A call on its way: its bytes, how far it has come, and what became of it. And the queue of them,
 * in the order in which they were made. */
#ifndef FLOTILLA_LIB_REQUEST_H
#define FLOTILLA_LIB_REQUEST_H

#include <stdint.h>

#include "flotilla.h"

struct request {
    struct request *previous;
    struct request *next;
    enum flotilla_repeat repeat;
    int64_t deadline_ms;
    flotilla_done *done;
    void *context;

    uint64_t number;  /* in that session; 0: it has none yet */
    uint64_t session; /* 0: none */
    unsigned attempts;
    unsigned refusals;   /* nodes whose disk was full */
    bool sent;           /* on the connection in use, and not answered */
    bool maybe;          /* an earlier attempt may have been carried out */
    bool number_refused; /* this attempt's: it is not carried out */

    bool transaction;
    struct flotilla_reply *queue_error; /* the first command that was not queued */
    struct flotilla_reply *reply;
    struct flotilla_error error;

    unsigned replies; /* that the bytes bring */
    size_t bytes;
    char text[];
};

struct request_queue {
    struct request *first;
    struct request *last;
};

/* `count` is 1, or the commands of a transaction. NULL: `error` says why. */
struct request *request_new(const struct flotilla_call *calls, size_t count, bool transaction,
                            struct flotilla_error *error);
void request_free(struct request *request);

void request_append(struct request_queue *queue, struct request *request);
void request_remove(struct request_queue *queue, struct request *request);
/* Before `before`, which is in the queue; NULL: at the end. */
void request_insert(struct request_queue *queue, struct request *request, struct request *before);

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void error_set(struct flotilla_error *error, enum flotilla_status status, const char *format, ...);

#endif
