/* The parts of Flocker's services and of classic Swarm's manager: small TLS peers that enforce the
 * real ones' rules of who may speak to whom.
 *
 * Source: flocker/control/_clusterstate.py and httpapi.py, flocker/ca/_validation.py of
 * Flocker 1.15; docker-archive/classicswarm.
 */

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"
#include "net/http.h"
#include "rehearsal/http-server.h"
#include "rehearsal/play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REST_PORT    4523U
#define AGENTS_PORT  4524U
#define MANAGER_PORT 2376U
#define FILE_MAX     (256U * 1024U)
#define AGENTS_MAX   2000U
#define ASK_TIME     (2 * USEC_PER_SEC)
#define REPORT_TIME  (30 * USEC_PER_SEC) /* hundreds may want a handshake at once */
#define AGENT_FIRST  (50 * USEC_PER_MSEC)
#define AGENT_PERIOD USEC_PER_SEC
#define JSON_TYPE    "application/json"

/* --- flocker-control --- */

typedef struct Control {
        char *agents[AGENTS_MAX]; /* the CNs of node agents that have reported */
        size_t n_agents;
} Control;

static void refuse_name(HttpCall *call, const char *expected)
{
        char text[512];

        (void)snprintf(text,
                sizeof(text),
                "{\"errors\": \"the client's certificate names '%s', expected %s\"}",
                http_call_peer(call),
                expected);
        http_call_answer_text(call, 403, JSON_TYPE, text);
}

static void answer_nodes(const Control *control, HttpCall *call)
{
        _cleanup_(json_free) Json *list = json_new_array();
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);

        for (size_t i = 0; i < control->n_agents; i++) {
                Json *node = json_new_object();

                (void)json_append(list, node);
                (void)json_set_text(node, "uuid", control->agents[i] + strlen("node-"));
        }
        (void)json_format(list, JSON_ONE_LINE, &text);
        http_call_answer(call, 200, JSON_TYPE, buffer_text(&text), text.size);
}

static void on_rest(HttpCall *call, void *userdata)
{
        if (!text_starts(http_call_peer(call), "user-"))
                refuse_name(call, "user-…");
        else if (text_equal(http_call_path(call), "/v1/version"))
                http_call_answer_text(call, 200, JSON_TYPE, "{\"flocker\": \"1.15.0\"}");
        else if (text_equal(http_call_path(call), "/v1/state/nodes"))
                answer_nodes(userdata, call);
        else
                http_call_answer_text(call, 404, JSON_TYPE, "{}");
}

static void on_agent(HttpCall *call, void *userdata)
{
        Control *control = userdata;
        const char *name = http_call_peer(call);

        if (!text_starts(name, "node-")) {
                refuse_name(call, "node-…");
                return;
        }
        for (size_t i = 0; i < control->n_agents; i++)
                if (text_equal(control->agents[i], name))
                        name = NULL;
        if (name && control->n_agents < AGENTS_MAX)
                control->agents[control->n_agents++] = text_copy(name);
        http_call_answer_text(call, 200, JSON_TYPE, "{}");
}

static int open_tls(const PlayPart *part,
        const char *authority,
        const char *certificate,
        const char *key,
        TlsContext **ret,
        Error *ret_error)
{
        _cleanup_(free) char *a = play_path(part, authority), *c = play_path(part, certificate),
                             *k = play_path(part, key);

        if (!a || !c || !k)
                return error_set(ret_error, -ENOMEM, "no memory");
        return tls_context_new(a, c, k, ret, ret_error);
}

int play_flocker_control(const PlayPart *part)
{
        static Control control;
        Error error = ERROR_INIT;
        EventLoop *loop;
        TlsContext *tls;
        HttpServer *rest, *agents;
        int r;

        r = event_loop_new(&loop, &error);
        if (r == 0)
                r = open_tls(part,
                        "/etc/flocker/cluster.crt",
                        "/etc/flocker/control-service.crt",
                        "/etc/flocker/control-service.key",
                        &tls,
                        &error);
        if (r == 0)
                r = http_server_new_tcp(
                        loop, part->address, REST_PORT, tls, on_rest, &control, &rest, &error);
        if (r == 0)
                r = http_server_new_tcp(
                        loop, part->address, AGENTS_PORT, tls, on_agent, &control, &agents, &error);
        if (r < 0)
                return play_fail("flocker-control", &error);
        play_ready();
        event_loop_run(loop);
        return 0;
}

/* --- flocker-dataset-agent --- */

typedef struct Agent {
        char *address; /* "10.0.0.1:4524" */
        Buffer authority, certificate;
        Secret *key;
} Agent;

static int read_file(const PlayPart *part, const char *path, Buffer *ret, Error *ret_error)
{
        _cleanup_(free) char *whole = play_path(part, path);

        *ret = BUFFER_INIT(FILE_MAX);
        return whole ? file_read(AT_FDCWD, whole, FILE_MAX, ret, ret_error) : -ENOMEM;
}

/* What Flocker's own schema of agent.yml asks for. */
static int read_agent_yml(const PlayPart *part, Agent *agent, Error *ret_error)
{
        static const char *const of_aws[] = {
                "region", "zone", "access_key_id", "secret_access_key"};
        _cleanup_(buffer_done) Buffer text = {};
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;
        const YamlNode *root, *service, *dataset, *backend, *host;
        int r = read_file(part, "/etc/flocker/agent.yml", &text, ret_error);

        if (r == 0)
                r = yaml_parse("agent.yml", buffer_text(&text), text.size, &document, ret_error);
        if (r < 0)
                return r;
        root = yaml_root(document);
        service = root->kind == YAML_MAPPING ? yaml_member(root, "control-service") : NULL;
        dataset = root->kind == YAML_MAPPING ? yaml_member(root, "dataset") : NULL;
        host = service && service->kind == YAML_MAPPING ? yaml_member(service, "hostname") : NULL;
        backend = dataset && dataset->kind == YAML_MAPPING ? yaml_member(dataset, "backend") : NULL;
        if (!host || !backend || !yaml_member(root, "version"))
                return error_set(ret_error,
                        -EBADMSG,
                        "Configuration has an error: version, control-service.hostname and "
                        "dataset.backend are required properties");
        for (size_t i = 0; text_equal(backend->text, "aws") && i < ELEMENTS(of_aws); i++)
                if (!yaml_member(dataset, of_aws[i]))
                        return error_set(ret_error,
                                -EBADMSG,
                                "Configuration has an error: '%s' is a required property",
                                of_aws[i]);
        agent->address = text_format("%s:%u", host->text, AGENTS_PORT);
        return agent->address ? 0 : -ENOMEM;
}

static int read_agent(const PlayPart *part, Agent *agent, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer key = {};
        int r = read_agent_yml(part, agent, ret_error);

        if (r == 0)
                r = read_file(part, "/etc/flocker/cluster.crt", &agent->authority, ret_error);
        if (r == 0)
                r = read_file(part, "/etc/flocker/node.crt", &agent->certificate, ret_error);
        if (r == 0)
                r = read_file(part, "/etc/flocker/node.key", &key, ret_error);
        return r == 0 ? secret_new(buffer_text(&key), key.size, &agent->key) : r;
}

static void report(const Agent *agent, HttpClient *http)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *url = text_format("https://%s/", agent->address);
        HttpTls tls = {
                .ca_pem = buffer_text(&agent->authority),
                .certificate_pem = buffer_text(&agent->certificate),
                .key_pem = agent->key,
                .server_name = "control-service",
        };
        HttpRequest request = {
                .method = "GET",
                .url = url,
                .deadline = clock_deadline(&clock_system, REPORT_TIME),
                .tls = &tls,
                .no_proxy = true,
        };
        Error error = ERROR_INIT;

        if (url && http_perform(http, &request, &response, &error) < 0)
                (void)fprintf(stderr, "flocker-dataset-agent: %s\n", error.text);
}

int play_flocker_agent(const PlayPart *part)
{
        HttpOptions options = {
                .user_agent = "rehearsal", .clock = &clock_system, .connect_timeout = REPORT_TIME};
        static Agent agent;
        Error error = ERROR_INIT;
        HttpClient *http = NULL;
        int r = read_agent(part, &agent, &error);

        if (r == 0)
                r = http_client_new(&options, &http, &error);
        if (r < 0)
                return play_fail("flocker-dataset-agent", &error);
        play_ready();
        for (Usec wait = AGENT_FIRST;; wait = usec_min(2 * wait, AGENT_PERIOD)) {
                report(&agent, http);
                clock_sleep_until(&clock_system, clock_deadline(&clock_system, wait));
        }
}

/* --- classic Swarm's manager --- */

typedef struct Manager {
        const PlayPart *part;
        HttpClient *http;
        char *members;  /* a path */
        Buffer text;    /* what stood there when it was last read */
        Usec heartbeat; /* how often it is read: a minute, if it is not said */
        Usec read_at;
        Buffer authority, certificate;
        Secret *key;
} Manager;

static const char *find_option(const PlayPart *part, const char *name)
{
        for (char **word = part->arguments; *word; word++)
                if (text_starts(*word, name) && (*word)[strlen(name)] == '=')
                        return *word + strlen(name) + 1;
        return NULL;
}

/* Does the engine answer to our certificate? */
static bool is_healthy(const Manager *manager, const char *address)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *url = text_format("https://%s/_ping", address);
        HttpTls tls = {
                .ca_pem = buffer_text(&manager->authority),
                .certificate_pem = buffer_text(&manager->certificate),
                .key_pem = manager->key,
        };
        HttpRequest request = {
                .method = "GET",
                .url = url,
                .deadline = clock_deadline(&clock_system, ASK_TIME),
                .tls = &tls,
                .no_proxy = true,
        };

        return url && http_perform(manager->http, &request, &response, NULL) == 0 &&
               response.status == 200;
}

/* The real one's file discovery looks once in a heartbeat (docker/pkg/discovery/file). */
static void look_at_members(Manager *manager)
{
        Usec now = clock_now(&clock_system);

        if (manager->read_at > 0 && now - manager->read_at < manager->heartbeat)
                return;
        buffer_done(&manager->text);
        manager->text = BUFFER_INIT(FILE_MAX);
        manager->read_at = now;
        (void)file_read(AT_FDCWD, manager->members, FILE_MAX, &manager->text, NULL);
}

static size_t count_engines(Manager *manager)
{
        _cleanup_(free) char *text = NULL;
        size_t count = 0;
        char *rest, *line;

        look_at_members(manager);
        text = text_copy(buffer_text(&manager->text));
        rest = text;
        while (rest && (line = strsep(&rest, "\n")))
                count += *line && is_healthy(manager, line);
        return count;
}

static void on_manager_call(HttpCall *call, void *userdata)
{
        const char *path = http_call_path(call);
        char text[512];

        http_call_set_header(call, "Api-Version", "1.22");
        if (text_ends(path, "/_ping")) {
                http_call_answer_text(call, 200, "text/plain", "OK");
        } else if (text_ends(path, "/info")) {
                (void)snprintf(text,
                        sizeof(text),
                        "{\"ServerVersion\":\"swarm/"
                        "1.2.9\",\"Name\":\"swarm-manager\",\"Labels\":null,"
                        "\"SystemStatus\":[[\"Role\",\"primary\"],[\"Strategy\",\"spread\"],"
                        "[\"\\u0008Nodes\",\"%zu\"]]}",
                        count_engines(userdata));
                http_call_answer_text(call, 200, JSON_TYPE, text);
        } else {
                http_call_answer_text(call, 404, JSON_TYPE, "{\"message\":\"page not found\"}");
        }
}

/* "2s"; a minute, if it is not said. */
static int read_heartbeat(const char *text, Usec *ret, Error *ret_error)
{
        _cleanup_(free) char *number = text ? text_copy_part(text, strcspn(text, "s")) : NULL;
        uint64_t seconds = 60;

        if (text &&
                (!number || !text_ends(text, "s") || text_to_uint64(number, 1, 3600, &seconds) < 0))
                return error_set(ret_error, -EINVAL, "--heartbeat=%s is no time", text);
        *ret = seconds * USEC_PER_SEC;
        return 0;
}

static int open_manager(Manager *manager, TlsContext **ret, Error *ret_error)
{
        const PlayPart *part = manager->part;
        const char *authority = find_option(part, "--tlscacert");
        const char *certificate = find_option(part, "--tlscert"),
                   *key = find_option(part, "--tlskey");
        _cleanup_(buffer_done) Buffer secret = {};
        int r;

        r = read_heartbeat(find_option(part, "--heartbeat"), &manager->heartbeat, ret_error);
        if (r < 0)
                return r;
        for (char **word = part->arguments; *word; word++)
                if (text_starts(*word, "file://"))
                        manager->members = play_path(part, *word + strlen("file://"));
        if (!authority || !certificate || !key || !manager->members)
                return error_set(ret_error,
                        -EINVAL,
                        "--tlscacert, --tlscert, --tlskey and file:// are required");
        r = open_tls(part, authority, certificate, key, ret, ret_error);
        if (r == 0)
                r = read_file(part, authority, &manager->authority, ret_error);
        if (r == 0)
                r = read_file(part, certificate, &manager->certificate, ret_error);
        if (r == 0)
                r = read_file(part, key, &secret, ret_error);
        return r == 0 ? secret_new(buffer_text(&secret), secret.size, &manager->key) : r;
}

int play_manager(const PlayPart *part)
{
        HttpOptions options = {
                .user_agent = "swarm", .clock = &clock_system, .connect_timeout = USEC_PER_SEC};
        static Manager manager;
        Error error = ERROR_INIT;
        HttpServer *server;
        TlsContext *tls;
        EventLoop *loop;
        int r;

        manager.part = part;
        r = event_loop_new(&loop, &error);
        if (r == 0)
                r = http_client_new(&options, &manager.http, &error);
        if (r == 0)
                r = open_manager(&manager, &tls, &error);
        if (r == 0)
                r = http_server_new_tcp(loop,
                        part->address,
                        MANAGER_PORT,
                        tls,
                        on_manager_call,
                        &manager,
                        &server,
                        &error);
        if (r < 0)
                return play_fail("swarm", &error);
        play_ready();
        event_loop_run(loop);
        return 0;
}
