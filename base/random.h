/* Random numbers, as a parameter: tests give a source that repeats. */

#pragma once

#include "base/error.h"

typedef struct Random {
        uint64_t (*next)(void *userdata); /* 64 even bits */
        void *userdata;
} Random;

/* The kernel's: getrandom(2). */
extern const Random random_system;

/* Even in [0, limit); 0 for a limit of 0. */
uint64_t random_below(const Random *random, uint64_t limit);

/* For keys, serials and identifiers: from the kernel, complete or a failure. Waits, as getrandom(2)
 * does, for the kernel's pool to be ready early in the boot. */
int random_get_bytes(void *place, size_t size, Error *ret_error);
