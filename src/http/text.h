/* Private to http/: JSON out, base64. */
#ifndef FLOTILLA_HTTP_TEXT_H
#define FLOTILLA_HTTP_TEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

bool http_is_utf8(struct span text);
/* Valid UTF-8, as a JSON string. */
void http_write_string(struct buf *json, struct span text);
/* As a string; what is no UTF-8 as {"base64":"…"}. */
void http_write_bytes(struct buf *json, struct span bytes);
void http_write_base64(struct buf *out, struct span bytes); /* with padding */
/* Appends the bytes. False: the text is no base64 with its padding, and `out` is as before. */
bool http_read_base64(struct span text, struct buf *out);

#endif
