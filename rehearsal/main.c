/* flocker-rehearsal: an embedded cloud for one machine, which runs a CloudFormation template. */

#include "base/command.h"
#include "base/digest.h"
#include "base/text.h"
#include "rehearsal/play.h"
#include "rehearsal/rehearse.h"

#include <signal.h>

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

static int run(const CommandGroup *group, int argc, char *argv[])
{
        if (argc < 2)
                return rehearse_run(argc, argv);
        if (text_equal(argv[1], "as")) /* a part of a machine: see rehearsal/play.h */
                return play_main(argc - 1, argv + 1);
        return command_run(group, argc, argv);
}

int main(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-rehearsal",
                .description = "Runs a CloudFormation template on this machine: an embedded cloud "
                               "with nothing to\nsign up for.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
                .version = VERSION,
                .otherwise = rehearse_run,
                .usage = "[OPTION…] [TEMPLATE]",
        };

        digest_init();
        (void)signal(SIGPIPE, SIG_IGN);
        return command_end(group.program, run(&group, argc, argv));
}
