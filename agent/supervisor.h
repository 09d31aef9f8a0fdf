/* A parent that sees its worker end, however it ends: with a result, with an error, killed,
 * crashed, or not at all.
 *
 * The worker is a child process that tells of each step over a pipe. The parent does little, so
 * that it can hardly fail itself. It passes SIGTERM on; when it dies, so does the worker
 * (PR_SET_PDEATHSIG).
 */

#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>

#define SUPERVISOR_STEP_MAX 64U

/* The worker's end of the pipe. */
typedef struct SupervisorLine {
        int fd;
} SupervisorLine;

/* A step has begun, and must have ended by `limit` (of clock_system). */
void supervisor_tell_step(const SupervisorLine *line, const char *step, Usec limit);

/* It has failed for good. The worker may go on to put things back. */
void supervisor_tell_failure(
        const SupervisorLine *line, const char *step, int code, const Error *error);

/* How a worker has failed. */
typedef struct SupervisorFailure {
        char step[SUPERVISOR_STEP_MAX]; /* "": before the first */
        int code;                       /* negative errno */
        bool told;                      /* by the worker; else it has died, or hung */
        Error error;
} SupervisorFailure;

typedef struct SupervisorOptions {
        /* In the child; its return value (0 or a negative errno) is its exit. */
        int (*work)(const SupervisorLine *line, void *userdata);

        /* In the parent, at once and at most once: the worker has failed. SIGTERM and SIGINT end
         * the parent meanwhile. */
        void (*fail)(const SupervisorFailure *failure, void *userdata);
        Usec fail_time; /* that may take so long: a watchdog is told */
        void *userdata;
} SupervisorOptions;

/* Runs the worker to its end. 0; or the failure's code, `fail` having been called. A worker that
 * has told of its failure has SUPERVISOR_UNDO_TIME to end. */
#define SUPERVISOR_UNDO_TIME (60 * USEC_PER_SEC)
int supervisor_run(const SupervisorOptions *options, Error *ret_error);
