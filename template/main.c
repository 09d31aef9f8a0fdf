/* flocker-template: the CloudFormation template of a cluster. */

#include "base/command.h"
#include "base/digest.h"
#include "base/option.h"
#include "template/check-command.h"
#include "template/create.h"
#include "template/images.h"
#include "template/publish.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

static const Command commands[] = {
        {"create", "print the template of a cluster", create_command},
        {"check", "say what is wrong with a template", check_command},
        {"images", "machine images: find, build, map, and all the way", images_command},
        {"publish", "put a template into S3, and link to it", publish_command},
};

typedef struct Arguments {
        bool help;
        bool version;
} Arguments;

static const Option options[] = {
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
        {"version", 0, OPTION_FLAG, NULL, "show the version", offsetof(Arguments, version)},
};

static int print_help(void)
{
        printf("Usage: flocker-template [OPTION…] COMMAND …\n"
               "\n"
               "The CloudFormation template of a Flocker, Docker and Swarm cluster.\n"
               "\n"
               "Commands (each has a --help of its own):\n");
        command_print(commands, ELEMENTS(commands));
        printf("\nOptions:\n");
        option_print(options, ELEMENTS(options), stdout);
        return EX_OK;
}

/* A write that failed (a full disk behind a pipe or a redirection) is a failure of the program. */
static int end(int status)
{
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
                (void)fprintf(stderr, "flocker-template: cannot write to standard output: %m\n");
                return EX_IOERR;
        }
        return status;
}

static int run(int argc, char *argv[])
{
        Arguments arguments = {};
        Error error = ERROR_INIT;
        int operands, r;

        r = option_parse(options,
                ELEMENTS(options),
                OPTION_STOP_AT_OPERAND,
                argc,
                argv,
                &arguments,
                &operands,
                &error);
        if (r < 0) {
                (void)fprintf(stderr, "flocker-template: %s\n", error.text);
                return error_exit_status(r);
        }

        if (arguments.help)
                return print_help();
        if (arguments.version) {
                printf("flocker-template %s\n", VERSION);
                return EX_OK;
        }
        return command_run(
                commands, ELEMENTS(commands), "flocker-template", argc - operands, argv + operands);
}

int main(int argc, char *argv[])
{
        digest_init();
        (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of the write */
        return end(run(argc, argv));
}
