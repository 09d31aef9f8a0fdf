/* A machine that failed says so: at once, once, and with evidence.
 *
 * Within a second of the error being final the FAILURE signal leaves. Half of that second is the
 * evidence's: it goes to the store as status/<instance>/evidence.json, and the signal's reason says
 * where it lies, or that it is not stored. What was late is tried again behind the signal.
 */

#pragma once

#include "agent/machine.h"
#include "agent/progress.h"
#include "roles/settings.h"

typedef struct FailureOptions {
        const Settings *settings;
        const MetadataIdentity *identity; /* NULL: not known; the signal's id is the host's name */
        const char *root;
        int root_fd;
        Progress *progress;
        const char *step;  /* "": before the first */
        const char *cause; /* the sentence */
        Usec deadline;     /* until which the signal is tried */
} FailureOptions;

/* "agent 1 (i-0abc…): join-swarm: cannot …" into `place`: the one reason, wherever people look. */
#define FAILURE_REASON_MAX 1400U
const char *failure_format(const FailureOptions *options, char place[FAILURE_REASON_MAX]);

/* Evidence that was late is tried for so long behind the signal. */
#define FAILURE_LATE_TIME (20 * USEC_PER_SEC)

/* Tells everyone, until the deadline and FAILURE_LATE_TIME behind it at the latest. What cannot be
 * told is said on stdout and in the journal. */
void failure_report(const FailureOptions *options);
