/* What an instance is told and tells: metadata, the role's credentials, the signal. */

#include "aws/credentials.h"
#include "aws/signal.h"
#include "tests/unit/scripted-server.h"
#include "tests/unit/virtual-clock.h"

typedef struct Fixture {
        ScriptedServer server;
        VirtualClock clock;
        uint64_t random_state;
        Random random;
        HttpClient *http;
        Metadata *metadata;
        AwsCredentialsProvider *credentials;
        bool role_is_gone;
        Usec role_refused_until; /* on the clock's now */
        Error error;
} Fixture;

static char *const nothing[] = {NULL};

static int set_up(void **state)
{
        return (*state = calloc(1, sizeof(Fixture))) ? 0 : -1;
}

static int tear_down(void **state)
{
        Fixture *fixture = *state;

        aws_credentials_provider_free(fixture->credentials);
        metadata_free(fixture->metadata);
        http_client_free(fixture->http);
        scripted_server_stop(&fixture->server);
        free(fixture);
        return 0;
}

static void begin(Fixture *fixture, ScriptedAnswer script, char *const *environment)
{
        scripted_server_start(&fixture->server, script, fixture);
        virtual_clock_init(&fixture->clock);
        fixture->random = (Random){counting_next, &fixture->random_state};
        assert_int_equal(http_client_new(&(HttpOptions){.clock = &fixture->clock.clock},
                                 &fixture->http,
                                 &fixture->error),
                0);
        assert_int_equal(metadata_new(
                                 &(MetadataOptions){
                                         .http = fixture->http,
                                         .clock = &fixture->clock.clock,
                                         .random = &fixture->random,
                                         .endpoint = fixture->server.url,
                                         .environment = environment,
                                 },
                                 &fixture->metadata,
                                 &fixture->error),
                0);
        assert_int_equal(aws_credentials_provider_new(
                                 &(AwsCredentialsOptions){
                                         .metadata = fixture->metadata,
                                         .clock = &fixture->clock.clock,
                                         .random = &fixture->random,
                                         .environment = environment,
                                 },
                                 &fixture->credentials,
                                 &fixture->error),
                0);
}

/* A role whose credentials end at 12:10, ten minutes after the virtual clock's beginning. */
static void answer_role(ScriptedServer *server, const char *head, Buffer *answer)
{
        Fixture *fixture = server->userdata;

        if (text_starts(head, "PUT /latest/api/token"))
                scripted_answer(answer, 200, "", "token");
        else if (fixture->role_is_gone)
                scripted_answer(answer, 404, "", "");
        else if (strstr(head, "/security-credentials/web ") &&
                 fixture->clock.now < fixture->role_refused_until)
                scripted_answer(answer, 200, "", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}");
        else if (strstr(head, "/security-credentials/web "))
                scripted_answer(answer,
                        200,
                        "",
                        "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\","
                        "\"Token\":\"t\",\"Expiration\":\"2026-11-24T12:10:00Z\"}");
        else
                scripted_answer(answer, 200, "", "web");
}

static int get(Fixture *fixture, Usec seconds, const AwsCredentials **ret)
{
        return aws_credentials_get(fixture->credentials,
                clock_deadline(&fixture->clock.clock, seconds * USEC_PER_SEC),
                ret,
                &fixture->error);
}

static void a_renewal_does_not_hold_up_who_has_credentials(void **state)
{
        Fixture *fixture = *state;
        const AwsCredentials *credentials;
        Usec before;

        begin(fixture, answer_role, nothing);
        assert_int_equal(get(fixture, 60, &credentials), 0);
        clock_sleep_until(&fixture->clock.clock, fixture->clock.now + 6 * USEC_PER_MINUTE);
        fixture->role_is_gone = true;
        before = fixture->clock.now;
        assert_int_equal(get(fixture, 3600, &credentials), 0);
        assert_string_equal(credentials->access_key_id, "ASIA");
        assert_in_range(fixture->clock.now - before, 0, 3 * USEC_PER_SEC);
}

/* IAM's changes take seconds to be seen, and a stack makes role and instance one behind the other.
 */
static void a_role_that_may_not_be_assumed_yet_is_waited_for(void **state)
{
        Fixture *fixture = *state;
        const AwsCredentials *credentials;

        begin(fixture, answer_role, nothing);
        fixture->role_refused_until = fixture->clock.now + 20 * USEC_PER_SEC;
        assert_int_equal(get(fixture, 3600, &credentials), 0);
        assert_string_equal(credentials->access_key_id, "ASIA");
}

static void a_role_that_may_not_be_assumed_is_final_after_a_minute(void **state)
{
        Fixture *fixture = *state;
        const AwsCredentials *credentials;
        Usec before;

        begin(fixture, answer_role, nothing);
        fixture->role_refused_until = USEC_INFINITY;
        before = fixture->clock.now;
        assert_int_equal(get(fixture, 3600, &credentials), -EACCES);
        assert_in_range(fixture->clock.now - before, 60 * USEC_PER_SEC, 63 * USEC_PER_SEC);
        assert_says(&fixture->error,
                "cannot use the role 'web' of the instance profile: the metadata service says "
                "'AssumeRoleUnauthorizedAccess'");
        assert_says(&fixture->error, "; its trust policy must let EC2 assume it");
}

/* The virtual clock says 12:00. */
static void answer_by_another_clock(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_answer(answer, 200, "Date: Tue, 24 Nov 2026 13:00:00 GMT\r\n", "token");
}

static void the_services_clock_is_seen(void **state)
{
        Fixture *fixture = *state;
        _cleanup_(buffer_done) Buffer value = BUFFER_INIT(100);

        begin(fixture, answer_by_another_clock, nothing);
        assert_true(metadata_skew(fixture->metadata) == 0);
        assert_int_equal(
                metadata_get(fixture->metadata, "x", USEC_INFINITY, &value, &fixture->error), 0);
        assert_true(metadata_skew(fixture->metadata) == (int64_t)USEC_PER_HOUR);
}

static void expired_credentials_are_never_given(void **state)
{
        Fixture *fixture = *state;
        const AwsCredentials *credentials;

        begin(fixture, answer_role, nothing);
        assert_int_equal(get(fixture, 60, &credentials), 0);
        clock_sleep_until(
                &fixture->clock.clock, fixture->clock.now + 10 * USEC_PER_MINUTE - USEC_PER_SEC);
        fixture->role_is_gone = true;
        assert_int_equal(get(fixture, 60, &credentials), -ENOENT);
        assert_says(&fixture->error, "cannot find AWS credentials");
}

static void metadata_that_is_disabled_is_not_asked(void **state)
{
        char *const disabled[] = {(char[]){"AWS_EC2_METADATA_DISABLED=TRUE"}, NULL};
        Fixture *fixture = *state;
        const AwsCredentials *credentials;
        char *text = NULL;

        begin(fixture, answer_role, disabled);
        assert_int_equal(
                metadata_get_text(
                        fixture->metadata, "meta-data/x", USEC_INFINITY, &text, &fixture->error),
                -EACCES);
        assert_string_equal(fixture->error.text,
                "cannot read 'meta-data/x' of the metadata: AWS_EC2_METADATA_DISABLED turns the "
                "metadata service off");
        assert_int_equal(get(fixture, 60, &credentials), -ENOENT);
        assert_says(&fixture->error, "cannot find AWS credentials");
        assert_int_equal(fixture->server.n_seen, 0);
}

static void the_environment_names_the_service(void **state)
{
        Fixture *fixture = *state;
        char endpoint[128];
        char *const environment[] = {endpoint, NULL};
        _cleanup_(metadata_free) Metadata *metadata = NULL;
        _cleanup_(free) char *text = NULL;

        begin(fixture, answer_role, nothing);
        (void)snprintf(endpoint,
                sizeof(endpoint),
                "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s/",
                fixture->server.url);
        assert_int_equal(metadata_new(
                                 &(MetadataOptions){
                                         .http = fixture->http,
                                         .clock = &fixture->clock.clock,
                                         .random = &fixture->random,
                                         .environment = environment,
                                 },
                                 &metadata,
                                 &fixture->error),
                0);
        assert_int_equal(
                metadata_get_text(metadata, "meta-data/x", USEC_INFINITY, &text, &fixture->error),
                METADATA_OK);
        assert_string_equal(text, "web");
}

static void a_profiles_role_is_not_passed_over_for_its_keys(void **state)
{
        static const struct {
                const char *line;
                int code;
        } cases[] = {
                {"role_arn = arn:aws:iam::123456789012:role/x", -EDOM},
                {"web_identity_token_file = /t", -EDOM},
                {"sso_session = s", -EDOM},
                {"credential_process = /bin/false", 0},
        };
        char path[] = "/tmp/test-instance-XXXXXX";
        char file[128], home[] = "HOME=/nonexistent";
        char *const environment[] = {file, home, NULL};
        int fd = mkstemp(path);

        (void)state;
        assert_return_code(fd, errno);
        (void)snprintf(file, sizeof(file), "AWS_SHARED_CREDENTIALS_FILE=%s", path);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(aws_credentials_provider_free) AwsCredentialsProvider *provider = NULL;
                const AwsCredentials *credentials;
                Error error = ERROR_INIT;

                assert_return_code(ftruncate(fd, 0), errno);
                (void)lseek(fd, 0, SEEK_SET);
                (void)dprintf(fd,
                        "[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n%s\n",
                        cases[i].line);
                assert_int_equal(aws_credentials_provider_new(
                                         &(AwsCredentialsOptions){.clock = &clock_system,
                                                 .random = &random_system,
                                                 .environment = environment},
                                         &provider,
                                         &error),
                        0);
                assert_int_equal(aws_credentials_get(provider, USEC_INFINITY, &credentials, &error),
                        cases[i].code);
                if (cases[i].code < 0)
                        assert_says(&error, "cannot use the AWS profile 'default': it wants '");
        }
        (void)close(fd);
        (void)unlink(path);
}

static void dot_segments_are_not_signed(void **state)
{
        static const char *const paths[] = {
                "/b/../k", "/b/./k", "/b/..", "/b/%2e%2E/k", "/b/.%2e", "/b/%2E/k"};
        static const char *const fine[] = {"/b/.k", "/b/..k/%2ek", "/b/%252e%252e/k"};
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(secret_free) Secret *secret = NULL;
        Fixture *fixture = *state;

        begin(fixture, answer_role, nothing);
        assert_int_equal(secret_new_text("s", &secret), 0);
        for (size_t i = 0; i < ELEMENTS(paths) + ELEMENTS(fine); i++) {
                bool refused = i < ELEMENTS(paths);
                const char *path = refused ? paths[i] : fine[i - ELEMENTS(paths)];
                HttpSigning signing = {"us-east-1", "s3", "AKIA", secret, NULL, 0};
                char url[128], line[128];

                (void)snprintf(url, sizeof(url), "%s%s", fixture->server.url, path);
                (void)snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", path);
                assert_int_equal(http_perform(fixture->http,
                                         &(HttpRequest){.method = "GET",
                                                 .url = url,
                                                 .deadline = USEC_INFINITY,
                                                 .signing = &signing},
                                         &response,
                                         &fixture->error),
                        refused ? -EINVAL : 0);
                if (refused)
                        assert_int_equal(fixture->server.n_seen, 0);
                else
                        assert_true(text_starts(
                                fixture->server.seen[fixture->server.n_seen - 1], line));
        }
}

/* The signal. */

static void time_out_once(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)head;
        if (server->n_seen == 1)
                scripted_refuse(answer, 400, "", "RequestTimeout");
        else
                scripted_answer(answer, 200, "", "");
}

static void refuse_for_good(ScriptedServer *server, const char *head, Buffer *answer)
{
        (void)server;
        (void)head;
        scripted_refuse(answer, 403, "", "AccessDenied");
}

static int signal_to(Fixture *fixture)
{
        _cleanup_(secret_free) Secret *handle = NULL;
        char url[128];

        (void)snprintf(url, sizeof(url), "%s/arn?Signature=hidden", fixture->server.url);
        assert_int_equal(secret_new_text(url, &handle), 0);
        return signal_send(fixture->http,
                &fixture->clock.clock,
                &fixture->random,
                handle,
                &(Signal){SIGNAL_SUCCESS, "i-1", "done", ""},
                clock_deadline(&fixture->clock.clock, USEC_PER_MINUTE),
                &fixture->error);
}

static void a_signal_that_timed_out_on_its_way_is_sent_again(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, time_out_once, nothing);
        assert_int_equal(signal_to(fixture), SIGNAL_SENT);
        assert_int_equal(fixture->server.n_seen, 2);
}

static void a_signal_refused_for_good_is_sent_once(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, refuse_for_good, nothing);
        assert_int_equal(signal_to(fixture), SIGNAL_REFUSED);
        assert_int_equal(fixture->server.n_seen, 1);
        assert_says(&fixture->error, "403 AccessDenied");
        assert_null(strstr(fixture->error.text, "hidden"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS_MAIN(TEST(a_renewal_does_not_hold_up_who_has_credentials),
        TEST(a_role_that_may_not_be_assumed_yet_is_waited_for),
        TEST(a_role_that_may_not_be_assumed_is_final_after_a_minute),
        TEST(expired_credentials_are_never_given),
        TEST(the_services_clock_is_seen),
        TEST(metadata_that_is_disabled_is_not_asked),
        TEST(the_environment_names_the_service),
        TEST(a_profiles_role_is_not_passed_over_for_its_keys),
        TEST(dot_segments_are_not_signed),
        TEST(a_signal_that_timed_out_on_its_way_is_sent_again),
        TEST(a_signal_refused_for_good_is_sent_once))
