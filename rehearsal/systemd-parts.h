/* What the files of the imitated systemd share; for them alone. */

#pragma once

#include "rehearsal/dbus.h"
#include "rehearsal/systemd.h"
#include "rehearsal/unit.h"

#define SYSTEMD_SERVICE     "org.freedesktop.systemd1"
#define SYSTEMD_MANAGER     "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE   SYSTEMD_SERVICE ".Manager"
#define SYSTEMD_BOOT_UNIT   "cloud-final.service"
#define SYSTEMD_BOOT_TARGET "cloud-init.target"
#define PATH_BYTES          1024U /* of an object's path */

typedef enum JobKind {
        JOB_NONE,
        JOB_START,
        JOB_STOP,
        JOB_RESTART,
} JobKind;

typedef struct Unit Unit;
struct Unit {
        SystemdHost *host;
        Unit *next;
        char name[UNIT_NAME_MAX];
        UnitFile file;
        EventChild *child;
        EventReader *reader; /* of `ready` */
        int ready;           /* the pipe's end that we read; -1: none */
        EventTimer *timeout; /* of its start; NULL: never set */
        bool active, failed, stopping, timed_out;
        int status; /* of its process's last end */
        char result[32];
        JobKind job;
        uint32_t job_id;
        bool job_running;
};

struct SystemdHost {
        SystemdHostOptions options;
        char *root, *address, *program;
        DbusBus *bus;
        Unit *units;
        uint32_t jobs;
        EventTimer *turn; /* jobs are run behind the answer that names them */
        EventCallback booted;
        void *booted_userdata;
};

/* The unit, if it was asked for before; NULL: it was not. */
Unit *systemd_find_unit(SystemdHost *host, const char *name);

/* ... read if need be; NULL: no memory, or no name of a unit. */
Unit *systemd_load_unit(SystemdHost *host, const char *name);

/* A new job takes the place of one that waits ("replace"). A start takes along what the unit
 * requires, a stop what requires the unit. */
void systemd_queue_job(Unit *unit, JobKind kind);
void systemd_end_job(Unit *unit, const char *result);
void systemd_job_path(uint32_t id, char *place, size_t size);

/* Runs the jobs that have nothing to wait for. */
void systemd_run_jobs(SystemdHost *host);

/* What is left of its process ends. */
void systemd_forget_process(Unit *unit);

/* The unit of an object's path; NULL: there is none. */
Unit *systemd_find_by_path(SystemdHost *host, const char *path);

/* Its files have changed since they were read. */
bool systemd_needs_reload(const Unit *unit);

/* org.freedesktop.DBus.Properties.Get and GetAll. */
void systemd_answer_property(SystemdHost *host, DbusPeer *peer, const DbusMessage *call);
void systemd_answer_all(SystemdHost *host, DbusPeer *peer, const DbusMessage *call);
