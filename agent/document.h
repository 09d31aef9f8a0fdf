/* The configuration document within an instance's user-data.
 *
 * User-data may be the document itself, or, as cloud-init takes it, gzipped, or a MIME multi-part
 * one of whose parts it is (encoded 7bit, 8bit, base64 or quoted-printable). What makes a text our
 * document is its first line, `#!…/flocker-bootstrap …`.
 *
 * Source: cloud-init's documentation, "User-data formats"; RFC 2045, RFC 2046.
 */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

#define DOCUMENT_SIZE_MAX  (256U * 1024U) /* bytes, unpacked */
#define DOCUMENT_PARTS_MAX 64U
#define DOCUMENT_DEPTH_MAX 4U /* of multi-parts within multi-parts, and of encodings */

typedef enum DocumentOutcome {
        DOCUMENT_FOUND = 0,
        DOCUMENT_ABSENT = 1, /* nothing in it is ours */
} DocumentOutcome;

/* Is this text a document of ours, by its first line? */
bool document_is_ours(const char *text, size_t size);

/* Appends the document's text to `ret`. -EBADMSG: damaged gzip or MIME; -EFBIG; two documents of
 * ours in one user-data are refused. `name` is for sentences. */
int document_find(const char *name, const char *data, size_t size, Buffer *ret, Error *ret_error);
