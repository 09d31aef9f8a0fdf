/* A unit of the imitated systemd: its files below an instance's root, read as systemd.unit(5) has
 * them, as far as the units of an instance use it. */

#pragma once

#include "base/error.h"

#include <stdbool.h>

#define UNIT_NAME_MAX      256U
#define UNIT_ARGUMENTS_MAX 64U
#define UNIT_LIST_MAX      32U

typedef enum UnitLoad {
        UNIT_NOT_FOUND,
        UNIT_LOADED,
        UNIT_MASKED,
} UnitLoad;

typedef struct UnitFile {
        UnitLoad load;
        char digest[65];                         /* of all its files' texts */
        char path[512];                          /* of the main one, below the root */
        bool oneshot;                            /* Type=oneshot */
        char *after[UNIT_LIST_MAX + 1];          /* NULL-ended */
        char *wanted_by[UNIT_LIST_MAX + 1];      /* of [Install]; NULL-ended */
        char *arguments[UNIT_ARGUMENTS_MAX + 1]; /* of ExecStart=; NULL-ended */
        unsigned n_exec_start;                   /* how many ExecStart= there are */
} UnitFile;

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
