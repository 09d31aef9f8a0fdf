/* What a program can be asked to do: a table of commands, which is also its help text; and the
 * command line of each. */

#pragma once

#include "base/option.h"

typedef struct Command {
        const char *name;
        const char *summary; /* one line, no full stop */

        /* argv[0] is the command's name; returns an exit status of sysexits.h. What went wrong has
         * been said on stderr by then. */
        int (*run)(int argc, char *argv[]);
} Command;

/* Commands under one name: a program's, or those of a command that has several. */
typedef struct CommandGroup {
        const char *program;     /* "flocker-bootstrap certs": in front of every sentence */
        const char *description; /* what they are for, for --help; lines of at most 80 columns */
        const Command *commands;
        size_t n_commands;
        const char *version; /* a program's, for --version; NULL: none is told */

        /* What options, or a path, do without a command; NULL: there is nothing of the kind. */
        int (*otherwise)(int argc, char *argv[]);
        const char *usage; /* of that: "[OPTION…] [TEMPLATE]" */
} CommandGroup;

/* Runs the command that argv[1] names; --help lists them. An unknown one, or none, is EX_USAGE with
 * a sentence on stderr that names the nearest. */
int command_run(const CommandGroup *group, int argc, char *argv[]);

/* A program's own end: output that could not be written (a full disk behind a pipe or a
 * redirection) is a failure of the program. */
int command_end(const char *program, int status);

/* How a command is called. */
typedef struct CommandLine {
        const char *program;     /* "flocker-bootstrap certs show": in front of every sentence */
        const char *operands;    /* as usage shows them: "FILE|DIR…"; NULL: none are taken */
        const char *description; /* what it does, for --help; lines of at most 80 columns */
        const Option *options;   /* one of them is the flag "help" */
        size_t n_options;
        int min_operands, max_operands;
} CommandLine;

typedef enum CommandParsed {
        COMMAND_GO_ON,
        COMMAND_END, /* help was shown, or the line was refused: *ret_status is the exit status */
} CommandParsed;

/* Fills `place` by the options; `help` lies in it. *ret_operands: the first operand's index. */
CommandParsed command_parse(const CommandLine *line,
        int argc,
        char *argv[],
        void *place,
        const bool *help,
        int *ret_operands,
        int *ret_status);

/* Says "<program>: <sentence>" on stderr; the exit status for `code`. */
int command_fail(const CommandLine *line, int code, const Error *error);
