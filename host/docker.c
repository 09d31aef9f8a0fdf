#include "host/docker-call.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
        _cleanup_(docker_call_done) DockerCall call = {.method = "GET", .path = "/info"};
        _cleanup_(docker_info_done) DockerInfo info = {};
        int r = docker_call_expect(docker, &call, "read its state", deadline, ret_error);

        if (r < 0)
                return r;
        if (!json_is_object(call.answer))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot read the Docker engine's state: its answer is no JSON object");
        r = read_info(call.answer, &info);
        if (r < 0)
                return error_set(ret_error, r, "cannot read the engine's state: %m");
        *ret = TAKE_STRUCT(info);
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
        _cleanup_(docker_call_done)
                DockerCall call = {.method = "POST", .path = "/swarm/init", .body = body};
        _cleanup_(free) char *what = text_format("make a Swarm at '%s'", address);

        if (!what || set_addresses(body, address) < 0)
                return error_set(ret_error, -ENOMEM, "cannot make a Swarm: %m");
        return docker_call_expect(docker, &call, what, deadline, ret_error);
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

/* An engine that cannot reach the manager within its own 20 s answers so, goes on in the background
 * and refuses to join anew meanwhile. */
static bool is_joining(Docker *docker, Usec deadline)
{
        _cleanup_(docker_info_done) DockerInfo info = {};

        return docker_get_info(docker, deadline, &info, NULL) == 0 &&
               info.swarm == DOCKER_SWARM_PENDING;
}

int docker_swarm_join(Docker *docker,
        const char *address,
        const char *const *managers,
        const Secret *token,
        Usec deadline,
        Error *ret_error)
{
        _cleanup_(json_free) Json *body = json_new_object();
        _cleanup_(docker_call_done)
                DockerCall call = {.method = "POST", .path = "/swarm/join", .body = body};
        _cleanup_(free) char *what = text_format("join the Swarm of '%s'", managers[0]);
        Json *list = json_new_array();
        int r = json_set(body, "RemoteAddrs", list);

        for (size_t i = 0; managers[i] && r == 0; i++)
                r = json_append(list, json_new_text(managers[i]));
        if (r == 0)
                r = json_set_text(body, "JoinToken", secret_data(token));
        if (r < 0 || !what || set_addresses(body, address) < 0)
                return error_set(ret_error, -ENOMEM, "cannot join the Swarm: %m");

        r = docker_call_expect(docker, &call, what, deadline, ret_error);
        if (r == 0 || call.status == 0) /* it has joined; or has not answered */
                return r;
        if (is_joining(docker, deadline)) {
                (void)docker_swarm_leave(docker, deadline, NULL);
                return -EAGAIN;
        }
        return is_unreachable(docker_call_message(&call)) ? -EAGAIN : -EDOM;
}

int docker_swarm_leave(Docker *docker, Usec deadline, Error *ret_error)
{
        _cleanup_(docker_call_done)
                DockerCall call = {.method = "POST", .path = "/swarm/leave?force=true"};
        int r = docker_call_perform(docker, &call, deadline, ret_error);

        if (r < 0)
                return r;
        if (call.status == 200 || call.status == 503) /* 503: it is in none */
                return 0;
        return docker_call_refuse(docker, &call, "leave the Swarm", ret_error);
}

int docker_swarm_get_worker_token(Docker *docker, Usec deadline, Secret **ret, Error *ret_error)
{
        _cleanup_(docker_call_done) DockerCall call = {.method = "GET", .path = "/swarm"};
        const Json *tokens;
        int r = docker_call_expect(docker, &call, "read the Swarm's token", deadline, ret_error);

        if (r == 0)
                r = json_get_object(
                        call.answer, "the engine's /swarm", "JoinTokens", &tokens, ret_error);
        if (r == 0)
                r = json_get_secret(tokens, "the engine's /swarm", "Worker", ret, ret_error);
        return r;
}

int docker_count_nodes(Docker *docker, Usec deadline, DockerNodes *ret, Error *ret_error)
{
        _cleanup_(docker_call_done) DockerCall call = {.method = "GET", .path = "/nodes"};
        DockerNodes nodes = {};
        int r = docker_call_expect(docker, &call, "list the Swarm's nodes", deadline, ret_error);

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
