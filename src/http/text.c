/* JSON out, base64. */
#include "http/text.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Bytes of the character that begins here; 0: it is none. RFC 3629: no surrogates, nothing longer
 * than needed, nothing beyond U+10FFFF. */
static size_t character_len(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || left < len)
        return 0;
    unsigned char least = 0x80, most = 0xbf;
    if (at[0] == 0xe0)
        least = 0xa0;
    if (at[0] == 0xed)
        most = 0x9f;
    if (at[0] == 0xf0)
        least = 0x90;
    if (at[0] == 0xf4)
        most = 0x8f;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool http_is_utf8(struct span text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    for (size_t i = 0; i < text.len;) {
        size_t len = character_len(at + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

static void write_escaped(struct buf *json, char c)
{
    static const char known[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof known; i += 2) {
        if (known[i] != c)
            continue;
        buf_add_char(json, '\\');
        buf_add_char(json, known[i + 1]);
        return;
    }
    buf_printf(json, "\\u%04x", (unsigned)(unsigned char)c);
}

void http_write_string(struct buf *json, struct span text)
{
    buf_add_char(json, '"');
    size_t plain = 0; /* from where on nothing needed an escape */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        buf_add(json, text.ptr + plain, i - plain);
        write_escaped(json, text.ptr[i]);
        plain = i + 1;
    }
    if (text.len > plain)
        buf_add(json, text.ptr + plain, text.len - plain);
    buf_add_char(json, '"');
}

void http_write_bytes(struct buf *json, struct span bytes)
{
    if (http_is_utf8(bytes)) {
        http_write_string(json, bytes);
        return;
    }
    buf_add_text(json, "{\"base64\":\"");
    http_write_base64(json, bytes);
    buf_add_text(json, "\"}");
}

void http_write_base64(struct buf *out, struct span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t three = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)at[i + 2] : 0);
        buf_add_char(out, digits[three >> 18]);
        buf_add_char(out, digits[three >> 12 & 63]);
        buf_add_char(out, left > 1 ? digits[three >> 6 & 63] : '=');
        buf_add_char(out, left > 2 ? digits[three & 63] : '=');
    }
}

static int value_of(char c)
{
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

bool http_read_base64(struct span text, struct buf *out)
{
    size_t before = out->len;
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    if (text.len % 4)
        return false;
    uint32_t four = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = i < text.len - padding ? value_of(text.ptr[i]) : 0;
        if (value < 0) {
            out->len = before;
            return false;
        }
        four = four << 6 | (uint32_t)value;
        if (i % 4 < 3)
            continue;
        size_t count = i + 1 == text.len ? 3 - padding : 3;
        for (size_t byte = 0; byte < count; byte++)
            buf_add_char(out, (char)(four >> (16 - 8 * byte)));
        uint32_t lost = four & (0xffffffu >> 8 * count);
        if (lost) { /* bits that no byte has: two texts would stand for one */
            out->len = before;
            return false;
        }
        four = 0;
    }
    return true;
}
