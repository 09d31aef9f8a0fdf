#include "base/command.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define COMMANDS_MAX 32U

static void print_group(const CommandGroup *group)
{
        printf("Usage: ");
        if (group->otherwise)
                printf("%s %s\n       ", group->program, group->usage);
        printf("%s COMMAND …\n\n%s\n\nCommands (each has a --help of its own):\n",
                group->program,
                group->description);
        for (size_t i = 0; i < group->n_commands; i++)
                printf("  %-12s  %s\n", group->commands[i].name, group->commands[i].summary);
        if (group->version)
                printf("  %-12s  %s\n", "--version", "show the version");
}

static int refuse_command(const CommandGroup *group, const char *name)
{
        const char *known[COMMANDS_MAX + 1] = {};
        const char *nearest;

        for (size_t i = 0; i < group->n_commands && i < COMMANDS_MAX; i++)
                known[i] = group->commands[i].name;
        nearest = text_nearest(name, known);
        (void)fprintf(stderr,
                "%s: cannot run '%s': there is no such command%s%s%s; --help lists them\n",
                group->program,
                name,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
        return EX_USAGE;
}

/* An option, or a path: no name of a command. */
static bool is_other(const char *word)
{
        return word[0] == '-' || strpbrk(word, "./");
}

int command_run(const CommandGroup *group, int argc, char *argv[])
{
        const char *first = argc > 1 ? argv[1] : NULL;

        if (!first) {
                (void)fprintf(
                        stderr, "%s: expected a command; --help lists them\n", group->program);
                return EX_USAGE;
        }
        if (text_equal(first, "--help") || text_equal(first, "-h")) {
                print_group(group);
                return EX_OK;
        }
        if (group->version && text_equal(first, "--version")) {
                printf("%s %s\n", group->program, group->version);
                return EX_OK;
        }
        for (size_t i = 0; i < group->n_commands; i++)
                if (text_equal(group->commands[i].name, first))
                        return group->commands[i].run(argc - 1, argv + 1);
        return group->otherwise && is_other(first) ? group->otherwise(argc, argv)
                                                   : refuse_command(group, first);
}

int command_end(const char *program, int status)
{
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
                (void)fprintf(stderr, "%s: cannot write to standard output: %m\n", program);
                return EX_IOERR;
        }
        return status;
}

static void print_help(const CommandLine *line)
{
        printf("Usage: %s [OPTION…]%s%s\n\n%s\n\nOptions:\n",
                line->program,
                line->operands ? " " : "",
                line->operands ? line->operands : "",
                line->description);
        option_print(line->options, line->n_options, stdout);
}

static int check_operands(const CommandLine *line, int count, const char *first, Error *ret_error)
{
        if (count >= line->min_operands && count <= line->max_operands)
                return 0;
        if (!line->operands)
                return error_set(ret_error, -EINVAL, "cannot use '%s': expected no operand", first);
        return error_set(ret_error,
                -EINVAL,
                "expected %s, and got %d; --help says more",
                line->operands,
                count);
}

CommandParsed command_parse(const CommandLine *line,
        int argc,
        char *argv[],
        void *place,
        const bool *help,
        int *ret_operands,
        int *ret_status)
{
        Error error = ERROR_INIT;
        int operands, r;

        r = option_parse(line->options, line->n_options, argc, argv, place, &operands, &error);
        if (r == 0 && *help) {
                print_help(line);
                *ret_status = EX_OK;
                return COMMAND_END;
        }
        if (r == 0)
                r = check_operands(line, argc - operands, argv[operands], &error);
        if (r < 0) {
                *ret_status = command_fail(line, r, &error);
                return COMMAND_END;
        }

        *ret_operands = operands;
        return COMMAND_GO_ON;
}

int command_fail(const CommandLine *line, int code, const Error *error)
{
        (void)fprintf(stderr, "%s: %s\n", line->program, error->text);
        return error_exit_status(code);
}
