/* Private to net/: an I/O thread, and its connections. Only io.c of the loop knows it. */
#ifndef FLOTILLA_NET_IO_THREAD_H
#define FLOTILLA_NET_IO_THREAD_H

#include "net/io_channel.h"
#include "net/list.h"
#include "resp/parse.h"

/* A connection, as its thread knows it. */
struct net_socket {
    struct shard_client client; /* of the loop */
    int fd;
    uint32_t watched; /* events that epoll waits for; 0: it does not know the descriptor */
    bool end_of_input;
    bool failed;
    bool stopped; /* the loop wants no more input */
    bool raw;     /* the parser has given up: the loop gets bytes */
    bool tell;
    uint64_t tell_below;
    int64_t credit;
    struct buf in; /* the beginning of a request */
    struct resp_parser parser;
    struct net_output output;
    uint64_t written; /* not reported yet */
    bool is_blocked;  /* the socket took less than there was, which is not reported yet */
    bool news;        /* of `failed` or `told`, not reported yet */
    bool told;
    struct list_link unreported;
};

struct net_io_thread {
    /* Both sides. */
    struct net_sender orders;
    struct net_sender reports;
    _Atomic size_t memory;       /* of its batches of reports */
    struct ring_sleeper sleeper; /* the thread */
    struct ring_sleeper *loop;   /* borrowed */
    int event;                   /* signals the thread */
    int loop_event;              /* signals the loop; borrowed */
    /* The thread's. */
    int epoll;
    struct net_socket **sockets; /* by the slot of their client */
    size_t socket_cap;
    struct list_link unreported;
    struct net_reports *open; /* being filled; NULL: none */
    struct net_spare spare;   /* of reports */
    struct net_spare used;    /* of orders, to be returned */
    uint64_t query_buffer_max;
    uint64_t bulk_len_max;
    bool stop;
};

void net_thread_open(struct net_io_thread *thread);
/* Not while it runs. */
void net_thread_close(struct net_io_thread *thread);
void net_thread_run(void *thread); /* until ORDER_STOP */
void net_thread_turn(struct net_io_thread *thread, bool may_wait);
/* A batch with room for one more report and, of input, for one read. */
struct net_reports *net_thread_room(struct net_io_thread *thread);
void net_thread_send(struct net_io_thread *thread);

/* io_socket.c */
struct net_socket *net_socket_new(struct net_io_thread *thread, struct net_order *order);
void net_socket_free(struct net_io_thread *thread, struct net_socket *socket);
void net_socket_work(struct net_io_thread *thread, struct net_socket *socket,
                     struct net_order *order, struct span bytes);
void net_socket_read(struct net_io_thread *thread, struct net_socket *socket);
void net_socket_write(struct net_io_thread *thread, struct net_socket *socket);
/* What became of it beside input. */
void net_socket_report(struct net_io_thread *thread, struct net_socket *socket);
/* Settings have changed. */
void net_socket_rewatch(struct net_io_thread *thread, struct net_socket *socket);

#endif
