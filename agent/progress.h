/* How a run tells of itself: a line a step on stdout and in the journal (with fields), rewritten in
 * place on a terminal; or, with --json, the journal of steps as it is written. */

#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "host/systemd.h"

#include <stdbool.h>

typedef enum ProgressStyle {
        PROGRESS_PLAIN,
        PROGRESS_TERMINAL,
        PROGRESS_JSON,
} ProgressStyle;

typedef struct Progress {
        ProgressStyle style;
        Log *log;                         /* lines, and the journal */
        const char *role;                 /* "agent 1": for the fields */
        const char *run;                  /* the run's uuid */
        char unit[SYSTEMD_UNIT_NAME_MAX]; /* this process's; "": none */
} Progress;

/* The log is the progress's own; `journal` false: none (a rehearsal's root is not this machine). */
int progress_begin(ProgressStyle style, bool journal, Progress *ret, Error *ret_error);
void progress_done(Progress *progress);
DEFINE_CLEANUP_IN_PLACE(Progress, progress_done);

void progress_step_started(Progress *progress, const char *step);
void progress_step_done(Progress *progress, const char *step, Usec took);
void progress_step_skipped(Progress *progress, const char *step);
void progress_waiting(Progress *progress, const char *step, const char *what);
void progress_would(Progress *progress, const char *step, const char *what);
void progress_note(Progress *progress, LogLevel level, const char *text);

/* The reason of a failure, once: a line on stdout and in the journal, and on the console where
 * stdout is not that already (`console` false: not there). */
void progress_failed(Progress *progress, const char *step, const char *reason, bool console);
