#include "rehearsal/metadata.h"

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX  64U
#define TOKEN_SIZE  57U
#define TTL_MAX     21600
#define RENEW_AHEAD (5 * USEC_PER_MINUTE)
#define VALUES      "/meta-data/" /* below a version */
#define ROLES       VALUES "iam/security-credentials"
#define PLAIN       "text/plain"
#define TEXT_MAX    (64U * 1024U)
#define INTERFACES  "network/interfaces/macs/"
#define REAL        "http://169.254.169.254"

typedef struct Token {
        char text[TOKEN_SIZE];
        Usec expires;
} Token;

struct MetadataHost {
        MetadataHostOptions options;
        char *texts[7]; /* what the options' texts are copies in */
        HttpServer *server;
        char *endpoint;
        Token tokens[TOKENS_MAX];
        size_t n_tokens; /* given in all: the place of the next goes round */
        const CloudKeys *keys;
};

static void answer(HttpCall *call, const char *text)
{
        http_call_answer_text(call, 200, PLAIN, text);
}

static void answer_status(HttpCall *call, unsigned status)
{
        http_call_answer(call, status, PLAIN, "", 0);
}

static void give_token(MetadataHost *host, HttpCall *call)
{
        static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const char *ttl = http_call_header(call, "X-aws-ec2-metadata-token-ttl-seconds");
        Token *token = &host->tokens[host->n_tokens++ % TOKENS_MAX];
        int64_t seconds;

        if (http_call_header(call, "X-Forwarded-For")) {
                answer_status(call, 403);
                return;
        }
        if (!ttl || text_to_int64(ttl, 1, TTL_MAX, &seconds) < 0) {
                answer_status(call, 400);
                return;
        }
        for (size_t i = 0; i < TOKEN_SIZE - 1; i++)
                token->text[i] = letters[random_below(&random_system, sizeof(letters) - 1)];
        token->text[TOKEN_SIZE - 1] = '\0';
        token->expires = clock_now(&clock_system) + (Usec)seconds * USEC_PER_SEC;
        http_call_set_header(call, "X-aws-ec2-metadata-token-ttl-seconds", ttl);
        answer(call, token->text);
}

static bool has_token(const MetadataHost *host, const HttpCall *call)
{
        const char *given = http_call_header(call, "X-aws-ec2-metadata-token");

        if (!given)
                return !host->options.tokens_required;
        for (size_t i = 0; i < TOKENS_MAX; i++)
                if (text_equal(host->tokens[i].text, given) &&
                        host->tokens[i].expires > clock_now(&clock_system))
                        return true;
        return false;
}

static void answer_json(HttpCall *call, Json *take_json)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(TEXT_MAX);

        (void)json_format(take_json, JSON_INDENTED, &text);
        (void)json_free(take_json);
        http_call_answer(call, 200, PLAIN, buffer_text(&text), text.size);
}

static void answer_identity(MetadataHost *host, HttpCall *call)
{
        const MetadataHostOptions *options = &host->options;
        Json *json = json_new_object();
        char launched[CLOCK_UTC_MAX];

        clock_format_utc(options->launched, launched);
        (void)json_set_text(json, "version", "2017-09-30");
        (void)json_set_text(json, "accountId", CLOUD_ACCOUNT);
        (void)json_set_text(json, "instanceId", options->instance_id);
        (void)json_set_text(json, "instanceType", options->instance_type);
        (void)json_set_text(json, "imageId", options->image_id);
        (void)json_set_text(json, "region", CLOUD_REGION);
        (void)json_set_text(json, "availabilityZone", options->zone);
        (void)json_set_text(json, "privateIp", options->address);
        (void)json_set_text(json, "architecture", "x86_64");
        (void)json_set_text(json, "pendingTime", launched);
        answer_json(call, json);
}

static void answer_keys(MetadataHost *host, HttpCall *call)
{
        const MetadataHostOptions *options = &host->options;
        Json *json = json_new_object();
        char updated[CLOCK_UTC_MAX], expires[CLOCK_UTC_MAX];
        Usec wall = clock_wall(&clock_system);

        if (!host->keys ||
                host->keys->expires < wall + usec_min(RENEW_AHEAD, options->keys_lifetime / 2))
                host->keys = cloud_issue_keys(options->principal, options->keys_lifetime);
        clock_format_utc(wall, updated);
        clock_format_utc(host->keys->expires, expires);
        (void)json_set_text(json, "Code", "Success");
        (void)json_set_text(json, "LastUpdated", updated);
        (void)json_set_text(json, "Type", "AWS-HMAC");
        (void)json_set_text(json, "AccessKeyId", host->keys->access_key);
        (void)json_set_text(json, "SecretAccessKey", host->keys->secret_key);
        (void)json_set_text(json, "Token", host->keys->token);
        (void)json_set_text(json, "Expiration", expires);
        answer_json(call, json);
}

static void answer_role(MetadataHost *host, HttpCall *call, const char *path)
{
        const char *rest = path + strlen(ROLES);

        rest += *rest == '/';
        if (host->options.role_name && !*rest)
                answer(call, host->options.role_name);
        else if (host->options.role_name && text_equal(rest, host->options.role_name))
                answer_keys(host, call);
        else
                answer_status(call, 404);
}

static void answer_profile(const MetadataHost *host, HttpCall *call)
{
        Json *json;
        char updated[CLOCK_UTC_MAX];
        _cleanup_(free) char *arn = NULL;

        if (!host->options.role_name) {
                answer_status(call, 404);
                return;
        }
        json = json_new_object();
        arn = text_format(
                "arn:aws:iam::" CLOUD_ACCOUNT ":instance-profile/%s", host->options.role_name);
        clock_format_utc(clock_wall(&clock_system), updated);
        (void)json_set_text(json, "Code", "Success");
        (void)json_set_text(json, "LastUpdated", updated);
        (void)json_set_text(json, "InstanceProfileArn", arn ? arn : "");
        answer_json(call, json);
}

static void answer_user_data(MetadataHost *host, HttpCall *call)
{
        if (host->options.user_data)
                http_call_answer_text(
                        call, 200, "application/octet-stream", host->options.user_data);
        else
                answer_status(call, 404);
}

/* An address of ours as its MAC: what rehearsal/network.c gives eth0. */
static const char *format_mac(const MetadataHost *host, char *place, size_t size)
{
        in_addr_t address = ntohl(inet_addr(host->options.address));

        (void)snprintf(place,
                size,
                "02:00:%02x:%02x:%02x:%02x",
                address >> 24,
                address >> 16 & 255,
                address >> 8 & 255,
                address & 255);
        return place;
}

/* The one interface, by its path below network/interfaces/macs/. */
static const char *find_interface(
        const MetadataHost *host, const char *path, char *place, size_t size)
{
        char mac[32];

        (void)format_mac(host, mac, sizeof(mac));
        if (!*path) {
                (void)snprintf(place, size, "%s/", mac);
                return place;
        }
        if (!text_starts(path, mac) || path[strlen(mac)] != '/')
                return NULL;
        path += strlen(mac) + 1;
        if (!*path)
                return "device-number\nlocal-ipv4s\nmac";
        if (text_equal(path, "device-number"))
                return "0";
        if (text_equal(path, "local-ipv4s"))
                return host->options.address;
        return text_equal(path, "mac") ? format_mac(host, place, size) : NULL;
}

/* The plain ones, by their path below VALUES. */
static const char *find_value(const MetadataHost *host, const char *path, char *place, size_t size)
{
        const MetadataHostOptions *options = &host->options;

        if (text_equal(path, "instance-id"))
                return options->instance_id;
        if (text_equal(path, "instance-type"))
                return options->instance_type;
        if (text_equal(path, "ami-id"))
                return options->image_id;
        if (text_equal(path, "local-ipv4"))
                return options->address;
        if (text_equal(path, "placement/region"))
                return CLOUD_REGION;
        if (text_equal(path, "placement/availability-zone"))
                return options->zone;
        if (text_equal(path, "services/domain"))
                return "amazonaws.com";
        if (text_equal(path, "services/partition"))
                return "aws";
        if (text_equal(path, "mac"))
                return format_mac(host, place, size);
        if (text_starts(path, INTERFACES))
                return find_interface(host, path + strlen(INTERFACES), place, size);
        if (text_equal(path, "local-hostname") || text_equal(path, "hostname")) {
                (void)snprintf(place, size, "ip-%s", options->address);
                for (char *c = place; *c; c++)
                        *c = *c == '.' ? '-' : *c;
                (void)snprintf(place + strlen(place), size - strlen(place), ".ec2.internal");
                return place;
        }
        return NULL;
}

/* Behind the version: "/latest" is one, and each dated one is the same here. NULL: it is none. */
static const char *skip_version(const char *path)
{
        static const char date[] = "/dddd-dd-dd";

        if (text_starts(path, "/latest/"))
                return path + strlen("/latest");
        for (size_t i = 0; date[i]; i++)
                if (date[i] == 'd' ? path[i] < '0' || path[i] > '9' : path[i] != date[i])
                        return NULL;
        return path + strlen(date);
}

/* What a folder of them holds. */
static const char *find_folder(const char *path)
{
        static const struct {
                const char *path, *names;
        } folders[] = {
                {"iam/", "info\nsecurity-credentials/"},
                {"network/", "interfaces/"},
                {"network/interfaces/", "macs/"},
                {"placement/", "availability-zone\nregion"},
                {"services/", "domain\npartition"},
        };

        for (size_t i = 0; i < ELEMENTS(folders); i++)
                if (text_equal(folders[i].path, path))
                        return folders[i].names;
        return NULL;
}

/* A fault of the rehearsal, as this service words it: a status alone, or a date. True: it is dealt
 * with. */
static bool strike(MetadataHost *host, HttpCall *call)
{
        const FaultRule *rule = fault_meet(host->options.faults, FAULT_OF_METADATA, call);
        char date[CLOUD_HTTP_DATE_MAX];
        bool over = false;

        if (!rule || fault_act(rule, call, &over))
                return over;
        if (rule->kind == FAULT_SKEW) {
                cloud_format_http_date(
                        clock_wall(&clock_system) + FAULT_SKEW_SECONDS * USEC_PER_SEC, date);
                http_call_set_header(call, "Date", date);
                return false;
        }
        answer_status(call,
                rule->kind == FAULT_THROTTLE ? 503
                : rule->kind == FAULT_EXPIRE ? 401
                : rule->kind == FAULT_DENY   ? 403
                                             : rule->status);
        return true;
}

void metadata_host_answer(MetadataHost *host, HttpCall *call)
{
        static const char names[] = "ami-id\nhostname\niam/\ninstance-id\ninstance-type\n"
                                    "local-hostname\nlocal-ipv4\nmac\nnetwork/\nplacement/\n"
                                    "services/";
        const char *path = skip_version(http_call_path(call)), *value;
        char place[128];

        if (strike(host, call))
                return;
        if (!path) {
                answer_status(call, 404);
                return;
        }
        if (text_equal(path, "/api/token")) {
                if (text_equal(http_call_method(call), "PUT"))
                        give_token(host, call);
                else
                        answer_status(call, 405);
                return;
        }
        if (!text_equal(http_call_method(call), "GET") &&
                !text_equal(http_call_method(call), "HEAD")) {
                answer_status(call, 405);
                return;
        }
        if (!has_token(host, call)) {
                answer_status(call, 401);
                return;
        }
        if (text_equal(path, "/user-data"))
                answer_user_data(host, call);
        else if (text_equal(path, "/dynamic/instance-identity/document"))
                answer_identity(host, call);
        else if (text_starts(path, ROLES))
                answer_role(host, call, path);
        else if (text_equal(path, VALUES))
                answer(call, names);
        else if (text_equal(path, "/dynamic/instance-identity") ||
                 text_equal(path, "/dynamic/instance-identity/"))
                answer(call, "document");
        else if (text_equal(path, VALUES "iam/info"))
                answer_profile(host, call);
        else if (text_starts(path, VALUES) &&
                 ((value = find_value(host, path + strlen(VALUES), place, sizeof(place))) ||
                         (value = find_folder(path + strlen(VALUES)))))
                answer(call, value);
        else
                answer_status(call, 404);
}

static void on_call(HttpCall *call, void *userdata)
{
        metadata_host_answer(userdata, call);
}

/* Copies the options' texts; false: no memory. */
static bool copy_texts(MetadataHost *host)
{
        const char **const places[] = {
                &host->options.address,
                &host->options.instance_id,
                &host->options.instance_type,
                &host->options.image_id,
                &host->options.zone,
                &host->options.role_name,
                &host->options.user_data,
        };
        _Static_assert(ELEMENTS(places) == ELEMENTS(host->texts), "one copy for each");

        for (size_t i = 0; i < ELEMENTS(places); i++) {
                if (!*places[i])
                        continue;
                host->texts[i] = text_copy(*places[i]);
                *places[i] = host->texts[i];
                if (!host->texts[i])
                        return false;
        }
        return true;
}

int metadata_host_new(const MetadataHostOptions *options, MetadataHost **ret, Error *ret_error)
{
        _cleanup_(metadata_host_free) MetadataHost *host = calloc(1, sizeof(*host));
        int r;

        if (!host)
                return error_set(ret_error, -ENOMEM, "cannot serve metadata: %m");
        host->options = *options;
        if (!copy_texts(host))
                return error_set(ret_error, -ENOMEM, "cannot serve metadata: %m");
        r = options->shared ? 0
                            : http_server_new_tcp(options->loop,
                                      options->address,
                                      0,
                                      NULL,
                                      on_call,
                                      host,
                                      &host->server,
                                      ret_error);
        if (r < 0)
                return r;
        host->endpoint = options->shared ? text_copy(REAL)
                                         : text_format("http://%s:%u",
                                                   options->address,
                                                   http_server_port(host->server));
        if (!host->endpoint)
                return error_set(ret_error, -ENOMEM, "cannot serve metadata: %m");
        *ret = TAKE_PTR(host);
        return 0;
}

MetadataHost *metadata_host_free(MetadataHost *host)
{
        if (!host)
                return NULL;
        host->server = http_server_free(host->server);
        for (size_t i = 0; i < ELEMENTS(host->texts); i++)
                free(host->texts[i]);
        free(host->endpoint);
        free(host);
        return NULL;
}

const char *metadata_host_endpoint(const MetadataHost *host)
{
        return host->endpoint;
}
