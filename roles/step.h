/* The roles as tables of steps. */

#pragma once

#include "roles/role.h"

/* Which machines do a step. */
typedef enum StepPatience {
        STEP_OWN_WORK,        /* must end within settings' step_timeout */
        STEP_WAITS_FOR_OTHERS /* another machine's work: to the role's deadline */
} StepPatience;

/* One step of a role. A step finds on disk, on its own, what an earlier run left; what an earlier
 * step of the same run has in memory it may use. */
typedef struct Step {
        const char *name;    /* as it is typed: "mint-docker-cert" */
        const char *needs;   /* for people: "the Docker CA" */
        const char *makes;   /* "/etc/docker/tls" */
        unsigned components; /* of Component: it is for those; 0: for all */
        StepPatience patience;

        /* *ret: its work is there already, and nothing has changed that it depends on. NULL: it
         * is always run. Reads only. */
        int (*is_done)(Role *role, bool *ret, Error *ret_error);

        /* Does it; or, where role_would() says so, tells what it would do. */
        int (*run)(Role *role, Error *ret_error);

        /* After `run` has failed, and that has been told: puts back what it changed. NULL: what it
         * leaves does no harm. */
        int (*undo)(Role *role, Error *ret_error);
} Step;

#define STEPS_MAX 16U

typedef struct StepTable {
        const Step *steps;
        size_t count;
} StepTable;

/* By RoleKind; empty for ROLE_NONE. */
const StepTable *step_table(RoleKind kind);

/* NULL: the table has none of that name. */
const Step *step_find(const StepTable *table, const char *name);
