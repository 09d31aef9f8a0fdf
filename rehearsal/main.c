/* flocker-rehearsal: an embedded cloud for one machine, which runs a CloudFormation template. */

#include "base/command.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/option.h"
#include "base/random.h"
#include "base/text.h"
#include "rehearsal/play.h"
#include "rehearsal/rehearse.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const Command commands[] = {
        {"run",
                "rehearse a template, or what flocker-template create prints (the default)",
                rehearse_run},
        {"serve",
                "keep the cloud open, to run flocker-bootstrap by hand against it",
                rehearse_serve},
        {"diff",
                "say what an update of a stack from one template to another would do",
                rehearse_diff},
};

static int print_help(void)
{
        printf("Usage: flocker-rehearsal [OPTION…] [TEMPLATE]\n"
               "       flocker-rehearsal COMMAND …\n"
               "\n"
               "Runs a CloudFormation template on this machine: an embedded cloud with nothing to "
               "sign up for.\n"
               "\n"
               "Commands (each has a --help of its own):\n");
        command_print(commands, ELEMENTS(commands));
        printf("  %-12s  %s\n", "--version", "show the version");
        return EX_OK;
}

static int run(int argc, char *argv[])
{
        const char *first = argc > 1 ? argv[1] : "";

        if (text_equal(first, "as")) /* a part of a machine: see rehearsal/play.h */
                return play_main(argc - 1, argv + 1);
        if (text_equal(first, "--help") || text_equal(first, "-h"))
                return print_help();
        if (text_equal(first, "--version")) {
                printf("flocker-rehearsal %s\n", VERSION);
                return EX_OK;
        }
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (text_equal(commands[i].name, first))
                        return commands[i].run(argc - 1, argv + 1);
        return rehearse_run(argc, argv);
}

int main(int argc, char *argv[])
{
        int status;

        digest_init();
        (void)signal(SIGPIPE, SIG_IGN);
        status = run(argc, argv);
        if (fflush(stdout) != 0 && status == EX_OK) {
                (void)fprintf(stderr, "flocker-rehearsal: cannot write to standard output: %m\n");
                return EX_IOERR;
        }
        return status;
}
