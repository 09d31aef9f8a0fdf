/* The layer host/, one call at a time, for tests that are written in Python.
 *
 *         host-probe COMMAND ARGUMENT…
 *
 * ROOT is the folder that the machine's files lie below, BUS the address of its bus, DEADLINE the
 * seconds that a call may take. ENGINE names an engine that is reached over TLS, by the files
 * ca.pem, cert.pem and key.pem (each may be absent) in the folder TLS. What came of it is printed
 * as one JSON object: {"outcome": 0, "error": "", …}.
 */

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "host/docker.h"
#include "host/engine-config.h"
#include "host/systemd.h"
#include "host/users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1024U * 1024U)

typedef struct Probe {
        const char *root;
        Usec deadline;
        HttpClient *http;
        Buffer ca, certificate;
        HttpTls tls;
        Secret *key;
        Docker *docker;
        Systemd *systemd;
        Json *result;
        Error error;
} Probe;

static int put_text(Probe *probe, const char *key, const char *value)
{
        return json_set_text(probe->result, key, value ? value : "");
}

static int put_int(Probe *probe, const char *key, int64_t value)
{
        return json_set_int64(probe->result, key, value);
}

static int put_texts(Probe *probe, const char *key, char *const *texts)
{
        Json *list = json_new_array();
        int r = json_set(probe->result, key, list);

        for (size_t i = 0; texts[i] && r == 0; i++)
                r = json_append(list, json_new_text(texts[i]));
        return r;
}

/* --- the engine --- */

static int read_pem(Probe *probe, const char *folder, const char *name, Buffer *ret)
{
        _cleanup_(free) char *path = text_format("%s/%s", folder, name);
        int r = path ? file_read(AT_FDCWD, path, FILE_MAX, ret, &probe->error) : -ENOMEM;

        return r == -ENOENT ? 0 : r;
}

static int read_tls(Probe *probe)
{
        _cleanup_(buffer_done) Buffer key = BUFFER_INIT(FILE_MAX);
        const char *folder = getenv("TLS");
        int r = folder ? 0 : -EINVAL;

        if (r == 0)
                r = read_pem(probe, folder, "ca.pem", &probe->ca);
        if (r == 0)
                r = read_pem(probe, folder, "cert.pem", &probe->certificate);
        if (r == 0)
                r = read_pem(probe, folder, "key.pem", &key);
        if (r == 0 && key.size > 0)
                r = secret_new(key.data, key.size, &probe->key);
        probe->tls = (HttpTls){
                .ca_pem = probe->ca.data,
                .certificate_pem = probe->certificate.data,
                .key_pem = probe->key,
        };
        return r;
}

static int open_docker(Probe *probe)
{
        DockerOptions options = {
                .clock = &clock_system,
                .random = &random_system,
                .root = probe->root,
                .address = getenv("ENGINE"),
        };
        int r;

        r = http_client_new(
                &(HttpOptions){
                        .user_agent = "host-probe",
                        .clock = &clock_system,
                        .connect_timeout = 2 * USEC_PER_SEC,
                },
                &probe->http,
                &probe->error);
        if (r == 0 && options.address) {
                options.tls = &probe->tls;
                r = read_tls(probe);
        }
        options.http = probe->http;
        return r == 0 ? docker_new(&options, &probe->docker, &probe->error) : r;
}

static int run_ping(Probe *probe, char **arguments)
{
        (void)arguments;
        return docker_ping(probe->docker, probe->deadline, &probe->error);
}

static int run_wait(Probe *probe, char **arguments)
{
        (void)arguments;
        return docker_wait(probe->docker, probe->deadline, &probe->error);
}

static int run_has_swarm_mode(Probe *probe, char **arguments)
{
        bool value;
        int r = docker_has_swarm_mode(probe->docker, probe->deadline, &value, &probe->error);

        (void)arguments;
        return r == 0 ? json_set_bool(probe->result, "value", value) : r;
}

static int run_info(Probe *probe, char **arguments)
{
        _cleanup_(docker_info_done) DockerInfo info = {};
        int r = docker_get_info(probe->docker, probe->deadline, &info, &probe->error);

        (void)arguments;
        if (r == 0)
                r = put_text(probe, "server_version", info.server_version);
        if (r == 0)
                r = put_text(probe, "name", info.name);
        if (r == 0)
                r = put_texts(probe, "labels", info.labels);
        if (r == 0)
                r = json_set_bool(probe->result, "live_restore", info.live_restore);
        if (r == 0)
                r = put_int(probe, "swarm", (int64_t)info.swarm);
        if (r == 0)
                r = put_text(probe, "swarm_error", info.swarm_error);
        if (r == 0)
                r = put_text(probe, "swarm_id", info.swarm_id);
        if (r == 0)
                r = put_text(probe, "node_id", info.node_id);
        if (r == 0)
                r = put_text(probe, "node_address", info.node_address);
        if (r == 0)
                r = json_set_bool(probe->result, "manager", info.manager);
        return r == 0 ? put_int(probe, "classic_nodes", info.classic_nodes) : r;
}

/* init ADDRESS */
static int run_init(Probe *probe, char **arguments)
{
        return docker_swarm_init(probe->docker, arguments[0], probe->deadline, &probe->error);
}

/* join ADDRESS MANAGER; the token is in JOIN_TOKEN */
static int run_join(Probe *probe, char **arguments)
{
        _cleanup_(secret_free) Secret *token = NULL;
        const char *text = getenv("JOIN_TOKEN");
        int r = text ? secret_new_text(text, &token) : -EINVAL;

        return r < 0 ? r
                     : docker_swarm_join(probe->docker,
                               arguments[0],
                               (const char *const[]){arguments[1], NULL},
                               token,
                               probe->deadline,
                               &probe->error);
}

static int run_leave(Probe *probe, char **arguments)
{
        (void)arguments;
        return docker_swarm_leave(probe->docker, probe->deadline, &probe->error);
}

static int run_token(Probe *probe, char **arguments)
{
        _cleanup_(secret_free) Secret *token = NULL;
        int r = docker_swarm_get_worker_token(
                probe->docker, probe->deadline, &token, &probe->error);

        (void)arguments;
        return r == 0 ? put_text(probe, "token", secret_data(token)) : r;
}

static int run_nodes(Probe *probe, char **arguments)
{
        DockerNodes nodes;
        int r = docker_count_nodes(probe->docker, probe->deadline, &nodes, &probe->error);

        (void)arguments;
        if (r == 0)
                r = put_int(probe, "known", (int64_t)nodes.known);
        return r == 0 ? put_int(probe, "ready", (int64_t)nodes.ready) : r;
}

/* run NAME IMAGE COMMAND… */
static int run_run(Probe *probe, char **arguments)
{
        return docker_run(probe->docker,
                &(DockerContainer){
                        .name = arguments[0],
                        .image = arguments[1],
                        .command = (const char *const *)arguments + 2,
                },
                probe->deadline,
                &probe->error);
}

/* is-running NAME */
static int run_is_running(Probe *probe, char **arguments)
{
        bool running;
        int r = docker_is_running(
                probe->docker, arguments[0], probe->deadline, &running, &probe->error);

        return r == 0 ? json_set_bool(probe->result, "value", running) : r;
}

/* remove NAME */
static int run_remove(Probe *probe, char **arguments)
{
        return docker_remove(probe->docker, arguments[0], probe->deadline, &probe->error);
}

/* --- systemd --- */

static int open_systemd(Probe *probe)
{
        return systemd_open(
                &(SystemdOptions){
                        .address = getenv("BUS"),
                        .root = probe->root,
                        .clock = &clock_system,
                        .deadline = probe->deadline,
                },
                &probe->systemd,
                &probe->error);
}

/* unit NAME */
static int run_unit(Probe *probe, char **arguments)
{
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        int r = systemd_get_unit(
                probe->systemd, arguments[0], probe->deadline, &unit, &probe->error);

        if (r == 0)
                r = put_text(probe, "load_state", unit.load_state);
        if (r == 0)
                r = put_text(probe, "active_state", unit.active_state);
        if (r == 0)
                r = put_text(probe, "sub_state", unit.sub_state);
        if (r == 0)
                r = put_text(probe, "file_state", unit.file_state);
        if (r == 0)
                r = put_text(probe, "result", unit.result);
        if (r == 0)
                r = put_int(probe, "exec_status", unit.exec_status);
        if (r == 0)
                r = put_int(probe, "main_pid", unit.main_pid);
        return r == 0 ? json_set_bool(probe->result, "needs_reload", unit.needs_reload) : r;
}

/* exec-start NAME: its arguments, and the drop-in that is made of them */
static int run_exec_start(Probe *probe, char **arguments)
{
        _cleanup_(systemd_exec_start_done) char **command = NULL;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);
        int r = systemd_get_exec_start(
                probe->systemd, arguments[0], probe->deadline, &command, &probe->error);

        if (r == 0)
                r = put_texts(probe, "arguments", command);
        if (r == 0)
                r = engine_config_drop_in((const char *const *)command, &text, &probe->error);
        return r == 0 ? put_text(probe, "drop_in", buffer_text(&text)) : r;
}

static int run_reload(Probe *probe, char **arguments)
{
        (void)arguments;
        return systemd_reload(probe->systemd, probe->deadline, &probe->error);
}

/* VERB NAME */
#define SYSTEMD_VERB(verb)                                                             \
        static int run_##verb(Probe *probe, char **arguments)                          \
        {                                                                              \
                return systemd_##verb(                                                 \
                        probe->systemd, arguments[0], probe->deadline, &probe->error); \
        }
SYSTEMD_VERB(enable)
SYSTEMD_VERB(disable)
SYSTEMD_VERB(start)
SYSTEMD_VERB(stop)
SYSTEMD_VERB(restart)

/* merge NODE FILE: daemon.json as it is to be, of a builtin Swarm */
static int run_merge(Probe *probe, char **arguments)
{
        _cleanup_(buffer_done) Buffer was = BUFFER_INIT(FILE_MAX), text = BUFFER_INIT(FILE_MAX);
        EngineConfig config = {
                .port = 2376,
                .tls = "/etc/docker/tls",
                .label = "flocker-node",
                .label_value = arguments[0],
                .swarm_mode = true,
        };
        int r = file_read(AT_FDCWD, arguments[1], FILE_MAX, &was, &probe->error);

        if (r == 0)
                r = engine_config_merge(
                        arguments[1], buffer_text(&was), was.size, &config, &text, &probe->error);
        return r == 0 ? put_text(probe, "text", buffer_text(&text)) : r;
}

static const struct {
        const char *name;
        int arguments;
        int (*open)(Probe *probe); /* NULL: nothing is to be opened */
        int (*run)(Probe *probe, char **arguments);
} commands[] = {
        {"ping", 0, open_docker, run_ping},
        {"wait", 0, open_docker, run_wait},
        {"has-swarm-mode", 0, open_docker, run_has_swarm_mode},
        {"info", 0, open_docker, run_info},
        {"init", 1, open_docker, run_init},
        {"join", 2, open_docker, run_join},
        {"leave", 0, open_docker, run_leave},
        {"token", 0, open_docker, run_token},
        {"nodes", 0, open_docker, run_nodes},
        {"run", 2, open_docker, run_run},
        {"is-running", 1, open_docker, run_is_running},
        {"remove", 1, open_docker, run_remove},
        {"unit", 1, open_systemd, run_unit},
        {"exec-start", 1, open_systemd, run_exec_start},
        {"reload", 0, open_systemd, run_reload},
        {"enable", 1, open_systemd, run_enable},
        {"disable", 1, open_systemd, run_disable},
        {"start", 1, open_systemd, run_start},
        {"stop", 1, open_systemd, run_stop},
        {"restart", 1, open_systemd, run_restart},
        {"merge", 2, NULL, run_merge},
};

static int run(Probe *probe, int argc, char *argv[])
{
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (text_equal(commands[i].name, argv[1]) && argc - 2 >= commands[i].arguments) {
                        int r = commands[i].open ? commands[i].open(probe) : 0;

                        return r < 0 ? r : commands[i].run(probe, argv + 2);
                }
        return error_set(
                &probe->error, -EINVAL, "cannot run '%s' with %d arguments", argv[1], argc - 2);
}

int main(int argc, char *argv[])
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(16U * FILE_MAX);
        const char *root = getenv("ROOT"), *seconds = getenv("DEADLINE");
        Probe probe = {
                .root = root ? root : "/",
                .ca = BUFFER_INIT(FILE_MAX),
                .certificate = BUFFER_INIT(FILE_MAX),
                .result = json_new_object(),
        };
        uint64_t number = 30;
        Usec began;
        int r;

        digest_init();
        if (argc < 2 || (seconds && text_to_uint64(seconds, 0, 1000, &number) < 0))
                return 64;
        began = clock_now(&clock_system);
        probe.deadline = clock_deadline(&clock_system, number * USEC_PER_SEC);
        r = run(&probe, argc, argv);

        (void)put_int(&probe, "outcome", r);
        (void)put_text(&probe, "error", r != 0 ? probe.error.text : "");
        (void)put_int(&probe, "took", (int64_t)(clock_now(&clock_system) - began));
        if (json_format(probe.result, JSON_ONE_LINE, &text) == 0)
                printf("%s\n", buffer_text(&text));

        (void)docker_free(probe.docker);
        (void)systemd_free(probe.systemd);
        (void)http_client_free(probe.http);
        (void)secret_free(probe.key);
        buffer_done(&probe.ca);
        buffer_done(&probe.certificate);
        (void)json_free(probe.result);
        return r == 0 ? 0 : 1;
}
