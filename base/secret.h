/* A secret (a private key's PEM, a passphrase, a join token, AWS's secret access key) in memory of
 * its own: pages that are locked where RLIMIT_MEMLOCK allows, left out of core dumps, not inherited
 * by children, and cleansed before they go back.
 *
 * The type is opaque, so that no format prints one by accident (-Wformat refuses a `Secret *` for
 * "%s"); where a person must see that there is one, secret_display() says "[redacted]". A secret
 * never goes to argv, an environment, a log line, an Error.
 */

#pragma once

#include "base/error.h"

#include <stdbool.h>

#define SECRET_SIZE_MAX (1024U * 1024U) /* bytes */

typedef struct Secret Secret;

/* Copies `size` bytes, and a NUL behind them. -EFBIG over SECRET_SIZE_MAX; -ENOMEM. The caller
 * cleanses what it copied from. */
int secret_new(const void *data, size_t size, Secret **ret);
int secret_new_text(const char *text, Secret **ret);

/* Cleanses and unmaps; NULL is allowed. Returns NULL. */
Secret *secret_free(Secret *secret);
DEFINE_CLEANUP(Secret *, secret_free);

/* One more owner of the same bytes; NULL gives NULL. Not for use by two threads at once. */
Secret *secret_ref(Secret *secret);

/* From now on a child by fork(2) has it too: for a worker that is the same program. NULL is
 * allowed.
 */
void secret_keep_on_fork(Secret *secret);

const char *secret_data(const Secret *secret); /* NUL-ended; valid while an owner is left */
size_t secret_size(const Secret *secret);      /* bytes, without the NUL */

bool secret_equal(const Secret *a, const Secret *b); /* in time that tells nothing of the bytes */

const char *secret_display(const Secret *secret); /* "[redacted]", or "[none]" for NULL */

/* For main, first thing: no core dump of this process and its children, no ptrace by others.
 * prctl(2), PR_SET_DUMPABLE; getrlimit(2), RLIMIT_CORE. */
int secret_protect_process(Error *ret_error);
