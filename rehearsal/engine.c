/* The part of dockerd: Docker's Engine API 1.41 (Engine 20.10) with swarm mode, as far as machines
 * that bootstrap a cluster use it. Refusals are worded as the real one's.
 *
 * Swarm mode's own protocol is not imitated: a manager listens on 2377 with plain HTTP of our own.
 */

#include "base/file.h"
#include "base/folder.h"
#include "base/random.h"
#include "base/text.h"
#include "rehearsal/engine-parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API_NEWEST   41
#define API_OLDEST   12
#define VERSION_TEXT "20.10.24"
#define CONFIG       "/etc/docker/daemon.json"
#define SWARM_FILE   "/var/lib/docker/swarm-imitation.json"
#define JSON_TYPE    "application/json"

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

/* --- state on disk --- */

static Json *load(const Engine *engine, const char *path)
{
        _cleanup_(free) char *whole = play_path(engine->part, path);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(ENGINE_FILE_MAX);
        Json *json = NULL;

        if (whole && file_read(AT_FDCWD, whole, ENGINE_FILE_MAX, &text, NULL) == 0)
                (void)json_parse(path, buffer_text(&text), text.size, &json, NULL);
        return json ? json : json_new_object();
}

void engine_save(const Engine *engine, const char *path, const Json *json)
{
        _cleanup_(free) char *whole = play_path(engine->part, path);
        _cleanup_(free) char *folder = play_path(engine->part, "/var/lib/docker");
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(ENGINE_FILE_MAX);

        if (!whole || !folder || folder_make(AT_FDCWD, folder, 0700, NULL) < 0 ||
                json_format(json, JSON_INDENTED, &text) < 0 ||
                file_write_atomic(AT_FDCWD, whole, buffer_text(&text), text.size, 0600, NULL) < 0)
                (void)fprintf(stderr, "dockerd: cannot write '%s'\n", path);
}

const char *engine_get(const Json *json, const char *key)
{
        const char *text = json_text(json_member(json, key));

        return text ? text : "";
}

bool engine_is_true(const Json *json, const char *key)
{
        bool value = false;

        return json_get_bool(json, "state", key, &value, NULL) == 0 && value;
}

/* --- answers --- */

void engine_answer(HttpCall *call, unsigned status, Json *take_json)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(ENGINE_FILE_MAX);

        (void)json_format(take_json, JSON_ONE_LINE, &text);
        (void)json_free(take_json);
        http_call_set_header(call, "Api-Version", "1.41");
        http_call_answer(call, status, JSON_TYPE, buffer_text(&text), text.size);
}

void engine_refuse(HttpCall *call, unsigned status, const char *format, ...)
{
        char message[1024];
        Json *json = json_new_object();
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        (void)json_set_text(json, "message", message);
        engine_answer(call, status, json);
}

Json *engine_read_body(HttpCall *call)
{
        Json *json = NULL;
        size_t size;
        const char *body = http_call_body(call, &size);

        (void)json_parse("body", body, size, &json, NULL);
        return json;
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
        engine_answer(call, 200, json);
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
        (void)json_set_bool(
                json, "LiveRestoreEnabled", engine_is_true(engine->config, "live-restore"));
        (void)json_set_text(json, "OperatingSystem", "rehearsal");
        (void)json_set_int64(json, "NCPU", 2);
        (void)json_set_int64(json, "MemTotal", 4LL << 30);
        (void)json_set(json, "Swarm", engine_describe_swarm(engine));
        engine_answer(call, 200, json);
}

/* What happens is not told: nothing of a bootstrap asks. Who listens has the stream that it wants.
 */
static void on_events(Engine *engine, HttpCall *call)
{
        (void)engine;
        http_call_set_header(call, "Api-Version", "1.41");
        http_call_begin(call, 200, JSON_TYPE);
}

static void on_volumes(Engine *engine, HttpCall *call)
{
        Json *json = json_new_object();

        (void)engine;
        (void)json_set(json, "Volumes", json_new_array());
        engine_answer(call, 200, json);
}

static void on_networks(Engine *engine, HttpCall *call)
{
        (void)engine;
        engine_answer(call, 200, json_new_array());
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
        {"GET", "/swarm", engine_swarm_get},
        {"POST", "/swarm/init", engine_swarm_init},
        {"POST", "/swarm/join", engine_swarm_join},
        {"POST", "/swarm/leave", engine_swarm_leave},
        {"GET", "/nodes", engine_swarm_nodes},
        {"GET", "/events", on_events},
        {"GET", "/images/json", engine_list_images},
        {"GET", "/volumes", on_volumes},
        {"GET", "/networks", on_networks},
        {"GET", "/containers/json", engine_list_containers},
        {"POST", "/containers/create", engine_create_container},
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
                engine_refuse(call, 404, "page not found");
                return NULL;
        }
        if (minor > API_NEWEST) {
                engine_refuse(call,
                        400,
                        "client version 1.%d is too new. Maximum supported API version is 1.%d",
                        (int)minor,
                        API_NEWEST);
                return NULL;
        }
        if (minor < API_OLDEST) {
                engine_refuse(call,
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
                engine_serve_container(engine, call, path + strlen("/containers/"));
        else
                engine_refuse(call, 404, "page not found");
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
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(ENGINE_FILE_MAX);
        Error error = ERROR_INIT;
        int r = path ? file_read(AT_FDCWD, path, ENGINE_FILE_MAX, &text, &error) : -ENOMEM;

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

        for (char **word = engine->part->arguments; *word && count < ENGINE_HOSTS_MAX; word++) {
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
        for (size_t i = 0; i < json_count(list) && count < ENGINE_HOSTS_MAX; i++)
                if (json_text(json_element(list, i)))
                        hosts[count++] = json_text(json_element(list, i));
        if (count == 0)
                hosts[count++] = "unix:///var/run/docker.sock";
        *ret_count = count;
        return 0;
}

static int open_tls(Engine *engine, Error *ret_error)
{
        _cleanup_(free) char *authority =
                play_path(engine->part, engine_get(engine->config, "tlscacert"));
        _cleanup_(free) char *certificate =
                play_path(engine->part, engine_get(engine->config, "tlscert"));
        _cleanup_(free) char *key = play_path(engine->part, engine_get(engine->config, "tlskey"));

        if (!engine_is_true(engine->config, "tlsverify"))
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
        const char *hosts[ENGINE_HOSTS_MAX];
        size_t n_hosts;
        int r;

        (void)snprintf(engine->name, sizeof(engine->name), "ip-%s", engine->part->address);
        for (char *c = engine->name; *c; c++)
                *c = *c == '.' ? '-' : *c;
        engine->swarm = load(engine, SWARM_FILE);
        engine->container = load(engine, ENGINE_CONTAINER_FILE);
        r = event_loop_new(&engine->loop, ret_error);
        if (r == 0)
                r = http_client_new(&http, &engine->http, ret_error);
        if (r == 0)
                r = read_config(engine, ret_error);
        if (r == 0 && engine_in_swarm(engine) && engine_is_true(engine->config, "live-restore"))
                r = error_set(ret_error,
                        -EINVAL,
                        "Error creating cluster component: --live-restore daemon configuration is "
                        "incompatible with swarm mode");
        if (r == 0)
                r = find_hosts(engine, hosts, &n_hosts, ret_error);
        for (size_t i = 0; r == 0 && i < n_hosts; i++)
                r = serve_host(engine, hosts[i], ret_error);
        if (r == 0 && engine_in_swarm(engine) && engine_is_true(engine->swarm, "manager"))
                r = engine_serve_swarm(engine, ret_error);
        if (r == 0 && engine_get(engine->container, "Name")[0])
                r = engine_start_container(engine, ret_error);
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
