#include "host/docker.h"

#include "base/retry.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_NEWEST  44 /* of 1.x: what we were written for; what an engine says goes below that */
#define API_OLDEST  21 /* Docker 1.9 */
#define API_SWARM   24
#define SOCKET      "run/docker.sock"
#define ANSWER_MAX  (4U * 1024U * 1024U)
#define MESSAGE_MAX 400U
#define LOG_MAX     4096U

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

/* A call to the engine, and what it answered. */
typedef struct Call {
        const char *method;
        const char *path; /* behind the version: "/info" */
        const Json *body; /* NULL: none */
        bool unversioned; /* /_ping: before a version is known */
        unsigned status;
        Json *answer;       /* NULL: empty, or no JSON */
        char text[LOG_MAX]; /* the answer's first bytes, as text */
} Call;

static void call_done(Call *call)
{
        call->answer = json_free(call->answer);
}
DEFINE_CLEANUP_IN_PLACE(Call, call_done);

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

static int send_request(
        Docker *docker, const Call *call, Usec deadline, HttpResponse *ret, Error *ret_error)
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
        return http_perform(docker->http, &request, ret, ret_error);
}

/* One call; an answer of any status is a success here. */
static int perform(Docker *docker, Call *call, Usec deadline, Error *ret_error)
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
        call->status = response.status;
        (void)snprintf(call->text, sizeof(call->text), "%s", buffer_text(&response.body));
        if (response.body.size > 0)
                (void)json_parse("the engine's answer",
                        buffer_text(&response.body),
                        response.body.size,
                        &call->answer,
                        NULL);
        return 0;
}

/* The engine's own words of why not. */
static const char *message_of(const Call *call)
{
        const char *message = call->answer ? json_text(json_member(call->answer, "message")) : NULL;

        return message ? message : call->text[0] ? call->text : "nothing";
}

/* A refusal, by its status. */
static int refuse(const Docker *docker, const Call *call, const char *what, Error *ret_error)
{
        int code = call->status == 404   ? -ENOENT
                   : call->status == 409 ? -EEXIST
                   : call->status == 503 ? -EAGAIN
                   : call->status >= 500 ? -EIO
                                         : -EDOM;

        return error_set(ret_error,
                code,
                "cannot %s: the Docker engine at '%s' says (%u): %.*s",
                what,
                docker->name,
                call->status,
                (int)MESSAGE_MAX,
                message_of(call));
}

static int expect_success(
        Docker *docker, Call *call, const char *what, Usec deadline, Error *ret_error)
{
        int r = perform(docker, call, deadline, ret_error);

        if (r < 0)
                return r;
        return call->status >= 200 && call->status < 300 ? 0
                                                         : refuse(docker, call, what, ret_error);
}

/* "1.41" to 41; -1: it is none of 1.x. */
static int read_api(const char *text)
{
        int64_t minor;

        return text && text_starts(text, "1.") && text_to_int64(text + 2, 0, 999, &minor) == 0
                       ? (int)minor
                       : -1;
}

/* The engine's own version where it is older than ours; where it has no such old one any more, its
 * oldest. */
static int negotiate(Docker *docker, const char *version, Usec deadline, Error *ret_error)
{
        Call call = {.method = "GET", .path = "/version", .unversioned = true};
        int newest = read_api(version), oldest, r;

        if (newest < 0 || newest < API_OLDEST)
                return error_set(ret_error,
                        -EPROTO,
                        "cannot use the Docker engine at '%s': its API is version '%s', and at "
                        "least 1.%d is needed",
                        docker->name,
                        version ? version : "",
                        API_OLDEST);
        docker->api = newest < API_NEWEST ? newest : API_NEWEST;
        if (newest <= API_NEWEST)
                return 0;

        r = expect_success(docker, &call, "read its version", deadline, ret_error);
        if (r == 0) {
                oldest = read_api(json_text(json_member(call.answer, "MinAPIVersion")));
                docker->api = oldest > API_NEWEST ? oldest : API_NEWEST;
        } else {
                docker->api = 0;
        }
        call_done(&call);
        return r;
}

int docker_ping(Docker *docker, Usec deadline, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        Call call = {.method = "GET", .path = "/_ping", .unversioned = true};
        int r = send_request(docker, &call, deadline, &response, ret_error);

        if (r < 0)
                return error_prefix(
                        ret_error, r, "cannot reach the Docker engine at '%s'", docker->name);
        if (response.status != 200) {
                call.status = response.status;
                (void)snprintf(call.text, sizeof(call.text), "%s", buffer_text(&response.body));
                return refuse(docker, &call, "use it", ret_error);
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

/* --- info --- */

void docker_info_done(DockerInfo *info)
{
        free(info->server_version);
        free(info->name);
        for (size_t i = 0; i < DOCKER_LABELS_MAX; i++)
                free(info->labels[i]);
        free(info->swarm_error);
        free(info->swarm_id);
        free(info->node_id);
        free(info->node_address);
        *info = (DockerInfo){};
}

static char *copy_member(const Json *object, const char *key)
{
        const char *text = object ? json_text(json_member(object, key)) : NULL;

        return text_copy(text ? text : "");
}

static DockerSwarmState read_swarm_state(const char *text)
{
        static const char *const names[] = {"inactive", "pending", "active", "locked", "error"};

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (text_equal(text, names[i]))
                        return (DockerSwarmState)i;
        return DOCKER_SWARM_INACTIVE;
}

/* A classic manager says how many engines it has as a pair of texts within SystemStatus. */
static int64_t read_classic_nodes(const Json *info)
{
        const Json *status = json_member(info, "SystemStatus");

        for (size_t i = 0; i < json_count(status); i++) {
                const Json *pair = json_element(status, i);
                const char *name = json_text(json_element(pair, 0));
                int64_t nodes;

                if (name && strstr(name, "Nodes") &&
                        text_to_int64(
                                json_text(json_element(pair, 1)), 0, DOCKER_NODES_MAX, &nodes) == 0)
                        return nodes;
        }
        return -1;
}

static int read_info(const Json *json, DockerInfo *ret)
{
        const Json *swarm = json_member(json, "Swarm"), *labels = json_member(json, "Labels");
        size_t count = 0;

        *ret = (DockerInfo){
                .server_version = copy_member(json, "ServerVersion"),
                .name = copy_member(json, "Name"),
                .swarm_error = copy_member(swarm, "Error"),
                .node_id = copy_member(swarm, "NodeID"),
                .node_address = copy_member(swarm, "NodeAddr"),
                .swarm_id = copy_member(swarm ? json_member(swarm, "Cluster") : NULL, "ID"),
                .swarm = read_swarm_state(
                        swarm ? json_text(json_member(swarm, "LocalNodeState")) : NULL),
                .classic_nodes = read_classic_nodes(json),
        };
        (void)json_get_bool(json, "info", "LiveRestoreEnabled", &ret->live_restore, NULL);
        if (swarm)
                (void)json_get_bool(swarm, "info", "ControlAvailable", &ret->manager, NULL);
        for (size_t i = 0; i < json_count(labels) && count < DOCKER_LABELS_MAX; i++)
                if (json_text(json_element(labels, i)))
                        ret->labels[count++] = text_copy(json_text(json_element(labels, i)));
        return ret->server_version && ret->name && ret->swarm_error && ret->node_id &&
                               ret->node_address && ret->swarm_id
                       ? 0
                       : -ENOMEM;
}

int docker_get_info(Docker *docker, Usec deadline, DockerInfo *ret, Error *ret_error)
{
        _cleanup_(call_done) Call call = {.method = "GET", .path = "/info"};
        _cleanup_(docker_info_done) DockerInfo info = {};
        int r = expect_success(docker, &call, "read its state", deadline, ret_error);

        if (r < 0)
                return r;
        if (!json_is_object(call.answer))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot read the state of the Docker engine at '%s': it is no JSON object",
                        docker->name);
        r = read_info(call.answer, &info);
        if (r < 0)
                return error_set(ret_error, r, "cannot read the engine's state: %m");
        *ret = info;
        info = (DockerInfo){};
        return 0;
}

/* --- swarm mode --- */

static int set_addresses(Json *body, const char *address)
{
        int r = json_set_text(body, "ListenAddr", "0.0.0.0:2377");

        if (r == 0)
                r = json_set_text(body, "AdvertiseAddr", address);
        return r == 0 ? json_set_text(body, "DataPathAddr", address) : r;
}

int docker_swarm_init(Docker *docker, const char *address, Usec deadline, Error *ret_error)
{
        _cleanup_(json_free) Json *body = json_new_object();
        _cleanup_(call_done) Call call = {.method = "POST", .path = "/swarm/init", .body = body};
        _cleanup_(free) char *what = text_format("make a Swarm at '%s'", address);

        if (!what || set_addresses(body, address) < 0)
                return error_set(ret_error, -ENOMEM, "cannot make a Swarm: %m");
        return expect_success(docker, &call, what, deadline, ret_error);
}

/* Words by which an engine tells that the manager could not be reached, in its versions' spellings:
 * the status is 500 or 503 for all that goes wrong with a join. */
static bool is_unreachable(const char *message)
{
        static const char *const words[] = {
                "connection refused",
                "Timeout was reached",
                "deadline exceeded",
                "no such host",
                "transport is closing",
                "connection error",
                "Unavailable",
        };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strstr(message, words[i]))
                        return true;
        return false;
}

int docker_swarm_join(Docker *docker,
        const char *address,
        const char *const *managers,
        const Secret *token,
        Usec deadline,
        Error *ret_error)
{
        _cleanup_(json_free) Json *body = json_new_object();
        _cleanup_(call_done) Call call = {.method = "POST", .path = "/swarm/join", .body = body};
        _cleanup_(free) char *what = text_format("join the Swarm of '%s'", managers[0]);
        Json *list = json_new_array();
        int r = json_set(body, "RemoteAddrs", list);

        for (size_t i = 0; managers[i] && r == 0; i++)
                r = json_append(list, json_new_text(managers[i]));
        if (r == 0)
                r = json_set_text(body, "JoinToken", secret_data(token));
        if (r < 0 || !what || set_addresses(body, address) < 0)
                return error_set(ret_error, -ENOMEM, "cannot join the Swarm: %m");

        r = expect_success(docker, &call, what, deadline, ret_error);
        if (r < 0 && call.status >= 500)
                return is_unreachable(message_of(&call)) ? -EAGAIN : -EDOM;
        return r;
}

int docker_swarm_leave(Docker *docker, Usec deadline, Error *ret_error)
{
        _cleanup_(call_done) Call call = {.method = "POST", .path = "/swarm/leave?force=true"};
        int r = perform(docker, &call, deadline, ret_error);

        if (r < 0)
                return r;
        if (call.status == 200 || call.status == 503) /* 503: it is in none */
                return 0;
        return refuse(docker, &call, "leave the Swarm", ret_error);
}

int docker_swarm_get_worker_token(Docker *docker, Usec deadline, Secret **ret, Error *ret_error)
{
        _cleanup_(call_done) Call call = {.method = "GET", .path = "/swarm"};
        const Json *tokens;
        int r = expect_success(docker, &call, "read the Swarm's token", deadline, ret_error);

        if (r == 0)
                r = json_get_object(
                        call.answer, "the engine's /swarm", "JoinTokens", &tokens, ret_error);
        if (r == 0)
                r = json_get_secret(tokens, "the engine's /swarm", "Worker", ret, ret_error);
        explicit_bzero(call.text, sizeof(call.text));
        return r;
}

int docker_count_nodes(Docker *docker, Usec deadline, DockerNodes *ret, Error *ret_error)
{
        _cleanup_(call_done) Call call = {.method = "GET", .path = "/nodes"};
        DockerNodes nodes = {};
        int r = expect_success(docker, &call, "list the Swarm's nodes", deadline, ret_error);

        if (r < 0)
                return r;
        nodes.known = json_count(call.answer);
        for (size_t i = 0; i < nodes.known; i++) {
                const Json *status = json_member(json_element(call.answer, i), "Status");

                if (status && text_equal(json_text(json_member(status, "State")), "ready"))
                        nodes.ready++;
        }
        *ret = nodes;
        return 0;
}

/* --- containers --- */

static int set_list(Json *object, const char *key, const char *const *texts)
{
        Json *list = json_new_array();
        int r = json_set(object, key, list);

        for (size_t i = 0; texts && texts[i] && r == 0; i++)
                r = json_append(list, json_new_text(texts[i]));
        return r;
}

static int describe_container(const DockerContainer *container, Json *body)
{
        Json *host = json_new_object(), *restart = json_new_object();
        int r = json_set_text(body, "Image", container->image);

        if (r == 0)
                r = set_list(body, "Cmd", container->command);
        if (r == 0)
                r = json_set(body, "HostConfig", host);
        if (r == 0)
                r = set_list(host, "Binds", container->binds);
        if (r == 0)
                r = json_set_text(host, "NetworkMode", "host");
        if (r == 0)
                r = json_set(host, "RestartPolicy", restart);
        return r == 0 ? json_set_text(restart, "Name", "always") : r;
}

static int create_container(
        Docker *docker, const DockerContainer *container, Usec deadline, Error *ret_error)
{
        _cleanup_(json_free) Json *body = json_new_object();
        _cleanup_(free) char *path = text_format("/containers/create?name=%s", container->name);
        _cleanup_(free) char *what =
                text_format("make the container '%s' of '%s'", container->name, container->image);
        _cleanup_(call_done) Call call = {.method = "POST", .path = path, .body = body};
        int r;

        if (!path || !what || describe_container(container, body) < 0)
                return error_set(ret_error, -ENOMEM, "cannot make a container: %m");
        r = expect_success(docker, &call, what, deadline, ret_error);
        return r == -ENOENT ? error_append(ret_error,
                                      r,
                                      "; put the image into the machine image, or load it (docker "
                                      "load)")
                            : r;
}

static int start_container(Docker *docker, const char *name, Usec deadline, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("/containers/%s/start", name);
        _cleanup_(free) char *what = text_format("start the container '%s'", name);
        _cleanup_(call_done) Call call = {.method = "POST", .path = path};
        int r;

        if (!path || !what)
                return error_set(ret_error, -ENOMEM, "cannot start a container: %m");
        r = perform(docker, &call, deadline, ret_error);
        if (r < 0 || call.status == 204 || call.status == 304) /* 304: it runs already */
                return r;
        return refuse(docker, &call, what, ret_error);
}

/* The last lines of a container that has ended, for the sentence. */
static void append_log(Docker *docker, const char *name, Usec deadline, Error *ret_error)
{
        _cleanup_(free) char *path =
                text_format("/containers/%s/logs?stdout=1&stderr=1&tail=3", name);
        _cleanup_(call_done) Call call = {.method = "GET", .path = path};

        if (path && perform(docker, &call, deadline, NULL) == 0 && call.status == 200) {
                text_flatten(call.text);
                error_record_behind(ret_error, "; it said: %.300s", call.text);
        }
}

int docker_is_running(Docker *docker, const char *name, Usec deadline, bool *ret, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("/containers/%s/json", name);
        _cleanup_(call_done) Call call = {.method = "GET", .path = path};
        const Json *state;
        int64_t status = 0;
        bool running;
        int r;

        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot look at a container: %m");
        r = perform(docker, &call, deadline, ret_error);
        if (r < 0)
                return r;
        *ret = false;
        if (call.status == 404)
                return 0;
        if (call.status != 200)
                return refuse(docker, &call, "look at a container", ret_error);
        r = json_get_object(call.answer, name, "State", &state, ret_error);
        if (r == 0)
                r = json_get_bool(state, name, "Running", &running, ret_error);
        if (r == 0)
                r = json_get_int64(
                        state, name, "ExitCode", INT32_MIN, INT32_MAX, &status, ret_error);
        if (r < 0)
                return r;
        if (!running && status != 0) {
                r = error_set(ret_error,
                        -EIO,
                        "cannot use the container '%s': it ended with status %" PRId64,
                        name,
                        status);
                append_log(docker, name, deadline, ret_error);
                return r;
        }
        *ret = running;
        return 0;
}

int docker_remove(Docker *docker, const char *name, Usec deadline, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("/containers/%s?force=true", name);
        _cleanup_(free) char *what = text_format("remove the container '%s'", name);
        _cleanup_(call_done) Call call = {.method = "DELETE", .path = path};
        int r;

        if (!path || !what)
                return error_set(ret_error, -ENOMEM, "cannot remove a container: %m");
        r = perform(docker, &call, deadline, ret_error);
        if (r < 0 || call.status == 204 || call.status == 404)
                return r;
        return refuse(docker, &call, what, ret_error);
}

int docker_run(Docker *docker, const DockerContainer *container, Usec deadline, Error *ret_error)
{
        bool running = false;
        int r = docker_is_running(docker, container->name, deadline, &running, ret_error);

        if (r == 0 && running)
                return 0;
        if (r == 0 || r == -EIO) /* one that has ended */
                r = docker_remove(docker, container->name, deadline, ret_error);
        if (r == 0)
                r = create_container(docker, container, deadline, ret_error);
        return r < 0 ? r : start_container(docker, container->name, deadline, ret_error);
}
