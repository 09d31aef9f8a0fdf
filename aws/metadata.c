#include "aws/metadata.h"

#include "aws/environment.h"
#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_TTL       (6 * USEC_PER_HOUR)
#define TOKEN_RENEWAL   (30 * USEC_PER_SEC) /* before its end */
#define TOKEN_MAX       1024U
#define ATTEMPT_TIMEOUT (5 * USEC_PER_SEC) /* the service is a hop away: more is a fault */
#define SILENCE_TIME    USEC_PER_SEC       /* then whoever waits is told */
#define IPV6_HEAD_START (150 * USEC_PER_MSEC)
#define TEXT_MAX        4096U

static const char *const addresses[] = {"http://169.254.169.254", "http://[fd00:ec2::254]"};

/* The service may come up later than we do; then it answers within milliseconds. */
static const RetryPolicy policy = {
        .name = "metadata",
        .base = {[RETRY_TRANSIENT] = 50 * USEC_PER_MSEC,
                [RETRY_THROTTLED] = 500 * USEC_PER_MSEC,
                [RETRY_NOT_YET] = 50 * USEC_PER_MSEC},
        .cap = 2 * USEC_PER_SEC,
        .retry_after_excess_max = 5 * USEC_PER_SEC,
};

struct Metadata {
        MetadataOptions options;
        char *endpoint; /* given, or the race's winner; NULL: not yet known */
        Secret *token;
        Usec token_ends; /* on the clock's now */
        Usec appear_by;  /* until then its absence is waited out */
        bool appeared;
        bool disabled;
        MetadataSilence silent; /* NULL: nobody to tell, or told already */
        void *silent_userdata;
        int64_t skew; /* the service's clock less ours, as last seen */
};

static int read_disabled(char *const *environment, bool *ret, Error *ret_error)
{
        const char *value = environment_get(environment, "AWS_EC2_METADATA_DISABLED");

        *ret = value && text_equal_case(value, "true");
        if (!value || *ret || text_equal_case(value, "false"))
                return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot use AWS_EC2_METADATA_DISABLED='%.40s': expected true or false",
                value);
}

/* Without slashes at its end; NULL stays NULL: the two addresses. */
static int take_endpoint(Metadata *metadata, const char *endpoint, Error *ret_error)
{
        _cleanup_(http_url_done) HttpUrl url = {};
        size_t length;
        int r;

        if (!endpoint)
                return 0;
        r = http_url_parse(endpoint, &url, ret_error);
        if (r < 0)
                return error_prefix(ret_error, r, "cannot use AWS_EC2_METADATA_SERVICE_ENDPOINT");

        length = strlen(endpoint);
        while (length > 0 && endpoint[length - 1] == '/')
                length--;
        metadata->endpoint = text_copy_part(endpoint, length);
        return metadata->endpoint ? 0
                                  : error_set(ret_error, -ENOMEM, "cannot ask for metadata: %m");
}

int metadata_new(const MetadataOptions *options, Metadata **ret, Error *ret_error)
{
        _cleanup_(metadata_free) Metadata *metadata = calloc(1, sizeof(*metadata));
        const char *endpoint = options->endpoint;
        int r;

        if (!metadata)
                return error_set(ret_error, -ENOMEM, "cannot ask for metadata: %m");
        metadata->options = *options;
        metadata->appear_by = clock_deadline(options->clock, options->wait);

        if (!endpoint)
                endpoint =
                        environment_get(options->environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
        r = read_disabled(options->environment, &metadata->disabled, ret_error);
        if (r == 0)
                r = take_endpoint(metadata, endpoint, ret_error);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(metadata);
        return 0;
}

void metadata_on_silence(Metadata *metadata, MetadataSilence silent, void *userdata)
{
        metadata->silent = silent;
        metadata->silent_userdata = userdata;
}

bool metadata_is_disabled(const Metadata *metadata)
{
        return metadata->disabled;
}

int64_t metadata_skew(const Metadata *metadata)
{
        return metadata->skew;
}

static void note_skew(Metadata *metadata, const HttpResponse *response)
{
        if (response->date)
                metadata->skew = (int64_t)response->date - (int64_t)response->received;
}

Metadata *metadata_free(Metadata *metadata)
{
        if (!metadata)
                return NULL;
        (void)secret_free(metadata->token);
        free(metadata->endpoint);
        free(metadata);
        return NULL;
}

/* The PUT of a token, to the known endpoint or to both addresses side by side. */
static int put_token(Metadata *metadata, Usec deadline, HttpResponse *ret, Error *ret_error)
{
        static const HttpHeader headers[] = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
        Usec timeout = metadata->silent ? SILENCE_TIME : ATTEMPT_TIMEOUT;
        size_t n = metadata->endpoint ? 1 : ELEMENTS(addresses), winner;
        HttpRequest requests[ELEMENTS(addresses)] = {};
        char urls[ELEMENTS(addresses)][HTTP_URL_MAX + 32];
        int r;

        for (size_t i = 0; i < n; i++) {
                (void)snprintf(urls[i],
                        sizeof(urls[i]),
                        "%s/latest/api/token",
                        metadata->endpoint ? metadata->endpoint : addresses[i]);
                requests[i] = (HttpRequest){
                        .method = "PUT",
                        .url = urls[i],
                        .headers = headers,
                        .n_headers = ELEMENTS(headers),
                        .response_max = METADATA_VALUE_MAX,
                        .deadline = deadline,
                        .attempt_timeout = timeout,
                        .no_proxy = true,
                };
        }

        r = http_race(
                metadata->options.http, requests, n, IPV6_HEAD_START, ret, &winner, ret_error);
        if (r < 0)
                return r;
        note_skew(metadata, ret);
        if (!metadata->endpoint)
                metadata->endpoint = text_copy(addresses[winner]);
        return metadata->endpoint ? 0
                                  : error_set(ret_error, -ENOMEM, "cannot ask for metadata: %m");
}

static bool is_token(const Buffer *body)
{
        if (body->size == 0 || body->size > TOKEN_MAX)
                return false;
        for (size_t i = 0; i < body->size; i++)
                if (body->data[i] <= 0x20 || body->data[i] >= 0x7F || body->data[i] == '<')
                        return false;
        return true;
}

static int refuse_status(
        const Metadata *metadata, const char *what, unsigned status, Error *ret_error)
{
        if (status == 403)
                return error_set(ret_error,
                        -EACCES,
                        "cannot read %s from the metadata service at '%s': 403: it is turned off "
                        "for "
                        "this instance (HttpEndpoint), or something on the way adds "
                        "X-Forwarded-For",
                        what,
                        metadata->endpoint);
        return error_set(ret_error,
                -EPROTO,
                "cannot read %s from the metadata service at '%s': it answered %u",
                what,
                metadata->endpoint,
                status);
}

static bool may_pass(unsigned status)
{
        return status >= 500 || status == 429;
}

/* One try. What may pass is worth another one: -EAGAIN. */
static int fetch_token(Metadata *metadata, Usec deadline, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        int r;

        r = put_token(metadata, deadline, &response, ret_error);
        if (r < 0)
                return r;
        if (may_pass(response.status))
                return error_set(ret_error,
                        -EAGAIN,
                        "cannot get a session token from the metadata service at '%s': it answered "
                        "%u",
                        metadata->endpoint,
                        response.status);
        if (response.status != 200)
                return refuse_status(metadata, "a session token", response.status, ret_error);
        if (!is_token(&response.body))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot get a session token from '%s': what answers there is no metadata "
                        "service (a proxy or a web page?)",
                        metadata->endpoint);

        metadata->token = secret_free(metadata->token);
        r = secret_new(response.body.data, response.body.size, &metadata->token);
        if (r < 0)
                return error_set(ret_error, r, "cannot keep the session token: %m");
        metadata->token_ends = clock_deadline(metadata->options.clock, TOKEN_TTL);
        metadata->appeared = true;
        return 0;
}

static bool is_absence(int r)
{
        return http_is_transient(r) || r == -EAGAIN;
}

/* The words for somebody who looks at a silent address. */
static int explain_absence(const Metadata *metadata, int r, Error *ret_error)
{
        bool hangs = r == -ETIMEDOUT && ret_error && strstr(ret_error->text, "connection stands");

        if (hangs)
                return error_append(ret_error,
                        -ETIMEDOUT,
                        ": the address answers, the token does not arrive: in a container this is "
                        "the "
                        "hop limit of the instance's metadata options (HttpPutResponseHopLimit), "
                        "which "
                        "must be 2 there");
        if (!metadata->appeared)
                return error_append(ret_error,
                        r == -ETIMEDOUT ? r : -EHOSTUNREACH,
                        ": is this an EC2 instance, with its metadata service turned on? Elsewhere "
                        "name "
                        "one in AWS_EC2_METADATA_SERVICE_ENDPOINT");
        return r;
}

static void tell_silence(Metadata *metadata, Usec began, Usec until)
{
        MetadataSilence silent = metadata->silent;

        if (!silent || metadata->appeared ||
                clock_now(metadata->options.clock) < began + SILENCE_TIME)
                return;
        metadata->silent = NULL;
        silent(metadata->endpoint ? metadata->endpoint
                                  : "http://169.254.169.254 and http://[fd00:ec2::254]",
                until,
                metadata->silent_userdata);
}

static int ensure_token(Metadata *metadata, Usec deadline, Error *ret_error)
{
        const MetadataOptions *options = &metadata->options;
        Usec until = metadata->appeared ? deadline : usec_min(deadline, metadata->appear_by);
        Retry retry = RETRY_INIT(&policy, options->clock, options->random, until);
        Usec renewal = clock_deadline(options->clock, TOKEN_RENEWAL);
        Usec began = clock_now(options->clock);
        int r;

        if (metadata->token && metadata->token_ends > renewal)
                return 0;

        for (;;) {
                r = fetch_token(metadata, deadline, ret_error);
                if (r == 0 || !is_absence(r))
                        return r;
                tell_silence(metadata, began, until);
                if (retry_wait(&retry, RETRY_TRANSIENT, 0) != RETRY_AGAIN)
                        return explain_absence(metadata, r, ret_error);
        }
}

static int get_once(
        Metadata *metadata, const char *path, Usec deadline, HttpResponse *ret, Error *ret_error)
{
        HttpHeader headers[1];
        char url[HTTP_URL_MAX + 32];
        int r;

        r = ensure_token(metadata, deadline, ret_error);
        if (r < 0)
                return r;

        (void)snprintf(url, sizeof(url), "%s/latest/%s", metadata->endpoint, path);
        headers[0] = (HttpHeader){"X-aws-ec2-metadata-token", secret_data(metadata->token)};
        return http_perform(metadata->options.http,
                &(HttpRequest){
                        .method = "GET",
                        .url = url,
                        .headers = headers,
                        .n_headers = ELEMENTS(headers),
                        .response_max = METADATA_VALUE_MAX,
                        .deadline = deadline,
                        .attempt_timeout = ATTEMPT_TIMEOUT,
                        .no_proxy = true,
                },
                ret,
                ret_error);
}

static int take_value(const Metadata *metadata,
        const char *path,
        HttpResponse *response,
        Buffer *ret,
        Error *ret_error)
{
        const char *type = http_response_header(response, "content-type");

        if (response->status == 401)
                return error_set(ret_error,
                        -EACCES,
                        "cannot read %s from the metadata service at '%s': 401, also with a fresh "
                        "session token",
                        path,
                        metadata->endpoint);
        if (response->status != 200)
                return refuse_status(metadata, path, response->status, ret_error);
        if (type && text_starts(type, "text/html"))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot read %s from '%s': an HTML page answers, no metadata service",
                        path,
                        metadata->endpoint);
        if (buffer_append(ret, buffer_text(&response->body), response->body.size) < 0)
                return error_set(ret_error, -EFBIG, "cannot keep '%s' of the metadata: %m", path);
        return METADATA_OK;
}

int metadata_get(Metadata *metadata, const char *path, Usec deadline, Buffer *ret, Error *ret_error)
{
        const MetadataOptions *options = &metadata->options;
        Retry retry = RETRY_INIT(&policy, options->clock, options->random, deadline);
        bool token_renewed = false;

        if (metadata->disabled)
                return error_set(ret_error,
                        -EACCES,
                        "cannot read '%s' of the metadata: AWS_EC2_METADATA_DISABLED turns the "
                        "metadata service off",
                        path);

        for (;;) {
                _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
                int r;

                r = get_once(metadata, path, deadline, &response, ret_error);
                if (r < 0 && (!is_absence(r) || !metadata->appeared))
                        return r;
                if (r == 0 && response.status == 404)
                        return METADATA_ABSENT;
                if (r == 0 && response.status == 401 && !token_renewed) {
                        token_renewed = true;
                        metadata->token = secret_free(metadata->token);
                        continue;
                }
                if (r == 0 && !may_pass(response.status))
                        return take_value(metadata, path, &response, ret, ret_error);

                if (retry_wait(&retry,
                            response.status == 429 || response.status == 503 ? RETRY_THROTTLED
                                                                             : RETRY_TRANSIENT,
                            0) != RETRY_AGAIN)
                        return r < 0 ? r
                                     : refuse_status(metadata, path, response.status, ret_error);
        }
}

int metadata_allows_v1(Metadata *metadata, Usec deadline, bool *ret, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(buffer_done) Buffer id = BUFFER_INIT(METADATA_VALUE_MAX);
        char url[HTTP_URL_MAX];
        HttpRequest request = {.method = "GET", .url = url, .deadline = deadline, .no_proxy = true};
        int r;

        /* Version 2 first: it finds the endpoint, and waits out what passes. */
        r = metadata_get(metadata, "meta-data/instance-id", deadline, &id, ret_error);
        if (r < 0)
                return r;
        (void)snprintf(url, sizeof(url), "%s/latest/meta-data/instance-id", metadata->endpoint);
        r = http_perform(metadata->options.http, &request, &response, ret_error);
        if (r == 0)
                *ret = response.status == 200;
        return r;
}

int metadata_get_text(
        Metadata *metadata, const char *path, Usec deadline, char **ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer value = BUFFER_INIT(METADATA_VALUE_MAX);
        char *text;
        int r;

        r = metadata_get(metadata, path, deadline, &value, ret_error);
        if (r != METADATA_OK)
                return r;

        text = value.data ? text_strip(value.data) : NULL;
        if (text_is_empty(text) || strlen(text) > TEXT_MAX || strpbrk(text, "\r\n<>"))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot use '%s' of the metadata: expected a line of text",
                        path);
        *ret = text_copy(text);
        return *ret ? METADATA_OK : error_set(ret_error, -ENOMEM, "cannot keep '%s': %m", path);
}

/* The identity document. */

void metadata_identity_done(MetadataIdentity *identity)
{
        free(identity->instance_id);
        free(identity->region);
        free(identity->availability_zone);
        free(identity->account_id);
        free(identity->image_id);
        free(identity->instance_type);
        free(identity->architecture);
        free(identity->private_ip);
        *identity = (MetadataIdentity){};
}

#define IDENTITY "the instance identity document"

static int take_member(const Json *document, const char *key, char **ret, Error *ret_error)
{
        const char *text;
        int r;

        r = json_get_text(document, IDENTITY, key, &text, ret_error);
        if (r < 0)
                return r;
        *ret = text_copy(text);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot keep '%s': %m", key);
}

static int check_identity(const MetadataIdentity *identity, Error *ret_error)
{
        unsigned char address[4];

        if (!text_starts(identity->instance_id, "i-") ||
                strspn(identity->instance_id + 2, "0123456789abcdef") !=
                        strlen(identity->instance_id) - 2)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': instanceId: expected i- and hexadecimal digits",
                        IDENTITY);
        if (strlen(identity->account_id) != 12 || strspn(identity->account_id, "0123456789") != 12)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': accountId: expected 12 digits",
                        IDENTITY);
        if (identity->private_ip && inet_pton(AF_INET, identity->private_ip, address) != 1)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': privateIp: expected an IPv4 address",
                        IDENTITY);
        return 0;
}

int metadata_identity_parse(const char *text, size_t size, MetadataIdentity *ret, Error *ret_error)
{
        _cleanup_(metadata_identity_done) MetadataIdentity identity = {};
        _cleanup_(json_free) Json *document = NULL;
        const struct {
                const char *key;
                char **place;
        } members[] = {
                {"instanceId", &identity.instance_id},
                {"region", &identity.region},
                {"availabilityZone", &identity.availability_zone},
                {"accountId", &identity.account_id},
                {"imageId", &identity.image_id},
                {"instanceType", &identity.instance_type},
                {"architecture", &identity.architecture},
        };
        const char *launched;
        int r;

        r = json_parse(IDENTITY, text, size, &document, ret_error);
        for (size_t i = 0; i < ELEMENTS(members) && r == 0; i++)
                r = take_member(document, members[i].key, members[i].place, ret_error);
        if (r == 0 && json_is_string(json_member(document, "privateIp")))
                r = take_member(document, "privateIp", &identity.private_ip, ret_error);
        if (r == 0)
                r = json_get_text(document, IDENTITY, "pendingTime", &launched, ret_error);
        if (r == 0 && clock_parse_utc(launched, &identity.launched) < 0)
                r = error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': pendingTime: expected a time like 2026-11-24T09:05:00Z",
                        IDENTITY);
        if (r == 0)
                r = check_identity(&identity, ret_error);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;

        *ret = identity;
        identity = (MetadataIdentity){};
        return 0;
}

int metadata_get_identity(
        Metadata *metadata, Usec deadline, MetadataIdentity *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(METADATA_VALUE_MAX);
        int r;

        r = metadata_get(
                metadata, "dynamic/instance-identity/document", deadline, &text, ret_error);
        if (r == METADATA_ABSENT)
                return error_set(ret_error,
                        -EPROTO,
                        "cannot read %s: the metadata service at '%s' has none",
                        IDENTITY,
                        metadata->endpoint);
        return r < 0 ? r : metadata_identity_parse(buffer_text(&text), text.size, ret, ret_error);
}
