#include "rehearsal/systemd-parts.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE     "org.freedesktop.systemd1"
#define MANAGER     "/org/freedesktop/systemd1"
#define INTERFACE   SERVICE ".Manager"
#define UNIT_PREFIX MANAGER "/unit/"
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define WORDS_MAX   64U
#define PATH_BYTES  1024U
#define BOOT_UNIT   "cloud-final.service"
#define BOOT_TARGET "cloud-init.target"

static const char *const job_names[] = {"", "start", "stop", "restart"};

/* --- units --- */

static Unit *find_unit(SystemdHost *host, const char *name)
{
        for (Unit *unit = host->units; unit; unit = unit->next)
                if (text_equal(unit->name, name))
                        return unit;
        return NULL;
}

static Unit *load_unit(SystemdHost *host, const char *name)
{
        Unit *unit = find_unit(host, name);

        if (!unit) {
                unit = calloc(1, sizeof(*unit));
                if (!unit || text_put(unit->name, sizeof(unit->name), name) < 0) {
                        free(unit);
                        return NULL;
                }
                unit->host = host;
                unit->ready = -1;
                (void)text_put(unit->result, sizeof(unit->result), "success");
                unit->next = host->units;
                host->units = unit;
        }
        if (unit->file.load == UNIT_NOT_FOUND) /* it may have been installed since */
                (void)unit_load(host->root, name, &unit->file, NULL);
        return unit;
}

static void reload_units(SystemdHost *host)
{
        for (Unit *unit = host->units; unit; unit = unit->next) {
                UnitFile file = {};

                if (unit_load(host->root, unit->name, &file, NULL) < 0)
                        continue;
                unit_done(&unit->file);
                unit->file = file;
        }
}

bool systemd_needs_reload(const Unit *unit)
{
        _cleanup_(unit_done) UnitFile file = {};

        return unit_load(unit->host->root, unit->name, &file, NULL) == 0 &&
               !text_equal(file.digest, unit->file.digest);
}

static void escape_path(const char *name, char place[PATH_BYTES])
{
        size_t used = strlen(UNIT_PREFIX);

        (void)text_put(place, PATH_BYTES, UNIT_PREFIX);
        for (const char *c = name; *c && used + 4 < PATH_BYTES; c++)
                used += (size_t)snprintf(place + used,
                        PATH_BYTES - used,
                        isalnum((unsigned char)*c) ? "%c" : "_%02x",
                        (unsigned char)*c);
}

Unit *systemd_find_by_path(SystemdHost *host, const char *path)
{
        for (Unit *unit = host->units; unit; unit = unit->next) {
                char own[PATH_BYTES];

                escape_path(unit->name, own);
                if (text_equal(own, path))
                        return unit;
        }
        return NULL;
}

/* --- jobs --- */

static void job_path(uint32_t id, char place[PATH_BYTES])
{
        (void)snprintf(place, PATH_BYTES, MANAGER "/job/%u", id);
}

static void check_booted(SystemdHost *host)
{
        EventCallback booted = host->booted;

        for (Unit *unit = host->units; booted && unit; unit = unit->next)
                if (unit->job != JOB_NONE && !text_equal(unit->name, BOOT_UNIT) &&
                        !text_equal(unit->name, BOOT_TARGET))
                        return;
        host->booted = NULL;
        if (booted)
                booted(host->booted_userdata);
}

static void end_job(Unit *unit, const char *result)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;
        char path[PATH_BYTES];

        if (unit->job == JOB_NONE)
                return;
        job_path(unit->job_id, path);
        unit->job = JOB_NONE;
        (void)text_put(body.signature, sizeof(body.signature), "uoss");
        dbus_append_uint32(&body, unit->job_id);
        dbus_append_text(&body, path);
        dbus_append_text(&body, unit->name);
        dbus_append_text(&body, result);
        dbus_emit(unit->host->bus, MANAGER, INTERFACE, "JobRemoved", &body);
        event_timer_set(unit->host->turn, 0); /* others may have waited for it */
        check_booted(unit->host);
}

static void forget_process(Unit *unit)
{
        unit->reader = event_reader_free(unit->reader);
        close_p(&unit->ready);
        unit->child = event_child_free(unit->child);
}

static void start_process(Unit *unit);

static void on_exit_of(int status, void *userdata)
{
        Unit *unit = userdata;
        bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

        forget_process(unit);
        unit->active = unit->file.oneshot && clean;
        unit->failed = !clean && !unit->stopping;
        unit->status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        (void)text_put(unit->result,
                sizeof(unit->result),
                !unit->failed       ? "success"
                : WIFEXITED(status) ? "exit-code"
                                    : "signal");
        if (unit->stopping && unit->job == JOB_RESTART) {
                unit->stopping = false;
                start_process(unit);
                return;
        }
        if (unit->stopping)
                end_job(unit, "done");
        else
                end_job(unit, clean && unit->file.oneshot ? "done" : "failed");
        unit->stopping = false;
}

static void on_ready(void *userdata)
{
        Unit *unit = userdata;
        char byte;
        ssize_t got = read(unit->ready, &byte, 1);

        unit->reader = event_reader_free(unit->reader);
        close_p(&unit->ready);
        if (got != 1) /* it has ended; its exit says more */
                return;
        unit->active = true;
        end_job(unit, "done");
}

static int open_log(const Unit *unit)
{
        _cleanup_(free) char *folder = text_format("%s/var/log/units", unit->host->root);
        _cleanup_(free) char *path =
                text_format("%s/var/log/units/%s.log", unit->host->root, unit->name);

        if (!folder || !path || folder_make(AT_FDCWD, folder, 0755, NULL) < 0)
                return -1;
        return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

/* "flocker-rehearsal as dockerd --root=… --address=… -- …" */
static int spawn(Unit *unit, int ready, Error *ret_error)
{
        SystemdHost *host = unit->host;
        const char *name = strrchr(unit->file.arguments[0], '/');
        _cleanup_(free) char *root = text_format("--root=%s", host->root);
        _cleanup_(free) char *address = text_format("--address=%s", host->address);
        _cleanup_(close) int log = open_log(unit);
        char *words[WORDS_MAX + UNIT_ARGUMENTS_MAX] = {host->program, (char[]){"as"}};
        EventSpawn spawn = {
                .program = host->program,
                .arguments = words,
                .environment = host->options.environment,
                .folder = "/",
                .output = log,
                .ready = ready,
                .exited = on_exit_of,
                .userdata = unit,
        };
        _cleanup_(free) char *bootstrap = text_format("--bootstrap=%s", host->options.bootstrap);
        _cleanup_(free) char *basename = text_copy(name ? name + 1 : unit->file.arguments[0]);
        size_t count = 2;

        if (!root || !address || !basename || !bootstrap)
                return error_set(ret_error, -ENOMEM, "cannot start '%s': %m", unit->name);
        words[count++] = basename;
        words[count++] = root;
        words[count++] = address;
        words[count++] = bootstrap;
        words[count++] = (char[]){"--ready"};
        words[count++] = (char[]){"--"};
        for (size_t i = 1; unit->file.arguments[i]; i++)
                words[count++] = unit->file.arguments[i];
        return event_spawn(host->options.loop, &spawn, &unit->child, ret_error);
}

static void start_process(Unit *unit)
{
        int fds[2];

        if (!unit->file.arguments[0]) { /* a socket, a target */
                unit->active = true;
                end_job(unit, "done");
                return;
        }
        if (pipe2(fds, O_CLOEXEC) < 0) {
                end_job(unit, "failed");
                return;
        }
        unit->ready = fds[0];
        if (spawn(unit, fds[1], NULL) < 0 ||
                event_reader_new(
                        unit->host->options.loop, unit->ready, on_ready, unit, &unit->reader) < 0) {
                forget_process(unit);
                end_job(unit, "failed");
        }
        (void)close(fds[1]);
}

/* A job waits for those of the units that its own is ordered after. */
static bool has_to_wait(const Unit *unit)
{
        for (size_t i = 0; unit->file.after[i]; i++) {
                const Unit *other = find_unit(unit->host, unit->file.after[i]);

                if (other && other->job != JOB_NONE)
                        return true;
        }
        return false;
}

static void run_job(Unit *unit)
{
        if (text_equal(unit->name, BOOT_UNIT)) /* that is whom this boot waits for */
                return;
        if (unit->job != JOB_STOP && has_to_wait(unit))
                return;
        unit->job_running = true;
        if (unit->child && unit->job != JOB_START) {
                unit->stopping = true;
                event_child_kill(unit->child, SIGTERM);
        } else if (unit->job == JOB_STOP) {
                unit->active = unit->failed = false;
                end_job(unit, "done");
        } else if (unit->child && unit->active) {
                end_job(unit, "done");
        } else if (!unit->child) {
                start_process(unit);
        }
}

static void on_turn(void *userdata)
{
        SystemdHost *host = userdata;

        for (Unit *unit = host->units; unit; unit = unit->next)
                if (unit->job != JOB_NONE && !unit->job_running)
                        run_job(unit);
        check_booted(host);
}

/* A new job takes the place of one that waits ("replace"). */
static void queue_job(Unit *unit, JobKind kind)
{
        if (unit->job != JOB_NONE)
                end_job(unit, "canceled");
        unit->job = kind;
        unit->job_id = ++unit->host->jobs;
        unit->job_running = false;
        event_timer_set(unit->host->turn, 0);
}

/* --- answers --- */

static void refuse(DbusPeer *peer,
        const DbusMessage *call,
        const char *name,
        const char *format,
        const char *unit)
{
        char text[512];

        (void)snprintf(text, sizeof(text), "Unit %s %s", unit, format);
        dbus_reply_error(peer, call, name, text);
}

static void answer_text(DbusPeer *peer, const DbusMessage *call, const char *type, const char *text)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;

        (void)text_put(body.signature, sizeof(body.signature), type);
        dbus_append_text(&body, text);
        dbus_reply(peer, call, &body);
}

static const char *read_name(const DbusMessage *call)
{
        DbusReader reader = dbus_reader(call);
        const char *name = "";

        (void)dbus_read_text(&reader, &name);
        return name;
}

static void answer_unit(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        Unit *unit = load_unit(host, read_name(call));
        char path[PATH_BYTES];

        if (!unit) {
                dbus_reply_error(peer,
                        call,
                        "org.freedesktop.DBus.Error.InvalidArgs",
                        "Unit name is not valid.");
                return;
        }
        escape_path(unit->name, path);
        answer_text(peer, call, "o", path);
}

static void answer_job(SystemdHost *host, DbusPeer *peer, const DbusMessage *call, JobKind kind)
{
        const char *name = read_name(call);
        Unit *unit = load_unit(host, name);
        char path[PATH_BYTES];

        if (!unit || unit->file.load == UNIT_NOT_FOUND) {
                refuse(peer, call, SERVICE ".NoSuchUnit", "not found.", name);
                return;
        }
        if (unit->file.load == UNIT_MASKED && kind != JOB_STOP) {
                refuse(peer, call, SERVICE ".UnitMasked", "is masked.", name);
                return;
        }
        queue_job(unit, kind);
        job_path(unit->job_id, path);
        answer_text(peer, call, "o", path);
}

static void append_change(DbusBody *body, const Unit *unit, const char *kind)
{
        char link[PATH_BYTES];

        (void)snprintf(link,
                sizeof(link),
                "/etc/systemd/system/%s.wants/%s",
                unit->file.wanted_by[0] ? unit->file.wanted_by[0] : "",
                unit->name);
        dbus_align(body, 8);
        dbus_append_text(body, kind);
        dbus_append_text(body, link);
        dbus_append_text(body, text_equal(kind, "symlink") ? unit->file.path : "");
}

static void answer_enable(SystemdHost *host, DbusPeer *peer, const DbusMessage *call, bool enable)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;
        DbusReader reader = dbus_reader(call);
        const char *names[UNIT_LIST_MAX];
        size_t count = 0, mark;

        if (dbus_read_texts(&reader, names, UNIT_LIST_MAX, &count) < 0) {
                dbus_reply_error(
                        peer, call, "org.freedesktop.DBus.Error.InvalidArgs", "Invalid arguments");
                return;
        }
        (void)text_put(body.signature, sizeof(body.signature), enable ? "ba(sss)" : "a(sss)");
        if (enable)
                dbus_append_uint32(&body, true);
        mark = dbus_begin_array(&body, 8);
        for (size_t i = 0; i < count; i++) {
                Unit *unit = load_unit(host, names[i]);
                bool changed = false;

                if (enable && (!unit || unit->file.load == UNIT_NOT_FOUND)) {
                        refuse(peer,
                                call,
                                "org.freedesktop.DBus.Error.FileNotFound",
                                "file does not exist.",
                                names[i]);
                        return;
                }
                if (unit &&
                        unit_enable(host->root, names[i], &unit->file, enable, &changed, NULL) ==
                                0 &&
                        changed)
                        append_change(&body, unit, enable ? "symlink" : "unlink");
        }
        dbus_end_array(&body, mark);
        dbus_reply(peer, call, &body);
}

static void answer_jobs(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;
        size_t mark;

        (void)text_put(body.signature, sizeof(body.signature), "a(usssoo)");
        mark = dbus_begin_array(&body, 8);
        for (Unit *unit = host->units; unit; unit = unit->next) {
                char job[PATH_BYTES], path[PATH_BYTES];

                if (unit->job == JOB_NONE)
                        continue;
                job_path(unit->job_id, job);
                escape_path(unit->name, path);
                dbus_align(&body, 8);
                dbus_append_uint32(&body, unit->job_id);
                dbus_append_text(&body, unit->name);
                dbus_append_text(&body, job_names[unit->job]);
                dbus_append_text(&body, unit->job_running ? "running" : "waiting");
                dbus_append_text(&body, job);
                dbus_append_text(&body, path);
        }
        dbus_end_array(&body, mark);
        dbus_reply(peer, call, &body);
}

static void answer_cancel(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        DbusReader reader = dbus_reader(call);
        uint32_t id = 0;

        (void)dbus_read_uint32(&reader, &id);
        for (Unit *unit = host->units; unit; unit = unit->next)
                if (unit->job != JOB_NONE && unit->job_id == id) {
                        end_job(unit, "canceled");
                        dbus_reply(peer, call, NULL);
                        return;
                }
        dbus_reply_error(peer, call, SERVICE ".NoSuchJob", "Job does not exist.");
}

/* --- methods --- */

typedef void (*Method)(SystemdHost *host, DbusPeer *peer, const DbusMessage *call);

static void do_nothing(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        (void)host;
        dbus_reply(peer, call, NULL);
}

static void do_reload(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        reload_units(host);
        dbus_reply(peer, call, NULL);
}

static void do_start(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        answer_job(host, peer, call, JOB_START);
}

static void do_reset_failed(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        const char *name = read_name(call);

        for (Unit *unit = host->units; unit; unit = unit->next)
                if (text_equal(unit->name, name)) {
                        unit->failed = false;
                        dbus_reply(peer, call, NULL);
                        return;
                }
        refuse(peer, call, SERVICE ".NoSuchUnit", "not loaded.", name);
}

static void do_stop(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        answer_job(host, peer, call, JOB_STOP);
}

static void do_restart(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        answer_job(host, peer, call, JOB_RESTART);
}

static void do_enable(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        answer_enable(host, peer, call, true);
}

static void do_disable(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        answer_enable(host, peer, call, false);
}

static void do_file_state(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        const char *name = read_name(call);
        Unit *unit = load_unit(host, name);

        if (!unit || unit->file.load == UNIT_NOT_FOUND)
                refuse(peer,
                        call,
                        "org.freedesktop.DBus.Error.FileNotFound",
                        "file does not exist.",
                        name);
        else
                answer_text(peer, call, "s", unit_file_state(host->root, name, &unit->file));
}

static const struct {
        const char *interface, *member;
        Method method;
} methods[] = {
        {INTERFACE, "Subscribe", do_nothing},
        {INTERFACE, "Unsubscribe", do_nothing},
        {INTERFACE, "Reload", do_reload},
        {INTERFACE, "LoadUnit", answer_unit},
        {INTERFACE, "GetUnit", answer_unit},
        {INTERFACE, "StartUnit", do_start},
        {INTERFACE, "StopUnit", do_stop},
        {INTERFACE, "RestartUnit", do_restart},
        {INTERFACE, "ResetFailedUnit", do_reset_failed},
        {INTERFACE, "EnableUnitFiles", do_enable},
        {INTERFACE, "DisableUnitFiles", do_disable},
        {INTERFACE, "GetUnitFileState", do_file_state},
        {INTERFACE, "ListJobs", answer_jobs},
        {INTERFACE, "CancelJob", answer_cancel},
        {PROPERTIES, "Get", systemd_answer_property},
        {PROPERTIES, "GetAll", systemd_answer_all},
};

static void on_call(DbusPeer *peer, const DbusMessage *call, void *userdata)
{
        for (size_t i = 0; i < ELEMENTS(methods); i++)
                if (text_equal(call->member, methods[i].member) &&
                        (!call->interface[0] ||
                                text_equal(call->interface, methods[i].interface))) {
                        methods[i].method(userdata, peer, call);
                        return;
                }
        dbus_reply_error(peer, call, "org.freedesktop.DBus.Error.UnknownMethod", "Unknown method.");
}

/* --- the host --- */

int systemd_host_new(const SystemdHostOptions *options, SystemdHost **ret, Error *ret_error)
{
        _cleanup_(systemd_host_free) SystemdHost *host = calloc(1, sizeof(*host));
        _cleanup_(free) char *folder = text_format("%s/run/dbus", options->root);
        _cleanup_(free) char *path = text_format("%s/run/dbus/system_bus_socket", options->root);
        int r;

        if (host) {
                host->options = *options;
                host->root = text_copy(options->root);
                host->address = text_copy(options->address);
                host->program = text_copy(options->program);
        }
        if (!host || !folder || !path || !host->root || !host->address || !host->program ||
                event_timer_new(options->loop, on_turn, host, &host->turn) < 0)
                return error_set(ret_error, -ENOMEM, "cannot imitate systemd: %m");
        r = folder_make(AT_FDCWD, folder, 0755, ret_error);
        if (r == 0)
                r = dbus_bus_new(
                        options->loop, path, SERVICE, on_call, host, &host->bus, ret_error);
        if (r == 0)
                *ret = TAKE_PTR(host);
        return r;
}

SystemdHost *systemd_host_free(SystemdHost *host)
{
        if (!host)
                return NULL;
        for (Unit *unit = host->units, *next; unit; unit = next) {
                next = unit->next;
                forget_process(unit);
                unit_done(&unit->file);
                free(unit);
        }
        host->bus = dbus_bus_free(host->bus);
        host->turn = event_timer_free(host->turn);
        free(host->root);
        free(host->address);
        free(host->program);
        free(host);
        return NULL;
}

static int start_if_enabled(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        SystemdHost *host = userdata;
        Unit *unit = load_unit(host, name);

        (void)folder_fd;
        (void)ret_error;
        if (unit && unit->file.load == UNIT_LOADED &&
                text_equal(unit_file_state(host->root, name, &unit->file), "enabled"))
                queue_job(unit, JOB_START);
        return 0;
}

int systemd_host_boot(SystemdHost *host, EventCallback booted, void *userdata, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/usr/lib/systemd/system", host->root);
        _cleanup_(close) int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        Unit *last = load_unit(host, BOOT_UNIT), *target = load_unit(host, BOOT_TARGET);

        host->booted = booted;
        host->booted_userdata = userdata;
        if (last && last->file.load == UNIT_LOADED) {
                queue_job(last, JOB_START);
                last->job_running = true;
        }
        if (target && target->file.load == UNIT_LOADED)
                queue_job(target, JOB_START);
        event_timer_set(host->turn, 0);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot boot '%s': %m", host->root);
        return folder_list(fd, path, 1000, start_if_enabled, host, ret_error);
}

void systemd_host_end_boot(SystemdHost *host)
{
        Unit *last = find_unit(host, BOOT_UNIT);

        if (last) {
                last->active = true;
                end_job(last, "done");
        }
}
