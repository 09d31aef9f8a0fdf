/* gzip (RFC 1952), unpacked over zlib; no other file includes zlib. */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

bool gzip_is(const void *data, size_t size); /* by its first two bytes */

/* Appends what is in it to `ret`, up to the buffer's bound. -EBADMSG: damaged, cut short, or with
 * something behind it; -ENOBUFS: over the bound; -ENOMEM: with the sentence, which names `name`. */
int gzip_unpack(const char *name, const void *data, size_t size, Buffer *ret, Error *ret_error);
