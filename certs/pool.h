/* Keys made on all cores, ahead of the moment they are wanted.
 *
 * An RSA key is seconds of work that waits for nothing, so the pool can start with the process and
 * work while metadata and credentials are still being fetched. Keys that exist already can be put
 * in, and are given out first.
 */

#pragma once

#include "base/clock.h"
#include "certs/key.h"

#define KEY_POOL_THREADS_MAX 64U

typedef struct KeyPool KeyPool;

/* `threads` 0: one for each core this process may use (sched_getaffinity(2)). None runs before
 * something is requested. */
int key_pool_new(unsigned threads, KeyPool **ret, Error *ret_error);

/* Ends what is being made within milliseconds, and waits for the threads. NULL is allowed. */
KeyPool *key_pool_free(KeyPool *pool);
DEFINE_CLEANUP(KeyPool *, key_pool_free);

/* Whoever waits for a key, or comes for one, gets -ECANCELED from here on. From any thread. */
void key_pool_cancel(KeyPool *pool);

/* `count` more keys of the kind are to be made. Returns at once. */
int key_pool_request(KeyPool *pool, KeyKind kind, size_t count, Error *ret_error);

/* Puts an existing key in; the pool's from then on. -ENOMEM. */
int key_pool_add(KeyPool *pool, KeyKind kind, Key *take_key);

/* Takes a key, waiting for it to `deadline` of clock_system; what was not requested is requested
 * now. -ETIMEDOUT; a failure to make one is everyone's. */
int key_pool_take(KeyPool *pool, KeyKind kind, Usec deadline, Key **ret, Error *ret_error);
