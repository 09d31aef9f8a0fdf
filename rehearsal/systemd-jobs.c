/* The jobs of the imitated systemd, and the processes that they start and end. */

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "rehearsal/systemd-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64U

void systemd_job_path(uint32_t id, char *place, size_t size)
{
        (void)snprintf(place, size, SYSTEMD_MANAGER "/job/%u", id);
}

static void check_booted(SystemdHost *host)
{
        EventCallback booted = host->booted;

        for (Unit *unit = host->units; booted && unit; unit = unit->next)
                if (unit->job != JOB_NONE && !text_equal(unit->name, SYSTEMD_BOOT_UNIT) &&
                        !text_equal(unit->name, SYSTEMD_BOOT_TARGET))
                        return;
        host->booted = NULL;
        if (booted)
                booted(host->booted_userdata);
}

static bool requires_unit(const Unit *unit, const char *name)
{
        for (size_t i = 0; unit->file.required[i]; i++)
                if (text_equal(unit->file.required[i], name))
                        return true;
        return false;
}

/* Who waits to be started and requires a unit that could not be: "dependency". */
static void fail_dependents(Unit *unit)
{
        for (Unit *other = unit->host->units; other; other = other->next)
                if (other->job != JOB_NONE && other->job != JOB_STOP && !other->job_running &&
                        requires_unit(other, unit->name))
                        systemd_end_job(other, "dependency");
}

void systemd_end_job(Unit *unit, const char *result)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;
        bool starting = unit->job != JOB_STOP;
        char path[PATH_BYTES];

        if (unit->job == JOB_NONE)
                return;
        systemd_job_path(unit->job_id, path, sizeof(path));
        unit->job = JOB_NONE;
        (void)text_put(body.signature, sizeof(body.signature), "uoss");
        dbus_append_uint32(&body, unit->job_id);
        dbus_append_text(&body, path);
        dbus_append_text(&body, unit->name);
        dbus_append_text(&body, result);
        dbus_emit(unit->host->bus, SYSTEMD_MANAGER, SYSTEMD_INTERFACE, "JobRemoved", &body);
        event_timer_set(unit->host->turn, 0); /* others may have waited for it */
        if (starting && !text_equal(result, "done"))
                fail_dependents(unit);
        check_booted(unit->host);
}

/* --- processes --- */

void systemd_forget_process(Unit *unit)
{
        unit->reader = event_reader_free(unit->reader);
        close_p(&unit->ready);
        unit->child = event_child_free(unit->child);
        if (unit->timeout)
                event_timer_stop(unit->timeout);
}

static void start_process(Unit *unit);

/* systemd.service(5), "Result": why a unit has failed; "success": it has not. */
static const char *judge_exit(const Unit *unit, int status)
{
        bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

        if (unit->timed_out)
                return "timeout";
        if (unit->stopping || (clean && (unit->active || unit->file.type != UNIT_NOTIFY)))
                return "success";
        if (clean) /* it was to say that it is ready */
                return "protocol";
        return WIFEXITED(status) ? "exit-code" : "signal";
}

static void on_exit_of(int status, void *userdata)
{
        Unit *unit = userdata;
        const char *result = judge_exit(unit, status);
        bool stopping = unit->stopping, done;

        systemd_forget_process(unit);
        unit->failed = !text_equal(result, "success");
        unit->active =
                !unit->failed && !stopping && unit->file.type == UNIT_ONESHOT && unit->file.remains;
        unit->status = !unit->failed       ? 0
                       : WIFEXITED(status) ? WEXITSTATUS(status)
                                           : WTERMSIG(status);
        (void)text_put(unit->result, sizeof(unit->result), result);
        unit->stopping = unit->timed_out = false;
        if (stopping && unit->job == JOB_RESTART) {
                start_process(unit);
                return;
        }
        done = stopping || (!unit->failed && unit->file.type == UNIT_ONESHOT);
        if (unit->job_running)
                systemd_end_job(unit, done ? "done" : "failed");
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
        if (unit->timeout)
                event_timer_stop(unit->timeout);
        unit->active = true;
        systemd_end_job(unit, "done");
}

static void on_timeout(void *userdata)
{
        Unit *unit = userdata;

        unit->timed_out = true;
        if (unit->child)
                event_child_kill(unit->child, SIGTERM);
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

/* "flocker-rehearsal as dockerd --root=… --address=… -- …"; `ready` is -1 where nobody asks. */
static int spawn(Unit *unit, int ready, Error *ret_error)
{
        SystemdHost *host = unit->host;
        const char *name = strrchr(unit->file.arguments[0], '/');
        _cleanup_(free) char *root = text_format("--root=%s", host->root);
        _cleanup_(free) char *address = text_format("--address=%s", host->address);
        _cleanup_(close) int log = open_log(unit);
        char *words[WORDS_MAX + UNIT_ARGUMENTS_MAX] = {host->program, (char[]){"as"}};
        char tell[] = "--ready";
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
        if (ready >= 0)
                words[count++] = tell;
        words[count++] = (char[]){"--"};
        for (size_t i = 1; unit->file.arguments[i]; i++)
                words[count++] = unit->file.arguments[i];
        return event_spawn(host->options.loop, &spawn, &unit->child, ret_error);
}

/* One that says when it is ready. */
static int spawn_notifying(Unit *unit)
{
        EventLoop *loop = unit->host->options.loop;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        unit->ready = fds[0];
        r = spawn(unit, fds[1], NULL);
        (void)close(fds[1]);
        return r == 0 ? event_reader_new(loop, unit->ready, on_ready, unit, &unit->reader) : r;
}

static void limit_start(Unit *unit)
{
        if (unit->file.start_timeout == 0 || unit->file.type == UNIT_SIMPLE)
                return;
        if (unit->timeout ||
                event_timer_new(unit->host->options.loop, on_timeout, unit, &unit->timeout) == 0)
                event_timer_set(unit->timeout, unit->file.start_timeout);
}

static void start_process(Unit *unit)
{
        int r;

        unit->failed = false;
        unit->status = 0;
        (void)text_put(unit->result, sizeof(unit->result), "success");
        if (!unit->file.arguments[0]) { /* a socket, a target */
                unit->active = true;
                systemd_end_job(unit, "done");
                return;
        }
        r = unit->file.type == UNIT_NOTIFY ? spawn_notifying(unit) : spawn(unit, -1, NULL);
        if (r < 0) {
                systemd_forget_process(unit);
                systemd_end_job(unit, "failed");
        } else if (unit->file.type == UNIT_SIMPLE) {
                unit->active = true;
                systemd_end_job(unit, "done");
        } else {
                limit_start(unit);
        }
}

/* --- turns --- */

/* A job waits for those of the units that its own is ordered after. */
static bool has_to_wait(const Unit *unit)
{
        for (size_t i = 0; unit->file.after[i]; i++) {
                const Unit *other = systemd_find_unit(unit->host, unit->file.after[i]);

                if (other && other->job != JOB_NONE)
                        return true;
        }
        return false;
}

static bool is_there(const Unit *unit, const char *path)
{
        _cleanup_(free) char *whole = text_format("%s%s", unit->host->root, path);

        return whole && access(whole, F_OK) == 0;
}

/* systemd.unit(5): an unmet condition is no failure, an unmet assertion is. */
static void start_if_conditions_hold(Unit *unit)
{
        const UnitFile *file = &unit->file;

        if (file->assertion[0] && !is_there(unit, file->assertion))
                systemd_end_job(unit, "assert");
        else if (file->condition[0] && !is_there(unit, file->condition))
                systemd_end_job(unit, "done");
        else
                start_process(unit);
}

static void run_job(Unit *unit)
{
        if (text_equal(unit->name, SYSTEMD_BOOT_UNIT)) /* that is whom this boot waits for */
                return;
        if (unit->job != JOB_STOP && has_to_wait(unit))
                return;
        unit->job_running = true;
        if (unit->child && unit->job != JOB_START) {
                unit->stopping = true;
                event_child_kill(unit->child, SIGTERM);
        } else if (unit->job == JOB_STOP) {
                unit->active = false; /* one that has failed stays so */
                systemd_end_job(unit, "done");
        } else if (unit->active && unit->job == JOB_START) {
                systemd_end_job(unit, "done");
        } else if (!unit->child) {
                start_if_conditions_hold(unit);
        }
}

void systemd_run_jobs(SystemdHost *host)
{
        for (Unit *unit = host->units; unit; unit = unit->next)
                if (unit->job != JOB_NONE && !unit->job_running)
                        run_job(unit);
        check_booted(host);
}

static void take_along(Unit *unit, JobKind kind)
{
        for (size_t i = 0; kind != JOB_STOP && unit->file.required[i]; i++) {
                Unit *other = systemd_load_unit(unit->host, unit->file.required[i]);

                if (other && !other->active && other->job == JOB_NONE)
                        systemd_queue_job(other, JOB_START);
        }
        for (Unit *other = unit->host->units; kind == JOB_STOP && other; other = other->next)
                if (other->active && other->job != JOB_STOP && requires_unit(other, unit->name))
                        systemd_queue_job(other, JOB_STOP);
}

void systemd_queue_job(Unit *unit, JobKind kind)
{
        if (unit->job != JOB_NONE)
                systemd_end_job(unit, "canceled");
        unit->job = kind;
        unit->job_id = ++unit->host->jobs;
        unit->job_running = false;
        event_timer_set(unit->host->turn, 0);
        take_along(unit, kind);
}
