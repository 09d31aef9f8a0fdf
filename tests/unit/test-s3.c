#include "base/text.h"
#include "s3/finality.h"
#include "s3/store.h"
#include "tests/unit/test.h"
#include "tests/unit/virtual-clock.h"

#include <stdio.h>
#include <stdlib.h>

static void urls_are_virtual_hosted_or_by_path(void **state)
{
        static const struct {
                AwsEndpointOptions endpoint;
                const char *bucket, *key, *url;
        } cases[] = {
                {{.region = "eu-west-1"},
                        "b",
                        "a/b c+ü~%",
                        "https://b.s3.eu-west-1.amazonaws.com/a/b%20c%2B%C3%BC~%25"},
                {{.region = "eu-west-1", .dualstack = true},
                        "b",
                        "k",
                        "https://b.s3.dualstack.eu-west-1.amazonaws.com/k"},
                {{.region = "us-east-1", .fips = true},
                        "b",
                        "k",
                        "https://b.s3-fips.us-east-1.amazonaws.com/k"},
                {{.region = "cn-north-1"}, "b", "k", "https://b.s3.cn-north-1.amazonaws.com.cn/k"},
                {{.region = "us-east-1"}, "a.b", "k", "https://s3.us-east-1.amazonaws.com/a.b/k"},
                {{.region = "us-east-1", .override = "http://127.0.0.1:9000/"},
                        "b",
                        "k",
                        "http://127.0.0.1:9000/b/k"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error error = ERROR_INIT;
                char *url = NULL;

                assert_int_equal(s3_url(&cases[i].endpoint,
                                         cases[i].bucket,
                                         cases[i].key,
                                         NULL,
                                         &url,
                                         &error),
                        0);
                assert_string_equal(url, cases[i].url);
                free(url);
        }
}

static void names_are_checked(void **state)
{
        Error error = ERROR_INIT;
        char *bucket = NULL, *prefix = NULL;

        (void)state;
        for (const char *const *bad =
                        (const char *const[]){
                                "", "..", "a/../b", "./a", "a/.", "a\nb", "\xFF", NULL};
                *bad;
                bad++)
                assert_int_equal(s3_key_check(*bad, &error), -EDOM);
        for (const char *const *good =
                        (const char *const[]){"a", "a/b", "..a", "a..", "//", "ü", NULL};
                *good;
                good++)
                assert_int_equal(s3_key_check(*good, &error), 0);
        for (const char *const *bad =
                        (const char *const[]){
                                "ab", "Abc", "a_b", "-ab", "ab-", "a..b", "a/b", NULL};
                *bad;
                bad++)
                assert_int_equal(s3_bucket_check(*bad, &error), -EDOM);
        for (const char *const *bad =
                        (const char *const[]){
                                "bucket", "s3:/b", "s3://", "s3://B/x", "s3://abc/../x", NULL};
                *bad;
                bad++)
                assert_int_equal(s3_store_url_parse(*bad, &bucket, &prefix, &error), -EDOM);
        assert_int_equal(s3_store_url_parse("s3://my-bucket//a/b//", &bucket, &prefix, &error), 0);
        assert_string_equal(bucket, "my-bucket");
        assert_string_equal(prefix, "a/b");
        free(bucket);
        free(prefix);
}

static void what_is_final_and_when(void **state)
{
        static const struct {
                S3Operation operation;
                AwsFault fault;
                bool list_allowed;
                Usec after;
        } cases[] = {
                {S3_READ, {.status = 403, .code = "InvalidAccessKeyId"}, false, 15 * USEC_PER_SEC},
                {S3_READ,
                        {.status = 403, .code = "SignatureDoesNotMatch"},
                        true,
                        15 * USEC_PER_SEC},
                {S3_WRITE, {.status = 403, .code = "AccessDenied"}, true, 60 * USEC_PER_SEC},
                {S3_LIST, {.status = 403, .code = "AccessDenied"}, false, 60 * USEC_PER_SEC},
                {S3_READ, {.status = 403, .code = "AccessDenied"}, true, 60 * USEC_PER_SEC},
                {S3_READ, {.status = 403, .code = "AccessDenied"}, false, USEC_INFINITY},
                {S3_READ, {.status = 404, .code = "NoSuchKey"}, true, USEC_INFINITY},
                {S3_READ, {.status = 404, .code = "NoSuchBucket"}, true, 0},
                {S3_READ, {.status = 503, .code = "SlowDown"}, true, USEC_INFINITY},
                {S3_WRITE, {.status = 400, .code = "InvalidDigest"}, true, 0},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_true(s3_final_after(cases[i].operation,
                                    &cases[i].fault,
                                    cases[i].list_allowed) == cases[i].after);
}

static void private_material_is_known_by_name(void **state)
{
        (void)state;
        for (const char *const *name = (const char *const[]){"docker/ca-key.pem",
                     "flocker/agent.yml",
                     "flocker/nodes/1/node.key",
                     "flocker/nodes/12/plugin.key",
                     "flocker/client/user1.key",
                     "swarm/worker.json",
                     NULL};
                *name;
                name++)
                assert_true(s3_store_is_private(*name));
        for (const char *const *name = (const char *const[]){"docker/ca.pem",
                     "docker/manifest.json",
                     "flocker/cluster.crt",
                     "flocker/nodes/1/node.crt",
                     "swarm/members/1.json",
                     "status/i-1/signalled.json",
                     NULL};
                *name;
                name++)
                assert_false(s3_store_is_private(*name));
}

static void polls_spread_with_the_cluster(void **state)
{
        RetryPolicy small = s3_store_poll_policy(3), large = s3_store_poll_policy(10000);

        (void)state;
        assert_int_equal(small.cap, USEC_PER_SEC);
        assert_int_equal(large.cap, 5 * USEC_PER_SEC);
        assert_int_equal(small.attempts, 0);
}

static void a_manifest_goes_there_and_back(void **state)
{
        Manifest *manifest = calloc(1, sizeof(*manifest)), *read = calloc(1, sizeof(*read));
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(text_put(manifest->cluster, sizeof(manifest->cluster), "prod"), 0);
        assert_int_equal(text_put(manifest->writer, sizeof(manifest->writer), "i-1"), 0);
        manifest->written = 1795521600 * USEC_PER_SEC;
        assert_int_equal(manifest_add(manifest, "docker/../ca.pem", "abc", 3, &error), -EINVAL);
        assert_int_equal(manifest_add(manifest, "docker/ca.pem", "abc", 3, &error), 0);
        assert_int_equal(manifest_format(manifest, &text, &error), 0);
        assert_non_null(strstr(buffer_text(&text),
                "\"sha256\": "
                "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""));
        assert_int_equal(manifest_parse("m", buffer_text(&text), text.size, read, &error), 0);
        assert_string_equal(read->cluster, "prod");
        assert_int_equal(read->n_objects, 1);
        assert_int_equal(manifest_check("m", &read->objects[0], "abc", 3, &error), 0);
        assert_int_equal(manifest_check("m", &read->objects[0], "abd", 3, &error), -EBADMSG);
        assert_says(&error,
                "cannot use 'docker/ca.pem': it differs from what 'm' says: expected 3 bytes with "
                "SHA-256 ba78");
        free(manifest);
        free(read);
}

static void a_hostile_manifest_is_refused(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                {"{}", "the member 'version' is missing"},
                {"{\"version\":2}", "it is of version 2, written by a newer flocker-bootstrap"},
                {"[]", "expected an object"},
                {"{\"version\":1,\"cluster\":\"c\",\"writer\":\"w\",\"written\":\"2026-11-24T00:00:"
                 "00Z\",\"objects\":[]}",
                        "expected 1 to 32 objects, found 0"},
                {"{\"version\":1,\"cluster\":\"c\",\"writer\":\"w\",\"written\":\"yesterday\","
                 "\"objects\":[]}",
                        "written: expected a time"},
                {"{\"version\":1,\"cluster\":\"c\",\"writer\":\"w\",\"written\":\"2026-11-24T00:00:"
                 "00Z\",\"objects\":[{\"name\":\"../../etc/passwd\",\"size\":1,\"sha256\":\"\"}]}",
                        "'../../etc/passwd' is no name"},
                {"{\"version\":1,\"cluster\":\"c\",\"writer\":\"w\",\"written\":\"2026-11-24T00:00:"
                 "00Z\",\"objects\":[{\"name\":\"a\",\"size\":999999999,\"sha256\":\"\"}]}",
                        "size: expected an integer from 0"},
                {"{\"version\":1,\"cluster\":\"c\",\"writer\":\"w\",\"written\":\"2026-11-24T00:00:"
                 "00Z\",\"objects\":[{\"name\":\"a\",\"size\":1,\"sha256\":\"zz\"}]}",
                        "expected 64 hexadecimal digits"},
        };
        Manifest *manifest = calloc(1, sizeof(*manifest));

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error error = ERROR_INIT;

                assert_int_equal(
                        manifest_parse("m", cases[i].text, strlen(cases[i].text), manifest, &error),
                        -EBADMSG);
                assert_says(&error, cases[i].sentence);
        }
        free(manifest);
}

static void urls_are_taken_apart(void **state)
{
        _cleanup_(http_url_done) HttpUrl url = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(http_url_parse("http://[fd00:ec2::254]:8080/a?b=c", &url, &error), 0);
        assert_string_equal(url.host, "fd00:ec2::254");
        assert_int_equal(url.port, 8080);
        assert_string_equal(url.query, "b=c");
        for (const char *const *bad = (const char *const[]){"",
                     "ftp://a",
                     "http://",
                     "http://a:0",
                     "http://a:99999",
                     "http://u@a",
                     "http://a#f",
                     "http://a b",
                     "http://a\n",
                     "http://[::1",
                     "https:///x",
                     "http://a:80x",
                     NULL};
                *bad;
                bad++)
                assert_int_equal(http_url_parse(*bad, &url, &error), -EINVAL);
        assert_int_equal(http_url_parse("http://h\x01/x?secret", &url, &error), -EINVAL);
        assert_null(strstr(error.text, "secret"));
}

TESTS_MAIN(cmocka_unit_test(urls_are_virtual_hosted_or_by_path),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(what_is_final_and_when),
        cmocka_unit_test(private_material_is_known_by_name),
        cmocka_unit_test(polls_spread_with_the_cluster),
        cmocka_unit_test(a_manifest_goes_there_and_back),
        cmocka_unit_test(a_hostile_manifest_is_refused),
        cmocka_unit_test(urls_are_taken_apart))
