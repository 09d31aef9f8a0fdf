/* Runs a role's steps, one after another: does what is missing or changed, and nothing else. */

#pragma once

#include "agent/record.h"
#include "roles/step.h"

/* What a rehearsal makes of a step that is to go wrong. */
typedef enum RunnerFault {
        RUNNER_FAULT_NONE,
        RUNNER_FAULT_KILL, /* the process is killed as the step begins */
        RUNNER_FAULT_HANG, /* it stops for good */
        RUNNER_FAULT_FAIL, /* the step fails */
} RunnerFault;

/* Told of each step as it goes; `error` is set for RUNNER_FAILED alone. */
typedef enum RunnerEvent {
        RUNNER_STARTED,
        RUNNER_DONE,
        RUNNER_SKIPPED, /* it was done already */
        RUNNER_FAILED,  /* told before anything is undone */
} RunnerEvent;

typedef void (*RunnerTell)(RunnerEvent event,
        const Step *step,
        Usec took,
        int code,
        const Error *error,
        void *userdata);

typedef struct RunnerOptions {
        const char *only, *from, *until; /* names of steps; NULL: from the first, to the last */
        bool again;                      /* also what is done already */
        RunnerFault fault;
        const char *fault_step; /* NULL with RUNNER_FAULT_NONE */
        RunnerTell tell;
        void *userdata;
} RunnerOptions;

/* Do the options name steps of the role? -EINVAL, with the names that there are. */
int runner_check(const StepTable *table, const RunnerOptions *options, Error *ret_error);

/* Runs them. read-instance is always run: the others need it. A step that fails ends it, with its
 * name in front of the sentence. What the last one leaves is "complete" if all were run. */
int runner_run(Role *role, Record *record, const RunnerOptions *options, Error *ret_error);
