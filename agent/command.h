/* What a program can be asked to do: a table of commands, which is also its help text. */

#pragma once

#include <stddef.h>

typedef struct Command {
        const char *name;
        const char *summary; /* one line, no full stop */

        /* argv[0] is the command's name; returns an exit status of sysexits.h. What went wrong has
         * been said on stderr by then. */
        int (*run)(int argc, char *argv[]);
} Command;

/* Runs the command that argv[0] names; an unknown one, or none, is EX_USAGE with a sentence on
 * stderr that names the nearest. `program` stands in front of sentences ("flocker-bootstrap
 * certs"). */
int command_run(
        const Command *commands, size_t n_commands, const char *program, int argc, char *argv[]);

/* "  certs     make, show, judge and renew certificates" for each, to stdout. */
void command_print(const Command *commands, size_t n_commands);
