/* Commands as they stand in an entry's payload. Redis 7.0 refuses a log with a command that it does
 * not know. So such a command stands in lines that Redis skips, and behind them, in its place, the
 * nearest command that Redis knows, if there is one:
 *
 *     #COMMAND:<0 or 1>:<argument>:<argument> …\r\n
 *     #+<the line before goes on>\r\n …
 *     <if the number is 1: the command for Redis, as an array>
 *
 * The state machine runs the first and skips the second. An argument is one of
 *
 *     text       bytes from '!' to '~'; those but ':', '=' and '%' stand for themselves, all others
 *                as '%' and two lower-case hexadecimal digits
 *     =<a>       argument number a of the command for Redis; its name is number 0
 *     =<a>-<b>   those from a to b
 *
 * so that long values stand only once in the log. These numbers ascend strictly, by which no
 * payload means more arguments than it has bytes. Redis reads lines into 1,024 bytes; none is
 * longer than 1,000. */
#ifndef FLOTILLA_MACHINE_LOGGED_H
#define FLOTILLA_MACHINE_LOGGED_H

#include "base/buf.h"
#include "command/command.h"
#include "resp/parse.h"

enum { LOGGED_LINE_BYTES = 1000 };

/* Adds the command; `stand_in` as command_stand_in() says. */
void logged_add(struct buf *out, const struct span *args, size_t argc,
                const struct command_stand_in *stand_in);

/* Reads commands. Zero-initialised is ready; logged_close() frees it. */
struct logged {
    const struct span *args; /* valid until the next call, and while the payload stays in place */
    size_t argc;
    /* private */
    struct resp_parser parser;
    struct buf text;
    struct span *own;
    size_t own_cap;
};

/* Takes the command at the start of `rest`, which nobody need have checked. False: there is none,
 * or a malformed one. */
bool logged_take(struct logged *logged, struct span *rest);
void logged_close(struct logged *logged);

#endif
