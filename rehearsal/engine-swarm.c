/* Swarm mode of the imitated engine. Its own protocol is not imitated: a manager listens on 2377
 * with plain HTTP of ours, and is asked "join" with a token. */

#include "base/random.h"
#include "base/text.h"
#include "rehearsal/engine-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SWARM_FILE   "/var/lib/docker/swarm-imitation.json"
#define TOKEN_MAX    128U
#define ID_MAX       32U
#define JOIN_TIME    (5 * USEC_PER_SEC)
#define MANAGER_PORT 2377U

bool engine_in_swarm(const Engine *engine)
{
        return text_equal(engine_get(engine->swarm, "state"), "active");
}

static void make_id(char *place, size_t length)
{
        static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

        for (size_t i = 0; i < length; i++)
                place[i] = digits[random_below(&random_system, sizeof(digits) - 1)];
        place[length] = '\0';
}

static void add_node(
        Engine *engine, const char *id, const char *name, const char *address, bool manager)
{
        Json *nodes = (Json *)(uintptr_t)json_member(engine->swarm, "nodes");
        Json *node = json_new_object(), *status = json_new_object();
        Json *spec = json_new_object(), *description = json_new_object();

        (void)json_append(nodes, node);
        (void)json_set_text(node, "ID", id);
        (void)json_set(node, "Spec", spec);
        (void)json_set_text(spec, "Role", manager ? "manager" : "worker");
        (void)json_set_text(spec, "Availability", "active");
        (void)json_set(node, "Description", description);
        (void)json_set_text(description, "Hostname", name);
        (void)json_set(node, "Status", status);
        (void)json_set_text(status, "State", "ready");
        (void)json_set_text(status, "Addr", address);
}

/* What a manager is asked by others: "join" with a token. */
static void on_swarm_call(HttpCall *call, void *userdata)
{
        Engine *engine = userdata;
        _cleanup_(json_free) Json *body = engine_read_body(call);

        if (!body || !text_equal(engine_get(body, "token"), engine_get(engine->swarm, "token"))) {
                engine_refuse(call,
                        403,
                        "rpc error: code = InvalidArgument desc = A valid join token is necessary "
                        "to join this cluster");
                return;
        }
        add_node(engine,
                engine_get(body, "node"),
                engine_get(body, "name"),
                engine_get(body, "address"),
                false);
        engine_save(engine, SWARM_FILE, engine->swarm);
        engine_answer(call, 200, json_new_object());
}

int engine_serve_swarm(Engine *engine, Error *ret_error)
{
        if (engine->swarm_server)
                return 0;
        return http_server_new_tcp(engine->loop,
                engine->part->address,
                MANAGER_PORT,
                NULL,
                on_swarm_call,
                engine,
                &engine->swarm_server,
                ret_error);
}

void engine_swarm_init(Engine *engine, HttpCall *call)
{
        char id[ID_MAX], cluster[ID_MAX], first[64], second[32], token[TOKEN_MAX];
        _cleanup_(json_free) Json *body = engine_read_body(call);
        Error error = ERROR_INIT;

        if (engine_in_swarm(engine)) {
                engine_refuse(call,
                        503,
                        "This node is already part of a swarm. Use \"docker swarm leave\" to leave "
                        "this swarm and join another one.");
                return;
        }
        if (engine_is_true(engine->config, "live-restore")) {
                engine_refuse(call,
                        500,
                        "--live-restore daemon configuration is incompatible with swarm mode");
                return;
        }
        if (!text_equal(engine_get(body, "AdvertiseAddr"), engine->part->address) &&
                !text_starts(engine_get(body, "AdvertiseAddr"), "127.")) {
                engine_refuse(call,
                        400,
                        "advertise address must be a non-zero IP address or network interface");
                return;
        }
        if (engine_serve_swarm(engine, &error) < 0) {
                engine_refuse(call, 500, "%s", error.text);
                return;
        }
        make_id(id, 25);
        make_id(cluster, 25);
        make_id(first, 50);
        make_id(second, 25);
        (void)snprintf(token, sizeof(token), "SWMTKN-1-%s-%s", first, second);
        engine->swarm = json_free(engine->swarm);
        engine->swarm = json_new_object();
        (void)json_set_text(engine->swarm, "state", "active");
        (void)json_set_text(engine->swarm, "node", id);
        (void)json_set_text(engine->swarm, "cluster", cluster);
        (void)json_set_text(engine->swarm, "token", token);
        (void)json_set_bool(engine->swarm, "manager", true);
        (void)json_set(engine->swarm, "nodes", json_new_array());
        add_node(engine, id, engine->name, engine->part->address, true);
        engine_save(engine, SWARM_FILE, engine->swarm);
        engine_answer(call, 200, json_new_text(id));
}

/* Asks the manager; 0, or what the real one would say in *ret_error. */
static int ask_manager(Engine *engine, const char *manager, const Json *body, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *url = text_format("http://%s/join", manager);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(ENGINE_FILE_MAX);
        _cleanup_(json_free) Json *answer = NULL;
        HttpRequest request = {.method = "POST", .url = url, .no_proxy = true};

        if (!url || json_format(body, JSON_ONE_LINE, &text) < 0)
                return -ENOMEM;
        request.body = buffer_text(&text);
        request.body_size = text.size;
        request.deadline = clock_deadline(&clock_system, JOIN_TIME);
        if (http_perform(engine->http, &request, &response, NULL) < 0)
                return error_set(ret_error,
                        -EAGAIN,
                        "rpc error: code = Unavailable desc = connection error: desc = "
                        "\"transport: "
                        "Error while dialing dial tcp %s: connect: connection refused\"",
                        manager);
        if (response.status == 200)
                return 0;
        (void)json_parse("answer", buffer_text(&response.body), response.body.size, &answer, NULL);
        return error_set(ret_error, -EACCES, "%s", engine_get(answer, "message"));
}

void engine_swarm_join(Engine *engine, HttpCall *call)
{
        _cleanup_(json_free) Json *body = engine_read_body(call), *asked = json_new_object();
        const Json *managers = json_member(body, "RemoteAddrs");
        const char *manager = json_text(json_element(managers, 0));
        Error error = ERROR_INIT;
        char id[ID_MAX];
        int r;

        if (engine_in_swarm(engine)) {
                engine_refuse(call,
                        503,
                        "This node is already part of a swarm. Use \"docker swarm leave\" to leave "
                        "this swarm and join another one.");
                return;
        }
        if (!manager || !text_starts(engine_get(body, "JoinToken"), "SWMTKN-1-")) {
                engine_refuse(call, 500, "invalid join token");
                return;
        }
        make_id(id, 25);
        (void)json_set_text(asked, "token", engine_get(body, "JoinToken"));
        (void)json_set_text(asked, "node", id);
        (void)json_set_text(asked, "name", engine->name);
        (void)json_set_text(asked, "address", engine->part->address);
        r = ask_manager(engine, manager, asked, &error);
        if (r < 0) {
                engine_refuse(call, r == -EAGAIN ? 503 : 400, "%s", error.text);
                return;
        }
        engine->swarm = json_free(engine->swarm);
        engine->swarm = json_new_object();
        (void)json_set_text(engine->swarm, "state", "active");
        (void)json_set_text(engine->swarm, "node", id);
        (void)json_set_bool(engine->swarm, "manager", false);
        engine_save(engine, SWARM_FILE, engine->swarm);
        http_call_answer(call, 200, NULL, NULL, 0);
}

void engine_swarm_leave(Engine *engine, HttpCall *call)
{
        _cleanup_(free) char *force = http_call_parameter(call, "force");

        if (engine_is_true(engine->swarm, "manager") && !text_equal(force, "true") &&
                !text_equal(force, "1")) {
                engine_refuse(call,
                        503,
                        "You are attempting to leave the swarm on a node that is participating as "
                        "a manager. Removing the last manager erases all current state of the "
                        "swarm. Use `--force` to ignore this message.");
                return;
        }
        if (!engine_in_swarm(engine)) {
                engine_refuse(call, 503, "This node is not part of a swarm");
                return;
        }
        engine->swarm = json_free(engine->swarm);
        engine->swarm = json_new_object();
        engine->swarm_server = http_server_free(engine->swarm_server);
        engine_save(engine, SWARM_FILE, engine->swarm);
        http_call_answer(call, 200, NULL, NULL, 0);
}

/* Only managers answer these. */
static bool is_manager(Engine *engine, HttpCall *call)
{
        if (engine_in_swarm(engine) && engine_is_true(engine->swarm, "manager"))
                return true;
        engine_refuse(call,
                503,
                engine_in_swarm(engine)
                        ? "This node is not a swarm manager. Worker nodes can't be used to view or "
                          "modify cluster state. Please run this command on a manager node or "
                          "promote the current node to a manager."
                        : "This node is not a swarm manager. Use \"docker swarm init\" or \"docker "
                          "swarm "
                          "join\" to connect this node to swarm and try again.");
        return false;
}

void engine_swarm_get(Engine *engine, HttpCall *call)
{
        Json *json, *tokens;

        if (!is_manager(engine, call))
                return;
        json = json_new_object();
        tokens = json_new_object();
        (void)json_set_text(json, "ID", engine_get(engine->swarm, "cluster"));
        (void)json_set(json, "JoinTokens", tokens);
        (void)json_set_text(tokens, "Worker", engine_get(engine->swarm, "token"));
        (void)json_set_text(tokens, "Manager", engine_get(engine->swarm, "token"));
        engine_answer(call, 200, json);
}

void engine_swarm_nodes(Engine *engine, HttpCall *call)
{
        if (is_manager(engine, call))
                engine_answer(call,
                        200,
                        json_ref((Json *)(uintptr_t)json_member(engine->swarm, "nodes")));
}

Json *engine_describe_swarm(const Engine *engine)
{
        Json *swarm = json_new_object();
        bool manager = engine_is_true(engine->swarm, "manager");

        (void)json_set_text(swarm, "NodeID", engine_get(engine->swarm, "node"));
        (void)json_set_text(
                swarm, "NodeAddr", engine_in_swarm(engine) ? engine->part->address : "");
        (void)json_set_text(
                swarm, "LocalNodeState", engine_in_swarm(engine) ? "active" : "inactive");
        (void)json_set_bool(swarm, "ControlAvailable", manager);
        (void)json_set_text(swarm, "Error", "");
        if (manager) {
                Json *cluster = json_new_object();

                (void)json_set(swarm, "Cluster", cluster);
                (void)json_set_text(cluster, "ID", engine_get(engine->swarm, "cluster"));
                (void)json_set_int64(
                        swarm, "Nodes", (int64_t)json_count(json_member(engine->swarm, "nodes")));
        }
        return swarm;
}
