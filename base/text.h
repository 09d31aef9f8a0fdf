/* Strings: measured, cut, encoded and read as numbers, without a locale and without surprises. */

#pragma once

#include "base/macro.h"

#include <stdbool.h>
#include <sys/types.h>

/* In printf formats a part of a string is "%.*s" with TEXT_PART(start, length). */
#define TEXT_PART(start, length) (int)(length), (start)

bool text_equal(const char *a, const char *b); /* both may be NULL; NULL equals only NULL */
bool text_is_empty(const char *text);          /* NULL or "" */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_equal_case(const char *a, const char *b); /* ASCII letters' case ignored */

/* A copy, ended by NUL; NULL when memory is out. The caller frees it. */
char *text_copy(const char *text);
char *text_copy_part(const char *text, size_t length);
char *text_format(const char *format, ...) _printf_(1, 2);

/* Copies `text` into `place` of `size` bytes; -ENOBUFS, and "" there, if it does not fit. */
int text_put(char *place, size_t size, const char *text);

/* Whole string to number: no blanks, no sign but '-' where `min` is negative, nothing behind.
 * -EINVAL: not a number; -ERANGE: outside [min, max]. */
int text_to_int64(const char *text, int64_t min, int64_t max, int64_t *ret);
int text_to_uint64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* "90s", "30d", "12h", "5min", "250ms", "2w": a whole number and a unit, as systemd.time(7) spells
 * them; a bare number is refused. In microseconds. -EINVAL, -ERANGE. */
int text_to_usec(const char *text, uint64_t *ret);

/* True if `text` is UTF-8 as RFC 3629 has it (no surrogates, no overlong forms). */
bool text_is_utf8(const char *text, size_t length);

/* The greatest count <= max of bytes of `text` that does not end inside a UTF-8 character. */
size_t text_cut(const char *text, size_t length, size_t max);

/* Shortens in place to at most `max` bytes, at a character's boundary, the last being "…". */
void text_shorten(char *text, size_t max);

/* Bytes that are no UTF-8 (a peer's, or half a character that a precision cut off) become '?', in
 * place. */
void text_mend_utf8(char *text);

/* Control characters (C0, DEL) become spaces, in place, trailing ones are dropped. */
void text_flatten(char *text);

/* Without the ASCII blanks at both ends, in place; returns the first byte that stays. */
char *text_strip(char *text);

/* Base64 (RFC 4648, section 4, padded). text_base64 returns a heap string, NULL when memory is out.
 * text_base64_decode refuses what is not canonical (-EINVAL); the caller frees *ret_data. */
char *text_base64(const void *data, size_t size);
int text_base64_decode(const char *text, size_t length, void **ret_data, size_t *ret_size);

/* Lower-case hexadecimal. `ret` holds 2 * size + 1 bytes. */
void text_hex(const void *data, size_t size, char *ret);

/* A uuid4 of `bytes` (16 random ones), in its 36 characters (RFC 9562, 5.4). `ret` holds 37. */
void text_uuid4(const uint8_t bytes[16], char ret[37]);
bool text_is_uuid(const char *text);

/* The one of `known` (NULL-ended) that `text` is most likely a misspelling of; NULL: none is near.
 */
const char *text_nearest(const char *text, const char *const *known);
