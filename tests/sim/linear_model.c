#include "sim/linear_model.h"

#include <string.h>

#include "base/number.h"

uint64_t linear_hash_add(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001b3U;
}

struct value linear_value_absent(void)
{
    return (struct value){.hash = LINEAR_HASH_BEGIN};
}

void linear_value_append(struct value *value, struct span token)
{
    value->present = true;
    for (size_t i = 0; i < token.len; i++) {
        value->hash = linear_hash_add(value->hash, token.ptr[i]);
        if (value->length < LINEAR_EXACT_BYTES)
            value->text[value->length] = token.ptr[i];
        value->length++;
    }
}

struct value linear_value_of(struct span text)
{
    struct value value = linear_value_absent();
    linear_value_append(&value, text);
    return value;
}

bool linear_value_equal(const struct value *a, const struct value *b)
{
    return a->hash == b->hash && a->length == b->length && a->present == b->present &&
           memcmp(a->text, b->text, LINEAR_EXACT_BYTES) == 0;
}

bool linear_value_number(const struct value *value, int64_t *number)
{
    *number = 0;
    return !value->present || (value->length <= LINEAR_EXACT_BYTES &&
                               number_parse_i64(span_of(value->text, value->length), number));
}

bool linear_model_never_has_effect(const struct operation *operation)
{
    return operation->kind == LINEAR_GET || operation->reply == LINEAR_ABORTED ||
           operation->reply == LINEAR_REFUSED ||
           (operation->kind == LINEAR_DEL && operation->reply == LINEAR_NUMBER &&
            operation->number == 0);
}

bool linear_model_says_nothing(const struct operation *operation)
{
    if (operation->outcome == FAILED)
        return true;
    if (operation->outcome != RETURNED)
        return operation->kind == LINEAR_GET;
    return operation->reply == LINEAR_ABORTED ||
           (operation->kind == LINEAR_GET && operation->reply == LINEAR_DONE);
}

bool linear_model_overwrites(const struct operation *operation, enum unseen unseen)
{
    if (unseen == UNSEEN_NONE)
        return false;
    if (operation->kind == LINEAR_DEL)
        return operation->reply == LINEAR_DONE || unseen == UNSEEN_TEXT;
    return operation->kind == LINEAR_SET;
}

static bool apply_incr(const struct operation *operation, struct value *value)
{
    int64_t number;
    bool refused = !linear_value_number(value, &number) || number == INT64_MAX;
    if (refused || operation->reply == LINEAR_REFUSED)
        return refused && operation->reply == LINEAR_REFUSED;
    number++;
    char text[NUMBER_I64_CHARS];
    *value = linear_value_of(span_of(text, number_format_i64(text, number)));
    return operation->reply != LINEAR_NUMBER || operation->number == number;
}

bool linear_model_apply(const struct linear_history *history, const struct operation *operation,
                        struct value *value)
{
    bool was_present = value->present;
    switch (operation->kind) {
    case LINEAR_GET:
        return linear_value_equal(value, &operation->value);
    case LINEAR_SET:
        *value = operation->value;
        return true;
    case LINEAR_INCR:
        return apply_incr(operation, value);
    case LINEAR_APPEND:
        linear_value_append(value,
                            span_of(history->bytes.ptr + operation->token, operation->token_len));
        return operation->reply != LINEAR_NUMBER || operation->number == value->length;
    case LINEAR_DEL:
        *value = linear_value_absent();
        return operation->reply != LINEAR_NUMBER || operation->number == was_present;
    case LINEAR_CAS:
        if (!linear_value_equal(value, &operation->expected))
            return false;
        *value = operation->value;
        return true;
    }
    return false;
}
