#include "s3/store.h"
#include "tests/unit/scripted-server.h"
#include "tests/unit/virtual-clock.h"

#define MANIFEST "docker/manifest.json"

/* What the scripted bucket does; times are seconds of the virtual clock since the beginning. */
typedef struct Rules {
        unsigned refuse_status; /* of reads; 0: as if nothing were there (404) */
        const char *refuse_code;
        Usec list_from;          /* listing is allowed from then on; USEC_INFINITY: never */
        bool list_needs_prefix;  /* allowed with a prefix alone */
        bool listed;             /* the key is in the listing */
        Usec serve_from;         /* PUT and the listing work from then on … */
        bool hang_up;            /* … and break the connection before (else 403 AccessDenied) */
        Usec die_at;             /* a request after that passes the deadline, and is not answered */
        bool keep_null_versions; /* DELETE by key alone leaves a marker */
        Usec deny_until;         /* reads are refused until then, 404 from then on; 0: always */
} Rules;

typedef struct Fixture {
        VirtualClock clock;
        Usec began;
        uint64_t seed;
        Random random;
        ScriptedServer server;
        HttpClient *http;
        AwsCredentialsProvider *credentials;
        AwsSession *session;
        S3Store *store;
        S3StoreSet *set;
        Rules rules;
        Error error;
} Fixture;

static Usec passed(const Fixture *fixture)
{
        return fixture->clock.now - fixture->began;
}

static void answer_list(const Fixture *fixture, const char *head, Buffer *answer)
{
        const Rules *rules = &fixture->rules;
        char body[1024];

        if (passed(fixture) < rules->list_from || passed(fixture) < rules->serve_from ||
                (rules->list_needs_prefix && !strstr(head, "prefix=x%2F"))) {
                scripted_refuse(answer, 403, "", "AccessDenied");
                return;
        }
        if (strstr(head, "versions="))
                (void)snprintf(body,
                        sizeof(body),
                        "<R><IsTruncated>false</IsTruncated><Version><Key>x/docker/ca-key.pem</Key>"
                        "<VersionId>null</VersionId></Version></R>");
        else
                (void)snprintf(body,
                        sizeof(body),
                        "<R><IsTruncated>false</IsTruncated>%s</R>",
                        rules->listed ? "<Contents><Key>x/" MANIFEST
                                        "</Key><Size>1</Size></Contents>"
                                      : "");
        scripted_answer(answer, 200, "", body);
}

static void answer_read(const Fixture *fixture, Buffer *answer)
{
        const Rules *rules = &fixture->rules;

        if (rules->refuse_status && (!rules->deny_until || passed(fixture) < rules->deny_until))
                scripted_refuse(answer, rules->refuse_status, "", rules->refuse_code);
        else
                scripted_refuse(answer, 404, "", "NoSuchKey");
}

static void answer_write(const Fixture *fixture, Buffer *answer)
{
        if (passed(fixture) >= fixture->rules.serve_from)
                scripted_answer(answer, 200, "", "");
        else if (!fixture->rules.hang_up)
                scripted_refuse(answer, 403, "", "AccessDenied");
}

static void script(ScriptedServer *server, const char *head, Buffer *answer)
{
        Fixture *fixture = server->userdata;

        if (fixture->rules.die_at && passed(fixture) > fixture->rules.die_at) {
                fixture->clock.now += USEC_PER_DAY;
                return;
        }
        if (text_starts(head, "GET /bucket/?"))
                answer_list(fixture, head, answer);
        else if (text_starts(head, "GET "))
                answer_read(fixture, answer);
        else if (text_starts(head, "DELETE ") && fixture->rules.keep_null_versions &&
                 !strstr(head, "versionId="))
                scripted_answer(answer, 204, "x-amz-delete-marker: true\r\n", "");
        else if (text_starts(head, "DELETE "))
                scripted_answer(answer, 204, "", "");
        else
                answer_write(fixture, answer);
}

static char access_key_id[] = "AWS_ACCESS_KEY_ID=AKIA",
            secret_access_key[] = "AWS_SECRET_ACCESS_KEY=s";
static char *const environment[] = {access_key_id, secret_access_key, NULL};

static void begin(Fixture *fixture, const Rules *rules)
{
        *fixture = (Fixture){.rules = *rules, .set = calloc(1, sizeof(S3StoreSet))};
        assert_non_null(fixture->set);
        virtual_clock_init(&fixture->clock);
        fixture->began = fixture->clock.now;
        fixture->random = (Random){.next = counting_next, .userdata = &fixture->seed};
        scripted_server_start(&fixture->server, script, fixture);
        assert_int_equal(http_client_new(&(HttpOptions){.user_agent = "test",
                                                 .clock = &fixture->clock.clock},
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
        assert_int_equal(s3_store_new(
                                 &(S3StoreOptions){
                                         .session = fixture->session,
                                         .url = "s3://bucket/x",
                                         .endpoint = {.override = fixture->server.url},
                                         .nodes = 3,
                                 },
                                 &fixture->store,
                                 &fixture->error),
                0);
}

static void end(Fixture *fixture)
{
        s3_store_set_done(fixture->set);
        free(fixture->set);
        (void)s3_store_free(fixture->store);
        (void)aws_session_free(fixture->session);
        (void)aws_credentials_provider_free(fixture->credentials);
        (void)http_client_free(fixture->http);
        scripted_server_stop(&fixture->server);
}

static Usec deadline_in(const Fixture *fixture, Usec seconds)
{
        return clock_deadline(&fixture->clock.clock, seconds * USEC_PER_SEC);
}

static int wait_for(Fixture *fixture, Usec seconds)
{
        return s3_store_wait(fixture->store,
                MANIFEST,
                deadline_in(fixture, seconds),
                NULL,
                NULL,
                fixture->set,
                &fixture->error);
}

#define assert_seconds(fixture, least, most) \
        assert_in_range(passed(fixture), (least)*USEC_PER_SEC, (most)*USEC_PER_SEC)

static void what_is_not_there_is_waited_for_to_the_deadline(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){});
        assert_int_equal(wait_for(&fixture, 120), -ETIMEDOUT);
        assert_seconds(&fixture, 118, 120);
        assert_in_range(fixture.server.n_seen, 120, 260); /* a second apart, more at first */
        assert_says(&fixture.error, "cannot go on without 's3://bucket/x/" MANIFEST "'");
        assert_says(&fixture.error, "its writer has not published it");
        end(&fixture);
}

static void a_wrong_secret_is_final_after_15_seconds(void **state)
{
        static const char *const codes[] = {"SignatureDoesNotMatch", "InvalidAccessKeyId"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(codes); i++) {
                Fixture fixture;

                begin(&fixture, &(Rules){.refuse_status = 403, .refuse_code = codes[i]});
                assert_int_equal(wait_for(&fixture, 600), S3_REFUSED);
                assert_seconds(&fixture, 15, 17);
                assert_says(&fixture.error, codes[i]);
                end(&fixture);
        }
}

static void a_token_that_stays_expired_is_final(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.refuse_status = 400, .refuse_code = "ExpiredToken"});
        assert_int_equal(wait_for(&fixture, 600), S3_REFUSED);
        assert_seconds(&fixture, 60, 62);
        end(&fixture);
}

static void a_denial_is_real_where_listing_is_allowed(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.refuse_status = 403, .refuse_code = "AccessDenied"});
        assert_int_equal(wait_for(&fixture, 600), S3_DENIED);
        assert_seconds(&fixture, 60, 62);
        assert_says(&fixture.error, "403 AccessDenied");
        assert_says(&fixture.error, "s3:GetObject");
        end(&fixture);
}

static void the_right_to_list_may_come_late(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_from = 10 * USEC_PER_SEC});
        assert_int_equal(wait_for(&fixture, 600), S3_DENIED);
        assert_seconds(&fixture, 60, 62);
        end(&fixture);
}

static void where_listing_is_denied_a_denial_may_be_an_absence(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_from = USEC_INFINITY});
        assert_int_equal(wait_for(&fixture, 300), -ETIMEDOUT);
        assert_seconds(&fixture, 298, 300);
        assert_says(&fixture.error,
                "either its writer has not published it, or this machine may not read it");
        end(&fixture);
}

/* S3 says 404 only to those who may list without a condition on the prefix. */
static void a_listing_by_prefix_does_not_tell_denial_from_absence(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_needs_prefix = true});
        assert_int_equal(wait_for(&fixture, 300), -ETIMEDOUT);
        assert_seconds(&fixture, 298, 300);
        end(&fixture);
}

static void what_is_listed_and_cannot_be_read_is_denied(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_needs_prefix = true,
                        .listed = true});
        assert_int_equal(wait_for(&fixture, 300), S3_DENIED);
        assert_seconds(&fixture, 60, 62);
        end(&fixture);
}

static void rights_that_come_late_are_waited_for(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .deny_until = 10 * USEC_PER_SEC});
        assert_int_equal(wait_for(&fixture, 120), -ETIMEDOUT);
        assert_says(&fixture.error, "its writer has not published it");
        end(&fixture);
}

static void no_such_bucket_is_final_at_once(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.refuse_status = 404, .refuse_code = "NoSuchBucket"});
        assert_int_equal(wait_for(&fixture, 600), S3_REFUSED);
        assert_int_equal(fixture.server.n_seen, 1);
        end(&fixture);
}

static void a_deadline_within_a_request_keeps_the_last_answer(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_from = USEC_INFINITY,
                        .die_at = 50 * USEC_PER_SEC});
        assert_int_equal(wait_for(&fixture, 300), -ETIMEDOUT);
        assert_says(&fixture.error, "403 AccessDenied");
        assert_says(&fixture.error, "either its writer has not published it, or this machine");
        end(&fixture);
}

static void silence_is_not_blamed_on_the_writer(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.die_at = 0});
        scripted_server_stop(&fixture.server);
        fixture.server.n_seen = 0;
        assert_int_equal(wait_for(&fixture, 60), -ETIMEDOUT);
        assert_null(strstr(fixture.error.text, "its writer has not published it"));
        scripted_server_start(&fixture.server, script, &fixture);
        end(&fixture);
}

static int put_status(Fixture *fixture, Usec seconds)
{
        return s3_store_put(fixture->store,
                "status/i-1/signalled.json",
                "application/json",
                "{}",
                2,
                deadline_in(fixture, seconds),
                &fixture->error);
}

static void a_write_outlasts_a_network_that_comes_late(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.serve_from = 30 * USEC_PER_SEC, .hang_up = true});
        assert_int_equal(put_status(&fixture, 120), S3_OK);
        assert_seconds(&fixture, 30, 32);
        end(&fixture);
}

static void a_write_outlasts_rights_that_come_late(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.serve_from = 30 * USEC_PER_SEC});
        assert_int_equal(put_status(&fixture, 120), S3_OK);
        assert_seconds(&fixture, 30, 32);
        end(&fixture);
}

static void a_write_that_stays_denied_is_final_after_60_seconds(void **state)
{
        Fixture fixture;

        (void)state;
        begin(&fixture, &(Rules){.serve_from = USEC_INFINITY});
        assert_int_equal(put_status(&fixture, 600), S3_DENIED);
        assert_seconds(&fixture, 60, 62);
        assert_says(&fixture.error, "cannot upload 's3://bucket/x/status/i-1/signalled.json': 403");
        end(&fixture);
}

static int count(const S3Listed *listed, void *userdata, Error *ret_error)
{
        (void)listed;
        (void)ret_error;
        ++*(unsigned *)userdata;
        return 0;
}

static void a_listing_outlasts_rights_that_come_late(void **state)
{
        Fixture fixture;
        unsigned keys = 0;

        (void)state;
        begin(&fixture, &(Rules){.serve_from = 30 * USEC_PER_SEC, .listed = true});
        assert_int_equal(s3_store_list(fixture.store,
                                 "",
                                 deadline_in(&fixture, 120),
                                 count,
                                 &keys,
                                 &fixture.error),
                S3_OK);
        assert_seconds(&fixture, 30, 32);
        assert_int_equal(keys, 1);
        end(&fixture);
}

static void a_listing_that_stays_denied_is_final_after_60_seconds(void **state)
{
        Fixture fixture;
        unsigned keys = 0;

        (void)state;
        begin(&fixture, &(Rules){.serve_from = USEC_INFINITY});
        assert_int_equal(s3_store_list(fixture.store,
                                 "",
                                 deadline_in(&fixture, 600),
                                 count,
                                 &keys,
                                 &fixture.error),
                S3_DENIED);
        assert_seconds(&fixture, 60, 62);
        end(&fixture);
}

/* An object that is older than its bucket's versioning has the version "null". */
static void a_purge_deletes_the_version_null(void **state)
{
        Fixture fixture;
        size_t deleted = 0;

        (void)state;
        begin(&fixture, &(Rules){.keep_null_versions = true});
        assert_int_equal(
                s3_store_purge(fixture.store, deadline_in(&fixture, 60), &deleted, &fixture.error),
                S3_OK);
        assert_int_equal(deleted, 1);
        assert_non_null(strstr(fixture.server.seen[fixture.server.n_seen - 1], "versionId=null"));
        end(&fixture);
}

TESTS_MAIN(cmocka_unit_test(what_is_not_there_is_waited_for_to_the_deadline),
        cmocka_unit_test(a_wrong_secret_is_final_after_15_seconds),
        cmocka_unit_test(a_token_that_stays_expired_is_final),
        cmocka_unit_test(a_denial_is_real_where_listing_is_allowed),
        cmocka_unit_test(the_right_to_list_may_come_late),
        cmocka_unit_test(where_listing_is_denied_a_denial_may_be_an_absence),
        cmocka_unit_test(a_listing_by_prefix_does_not_tell_denial_from_absence),
        cmocka_unit_test(what_is_listed_and_cannot_be_read_is_denied),
        cmocka_unit_test(rights_that_come_late_are_waited_for),
        cmocka_unit_test(no_such_bucket_is_final_at_once),
        cmocka_unit_test(a_deadline_within_a_request_keeps_the_last_answer),
        cmocka_unit_test(silence_is_not_blamed_on_the_writer),
        cmocka_unit_test(a_write_outlasts_a_network_that_comes_late),
        cmocka_unit_test(a_write_outlasts_rights_that_come_late),
        cmocka_unit_test(a_write_that_stays_denied_is_final_after_60_seconds),
        cmocka_unit_test(a_listing_outlasts_rights_that_come_late),
        cmocka_unit_test(a_listing_that_stays_denied_is_final_after_60_seconds),
        cmocka_unit_test(a_purge_deletes_the_version_null))
