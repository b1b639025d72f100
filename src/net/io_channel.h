/* Private to net/: messages between the loop and one of its I/O threads, in batches.
 *
 * A batch is filled by one side, goes over a ring (base/ring.h), is read by the other and comes
 * back with one of the other's batches to be filled again. What spans and offsets of a batch point
 * to lives as long as the receiver handles it. A ring that is full keeps batches at the sender. */
#ifndef FLOTILLA_NET_IO_CHANNEL_H
#define FLOTILLA_NET_IO_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ring.h"
#include "base/span.h"
#include "net/output.h"
#include "shard/shard.h"

enum {
    NET_REPORTS = 256,                 /* of a batch */
    NET_REPORT_BYTES = 128 * 1024,     /* of input in a batch */
    NET_REPORT_SPANS = 8 * 1024,       /* arguments, and one for each request */
    NET_BATCHES_KEPT = 4,              /* by each side; more than these are freed */
    NET_TURN_BYTES = 256 * 1024,       /* of input from a thread, then the loop goes on */
    NET_ORDER_BYTES_KEPT = 256 * 1024, /* of a batch of orders that is kept */
    NET_COPIED_MAX = 16 * 1024, /* longer replies are handed over, shorter ones copied to a batch */
};

struct net_batch {
    struct net_batch *next;
    struct net_batch *returned; /* the receiver's own batches, empty */
};

/* --- to a thread --- */

enum net_order_kind {
    ORDER_ADOPT,    /* fd, input, credit */
    ORDER_WORK,     /* all that follows `fd` */
    ORDER_CLOSE,    /* the last one for this client */
    ORDER_SETTINGS, /* for no client */
    ORDER_STOP,
};

struct net_order {
    enum net_order_kind kind;
    struct shard_client client;
    int fd;
    bool stop_reading;
    bool shrink;         /* give back buffers that are empty */
    bool raw;            /* from now on the loop cuts the input into requests */
    bool tell;           /* report once no more than tell_below bytes are unwritten */
    uint64_t tell_below; /* ORDER_SETTINGS: client-query-buffer-limit */
    uint64_t credit;     /* so many more bytes of input may be reported; _SETTINGS: bulk_len_max */
    struct buf input;    /* what was read already; the thread's from now on */
    struct net_chunks chunks; /* replies, the thread's from now on … */
    size_t bytes_at;          /* … and behind them short ones, in the batch's bytes */
    size_t bytes_len;
};

struct net_orders {
    struct net_batch batch;
    struct net_order *items;
    size_t count;
    size_t cap;
    struct buf bytes;
};

/* --- to the loop --- */

/* What has happened to a connection since its last report. */
struct net_report {
    struct shard_client client;
    bool end_of_input;
    bool failed; /* the connection is broken */
    bool told;   /* what an order asked for */
    uint32_t request_count;
    /* Of each request: a span that ends where it begins, `len` the number of arguments and `ptr`
     * the byte behind the request; then the arguments. Requests without arguments are left out. */
    const struct span *requests;
    struct span bytes;  /* whole requests, more than request_count perhaps; or no requests at all */
    struct buf own;     /* what holds `bytes` if the batch does not; the loop's from now on */
    uint64_t read;      /* bytes */
    uint64_t written;   /* bytes */
    uint64_t unwritten; /* that the socket did not take, now */
    size_t memory;      /* of the connection at its thread, with what is unwritten and held */
    size_t held;        /* of a request that is not whole, now … */
    size_t wanted;      /* … and so much is known to be missing of it */
};

struct net_reports {
    struct net_batch batch;
    _Atomic size_t *memory;
    bool signals; /* the loop shall not wait for something else before it looks */
    struct net_report *items;
    size_t count;
    struct span *spans;
    size_t span_count;
    char *bytes;
    size_t bytes_len;
};

/* --- either way --- */

/* One direction. */
struct net_sender {
    struct ring ring;
    struct net_batch *first; /* that the ring had no room for */
    struct net_batch *last;
};

/* Sends it behind all that waits; NULL: those alone. True: the receiver must be signalled. */
bool net_send(struct net_sender *sender, struct net_batch *batch, bool signals,
              struct ring_sleeper *receiver);
static inline bool net_sender_is_behind(const struct net_sender *sender)
{
    return sender->first != NULL;
}
void net_signal(int event); /* an eventfd */

/* Batches of one kind that lie idle. */
struct net_spare {
    struct net_batch *first;
    size_t count;
};

/* False: there are enough. */
bool net_spare_keep(struct net_spare *spare, struct net_batch *batch);
struct net_batch *net_spare_take(struct net_spare *spare); /* NULL: none */
struct net_batch *net_spare_take_all(struct net_spare *spare);

struct net_orders *net_orders_new(void);
void net_orders_clear(struct net_orders *orders); /* what it held was taken out */
void net_orders_free(struct net_orders *orders);  /* with what it holds */
/* `memory`: bytes of all batches of a thread, which either side may free. */
struct net_reports *net_reports_new(_Atomic size_t *memory);
void net_reports_free(struct net_reports *reports);

#endif
