/* hiredis MODE PORT: hiredis as scenario.py asks it to. The only mode is plain. */
#include <hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX             256
#define PAUSE_AFTER_ERROR_US 20000
#define TIMEOUT_SECONDS      20

static redisContext *context;

/* A context that has failed is of no use any more, but can connect again. */
static void pause_after_error(void)
{
    usleep(PAUSE_AFTER_ERROR_US);
    if (context->err)
        redisReconnect(context);
}

static void say(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        printf("= %lld\n", reply->integer);
    else if (reply->type == REDIS_REPLY_NIL)
        printf("= nil\n");
    else if (reply->type == REDIS_REPLY_ERROR)
        printf("! %s\n", reply->str);
    else if (reply->type == REDIS_REPLY_ARRAY)
        for (size_t i = 0; i < reply->elements; i++)
            say(reply->element[i]);
    else
        printf("= %s\n", reply->str);
}

/* Says what was answered to the oldest command that was appended, or what went wrong. */
static void answer(int shown)
{
    void *reply = NULL;
    if (context->err || redisGetReply(context, &reply) != REDIS_OK) {
        printf("! %s\n", context->errstr);
        pause_after_error();
        return;
    }
    if (shown)
        say(reply);
    freeReplyObject(reply);
}

static void append(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisvAppendCommand(context, format, args);
    va_end(args);
}

static void request(char *words[4])
{
    const char *name = words[0];
    int count = words[2] ? atoi(words[2]) : 0;
    if (strcmp(name, "incr") == 0) {
        for (int i = 0; i < count; i++) {
            append("INCR %s", words[1]);
            answer(1);
        }
    } else if (strcmp(name, "pipeline") == 0) {
        for (int i = 0; i < count; i++)
            append("INCR %s", words[1]);
        for (int i = 0; i < count; i++)
            answer(1);
    } else if (strcmp(name, "transaction") == 0) {
        append("MULTI");
        append("INCR %s", words[1]);
        append("INCR %s", words[2]);
        append("EXEC");
        for (int i = 0; i < 3; i++)
            answer(0);
        answer(1);
    } else if (strcmp(name, "set") == 0) {
        append("SET %s %s PX %s", words[1], words[2], words[3]);
        answer(1);
    } else if (strcmp(name, "get") == 0) {
        append("GET %s", words[1]);
        answer(1);
    } else if (strcmp(name, "watch") == 0) {
        append("WATCH %s", words[1]);
        append("GET %s", words[1]);
        answer(0);
        answer(1);
    } else if (strcmp(name, "exec") == 0) {
        append("MULTI");
        append("SET %s %s", words[1], words[2]);
        append("EXEC");
        answer(0);
        answer(0);
        answer(1);
    } else {
        fprintf(stderr, "unknown: %s\n", name);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "plain") != 0) {
        fprintf(stderr, "usage: hiredis plain PORT\n");
        return 1;
    }
    struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    context = redisConnectWithTimeout("127.0.0.1", atoi(argv[2]), timeout);
    if (!context || context->err || redisSetTimeout(context, timeout) != REDIS_OK) {
        fprintf(stderr, "%s\n", context ? context->errstr : "no memory");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (char line[LINE_MAX]; fgets(line, sizeof line, stdin); puts(".")) {
        char *words[4] = {strtok(line, " \n")};
        for (int i = 1; i < 4; i++)
            words[i] = strtok(NULL, " \n");
        request(words);
    }
    redisFree(context);
    return 0;
}
