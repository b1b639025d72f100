/* The loop's side of the I/O threads: starting and ending them, and the traffic of a turn. */
#include "net/io.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/io_thread.h"
#include "net/module.h"

enum { BEHIND_WAIT_MS = 1 };

/* What the loop has of a thread. */
struct worker {
    struct net_io_thread *thread;
    void *handle;            /* NULL: the caller steps it */
    struct net_orders *open; /* being filled; NULL: none */
    struct net_spare spare;  /* of orders */
    struct net_spare used;   /* of reports, to be returned */
    uint32_t clients;
};

struct net_io {
    struct net *net;
    struct net_threads threads;
    struct ring_sleeper sleeper; /* the loop */
    int event;                   /* signals the loop */
    struct event *signal;
    unsigned count;
    struct worker workers[];
};

/* The turn does the work. */
static void on_signal(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

static struct worker *worker_of(const struct client *client)
{
    struct net_io *io = client->net->io;
    ASSERT(io && client->io_thread > 0 && client->io_thread <= io->count);
    return &io->workers[client->io_thread - 1];
}

/* --- orders --- */

static struct net_orders *open_orders(struct worker *worker)
{
    if (worker->open)
        return worker->open;
    struct net_batch *spare = net_spare_take(&worker->spare);
    worker->open = spare ? LIST_OWNER(spare, struct net_orders, batch) : net_orders_new();
    return worker->open;
}

static struct net_order *add_order(struct worker *worker, enum net_order_kind kind)
{
    struct net_orders *orders = open_orders(worker);
    if (orders->count == orders->cap) {
        orders->cap = orders->cap ? orders->cap * 2 : 16;
        orders->items = mem_realloc(orders->items, orders->cap * sizeof *orders->items);
    }
    struct net_order *order = &orders->items[orders->count++];
    *order = (struct net_order){.kind = kind, .bytes_at = orders->bytes.len};
    return order;
}

struct net_order *net_io_order(struct client *client)
{
    struct net_order *order = add_order(worker_of(client), ORDER_WORK);
    order->client = client->handle;
    return order;
}

void net_io_copy(struct client *client, struct net_order *order, struct span bytes)
{
    buf_add_span(&worker_of(client)->open->bytes, bytes);
    order->bytes_len += bytes.len;
}

static void publish(struct worker *worker)
{
    struct net_io_thread *thread = worker->thread;
    struct net_orders *open = worker->open;
    if (open && open->count) {
        worker->open = NULL;
        open->batch.returned = net_spare_take_all(&worker->used);
    } else if (net_sender_is_behind(&thread->orders)) {
        open = NULL;
    } else {
        return;
    }
    if (net_send(&thread->orders, open ? &open->batch : NULL, true, &thread->sleeper))
        net_signal(thread->event);
}

void net_io_publish(struct net_io *io)
{
    for (unsigned i = 0; i < io->count; i++)
        publish(&io->workers[i]);
}

static void order_settings(const struct net_io *io, struct worker *worker)
{
    struct net_order *order = add_order(worker, ORDER_SETTINGS);
    order->tell_below = io->net->settings.query_buffer_max;
    order->credit = io->net->settings.bulk_len_max;
}

void net_io_change_settings(struct net_io *io)
{
    for (unsigned i = 0; i < io->count; i++)
        order_settings(io, &io->workers[i]);
}

/* --- reports --- */

/* How many bytes of input it had. */
static size_t take_batch(struct net_io *io, struct worker *worker, struct net_reports *reports)
{
    for (struct net_batch *own = reports->batch.returned, *next; own; own = next) {
        next = own->next;
        if (!net_spare_keep(&worker->spare, own))
            net_orders_free(LIST_OWNER(own, struct net_orders, batch));
    }
    reports->batch.returned = NULL;
    size_t long_bytes = 0;
    for (size_t i = 0; i < reports->count; i++) {
        struct net_report *report = &reports->items[i];
        long_bytes += report->own.len;
        struct client *client = net_find_client(io->net, report->client);
        if (client && !client_is_gone(client))
            client_take_report(client, report);
        buf_close(&report->own);
    }
    size_t taken = reports->bytes_len;
    reports->count = 0;
    if (!net_spare_keep(&worker->used, &reports->batch))
        net_reports_free(reports);
    return taken + long_bytes;
}

/* A turn has to end, however much comes: what is left keeps the loop from waiting. */
void net_io_take(struct net_io *io)
{
    ring_wake(&io->sleeper);
    for (unsigned i = 0; i < io->count; i++) {
        struct worker *worker = &io->workers[i];
        struct net_batch *batch;
        for (size_t bytes = 0; bytes < NET_TURN_BYTES;) {
            batch = ring_take(&worker->thread->reports.ring);
            if (!batch)
                break;
            bytes += take_batch(io, worker, LIST_OWNER(batch, struct net_reports, batch));
        }
    }
}

uint32_t net_io_wait_ms(struct net_io *io, uint32_t most)
{
    for (unsigned i = 0; i < io->count; i++)
        if (net_sender_is_behind(&io->workers[i].thread->orders) && most > BEHIND_WAIT_MS)
            most = BEHIND_WAIT_MS;
    ring_sleep(&io->sleeper);
    for (unsigned i = 0; i < io->count; i++)
        if (!ring_is_empty(&io->workers[i].thread->reports.ring))
            return 0;
    return most;
}

size_t net_io_memory(const struct net_io *io)
{
    size_t bytes = 0;
    for (unsigned i = 0; io && i < io->count; i++)
        bytes += atomic_load_explicit(&io->workers[i].thread->memory, memory_order_relaxed);
    return bytes;
}

/* --- clients --- */

struct net_order *net_io_adopt(struct client *client)
{
    struct net_io *io = client->net->io;
    unsigned best = 0;
    for (unsigned i = 1; i < io->count; i++)
        if (io->workers[i].clients < io->workers[best].clients)
            best = i;
    io->workers[best].clients++;
    client->io_thread = (uint16_t)(best + 1);
    struct net_order *order = add_order(&io->workers[best], ORDER_ADOPT);
    order->client = client->handle;
    order->fd = client->fd;
    return order;
}

void net_io_leave(struct client *client)
{
    struct worker *worker = worker_of(client);
    struct net_order *order = add_order(worker, ORDER_CLOSE);
    order->client = client->handle;
    worker->clients--;
    client->io_thread = 0;
}

/* --- life --- */

static void open_worker(struct net_io *io, unsigned number)
{
    struct worker *worker = &io->workers[number];
    struct net_io_thread *thread = mem_zalloc(sizeof *thread);
    worker->thread = thread;
    thread->loop = &io->sleeper;
    thread->loop_event = io->event;
    net_thread_open(thread);
    order_settings(io, worker);
    if (!io->threads.start)
        return;
    char name[16];
    snprintf(name, sizeof name, "io-%u", number + 1);
    worker->handle = io->threads.start(net_thread_run, thread, name);
    if (!worker->handle)
        FATAL("an I/O thread cannot be started: fewer io-threads need less");
}

struct net_io *net_io_new(struct net *net, unsigned count, const struct net_threads *threads)
{
    struct net_io *io = mem_zalloc(sizeof *io + count * sizeof *io->workers);
    io->net = net;
    io->threads = *threads;
    io->count = count;
    io->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (io->event < 0)
        FATAL("I/O threads cannot be made: no descriptors");
    /* Each signal is an edge: nobody has to read the counter. */
    io->signal = event_new(net->base, io->event, EV_READ | EV_PERSIST | EV_ET, on_signal, NULL);
    event_add(io->signal, NULL);
    for (unsigned i = 0; i < count; i++)
        open_worker(io, i);
    return io;
}

static void free_list(struct net_batch *first, bool of_orders)
{
    for (struct net_batch *next; first; first = next) {
        next = first->next;
        if (of_orders)
            net_orders_free(LIST_OWNER(first, struct net_orders, batch));
        else
            net_reports_free(LIST_OWNER(first, struct net_reports, batch));
    }
}

static void close_worker(struct net_io *io, struct worker *worker)
{
    struct net_io_thread *thread = worker->thread;
    while (net_sender_is_behind(&thread->orders)) { /* the last one has to get in */
        if (worker->handle)
            usleep(BEHIND_WAIT_MS * 1000);
        else
            net_thread_turn(thread, false);
        publish(worker);
    }
    if (worker->handle)
        io->threads.join(worker->handle);
    else
        net_thread_run(thread);
    if (worker->open)
        net_orders_free(worker->open);
    free_list(net_spare_take_all(&worker->spare), true);
    free_list(net_spare_take_all(&worker->used), false);
    net_thread_close(thread);
    mem_free(thread);
}

void net_io_free(struct net_io *io)
{
    if (!io)
        return;
    for (unsigned i = 0; i < io->count; i++)
        add_order(&io->workers[i], ORDER_STOP);
    net_io_publish(io);
    for (unsigned i = 0; i < io->count; i++)
        close_worker(io, &io->workers[i]);
    event_free(io->signal);
    close(io->event);
    mem_free(io);
}

void net_io_step(struct net_io *io, unsigned number)
{
    ASSERT(!io->workers[number].handle);
    publish(&io->workers[number]);
    net_thread_turn(io->workers[number].thread, false);
}
