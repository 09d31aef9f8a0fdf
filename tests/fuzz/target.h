/* What a fuzz target has: one function over bytes, and a text with a NUL where a reader wants one.
 */

#pragma once

#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A heap copy that ends in a NUL; ends the run if memory is out. */
static inline char *as_text(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1);

        if (!text)
                abort();
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        return text;
}

/* A reader says why it refuses: an error without a sentence is a bug. */
static inline void refused_well(int r, const Error *error)
{
        if (r < 0 && (!error->text[0] || !text_is_utf8(error->text, strlen(error->text)) ||
                             strpbrk(error->text, "\n\r\x1B")))
                abort();
}
