/* The imitated engine's one image and its one container: the classic manager. */

#include "base/text.h"
#include "rehearsal/engine-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE      "swarm:1.2.9"
#define AGAIN_TIME (100 * USEC_PER_MSEC) /* until a container comes back */

static void on_again(void *userdata)
{
        Engine *engine = userdata;
        Error error = ERROR_INIT;

        if (!engine->manager && engine_start_container(engine, &error) < 0)
                (void)fprintf(stderr, "dockerd: %s\n", error.text);
}

/* A container with a restart policy comes back, whatever it ended with; not one that was removed.
 */
static void on_manager_exit(int status, void *userdata)
{
        Engine *engine = userdata;
        const Json *host = json_member(engine->container, "HostConfig");
        const char *policy = engine_get(json_member(host, "RestartPolicy"), "Name");

        engine->manager = event_child_free(engine->manager);
        engine->manager_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if ((text_equal(policy, "always") || text_equal(policy, "unless-stopped")) &&
                (engine->again ||
                        event_timer_new(engine->loop, on_again, engine, &engine->again) == 0))
                event_timer_set(engine->again, AGAIN_TIME);
}

int engine_start_container(Engine *engine, Error *ret_error)
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
        return text_equal(engine_get(engine->container, "Name"), name);
}

void engine_create_container(Engine *engine, HttpCall *call)
{
        _cleanup_(free) char *name = http_call_parameter(call, "name");
        Json *body = engine_read_body(call), *json;

        if (!text_equal(engine_get(body, "Image"), IMAGE)) {
                engine_refuse(call, 404, "No such image: %s", engine_get(body, "Image"));
                (void)json_free(body);
                return;
        }
        if (has_container(engine, name)) {
                engine_refuse(call,
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
        engine_save(engine, ENGINE_CONTAINER_FILE, body);
        json = json_new_object();
        (void)json_set_text(json, "Id", name ? name : "one");
        engine_answer(call, 201, json);
}

/* Inspected: what it was made of, as the client said it, and how it is. */
static Json *describe(const Engine *engine, const char *name)
{
        const Json *host = json_member(engine->container, "HostConfig");
        Json *json = json_new_object(), *state = json_new_object();

        (void)json_set_text(json, "Id", name);
        (void)json_set_text(json, "Name", name);
        (void)json_set(json, "Config", json_ref(engine->container));
        (void)json_set(
                json, "HostConfig", host ? json_ref((Json *)(uintptr_t)host) : json_new_object());
        (void)json_set(json, "NetworkSettings", json_new_object());
        (void)json_set(json, "State", state);
        (void)json_set_bool(state, "Running", engine->manager != NULL);
        (void)json_set_bool(state, "Restarting", false);
        (void)json_set_int64(state, "ExitCode", engine->manager ? 0 : engine->manager_status);
        return json;
}

void engine_list_containers(Engine *engine, HttpCall *call)
{
        const char *name = engine_get(engine->container, "Name");
        Json *list = json_new_array();

        if (name[0]) {
                Json *json = json_new_object(), *names = json_new_array();
                _cleanup_(free) char *path = text_format("/%s", name);

                (void)json_set_text(json, "Id", name);
                (void)json_append(names, json_new_text(path));
                (void)json_set(json, "Names", names);
                (void)json_set_text(json, "Image", IMAGE);
                (void)json_set_text(json, "State", engine->manager ? "running" : "exited");
                (void)json_set_text(json, "Status", engine->manager ? "Up" : "Exited");
                (void)json_append(list, json);
        }
        engine_answer(call, 200, list);
}

void engine_list_images(Engine *engine, HttpCall *call)
{
        Json *list = json_new_array(), *json = json_new_object(), *tags = json_new_array();

        (void)engine;
        (void)json_set_text(json, "Id", IMAGE);
        (void)json_append(tags, json_new_text(IMAGE));
        (void)json_set(json, "RepoTags", tags);
        (void)json_append(list, json);
        engine_answer(call, 200, list);
}

void engine_serve_container(Engine *engine, HttpCall *call, const char *rest)
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
                engine_refuse(call, 404, "No such container: %s", name);
        } else if (text_equal(http_call_method(call), "DELETE")) {
                engine->manager = event_child_free(engine->manager);
                if (engine->again)
                        event_timer_stop(engine->again);
                engine->container = json_free(engine->container);
                engine->container = json_new_object();
                engine_save(engine, ENGINE_CONTAINER_FILE, engine->container);
                http_call_answer(call, 204, NULL, NULL, 0);
        } else if (text_equal(verb, "start")) {
                if (engine->manager)
                        http_call_answer(call, 304, NULL, NULL, 0);
                else if (engine_start_container(engine, &error) < 0)
                        engine_refuse(call, 500, "%s", error.text);
                else
                        http_call_answer(call, 204, NULL, NULL, 0);
        } else if (text_equal(verb, "json")) {
                engine_answer(call, 200, describe(engine, name));
        } else {
                http_call_answer_text(call, 200, "text/plain", "");
        }
}
