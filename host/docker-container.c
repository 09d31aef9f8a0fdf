#include "host/docker-call.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_HEAD 8U

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
        _cleanup_(docker_call_done)
                DockerCall call = {.method = "POST", .path = path, .body = body};
        int r;

        if (!path || !what || describe_container(container, body) < 0)
                return error_set(ret_error, -ENOMEM, "cannot make a container: %m");
        r = docker_call_expect(docker, &call, what, deadline, ret_error);
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
        _cleanup_(docker_call_done) DockerCall call = {.method = "POST", .path = path};
        int r;

        if (!path || !what)
                return error_set(ret_error, -ENOMEM, "cannot start a container: %m");
        r = docker_call_perform(docker, &call, deadline, ret_error);
        if (r < 0 || call.status == 204 || call.status == 304) /* 304: it runs already */
                return r;
        return docker_call_refuse(docker, &call, what, ret_error);
}

/* A log without a terminal comes in frames: a stream's number, three zeros, the length (four bytes,
 * the first the highest), the bytes. In place to plain text; a log with a terminal is that already.
 * Docker Engine API, ContainerAttach, "Stream format". */
static void unframe(DockerCall *call)
{
        const unsigned char *bytes = (const unsigned char *)call->text;
        size_t from = 0, to = 0;

        while (call->text_size - from > FRAME_HEAD && bytes[from] <= 2 && bytes[from + 1] == 0) {
                size_t length = (size_t)bytes[from + 4] << 24 | (size_t)bytes[from + 5] << 16 |
                                (size_t)bytes[from + 6] << 8 | bytes[from + 7];
                size_t left = call->text_size - from - FRAME_HEAD;

                length = length < left ? length : left; /* the last one is cut by our bound */
                memmove(call->text + to, call->text + from + FRAME_HEAD, length);
                from += FRAME_HEAD + length;
                to += length;
        }
        if (to > 0)
                call->text[to] = '\0';
}

/* The last lines of a container that has ended, for the sentence. */
static void append_log(Docker *docker, const char *name, Usec deadline, Error *ret_error)
{
        _cleanup_(free) char *path =
                text_format("/containers/%s/logs?stdout=1&stderr=1&tail=3", name);
        _cleanup_(docker_call_done) DockerCall call = {.method = "GET", .path = path};

        if (!path || docker_call_perform(docker, &call, deadline, NULL) < 0 || call.status != 200)
                return;
        unframe(&call);
        text_flatten(call.text);
        if (call.text[0])
                error_record_behind(ret_error, "; it said: %.300s", call.text);
}

typedef struct ContainerState {
        bool running;
        bool restarting; /* it has ended, and is about to be started again; "running" all the same
                          */
        int64_t status;  /* its last exit's */
} ContainerState;

static int read_state(
        const DockerCall *call, const char *name, ContainerState *ret, Error *ret_error)
{
        const Json *state;
        int r = json_get_object(call->answer, name, "State", &state, ret_error);

        if (r == 0)
                r = json_get_bool(state, name, "Running", &ret->running, ret_error);
        if (r == 0)
                r = json_get_bool(state, name, "Restarting", &ret->restarting, ret_error);
        return r < 0 ? r
                     : json_get_int64(state,
                               name,
                               "ExitCode",
                               INT32_MIN,
                               INT32_MAX,
                               &ret->status,
                               ret_error);
}

int docker_is_running(Docker *docker, const char *name, Usec deadline, bool *ret, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("/containers/%s/json", name);
        _cleanup_(docker_call_done) DockerCall call = {.method = "GET", .path = path};
        ContainerState state = {};
        int r;

        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot look at a container: %m");
        r = docker_call_perform(docker, &call, deadline, ret_error);
        if (r == 0 && call.status == 200)
                r = read_state(&call, name, &state, ret_error);
        else if (r == 0 && call.status != 404)
                r = docker_call_refuse(docker, &call, "look at a container", ret_error);
        if (r < 0)
                return r;

        if (state.restarting || (!state.running && state.status != 0)) {
                r = error_set(ret_error,
                        -EIO,
                        "cannot use the container '%s': it ended with status %" PRId64,
                        name,
                        state.status);
                append_log(docker, name, deadline, ret_error);
                return r;
        }
        *ret = state.running;
        return 0;
}

int docker_remove(Docker *docker, const char *name, Usec deadline, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("/containers/%s?force=true", name);
        _cleanup_(free) char *what = text_format("remove the container '%s'", name);
        _cleanup_(docker_call_done) DockerCall call = {.method = "DELETE", .path = path};
        int r;

        if (!path || !what)
                return error_set(ret_error, -ENOMEM, "cannot remove a container: %m");
        r = docker_call_perform(docker, &call, deadline, ret_error);
        if (r < 0 || call.status == 204 || call.status == 404)
                return r;
        return docker_call_refuse(docker, &call, what, ret_error);
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
