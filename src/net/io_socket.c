/* A connection on its I/O thread: input to requests, replies to the socket. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/io_thread.h"
#include "net/module.h"

/* --- what epoll waits for --- */

static bool reads(const struct net_io_thread *thread, const struct net_socket *socket)
{
    if (socket->end_of_input || socket->failed || socket->stopped || socket->credit <= 0)
        return false;
    return thread->query_buffer_max == 0 || socket->in.len <= thread->query_buffer_max;
}

/* Without anything to wait for epoll does not have the descriptor: it would report for ever that a
 * connection is broken. */
static void watch(struct net_io_thread *thread, struct net_socket *socket)
{
    uint32_t wanted = reads(thread, socket) ? EPOLLIN : 0;
    if (!socket->failed && net_output_len(&socket->output))
        wanted |= EPOLLOUT;
    if (wanted == socket->watched)
        return;
    struct epoll_event event = {.events = wanted, .data.ptr = socket};
    int how = !wanted ? EPOLL_CTL_DEL : socket->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    socket->watched = wanted;
    if (epoll_ctl(thread->epoll, how, socket->fd, &event) == 0)
        return;
    socket->watched = 0; /* the system has no memory for it */
    socket->failed = socket->news = true;
}

void net_socket_rewatch(struct net_io_thread *thread, struct net_socket *socket)
{
    watch(thread, socket);
    if (socket->news)
        net_socket_report(thread, socket);
}

/* --- reports --- */

static struct net_report *begin_report(struct net_io_thread *thread, struct net_socket *socket)
{
    struct net_reports *open = net_thread_room(thread);
    struct net_report *report = &open->items[open->count++];
    *report = (struct net_report){.client = socket->client};
    list_remove(&socket->unreported);
    return report;
}

static void end_report(struct net_io_thread *thread, struct net_socket *socket,
                       struct net_report *report)
{
    report->end_of_input = socket->end_of_input;
    report->failed = socket->failed;
    report->told = socket->told;
    report->written = socket->written;
    report->unwritten = net_output_len(&socket->output);
    report->memory = sizeof *socket + mem_footprint(socket->in.cap) +
                     resp_parser_memory(&socket->parser) + net_output_memory(&socket->output);
    report->held = socket->in.len;
    report->wanted = resp_parser_wanted(&socket->parser, socket->in.len);
    if (report->read || socket->end_of_input || socket->news || socket->is_blocked)
        thread->open->signals = true;
    socket->written = 0;
    socket->told = socket->news = socket->is_blocked = false;
}

void net_socket_report(struct net_io_thread *thread, struct net_socket *socket)
{
    struct net_report *report = begin_report(thread, socket);
    end_report(thread, socket, report);
}

/* In this turn, together with input if some comes. */
static void report_later(struct net_io_thread *thread, struct net_socket *socket)
{
    if (list_is_alone(&socket->unreported))
        list_append(&thread->unreported, &socket->unreported);
}

/* --- input --- */

/* Where arguments go that are not in the input as they are: quotes and escapes were taken out. */
struct scratch {
    char *at;
    const char *end;
};

static bool is_inline(struct span request)
{
    return request.ptr[0] != '*';
}

/* False: there is no room; the loop will parse it. */
static bool add_request(struct net_reports *open, const struct resp_parser *parser,
                        struct span request, struct scratch *scratch)
{
    bool copies = is_inline(request);
    size_t copied = copies ? parser->scratch.len : 0;
    if (parser->argc + 1 > NET_REPORT_SPANS - open->span_count ||
        copied > (size_t)(scratch->end - scratch->at))
        return false;
    struct span *spans = &open->spans[open->span_count];
    spans[0] = span_of(request.ptr + request.len, parser->argc);
    memcpy(spans + 1, parser->args, parser->argc * sizeof *spans);
    open->span_count += parser->argc + 1;
    if (!copies)
        return true;
    for (size_t i = 1; i <= parser->argc; i++) {
        size_t at = spans[i].len ? (size_t)(spans[i].ptr - parser->scratch.ptr) : 0;
        spans[i].ptr = scratch->at + at;
    }
    if (copied)
        memcpy(scratch->at, parser->scratch.ptr, copied);
    scratch->at += copied;
    return true;
}

/* Cuts `bytes` into requests; how many bytes are whole ones. */
static size_t parse(const struct net_io_thread *thread, struct net_socket *socket,
                    struct span bytes, struct net_report *report, struct scratch *scratch)
{
    const struct resp_limits limits = {.bulk_len_max = thread->bulk_len_max, .authenticated = true};
    struct net_reports *open = thread->open;
    struct resp_parser *parser = &socket->parser;
    struct span rest = bytes;
    bool adds = true;
    report->requests = &open->spans[open->span_count];
    while (rest.len && !socket->raw) {
        enum resp_outcome outcome = resp_parse(parser, rest, &limits);
        if (outcome == RESP_INCOMPLETE)
            return bytes.len - rest.len;
        if (outcome == RESP_ERROR) {
            socket->raw = true; /* the loop finds the same, and says so when it is its turn */
            break;
        }
        size_t used = parser->consumed;
        if (adds && parser->argc) {
            adds = add_request(open, parser, span_of(rest.ptr, used), scratch);
            report->request_count += adds;
        }
        rest = span_of(rest.ptr + used, rest.len - used);
    }
    return bytes.len;
}

static void take_input(struct net_io_thread *thread, struct net_socket *socket,
                       struct net_report *report, struct span bytes, struct scratch *scratch)
{
    size_t whole = parse(thread, socket, bytes, report, scratch);
    report->bytes = span_of(bytes.ptr, whole);
    socket->credit -= (int64_t)whole;
}

/* Into the batch, behind a short rest of the last read. */
static ssize_t read_into_batch(struct net_io_thread *thread, struct net_socket *socket)
{
    struct net_reports *open = net_thread_room(thread);
    char *start = open->bytes + open->bytes_len;
    size_t kept = socket->in.len;
    if (kept)
        memcpy(start, socket->in.ptr, kept);
    ssize_t got = read(socket->fd, start + kept, NET_READ_BYTES - kept);
    if (got <= 0)
        return got;
    struct net_report *report = begin_report(thread, socket);
    size_t len = kept + (size_t)got;
    struct scratch scratch = {start + len, open->bytes + NET_REPORT_BYTES};
    report->read = (uint64_t)got;
    take_input(thread, socket, report, span_of(start, len), &scratch);
    open->bytes_len = (size_t)(scratch.at - open->bytes);
    socket->in.len = 0;
    buf_add(&socket->in, start + report->bytes.len, len - report->bytes.len);
    end_report(thread, socket, report);
    return got;
}

/* A long request stays where it was read until it is whole; then the loop gets the buffer. */
static ssize_t read_into_own(struct net_io_thread *thread, struct net_socket *socket)
{
    struct buf *in = &socket->in;
    size_t room = resp_parser_wanted(&socket->parser, in->len);
    room = room < NET_READ_MIN ? NET_READ_MIN : room > NET_READ_MAX ? NET_READ_MAX : room;
    ssize_t got = read(socket->fd, buf_reserve(in, room), room);
    if (got <= 0)
        return got;
    in->len += (size_t)got;
    struct net_report *report = begin_report(thread, socket);
    struct net_reports *open = thread->open;
    struct scratch scratch = {open->bytes + open->bytes_len, open->bytes + NET_REPORT_BYTES};
    report->read = (uint64_t)got;
    take_input(thread, socket, report, buf_span(in), &scratch);
    open->bytes_len = (size_t)(scratch.at - open->bytes);
    if (report->bytes.len) {
        report->own = *in;
        *in = (struct buf){.ptr = NULL};
        buf_add(in, report->own.ptr + report->bytes.len, report->own.len - report->bytes.len);
    }
    end_report(thread, socket, report);
    return got;
}

void net_socket_read(struct net_io_thread *thread, struct net_socket *socket)
{
    ssize_t got = socket->in.len > NET_READ_MIN ? read_into_own(thread, socket)
                                                : read_into_batch(thread, socket);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got <= 0) {
        socket->end_of_input = got == 0;
        socket->failed = got < 0;
        socket->news = true;
        report_later(thread, socket);
    }
    watch(thread, socket);
}

/* What was read of a request goes to the loop, and so does all that follows. */
static void stop_parsing(struct net_io_thread *thread, struct net_socket *socket)
{
    socket->raw = true;
    if (socket->in.len == 0)
        return;
    struct net_report *report = begin_report(thread, socket);
    report->own = socket->in;
    report->bytes = buf_span(&socket->in);
    socket->credit -= (int64_t)socket->in.len;
    socket->in = (struct buf){.ptr = NULL};
    socket->news = true;
    end_report(thread, socket, report);
}

/* --- output --- */

static void fail(struct net_io_thread *thread, struct net_socket *socket)
{
    socket->failed = socket->news = true;
    net_output_close(&socket->output);
    report_later(thread, socket);
}

/* The number of bytes that the socket has taken; -1: it is broken. */
static ssize_t sent(ssize_t result)
{
    if (result >= 0)
        return result;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

static void note_sent(struct net_io_thread *thread, struct net_socket *socket, ssize_t bytes)
{
    socket->written += (uint64_t)bytes;
    uint64_t left = net_output_len(&socket->output);
    if (left)
        socket->is_blocked = true;
    if (socket->tell && left <= socket->tell_below) {
        socket->tell = false;
        socket->told = socket->news = true;
    }
    report_later(thread, socket);
}

void net_socket_write(struct net_io_thread *thread, struct net_socket *socket)
{
    struct iovec pieces[NET_PIECES_PER_CALL];
    int count = net_output_gather(&socket->output, pieces, NET_PIECES_PER_CALL);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t bytes = count ? sent(sendmsg(socket->fd, &message, MSG_NOSIGNAL)) : 0;
    if (bytes < 0) {
        fail(thread, socket);
    } else {
        net_output_written(&socket->output, (size_t)bytes);
        note_sent(thread, socket, bytes);
    }
    watch(thread, socket);
}

/* The usual reply goes from the batch to the socket, and nowhere else. */
static void send_at_once(struct net_io_thread *thread, struct net_socket *socket, struct span bytes)
{
    ssize_t taken = sent(send(socket->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL));
    if (taken < 0) {
        fail(thread, socket);
        return;
    }
    buf_add(&socket->output.tail, bytes.ptr + taken, bytes.len - (size_t)taken);
    note_sent(thread, socket, taken);
}

static void add_output(struct net_io_thread *thread, struct net_socket *socket,
                       struct net_order *order, struct span bytes)
{
    bool waits = net_output_len(&socket->output) > 0;
    if (socket->failed) {
        net_chunks_close(&order->chunks);
        return;
    }
    if (!waits && !order->chunks.first && bytes.len) {
        send_at_once(thread, socket, bytes);
        return;
    }
    net_output_add_chunks(&socket->output, &order->chunks);
    buf_add_span(&socket->output.tail, bytes);
    if (socket->output.tail.len >= RESP_PIECE_BYTES)
        net_output_seal(&socket->output);
    if (!waits || order->tell)
        net_socket_write(thread, socket);
}

static void shrink(struct net_io_thread *thread, struct net_socket *socket)
{
    if (socket->in.len == 0) {
        buf_close(&socket->in);
        resp_parser_close(&socket->parser);
    }
    if (net_output_len(&socket->output) == 0)
        net_output_close(&socket->output);
    report_later(thread, socket);
}

void net_socket_work(struct net_io_thread *thread, struct net_socket *socket,
                     struct net_order *order, struct span bytes)
{
    socket->credit += (int64_t)order->credit;
    socket->stopped = socket->stopped || order->stop_reading;
    if (order->raw && !socket->raw)
        stop_parsing(thread, socket);
    if (order->shrink)
        shrink(thread, socket);
    if (order->tell) {
        socket->tell = true;
        socket->tell_below = order->tell_below;
    }
    if (order->chunks.first || bytes.len || order->tell)
        add_output(thread, socket, order, bytes);
    watch(thread, socket);
    if (socket->news)
        report_later(thread, socket);
}

/* --- its life --- */

struct net_socket *net_socket_new(struct net_io_thread *thread, struct net_order *order)
{
    struct net_socket *socket = mem_zalloc(sizeof *socket);
    socket->client = order->client;
    socket->fd = order->fd;
    socket->credit = (int64_t)order->credit;
    socket->in = order->input;
    order->input = (struct buf){.ptr = NULL};
    list_init(&socket->unreported);
    watch(thread, socket);
    if (socket->news)
        report_later(thread, socket);
    return socket;
}

void net_socket_free(struct net_io_thread *thread, struct net_socket *socket)
{
    (void)thread;
    list_remove(&socket->unreported);
    close(socket->fd); /* with which epoll forgets it */
    buf_close(&socket->in);
    resp_parser_close(&socket->parser);
    net_output_close(&socket->output);
    mem_free(socket);
}
