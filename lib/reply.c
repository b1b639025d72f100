#include "reply.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    redisReader *redis;
    size_t bytes_max;
    size_t bytes; /* of the reply that is being read, in memory */
    bool broken;
    char cause[READER_CAUSE_MAX];
};

/* hiredis names the number of elements before they arrive: the place for them grows as they do. */
struct growing {
    struct flotilla_reply reply; /* first: a reply is freed as what it is */
    size_t capacity;
};

static void set_cause(struct reader *reader, const char *cause)
{
    reader->broken = true;
    if (!reader->cause[0])
        snprintf(reader->cause, sizeof reader->cause, "%s", cause);
}

void flotilla_reply_free(struct flotilla_reply *reply)
{
    if (!reply)
        return;
    for (size_t i = 0; i < reply->count; i++)
        flotilla_reply_free(reply->elements[i]);
    free(reply->elements);
    free(reply->bytes);
    free(reply);
}

/* ---- what hiredis calls ---- */

static bool attach(const redisReadTask *task, struct flotilla_reply *child)
{
    struct growing *parent = task->parent ? task->parent->obj : NULL;
    if (!parent)
        return true;
    if (parent->reply.count == parent->capacity) {
        size_t capacity = parent->capacity ? parent->capacity * 2 : 4;
        void *grown = realloc(parent->reply.elements, capacity * sizeof *parent->reply.elements);
        if (!grown)
            return false;
        parent->reply.elements = grown;
        parent->capacity = capacity;
    }
    parent->reply.elements[parent->reply.count++] = child;
    return true;
}

static struct flotilla_reply *create(const redisReadTask *task, enum flotilla_type type,
                                     const char *bytes, size_t length)
{
    struct reader *reader = task->privdata;
    size_t whole = sizeof(struct growing) + 2 * sizeof(void *) + length;
    if (whole > reader->bytes_max - reader->bytes) {
        set_cause(reader, "the reply is longer than reply_bytes_max");
        return NULL;
    }
    struct growing *made = calloc(1, sizeof *made);
    char *copy = bytes ? malloc(length + 1) : NULL;
    if (made && bytes && copy) {
        memcpy(copy, bytes, length);
        copy[length] = '\0';
    }
    if (!made || (bytes && !copy) || !attach(task, &made->reply)) {
        set_cause(reader, "no memory for the reply");
        free(copy);
        free(made);
        return NULL;
    }
    made->reply.type = type;
    made->reply.bytes = copy;
    made->reply.length = length;
    reader->bytes += whole;
    return &made->reply;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t length)
{
    enum flotilla_type type = task->type == REDIS_REPLY_ERROR    ? FLOTILLA_ERROR
                              : task->type == REDIS_REPLY_STATUS ? FLOTILLA_SIMPLE
                                                                 : FLOTILLA_STRING;
    return create(task, type, bytes, length);
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t elements)
#else
static void *create_array(const redisReadTask *task, int elements)
#endif
{
    (void)elements;
    return create(task, FLOTILLA_ARRAY, NULL, 0);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct flotilla_reply *reply = create(task, FLOTILLA_INTEGER, NULL, 0);
    if (reply)
        reply->integer = value;
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    return create(task, FLOTILLA_NIL, NULL, 0);
}

static void free_object(void *object)
{
    flotilla_reply_free(object);
}

#if HIREDIS_MAJOR >= 1
/* The client speaks RESP2: no node sends these, but a stranger may. */
static void *create_double(const redisReadTask *task, double value, char *text, size_t length)
{
    (void)value;
    return create(task, FLOTILLA_STRING, text, length);
}

static void *create_bool(const redisReadTask *task, int value)
{
    return create_integer(task, value);
}
#endif

/* ---- the reader ---- */

struct reader *reader_new(size_t bytes_max)
{
    static redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
        .freeObject = free_object,
#if HIREDIS_MAJOR >= 1
        .createDouble = create_double,
        .createBool = create_bool,
#endif
    };
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->bytes_max = bytes_max;
    reader->redis = redisReaderCreateWithFunctions(&functions);
    if (!reader->redis) {
        free(reader);
        return NULL;
    }
    reader->redis->privdata = reader;
    return reader;
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->redis);
    free(reader);
}

bool reader_feed(struct reader *reader, const void *bytes, size_t count)
{
    if (reader->broken)
        return false;
    if (count > reader->bytes_max ||
        reader->redis->len - reader->redis->pos > reader->bytes_max - count)
        set_cause(reader, "the reply is longer than reply_bytes_max");
    else if (redisReaderFeed(reader->redis, bytes, count) != REDIS_OK)
        set_cause(reader, "no memory for the reply");
    return !reader->broken;
}

enum reader_verdict reader_next(struct reader *reader, struct flotilla_reply **reply)
{
    void *object = NULL;
    if (reader->broken)
        return READER_BROKEN;
    if (redisReaderGetReply(reader->redis, &object) != REDIS_OK || reader->broken) {
        flotilla_reply_free(object);
        set_cause(reader, reader->redis->errstr);
        return READER_BROKEN;
    }
    if (!object)
        return READER_MORE;
    reader->bytes = 0;
    *reply = object;
    return READER_REPLY;
}

const char *reader_cause(const struct reader *reader)
{
    return reader->cause;
}

bool reply_is_error(const struct flotilla_reply *reply, const char *word)
{
    size_t length = strlen(word);
    return reply->type == FLOTILLA_ERROR && reply->length >= length &&
           memcmp(reply->bytes, word, length) == 0 &&
           (reply->length == length || reply->bytes[length] == ' ');
}
