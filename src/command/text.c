#include "command/text.h"

#include "command/access.h"

static void look(struct text *text)
{
    text->bytes = text->item ? item_string(text->item, text->scratch) : SPAN("");
}

bool text_read(struct command_context *context, struct span key, struct text *text)
{
    text->key = key;
    text->edited = NULL;
    if (!command_read_string(context, key, &text->item))
        return false;
    look(text);
    return true;
}

bool text_edit(struct command_context *context, struct span key, struct text *text)
{
    text->key = key;
    if (!command_find_string(context, key, &text->edited))
        return false;
    text->item = text->edited;
    look(text);
    return true;
}

static void make(struct command_context *context, struct text *text)
{
    if (text->edited)
        return;
    text->edited =
        keyspace_set_string(context->keyspace, text->key, SPAN(""), false, context->revision);
    text->item = text->edited;
    item_touch(text->edited, context->now_ms);
}

void text_write(struct command_context *context, struct text *text, size_t offset,
                struct span bytes)
{
    make(context, text);
    keyspace_write(context->keyspace, text->edited, offset, bytes, context->revision);
    look(text);
}

/* The empty write makes OBJECT ENCODING say raw, as of every string that was edited. */
void text_replace(struct command_context *context, struct text *text, struct span bytes)
{
    make(context, text);
    keyspace_set_text(context->keyspace, text->edited, bytes, context->revision);
    keyspace_write(context->keyspace, text->edited, 0, SPAN(""), context->revision);
    look(text);
}

size_t text_len(const struct keyspace *keyspace, struct span key)
{
    const struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    return item ? item_string_len(item) : 0;
}
