/* Operating errors: what can go wrong outside the program's own control. A function that can fail
 * returns one of these and its caller checks it. Bugs are ASSERTed, clients' errors are RESP
 * replies. */
#ifndef FLOTILLA_BASE_ERR_H
#define FLOTILLA_BASE_ERR_H

enum err {
    ERR_NONE = 0,
    ERR_IO,             /* the operating system failed a call */
    ERR_NO_SPACE,       /* disk full, or over quota */
    ERR_CORRUPT,        /* bytes are not what was once written */
    ERR_NOT_FOUND,      /* no such file, key, node */
    ERR_EXISTS,         /* already there */
    ERR_INVALID,        /* the caller's input makes no sense */
    ERR_RANGE,          /* a number outside of its limits */
    ERR_FOREIGN,        /* belongs to another node or another cluster */
    ERR_BUSY,           /* held by someone else, or a queue is full */
    ERR_DENIED,         /* the operating system's permissions forbid it */
    ERR_NO_DESCRIPTORS, /* of this process, or of the system */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* A short lower-case description ("no space left"); never NULL, static storage. */
const char *err_text(enum err err);

#endif
