/* The libraries below the roles, one call at a time, for tests that are written in Python.
 *
 *         probe COMMAND ARGUMENT…
 *
 * Settings come from the AWS variables of the environment; WAIT_HANDLE is the handle's URL,
 * CLOCK_ERROR the seconds that the probe's time of day is ahead of the machine's. What came of it
 * is printed as one JSON object: {"outcome": 0, "error": "", …}.
 */

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/environment.h"
#include "aws/service.h"
#include "aws/signal.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "host/journal.h"
#include "s3/address.h"
#include "s3/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DATA_MAX (4U * 1024U * 1024U)

typedef struct Probe {
        HttpClient *http;
        Metadata *metadata;
        AwsCredentialsProvider *credentials;
        AwsSession *session;
        AwsEndpointOptions endpoint;
        Clock clock;
        int64_t wall_error; /* what the time of day is ahead of the machine's: microseconds */
        Usec deadline;
        Json *result;
        Error error;
        AwsFault fault;
} Probe;

static int put_result(Probe *probe, const char *key, const char *value)
{
        return json_set_text(probe->result, key, value);
}

static Usec probe_now(void *userdata)
{
        (void)userdata;
        return clock_now(&clock_system);
}

static Usec probe_wall(void *userdata)
{
        const Probe *probe = userdata;

        return (Usec)((int64_t)clock_wall(&clock_system) + probe->wall_error);
}

static void probe_sleep_until(void *userdata, Usec when)
{
        (void)userdata;
        clock_sleep_until(&clock_system, when);
}

static int make_session(Probe *probe)
{
        const char *metadata = environment_get(NULL, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
        const char *wait = environment_get(NULL, "METADATA_WAIT");
        uint64_t seconds = 1;
        int r;

        if (wait && text_to_uint64(wait, 0, 300, &seconds) < 0)
                return error_set(&probe->error, -EINVAL, "METADATA_WAIT: expected seconds");

        r = metadata_new(
                &(MetadataOptions){
                        .http = probe->http,
                        .clock = &probe->clock,
                        .random = &random_system,
                        .endpoint = metadata,
                        .wait = seconds * USEC_PER_SEC,
                },
                &probe->metadata,
                &probe->error);
        if (r == 0)
                r = aws_credentials_provider_new(
                        &(AwsCredentialsOptions){
                                .metadata = metadata ? probe->metadata : NULL,
                                .clock = &probe->clock,
                                .random = &random_system,
                        },
                        &probe->credentials,
                        &probe->error);
        if (r == 0)
                r = aws_endpoint_options_from_environment(
                        NULL, "s3", &probe->endpoint, &probe->error);
        if (r == 0)
                r = aws_session_new(
                        &(AwsSessionOptions){
                                .http = probe->http,
                                .credentials = probe->credentials,
                                .clock = &probe->clock,
                                .random = &random_system,
                                .region = probe->endpoint.region ? probe->endpoint.region
                                                                 : "us-east-1",
                        },
                        &probe->session,
                        &probe->error);
        return r;
}

static int open_bucket(Probe *probe, const char *name, S3Bucket **ret)
{
        return s3_bucket_new(
                &(S3BucketOptions){
                        .session = probe->session,
                        .name = name,
                        .endpoint = probe->endpoint,
                        .owner = environment_get(NULL, "BUCKET_OWNER"),
                },
                ret,
                &probe->error);
}

static int open_store(Probe *probe, const char *url, S3Store **ret)
{
        return s3_store_new(
                &(S3StoreOptions){
                        .session = probe->session,
                        .url = url,
                        .endpoint = probe->endpoint,
                        .nodes = 3,
                },
                ret,
                &probe->error);
}

/* get URL */
static int probe_http(Probe *probe, char **arguments)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        int r;

        r = http_perform(probe->http,
                &(HttpRequest){.method = "GET",
                        .url = arguments[0],
                        .deadline = probe->deadline,
                        .response_max = 100000},
                &response,
                &probe->error);
        if (r == 0)
                r = json_set_int64(probe->result, "status", response.status);
        return r < 0 ? r : put_result(probe, "body", buffer_text(&response.body));
}

/* endpoint SERVICE: where a request goes; of s3, one for the key "k" of "bucket" */
static int probe_endpoint(Probe *probe, char **arguments)
{
        _cleanup_(free) char *url = NULL;
        AwsEndpointOptions options = {};
        int r;

        r = aws_endpoint_options_from_environment(NULL, arguments[0], &options, &probe->error);
        if (r == 0)
                r = text_equal(arguments[0], "s3")
                            ? s3_url(&options, "bucket", "k", NULL, &url, &probe->error)
                            : aws_endpoint(&options, arguments[0], &url, &probe->error);
        return r < 0 ? r : put_result(probe, "url", url);
}

/* fault STATUS CODE: what is to be done about it */
static int probe_fault(Probe *probe, char **arguments)
{
        static const char *const kinds[] = {
                [AWS_FAULT_FINAL] = "final",
                [AWS_FAULT_TRANSIENT] = "transient",
                [AWS_FAULT_THROTTLED] = "throttled",
                [AWS_FAULT_SKEWED] = "skewed",
                [AWS_FAULT_EXPIRED_TOKEN] = "expired",
        };
        AwsFault fault = {.status = (unsigned)strtoul(arguments[0], NULL, 10)};
        int r = text_put(fault.code, sizeof(fault.code), arguments[1]);

        return r < 0 ? r : put_result(probe, "kind", kinds[aws_fault_kind(&fault)]);
}

/* put BUCKET KEY FILE absent|any|ETAG */
static int probe_put(Probe *probe, char **arguments)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        _cleanup_(buffer_done) Buffer data = BUFFER_INIT(DATA_MAX);
        S3Put put = {.if_absent = text_equal(arguments[3], "absent")};
        char etag[S3_ETAG_MAX] = "";
        int r;

        if (!put.if_absent && !text_equal(arguments[3], "any"))
                put.if_match = arguments[3];
        r = file_read(AT_FDCWD, arguments[2], DATA_MAX - 100000, &data, &probe->error);
        if (r == 0)
                r = open_bucket(probe, arguments[0], &bucket);
        if (r == 0)
                r = s3_put(bucket,
                        arguments[1],
                        buffer_text(&data),
                        data.size,
                        &put,
                        probe->deadline,
                        etag,
                        &probe->fault,
                        &probe->error);
        return r != 0 ? r : put_result(probe, "etag", etag);
}

/* get BUCKET KEY FILE ETAG|- */
static int probe_get(Probe *probe, char **arguments)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        _cleanup_(buffer_done) Buffer data = BUFFER_INIT(DATA_MAX);
        const char *none_match = text_equal(arguments[3], "-") ? NULL : arguments[3];
        char etag[S3_ETAG_MAX] = "";
        int r;

        r = open_bucket(probe, arguments[0], &bucket);
        if (r == 0)
                r = s3_get(bucket,
                        arguments[1],
                        1000000,
                        none_match,
                        probe->deadline,
                        &data,
                        etag,
                        &probe->fault,
                        &probe->error);
        if (r == 0)
                r = file_write_atomic(
                        AT_FDCWD, arguments[2], buffer_text(&data), data.size, 0600, &probe->error);
        return r != 0 ? r : put_result(probe, "etag", etag);
}

/* head BUCKET KEY */
static int probe_head(Probe *probe, char **arguments)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        uint64_t size = 0;
        int r;

        r = open_bucket(probe, arguments[0], &bucket);
        if (r == 0)
                r = s3_head(bucket,
                        arguments[1],
                        probe->deadline,
                        &size,
                        NULL,
                        &probe->fault,
                        &probe->error);
        return r != 0 ? r : json_set_int64(probe->result, "size", (int64_t)size);
}

/* delete BUCKET KEY */
static int probe_delete(Probe *probe, char **arguments)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        bool kept = false;
        int r;

        r = open_bucket(probe, arguments[0], &bucket);
        if (r == 0)
                r = s3_delete(bucket,
                        arguments[1],
                        NULL,
                        probe->deadline,
                        &kept,
                        &probe->fault,
                        &probe->error);
        return r != 0 ? r : json_set_bool(probe->result, "kept", kept);
}

static int append_key(const S3Listed *listed, void *userdata, Error *ret_error)
{
        (void)ret_error;
        return json_append(userdata, json_new_text(listed->key));
}

/* list BUCKET PREFIX */
static int probe_list(Probe *probe, char **arguments)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        Json *keys = json_new_array();
        int r;

        r = json_set(probe->result, "keys", json_ref(keys));
        if (r == 0)
                r = open_bucket(probe, arguments[0], &bucket);
        if (r == 0)
                r = s3_list(bucket,
                        arguments[1],
                        false,
                        probe->deadline,
                        append_key,
                        keys,
                        &probe->fault,
                        &probe->error);
        (void)json_free(keys);
        return r;
}

/* publish STORE WRITER REPLACE? NAME=CONTENT… : the set's manifest is docker/manifest.json */
static int probe_publish(Probe *probe, char **arguments)
{
        _cleanup_(s3_store_free) S3Store *store = NULL;
        S3StoreObject objects[MANIFEST_OBJECTS_MAX];
        size_t n = 0;
        int r;

        for (char **a = arguments + 3; *a && n < MANIFEST_OBJECTS_MAX; a++) {
                char *equals = strchr(*a, '=');

                if (!equals)
                        return -EINVAL;
                *equals = '\0';
                objects[n++] = (S3StoreObject){*a, equals + 1, strlen(equals + 1)};
        }
        r = open_store(probe, arguments[0], &store);
        if (r == 0)
                r = s3_store_publish(store,
                        &(S3StorePublication){
                                .manifest = "docker/manifest.json",
                                .cluster = "prod",
                                .writer = arguments[1],
                                .objects = objects,
                                .n_objects = n,
                                .replace = text_equal(arguments[2], "replace"),
                        },
                        probe->deadline,
                        &probe->error);
        return r;
}

static int show_set(Probe *probe, const S3StoreSet *set)
{
        Json *objects = json_new_object();
        int r;

        r = json_set(probe->result, "objects", json_ref(objects));
        for (size_t i = 0; r == 0 && i < set->manifest.n_objects; i++)
                r = json_set_text(
                        objects, set->manifest.objects[i].name, secret_data(set->contents[i]));
        (void)json_free(objects);
        return r < 0 ? r : put_result(probe, "writer", set->manifest.writer);
}

/* wait STORE SECONDS */
static int probe_wait(Probe *probe, char **arguments)
{
        S3StoreSet *set = calloc(1, sizeof(*set));
        _cleanup_(s3_store_free) S3Store *store = NULL;
        uint64_t seconds = 0;
        int r;

        r = set && text_to_uint64(arguments[1], 0, 1000, &seconds) == 0
                    ? open_store(probe, arguments[0], &store)
                    : -EINVAL;
        if (r == 0)
                r = s3_store_wait(store,
                        "docker/manifest.json",
                        clock_deadline(&clock_system, seconds * USEC_PER_SEC),
                        NULL,
                        NULL,
                        set,
                        &probe->error);
        if (r == 0)
                r = show_set(probe, set);
        s3_store_set_done(set);
        free(set);
        return r;
}

static Usec cpu_time(void);
static int64_t peak_kib(void);

/* When each poll was made that found nothing, and what the processor had spent by then. */
typedef struct Polls {
        Json *at; /* milliseconds, wall */
        int64_t count;
        Usec cpu_first, cpu_last;
} Polls;

static void note_poll(const char *name, Usec waited, void *userdata)
{
        Polls *polls = userdata;

        (void)name;
        (void)waited;
        polls->cpu_last = cpu_time();
        if (polls->count++ == 0)
                polls->cpu_first = polls->cpu_last;
        (void)json_append(
                polls->at, json_new_int64((int64_t)(clock_wall(&clock_system) / USEC_PER_MSEC)));
}

static int put_polls(Probe *probe, Polls *polls)
{
        int64_t now = (int64_t)(clock_wall(&clock_system) / USEC_PER_MSEC);
        Usec spent = polls->cpu_last - polls->cpu_first;
        int r = json_set_int64(probe->result, "polls", polls->count);

        if (r == 0)
                r = json_set_int64(probe->result, "ended_at", now);
        if (r == 0 && polls->count > 1)
                r = json_set_int64(probe->result, "cpu_usec", (int64_t)spent / (polls->count - 1));
        if (r == 0)
                r = json_set_int64(probe->result, "peak_kib", peak_kib());
        return r == 0 ? json_set(probe->result, "polled_at", TAKE_PTR(polls->at)) : r;
}

/* wait-object STORE NAME SECONDS */
static int probe_wait_object(Probe *probe, char **arguments)
{
        _cleanup_(s3_store_free) S3Store *store = NULL;
        _cleanup_(secret_free) Secret *content = NULL;
        Polls polls = {.at = json_new_array()};
        uint64_t seconds = 0;
        int r;

        r = text_to_uint64(arguments[2], 0, 1000, &seconds);
        if (r == 0)
                r = open_store(probe, arguments[0], &store);
        if (r == 0)
                r = s3_store_wait_object(store,
                        arguments[1],
                        clock_deadline(&clock_system, seconds * USEC_PER_SEC),
                        note_poll,
                        &polls,
                        &content,
                        &probe->error);
        (void)put_polls(probe, &polls);
        return r != 0 ? r : put_result(probe, "content", secret_data(content));
}

/* purge STORE */
static int probe_purge(Probe *probe, char **arguments)
{
        _cleanup_(s3_store_free) S3Store *store = NULL;
        size_t deleted = 0;
        int r;

        r = open_store(probe, arguments[0], &store);
        if (r == 0)
                r = s3_store_purge(store, probe->deadline, &deleted, &probe->error);
        return r != 0 ? r : json_set_int64(probe->result, "deleted", (int64_t)deleted);
}

/* metadata PATH */
static int probe_metadata(Probe *probe, char **arguments)
{
        _cleanup_(free) char *value = NULL;
        int r;

        r = metadata_get_text(
                probe->metadata, arguments[0], probe->deadline, &value, &probe->error);
        return r != 0 ? r : put_result(probe, "value", value);
}

/* identity */
static int probe_identity(Probe *probe, char **arguments)
{
        _cleanup_(metadata_identity_done) MetadataIdentity identity = {};
        int r;

        (void)arguments;
        r = metadata_get_identity(probe->metadata, probe->deadline, &identity, &probe->error);
        if (r == 0)
                r = put_result(probe, "instance", identity.instance_id);
        return r != 0 ? r : json_set_int64(probe->result, "launched", (int64_t)identity.launched);
}

/* credentials */
static int probe_credentials(Probe *probe, char **arguments)
{
        const AwsCredentials *credentials;
        int r;

        (void)arguments;
        r = aws_credentials_get(probe->credentials, probe->deadline, &credentials, &probe->error);
        if (r == 0)
                r = put_result(probe, "source", credentials->source);
        return r != 0 ? r : put_result(probe, "id", credentials->access_key_id);
}

/* signal SUCCESS|FAILURE ID REASON */
static int probe_signal(Probe *probe, char **arguments)
{
        _cleanup_(secret_free) Secret *handle = NULL;
        const char *url = environment_get(NULL, "WAIT_HANDLE");
        int r = url ? secret_new_text(url, &handle) : -EINVAL;

        return r < 0 ? r
                     : signal_send(probe->http,
                               &clock_system,
                               &random_system,
                               handle,
                               &(Signal){
                                       .status = text_equal(arguments[0], "SUCCESS")
                                                         ? SIGNAL_SUCCESS
                                                         : SIGNAL_FAILURE,
                                       .unique_id = arguments[1],
                                       .reason = arguments[2],
                                       .data = "",
                               },
                               probe->deadline,
                               &probe->error);
}

/* call SERVICE ACTION PARAMETERS(JSON) */
static int probe_call(Probe *probe, char **arguments)
{
        static const AwsService *const services[] = {&aws_service_secretsmanager, &aws_service_ssm};
        _cleanup_(json_free) Json *parameters = NULL, *answer = NULL;
        const AwsService *service = NULL;
        int r;

        for (size_t i = 0; i < ELEMENTS(services); i++)
                if (text_equal(services[i]->name, arguments[0]))
                        service = services[i];
        if (!service)
                return -EINVAL;
        r = json_parse(
                "parameters", arguments[2], strlen(arguments[2]), &parameters, &probe->error);
        if (r == 0)
                r = aws_call_json(probe->session,
                        service,
                        probe->endpoint.override,
                        arguments[1],
                        parameters,
                        probe->deadline,
                        &answer,
                        &probe->fault,
                        &probe->error);
        return r != 0 ? r : json_set(probe->result, "answer", json_ref(answer));
}

static int count_page(const Json *answer, void *userdata, Error *ret_error)
{
        (void)ret_error;
        *(int64_t *)userdata += (int64_t)json_count(json_member(answer, "Parameters"));
        return 0;
}

/* pages PATH: SSM's GetParametersByPath */
static int probe_pages(Probe *probe, char **arguments)
{
        _cleanup_(json_free) Json *parameters = json_new_object();
        int64_t count = 0;
        int r;

        r = json_set_text(parameters, "Path", arguments[0]);
        if (r == 0)
                r = aws_call_json_pages(probe->session,
                        &aws_service_ssm,
                        probe->endpoint.override,
                        "GetParametersByPath",
                        parameters,
                        probe->deadline,
                        count_page,
                        &count,
                        &probe->fault,
                        &probe->error);
        return r != 0 ? r : json_set_int64(probe->result, "count", count);
}

/* query ACTION ELEMENT: STS's or EC2's, and an element of its answer */
static int probe_query(Probe *probe, char **arguments)
{
        const AwsService *service =
                text_starts(arguments[0], "Describe") ? &aws_service_ec2 : &aws_service_sts;
        _cleanup_(xml_free) XmlElement *answer = NULL;
        const char *found;
        int r;

        r = aws_call_query(probe->session,
                service,
                probe->endpoint.override,
                arguments[0],
                NULL,
                probe->deadline,
                &answer,
                &probe->fault,
                &probe->error);
        if (r != 0)
                return r;
        found = xml_child_text(xml_child(answer, "GetCallerIdentityResult"), arguments[1]);
        if (!found)
                found = xml_child_text(
                        xml_child(xml_child(answer, "regionInfo"), "item"), arguments[1]);
        return put_result(probe, "value", found ? found : "");
}

/* journal ROOT UNIT LINES [BYTES] */
static int probe_journal(Probe *probe, char **arguments)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(200000);
        uint64_t lines = 0, size = text.max;
        int r;

        r = text_to_uint64(arguments[2], 0, 100000, &lines);
        if (r == 0 && arguments[3])
                r = text_to_uint64(arguments[3], 0, text.max, &size);
        text.max = size;
        if (r == 0)
                r = journal_read_unit(
                        arguments[0], arguments[1], lines, probe->deadline, &text, &probe->error);
        (void)put_result(probe, "text", buffer_text(&text));
        return r;
}

/* Counts <item> below <reservationSet> (EC2's DescribeInstances). */
static int count_items(const XmlElement *answer, void *userdata, Error *ret_error)
{
        const XmlElement *item = xml_child(xml_child(answer, "reservationSet"), "item");

        (void)ret_error;
        ((int64_t *)userdata)[0]++;
        for (; item; item = xml_next(item))
                ((int64_t *)userdata)[1]++;
        return 0;
}

/* query-pages SIZE: EC2's DescribeInstances, so many a page */
static int probe_query_pages(Probe *probe, char **arguments)
{
        const char *const parameters[] = {"MaxResults", arguments[0], NULL};
        int64_t counts[2] = {};
        int r;

        r = aws_call_query_pages(probe->session,
                &aws_service_ec2,
                probe->endpoint.override,
                "DescribeInstances",
                parameters,
                probe->deadline,
                count_items,
                counts,
                &probe->fault,
                &probe->error);
        if (r == 0)
                r = json_set_int64(probe->result, "pages", counts[0]);
        return r != 0 ? r : json_set_int64(probe->result, "count", counts[1]);
}

static Usec cpu_time(void)
{
        struct rusage usage;

        (void)getrusage(RUSAGE_SELF, &usage);
        return (Usec)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * USEC_PER_SEC +
               (Usec)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* This program's own peak, VmHWM of proc(5): getrusage's is at least that of what started it. */
static int64_t peak_kib(void)
{
        _cleanup_(buffer_done) Buffer status = BUFFER_INIT(DATA_MAX);
        const char *line = NULL;

        if (file_read(AT_FDCWD, "/proc/self/status", DATA_MAX, &status, NULL) == 0)
                line = strstr(buffer_text(&status), "\nVmHWM:");
        return line ? strtol(line + strlen("\nVmHWM:"), NULL, 10) : 0;
}

/* bench BUCKET KEY COUNT: signed GETs on a kept connection; CPU in microseconds for each */
static int probe_bench(Probe *probe, char **arguments)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        uint64_t count = 1;
        Usec cpu = 0, began = 0;
        int r;

        r = text_to_uint64(arguments[2], 1, 1000000, &count);
        if (r == 0)
                r = open_bucket(probe, arguments[0], &bucket);
        for (uint64_t i = 0; i <= count && r == 0; i++) {
                _cleanup_(buffer_done) Buffer data = BUFFER_INIT(DATA_MAX);

                if (i == 1) { /* the first one connects */
                        cpu = cpu_time();
                        began = clock_now(&clock_system);
                }
                r = s3_get(bucket,
                        arguments[1],
                        1000000,
                        NULL,
                        probe->deadline,
                        &data,
                        NULL,
                        &probe->fault,
                        &probe->error);
        }
        if (r != 0 || count == 0)
                return r;
        r = json_set_int64(probe->result, "cpu_usec", (int64_t)((cpu_time() - cpu) / count));
        if (r == 0)
                r = json_set_int64(probe->result,
                        "wall_usec",
                        (int64_t)((clock_now(&clock_system) - began) / count));
        return r < 0 ? r : json_set_int64(probe->result, "peak_kib", peak_kib());
}

static const struct {
        const char *name;
        int arguments;
        int (*run)(Probe *probe, char **arguments);
} commands[] = {
        {"http", 1, probe_http},
        {"endpoint", 1, probe_endpoint},
        {"fault", 2, probe_fault},
        {"put", 4, probe_put},
        {"get", 4, probe_get},
        {"head", 2, probe_head},
        {"delete", 2, probe_delete},
        {"list", 2, probe_list},
        {"publish", 4, probe_publish},
        {"wait", 2, probe_wait},
        {"wait-object", 3, probe_wait_object},
        {"purge", 1, probe_purge},
        {"metadata", 1, probe_metadata},
        {"identity", 0, probe_identity},
        {"credentials", 0, probe_credentials},
        {"signal", 3, probe_signal},
        {"call", 3, probe_call},
        {"pages", 1, probe_pages},
        {"query", 2, probe_query},
        {"query-pages", 1, probe_query_pages},
        {"journal", 3, probe_journal},
        {"bench", 3, probe_bench},
};

static int run(Probe *probe, int argc, char *argv[])
{
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (text_equal(commands[i].name, argv[1]) && argc - 2 >= commands[i].arguments)
                        return commands[i].run(probe, argv + 2);
        return error_set(
                &probe->error, -EINVAL, "cannot run '%s' with %d arguments", argv[1], argc - 2);
}

static void print(Probe *probe, int outcome)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(16U * DATA_MAX);

        (void)json_set_int64(probe->result, "outcome", outcome);
        (void)json_set_text(probe->result, "error", outcome != 0 ? probe->error.text : "");
        (void)json_set_text(probe->result, "code", probe->fault.code);
        if (probe->session)
                (void)json_set_int64(
                        probe->result, "skew_seconds", aws_session_skew(probe->session) / 1000000);
        if (json_format(probe->result, JSON_ONE_LINE, &text) == 0)
                printf("%s\n", buffer_text(&text));
}

int main(int argc, char *argv[])
{
        HttpProxies proxies = {
                .http = environment_get(NULL, "http_proxy"),
                .https = environment_get(NULL, "https_proxy"),
                .none = environment_get(NULL, "no_proxy"),
        };
        const char *seconds = environment_get(NULL, "DEADLINE");
        const char *error = environment_get(NULL, "CLOCK_ERROR");
        uint64_t number = 30;
        int64_t clock_error = 0;
        Probe probe = {.result = json_new_object()};
        int r;

        digest_init();
        if (argc < 2 || (seconds && text_to_uint64(seconds, 0, 1000, &number) < 0) ||
                (error && text_to_int64(error, -1000000, 1000000, &clock_error) < 0))
                return 64;
        probe.wall_error = clock_error * (int64_t)USEC_PER_SEC;
        probe.clock = (Clock){probe_now, probe_wall, probe_sleep_until, &probe};
        probe.deadline = clock_deadline(&clock_system, number * USEC_PER_SEC);
        r = http_client_new(
                &(HttpOptions){
                        .user_agent = "flocker-probe",
                        .clock = &probe.clock,
                        .proxies = &proxies,
                        .connect_timeout = 2 * USEC_PER_SEC,
                },
                &probe.http,
                &probe.error);
        if (r == 0)
                r = make_session(&probe);
        if (r == 0)
                r = run(&probe, argc, argv);
        print(&probe, r);

        (void)aws_session_free(probe.session);
        (void)aws_credentials_provider_free(probe.credentials);
        (void)metadata_free(probe.metadata);
        (void)http_client_free(probe.http);
        (void)json_free(probe.result);
        return r == 0 ? 0 : 1;
}
