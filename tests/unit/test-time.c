#include "base/retry.h"
#include "tests/unit/test.h"
#include "tests/unit/virtual-clock.h"

static void times_of_day_are_read_and_written(void **state)
{
        char text[CLOCK_UTC_MAX];
        Usec usec;

        (void)state;
        assert_int_equal(clock_parse_utc("2026-11-24T09:05:07.25Z", &usec), 0);
        assert_int_equal(usec, 1795511107250000);
        clock_format_utc(usec, text);
        assert_string_equal(text, "2026-11-24T09:05:07Z");
        assert_int_equal(clock_parse_http_date("Tue, 24 Nov 2026 09:05:07 GMT", &usec), 0);
        assert_int_equal(usec, 1795511107000000);
        clock_format_utc(UINT64_MAX, text);
        assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void no_time_is_no_time(void **state)
{
        static const char *const bad[] = {"",
                "2026",
                "2026-02-30T00:00:00Z",
                "2026-11-24T24:00:00Z",
                "2026-11-24T09:05:07",
                "2026-11-24T09:05:07Zx",
                "2026-11-24T09:05:07.Z",
                "1969-01-01T00:00:00Z"};
        static const char *const bad_http[] = {"",
                "Tue",
                "Tue, 31 Feb 2026 09:05:07 GMT",
                "Tue, 24 Nov 2026 09:05:07 UTC",
                "Tue, 24 nov 2026 09:05:07 GMT"};
        Usec usec;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(clock_parse_utc(bad[i], &usec), -EINVAL);
        for (size_t i = 0; i < ELEMENTS(bad_http); i++)
                assert_int_equal(clock_parse_http_date(bad_http[i], &usec), -EINVAL);
}

static void spans_are_for_people(void **state)
{
        char text[CLOCK_SPAN_MAX];

        (void)state;
        assert_string_equal(clock_format_span(350000, text), "350 ms");
        assert_string_equal(clock_format_span(4250000, text), "4.2 s");
        assert_string_equal(clock_format_span(125 * USEC_PER_SEC, text), "2 min 5 s");
        assert_string_equal(clock_format_span(76 * USEC_PER_HOUR, text), "3 d 4 h");
        assert_string_equal(clock_format_span(USEC_INFINITY, text), "for ever");
}

static void deadlines_saturate(void **state)
{
        VirtualClock clock;

        (void)state;
        virtual_clock_init(&clock);
        assert_true(clock_deadline(&clock.clock, USEC_INFINITY) == USEC_INFINITY);
        assert_true(clock_left(&clock.clock, USEC_INFINITY) == USEC_INFINITY);
        assert_int_equal(clock_left(&clock.clock, clock.now + 5), 5);
        assert_int_equal(clock_left(&clock.clock, clock.now - 5), 0);
        assert_true(clock_passed(&clock.clock, clock.now));
}

/* SDKs and Tools Reference Guide, standard mode: rand(0, 1) · min(base · 2^i, 20 s). */
static void the_wait_is_full_jitter_below_a_growing_end(void **state)
{
        static const Usec ends[] = {50000, 100000, 200000, 400000, 800000, 1600000};
        uint64_t seed = 1;
        const Random random = {counting_next, &seed};

        (void)state;
        for (unsigned i = 0; i < ELEMENTS(ends); i++) {
                Usec least = USEC_INFINITY, most = 0;

                for (int n = 0; n < 1000; n++) {
                        Usec wait =
                                retry_delay(&retry_policy_request, RETRY_TRANSIENT, i, 0, &random);

                        least = usec_min(least, wait);
                        most = wait > most ? wait : most;
                }
                assert_in_range(least, 0, ends[i] / 50);
                assert_in_range(most, ends[i] - ends[i] / 50, ends[i]);
        }
        assert_in_range(retry_delay(&retry_policy_request, RETRY_THROTTLED, 40, 0, &random),
                0,
                20 * USEC_PER_SEC);
}

static void retry_after_is_honoured_within_bounds(void **state)
{
        uint64_t seed = 1;
        const Random random = {counting_next, &seed};

        (void)state;
        for (int n = 0; n < 100; n++) {
                assert_in_range(retry_delay(&retry_policy_request,
                                        RETRY_TRANSIENT,
                                        0,
                                        2 * USEC_PER_SEC,
                                        &random),
                        2 * USEC_PER_SEC,
                        2 * USEC_PER_SEC);
                assert_in_range(
                        retry_delay(
                                &retry_policy_request, RETRY_TRANSIENT, 0, USEC_PER_HOUR, &random),
                        5 * USEC_PER_SEC,
                        5050000);
        }
}

/* Every value is as likely as another: without the rejected numbers, 2^64 mod 3 would favour 0. */
static uint64_t repeating_next(void *userdata)
{
        static const uint64_t numbers[] = {0, 1, 2, 3};
        size_t *next = userdata;

        return numbers[(*next)++ % 4];
}

static void random_numbers_are_even(void **state)
{
        size_t next = 0, counts[6] = {0};
        const Random repeating = {repeating_next, &next};

        (void)state;
        assert_int_equal(random_below(&repeating, 0), 0);
        assert_int_equal(next, 0);
        assert_int_equal(random_below(&repeating, 3), 1); /* 0 is rejected: 2^64 mod 3 is 1 */
        for (int i = 0; i < 60000; i++)
                counts[random_below(&random_system, 6)]++;
        for (size_t i = 0; i < ELEMENTS(counts); i++)
                assert_in_range(counts[i], 9500, 10500); /* over five standard deviations */
}

static void tries_are_counted(void **state)
{
        uint64_t seed = 1;
        const Random random = {counting_next, &seed};
        VirtualClock clock;
        Retry retry;

        (void)state;
        virtual_clock_init(&clock);
        retry = RETRY_INIT(&retry_policy_request, &clock.clock, &random, USEC_INFINITY);
        assert_int_equal(retry_wait(&retry, RETRY_TRANSIENT, 0), RETRY_AGAIN);
        assert_int_equal(retry_wait(&retry, RETRY_TRANSIENT, 0), RETRY_AGAIN);
        assert_int_equal(retry_wait(&retry, RETRY_TRANSIENT, 0), RETRY_OUT_OF_TRIES);
        assert_int_equal(clock.sleeps, 2);
}

static void no_try_begins_too_late_to_end(void **state)
{
        static const RetryPolicy patient = {
                .name = "test",
                .base = {[RETRY_NOT_YET] = 100 * USEC_PER_MSEC},
                .cap = USEC_PER_SEC,
                .floor_percent = 50,
        };
        uint64_t seed = 1;
        const Random random = {counting_next, &seed};
        VirtualClock clock;
        Usec deadline;
        Retry retry;

        (void)state;
        virtual_clock_init(&clock);
        deadline = clock.now + 10 * USEC_PER_MINUTE;
        retry = RETRY_INIT(&patient, &clock.clock, &random, deadline);
        while (retry_wait(&retry, RETRY_NOT_YET, 0) == RETRY_AGAIN)
                assert_true(clock_left(&clock.clock, deadline) >= RETRY_TRY_MIN);
        assert_in_range(
                clock.now, deadline - USEC_PER_SEC - RETRY_TRY_MIN, deadline - RETRY_TRY_MIN);
        assert_in_range(clock.sleeps, 600, 1200);
}

TESTS_MAIN(cmocka_unit_test(times_of_day_are_read_and_written),
        cmocka_unit_test(no_time_is_no_time),
        cmocka_unit_test(spans_are_for_people),
        cmocka_unit_test(deadlines_saturate),
        cmocka_unit_test(the_wait_is_full_jitter_below_a_growing_end),
        cmocka_unit_test(retry_after_is_honoured_within_bounds),
        cmocka_unit_test(random_numbers_are_even),
        cmocka_unit_test(tries_are_counted),
        cmocka_unit_test(no_try_begins_too_late_to_end))
