/* A growing run of bytes with an upper bound that its owner names: what a peer sends can fill it,
 * and no more. It always ends in a NUL that does not count, so text can be used where it stands.
 *
 *         _cleanup_(buffer_done) Buffer body = BUFFER_INIT(64 * 1024);
 *
 * Memory that a buffer leaves, by growing or by ending, is cleansed: what passes through may be a
 * key. Until something is appended, data is NULL; buffer_text() gives "" then.
 */

#pragma once

#include "base/macro.h"

#include <stdarg.h>

typedef struct Buffer {
        char *data;       /* NULL while empty; `size` bytes and a NUL */
        size_t size;      /* bytes in use */
        size_t allocated; /* bytes held */
        size_t max;       /* the bound on size */
} Buffer;

#define BUFFER_INIT(bound) ((Buffer){.max = (bound)})

void buffer_done(Buffer *buffer);
DEFINE_CLEANUP_IN_PLACE(Buffer, buffer_done);

/* Appending: 0, -ENOBUFS (over the bound: nothing is appended), -ENOMEM. */
int buffer_append(Buffer *buffer, const void *data, size_t size);
int buffer_append_text(Buffer *buffer, const char *text);
int buffer_append_format(Buffer *buffer, const char *format, ...) _printf_(2, 3);
int buffer_append_list(Buffer *buffer, const char *format, va_list arguments) _printf_(2, 0);

/* Room for `size` more bytes behind the end; the caller fills them and counts them in. */
int buffer_reserve(Buffer *buffer, size_t size, char **ret_place);

/* Keeps the memory, cleansed, for the next use. */
void buffer_clear(Buffer *buffer);

/* The bytes, NUL-ended; never NULL. */
const char *buffer_text(const Buffer *buffer);

/* Hands the memory over: the caller frees it. NULL if memory is out; the buffer is empty after. */
char *buffer_take(Buffer *buffer, size_t *ret_size);
