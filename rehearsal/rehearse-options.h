/* What a rehearsal is asked for: its command line, read, and checked before anything begins. */

#pragma once

#include "base/command.h"
#include "rehearsal/fault.h"
#include "rehearsal/machines.h"

#include <limits.h>

typedef struct RehearseOptions {
        const char *template_path; /* NULL: one is made, of the next line's */
        const char *components, *swarm;
        int64_t agents;
        bool keep_secrets;

        OptionTexts parameters, faults, layers;
        const char *stack_name, *update, *faults_file, *timeline, *keys, *s3;
        uint64_t keys_lifetime;
        int machines;
        const char *image;
        bool keep, hold, disable_rollback, quiet, help;

        /* What the check makes of them. */
        FaultSet fault_set;
        char keys_path[PATH_MAX]; /* machines run elsewhere; "": no keys are given */
        MachineLayer parsed_layers[MACHINES_LAYERS_MAX];
        MachinesOptions containers; /* its image is NULL: machines are process trees */
} RehearseOptions;

extern const CommandLine rehearse_options_line; /* for what is said on stderr */

/* Fills *asked; COMMAND_END as command_parse has it. */
CommandParsed rehearse_options_parse(
        RehearseOptions *asked, int argc, char *argv[], int *ret_status);

/* Whether they fit each other and this machine: files, faults, rights. *asked must stay where it is
 * from now on. -EINVAL, -EPERM or the cause, with the sentence. */
int rehearse_options_check(RehearseOptions *asked, Error *ret_error);
