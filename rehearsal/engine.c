/* The part of dockerd: Docker's Engine API 1.41 (Engine 20.10) with swarm mode, as far as machines
 * that bootstrap a cluster use it. Refusals are worded as the real one's.
 *
 * Swarm mode's own protocol is not imitated: a manager listens on 2377 with plain HTTP of our own.
 */

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "net/http.h"
#include "rehearsal/http-server.h"
#include "rehearsal/play.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define API_NEWEST     41
#define API_OLDEST     12
#define VERSION_TEXT   "20.10.24"
#define CONFIG         "/etc/docker/daemon.json"
#define SWARM_FILE     "/var/lib/docker/swarm-imitation.json"
#define CONTAINER_FILE "/var/lib/docker/container-imitation.json"
#define FILE_MAX       (1024U * 1024U)
#define HOSTS_MAX      8U
#define TOKEN_MAX      128U
#define ID_MAX         32U
#define JOIN_TIME      (5 * USEC_PER_SEC)
#define MANAGER_PORT   2377U
#define JSON_TYPE      "application/json"

/* What daemon.json may say; Docker's documentation, "dockerd: daemon configuration file". */
static const char *const known_keys[] = {
        "bip",
        "cgroup-parent",
        "containerd",
        "data-root",
        "debug",
        "default-address-pools",
        "default-runtime",
        "default-shm-size",
        "default-ulimits",
        "dns",
        "dns-opts",
        "dns-search",
        "exec-opts",
        "exec-root",
        "experimental",
        "features",
        "fixed-cidr",
        "group",
        "hosts",
        "icc",
        "init",
        "insecure-registries",
        "ip",
        "ip-forward",
        "ip-masq",
        "iptables",
        "ipv6",
        "labels",
        "live-restore",
        "log-driver",
        "log-level",
        "log-opts",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "mtu",
        "node-generic-resources",
        "pidfile",
        "registry-mirrors",
        "runtimes",
        "seccomp-profile",
        "selinux-enabled",
        "shutdown-timeout",
        "storage-driver",
        "storage-opts",
        "tls",
        "tlscacert",
        "tlscert",
        "tlskey",
        "tlsverify",
        "userland-proxy",
        "userns-remap",
        NULL,
};

typedef struct Engine {
        const PlayPart *part;
        EventLoop *loop;
        HttpClient *http;
        Json *config;
        Json *swarm; /* as it is on disk: state, node, manager, cluster, token, nodes */
        Json *container;
        EventChild *manager; /* the classic manager's process */
        int manager_status;
        TlsContext *tls;
        HttpServer *servers[HOSTS_MAX];
        size_t n_servers;
        HttpServer *swarm_server;
        char name[65];
} Engine;

/* --- state on disk --- */

static Json *load(const Engine *engine, const char *path)
{
        _cleanup_(free) char *whole = play_path(engine->part, path);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);
        Json *json = NULL;

        if (whole && file_read(AT_FDCWD, whole, FILE_MAX, &text, NULL) == 0)
                (void)json_parse(path, buffer_text(&text), text.size, &json, NULL);
        return json ? json : json_new_object();
}

static void save(const Engine *engine, const char *path, const Json *json)
{
        _cleanup_(free) char *whole = play_path(engine->part, path);
        _cleanup_(free) char *folder = play_path(engine->part, "/var/lib/docker");
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);

        if (!whole || !folder || folder_make(AT_FDCWD, folder, 0700, NULL) < 0 ||
                json_format(json, JSON_INDENTED, &text) < 0 ||
                file_write_atomic(AT_FDCWD, whole, buffer_text(&text), text.size, 0600, NULL) < 0)
                (void)fprintf(stderr, "dockerd: cannot write '%s'\n", path);
}

static const char *get(const Json *json, const char *key)
{
        const char *text = json_text(json_member(json, key));

        return text ? text : "";
}

static bool is_true(const Json *json, const char *key)
{
        bool value = false;

        return json_get_bool(json, "state", key, &value, NULL) == 0 && value;
}

/* --- answers --- */

static void answer_json(HttpCall *call, unsigned status, Json *take_json)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);

        (void)json_format(take_json, JSON_ONE_LINE, &text);
        (void)json_free(take_json);
        http_call_set_header(call, "Api-Version", "1.41");
        http_call_answer(call, status, JSON_TYPE, buffer_text(&text), text.size);
}

static void refuse(HttpCall *call, unsigned status, const char *format, ...) _printf_(3, 4);
static void refuse(HttpCall *call, unsigned status, const char *format, ...)
{
        char message[1024];
        Json *json = json_new_object();
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        (void)json_set_text(json, "message", message);
        answer_json(call, status, json);
}

static Json *read_body(HttpCall *call)
{
        Json *json = NULL;
        size_t size;
        const char *body = http_call_body(call, &size);

        (void)json_parse("body", body, size, &json, NULL);
        return json;
}

/* --- swarm mode --- */

static bool in_swarm(const Engine *engine)
{
        return text_equal(get(engine->swarm, "state"), "active");
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
        _cleanup_(json_free) Json *body = read_body(call);

        if (!body || !text_equal(get(body, "token"), get(engine->swarm, "token"))) {
                refuse(call,
                        403,
                        "rpc error: code = InvalidArgument desc = A valid join token is necessary "
                        "to join this cluster");
                return;
        }
        add_node(engine, get(body, "node"), get(body, "name"), get(body, "address"), false);
        save(engine, SWARM_FILE, engine->swarm);
        answer_json(call, 200, json_new_object());
}

static int serve_swarm(Engine *engine, Error *ret_error)
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

static void on_swarm_init(Engine *engine, HttpCall *call)
{
        char id[ID_MAX], cluster[ID_MAX], first[64], second[32], token[TOKEN_MAX];
        Error error = ERROR_INIT;

        if (in_swarm(engine)) {
                refuse(call,
                        503,
                        "This node is already part of a swarm. Use \"docker swarm leave\" to leave "
                        "this swarm and join another one.");
                return;
        }
        if (is_true(engine->config, "live-restore")) {
                refuse(call,
                        500,
                        "--live-restore daemon configuration is incompatible with swarm mode");
                return;
        }
        if (serve_swarm(engine, &error) < 0) {
                refuse(call, 500, "%s", error.text);
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
        save(engine, SWARM_FILE, engine->swarm);
        answer_json(call, 200, json_new_text(id));
}

/* Asks the manager; 0, or what the real one would say in *ret_error. */
static int ask_manager(Engine *engine, const char *manager, const Json *body, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *url = text_format("http://%s/join", manager);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);
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
        return error_set(ret_error, -EACCES, "%s", get(answer, "message"));
}

static void on_swarm_join(Engine *engine, HttpCall *call)
{
        _cleanup_(json_free) Json *body = read_body(call), *asked = json_new_object();
        const Json *managers = json_member(body, "RemoteAddrs");
        const char *manager = json_text(json_element(managers, 0));
        Error error = ERROR_INIT;
        char id[ID_MAX];

        if (in_swarm(engine)) {
                refuse(call,
                        503,
                        "This node is already part of a swarm. Use \"docker swarm leave\" to leave "
                        "this swarm and join another one.");
                return;
        }
        if (!manager || !text_starts(get(body, "JoinToken"), "SWMTKN-1-")) {
                refuse(call, 400, "invalid join token");
                return;
        }
        make_id(id, 25);
        (void)json_set_text(asked, "token", get(body, "JoinToken"));
        (void)json_set_text(asked, "node", id);
        (void)json_set_text(asked, "name", engine->name);
        (void)json_set_text(asked, "address", engine->part->address);
        if (ask_manager(engine, manager, asked, &error) < 0) {
                refuse(call, 500, "%s", error.text);
                return;
        }
        engine->swarm = json_free(engine->swarm);
        engine->swarm = json_new_object();
        (void)json_set_text(engine->swarm, "state", "active");
        (void)json_set_text(engine->swarm, "node", id);
        (void)json_set_bool(engine->swarm, "manager", false);
        save(engine, SWARM_FILE, engine->swarm);
        http_call_answer(call, 200, NULL, NULL, 0);
}

static void on_swarm_leave(Engine *engine, HttpCall *call)
{
        if (!in_swarm(engine)) {
                refuse(call, 503, "This node is not part of a swarm");
                return;
        }
        engine->swarm = json_free(engine->swarm);
        engine->swarm = json_new_object();
        engine->swarm_server = http_server_free(engine->swarm_server);
        save(engine, SWARM_FILE, engine->swarm);
        http_call_answer(call, 200, NULL, NULL, 0);
}

/* Only managers answer these. */
static bool is_manager(Engine *engine, HttpCall *call)
{
        if (in_swarm(engine) && is_true(engine->swarm, "manager"))
                return true;
        refuse(call,
                503,
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                "join\" to connect this node to swarm and try again.");
        return false;
}

static void on_swarm_get(Engine *engine, HttpCall *call)
{
        Json *json, *tokens;

        if (!is_manager(engine, call))
                return;
        json = json_new_object();
        tokens = json_new_object();
        (void)json_set_text(json, "ID", get(engine->swarm, "cluster"));
        (void)json_set(json, "JoinTokens", tokens);
        (void)json_set_text(tokens, "Worker", get(engine->swarm, "token"));
        (void)json_set_text(tokens, "Manager", get(engine->swarm, "token"));
        answer_json(call, 200, json);
}

static void on_nodes(Engine *engine, HttpCall *call)
{
        if (is_manager(engine, call))
                answer_json(call,
                        200,
                        json_ref((Json *)(uintptr_t)json_member(engine->swarm, "nodes")));
}

/* --- what it is --- */

static void on_ping(Engine *engine, HttpCall *call)
{
        (void)engine;
        http_call_set_header(call, "Api-Version", "1.41");
        http_call_set_header(call, "Docker-Experimental", "false");
        http_call_set_header(call, "Ostype", "linux");
        http_call_answer_text(call, 200, "text/plain; charset=utf-8", "OK");
}

static void on_version(Engine *engine, HttpCall *call)
{
        Json *json = json_new_object();

        (void)engine;
        (void)json_set_text(json, "Version", VERSION_TEXT);
        (void)json_set_text(json, "ApiVersion", "1.41");
        (void)json_set_text(json, "MinAPIVersion", "1.12");
        (void)json_set_text(json, "Os", "linux");
        (void)json_set_text(json, "Arch", "amd64");
        answer_json(call, 200, json);
}

static Json *describe_swarm(const Engine *engine)
{
        Json *swarm = json_new_object();
        bool manager = is_true(engine->swarm, "manager");

        (void)json_set_text(swarm, "NodeID", get(engine->swarm, "node"));
        (void)json_set_text(swarm, "NodeAddr", in_swarm(engine) ? engine->part->address : "");
        (void)json_set_text(swarm, "LocalNodeState", in_swarm(engine) ? "active" : "inactive");
        (void)json_set_bool(swarm, "ControlAvailable", manager);
        (void)json_set_text(swarm, "Error", "");
        if (manager) {
                Json *cluster = json_new_object();

                (void)json_set(swarm, "Cluster", cluster);
                (void)json_set_text(cluster, "ID", get(engine->swarm, "cluster"));
                (void)json_set_int64(
                        swarm, "Nodes", (int64_t)json_count(json_member(engine->swarm, "nodes")));
        }
        return swarm;
}

static void on_info(Engine *engine, HttpCall *call)
{
        const Json *labels = json_member(engine->config, "labels");
        Json *json = json_new_object(), *list = json_new_array();

        for (size_t i = 0; i < json_count(labels); i++)
                (void)json_append(list, json_new_text(json_text(json_element(labels, i))));
        (void)json_set_text(json, "Name", engine->name);
        (void)json_set_text(json, "ServerVersion", VERSION_TEXT);
        (void)json_set(json, "Labels", list);
        (void)json_set_bool(json, "LiveRestoreEnabled", is_true(engine->config, "live-restore"));
        (void)json_set_text(json, "OperatingSystem", "rehearsal");
        (void)json_set(json, "Swarm", describe_swarm(engine));
        answer_json(call, 200, json);
}

/* --- one container: the classic manager --- */

static void on_manager_exit(int status, void *userdata)
{
        Engine *engine = userdata;

        engine->manager = event_child_free(engine->manager);
        engine->manager_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int start_container(Engine *engine, Error *ret_error)
{
        const Json *host = json_member(engine->container, "HostConfig");
        const Json *binds = json_member(host, "Binds"),
                   *command = json_member(engine->container, "Cmd");
        char self[4096] = "", *words[64], *made[16];
        size_t count = 0, n_made = 0;
        EventSpawn spawn = {
                .program = "/proc/self/exe",
                .arguments = words,
                .environment = environ,
                .folder = "/",
                .output = STDERR_FILENO,
                .ready = -1,
                .exited = on_manager_exit,
                .userdata = engine,
        };
        int r;

        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
                return -errno;
        spawn.program = self;
        words[count++] = self;
        words[count++] = made[n_made++] = text_copy("as");
        words[count++] = made[n_made++] = text_copy("swarm");
        words[count++] = made[n_made++] = text_format("--root=%s", engine->part->root);
        words[count++] = made[n_made++] = text_format("--address=%s", engine->part->address);
        for (size_t i = 0; i < json_count(binds) && n_made < 12; i++)
                words[count++] = made[n_made++] =
                        text_format("--bind=%s", json_text(json_element(binds, i)));
        words[count++] = made[n_made++] = text_copy("--");
        for (size_t i = 0; i < json_count(command) && count < 60; i++)
                words[count++] = (char *)(uintptr_t)json_text(json_element(command, i));
        words[count] = NULL;
        r = event_spawn(engine->loop, &spawn, &engine->manager, ret_error);
        for (size_t i = 0; i < n_made; i++)
                free(made[i]);
        return r;
}

static bool has_container(const Engine *engine, const char *name)
{
        return text_equal(get(engine->container, "Name"), name);
}

static void on_container_create(Engine *engine, HttpCall *call)
{
        _cleanup_(free) char *name = http_call_parameter(call, "name");
        Json *body = read_body(call), *json;

        if (!text_equal(get(body, "Image"), "swarm:1.2.9")) {
                refuse(call, 404, "No such image: %s", get(body, "Image"));
                (void)json_free(body);
                return;
        }
        if (has_container(engine, name)) {
                refuse(call,
                        409,
                        "Conflict. The container name \"/%s\" is already in use by container "
                        "\"%s\". "
                        "You have to remove (or rename) that container to be able to reuse that "
                        "name.",
                        name,
                        name);
                (void)json_free(body);
                return;
        }
        (void)json_free(engine->container);
        engine->container = body;
        (void)json_set_text(body, "Name", name ? name : "one");
        save(engine, CONTAINER_FILE, body);
        json = json_new_object();
        (void)json_set_text(json, "Id", name ? name : "one");
        answer_json(call, 201, json);
}

/* /containers/NAME[/VERB] */
static void on_container(Engine *engine, HttpCall *call, const char *rest)
{
        char name[128];
        const char *verb = strchr(rest, '/');
        Error error = ERROR_INIT;

        (void)snprintf(name,
                sizeof(name),
                "%.*s",
                TEXT_PART(rest, verb ? (size_t)(verb - rest) : strlen(rest)));
        verb = verb ? verb + 1 : "";
        if (!has_container(engine, name)) {
                refuse(call, 404, "No such container: %s", name);
        } else if (text_equal(http_call_method(call), "DELETE")) {
                engine->manager = event_child_free(engine->manager);
                engine->container = json_free(engine->container);
                engine->container = json_new_object();
                save(engine, CONTAINER_FILE, engine->container);
                http_call_answer(call, 204, NULL, NULL, 0);
        } else if (text_equal(verb, "start")) {
                if (engine->manager)
                        http_call_answer(call, 304, NULL, NULL, 0);
                else if (start_container(engine, &error) < 0)
                        refuse(call, 500, "%s", error.text);
                else
                        http_call_answer(call, 204, NULL, NULL, 0);
        } else if (text_equal(verb, "json")) {
                Json *json = json_new_object(), *state = json_new_object();

                (void)json_set_text(json, "Id", name);
                (void)json_set(json, "State", state);
                (void)json_set_bool(state, "Running", engine->manager != NULL);
                (void)json_set_int64(
                        state, "ExitCode", engine->manager ? 0 : engine->manager_status);
                answer_json(call, 200, json);
        } else {
                http_call_answer_text(call, 200, "text/plain", "");
        }
}

/* --- routing --- */

static const struct {
        const char *method, *path;
        void (*answer)(Engine *engine, HttpCall *call);
} routes[] = {
        {"GET", "/_ping", on_ping},
        {"HEAD", "/_ping", on_ping},
        {"GET", "/version", on_version},
        {"GET", "/info", on_info},
        {"GET", "/swarm", on_swarm_get},
        {"POST", "/swarm/init", on_swarm_init},
        {"POST", "/swarm/join", on_swarm_join},
        {"POST", "/swarm/leave", on_swarm_leave},
        {"GET", "/nodes", on_nodes},
        {"POST", "/containers/create", on_container_create},
};

/* The path behind "/v1.41"; NULL: that version is refused. */
static const char *strip_version(HttpCall *call, const char *path)
{
        const char *end;
        char number[8];
        int64_t minor;

        if (!text_starts(path, "/v1."))
                return path;
        end = strchr(path + 1, '/');
        (void)snprintf(
                number, sizeof(number), "%.*s", TEXT_PART(path + 4, end ? end - path - 4 : 0));
        if (!end || text_to_int64(number, 0, 999, &minor) < 0) {
                refuse(call, 404, "page not found");
                return NULL;
        }
        if (minor > API_NEWEST) {
                refuse(call,
                        400,
                        "client version 1.%d is too new. Maximum supported API version is 1.%d",
                        (int)minor,
                        API_NEWEST);
                return NULL;
        }
        if (minor < API_OLDEST) {
                refuse(call,
                        400,
                        "client version 1.%d is too old. Minimum supported API version is 1.%d, "
                        "please upgrade your client to a newer version",
                        (int)minor,
                        API_OLDEST);
                return NULL;
        }
        return end;
}

static void on_call(HttpCall *call, void *userdata)
{
        Engine *engine = userdata;
        const char *path = strip_version(call, http_call_path(call));

        if (!path)
                return;
        for (size_t i = 0; i < ELEMENTS(routes); i++)
                if (text_equal(routes[i].path, path) &&
                        text_equal(routes[i].method, http_call_method(call))) {
                        routes[i].answer(engine, call);
                        return;
                }
        if (text_starts(path, "/containers/"))
                on_container(engine, call, path + strlen("/containers/"));
        else
                refuse(call, 404, "page not found");
}

/* --- start --- */

static int check_keys(const Json *config, Error *ret_error)
{
        void *iterator = NULL;
        const char *key;
        const Json *value;

        while (json_next_member(config, &iterator, &key, &value)) {
                bool known = false;

                for (size_t i = 0; known_keys[i]; i++)
                        known |= text_equal(known_keys[i], key);
                if (!known)
                        return error_set(ret_error,
                                -EINVAL,
                                "unable to configure the Docker daemon with file " CONFIG
                                ": the following directives don't match any configuration option: "
                                "%s",
                                key);
        }
        return 0;
}

static int read_config(Engine *engine, Error *ret_error)
{
        _cleanup_(free) char *path = play_path(engine->part, CONFIG);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);
        Error error = ERROR_INIT;
        int r = path ? file_read(AT_FDCWD, path, FILE_MAX, &text, &error) : -ENOMEM;

        if (r == -ENOENT) {
                engine->config = json_new_object();
                return 0;
        }
        if (r == 0)
                r = json_parse(CONFIG, buffer_text(&text), text.size, &engine->config, &error);
        if (r < 0)
                return error_set(ret_error,
                        r,
                        "unable to configure the Docker daemon with file " CONFIG ": %s",
                        error.text);
        return check_keys(engine->config, ret_error);
}

/* The hosts of the command line and of daemon.json: in one place or in the other. */
static int find_hosts(Engine *engine, const char **hosts, size_t *ret_count, Error *ret_error)
{
        const Json *list = json_member(engine->config, "hosts");
        size_t count = 0;

        for (char **word = engine->part->arguments; *word && count < HOSTS_MAX; word++) {
                if (text_equal(*word, "-H") && word[1])
                        hosts[count++] = *++word;
                else if (text_starts(*word, "--host="))
                        hosts[count++] = *word + strlen("--host=");
        }
        if (count > 0 && list)
                return error_set(ret_error,
                        -EINVAL,
                        "unable to configure the Docker daemon with file " CONFIG
                        ": the following directives are specified both as a flag and in the "
                        "configuration file: hosts: (from flag: [%s], from file: [%s])",
                        hosts[0],
                        json_text(json_element(list, 0)));
        for (size_t i = 0; i < json_count(list) && count < HOSTS_MAX; i++)
                if (json_text(json_element(list, i)))
                        hosts[count++] = json_text(json_element(list, i));
        if (count == 0)
                hosts[count++] = "unix:///var/run/docker.sock";
        *ret_count = count;
        return 0;
}

static int open_tls(Engine *engine, Error *ret_error)
{
        _cleanup_(free) char *authority = play_path(engine->part, get(engine->config, "tlscacert"));
        _cleanup_(free) char *certificate = play_path(engine->part, get(engine->config, "tlscert"));
        _cleanup_(free) char *key = play_path(engine->part, get(engine->config, "tlskey"));

        if (!is_true(engine->config, "tlsverify"))
                return error_set(
                        ret_error, -EINVAL, "a rehearsal's engine serves TCP with tlsverify alone");
        return tls_context_new(authority, certificate, key, &engine->tls, ret_error);
}

static int serve_host(Engine *engine, const char *host, Error *ret_error)
{
        HttpServer **place = &engine->servers[engine->n_servers];
        const char *port = strrchr(host, ':');
        uint64_t number;
        int r;

        if (text_equal(host, "fd://") || text_starts(host, "unix://")) {
                _cleanup_(free) char *path = play_path(engine->part, "/run/docker.sock");

                r = http_server_new_unix(engine->loop, path, on_call, engine, place, ret_error);
        } else if (text_starts(host, "tcp://") &&
                   text_to_uint64(port + 1, 1, 65535, &number) == 0) {
                r = engine->tls ? 0 : open_tls(engine, ret_error);
                if (r == 0)
                        r = http_server_new_tcp(engine->loop,
                                engine->part->address,
                                (unsigned)number,
                                engine->tls,
                                on_call,
                                engine,
                                place,
                                ret_error);
        } else {
                return error_set(ret_error, -EINVAL, "unable to listen on '%s'", host);
        }
        if (r == 0)
                engine->n_servers++;
        return r;
}

static int start(Engine *engine, Error *ret_error)
{
        HttpOptions http = {
                .user_agent = "rehearsal", .clock = &clock_system, .connect_timeout = USEC_PER_SEC};
        const char *hosts[HOSTS_MAX];
        size_t n_hosts;
        int r;

        (void)snprintf(engine->name, sizeof(engine->name), "ip-%s", engine->part->address);
        for (char *c = engine->name; *c; c++)
                *c = *c == '.' ? '-' : *c;
        engine->swarm = load(engine, SWARM_FILE);
        engine->container = load(engine, CONTAINER_FILE);
        r = event_loop_new(&engine->loop, ret_error);
        if (r == 0)
                r = http_client_new(&http, &engine->http, ret_error);
        if (r == 0)
                r = read_config(engine, ret_error);
        if (r == 0 && in_swarm(engine) && is_true(engine->config, "live-restore"))
                r = error_set(ret_error,
                        -EINVAL,
                        "Error creating cluster component: --live-restore daemon configuration is "
                        "incompatible with swarm mode");
        if (r == 0)
                r = find_hosts(engine, hosts, &n_hosts, ret_error);
        for (size_t i = 0; r == 0 && i < n_hosts; i++)
                r = serve_host(engine, hosts[i], ret_error);
        if (r == 0 && in_swarm(engine) && is_true(engine->swarm, "manager"))
                r = serve_swarm(engine, ret_error);
        if (r == 0 && get(engine->container, "Name")[0])
                r = start_container(engine, ret_error);
        return r;
}

int play_engine(const PlayPart *part)
{
        Engine engine = {.part = part};
        Error error = ERROR_INIT;

        if (start(&engine, &error) < 0)
                return play_fail("dockerd", &error);
        play_ready();
        event_loop_run(engine.loop);
        return 0;
}
