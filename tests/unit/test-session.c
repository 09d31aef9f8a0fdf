#include "aws/session.h"
#include "tests/unit/scripted-server.h"
#include "tests/unit/virtual-clock.h"

/* A session with a server that does as each test scripts it, in virtual time. */
typedef struct Fixture {
        VirtualClock clock;
        uint64_t seed;
        Random random;
        ScriptedServer server;
        HttpClient *http;
        AwsCredentialsProvider *credentials;
        AwsSession *session;
        HttpResponse response;
        AwsFault fault;
        Error error;
} Fixture;

static char access_key_id[] = "AWS_ACCESS_KEY_ID=AKIA",
            secret_access_key[] = "AWS_SECRET_ACCESS_KEY=s";
static char *const environment[] = {access_key_id, secret_access_key, NULL};

static void begin(Fixture *fixture, ScriptedAnswer script)
{
        *fixture = (Fixture){.response = HTTP_RESPONSE_INIT};
        virtual_clock_init(&fixture->clock);
        fixture->random = (Random){.next = counting_next, .userdata = &fixture->seed};
        scripted_server_start(&fixture->server, script, fixture);
        assert_int_equal(http_client_new(
                                 &(HttpOptions){
                                         .user_agent = "test",
                                         .clock = &fixture->clock.clock,
                                 },
                                 &fixture->http,
                                 &fixture->error),
                0);
        assert_int_equal(aws_credentials_provider_new(
                                 &(AwsCredentialsOptions){
                                         .clock = &fixture->clock.clock,
                                         .random = &fixture->random,
                                         .environment = environment,
                                 },
                                 &fixture->credentials,
                                 &fixture->error),
                0);
        assert_int_equal(aws_session_new(
                                 &(AwsSessionOptions){
                                         .http = fixture->http,
                                         .credentials = fixture->credentials,
                                         .clock = &fixture->clock.clock,
                                         .random = &fixture->random,
                                         .region = "us-east-1",
                                 },
                                 &fixture->session,
                                 &fixture->error),
                0);
}

static void end(Fixture *fixture)
{
        http_response_done(&fixture->response);
        (void)aws_session_free(fixture->session);
        (void)aws_credentials_provider_free(fixture->credentials);
        (void)http_client_free(fixture->http);
        scripted_server_stop(&fixture->server);
}

static int perform(Fixture *fixture, Usec seconds)
{
        char url[128];

        (void)snprintf(url, sizeof(url), "%s/bucket/key", fixture->server.url);
        return aws_perform(fixture->session,
                &(AwsRequest){
                        .service = "s3",
                        .method = "GET",
                        .url = url,
                        .deadline = clock_deadline(&fixture->clock.clock, seconds * USEC_PER_SEC),
                },
                &fixture->response,
                &fixture->fault,
                &fixture->error);
}

/* x-amz-date of the request `index`, as "20261124T120000Z…". */
static const char *date_of(const Fixture *fixture, size_t index)
{
        const char *date = strcasestr(fixture->server.seen[index], "\r\nx-amz-date: ");

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
        Fixture fixture;

        (void)state;
        begin(&fixture, slow_down_twice);
        assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_int_equal(fixture.server.n_seen, 3);
        assert_int_equal(fixture.clock.sleeps, 2);
        end(&fixture);
}

static void refuse_for_ever(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 500, "", "InternalError");
}

static void the_last_refusal_is_told(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, refuse_for_ever);
        assert_int_equal(perform(&fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture.server.n_seen, 3);
        assert_int_equal(fixture.fault.status, 500);
        assert_says(&fixture.error, "cannot GET 'http://127.0.0.1:");
        assert_says(&fixture.error, "/bucket/key': 500 InternalError: said the test (request 4F)");
        end(&fixture);
}

static void slow_down_for_ever(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 503, "x-amz-retry-after: 4000\r\n", "SlowDown");
}

static void a_wait_that_would_outlast_the_deadline_is_not_begun(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, slow_down_for_ever);
        assert_int_equal(perform(&fixture, 2), AWS_REFUSED);
        assert_int_equal(fixture.server.n_seen, 1);
        assert_int_equal(fixture.clock.sleeps, 0);
        end(&fixture);
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
        Fixture fixture;
        Usec began;

        (void)state;
        begin(&fixture, wait_an_hour);
        began = fixture.clock.now;
        assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_in_range(
                fixture.clock.now - began, 5 * USEC_PER_SEC, 5 * USEC_PER_SEC + 50 * USEC_PER_MSEC);
        end(&fixture);
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
        Fixture fixture;

        (void)state;
        begin(&fixture, an_hour_ahead);
        assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_int_equal(fixture.server.n_seen, 2);
        assert_memory_equal(date_of(&fixture, 0), "20261124T12", 11);
        assert_memory_equal(date_of(&fixture, 1), "20261124T13", 11);
        assert_true(aws_session_skew(fixture.session) == (int64_t)USEC_PER_HOUR);
        assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_int_equal(fixture.server.n_seen, 3);
        end(&fixture);
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
        Fixture fixture;

        (void)state;
        begin(&fixture, skewed_for_ever);
        assert_int_equal(perform(&fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture.server.n_seen, 2);
        end(&fixture);
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
        Fixture fixture;

        (void)state;
        begin(&fixture, four_minutes_ahead);
        assert_int_equal(perform(&fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture.server.n_seen, 1);
        end(&fixture);
}

static void expired(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 400, "", "ExpiredToken");
}

static void an_expired_token_is_renewed_once(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, expired);
        assert_int_equal(perform(&fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture.server.n_seen, 2);
        assert_string_equal(fixture.fault.code, "ExpiredToken");
        end(&fixture);
}

static void done(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_answer(answer, 200, "", "done");
}

static void a_kept_connection_that_went_stale_costs_no_try(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, done);
        fixture.server.close_silently = true;
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_int_equal(fixture.clock.sleeps, 0);
        end(&fixture);
}

static void hang_up_twice(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)head;
        if (server->n_seen > 2)
                scripted_answer(answer, 200, "", "done");
}

static void a_broken_connection_is_tried_again(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, hang_up_twice);
        assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_int_equal(fixture.clock.sleeps, 2);
        end(&fixture);
}

static void in_use(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 409, "", "EntityAlreadyExists");
}

static void a_conflict_that_stays_is_final(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, in_use);
        assert_int_equal(perform(&fixture, 60), AWS_REFUSED);
        assert_int_equal(fixture.server.n_seen, 1);
        end(&fixture);
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
        Fixture fixture;

        (void)state;
        begin(&fixture, conflict_once);
        assert_int_equal(perform(&fixture, 60), AWS_OK);
        assert_int_equal(fixture.server.n_seen, 2);
        end(&fixture);
}

TESTS_MAIN(cmocka_unit_test(throttling_is_waited_out_and_three_tries_are_all),
        cmocka_unit_test(the_last_refusal_is_told),
        cmocka_unit_test(a_wait_that_would_outlast_the_deadline_is_not_begun),
        cmocka_unit_test(an_hour_asked_for_is_cut_to_seconds),
        cmocka_unit_test(a_wrong_clock_is_corrected_once_and_for_all),
        cmocka_unit_test(a_wrong_secret_is_not_taken_for_a_wrong_clock_twice),
        cmocka_unit_test(a_clock_that_is_nearly_right_is_left_alone),
        cmocka_unit_test(an_expired_token_is_renewed_once),
        cmocka_unit_test(a_kept_connection_that_went_stale_costs_no_try),
        cmocka_unit_test(a_broken_connection_is_tried_again),
        cmocka_unit_test(a_conflict_that_stays_is_final),
        cmocka_unit_test(a_conflict_of_two_writers_is_tried_again))
