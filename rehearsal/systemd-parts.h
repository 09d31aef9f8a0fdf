/* What the files of the imitated systemd share; for them alone. */

#pragma once

#include "rehearsal/dbus.h"
#include "rehearsal/systemd.h"
#include "rehearsal/unit.h"

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
        bool active, failed, stopping;
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

/* The unit of an object's path; NULL: there is none. */
Unit *systemd_find_by_path(SystemdHost *host, const char *path);

/* Its files have changed since they were read. */
bool systemd_needs_reload(const Unit *unit);

/* org.freedesktop.DBus.Properties.Get and GetAll. */
void systemd_answer_property(SystemdHost *host, DbusPeer *peer, const DbusMessage *call);
void systemd_answer_all(SystemdHost *host, DbusPeer *peer, const DbusMessage *call);
