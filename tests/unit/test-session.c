#include "tests/unit/scripted-session.h"

typedef struct Fixture {
        ScriptedSession base;
        HttpResponse response;
        AwsFault fault;
} Fixture;

static int set_up(void **state)
{
        return (*state = calloc(1, sizeof(Fixture))) ? 0 : -1;
}

static int tear_down(void **state)
{
        Fixture *fixture = *state;

        http_response_done(&fixture->response);
        scripted_session_stop(&fixture->base);
        free(fixture);
        return 0;
}

static void begin(Fixture *fixture, ScriptedAnswer script)
{
        scripted_session_start(&fixture->base, script, fixture);
}

static int perform(Fixture *fixture, Usec seconds)
{
        char url[128];

        (void)snprintf(url, sizeof(url), "%s/bucket/key", fixture->base.server.url);
        return aws_perform(fixture->base.session,
                &(AwsRequest){
                        .service = "s3",
                        .method = "GET",
                        .url = url,
                        .deadline =
                                clock_deadline(&fixture->base.clock.clock, seconds * USEC_PER_SEC),
                },
                &fixture->response,
                &fixture->fault,
                &fixture->base.error);
}

/* x-amz-date of the request `index`, as "20261124T120000Z…". */
static const char *date_of(const Fixture *fixture, size_t index)
{
        const char *date = strcasestr(fixture->base.server.seen[index], "\r\nx-amz-date: ");

        assert_non_null(date);
        return date + strlen("\r\nx-amz-date: ");
}

static void slow_down_twice(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)head;
        if (server->n_seen <= 2)
                scripted_refuse(answer, 503, "", "SlowDown");
        else
                scripted_answer(answer, 200, "", "done");
}

static void throttling_is_waited_out_and_three_tries_are_all(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, slow_down_twice);
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.server.n_seen, 3);
        assert_int_equal(fixture->base.clock.sleeps, 2);
}

static void refuse_for_ever(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 500, "", "InternalError");
}

static void the_last_refusal_is_told(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, refuse_for_ever);
        assert_int_equal(perform(fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 3);
        assert_int_equal(fixture->fault.status, 500);
        assert_says(&fixture->base.error, "cannot GET 'http://127.0.0.1:");
        assert_says(&fixture->base.error,
                "/bucket/key': 500 InternalError: said the test (request 4F)");
}

static void slow_down_for_ever(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 503, "x-amz-retry-after: 4000\r\n", "SlowDown");
}

static void a_wait_that_would_outlast_the_deadline_is_not_begun(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, slow_down_for_ever);
        assert_int_equal(perform(fixture, 2), AWS_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 1);
        assert_int_equal(fixture->base.clock.sleeps, 0);
}

static void wait_an_hour(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)head;
        if (server->n_seen == 1)
                scripted_refuse(answer, 500, "x-amz-retry-after: 3600000\r\n", "InternalError");
        else
                scripted_answer(answer, 200, "", "done");
}

static void an_hour_asked_for_is_cut_to_seconds(void **state)
{
        Fixture *fixture = *state;
        Usec began;

        begin(fixture, wait_an_hour);
        began = fixture->base.clock.now;
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_in_range(fixture->base.clock.now - began,
                5 * USEC_PER_SEC,
                5 * USEC_PER_SEC + 50 * USEC_PER_MSEC);
}

/* The virtual clock says 12:00; this server's is at 13:00, and its patience 15 minutes. */
static void an_hour_ahead(ScriptedServer *server, const char *head, Buffer *answer)
{
        static const char date[] = "Date: Tue, 24 Nov 2026 13:00:00 GMT\r\n";

        (void)server;
        if (strcasestr(head, "x-amz-date: 20261124T13"))
                scripted_answer(answer, 200, date, "right time");
        else
                scripted_refuse(answer, 403, date, "RequestTimeTooSkewed");
}

static void a_wrong_clock_is_corrected_once_and_for_all(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, an_hour_ahead);
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.server.n_seen, 2);
        assert_memory_equal(date_of(fixture, 0), "20261124T12", 11);
        assert_memory_equal(date_of(fixture, 1), "20261124T13", 11);
        assert_true(aws_session_skew(fixture->base.session) == (int64_t)USEC_PER_HOUR);
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.server.n_seen, 3);
}

/* The answer to a HEAD has no body, and so no code. */
static void an_hour_ahead_without_a_word(ScriptedServer *server, const char *head, Buffer *answer)
{
        static const char date[] = "Date: Tue, 24 Nov 2026 13:00:00 GMT\r\n";

        (void)server;
        scripted_answer(answer, strcasestr(head, "x-amz-date: 20261124T13") ? 200 : 403, date, "");
}

static void a_refusal_without_a_code_may_be_the_clocks(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, an_hour_ahead_without_a_word);
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.server.n_seen, 2);
}

static void skewed_for_ever(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(
                answer, 403, "Date: Tue, 24 Nov 2026 13:00:00 GMT\r\n", "SignatureDoesNotMatch");
}

static void a_wrong_secret_is_not_taken_for_a_wrong_clock_twice(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, skewed_for_ever);
        assert_int_equal(perform(fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 2);
}

static void four_minutes_ahead(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(
                answer, 403, "Date: Tue, 24 Nov 2026 12:04:00 GMT\r\n", "SignatureDoesNotMatch");
}

static void a_clock_that_is_nearly_right_is_left_alone(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, four_minutes_ahead);
        assert_int_equal(perform(fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 1);
}

static void expired(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 400, "", "ExpiredToken");
}

static void an_expired_token_is_renewed_once(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, expired);
        assert_int_equal(perform(fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 2);
        assert_string_equal(fixture->fault.code, "ExpiredToken");
}

static void done(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_answer(answer, 200, "", "done");
}

static void a_kept_connection_that_went_stale_costs_no_try(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, done);
        fixture->base.server.close_silently = true;
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.clock.sleeps, 0);
}

static void hang_up_twice(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)head;
        if (server->n_seen > 2)
                scripted_answer(answer, 200, "", "done");
}

static void a_broken_connection_is_tried_again(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, hang_up_twice);
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.clock.sleeps, 2);
}

static void in_use(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 409, "", "EntityAlreadyExists");
}

static void a_conflict_that_stays_is_final(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, in_use);
        assert_int_equal(perform(fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 1);
}

static void conflict_once(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)head;
        if (server->n_seen == 1)
                scripted_refuse(answer, 409, "", "ConditionalRequestConflict");
        else
                scripted_answer(answer, 200, "", "done");
}

static void a_conflict_of_two_writers_is_tried_again(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, conflict_once);
        assert_int_equal(perform(fixture, 60), AWS_OK);
        assert_int_equal(fixture->base.server.n_seen, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS_MAIN(TEST(throttling_is_waited_out_and_three_tries_are_all),
        TEST(the_last_refusal_is_told),
        TEST(a_wait_that_would_outlast_the_deadline_is_not_begun),
        TEST(an_hour_asked_for_is_cut_to_seconds),
        TEST(a_wrong_clock_is_corrected_once_and_for_all),
        TEST(a_refusal_without_a_code_may_be_the_clocks),
        TEST(a_wrong_secret_is_not_taken_for_a_wrong_clock_twice),
        TEST(a_clock_that_is_nearly_right_is_left_alone),
        TEST(an_expired_token_is_renewed_once),
        TEST(a_kept_connection_that_went_stale_costs_no_try),
        TEST(a_broken_connection_is_tried_again),
        TEST(a_conflict_that_stays_is_final),
        TEST(a_conflict_of_two_writers_is_tried_again))
