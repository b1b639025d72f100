/* The turn of an I/O thread: carry out orders, wait for sockets, read what is ready, report. */
#include "net/io_thread.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/module.h"

enum { EVENTS_PER_TURN = 128, BEHIND_WAIT_MS = 1 };

void net_thread_open(struct net_io_thread *thread)
{
    list_init(&thread->unreported);
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* Each signal is an edge: nobody has to read the counter. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (thread->epoll < 0 || thread->event < 0 ||
        epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->event, &event))
        FATAL("an I/O thread cannot be made: no descriptors");
}

static void free_batches(struct net_batch *first, void (*free_one)(struct net_batch *batch))
{
    for (struct net_batch *next; first; first = next) {
        next = first->next;
        free_one(first);
    }
}

static void free_orders(struct net_batch *batch)
{
    net_orders_free(LIST_OWNER(batch, struct net_orders, batch));
}

static void free_reports(struct net_batch *batch)
{
    net_reports_free(LIST_OWNER(batch, struct net_reports, batch));
}

/* What was sent and not taken. */
static void free_sent(struct net_sender *sender, void (*free_one)(struct net_batch *batch),
                      void (*free_returned)(struct net_batch *batch))
{
    net_send(sender, NULL, false, &(struct ring_sleeper){.sleeps = false});
    for (struct net_batch *batch;;) {
        batch = ring_take(&sender->ring);
        if (!batch)
            break;
        free_batches(batch->returned, free_returned);
        free_one(batch);
        net_send(sender, NULL, false, &(struct ring_sleeper){.sleeps = false});
    }
}

void net_thread_close(struct net_io_thread *thread)
{
    for (size_t slot = 0; slot < thread->socket_cap; slot++)
        if (thread->sockets[slot])
            net_socket_free(thread, thread->sockets[slot]);
    mem_free(thread->sockets);
    free_sent(&thread->orders, free_orders, free_reports);
    free_sent(&thread->reports, free_reports, free_orders);
    free_batches(net_spare_take_all(&thread->spare), free_reports);
    free_batches(net_spare_take_all(&thread->used), free_orders);
    if (thread->open)
        net_reports_free(thread->open);
    close(thread->event);
    close(thread->epoll);
}

/* --- reports --- */

void net_thread_send(struct net_io_thread *thread)
{
    struct net_reports *open = thread->open;
    bool signals = false;
    if (open && open->count) {
        thread->open = NULL;
        open->batch.returned = net_spare_take_all(&thread->used);
        signals = open->signals;
    } else {
        open = NULL;
        if (!net_sender_is_behind(&thread->reports))
            return;
    }
    if (net_send(&thread->reports, open ? &open->batch : NULL, signals, thread->loop))
        net_signal(thread->loop_event);
}

struct net_reports *net_thread_room(struct net_io_thread *thread)
{
    struct net_reports *open = thread->open;
    if (open &&
        (open->count == NET_REPORTS || NET_REPORT_BYTES - open->bytes_len < NET_READ_BYTES ||
         NET_REPORT_SPANS - open->span_count < NET_REPORT_SPANS / 4))
        net_thread_send(thread);
    if (thread->open)
        return thread->open;
    struct net_batch *spare = net_spare_take(&thread->spare);
    open = spare ? LIST_OWNER(spare, struct net_reports, batch) : net_reports_new(&thread->memory);
    open->count = open->span_count = open->bytes_len = 0;
    open->signals = false;
    thread->open = open;
    return open;
}

static void report_rest(struct net_io_thread *thread)
{
    struct list_link *link;
    while ((link = list_take_first(&thread->unreported)))
        net_socket_report(thread, LIST_OWNER(link, struct net_socket, unreported));
    net_thread_send(thread);
}

/* --- orders --- */

static struct net_socket *socket_of(const struct net_io_thread *thread, struct shard_client client)
{
    ASSERT(client.slot < thread->socket_cap && thread->sockets[client.slot]);
    struct net_socket *socket = thread->sockets[client.slot];
    ASSERT(socket->client.generation == client.generation);
    return socket;
}

static void adopt(struct net_io_thread *thread, struct net_order *order)
{
    size_t slot = order->client.slot;
    if (slot >= thread->socket_cap) {
        size_t cap = thread->socket_cap ? thread->socket_cap : 64;
        while (cap <= slot)
            cap *= 2;
        thread->sockets = mem_realloc(thread->sockets, cap * sizeof *thread->sockets);
        memset(thread->sockets + thread->socket_cap, 0,
               (cap - thread->socket_cap) * sizeof *thread->sockets);
        thread->socket_cap = cap;
    }
    ASSERT(!thread->sockets[slot]);
    thread->sockets[slot] = net_socket_new(thread, order);
}

static void change_settings(struct net_io_thread *thread, const struct net_order *order)
{
    thread->query_buffer_max = order->tell_below;
    thread->bulk_len_max = order->credit;
    for (size_t slot = 0; slot < thread->socket_cap; slot++)
        if (thread->sockets[slot])
            net_socket_rewatch(thread, thread->sockets[slot]);
}

static void carry_out(struct net_io_thread *thread, struct net_order *order, const char *bytes)
{
    struct net_socket *socket;
    switch (order->kind) {
    case ORDER_ADOPT:
        adopt(thread, order);
        return;
    case ORDER_WORK:
        net_socket_work(thread, socket_of(thread, order->client), order,
                        span_of(bytes + order->bytes_at, order->bytes_len));
        return;
    case ORDER_CLOSE:
        socket = socket_of(thread, order->client);
        thread->sockets[order->client.slot] = NULL;
        net_socket_free(thread, socket);
        return;
    case ORDER_SETTINGS:
        change_settings(thread, order);
        return;
    case ORDER_STOP:
        thread->stop = true;
        return;
    }
}

static void take_orders(struct net_io_thread *thread)
{
    struct net_batch *batch;
    while ((batch = ring_take(&thread->orders.ring))) {
        struct net_orders *orders = LIST_OWNER(batch, struct net_orders, batch);
        for (struct net_batch *own = batch->returned, *next; own; own = next) {
            next = own->next;
            if (!net_spare_keep(&thread->spare, own))
                free_reports(own);
        }
        batch->returned = NULL;
        for (size_t i = 0; i < orders->count; i++)
            carry_out(thread, &orders->items[i], orders->bytes.ptr);
        net_orders_clear(orders);
        if (!net_spare_keep(&thread->used, batch))
            net_orders_free(orders);
    }
}

/* --- the turn --- */

/* Between the look at the ring and the wait the loop may order something: it signals then. */
static int wait_ms(struct net_io_thread *thread, bool may_wait)
{
    if (!may_wait || thread->stop)
        return 0;
    if (net_sender_is_behind(&thread->reports))
        return BEHIND_WAIT_MS;
    ring_sleep(&thread->sleeper);
    return ring_is_empty(&thread->orders.ring) ? -1 : 0;
}

void net_thread_turn(struct net_io_thread *thread, bool may_wait)
{
    take_orders(thread);
    report_rest(thread);
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(thread->epoll, events, EVENTS_PER_TURN, wait_ms(thread, may_wait));
    ring_wake(&thread->sleeper);
    for (int i = 0; i < count; i++) {
        struct net_socket *socket = events[i].data.ptr;
        if (!socket)
            continue; /* orders */
        bool broken = events[i].events & (EPOLLERR | EPOLLHUP);
        if (socket->watched & EPOLLOUT && (broken || events[i].events & EPOLLOUT))
            net_socket_write(thread, socket);
        if (socket->watched & EPOLLIN && (broken || events[i].events & EPOLLIN))
            net_socket_read(thread, socket);
    }
    report_rest(thread);
}

void net_thread_run(void *context)
{
    struct net_io_thread *thread = context;
    while (!thread->stop)
        net_thread_turn(thread, true);
}
