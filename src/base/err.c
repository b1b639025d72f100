#include "base/err.h"

const char *err_text(enum err err)
{
    switch (err) {
    case ERR_NONE:
        return "no error";
    case ERR_IO:
        return "input/output error";
    case ERR_NO_SPACE:
        return "no space left";
    case ERR_CORRUPT:
        return "corrupt data";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_EXISTS:
        return "already exists";
    case ERR_INVALID:
        return "invalid value";
    case ERR_RANGE:
        return "out of range";
    case ERR_FOREIGN:
        return "belongs to another node or cluster";
    case ERR_BUSY:
        return "busy";
    case ERR_DENIED:
        return "permission denied";
    case ERR_NO_DESCRIPTORS:
        return "too many open files";
    }
    return "unknown error";
}
