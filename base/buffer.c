#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ALLOCATION 256U

void buffer_done(Buffer *buffer)
{
        if (buffer->data)
                explicit_bzero(buffer->data, buffer->allocated);
        free(buffer->data);
        *buffer = BUFFER_INIT(buffer->max);
}

/* Not realloc: what it leaves behind would not be cleansed. */
static int grow(Buffer *buffer, size_t wanted)
{
        size_t allocated = buffer->allocated ? buffer->allocated : FIRST_ALLOCATION;
        char *data;

        while (allocated < wanted)
                allocated *= 2;

        data = malloc(allocated);
        if (!data)
                return -ENOMEM;

        if (buffer->data) {
                memcpy(data, buffer->data, buffer->size + 1);
                explicit_bzero(buffer->data, buffer->allocated);
                free(buffer->data);
        }
        buffer->data = data;
        buffer->allocated = allocated;
        return 0;
}

int buffer_reserve(Buffer *buffer, size_t size, char **ret_place)
{
        int r;

        if (size > buffer->max || buffer->size > buffer->max - size)
                return -ENOBUFS;

        if (!buffer->data || buffer->size + size + 1 > buffer->allocated) {
                r = grow(buffer, buffer->size + size + 1);
                if (r < 0)
                        return r;
        }

        buffer->data[buffer->size + size] = '\0';
        *ret_place = buffer->data + buffer->size;
        return 0;
}

int buffer_append(Buffer *buffer, const void *data, size_t size)
{
        char *place;
        int r;

        r = buffer_reserve(buffer, size, &place);
        if (r < 0)
                return r;

        if (size > 0)
                memcpy(place, data, size);
        buffer->size += size;
        return 0;
}

int buffer_append_text(Buffer *buffer, const char *text)
{
        return buffer_append(buffer, text, strlen(text));
}

int buffer_append_list(Buffer *buffer, const char *format, va_list arguments)
{
        va_list again;
        char *place;
        int length, r;

        va_copy(again, arguments);
        length = vsnprintf(NULL, 0, format, again);
        va_end(again);
        if (length < 0)
                return -EINVAL;

        r = buffer_reserve(buffer, (size_t)length, &place);
        if (r < 0)
                return r;

        (void)vsnprintf(place, (size_t)length + 1, format, arguments);
        buffer->size += (size_t)length;
        return 0;
}

int buffer_append_format(Buffer *buffer, const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = buffer_append_list(buffer, format, arguments);
        va_end(arguments);
        return r;
}

void buffer_clear(Buffer *buffer)
{
        if (buffer->data)
                explicit_bzero(buffer->data, buffer->allocated);
        buffer->size = 0;
}

const char *buffer_text(const Buffer *buffer)
{
        return buffer->data ? buffer->data : "";
}

char *buffer_take(Buffer *buffer, size_t *ret_size)
{
        char *place;

        if (!buffer->data && buffer_reserve(buffer, 0, &place) < 0)
                return NULL;

        if (ret_size)
                *ret_size = buffer->size;
        buffer->size = buffer->allocated = 0;
        return TAKE_PTR(buffer->data);
}
