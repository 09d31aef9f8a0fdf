/* When each machine did each step and what it waited for: read off the journals of steps, drawn as
 * SVG in the manner of systemd-analyze plot, and the critical path in words. */

#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "cfn/template.h"

#include <stdbool.h>

#define TIMELINE_MACHINES_MAX CFN_TEMPLATE_RESOURCES_MAX /* as many as a template can have */
#define TIMELINE_STEPS_MAX    32U                        /* of one machine */
#define TIMELINE_WAITS_MAX    96U

typedef struct TimelineStep {
        char name[32];
        Usec start, end; /* wall; end 0: it has not ended */
        Usec waiting;    /* since when it has waited for something; 0: it did not */
        char waits_for[TIMELINE_WAITS_MAX]; /* the last thing it waited for */
        bool failed, skipped;
} TimelineStep;

typedef struct TimelineMachine {
        char name[64];
        Usec booted; /* wall: when it was launched; 0: not known */
        TimelineStep steps[TIMELINE_STEPS_MAX];
        size_t n_steps;
} TimelineMachine;

typedef struct Timeline {
        char title[128];
        Usec began, ended; /* wall */
        TimelineMachine machines[TIMELINE_MACHINES_MAX];
        size_t n_machines;
} Timeline;

/* Reads a journal of steps (journal.jsonl below `root`) into a new machine of the timeline. The
 * run that signalled counts, else the last one. One without a journal has no steps. */
int timeline_add(
        Timeline *timeline, const char *name, const char *root, Usec booted, Error *ret_error);

/* From a machine's launch to its signal: whose time it was. False: it has not signalled. */
typedef struct TimelineShare {
        Usec whole, ours, waiting; /* `ours` is without what it waited for other machines */
} TimelineShare;
bool timeline_share(const TimelineMachine *machine, TimelineShare *ret);

/* That for each machine that has signalled, behind a heading. */
typedef void (*TimelineLink)(const char *text, void *userdata);
void timeline_explain_shares(const Timeline *timeline, TimelineLink tell, void *userdata);

int timeline_draw(const Timeline *timeline, Buffer *ret, Error *ret_error);

/* One line each, from the stack's end back to its beginning, told forwards: "control
 * make-flocker-certs 6.1 s". */
void timeline_explain(const Timeline *timeline, TimelineLink tell, void *userdata);
