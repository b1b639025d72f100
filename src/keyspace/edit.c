/* Changing the elements of a value in place. */
#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/internal.h"

void keyspace_edit_begin(struct keyspace_edit *edit, struct keyspace *keyspace, struct item *item)
{
    ASSERT(item->form == FORM_VALUE);
    const struct change change = change_begin(keyspace, item_key_span(item));
    *edit = (struct keyspace_edit){.keyspace = keyspace,
                                   .item = item,
                                   .type = item_type(item),
                                   .value = item_value(item),
                                   .key_digest = change.key_digest};
    keyspace->sum -= digest_of_head(item, change.key_digest);
}

void keyspace_edit_begin_new(struct keyspace_edit *edit, struct keyspace *keyspace, struct span key,
                             enum value_type type)
{
    const struct change change = change_begin(keyspace, key);
    *edit = (struct keyspace_edit){.keyspace = keyspace,
                                   .key = key,
                                   .type = type,
                                   .value = value_ops_of(type)->make(),
                                   .key_digest = change.key_digest};
}

/* A stream stays when its last entry goes. */
static bool stays(const struct keyspace_edit *edit)
{
    return edit->type == VALUE_STREAM || value_ops_of(edit->type)->count(edit->value) > 0;
}

static void end_new(struct keyspace_edit *edit, uint64_t revision)
{
    const struct change change = {edit->keyspace, edit->key_digest};
    edit->item = change_put(&change, item_new_value(edit->key, edit->type, edit->value, revision),
                            NO_DEADLINE);
}

void keyspace_edit_end(struct keyspace_edit *edit, bool changed, uint64_t revision)
{
    struct keyspace *keyspace = edit->keyspace;
    const struct change change = {keyspace, edit->key_digest};
    if (!edit->item) {
        if (changed && stays(edit))
            end_new(edit, revision);
        else
            value_free(edit->type, edit->value);
    } else {
        if (changed) {
            edit->item = keyspace_set_times(keyspace, edit->item, item_deadline_ms(edit->item));
            item_set_revision(edit->item, revision);
        }
        keyspace->sum += digest_of_head(edit->item, edit->key_digest);
        if (changed && !stays(edit)) {
            change_take_out(&change, edit->item, KEYSPACE_REMOVED, revision);
            edit->item = NULL;
        } else if (changed) {
            change_end(&change, item_key_span(edit->item), KEYSPACE_SET, revision);
        }
    }
    edit->value = NULL;
}

struct item *keyspace_set_value(struct keyspace *keyspace, struct span key, enum value_type type,
                                void *value, uint64_t revision)
{
    const struct change change = change_begin(keyspace, key);
    return change_put(&change, item_new_value(key, type, value, revision), NO_DEADLINE);
}

const void *item_elements(const struct item *item)
{
    return item_value(item);
}
