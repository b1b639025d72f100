/* What one correct server would do: values, recorded operations and their effects. */
#ifndef FLOTILLA_TESTS_SIM_LINEAR_MODEL_H
#define FLOTILLA_TESTS_SIM_LINEAR_MODEL_H

#include <stdbool.h>

#include "sim/linear.h"

enum {
    LINEAR_EXACT_BYTES = 24, /* enough for any 64-bit number */
};

#define LINEAR_NONE       UINT32_MAX
#define LINEAR_HASH_BEGIN UINT64_C(0xcbf29ce484222325)

/* Longer values are known by their beginning, length and hash. Bytes after the text are zero. */
struct value {
    uint64_t hash;
    uint32_t length;
    bool present;
    char text[LINEAR_EXACT_BYTES];
};

struct value linear_value_absent(void);
struct value linear_value_of(struct span text);
void linear_value_append(struct value *value, struct span token);
bool linear_value_equal(const struct value *a, const struct value *b);
bool linear_value_number(const struct value *value, int64_t *number); /* 0 if it is absent */
uint64_t linear_hash_add(uint64_t hash, char byte);

enum outcome { OPEN, RETURNED, UNKNOWN, FAILED };

struct moment {
    uint64_t at_us;
    uint64_t sequence;
};

struct operation {
    uint32_t client;
    uint32_t key;
    enum linear_kind kind;
    enum outcome outcome;
    enum linear_reply reply;
    int64_t number;
    struct value value; /* of SET and CAS; of GET what was read */
    struct value expected;
    size_t token; /* of APPEND, in the history's bytes */
    size_t token_len;
    struct moment call;
    struct moment back;
};

struct linear_history {
    struct operation *operations;
    uint32_t count;
    uint32_t cap;
    uint64_t sequence;
    size_t limit;
    struct buf bytes; /* appended tokens and what was read: hashes do not tell prefixes */
};

/* What an optional operation changed just now, and nothing has depended on yet. */
enum unseen { UNSEEN_NONE, UNSEEN_PRESENCE, UNSEEN_TEXT };

bool linear_model_never_has_effect(const struct operation *operation);
/* Nothing hangs on where it is put, or whether. */
bool linear_model_says_nothing(const struct operation *operation);
/* Neither its reply nor the value after it depends on that change. */
bool linear_model_overwrites(const struct operation *operation, enum unseen unseen);
/* Whether the reply is right for this value; the value becomes the one afterwards. */
bool linear_model_apply(const struct linear_history *history, const struct operation *operation,
                        struct value *value);

#endif
