#include "base/command.h"
#include "base/file.h"
#include "base/text.h"
#include "cfn/template.h"
#include "template/publish.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct Arguments {
        const char *version, *region, *stack;
        bool public_read, latest, json, help;
} Arguments;

static const Option options[] = {
        {"public-read",
                0,
                OPTION_FLAG,
                NULL,
                "everybody may read it; else only who may read the bucket",
                offsetof(Arguments, public_read)},
        {"as",
                0,
                OPTION_TEXT,
                "VERSION",
                "the version in the name (12 digits of the content's SHA-256)",
                offsetof(Arguments, version)},
        {"latest",
                0,
                OPTION_FLAG,
                NULL,
                "also under the name with 'latest' for the version, which each such run replaces",
                offsetof(Arguments, latest)},
        {"region",
                0,
                OPTION_TEXT,
                "REGION",
                "of the link's stack, where the bucket is looked for first ($AWS_REGION)",
                offsetof(Arguments, region)},
        {"stack-name",
                0,
                OPTION_TEXT,
                "NAME",
                "the stack's name in the link (flocker)",
                offsetof(Arguments, stack)},
        {"json", 0, OPTION_FLAG, NULL, "print JSON", offsetof(Arguments, json)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-template publish",
        .operands = "FILE s3://BUCKET/KEY",
        .description =
                "Puts a template ('-': of standard input) into S3, and prints its address and the\n"
                "link of the console's page that makes a stack of it. What `check` refuses is\n"
                "refused. KEY gives the name: flocker.json is published as\n"
                "flocker-VERSION.json, and a version never changes.",
        .options = options,
        .n_options = ELEMENTS(options),
        .min_operands = 2,
        .max_operands = 2,
};

static int print(const Published *published, bool as_json)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(64U * 1024U);
        int r = as_json ? publish_format(published, &text) : 0;

        if (as_json) {
                (void)fwrite(buffer_text(&text), 1, text.size, stdout);
                return r;
        }
        printf("%s%s\n", published->url, published->already ? " (it was there already)" : "");
        if (published->latest_url)
                printf("%s\n", published->latest_url);
        printf("%s\n", published->quick_create);
        return 0;
}

int publish_command(int argc, char *argv[])
{
        Arguments arguments = {.stack = "flocker"};
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(CFN_TEMPLATE_SIZE_MAX);
        _cleanup_(published_done) Published published = {};
        Error error = ERROR_INIT;
        int operands, status, r;
        const char *file;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;

        file = argv[operands];
        r = text_equal(file, "-")
                    ? file_read_fd(
                              STDIN_FILENO, "standard input", CFN_TEMPLATE_SIZE_MAX, &text, &error)
                    : file_read(AT_FDCWD, file, CFN_TEMPLATE_SIZE_MAX, &text, &error);
        if (r == 0)
                r = publish_template(
                        &(Publication){
                                .name = text_equal(file, "-") ? "standard input" : file,
                                .text = buffer_text(&text),
                                .size = text.size,
                                .address = argv[operands + 1],
                                .version = arguments.version,
                                .region = arguments.region,
                                .stack = arguments.stack,
                                .public_read = arguments.public_read,
                                .latest = arguments.latest,
                        },
                        &published,
                        &error);
        if (r == 0)
                r = print(&published, arguments.json);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}
