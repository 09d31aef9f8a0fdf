/* Would a job wait for its own asker? systemd's queue of jobs, and the order between their units.
 *
 * A unit's job waits for the jobs of those that it is ordered After=, as far as such jobs are
 * queued (systemd.unit(5)). What waits, over others, for the unit that this process is of, waits
 * for ever while this process awaits it. Pure.
 */

#pragma once

#include "base/macro.h"

#include <stdbool.h>
#include <stddef.h>

#define JOB_QUEUE_MAX       2000U
#define JOB_QUEUE_CHAIN_MAX 512U

typedef struct JobQueue JobQueue;

int job_queue_new(JobQueue **ret); /* -ENOMEM */
JobQueue *job_queue_free(JobQueue *queue);
DEFINE_CLEANUP(JobQueue *, job_queue_free);

/* The unit has a job. More than JOB_QUEUE_MAX are left out. -ENOMEM. */
int job_queue_add(JobQueue *queue, const char *unit);

/* Calls `visit` for each unit that `unit` is ordered after, until it returns false. */
typedef bool (*JobQueueVisit)(const char *unit, void *userdata);
typedef void (*JobQueueAfter)(
        const char *unit, JobQueueVisit visit, void *visit_userdata, void *userdata);

/* Does the unit's job wait for the job of `whom`? If so `chain` says over whom: "a -> b -> whom".
 * Each unit is looked at once, so it is asked once of a queue. */
bool job_queue_waits(JobQueue *queue,
        const char *unit,
        const char *whom,
        JobQueueAfter after,
        void *userdata,
        char chain[JOB_QUEUE_CHAIN_MAX]);
