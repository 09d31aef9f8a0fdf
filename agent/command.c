#include "agent/command.h"

#include "base/text.h"

#include <stdio.h>
#include <sysexits.h>

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

        (void)fprintf(stderr,
                "%s: cannot run '%s': there is no such command; --help lists them\n",
                program,
                argv[0]);
        return EX_USAGE;
}

void command_print(const Command *commands, size_t n_commands)
{
        for (size_t i = 0; i < n_commands; i++)
                printf("  %-12s  %s\n", commands[i].name, commands[i].summary);
}
