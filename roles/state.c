#include "roles/state.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "roles/paths.h"

#include <errno.h>

#define STATE_SIZE_MAX (16U * 1024U)
#define STATE_VERSION  1

static const char *const pending_names[] = {"docker", "flocker", "leave-swarm", NULL};

static int read_text(const Json *json, const char *key, char *place, size_t size, Error *ret_error)
{
        const char *text;
        int r;

        r = json_get_text(json, "/" PATH_STATE_FILE, key, &text, ret_error);
        if (r < 0)
                return r;
        if (text_put(place, size, text) < 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '/" PATH_STATE_FILE "': %s is too long",
                        key);
        return 0;
}

static unsigned read_pending(const Json *json)
{
        const Json *list = json_member(json, "pending");
        unsigned found = 0;

        for (size_t i = 0; i < json_count(list); i++)
                for (size_t k = 0; pending_names[k]; k++)
                        if (text_equal(json_text(json_element(list, i)), pending_names[k]))
                                found |= 1U << k;
        return found;
}

static int parse(const Json *json, State *ret, Error *ret_error)
{
        static const char where[] = "/" PATH_STATE_FILE;
        State state = {};
        int64_t version;
        int r;

        r = json_get_int64(
                json, where, "version", STATE_VERSION, STATE_VERSION, &version, ret_error);
        if (r == 0)
                r = read_text(json, "instance", state.instance, sizeof(state.instance), ret_error);
        if (r == 0)
                r = read_text(json, "document", state.document, sizeof(state.document), ret_error);
        if (r == 0)
                r = read_text(json, "handle", state.handle, sizeof(state.handle), ret_error);
        if (r == 0)
                r = read_text(json, "worker", state.worker, sizeof(state.worker), ret_error);
        if (r == 0)
                r = json_get_bool(json, where, "signalled", &state.signalled, ret_error);
        if (r == 0)
                r = json_get_bool(json, where, "complete", &state.complete, ret_error);
        if (r < 0)
                return r;
        state.pending = read_pending(json);
        *ret = state;
        return 0;
}

int state_load(int root_fd, State *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STATE_SIZE_MAX);
        _cleanup_(json_free) Json *json = NULL;
        int r;

        r = file_read(root_fd, PATH_STATE_FILE, STATE_SIZE_MAX, &text, ret_error);
        if (r == -ENOENT) {
                *ret = (State){};
                return 0;
        }
        if (r == 0)
                r = json_parse(
                        "/" PATH_STATE_FILE, buffer_text(&text), text.size, &json, ret_error);
        if (r == 0)
                r = parse(json, ret, ret_error);
        return r < 0 ? error_append(ret_error, r, "; remove it to begin anew") : 0;
}

int state_save(int root_fd, const State *state, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STATE_SIZE_MAX);
        _cleanup_(json_free) Json *json = json_new_object();
        Json *pending = json_new_array();
        int r;

        r = json_set(json, "pending", pending);
        for (size_t i = 0; pending_names[i] && r == 0; i++)
                if (state->pending & (1U << i))
                        r = json_append(pending, json_new_text(pending_names[i]));
        if (r == 0)
                r = json_set_int64(json, "version", STATE_VERSION);
        if (r == 0)
                r = json_set_text(json, "instance", state->instance);
        if (r == 0)
                r = json_set_text(json, "document", state->document);
        if (r == 0)
                r = json_set_text(json, "handle", state->handle);
        if (r == 0)
                r = json_set_text(json, "worker", state->worker);
        if (r == 0)
                r = json_set_bool(json, "signalled", state->signalled);
        if (r == 0)
                r = json_set_bool(json, "complete", state->complete);
        if (r == 0)
                r = json_format(json, JSON_INDENTED, &text);
        if (r < 0)
                return error_set(ret_error, r, "cannot write '/" PATH_STATE_FILE "': %m");

        r = folder_make(root_fd, PATH_STATE, 0700, ret_error);
        return r < 0 ? r
                     : file_write_atomic(root_fd,
                               PATH_STATE_FILE,
                               buffer_text(&text),
                               text.size,
                               0600,
                               ret_error);
}
