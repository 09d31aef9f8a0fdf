/* flocker-template: the CloudFormation template of a cluster. */

#include "base/command.h"
#include "base/digest.h"
#include "template/check-command.h"
#include "template/create.h"
#include "template/images.h"
#include "template/publish.h"

#include <signal.h>

static const Command commands[] = {
        {"create", "print the template of a cluster", create_command},
        {"check", "say what is wrong with a template", check_command},
        {"images", "machine images: find, build, map, and all the way", images_command},
        {"publish", "put a template into S3, and link to it", publish_command},
};

int main(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-template",
                .description =
                        "The CloudFormation template of a Flocker, Docker and Swarm cluster.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
                .version = VERSION,
        };

        digest_init();
        (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of the write */
        return command_end(group.program, command_run(&group, argc, argv));
}
