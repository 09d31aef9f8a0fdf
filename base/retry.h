/* Trying again: the policy is data, the waiting is here, and what counts as worth a second try is
 * the caller's to say.
 *
 *         Retry retry = RETRY_INIT(&retry_policy_request, clock, random, deadline);
 *
 *         for (;;) {
 *                 r = attempt();
 *                 if (r is final)
 *                         return r;
 *                 if (retry_wait(&retry, RETRY_TRANSIENT, retry_after) != RETRY_AGAIN)
 *                         return r, saying how often and how long it was tried;
 *         }
 *
 * The wait before try i+1 (i from 0) is even in [floor, 1] · min(base · 2^i, cap): full jitter
 * where the floor is 0 (the AWS SDKs' standard mode), so that machines which failed together do not
 * come back together.
 */

#pragma once

#include "base/clock.h"
#include "base/random.h"

typedef enum RetryCause {
        RETRY_TRANSIENT, /* a connection, a 5xx, a time-out */
        RETRY_THROTTLED, /* the service asks for less */
        RETRY_NOT_YET,   /* another machine's work is not there: nothing is wrong */
        _RETRY_CAUSES,
} RetryCause;

typedef enum RetryVerdict {
        RETRY_AGAIN,        /* the wait is over: try again */
        RETRY_OUT_OF_TRIES, /* the policy's attempts are spent */
        RETRY_OUT_OF_TIME,  /* less than RETRY_TRY_MIN would be left for the next try; not waited */
} RetryVerdict;

/* A try that the deadline cuts says nothing but that, where the one before it has a reason. */
#define RETRY_TRY_MIN (100 * USEC_PER_MSEC)

typedef struct RetryPolicy {
        const char *name;            /* for logs: "request", "poll" */
        unsigned attempts;           /* at most, the first included; 0: as the deadline allows */
        Usec base[_RETRY_CAUSES];    /* the first wait's upper end, by cause */
        Usec cap;                    /* the longest wait's upper end */
        unsigned floor_percent;      /* of that upper end: the shortest wait; 0 is full jitter */
        Usec retry_after_excess_max; /* Retry-After is honoured from the computed wait t to t + this
                                      */
} RetryPolicy;

/* One request to a service of AWS, as the SDKs' standard mode: 3 attempts, 50 ms transient, 1 s
 * throttled, cap 20 s, x-amz-retry-after within [t, t + 5 s]. */
extern const RetryPolicy retry_policy_request;

typedef struct Retry {
        const RetryPolicy *policy;
        const Clock *clock;
        const Random *random;
        Usec deadline;
        unsigned attempts; /* that have ended, so far */
} Retry;

#define RETRY_INIT(p, c, r, d) \
        ((Retry){.policy = (p), .clock = (c), .random = (r), .deadline = (d)})

/* Call after an attempt that failed for `cause`; `retry_after` is what the peer asked for, in
 * microseconds, 0 if it did not. Sleeps, unless the verdict is another than RETRY_AGAIN. */
RetryVerdict retry_wait(Retry *retry, RetryCause cause, Usec retry_after);

/* The wait by itself: pure, given the random source. `attempt` counts from 0. */
Usec retry_delay(const RetryPolicy *policy,
        RetryCause cause,
        unsigned attempt,
        Usec retry_after,
        const Random *random);
