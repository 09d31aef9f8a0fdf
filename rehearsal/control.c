#include "rehearsal/control.h"

#include "base/json.h"
#include "base/text.h"
#include "rehearsal/container.h"
#include "rehearsal/http-server.h"
#include "rehearsal/instance.h"
#include "rehearsal/s3-server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN        "text/plain; charset=utf-8"
#define LISTING_MAX  (4U * 1024U * 1024U)
#define MACHINES_AT  "/machines/"
#define STORE_AT     "/store/"
#define FIRST_NUMBER 100U /* the last byte of the first address that is given here */
#define LAUNCHED_MAX 100U

struct Control {
        Machines *machines;
        const Cloud *cloud;
        HttpServer *server;
        unsigned launched;
};

/* --- answers --- */

static void refuse(HttpCall *call, unsigned status, const char *text)
{
        _cleanup_(free) char *line = text_format("%s\n", text);

        http_call_answer_text(call, status, PLAIN, line ? line : "");
}

static void answer_outcome(HttpCall *call, int r, const Error *error)
{
        if (r < 0)
                refuse(call, 409, error->text);
        else
                http_call_answer_text(call, 200, PLAIN, "");
}

static Json *describe(const Instance *instance)
{
        const Container *container = instance_container(instance);
        _cleanup_(free) char *console = text_format("%s.console", instance_root(instance));
        const char *user_data = instance_user_data(instance);
        Json *json = json_new_object();

        (void)json_set_text(json, "name", instance_name(instance));
        (void)json_set_text(json, "id", instance_id(instance));
        (void)json_set_text(json, "address", instance_address(instance));
        (void)json_set_int64(json, "leader", container ? container_leader(container) : 0);
        (void)json_set_bool(json, "booting", instance_is_running(instance));
        (void)json_set_text(json, "root", instance_root(instance));
        (void)json_set_text(json, "console", console ? console : "");
        (void)json_set_text(json, "userData", user_data ? user_data : "");
        return json;
}

static void list_machines(const Control *control, HttpCall *call)
{
        _cleanup_(json_free) Json *list = json_new_array();
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(LISTING_MAX);
        const Instance *instance;

        for (size_t i = 0; (instance = machines_get(control->machines, i)); i++)
                (void)json_append(list, describe(instance));
        (void)json_format(list, JSON_INDENTED, &text);
        http_call_answer(call, 200, "application/json", buffer_text(&text), text.size);
}

/* --- one machine --- */

/* The body as a text: a heap string; NULL: it holds a NUL, or memory is out. */
static char *read_text(const HttpCall *call)
{
        size_t size;
        const char *body = http_call_body(call, &size);

        return memchr(body, '\0', size) ? NULL : text_copy_part(body, size);
}

static int change(Instance *instance, const char *what, const HttpCall *call, Error *ret_error)
{
        _cleanup_(free) char *text = read_text(call);

        if (!text)
                return error_set(ret_error, -EINVAL, "cannot use the body: it is no text");
        if (text_equal(what, "user-data"))
                return instance_set_user_data(instance, text, ret_error);
        return instance_move(instance, text_strip(text), ret_error);
}

static void serve_action(HttpCall *call, Instance *instance, const char *action)
{
        Container *container = instance_container(instance);
        bool post = text_equal(http_call_method(call), "POST");
        bool put = text_equal(http_call_method(call), "PUT");
        Error error = ERROR_INIT;

        if (post && text_equal(action, "stop")) {
                container_stop(container);
                answer_outcome(call, 0, &error);
        } else if (post && text_equal(action, "start")) {
                answer_outcome(call, container_start(container, &error), &error);
        } else if (put && (text_equal(action, "user-data") || text_equal(action, "address"))) {
                answer_outcome(call, change(instance, action, call, &error), &error);
        } else {
                refuse(call, 404, "expected POST …/stop or …/start, PUT …/user-data or …/address");
        }
}

static int launch(Control *control, const HttpCall *call, const char *name, Error *ret_error)
{
        _cleanup_(free) char *like = http_call_parameter(call, "like");
        _cleanup_(free) char *user_data = read_text(call);
        const Instance *model = like ? machines_find(control->machines, like) : NULL;
        Instance *instance;
        char address[32];

        if (!model)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot launch '%s': expected ?like=NAME of a machine that there is",
                        name);
        if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") !=
                        strlen(name) ||
                !*name)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot launch '%s': expected letters and digits as its name",
                        name);
        if (!user_data || control->launched >= LAUNCHED_MAX)
                return error_set(ret_error,
                        -ENOSPC,
                        "cannot launch '%s': %s",
                        name,
                        user_data ? "there is no address left" : "its user-data is no text");
        (void)snprintf(
                address, sizeof(address), NETWORK_PREFIX ".%u", FIRST_NUMBER + control->launched++);
        return instance_new_like(model, name, address, user_data, &instance, ret_error);
}

static void serve_machine(Control *control, HttpCall *call)
{
        const char *rest = http_call_path(call) + strlen(MACHINES_AT), *slash = strchr(rest, '/');
        _cleanup_(free) char *name = text_copy_part(rest, strcspn(rest, "/"));
        Instance *instance = name ? machines_find(control->machines, name) : NULL;
        Error error = ERROR_INIT;

        if (!slash && !instance && text_equal(http_call_method(call), "POST")) {
                answer_outcome(call, launch(control, call, name, &error), &error);
        } else if (!instance) {
                refuse(call, 404, "there is no machine of that name");
        } else if (!slash && text_equal(http_call_method(call), "DELETE")) {
                instance_terminate(instance);
                answer_outcome(call, 0, &error);
        } else {
                serve_action(call, instance, slash ? slash + 1 : "");
        }
}

/* --- the store --- */

static void add_key(const char *key, size_t size, void *userdata)
{
        (void)size;
        (void)buffer_append_format(userdata, "%s\n", key);
}

static void serve_store(const Control *control, HttpCall *call)
{
        const char *rest = http_call_path(call) + strlen(STORE_AT), *slash = strchr(rest, '/');
        _cleanup_(free) char *bucket = text_copy_part(rest, strcspn(rest, "/"));
        _cleanup_(buffer_done) Buffer keys = BUFFER_INIT(LISTING_MAX);
        const S3Server *s3 = cloud_s3(control->cloud);
        const Buffer *content;

        if (s3) {
                _cleanup_(free) char *where = text_format("the store is at '%s'", s3->url);

                refuse(call, 404, where ? where : "the store is elsewhere");
                return;
        }
        if (!bucket || cloud_count_objects(control->cloud, bucket) < 0) {
                refuse(call, 404, "there is no bucket of that name");
                return;
        }
        if (!slash) {
                cloud_list(control->cloud, bucket, add_key, &keys);
                http_call_answer(call, 200, PLAIN, buffer_text(&keys), keys.size);
                return;
        }
        content = cloud_look(control->cloud, bucket, slash + 1);
        if (content)
                http_call_answer(
                        call, 200, "application/octet-stream", buffer_text(content), content->size);
        else
                refuse(call, 404, "there is no object of that key");
}

static void on_call(HttpCall *call, void *userdata)
{
        Control *control = userdata;
        const char *path = http_call_path(call);
        bool get = text_equal(http_call_method(call), "GET");

        if (get && text_equal(path, "/machines"))
                list_machines(control, call);
        else if (get && text_starts(path, STORE_AT))
                serve_store(control, call);
        else if (text_starts(path, MACHINES_AT))
                serve_machine(control, call);
        else
                refuse(call, 404, "expected /machines or /store");
}

int control_new(EventLoop *loop,
        Machines *machines,
        const Cloud *cloud,
        const char *path,
        Control **ret,
        Error *ret_error)
{
        Control *control = calloc(1, sizeof(*control));
        int r;

        if (!control)
                return error_set(ret_error, -ENOMEM, "cannot listen on '%s': %m", path);
        *control = (Control){.machines = machines, .cloud = cloud};
        r = http_server_new_unix(loop, path, on_call, control, &control->server, ret_error);
        if (r < 0) {
                free(control);
                return r;
        }
        *ret = control;
        return 0;
}

Control *control_free(Control *control)
{
        if (!control)
                return NULL;
        control->server = http_server_free(control->server);
        free(control);
        return NULL;
}
