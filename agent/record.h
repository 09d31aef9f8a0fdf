/* The journal of steps, /var/lib/flocker-bootstrap/journal.jsonl: what was done when, how long it
 * took, and what it waited for; a JSON object a line, appended.
 *
 *         {"time": "2026-11-24T09:05:00Z", "usec": …, "run": "<uuid>", "role": "agent", "node": 1,
 *          "instance": "i-0abc…", "step": "join-swarm", "event": "started"}
 *
 * Events: started; waiting ("for": what); done and failed ("took": microseconds, failed with
 * "error"; a step whose worker was killed has no "took"); skipped (it was done already); in a dry
 * run, which keeps no journal, would ("what"). "usec" is the wall time in microseconds.
 */

#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

#define RECORD_LINE_MAX 3072U /* bytes: one write(2), so that lines stay whole */
#define RECORD_RUN_SIZE 37U

typedef struct Record {
        int fd;                    /* -1: nothing is kept (a dry run) */
        int echo;                  /* each line goes there too, not owned; -1: nowhere */
        const Clock *clock;        /* borrowed, as are the texts */
        char run[RECORD_RUN_SIZE]; /* a uuid for this run of the program */
        const char *role;
        int64_t node;         /* -1: none */
        const char *instance; /* NULL: not known yet */
} Record;

/* Opens the journal for appending (0600); `root_fd` -1: nothing is kept. What a kill has left of a
 * last line is ended first. */
int record_open(int root_fd, const Clock *clock, Record *ret, Error *ret_error);
void record_done(Record *record);
DEFINE_CLEANUP_IN_PLACE(Record, record_done);

typedef struct RecordEvent {
        const char *step;
        const char *event;
        const char *waits_for; /* NULL: nothing */
        const char *what;      /* would be done; NULL: nothing */
        const char *error;     /* NULL: none */
        Usec took;             /* USEC_INFINITY: not said */
} RecordEvent;

/* Appends a line. A disk that is full must not end a run: what cannot be written is lost. */
void record_event(const Record *record, const RecordEvent *event);
