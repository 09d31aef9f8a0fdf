/* Keys that exist already, in place of made ones: for tests, benchmarks, and keys made elsewhere.
 */

#pragma once

#include "certs/pool.h"

#define GIVEN_KEYS_MAX 4096U

/* Reads the files of `folder` in the order of their names, each one PEM private key, and puts as
 * many as are wanted of each kind into the pool. -ENOENT: too few of a kind; -EBADMSG: a file that
 * is none, or holds a key of no kind of ours; -EEXIST: the same key twice, which would make two
 * members one. */
int given_keys_load(
        const char *folder, const size_t wanted[_KEY_KINDS], KeyPool *pool, Error *ret_error);
