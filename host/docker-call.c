#include "host/docker-call.h"

#include "base/retry.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_NEWEST  44 /* of 1.x: what we were written for; what an engine says goes below that */
#define API_OLDEST  21 /* Docker 1.9 */
#define API_SWARM   24
#define SOCKET      "run/docker.sock"
#define ANSWER_MAX  (4U * 1024U * 1024U)
#define MESSAGE_MAX 400U

struct Docker {
        HttpClient *http;
        const Clock *clock;
        const Random *random;
        char *socket; /* NULL: TLS */
        char *base;   /* "http://localhost", "https://10.0.0.1:2376" */
        char *name;   /* for sentences: "/run/docker.sock", "10.0.0.1:2376" */
        const HttpTls *tls;
        int api; /* of 1.x; 0: not negotiated yet */
};

static const RetryPolicy start_policy = {
        .name = "engine",
        .base = {20 * USEC_PER_MSEC, 20 * USEC_PER_MSEC, 20 * USEC_PER_MSEC},
        .cap = 500 * USEC_PER_MSEC,
};

void docker_call_done(DockerCall *call)
{
        call->answer = json_free(call->answer);
        explicit_bzero(call->text, sizeof(call->text)); /* it may hold a token */
}

int docker_new(const DockerOptions *options, Docker **ret, Error *ret_error)
{
        _cleanup_(docker_free) Docker *docker = calloc(1, sizeof(*docker));

        if (docker) {
                *docker = (Docker){
                        .http = options->http,
                        .clock = options->clock,
                        .random = options->random,
                        .tls = options->tls,
                };
                if (options->address) {
                        docker->base = text_format("https://%s", options->address);
                        docker->name = text_copy(options->address);
                } else {
                        docker->base = text_copy("http://localhost");
                        docker->name = text_copy("/" SOCKET);
                        docker->socket = text_format("%s%s" SOCKET,
                                options->root,
                                text_ends(options->root, "/") ? "" : "/");
                }
        }
        if (!docker || !docker->base || !docker->name || (!options->address && !docker->socket))
                return error_set(ret_error, -ENOMEM, "cannot reach the Docker engine: %m");
        *ret = TAKE_PTR(docker);
        return 0;
}

Docker *docker_free(Docker *docker)
{
        if (!docker)
                return NULL;
        free(docker->socket);
        free(docker->base);
        free(docker->name);
        free(docker);
        return NULL;
}

bool docker_is_transient(int code)
{
        return code == -EAGAIN || http_is_transient(code);
}

static void keep_answer(DockerCall *call, const HttpResponse *response)
{
        const Buffer *body = &response->body;

        call->status = response->status;
        call->text_size = body->size < sizeof(call->text) ? body->size : sizeof(call->text) - 1;
        memcpy(call->text, buffer_text(body), call->text_size);
        call->text[call->text_size] = '\0';
        if (body->size > 0)
                (void)json_parse(
                        "the engine's answer", buffer_text(body), body->size, &call->answer, NULL);
}

/* What to look at. An engine that does not take our certificate says so behind the handshake, or
 * hangs up before that is heard. */
static int explain_tls(const Docker *docker, int code, Error *ret_error)
{
        static const char hint[] =
                "the engine's certificate and ours must be of the same Docker CA, and valid now";

        if (!docker->tls || (code != -EPROTO && code != -ECONNRESET))
                return code;
        return error_append(
                ret_error, code, "; %s%s", code == -EPROTO ? "" : "if it does so again: ", hint);
}

static int send_request(
        Docker *docker, const DockerCall *call, Usec deadline, HttpResponse *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(1024 * 1024);
        _cleanup_(free) char *url =
                call->unversioned
                        ? text_format("%s%s", docker->base, call->path)
                        : text_format("%s/v1.%d%s", docker->base, docker->api, call->path);
        HttpHeader header = {"Content-Type", "application/json"};
        HttpRequest request = {
                .method = call->method,
                .url = url,
                .headers = &header,
                .n_headers = call->body ? 1 : 0,
                .response_max = ANSWER_MAX,
                .deadline = deadline,
                .tls = docker->tls,
                .unix_socket = docker->socket,
                .no_proxy = true,
        };

        if (!url || (call->body && json_format(call->body, JSON_ONE_LINE, &body) < 0))
                return error_set(ret_error, -ENOMEM, "cannot ask the Docker engine: %m");
        if (call->body) {
                request.body = buffer_text(&body);
                request.body_size = body.size;
        }
        return explain_tls(docker, http_perform(docker->http, &request, ret, ret_error), ret_error);
}

int docker_call_perform(Docker *docker, DockerCall *call, Usec deadline, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        int r;

        if (!call->unversioned && docker->api == 0) {
                r = docker_ping(docker, deadline, ret_error);
                if (r < 0)
                        return r;
        }
        r = send_request(docker, call, deadline, &response, ret_error);
        if (r < 0)
                return error_prefix(
                        ret_error, r, "cannot ask the Docker engine at '%s'", docker->name);
        keep_answer(call, &response);
        return 0;
}

const char *docker_call_message(const DockerCall *call)
{
        const char *message = call->answer ? json_text(json_member(call->answer, "message")) : NULL;

        return message ? message : call->text[0] ? call->text : "nothing";
}

/* What an engine answers with 503 although another try will meet the same: the state of its Swarm
 * mode. In its versions' spellings (moby, daemon/cluster/errors.go). */
static bool is_state(const char *message)
{
        static const char *const words[] = {
                "part of a swarm",
                "a swarm manager",
                "as a Swarm manager",
                "needs to be unlocked",
                "certificates have expired",
        };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strstr(message, words[i]))
                        return true;
        return false;
}

static int refusal_code(const DockerCall *call)
{
        switch (call->status) {
        case 404:
                return -ENOENT;
        case 409:
                return -EEXIST;
        case 503:
                return is_state(docker_call_message(call)) ? -EDOM : -EAGAIN;
        default:
                return call->status >= 500 ? -EIO : -EDOM;
        }
}

int docker_call_refuse(
        const Docker *docker, const DockerCall *call, const char *what, Error *ret_error)
{
        int code = refusal_code(call);

        return error_set(ret_error,
                code,
                "cannot %s: the Docker engine at '%s' says (%u): %.*s",
                what,
                docker->name,
                call->status,
                (int)MESSAGE_MAX,
                docker_call_message(call));
}

int docker_call_expect(
        Docker *docker, DockerCall *call, const char *what, Usec deadline, Error *ret_error)
{
        int r = docker_call_perform(docker, call, deadline, ret_error);

        if (r < 0)
                return r;
        return call->status >= 200 && call->status < 300
                       ? 0
                       : docker_call_refuse(docker, call, what, ret_error);
}

/* "1.41" to 41; -1: it is none of 1.x. */
static int read_api(const char *text)
{
        int64_t minor;

        return text && text_starts(text, "1.") && text_to_int64(text + 2, 0, 999, &minor) == 0
                       ? (int)minor
                       : -1;
}

/* What GET /version says: the newest and the oldest version that the engine speaks; the oldest is
 * its secret before 1.25. */
static int ask_versions(
        Docker *docker, Usec deadline, int *ret_newest, int *ret_oldest, Error *ret_error)
{
        _cleanup_(docker_call_done)
                DockerCall call = {.method = "GET", .path = "/version", .unversioned = true};
        int r = docker_call_expect(docker, &call, "read its version", deadline, ret_error);

        if (r < 0)
                return r;
        if (!json_is_object(call.answer))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot use the Docker engine at '%s': its version is no JSON object",
                        docker->name);
        *ret_newest = read_api(json_text(json_member(call.answer, "ApiVersion")));
        *ret_oldest = read_api(json_text(json_member(call.answer, "MinAPIVersion")));
        return 0;
}

/* The engine's own version where it is older than ours; where it has no such old one any more, its
 * oldest. `version` is /_ping's, which engines before 1.25 and the classic Swarm manager leave out.
 */
static int negotiate(Docker *docker, const char *version, Usec deadline, Error *ret_error)
{
        int newest = read_api(version), oldest = -1, r = 0;

        if (!version || newest > API_NEWEST)
                r = ask_versions(docker, deadline, &newest, &oldest, ret_error);
        if (r < 0)
                return r;
        if (newest < API_OLDEST)
                return error_set(ret_error,
                        -EPROTO,
                        newest < 0 ? "cannot use the Docker engine at '%s': it names no version of "
                                     "its API; at least 1.%d is needed"
                                   : "cannot use the Docker engine at '%s': its API is older than "
                                     "1.%d, which is needed (Docker 1.9)",
                        docker->name,
                        API_OLDEST);
        docker->api = oldest > API_NEWEST ? oldest : newest < API_NEWEST ? newest : API_NEWEST;
        return 0;
}

int docker_ping(Docker *docker, Usec deadline, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(docker_call_done)
                DockerCall call = {.method = "GET", .path = "/_ping", .unversioned = true};
        int r = send_request(docker, &call, deadline, &response, ret_error);

        if (r < 0)
                return error_prefix(
                        ret_error, r, "cannot reach the Docker engine at '%s'", docker->name);
        if (response.status != 200) {
                keep_answer(&call, &response);
                return docker_call_refuse(docker, &call, "use it", ret_error);
        }
        return negotiate(
                docker, http_response_header(&response, "api-version"), deadline, ret_error);
}

int docker_wait(Docker *docker, Usec deadline, Error *ret_error)
{
        Retry retry = RETRY_INIT(&start_policy, docker->clock, docker->random, deadline);

        for (;;) {
                int r = docker_ping(docker, deadline, ret_error);

                if (r == 0 || (!docker_is_transient(r) && r != -ENOENT))
                        return r;
                if (retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return r;
        }
}

int docker_has_swarm_mode(Docker *docker, Usec deadline, bool *ret, Error *ret_error)
{
        int r = docker->api > 0 ? 0 : docker_ping(docker, deadline, ret_error);

        if (r == 0)
                *ret = docker->api >= API_SWARM;
        return r;
}
