/* systemd of this machine, over D-Bus (org.freedesktop.systemd1): units reloaded, enabled, started
 * and stopped, each job awaited to its result; and this process's own reports to it (sd_notify).
 *
 * Source: org.freedesktop.systemd1(5), sd_notify(3).
 */

#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>

#define SYSTEMD_ARGUMENTS_MAX 128U

typedef struct Systemd Systemd;

typedef struct SystemdOptions {
        const char *address; /* of the bus; NULL: <root>/run/dbus/system_bus_socket */
        const char *root;    /* the folder that this machine's files lie below; "/" */
        const Clock *clock;  /* that of the deadlines */
        Usec deadline;       /* of opening */
} SystemdOptions;

/* -ENOENT, -ECONNREFUSED, …: no bus there. -ETIMEDOUT: one that says nothing. */
int systemd_open(const SystemdOptions *options, Systemd **ret, Error *ret_error);
Systemd *systemd_free(Systemd *systemd);
DEFINE_CLEANUP(Systemd *, systemd_free);

typedef struct SystemdUnit { /* heap strings, "" where systemd says nothing */
        char *load_state;    /* "loaded", "not-found", "masked", … */
        char *active_state;  /* "active", "inactive", "failed", "activating", … */
        char *sub_state;     /* "running", "exited", … */
        char *file_state;    /* "enabled", "disabled", "static", "" … */
        char *result;        /* of a service's last run: "success", "exit-code", … */
        int exec_status;     /* the main process's last exit status, or signal */
        unsigned main_pid;   /* 0: none */
        bool needs_reload;   /* its files have changed since they were read */
} SystemdUnit;

void systemd_unit_done(SystemdUnit *unit);
DEFINE_CLEANUP_IN_PLACE(SystemdUnit, systemd_unit_done);

/* A unit that is not there is no failure: its load_state is "not-found". */
int systemd_get_unit(
        Systemd *systemd, const char *unit, Usec deadline, SystemdUnit *ret, Error *ret_error);

/* The arguments of a service's only ExecStart=, its program first (argv[0] as written); NULL-ended
 * heap strings in a heap array. -ENOENT: no such unit, or it has none; -EBADMSG: it has more than
 * one. */
int systemd_get_exec_start(
        Systemd *systemd, const char *unit, Usec deadline, char ***ret, Error *ret_error);
void systemd_exec_start_done(char ***arguments);
DEFINE_CLEANUP_IN_PLACE(char **, systemd_exec_start_done);

/* systemctl daemon-reload. */
int systemd_reload(Systemd *systemd, Usec deadline, Error *ret_error);

/* systemctl enable, disable. A unit that is not there: -ENOENT for enable; for disable fine. */
int systemd_enable(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error);
int systemd_disable(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error);

/* systemctl start, stop, restart (with reset-failed in front of the two): until the job has ended,
 * to the deadline. Failures, each with the sentence "cannot restart 'docker.service': …":
 *
 *         -ENOENT     there is no such unit, or it is masked (stopping one is fine)
 *         -EIO        the job failed: the unit's result, exit status and last lines are in it
 *         -EDEADLK    the job would wait for cloud-init's last stage, which waits for this
 *                     process: seen before anything waits, the job is taken back
 *         -ETIMEDOUT  the deadline; the job goes on
 */
int systemd_start(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error);
int systemd_stop(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error);
int systemd_restart(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error);

/* The service that this process is of, by its cgroup; "": of none. */
#define SYSTEMD_UNIT_NAME_MAX 256U
void systemd_own_unit(char ret[SYSTEMD_UNIT_NAME_MAX]);

/* sd_notify(3): "READY=1", "STATUS=…", "WATCHDOG=1". Does nothing where this process is no unit. */
void systemd_notify(const char *state);

/* How often a watchdog wants to hear of us: half of what the unit's WatchdogSec= says; 0: never. */
Usec systemd_watchdog_interval(void);

/* Tells the watchdog that no sign of life need come for so long from now; 0: as the unit says. */
void systemd_watchdog_allow(Usec span);
