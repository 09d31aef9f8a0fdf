/* Another program, run to its end. */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#define CAPTURE_MAX (1024U * 1024U) /* bytes */

/* What it prints to standard output, and its status as waitpid(2) has it (127: there is no such
 * program). `words` are its file and its arguments, NULL-ended. -EFBIG over CAPTURE_MAX. */
int capture_output(char *const *words, Buffer *ret, int *ret_status, Error *ret_error);
