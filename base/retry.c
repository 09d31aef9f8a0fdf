#include "base/retry.h"

const RetryPolicy retry_policy_request = {
        .name = "request",
        .attempts = 3,
        .base = {[RETRY_TRANSIENT] = 50 * USEC_PER_MSEC,
                [RETRY_THROTTLED] = USEC_PER_SEC,
                [RETRY_NOT_YET] = 50 * USEC_PER_MSEC},
        .cap = 20 * USEC_PER_SEC,
        .retry_after_excess_max = 5 * USEC_PER_SEC,
};

/* min(base · 2^attempt, cap), without overflow. */
static Usec upper_end(const RetryPolicy *policy, RetryCause cause, unsigned attempt)
{
        Usec wait = policy->base[cause];

        while (attempt-- > 0 && wait < policy->cap)
                wait *= 2;
        return usec_min(wait, policy->cap);
}

Usec retry_delay(const RetryPolicy *policy,
        RetryCause cause,
        unsigned attempt,
        Usec retry_after,
        const Random *random)
{
        Usec most = upper_end(policy, cause, attempt);
        Usec least = most * policy->floor_percent / 100;
        Usec wait = least + random_below(random, most - least + 1);

        if (retry_after > wait)
                wait = usec_min(retry_after, wait + policy->retry_after_excess_max);
        return wait;
}

RetryVerdict retry_wait(Retry *retry, RetryCause cause, Usec retry_after)
{
        unsigned attempt = retry->attempts++;
        Usec wait, until;

        if (retry->policy->attempts > 0 && retry->attempts >= retry->policy->attempts)
                return RETRY_OUT_OF_TRIES;

        wait = retry_delay(retry->policy, cause, attempt, retry_after, retry->random);
        until = clock_deadline(retry->clock, wait);
        if (until >= retry->deadline || retry->deadline - until < RETRY_TRY_MIN)
                return RETRY_OUT_OF_TIME;

        clock_sleep_until(retry->clock, until);
        return RETRY_AGAIN;
}
