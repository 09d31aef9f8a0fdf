/* configure-docker: the engine told to serve TLS, under our label; or put back as it was. */

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "host/engine-config.h"
#include "roles/files.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNIT         "docker.service"
#define SOCKET_UNIT  "docker.socket"
#define DROP_IN_DIR  "etc/systemd/system/docker.service.d"
#define KEPT_JSON    "daemon.json"
#define KEPT_DROP_IN "drop-in.conf"
#define KEPT_WHOLE   "whole"             /* the first to go: what lacks it was being removed */
#define BACK_TIME    (30 * USEC_PER_SEC) /* to bring the engine back as it was */

/* Both files: as they are, and as they are to be. */
typedef struct Files {
        Buffer json_was, json, drop_in_was, drop_in;
        bool had_json, had_drop_in;
} Files;

#define FILES_INIT                                             \
        ((Files){.json_was = BUFFER_INIT(ENGINE_CONFIG_MAX),   \
                .json = BUFFER_INIT(ENGINE_CONFIG_MAX),        \
                .drop_in_was = BUFFER_INIT(ENGINE_CONFIG_MAX), \
                .drop_in = BUFFER_INIT(ENGINE_CONFIG_MAX)})

static void files_done(Files *files)
{
        buffer_done(&files->json_was);
        buffer_done(&files->json);
        buffer_done(&files->drop_in_was);
        buffer_done(&files->drop_in);
}
DEFINE_CLEANUP_IN_PLACE(Files, files_done);

static int read_if_there(
        const Role *role, const char *path, Buffer *ret, bool *ret_there, Error *ret_error)
{
        int r = file_read(role->root_fd, path, ENGINE_CONFIG_MAX, ret, ret_error);

        *ret_there = r == 0;
        return r == -ENOENT ? 0 : r;
}

static int plan_drop_in(Role *role, Files *files, Error *ret_error)
{
        _cleanup_(systemd_exec_start_done) char **arguments = NULL;
        Systemd *systemd;
        int r;

        r = role_get_systemd(role, &systemd, ret_error);
        if (r == 0)
                r = systemd_get_exec_start(
                        systemd, UNIT, role->step_deadline, &arguments, ret_error);
        if (r == 0)
                r = engine_config_drop_in(
                        (const char *const *)arguments, &files->drop_in, ret_error);
        return r;
}

static int plan_json(Role *role, Files *files, Error *ret_error)
{
        _cleanup_(systemd_unit_done) SystemdUnit socket = {};
        char node[24];
        EngineConfig config = {.tls = "/" PATH_DOCKER_TLS, .label = "flocker-node"};
        Systemd *systemd;
        SwarmMode mode;
        int r;

        r = role_get_swarm_mode(role, &mode, ret_error);
        if (r == 0)
                r = role_get_systemd(role, &systemd, ret_error);
        if (r == 0)
                r = systemd_get_unit(systemd, SOCKET_UNIT, role->step_deadline, &socket, ret_error);
        if (r < 0)
                return r;

        (void)snprintf(node,
                sizeof(node),
                "%" PRId64,
                role->settings->role == ROLE_CONTROL ? 0 : role->settings->node);
        config.label_value = node;
        config.port = role_engine_port(mode);
        config.socket_activated = text_equal(socket.active_state, "active");
        config.swarm_mode = mode == SWARM_BUILTIN;
        return engine_config_merge("/" PATH_DAEMON_JSON,
                buffer_text(&files->json_was),
                files->json_was.size,
                &config,
                &files->json,
                ret_error);
}

static int plan(Role *role, Files *files, Error *ret_error)
{
        int r;

        r = read_if_there(role, PATH_DAEMON_JSON, &files->json_was, &files->had_json, ret_error);
        if (r == 0)
                r = read_if_there(
                        role, PATH_DROP_IN, &files->drop_in_was, &files->had_drop_in, ret_error);
        if (r == 0)
                r = plan_json(role, files, ret_error);
        return r < 0 ? r : plan_drop_in(role, files, ret_error);
}

static bool is_same(const Buffer *a, const Buffer *b)
{
        return a->size == b->size && memcmp(buffer_text(a), buffer_text(b), a->size) == 0;
}

static bool is_as_planned(const Files *files)
{
        return files->had_json && files->had_drop_in && is_same(&files->json, &files->json_was) &&
               is_same(&files->drop_in, &files->drop_in_was);
}

int step_docker_is_configured(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(files_done) Files files = FILES_INIT;
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        int r = plan(role, &files, ret_error);

        *ret = false;
        if (r < 0)
                return r;
        if ((role->state.pending & STATE_PENDING_DOCKER) || !is_as_planned(&files))
                return 0;
        r = systemd_get_unit(role->systemd, UNIT, role->step_deadline, &unit, ret_error);
        if (r == 0)
                *ret = text_equal(unit.active_state, "active") && !unit.needs_reload;
        return r;
}

static int put_file(const Role *role, const char *path, const Buffer *content, Error *ret_error)
{
        return file_write_atomic(
                role->root_fd, path, buffer_text(content), content->size, 0644, ret_error);
}

static bool is_kept(const Role *role)
{
        return files_are_there(
                role->root_fd, (const char *const[]){PATH_DOCKER_BEFORE "/" KEPT_WHOLE, NULL});
}

/* What the files were, on disk: a machine must find its way back also after a kill. One that is
 * there is of an earlier try, and is the true one. */
static int keep_files(const Role *role, const Files *files, Error *ret_error)
{
        FileContent kept[3] = {{KEPT_WHOLE, "", 0, 0600}};
        size_t count = 1;

        if (is_kept(role))
                return 0;
        if (files->had_json)
                kept[count++] = (FileContent){
                        KEPT_JSON, buffer_text(&files->json_was), files->json_was.size, 0644};
        if (files->had_drop_in)
                kept[count++] = (FileContent){KEPT_DROP_IN,
                        buffer_text(&files->drop_in_was),
                        files->drop_in_was.size,
                        0644};
        return files_replace_folder(role, PATH_DOCKER_BEFORE, kept, count, NULL, ret_error);
}

static int forget_files(const Role *role, Error *ret_error)
{
        int r = file_remove(role->root_fd, PATH_DOCKER_BEFORE "/" KEPT_WHOLE, ret_error);

        return r < 0 ? r : folder_remove(role->root_fd, PATH_DOCKER_BEFORE, ret_error);
}

static int write_files(Role *role, const Files *files, Error *ret_error)
{
        int r;

        r = role_set_pending(role, STATE_PENDING_DOCKER, true, ret_error);
        if (r == 0)
                r = keep_files(role, files, ret_error);
        if (r == 0)
                r = folder_make(role->root_fd, "etc/docker", 0755, ret_error);
        if (r == 0)
                r = folder_make(role->root_fd, DROP_IN_DIR, 0755, ret_error);
        if (r == 0 && !is_as_planned(files)) /* images share it: each engine makes its own */
                r = file_remove(role->root_fd, PATH_DOCKER_KEY, ret_error);
        if (r == 0)
                r = put_file(role, PATH_DAEMON_JSON, &files->json, ret_error);
        return r < 0 ? r : put_file(role, PATH_DROP_IN, &files->drop_in, ret_error);
}

static int start_engine(Role *role, Usec deadline, Error *ret_error)
{
        Docker *engine = NULL;
        int r;

        r = systemd_reload(role->systemd, deadline, ret_error);
        if (r == 0)
                r = systemd_enable(role->systemd, UNIT, deadline, ret_error);
        if (r == 0)
                r = systemd_restart(role->systemd, UNIT, deadline, ret_error);
        if (r == 0)
                r = role_get_engine(role, &engine, ret_error);
        return r < 0 ? r : docker_wait(engine, deadline, ret_error);
}

static int put_file_back(const Role *role, const char *kept, const char *path, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(ENGINE_CONFIG_MAX);
        bool there;
        int r = read_if_there(role, kept, &text, &there, ret_error);

        if (r < 0)
                return r;
        return there ? put_file(role, path, &text, ret_error)
                     : file_remove(role->root_fd, path, ret_error);
}

int step_put_docker_back(Role *role, Error *ret_error)
{
        Usec deadline = clock_deadline(role->clock, BACK_TIME);
        Systemd *systemd = NULL;
        int r;

        if (!is_kept(role))
                return 0;
        r = put_file_back(role, PATH_DOCKER_BEFORE "/" KEPT_JSON, PATH_DAEMON_JSON, ret_error);
        if (r == 0)
                r = put_file_back(
                        role, PATH_DOCKER_BEFORE "/" KEPT_DROP_IN, PATH_DROP_IN, ret_error);
        if (r == 0)
                r = forget_files(role, ret_error);
        if (r == 0)
                r = role_get_systemd(role, &systemd, ret_error);
        if (r == 0)
                r = systemd_reload(systemd, deadline, ret_error);
        if (r < 0)
                return r;
        role_say(role, ROLE_NOTE, "the engine's configuration was put back as it was");
        r = systemd_restart(systemd, UNIT, deadline, ret_error);
        return r < 0 ? error_prefix(ret_error, r, "with its former configuration too") : 0;
}

/* On one line, for a person. */
static int say_json(const Role *role, const Files *files, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer line = BUFFER_INIT(ENGINE_CONFIG_MAX);
        _cleanup_(json_free) Json *json = NULL;
        int r = json_parse("/" PATH_DAEMON_JSON,
                buffer_text(&files->json),
                files->json.size,
                &json,
                ret_error);

        if (r == 0)
                r = json_format(json, JSON_ONE_LINE, &line);
        if (r == 0)
                (void)role_would(role, "write /" PATH_DAEMON_JSON ": %s", buffer_text(&line));
        return r;
}

static int say_plan(const Role *role, const Files *files, Error *ret_error)
{
        int r = 0;

        if (!files->had_json || !is_same(&files->json, &files->json_was))
                r = say_json(role, files, ret_error);
        if (!files->had_drop_in || !is_same(&files->drop_in, &files->drop_in_was))
                (void)role_would(role, "write /" PATH_DROP_IN ": %s", buffer_text(&files->drop_in));
        (void)role_would(role, "restart " UNIT);
        return r;
}

int step_configure_docker(Role *role, Error *ret_error)
{
        _cleanup_(files_done) Files files = FILES_INIT;
        int r = plan(role, &files, ret_error);

        if (r < 0)
                return r;
        if (role->dry_run)
                return say_plan(role, &files, ret_error);

        r = write_files(role, &files, ret_error);
        if (r < 0)
                return r;
        r = start_engine(role, role->step_deadline, ret_error);
        if (r == 0)
                r = forget_files(role, ret_error);
        return r < 0 ? r : role_set_pending(role, STATE_PENDING_DOCKER, false, ret_error);
}
