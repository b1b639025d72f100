/* Private to http/: JSON bodies, and what commands may be asked for. */
#ifndef FLOTILLA_HTTP_BODY_H
#define FLOTILLA_HTTP_BODY_H

#include <jansson.h>

#include "http/internal.h"

enum { HTTP_REFUSAL_TEXT_MAX = 256 };

/* The body as JSON, or NULL: responded. Fields that stand twice are refused. The caller frees it
 * with json_decref(). */
json_t *http_read_json(struct http_connection *connection);

/* Appends the bytes that a string stands for, or {"base64":"…"}. False: it is neither. */
bool http_read_bytes(const json_t *value, struct buf *out);

/* Arguments of a command, in memory of their own. */
struct http_arguments {
    struct buf bytes;
    struct span *list; /* valid after http_arguments_end() */
    size_t *lengths;
    size_t count;
    size_t cap;
};
void http_arguments_add(struct http_arguments *arguments, struct span one);
void http_arguments_end(struct http_arguments *arguments);
void http_arguments_close(struct http_arguments *arguments);
/* From a JSON array of strings, integers and {"base64":"…"}. False: `why` says what is wrong. */
bool http_arguments_read(const json_t *array, struct http_arguments *arguments, const char **why);

/* Why a command cannot be carried out over HTTP; NULL: it can. */
const char *http_refuses_command(const struct command_table *table, const struct span *args,
                                 size_t argc);

/* Whether there is such a database, SELECT says. */
bool http_parse_database(struct span text, int64_t *number);

/* Milliseconds of a time to live in seconds, with at most three decimals. False: it is none. */
bool http_parse_ttl(struct span text, int64_t *ms);

#endif
