#include "base/command.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#define COMMANDS_MAX 32U

static int refuse_command(
        const Command *commands, size_t n_commands, const char *program, const char *name)
{
        const char *known[COMMANDS_MAX + 1] = {};
        const char *nearest;

        for (size_t i = 0; i < n_commands && i < COMMANDS_MAX; i++)
                known[i] = commands[i].name;
        nearest = text_nearest(name, known);
        (void)fprintf(stderr,
                "%s: cannot run '%s': there is no such command%s%s%s; --help lists them\n",
                program,
                name,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
        return EX_USAGE;
}

int command_run(
        const Command *commands, size_t n_commands, const char *program, int argc, char *argv[])
{
        if (argc < 1) {
                (void)fprintf(stderr, "%s: expected a command; --help lists them\n", program);
                return EX_USAGE;
        }

        for (size_t i = 0; i < n_commands; i++)
                if (text_equal(commands[i].name, argv[0]))
                        return commands[i].run(argc, argv);
        return refuse_command(commands, n_commands, program, argv[0]);
}

void command_print(const Command *commands, size_t n_commands)
{
        for (size_t i = 0; i < n_commands; i++)
                printf("  %-12s  %s\n", commands[i].name, commands[i].summary);
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

        r = option_parse(line->options,
                line->n_options,
                OPTION_ANYWHERE,
                argc,
                argv,
                place,
                &operands,
                &error);
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
