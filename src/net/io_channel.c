#include "net/io_channel.h"

#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

bool net_send(struct net_sender *sender, struct net_batch *batch, bool signals,
              struct ring_sleeper *receiver)
{
    /* What waited may have been worth a signal, and the receiver has slept since. */
    signals = signals || sender->first;
    if (batch) {
        batch->next = NULL;
        *(sender->first ? &sender->last->next : &sender->first) = batch;
        sender->last = batch;
    }
    while (sender->first) {
        struct net_batch *next = sender->first->next; /* the receiver's, once it is put */
        if (!ring_put(&sender->ring, sender->first))
            break;
        sender->first = next;
    }
    return (signals || sender->first) && ring_must_signal(receiver);
}

void net_signal(int event)
{
    uint64_t one = 1;
    if (write(event, &one, sizeof one) != (ssize_t)sizeof one)
        FATAL("an I/O thread and the event loop cannot reach each other");
}

bool net_spare_keep(struct net_spare *spare, struct net_batch *batch)
{
    if (spare->count == NET_BATCHES_KEPT)
        return false;
    batch->next = spare->first;
    spare->first = batch;
    spare->count++;
    return true;
}

struct net_batch *net_spare_take(struct net_spare *spare)
{
    struct net_batch *batch = spare->first;
    if (!batch)
        return NULL;
    spare->first = batch->next;
    spare->count--;
    return batch;
}

struct net_batch *net_spare_take_all(struct net_spare *spare)
{
    struct net_batch *all = spare->first;
    *spare = (struct net_spare){.first = NULL};
    return all;
}

struct net_orders *net_orders_new(void)
{
    return mem_zalloc(sizeof(struct net_orders));
}

void net_orders_clear(struct net_orders *orders)
{
    orders->count = 0;
    orders->bytes.len = 0;
    if (orders->bytes.cap > NET_ORDER_BYTES_KEPT)
        buf_close(&orders->bytes);
}

void net_orders_free(struct net_orders *orders)
{
    for (size_t i = 0; i < orders->count; i++) {
        struct net_order *order = &orders->items[i];
        if (order->kind == ORDER_ADOPT)
            close(order->fd);
        buf_close(&order->input);
        net_chunks_close(&order->chunks);
    }
    mem_free(orders->items);
    buf_close(&orders->bytes);
    mem_free(orders);
}

static const size_t reports_bytes = sizeof(struct net_reports) +
                                    NET_REPORTS * sizeof(struct net_report) +
                                    NET_REPORT_SPANS * sizeof(struct span) + NET_REPORT_BYTES;

struct net_reports *net_reports_new(_Atomic size_t *memory)
{
    struct net_reports *reports = mem_zalloc(sizeof *reports);
    reports->memory = memory;
    atomic_fetch_add_explicit(memory, reports_bytes, memory_order_relaxed);
    reports->items = mem_alloc(NET_REPORTS * sizeof *reports->items);
    reports->spans = mem_alloc(NET_REPORT_SPANS * sizeof *reports->spans);
    reports->bytes = mem_alloc(NET_REPORT_BYTES);
    return reports;
}

void net_reports_free(struct net_reports *reports)
{
    for (size_t i = 0; i < reports->count; i++)
        buf_close(&reports->items[i].own);
    atomic_fetch_sub_explicit(reports->memory, reports_bytes, memory_order_relaxed);
    mem_free(reports->items);
    mem_free(reports->spans);
    mem_free(reports->bytes);
    mem_free(reports);
}
