#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/fault.h"
#include "aws/profile.h"
#include "aws/signal.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/unit/test.h"
#include "tests/unit/virtual-clock.h"

#include <stdlib.h>

static AwsFault read_fault(unsigned status, const char *header, const char *body)
{
        _cleanup_(http_response_done)
                HttpResponse response = {.status = status, .body = BUFFER_INIT(10000)};
        AwsFault fault;

        assert_int_equal(buffer_append_text(&response.body, body), 0);
        if (header)
                http_response_keep(&response, header, strlen(header));
        aws_fault_read(&response, &fault);
        return fault;
}

static void every_protocols_error_is_read(void **state)
{
        char text[AWS_FAULT_TEXT_MAX];
        AwsFault fault;

        (void)state;
        fault = read_fault(403,
                NULL,
                "<Error><Code>AccessDenied</Code><Message>No</Message><RequestId>4F</RequestId></"
                "Error>");
        assert_string_equal(aws_fault_format(&fault, text), "403 AccessDenied: No (request 4F)");
        fault = read_fault(400,
                NULL,
                "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code></Error>"
                "<RequestId>1</RequestId></ErrorResponse>");
        assert_string_equal(aws_fault_format(&fault, text), "400 Throttling (request 1)");
        fault = read_fault(400,
                NULL,
                "<Response><Errors><Error><Code>AuthFailure</Code></Error></Errors><RequestID>2</"
                "RequestID></Response>");
        assert_string_equal(aws_fault_format(&fault, text), "400 AuthFailure (request 2)");
        fault = read_fault(400,
                "x-amzn-RequestId: 3\r\n",
                "{\"__type\":\"com.amazonaws.x#ResourceNotFoundException\",\"message\":\"none\"}");
        assert_string_equal(
                aws_fault_format(&fault, text), "400 ResourceNotFoundException: none (request 3)");
        fault = read_fault(301, "x-amz-bucket-region: eu-west-1", "");
        assert_string_equal(fault.region, "eu-west-1");
        fault = read_fault(502, NULL, "<html><body>bad gateway<br></body></html>");
        assert_string_equal(aws_fault_format(&fault, text), "502");
}

static void faults_are_sorted_as_the_sdks_do(void **state)
{
        static const struct {
                AwsFault fault;
                AwsFaultKind kind;
        } cases[] = {
                {{.status = 503, .code = "SlowDown"}, AWS_FAULT_THROTTLED},
                {{.status = 400, .code = "ThrottlingException"}, AWS_FAULT_THROTTLED},
                {{.status = 429}, AWS_FAULT_THROTTLED},
                {{.status = 500, .code = "InternalError"}, AWS_FAULT_TRANSIENT},
                {{.status = 400, .code = "RequestTimeout"}, AWS_FAULT_TRANSIENT},
                {{.status = 409, .code = "ConditionalRequestConflict"}, AWS_FAULT_TRANSIENT},
                {{.status = 403, .code = "RequestTimeTooSkewed"}, AWS_FAULT_SKEWED},
                {{.status = 403, .code = "SignatureDoesNotMatch"}, AWS_FAULT_SKEWED},
                {{.status = 400, .code = "ExpiredToken"}, AWS_FAULT_EXPIRED_TOKEN},
                {{.status = 403, .code = "AccessDenied"}, AWS_FAULT_FINAL},
                {{.status = 404, .code = "NoSuchKey"}, AWS_FAULT_FINAL},
                {{.status = 501, .code = "NotImplemented"}, AWS_FAULT_FINAL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(aws_fault_kind(&cases[i].fault), cases[i].kind);
}

static void hosts_are_named_by_partition(void **state)
{
        static const struct {
                AwsEndpointOptions options;
                const char *url;
        } cases[] = {
                {{.region = "eu-west-1"}, "https://ssm.eu-west-1.amazonaws.com"},
                {{.region = "cn-north-1"}, "https://ssm.cn-north-1.amazonaws.com.cn"},
                {{.region = "us-gov-west-1", .fips = true},
                        "https://ssm.us-gov-west-1.amazonaws.com"},
                {{.region = "us-east-1", .dualstack = true}, "https://ssm.us-east-1.api.aws"},
                {{.region = "eusc-de-east-1"}, "https://ssm.eusc-de-east-1.amazonaws.eu"},
                {{.region = "us-iso-east-1", .domain = "c2s.ic.gov"},
                        "https://ssm.us-iso-east-1.c2s.ic.gov"},
                {{.region = "us-east-1", .override = "http://127.0.0.1:5000/"},
                        "http://127.0.0.1:5000"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error error = ERROR_INIT;
                char *url = NULL;

                assert_int_equal(aws_endpoint(&cases[i].options, "ssm", &url, &error), 0);
                assert_string_equal(url, cases[i].url);
                free(url);
        }
}

static void a_region_is_checked_before_it_is_a_host(void **state)
{
        Error error = ERROR_INIT;

        (void)state;
        for (const char *const *good = (const char *const[]){"us-east-1",
                     "ap-southeast-2",
                     "us-gov-east-1",
                     "us-isob-east-1",
                     NULL};
                *good;
                good++)
                assert_int_equal(aws_region_check(*good, NULL), 0);
        for (const char *const *bad = (const char *const[]){"",
                     "us-east-1a",
                     "US East",
                     "us-east",
                     "us--1",
                     "evil.com/",
                     "us-east-1.x",
                     NULL};
                *bad;
                bad++)
                assert_int_equal(aws_region_check(*bad, &error), -EDOM);
        assert_string_equal(
                error.text, "cannot use the region 'us-east-1.x': expected a name like us-east-1");
}

static void endpoints_come_from_the_environment(void **state)
{
        char *const environment[] = {(char[]){"AWS_ENDPOINT_URL=http://all"},
                (char[]){"AWS_ENDPOINT_URL_S3=http://s3"},
                (char[]){"AWS_USE_FIPS_ENDPOINT=true"},
                (char[]){"AWS_REGION=eu-west-1"},
                NULL};
        char *const wrong[] = {(char[]){"AWS_USE_FIPS_ENDPOINT=yes"}, NULL};
        char *const no_url[] = {(char[]){"AWS_ENDPOINT_URL=http://all"},
                (char[]){"AWS_ENDPOINT_URL_S3=gopher://s3"},
                NULL};
        AwsEndpointOptions options;
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(
                aws_endpoint_options_from_environment(environment, "s3", &options, &error), 0);
        assert_string_equal(options.override, "http://s3");
        assert_true(options.fips);
        assert_string_equal(options.region, "eu-west-1");
        assert_int_equal(
                aws_endpoint_options_from_environment(environment, "ssm", &options, &error), 0);
        assert_string_equal(options.override, "http://all");
        assert_int_equal(
                aws_endpoint_options_from_environment(wrong, "s3", &options, &error), -EDOM);
        assert_string_equal(
                error.text, "cannot use AWS_USE_FIPS_ENDPOINT='yes': expected true or false");
        assert_int_equal(
                aws_endpoint_options_from_environment(no_url, "s3", &options, &error), -EDOM);
        assert_string_equal(error.text,
                "cannot use the endpoint in AWS_ENDPOINT_URL_S3: cannot use the URL 'gopher://s3': "
                "expected http:// or https://");
        assert_int_equal(aws_endpoint_options_from_environment(no_url, "ssm", &options, &error), 0);
}

static void a_profile_is_found_in_its_section(void **state)
{
        static const char credentials[] =
                "# comment\n[other]\naws_access_key_id = NO\n[dev]\n"
                "AWS_Access_Key_Id=AKIA1\naws_secret_access_key = s/ec+ret=\n s3 =\n  x = y\n";
        static const char config[] =
                "[profile dev]\nregion=us-east-1\naws_session_token=tok\n[default]\nrole_arn=x\n";
        _cleanup_(aws_profile_done) AwsProfile profile = {}, other = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(aws_profile_parse("c", credentials, "dev", false, &profile, &error), 0);
        assert_int_equal(aws_profile_parse("f", config, "dev", true, &profile, &error), 0);
        assert_true(profile.found);
        assert_string_equal(profile.access_key_id, "AKIA1");
        assert_string_equal(secret_data(profile.secret_access_key), "s/ec+ret=");
        assert_string_equal(secret_data(profile.session_token), "tok");
        assert_int_equal(aws_profile_parse("f", config, "default", true, &other, &error), 0);
        assert_string_equal(other.unsupported, "role_arn");
        other.found = false;
        assert_int_equal(
                aws_profile_parse("f", "[profiledev]\n[dev]\n", "dev", true, &other, &error), 0);
        assert_false(other.found);
        assert_int_equal(
                aws_profile_parse("f", "[a]\nnonsense\n", "a", true, &other, &error), -EBADMSG);
        assert_string_equal(
                error.text, "cannot read 'f': line 2: expected [section] or key = value");
        assert_int_equal(aws_profile_parse("f", "[a\n", "a", true, &other, &error), -EBADMSG);
}

static int credentials_of(char *const *environment,
        AwsCredentialsProvider **provider,
        const AwsCredentials **ret,
        Error *error)
{
        assert_int_equal(
                aws_credentials_provider_new(&(AwsCredentialsOptions){.clock = &clock_system,
                                                     .random = &random_system,
                                                     .environment = environment},
                        provider,
                        error),
                0);
        return aws_credentials_get(*provider, USEC_INFINITY, ret, error);
}

static void credentials_of_the_environment_are_whole_or_refused(void **state)
{
        char *const whole[] = {(char[]){"AWS_ACCESS_KEY_ID=AKIA"},
                (char[]){"AWS_SECRET_ACCESS_KEY=s"},
                (char[]){"AWS_SESSION_TOKEN=t"},
                NULL};
        char *const half[] = {(char[]){"AWS_ACCESS_KEY_ID=AKIA"}, NULL};
        char *const hostile[] = {(char[]){"AWS_ACCESS_KEY_ID=AKIA\nX: y"},
                (char[]){"AWS_SECRET_ACCESS_KEY=s"},
                NULL};
        char *const profile[] = {(char[]){"AWS_PROFILE=gone"}, NULL};
        char *const nothing[] = {NULL};
        static const struct {
                size_t which;
                int code;
                const char *sentence;
        } refusals[] = {
                {0, -EDOM, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not"},
                {1, -EBADMSG, "a key has characters that no key has"},
                {2,
                        -EDOM,
                        "cannot use the AWS profile 'gone', which AWS_PROFILE names: no file has "
                        "it"},
                {3, -ENOENT, "cannot find AWS credentials: not in AWS_ACCESS_KEY_ID"},
        };
        char *const *const environments[] = {half, hostile, profile, nothing};
        _cleanup_(aws_credentials_provider_free) AwsCredentialsProvider *provider = NULL;
        const AwsCredentials *credentials;
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(credentials_of(whole, &provider, &credentials, &error), 0);
        assert_string_equal(credentials->access_key_id, "AKIA");
        assert_string_equal(secret_data(credentials->session_token), "t");
        assert_string_equal(credentials->source, "the environment");
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                _cleanup_(aws_credentials_provider_free) AwsCredentialsProvider *refused = NULL;

                assert_int_equal(
                        credentials_of(
                                environments[refusals[i].which], &refused, &credentials, &error),
                        refusals[i].code);
                assert_says(&error, refusals[i].sentence);
        }
}

static void a_roles_credentials_are_read(void **state)
{
        static const char good[] =
                "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\","
                "\"Token\":\"t\",\"Expiration\":\"2026-11-24T15:00:00Z\"}";
        static const char failed[] = "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}";
        _cleanup_(aws_credentials_done) AwsCredentials credentials = {}, second = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(
                aws_credentials_parse_role("web", good, strlen(good), &credentials, &error), 0);
        assert_int_equal(credentials.expires, 1795532400 * USEC_PER_SEC);
        assert_string_equal(credentials.source, "instance profile role 'web'");
        assert_int_equal(aws_credentials_parse_role("web", failed, strlen(failed), &second, &error),
                -EACCES);
        assert_says(&error, "'AssumeRoleUnauthorizedAccess'");
        assert_int_equal(aws_credentials_parse_role("web", "{}", 2, &second, &error), -EBADMSG);
}

static void a_signal_is_json_within_its_bound(void **state)
{
        char reason[5000], data[5000];
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(10000);
        _cleanup_(json_free) Json *json = NULL;
        const char *text;
        Error error = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i + 2 < sizeof(reason); i += 2)
                memcpy(reason + i, "ü", 3);
        memset(data, '\x01', sizeof(data) - 1); /* six bytes each in JSON */
        data[sizeof(data) - 1] = '\0';
        assert_int_equal(
                signal_format(&(Signal){SIGNAL_FAILURE, "i-1", reason, data}, &body, &error), 0);
        assert_in_range(body.size, 1000, SIGNAL_BODY_MAX);
        assert_int_equal(json_parse("signal", buffer_text(&body), body.size, &json, &error), 0);
        assert_int_equal(json_get_text(json, "signal", "Status", &text, &error), 0);
        assert_string_equal(text, "FAILURE");
        assert_int_equal(json_get_text(json, "signal", "Reason", &text, &error), 0);
        assert_true(text_is_utf8(text, strlen(text)));
        assert_int_equal(strlen(text) % 2, 0);
}

static void what_is_no_utf8_does_not_spoil_a_signal(void **state)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(10000);

        (void)state;
        assert_int_equal(
                signal_format(&(Signal){SIGNAL_SUCCESS, "i-1", "a\xFF", NULL}, &body, NULL), 0);
        assert_string_equal(buffer_text(&body),
                "{\"Status\":\"SUCCESS\",\"Reason\":\"a?\",\"UniqueId\":\"i-1\",\"Data\":\"\"}");
}

TESTS_MAIN(cmocka_unit_test(every_protocols_error_is_read),
        cmocka_unit_test(faults_are_sorted_as_the_sdks_do),
        cmocka_unit_test(hosts_are_named_by_partition),
        cmocka_unit_test(a_region_is_checked_before_it_is_a_host),
        cmocka_unit_test(endpoints_come_from_the_environment),
        cmocka_unit_test(a_profile_is_found_in_its_section),
        cmocka_unit_test(credentials_of_the_environment_are_whole_or_refused),
        cmocka_unit_test(a_roles_credentials_are_read),
        cmocka_unit_test(a_signal_is_json_within_its_bound),
        cmocka_unit_test(what_is_no_utf8_does_not_spoil_a_signal))
