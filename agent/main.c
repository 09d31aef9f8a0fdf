/* flocker-bootstrap: brings this machine into its Flocker, Docker and Swarm cluster. */

#include "agent/certs.h"
#include "agent/config.h"
#include "agent/members.h"
#include "agent/renew.h"
#include "agent/run.h"
#include "base/command.h"
#include "base/digest.h"
#include "base/secret.h"

#include <signal.h>
#include <stdio.h>

static const Command commands[] = {
        {"config", "show and check what this machine is told to become", config_command},
        {"run", "become what the settings say (what stands without a command)", run_command},
        {"renew", "renew this machine's Docker certificate when its time has come", renew_command},
        {"members", "keep classic Swarm's member file", members_command},
        {"certs", "make, show, judge and renew the certificates of a cluster", certs_command},
};

int main(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-bootstrap",
                .description = "Brings this machine into its Flocker, Docker and Swarm cluster.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
                .version = VERSION,
                .otherwise = run_command,
                .usage = "--role=ROLE [OPTION…] [DOCUMENT]",
        };
        Error error = ERROR_INIT;
        int r;

        r = secret_protect_process(&error);
        if (r < 0) {
                (void)fprintf(stderr, "%s: %s\n", group.program, error.text);
                return error_exit_status(r);
        }

        digest_init();
        (void)signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error of its write */
        return command_end(group.program, command_run(&group, argc, argv));
}
