/* flocker-bootstrap: brings this machine into its Flocker, Docker and Swarm cluster. */

#include "agent/certs.h"
#include "agent/config.h"
#include "agent/members.h"
#include "agent/renew.h"
#include "agent/run.h"
#include "base/command.h"
#include "base/digest.h"
#include "base/secret.h"
#include "base/text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const Command commands[] = {
        {"config", "show and check what this machine is told to become", config_command},
        {"run", "become what the settings say (--help lists the options)", run_command},
        {"renew", "renew this machine's Docker certificate when its time has come", renew_command},
        {"members", "keep classic Swarm's member file", members_command},
        {"certs", "make, show, judge and renew the certificates of a cluster", certs_command},
};

static int print_help(void)
{
        printf("Usage: flocker-bootstrap --role=ROLE [OPTION…] [DOCUMENT]\n"
               "       flocker-bootstrap COMMAND …\n"
               "\n"
               "Brings this machine into its Flocker, Docker and Swarm cluster.\n"
               "\n"
               "Commands (each has a --help of its own; run is what stands without one):\n");
        command_print(commands, ELEMENTS(commands));
        printf("  %-12s  %s\n", "--version", "show the version");
        return EX_OK;
}

/* A write that failed (a full disk behind a pipe or a redirection) is a failure of the program. */
static int end(int status)
{
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
                (void)fprintf(stderr, "flocker-bootstrap: cannot write to standard output: %m\n");
                return EX_IOERR;
        }
        return status;
}

/* A command, or a run: that is what the first word being an option, or a document, says. */
static int run(int argc, char *argv[])
{
        const char *first = argc > 1 ? argv[1] : NULL;

        if (!first || text_equal(first, "--help") || text_equal(first, "-h")) {
                (void)print_help();
                return first ? EX_OK : EX_USAGE;
        }
        if (text_equal(first, "--version")) {
                printf("flocker-bootstrap %s\n", VERSION);
                return EX_OK;
        }
        if (first[0] == '-' || strchr(first, '/'))
                return run_command(argc, argv);
        return command_run(commands, ELEMENTS(commands), "flocker-bootstrap", argc - 1, argv + 1);
}

int main(int argc, char *argv[])
{
        Error error = ERROR_INIT;
        int r;

        r = secret_protect_process(&error);
        if (r < 0) {
                (void)fprintf(stderr, "flocker-bootstrap: %s\n", error.text);
                return error_exit_status(r);
        }

        digest_init();
        (void)signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error of its write */
        return end(run(argc, argv));
}
