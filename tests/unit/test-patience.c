#include "s3/store.h"
#include "tests/unit/scripted-session.h"

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
        Usec appears_at;         /* the set is there from then on; 0: never */
} Rules;

typedef struct Fixture {
        ScriptedSession base;
        Usec began;
        S3Store *store;
        S3StoreSet *set;
        Rules rules;
} Fixture;

static Usec passed(const Fixture *fixture)
{
        return fixture->base.clock.now - fixture->began;
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

/* A set of one object, as another machine has published it. */
static void answer_set(const char *head, Buffer *answer)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        Manifest manifest = {.cluster = "late", .writer = "i-control"};

        assert_int_equal(manifest_add(&manifest, "docker/ca.pem", "CERTIFICATE", 11, NULL), 0);
        assert_int_equal(manifest_format(&manifest, &text, NULL), 0);
        scripted_answer(
                answer, 200, "", strstr(head, MANIFEST) ? buffer_text(&text) : "CERTIFICATE");
}

static void answer_read(const Fixture *fixture, const char *head, Buffer *answer)
{
        const Rules *rules = &fixture->rules;

        if (rules->appears_at && passed(fixture) >= rules->appears_at) {
                answer_set(head, answer);
                return;
        }
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
                fixture->base.clock.now += USEC_PER_DAY;
                return;
        }
        if (text_starts(head, "GET /bucket/?"))
                answer_list(fixture, head, answer);
        else if (text_starts(head, "GET "))
                answer_read(fixture, head, answer);
        else if (text_starts(head, "DELETE ") && fixture->rules.keep_null_versions &&
                 !strstr(head, "versionId="))
                scripted_answer(answer, 204, "x-amz-delete-marker: true\r\n", "");
        else if (text_starts(head, "DELETE "))
                scripted_answer(answer, 204, "", "");
        else
                answer_write(fixture, answer);
}

static void end(Fixture *fixture)
{
        if (fixture->set)
                s3_store_set_done(fixture->set);
        free(fixture->set);
        fixture->set = NULL;
        fixture->store = s3_store_free(fixture->store);
        scripted_session_stop(&fixture->base);
}

static int set_up(void **state)
{
        return (*state = calloc(1, sizeof(Fixture))) ? 0 : -1;
}

static int tear_down(void **state)
{
        end(*state);
        free(*state);
        return 0;
}

static void begin(Fixture *fixture, const Rules *rules)
{
        end(fixture); /* of a test that begins more than once */
        fixture->rules = *rules;
        fixture->set = calloc(1, sizeof(S3StoreSet));
        assert_non_null(fixture->set);
        scripted_session_start(&fixture->base, script, fixture);
        fixture->began = fixture->base.clock.now;
        assert_int_equal(s3_store_new(
                                 &(S3StoreOptions){
                                         .session = fixture->base.session,
                                         .url = "s3://bucket/x",
                                         .endpoint = {.override = fixture->base.server.url},
                                         .nodes = 3,
                                 },
                                 &fixture->store,
                                 &fixture->base.error),
                0);
}

static Usec deadline_in(const Fixture *fixture, Usec seconds)
{
        return clock_deadline(&fixture->base.clock.clock, seconds * USEC_PER_SEC);
}

static int wait_for(Fixture *fixture, Usec seconds)
{
        return s3_store_wait(fixture->store,
                MANIFEST,
                deadline_in(fixture, seconds),
                NULL,
                NULL,
                fixture->set,
                &fixture->base.error);
}

#define assert_seconds(fixture, least, most) \
        assert_in_range(passed(fixture), (least)*USEC_PER_SEC, (most)*USEC_PER_SEC)

static void what_is_not_there_is_waited_for_to_the_deadline(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){});
        assert_int_equal(wait_for(fixture, 120), -ETIMEDOUT);
        assert_seconds(fixture, 118, 120);
        assert_in_range(fixture->base.server.n_seen, 120, 260); /* a second apart, more at first */
        assert_says(&fixture->base.error, "cannot go on without 's3://bucket/x/" MANIFEST "'");
        assert_says(&fixture->base.error, "its writer has not published it");
}

/* Two machines that boot ten minutes apart: the one that waits has a second's delay at most. */
static void what_comes_ten_minutes_late_is_taken(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.appears_at = 10 * USEC_PER_MINUTE});
        assert_int_equal(wait_for(fixture, 3600), S3_OK);
        assert_seconds(fixture, 600, 602);
        assert_string_equal(
                secret_data(s3_store_set_get(fixture->set, "docker/ca.pem")), "CERTIFICATE");
        assert_in_range(fixture->base.server.n_seen, 600, 1300);
}

static void a_wrong_secret_is_final_after_15_seconds(void **state)
{
        static const char *const codes[] = {"SignatureDoesNotMatch", "InvalidAccessKeyId"};

        for (size_t i = 0; i < ELEMENTS(codes); i++) {
                Fixture *fixture = *state;

                begin(fixture, &(Rules){.refuse_status = 403, .refuse_code = codes[i]});
                assert_int_equal(wait_for(fixture, 600), S3_REFUSED);
                assert_seconds(fixture, 15, 17);
                assert_says(&fixture->base.error, codes[i]);
        }
}

static void a_token_that_stays_expired_is_final(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.refuse_status = 400, .refuse_code = "ExpiredToken"});
        assert_int_equal(wait_for(fixture, 600), S3_REFUSED);
        assert_seconds(fixture, 60, 62);
}

static void a_denial_is_real_where_listing_is_allowed(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.refuse_status = 403, .refuse_code = "AccessDenied"});
        assert_int_equal(wait_for(fixture, 600), S3_DENIED);
        assert_seconds(fixture, 60, 62);
        assert_says(&fixture->base.error, "403 AccessDenied");
        assert_says(&fixture->base.error, "s3:GetObject");
}

static void the_right_to_list_may_come_late(void **state)
{
        Fixture *fixture = *state;

        begin(fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_from = 10 * USEC_PER_SEC});
        assert_int_equal(wait_for(fixture, 600), S3_DENIED);
        assert_seconds(fixture, 60, 62);
}

static void where_listing_is_denied_a_denial_may_be_an_absence(void **state)
{
        Fixture *fixture = *state;

        begin(fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_from = USEC_INFINITY});
        assert_int_equal(wait_for(fixture, 300), -ETIMEDOUT);
        assert_seconds(fixture, 298, 300);
        assert_says(&fixture->base.error,
                "either its writer has not published it, or this machine may not read it");
}

/* S3 says 404 only to those who may list without a condition on the prefix. */
static void a_listing_by_prefix_does_not_tell_denial_from_absence(void **state)
{
        Fixture *fixture = *state;

        begin(fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_needs_prefix = true});
        assert_int_equal(wait_for(fixture, 300), -ETIMEDOUT);
        assert_seconds(fixture, 298, 300);
}

static void what_is_listed_and_cannot_be_read_is_denied(void **state)
{
        Fixture *fixture = *state;

        begin(fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_needs_prefix = true,
                        .listed = true});
        assert_int_equal(wait_for(fixture, 300), S3_DENIED);
        assert_seconds(fixture, 60, 62);
}

static void rights_that_come_late_are_waited_for(void **state)
{
        Fixture *fixture = *state;

        begin(fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .deny_until = 10 * USEC_PER_SEC});
        assert_int_equal(wait_for(fixture, 120), -ETIMEDOUT);
        assert_says(&fixture->base.error, "its writer has not published it");
}

static void no_such_bucket_is_final_at_once(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.refuse_status = 404, .refuse_code = "NoSuchBucket"});
        assert_int_equal(wait_for(fixture, 600), S3_REFUSED);
        assert_int_equal(fixture->base.server.n_seen, 1);
}

static void a_deadline_within_a_request_keeps_the_last_answer(void **state)
{
        Fixture *fixture = *state;

        begin(fixture,
                &(Rules){.refuse_status = 403,
                        .refuse_code = "AccessDenied",
                        .list_from = USEC_INFINITY,
                        .die_at = 50 * USEC_PER_SEC});
        assert_int_equal(wait_for(fixture, 300), -ETIMEDOUT);
        assert_says(&fixture->base.error, "403 AccessDenied");
        assert_says(
                &fixture->base.error, "either its writer has not published it, or this machine");
}

static void silence_is_not_blamed_on_the_writer(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.die_at = 0});
        scripted_server_stop(&fixture->base.server);
        assert_int_equal(wait_for(fixture, 60), -ETIMEDOUT);
        assert_null(strstr(fixture->base.error.text, "its writer has not published it"));
}

static int put_status(Fixture *fixture, Usec seconds)
{
        return s3_store_put(fixture->store,
                "status/i-1/signalled.json",
                "application/json",
                "{}",
                2,
                deadline_in(fixture, seconds),
                &fixture->base.error);
}

static void a_write_outlasts_a_network_that_comes_late(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.serve_from = 30 * USEC_PER_SEC, .hang_up = true});
        assert_int_equal(put_status(fixture, 120), S3_OK);
        assert_seconds(fixture, 30, 32);
}

static void a_write_outlasts_rights_that_come_late(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.serve_from = 30 * USEC_PER_SEC});
        assert_int_equal(put_status(fixture, 120), S3_OK);
        assert_seconds(fixture, 30, 32);
}

static void a_write_that_stays_denied_is_final_after_60_seconds(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, &(Rules){.serve_from = USEC_INFINITY});
        assert_int_equal(put_status(fixture, 600), S3_DENIED);
        assert_seconds(fixture, 60, 62);
        assert_says(&fixture->base.error,
                "cannot upload 's3://bucket/x/status/i-1/signalled.json': 403");
        assert_says(&fixture->base.error, "; grant this machine's role s3:PutObject there");
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
        Fixture *fixture = *state;
        unsigned keys = 0;

        begin(fixture, &(Rules){.serve_from = 30 * USEC_PER_SEC, .listed = true});
        assert_int_equal(s3_store_list(fixture->store,
                                 "",
                                 deadline_in(fixture, 120),
                                 count,
                                 &keys,
                                 &fixture->base.error),
                S3_OK);
        assert_seconds(fixture, 30, 32);
        assert_int_equal(keys, 1);
}

static void a_listing_that_stays_denied_is_final_after_60_seconds(void **state)
{
        Fixture *fixture = *state;
        unsigned keys = 0;

        begin(fixture, &(Rules){.serve_from = USEC_INFINITY});
        assert_int_equal(s3_store_list(fixture->store,
                                 "",
                                 deadline_in(fixture, 600),
                                 count,
                                 &keys,
                                 &fixture->base.error),
                S3_DENIED);
        assert_seconds(fixture, 60, 62);
}

/* An object that is older than its bucket's versioning has the version "null". */
static void a_purge_deletes_the_version_null(void **state)
{
        Fixture *fixture = *state;
        size_t deleted = 0;

        begin(fixture, &(Rules){.keep_null_versions = true});
        assert_int_equal(
                s3_store_purge(
                        fixture->store, deadline_in(fixture, 60), &deleted, &fixture->base.error),
                S3_OK);
        assert_int_equal(deleted, 1);
        assert_non_null(strstr(
                fixture->base.server.seen[fixture->base.server.n_seen - 1], "versionId=null"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS_MAIN(TEST(what_is_not_there_is_waited_for_to_the_deadline),
        TEST(what_comes_ten_minutes_late_is_taken),
        TEST(a_wrong_secret_is_final_after_15_seconds),
        TEST(a_token_that_stays_expired_is_final),
        TEST(a_denial_is_real_where_listing_is_allowed),
        TEST(the_right_to_list_may_come_late),
        TEST(where_listing_is_denied_a_denial_may_be_an_absence),
        TEST(a_listing_by_prefix_does_not_tell_denial_from_absence),
        TEST(what_is_listed_and_cannot_be_read_is_denied),
        TEST(rights_that_come_late_are_waited_for),
        TEST(no_such_bucket_is_final_at_once),
        TEST(a_deadline_within_a_request_keeps_the_last_answer),
        TEST(silence_is_not_blamed_on_the_writer),
        TEST(a_write_outlasts_a_network_that_comes_late),
        TEST(a_write_outlasts_rights_that_come_late),
        TEST(a_write_that_stays_denied_is_final_after_60_seconds),
        TEST(a_listing_outlasts_rights_that_come_late),
        TEST(a_listing_that_stays_denied_is_final_after_60_seconds),
        TEST(a_purge_deletes_the_version_null))
