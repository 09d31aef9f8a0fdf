/* A unit of the imitated systemd: its files below an instance's root, read as systemd.unit(5) has
 * them, as far as the units of an instance use it. */

#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>

#define UNIT_NAME_MAX      256U
#define UNIT_ARGUMENTS_MAX 64U
#define UNIT_LIST_MAX      32U

typedef enum UnitLoad {
        UNIT_NOT_FOUND,
        UNIT_LOADED,
        UNIT_MASKED,
        UNIT_BAD_SETTING, /* a service without a command, or with too many */
} UnitLoad;

typedef enum UnitType {
        UNIT_SIMPLE,  /* up as soon as it runs */
        UNIT_NOTIFY,  /* up when it says so */
        UNIT_ONESHOT, /* done when it has ended */
} UnitType;

typedef struct UnitFile {
        UnitLoad load;
        char digest[65];                         /* of all its files' texts */
        char path[512];                          /* of the main one, below the root */
        UnitType type;                           /* Type= */
        bool remains;                            /* RemainAfterExit= */
        bool refuses_start;                      /* RefuseManualStart= */
        Usec start_timeout;                      /* TimeoutStartSec=; 0: none */
        char condition[512];                     /* ConditionPathExists=; "": none */
        char assertion[512];                     /* AssertPathExists= */
        char *after[UNIT_LIST_MAX + 1];          /* NULL-ended */
        char *required[UNIT_LIST_MAX + 1];       /* Requires=; NULL-ended */
        char *wanted_by[UNIT_LIST_MAX + 1];      /* of [Install]; NULL-ended */
        char *arguments[UNIT_ARGUMENTS_MAX + 1]; /* of ExecStart=; NULL-ended */
        unsigned n_exec_start;                   /* how many ExecStart= there are */
} UnitFile;

/* "docker.service": letters, digits and :-_.\@, and what kind of unit it is. */
bool unit_is_named_well(const char *name);

/* Reads NAME of etc/systemd/system and usr/lib/systemd/system, and its drop-ins. A unit that is not
 * there is UNIT_NOT_FOUND, no error. */
int unit_load(const char *root, const char *name, UnitFile *ret, Error *ret_error);
void unit_done(UnitFile *unit);
DEFINE_CLEANUP_IN_PLACE(UnitFile, unit_done);

/* "enabled", "disabled", "static" (nothing wants it), "masked", "" (it is not there). */
const char *unit_file_state(const char *root, const char *name, const UnitFile *unit);

/* The links in etc/systemd/system/<target>.wants, made or removed; *ret_changed tells. */
int unit_enable(const char *root,
        const char *name,
        const UnitFile *unit,
        bool enable,
        bool *ret_changed,
        Error *ret_error);
