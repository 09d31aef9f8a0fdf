#include "rehearsal/systemd-parts.h"

#include "base/folder.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE     SYSTEMD_SERVICE
#define INTERFACE   SYSTEMD_INTERFACE
#define UNIT_PREFIX SYSTEMD_MANAGER "/unit/"
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define BOOT_UNIT   SYSTEMD_BOOT_UNIT
#define BOOT_TARGET SYSTEMD_BOOT_TARGET

static const char *const job_names[] = {"", "start", "stop", "restart"};

/* --- units --- */

Unit *systemd_find_unit(SystemdHost *host, const char *name)
{
        for (Unit *unit = host->units; unit; unit = unit->next)
                if (text_equal(unit->name, name))
                        return unit;
        return NULL;
}

Unit *systemd_load_unit(SystemdHost *host, const char *name)
{
        Unit *unit = systemd_find_unit(host, name);

        if (!unit_is_named_well(name))
                return NULL;
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

static void on_turn(void *userdata)
{
        systemd_run_jobs(userdata);
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

static void refuse_name(DbusPeer *peer, const DbusMessage *call)
{
        char text[512];

        (void)snprintf(text, sizeof(text), "Unit name %s is not valid.", read_name(call));
        dbus_reply_error(peer, call, "org.freedesktop.DBus.Error.InvalidArgs", text);
}

static void answer_unit(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        Unit *unit = systemd_load_unit(host, read_name(call));
        char path[PATH_BYTES];

        if (!unit) {
                refuse_name(peer, call);
                return;
        }
        escape_path(unit->name, path);
        answer_text(peer, call, "o", path);
}

/* Is there anything that keeps a job from being made? Then it is said. */
static bool refuse_job(DbusPeer *peer, const DbusMessage *call, const Unit *unit, JobKind kind)
{
        if (unit->file.load == UNIT_NOT_FOUND)
                refuse(peer, call, SERVICE ".NoSuchUnit", "not found.", unit->name);
        else if (unit->file.load == UNIT_MASKED && kind != JOB_STOP)
                refuse(peer, call, SERVICE ".UnitMasked", "is masked.", unit->name);
        else if (unit->file.load == UNIT_BAD_SETTING && kind != JOB_STOP)
                refuse(peer,
                        call,
                        SERVICE ".BadUnitSetting",
                        "has a bad unit file setting.",
                        unit->name);
        else
                return false;
        return true;
}

static void answer_job(SystemdHost *host, DbusPeer *peer, const DbusMessage *call, JobKind kind)
{
        const char *name = read_name(call);
        Unit *unit = systemd_load_unit(host, name);
        char path[PATH_BYTES];

        if (!unit) {
                refuse_name(peer, call);
                return;
        }
        if (unit->file.refuses_start && kind != JOB_STOP) {
                char text[512];

                (void)snprintf(text,
                        sizeof(text),
                        "Operation refused, unit %s may be requested by dependency only (it is "
                        "configured to refuse manual start/stop).",
                        name);
                dbus_reply_error(peer, call, SERVICE ".OnlyByDependency", text);
                return;
        }
        if (refuse_job(peer, call, unit, kind))
                return;
        for (size_t i = 0; kind != JOB_STOP && unit->file.required[i]; i++) {
                const Unit *other = systemd_load_unit(host, unit->file.required[i]);

                if (other && refuse_job(peer, call, other, kind))
                        return;
        }
        systemd_queue_job(unit, kind);
        systemd_job_path(unit->job_id, path, sizeof(path));
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
                Unit *unit = systemd_load_unit(host, names[i]);
                bool changed = false;

                if (enable && (!unit || unit->file.load == UNIT_NOT_FOUND)) {
                        refuse(peer,
                                call,
                                "org.freedesktop.DBus.Error.FileNotFound",
                                "file does not exist.",
                                names[i]);
                        return;
                }
                if (enable && unit->file.load == UNIT_MASKED) {
                        refuse(peer, call, SERVICE ".UnitMasked", "is masked.", names[i]);
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
                systemd_job_path(unit->job_id, job, sizeof(job));
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
                        systemd_end_job(unit, "canceled");
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
                        (void)text_put(unit->result, sizeof(unit->result), "success");
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
        Unit *unit = systemd_load_unit(host, name);

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
                systemd_forget_process(unit);
                unit->timeout = event_timer_free(unit->timeout);
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
        Unit *unit = systemd_load_unit(host, name);

        (void)folder_fd;
        (void)ret_error;
        if (unit && unit->file.load == UNIT_LOADED &&
                text_equal(unit_file_state(host->root, name, &unit->file), "enabled"))
                systemd_queue_job(unit, JOB_START);
        return 0;
}

int systemd_host_boot(SystemdHost *host, EventCallback booted, void *userdata, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/usr/lib/systemd/system", host->root);
        _cleanup_(close) int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        Unit *last = systemd_load_unit(host, BOOT_UNIT),
             *target = systemd_load_unit(host, BOOT_TARGET);

        host->booted = booted;
        host->booted_userdata = userdata;
        if (last && last->file.load == UNIT_LOADED) {
                systemd_queue_job(last, JOB_START);
                last->job_running = true;
        }
        if (target && target->file.load == UNIT_LOADED)
                systemd_queue_job(target, JOB_START);
        event_timer_set(host->turn, 0);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot boot '%s': %m", host->root);
        return folder_list(fd, path, 1000, start_if_enabled, host, ret_error);
}

void systemd_host_end_boot(SystemdHost *host)
{
        Unit *last = systemd_find_unit(host, BOOT_UNIT);

        if (last) {
                last->active = true;
                systemd_end_job(last, "done");
        }
}
