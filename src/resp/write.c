#include "resp/write.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"

/* <type><number>\r\n, which starts most replies. */
static void write_number(struct resp_writer *writer, char type, int64_t value)
{
    if (!writer->out)
        return;
    char *start = buf_reserve(writer->out, NUMBER_I64_CHARS + 3);
    char *at = start;
    *at++ = type;
    at += number_format_i64(at, value);
    *at++ = '\r';
    *at++ = '\n';
    writer->out->len += (size_t)(at - start);
}

static void hand_over(struct resp_writer *writer)
{
    if (writer->out->len == 0)
        return;
    writer->pieces->taken++;
    writer->pieces->take(writer->pieces->context, writer->out);
}

/* Called after a string of `bytes` bytes. A long string is alone in its buffer. */
static inline void end_string(struct resp_writer *writer, size_t bytes)
{
    if ((writer->out->len >= RESP_PIECE_BYTES || bytes >= RESP_LARGE_BYTES) && writer->pieces)
        hand_over(writer);
}

struct resp_mark resp_mark(const struct resp_writer *writer)
{
    return (struct resp_mark){writer->out ? writer->out->len : 0,
                              writer->pieces ? writer->pieces->taken : 0};
}

struct span resp_since(const struct resp_writer *writer, struct resp_mark mark)
{
    if (!writer->out || (writer->pieces && writer->pieces->taken != mark.taken))
        return span_of(NULL, 0);
    return span_of(writer->out->ptr + mark.at, writer->out->len - mark.at);
}

static void write_text(struct resp_writer *writer, const char *text)
{
    if (writer->out)
        buf_add_text(writer->out, text);
}

void resp_status(struct resp_writer *writer, const char *text)
{
    if (!writer->out)
        return;
    buf_add_char(writer->out, '+');
    buf_add_text(writer->out, text);
    buf_add(writer->out, "\r\n", 2);
}

void resp_error(struct resp_writer *writer, const char *text)
{
    if (!writer->out)
        return;
    buf_add_char(writer->out, '-');
    size_t start = writer->out->len;
    buf_add_text(writer->out, text);
    while (writer->out->len > start && strchr("\r\n", writer->out->ptr[writer->out->len - 1]))
        writer->out->len--;
    for (size_t i = start; i < writer->out->len; i++)
        if (writer->out->ptr[i] == '\r' || writer->out->ptr[i] == '\n')
            writer->out->ptr[i] = ' ';
    buf_add(writer->out, "\r\n", 2);
}

void resp_errorf(struct resp_writer *writer, const char *format, ...)
{
    if (!writer->out)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    resp_error(writer, text);
}

void resp_integer(struct resp_writer *writer, int64_t value)
{
    write_number(writer, ':', value);
}

/* A long string gets a buffer of its own that fits it. */
static char *room_for(struct resp_writer *writer, size_t bytes)
{
    if (bytes < RESP_LARGE_BYTES || !writer->pieces)
        return buf_reserve(writer->out, bytes);
    hand_over(writer);
    return buf_reserve_exact(writer->out, bytes);
}

void resp_bulk(struct resp_writer *writer, struct span bytes)
{
    if (!writer->out)
        return;
    char *start = room_for(writer, bytes.len + NUMBER_I64_CHARS + 5);
    char *at = start;
    *at++ = '$';
    at += number_format_u64(at, bytes.len);
    *at++ = '\r';
    *at++ = '\n';
    if (bytes.len)
        memcpy(at, bytes.ptr, bytes.len);
    at += bytes.len;
    *at++ = '\r';
    *at++ = '\n';
    writer->out->len += (size_t)(at - start);
    end_string(writer, bytes.len);
}

void resp_bulk_text(struct resp_writer *writer, const char *text)
{
    resp_bulk(writer, span_text(text));
}

void resp_bulk_i64(struct resp_writer *writer, int64_t value)
{
    char text[NUMBER_I64_CHARS];
    resp_bulk(writer, span_of(text, number_format_i64(text, value)));
}

void resp_null(struct resp_writer *writer)
{
    write_text(writer, writer->protocol == 2 ? "$-1\r\n" : "_\r\n");
}

void resp_null_array(struct resp_writer *writer)
{
    write_text(writer, writer->protocol == 2 ? "*-1\r\n" : "_\r\n");
}

void resp_double(struct resp_writer *writer, double value)
{
    char text[40];
    resp_number(writer, span_of(text, number_format_score(text, value)));
}

void resp_number(struct resp_writer *writer, struct span number)
{
    if (writer->protocol == 2) {
        resp_bulk(writer, number);
        return;
    }
    if (!writer->out)
        return;
    buf_add_char(writer->out, ',');
    buf_add_span(writer->out, number);
    buf_add(writer->out, "\r\n", 2);
}

void resp_verbatim(struct resp_writer *writer, const char *format3, struct span bytes)
{
    if (writer->protocol == 2) {
        resp_bulk(writer, bytes);
        return;
    }
    write_number(writer, '=', (int64_t)bytes.len + 4);
    write_text(writer, format3);
    write_text(writer, ":");
    resp_raw(writer, bytes);
    write_text(writer, "\r\n");
}

void resp_array(struct resp_writer *writer, size_t count)
{
    write_number(writer, '*', (int64_t)count);
}

void resp_map(struct resp_writer *writer, size_t pairs)
{
    if (writer->protocol == 2)
        write_number(writer, '*', (int64_t)pairs * 2);
    else
        write_number(writer, '%', (int64_t)pairs);
}

void resp_set(struct resp_writer *writer, size_t count)
{
    write_number(writer, writer->protocol == 2 ? '*' : '~', (int64_t)count);
}

void resp_push(struct resp_writer *writer, size_t count)
{
    write_number(writer, writer->protocol == 2 ? '*' : '>', (int64_t)count);
}

void resp_raw(struct resp_writer *writer, struct span bytes)
{
    if (!writer->out || bytes.len == 0)
        return;
    memcpy(room_for(writer, bytes.len), bytes.ptr, bytes.len);
    writer->out->len += bytes.len;
    end_string(writer, bytes.len);
}
