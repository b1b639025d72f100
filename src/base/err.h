/* Operating errors: failures that the program does not control. A function that can fail returns
 * one of these, and its caller checks it. Bugs are ASSERTed; clients' errors are RESP replies. */
#ifndef FLOTILLA_BASE_ERR_H
#define FLOTILLA_BASE_ERR_H

enum err {
    ERR_NONE = 0,
    ERR_IO,             /* a system call failed */
    ERR_NO_SPACE,       /* disk full or quota exceeded */
    ERR_CORRUPT,        /* the bytes differ from what was written */
    ERR_NOT_FOUND,      /* no such file, key or node */
    ERR_EXISTS,         /* it exists already */
    ERR_INVALID,        /* the caller's input is invalid */
    ERR_RANGE,          /* a number out of its range */
    ERR_FOREIGN,        /* belongs to another node or another cluster */
    ERR_BUSY,           /* held by someone else, or the queue is full */
    ERR_DENIED,         /* no permission from the operating system */
    ERR_NO_DESCRIPTORS, /* the process or the system has no more */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* A short lower-case description ("no space left"). Never NULL; static storage. */
const char *err_text(enum err err);

#endif
