#include "host/engine-config.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_HOST "unix:///var/run/docker.sock"
#define HOSTS_MAX   2U

/* The merge in its course. */
typedef struct Merge {
        const char *name;
        const EngineConfig *config;
        Json *json; /* as it is to be */
        Error *ret_error;
} Merge;

static int out_of_memory(const Merge *merge)
{
        return error_set(merge->ret_error, -ENOMEM, "cannot write '%s': %m", merge->name);
}

static int refuse_value(const Merge *merge, const char *key, const Json *found, const char *wanted)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(4096);

        (void)json_format(found, JSON_ONE_LINE, &text);
        return error_set(merge->ret_error,
                -EDOM,
                "cannot use '%s': its %s is %.200s, and %s is wanted; take the key out, or let "
                "them agree",
                merge->name,
                key,
                buffer_text(&text),
                wanted);
}

/* A text that is ours to set: absent, or the same already. */
static int set_text(Merge *merge, const char *key, const char *wanted)
{
        const Json *found = json_member(merge->json, key);

        if (found && !text_equal(json_text(found), wanted))
                return refuse_value(merge, key, found, wanted);
        return json_set_text(merge->json, key, wanted) < 0 ? out_of_memory(merge) : 0;
}

static int set_true(Merge *merge, const char *key)
{
        const Json *found = json_member(merge->json, key);
        bool value = true;

        if (found && (json_get_bool(merge->json, merge->name, key, &value, NULL) < 0 || !value))
                return refuse_value(merge, key, found, "true");
        return json_set_bool(merge->json, key, true) < 0 ? out_of_memory(merge) : 0;
}

static int set_tls_files(Merge *merge)
{
        static const char *const files[][2] = {
                {"tlscacert", "ca.pem"},
                {"tlscert", "cert.pem"},
                {"tlskey", "key.pem"},
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(files) && r == 0; i++) {
                _cleanup_(free) char *path = text_format("%s/%s", merge->config->tls, files[i][1]);

                r = path ? set_text(merge, files[i][0], path) : out_of_memory(merge);
        }
        return r;
}

/* Ours: the socket, and TCP on our port or one of ours of another Swarm mode. */
static bool is_our_host(const char *host)
{
        return text_equal(host, SOCKET_HOST) || text_equal(host, "fd://") ||
               text_equal(host, "unix:///run/docker.sock") ||
               text_equal(host, "tcp://0.0.0.0:2375") || text_equal(host, "tcp://0.0.0.0:2376");
}

static int set_hosts(Merge *merge)
{
        const Json *found = json_member(merge->json, "hosts");
        Json *hosts = json_new_array();
        char tcp[32];
        int r;

        for (size_t i = 0; i < json_count(found); i++)
                if (!is_our_host(json_text(json_element(found, i)))) {
                        (void)json_free(hosts);
                        return refuse_value(
                                merge, "hosts", found, "a list of our own (socket and TLS port)");
                }
        (void)snprintf(tcp, sizeof(tcp), "tcp://0.0.0.0:%u", merge->config->port);
        r = json_append(
                hosts, json_new_text(merge->config->socket_activated ? "fd://" : SOCKET_HOST));
        if (r == 0)
                r = json_append(hosts, json_new_text(tcp));
        if (r < 0) {
                (void)json_free(hosts);
                return out_of_memory(merge);
        }
        return json_set(merge->json, "hosts", hosts) < 0 ? out_of_memory(merge) : 0;
}

/* "flocker-node=1" in place of an older one of that name; others stay. */
static int set_label(Merge *merge)
{
        const EngineConfig *config = merge->config;
        const Json *found = json_member(merge->json, "labels");
        _cleanup_(free) char *label = NULL;
        Json *labels = json_new_array();
        size_t length = strlen(config->label);
        int r = 0;

        for (size_t i = 0; i < json_count(found) && r == 0; i++) {
                const char *text = json_text(json_element(found, i));

                if (text && !(text_starts(text, config->label) && text[length] == '='))
                        r = json_append(labels, json_new_text(text));
        }
        label = text_format("%s=%s", config->label, config->label_value);
        if (r == 0)
                r = json_append(labels, json_new_text(label));
        if (r < 0) {
                (void)json_free(labels);
                return out_of_memory(merge);
        }
        return json_set(merge->json, "labels", labels) < 0 ? out_of_memory(merge) : 0;
}

static int check_live_restore(const Merge *merge)
{
        bool live_restore = false;

        if (!merge->config->swarm_mode ||
                json_get_bool(merge->json, merge->name, "live-restore", &live_restore, NULL) < 0 ||
                !live_restore)
                return 0;
        return error_set(merge->ret_error,
                -EDOM,
                "cannot use '%s': its live-restore is true, and the engine's swarm mode forbids "
                "that; take it out, or choose another swarm mode",
                merge->name);
}

static int merge_keys(Merge *merge)
{
        int r = check_live_restore(merge);

        if (r == 0)
                r = set_hosts(merge);
        if (r == 0)
                r = set_true(merge, "tls");
        if (r == 0)
                r = set_true(merge, "tlsverify");
        if (r == 0)
                r = set_tls_files(merge);
        if (r == 0 && merge->config->label_value)
                r = set_label(merge);
        return r;
}

int engine_config_merge(const char *name,
        const char *text,
        size_t size,
        const EngineConfig *config,
        Buffer *ret,
        Error *ret_error)
{
        _cleanup_(json_free) Json *json = NULL;
        Merge merge = {.name = name, .config = config, .ret_error = ret_error};
        int r = 0;

        if (strspn(text, " \t\r\n") == size) /* dockerd takes an empty file for none */
                json = json_new_object();
        else
                r = json_parse(name, text, size, &json, ret_error);
        if (r < 0)
                return r;
        if (!json)
                return out_of_memory(&merge);
        if (!json_is_object(json))
                return error_set(
                        ret_error, -EBADMSG, "cannot read '%s': expected a JSON object", name);

        merge.json = json;
        r = merge_keys(&merge);
        if (r == 0 && json_format(json, JSON_INDENTED, ret) < 0)
                r = out_of_memory(&merge);
        return r;
}

/* An argument as a unit file has it: quoted where it must be, '%' doubled (specifiers), '"' and
 * '\' escaped. '$' stays: the unit's own file had it expanded too. systemd.service(5), "Command
 * lines". */
static int append_argument(Buffer *ret, const char *argument)
{
        bool quoted = argument[0] == '\0' || strpbrk(argument, " \t\n\"'\\;") != NULL;
        int r = quoted ? buffer_append_text(ret, " \"") : buffer_append_text(ret, " ");

        for (const char *c = argument; *c && r == 0; c++) {
                if (*c == '%')
                        r = buffer_append_text(ret, "%%");
                else if (*c == '"' || *c == '\\')
                        r = buffer_append_format(ret, "\\%c", *c);
                else if (*c == '\n')
                        r = buffer_append_text(ret, "\\n");
                else
                        r = buffer_append(ret, c, 1);
        }
        return r == 0 && quoted ? buffer_append_text(ret, "\"") : r;
}

/* -H x, -Hx, -H=x, --host x, --host=x: how many arguments it takes; 0: it is another. */
static size_t measure_host(const char *const *arguments)
{
        const char *argument = arguments[0];

        if (text_equal(argument, "-H") || text_equal(argument, "--host"))
                return arguments[1] ? 2 : 1;
        return text_starts(argument, "-H") || text_starts(argument, "--host=") ? 1 : 0;
}

int engine_config_drop_in(const char *const *arguments, Buffer *ret, Error *ret_error)
{
        int r;

        r = buffer_append_text(ret,
                "# Written by flocker-bootstrap: the unit's own command without -H, as "
                "daemon.json has the hosts.\n[Service]\nExecStart=\nExecStart=");
        if (r == 0 && arguments[0])
                r = buffer_append_text(ret, arguments[0]);
        for (size_t i = 1; arguments[0] && arguments[i] && r == 0;) {
                size_t skipped = measure_host(&arguments[i]);

                if (skipped == 0)
                        r = append_argument(ret, arguments[i]);
                i += skipped > 0 ? skipped : 1;
        }
        if (r == 0)
                r = buffer_append_text(ret, "\n");
        return r < 0 ? error_set(ret_error, r, "cannot write the drop-in of docker.service: %m")
                     : 0;
}
