#include "rehearsal/s3-server.h"

#include "base/digest.h"
#include "base/text.h"
#include "base/xml.h"
#include "net/http.h"
#include "rehearsal/cloud.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIME   (3 * USEC_PER_SEC)
#define ASK_TIME       (10 * USEC_PER_SEC)
#define ACCESS_KEY_MAX 128U
#define BUCKET_MIN     3U /* bytes of its name; Amazon S3 User Guide, "Bucket naming rules" */
#define BUCKET_MAX     63U

S3Server *s3_server_free(S3Server *server)
{
        if (!server)
                return NULL;
        free(server->url);
        free(server->endpoint);
        free(server->address);
        free(server->bucket);
        free(server->access_key);
        server->secret_key = secret_free(server->secret_key);
        server->token = secret_free(server->token);
        free(server);
        return NULL;
}

/* --- the option --- */

static bool is_bucket(const char *name)
{
        size_t length = strlen(name);

        return length >= BUCKET_MIN && length <= BUCKET_MAX &&
               strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length;
}

/* What is not as it should be; NULL: nothing. */
static const char *find_flaw(const HttpUrl *parts, const char *address, const char *bucket)
{
        struct in_addr number;

        if (text_equal(parts->scheme, "https"))
                return "expected http: machines in a network of their own find it at another "
                       "address than its certificate is of";
        if (inet_pton(AF_INET, address, &number) != 1)
                return "expected an IPv4 address as its host";
        if (!*bucket)
                return "expected a bucket: http://ADDRESS:PORT/BUCKET";
        if (parts->query || !is_bucket(bucket))
                return "expected the name of a bucket, and nothing else, behind the first slash";
        return NULL;
}

static int read_url(S3Server *server, Error *ret_error)
{
        _cleanup_(http_url_done) HttpUrl parts = {};
        const char *address, *flaw;
        int r = http_url_parse(server->url, &parts, ret_error);

        if (r < 0)
                return error_prefix(ret_error, r, "cannot use --s3");
        address = text_equal(parts.host, "localhost") ? "127.0.0.1" : parts.host;
        flaw = find_flaw(&parts, address, parts.path + 1);
        if (flaw)
                return error_set(ret_error, -EINVAL, "cannot use '--s3=%s': %s", server->url, flaw);
        server->address = text_copy(address);
        server->port = parts.port;
        server->endpoint = text_format("http://%s:%u", address, parts.port);
        server->bucket = text_copy(parts.path + 1);
        return server->address && server->endpoint && server->bucket
                       ? 0
                       : error_set(ret_error, -ENOMEM, "cannot use --s3: %m");
}

/* A variable's value; NULL: not set, or empty. */
static const char *get_variable(const char *name)
{
        const char *value = getenv(name);

        return text_is_empty(value) ? NULL : value;
}

/* They become headers: letters without blanks, and none that ends a line. */
static bool is_word(const char *text, size_t max)
{
        size_t length = strlen(text);

        for (const char *c = text; *c; c++)
                if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7F)
                        return false;
        return length <= max;
}

static int read_credentials(S3Server *server, Error *ret_error)
{
        const char *id = get_variable("AWS_ACCESS_KEY_ID");
        const char *secret = get_variable("AWS_SECRET_ACCESS_KEY");
        const char *token = get_variable("AWS_SESSION_TOKEN");
        int r = 0;

        if (!id || !secret)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--s3=%s' without credentials: %s is not set",
                        server->url,
                        id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        if (!is_word(id, ACCESS_KEY_MAX) || !is_word(secret, CLOUD_TOKEN_MAX) ||
                (token && !is_word(token, CLOUD_TOKEN_MAX)))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--s3=%s' with the credentials of the environment: one is too "
                        "long, or has characters that no key has",
                        server->url);
        server->access_key = text_copy(id);
        r = server->access_key ? secret_new_text(secret, &server->secret_key) : -ENOMEM;
        if (r == 0 && token)
                r = secret_new_text(token, &server->token);
        return r < 0 ? error_set(ret_error, r, "cannot keep the credentials of --s3: %m") : 0;
}

/* --- what cannot be had --- */

static int check_template(
        const S3ServerOptions *options, const CfnTemplate *template, Error *ret_error)
{
        const char *first = NULL;

        for (size_t i = 0; template && i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];

                if (!text_equal(resource->type, "AWS::S3::Bucket"))
                        continue;
                if (first)
                        return error_set(ret_error,
                                -EINVAL,
                                "cannot use '--s3=%s' with two buckets, %s and %s: it names one",
                                options->url,
                                first,
                                resource->name);
                first = resource->name;
        }
        return 0;
}

static int check(const S3ServerOptions *options, Error *ret_error)
{
        const FaultSet *faults = options->faults;
        int r = check_template(options, options->template, ret_error);

        if (r == 0)
                r = check_template(options, options->next, ret_error);
        for (size_t i = 0; i < faults->count && r == 0; i++)
                if (faults->rules[i].service == FAULT_OF_S3)
                        r = error_set(ret_error,
                                -EINVAL,
                                "cannot use '--fault=%s' with --s3: faults strike the embedded S3 "
                                "alone",
                                faults->rules[i].text);
        return r;
}

/* --- the server --- */

static int perform(const S3Server *server, HttpResponse *ret, Error *ret_error)
{
        HttpOptions options = {
                .user_agent = "flocker-rehearsal",
                .clock = &clock_system,
                .connect_timeout = CONNECT_TIME,
        };
        _cleanup_(http_client_free) HttpClient *client = NULL;
        _cleanup_(free) char *url =
                text_format("%s/%s?list-type=2&max-keys=1", server->endpoint, server->bucket);
        char hash[DIGEST_SHA256_HEX];
        HttpHeader header = {"x-amz-content-sha256", hash};
        HttpSigning signing = {
                .region = CLOUD_REGION,
                .service = "s3",
                .access_key_id = server->access_key,
                .secret_access_key = server->secret_key,
                .session_token = server->token,
                .wall = clock_wall(&clock_system),
        };
        HttpRequest request = {
                .method = "GET",
                .url = url,
                .headers = &header,
                .n_headers = 1,
                .deadline = clock_deadline(&clock_system, ASK_TIME),
                .signing = &signing,
                .no_proxy = true,
        };
        Digest digest;
        int r = url ? digest_sha256("", 0, &digest) : -ENOMEM;

        if (r < 0)
                return error_set(ret_error, r, "cannot ask it: %m");
        digest_format(&digest, hash);
        r = http_client_new(&options, &client, ret_error);
        return r < 0 ? r : http_perform(client, &request, ret, ret_error);
}

static int judge(
        const S3Server *server, const HttpResponse *response, bool *ret_used, Error *ret_error)
{
        _cleanup_(xml_free) XmlElement *root = NULL;
        const char *code, *message;

        (void)xml_parse("answer", buffer_text(&response->body), response->body.size, &root, NULL);
        if (response->status == 200 && root && text_equal(root->name, "ListBucketResult")) {
                *ret_used = xml_child(root, "Contents") != NULL;
                return 0;
        }
        code = xml_child_text(root, "Code");
        message = xml_child_text(root, "Message");
        if (!code)
                return error_set(ret_error,
                        -EPROTO,
                        "cannot use '--s3=%s': what answers there (status %u) is no S3",
                        server->url,
                        response->status);
        return error_set(ret_error,
                response->status == 404                              ? -ENOENT
                : response->status == 403 || response->status == 401 ? -EACCES
                                                                     : -EPROTO,
                "cannot use '--s3=%s': the server says %u %.100s%s%.300s",
                server->url,
                response->status,
                code,
                text_is_empty(message) ? "" : ": ",
                message ? message : "");
}

/* By listing it: an answer to HEAD would have no room for the reason. */
static int ask(const S3Server *server, bool *ret_used, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        int r = perform(server, &response, ret_error);

        if (r < 0)
                return error_prefix(ret_error, r, "cannot use '--s3=%s'", server->url);
        return judge(server, &response, ret_used, ret_error);
}

int s3_server_open(const S3ServerOptions *options, S3Server **ret, Error *ret_error)
{
        _cleanup_(s3_server_free) S3Server *server = calloc(1, sizeof(*server));
        bool used = false;
        int r;

        if (!server || !(server->url = text_copy(options->url)))
                return error_set(ret_error, -ENOMEM, "cannot use --s3: %m");
        r = read_url(server, ret_error);
        if (r == 0)
                r = read_credentials(server, ret_error);
        if (r == 0)
                r = check(options, ret_error);
        if (r == 0)
                r = ask(server, &used, ret_error);
        if (r < 0)
                return r;
        options->note("S3 is the server of --s3, with this environment's credentials; the "
                      "template's policies are put to nobody",
                NULL);
        if (used)
                options->note("its bucket is not empty: what an earlier stack of the same settings "
                              "has left there is in the way of this one",
                        NULL);
        *ret = TAKE_PTR(server);
        return 0;
}
