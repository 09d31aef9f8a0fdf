#include "base/command.h"
#include "template/images.h"
#include "template/regions.h"

#include <errno.h>
#include <sysexits.h>

static const char *const providers[] = {"aws", NULL};

typedef struct Arguments {
        int distribution, provider, architecture;
        const char *regions;
        bool all_regions, help;
} Arguments;

static const Option options[] = {
        {"distribution",
                0,
                OPTION_CHOICE,
                "NAME",
                "ubuntu-24.04 (the default), ubuntu-22.04, debian-13 or debian-12",
                offsetof(Arguments, distribution),
                .choices = distribution_names},
        {"provider",
                0,
                OPTION_CHOICE,
                "NAME",
                "aws, the only one",
                offsetof(Arguments, provider),
                .choices = providers},
        {"arch",
                0,
                OPTION_CHOICE,
                "NAME",
                "amd64 (the default) or arm64",
                offsetof(Arguments, architecture),
                .choices = distribution_architectures},
        {"region",
                0,
                OPTION_TEXT,
                "REGIONS",
                "in these, separated by commas ($AWS_REGION)",
                offsetof(Arguments, regions)},
        {"all-regions",
                0,
                OPTION_FLAG,
                NULL,
                "in every region of the account",
                offsetof(Arguments, all_regions)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-template images latest",
        .description = "Prints the newest image of a distribution as a map of regions, by the\n"
                       "public parameters of the Systems Manager that Canonical and Debian keep.",
        .options = options,
        .n_options = ELEMENTS(options),
};

static int choose_regions(const Arguments *arguments, RegionList *ret, Error *ret_error)
{
        _cleanup_(account_done) Account account = {};
        Error note = ERROR_INIT;
        int r;

        if (arguments->regions && arguments->all_regions)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use both --region and --all-regions: expected one of them");
        if (arguments->regions)
                return regions_parse(arguments->regions, ret, ret_error);

        r = account_open(NULL, &account, ret_error);
        if (r < 0)
                return r;
        if (!arguments->all_regions)
                return regions_parse(aws_session_region(account.session), ret, ret_error);
        regions_of_account(&account, ret, &note);
        if (note.text[0])
                images_say("note: %s", note.text);
        return 0;
}

static int ask(const Arguments *arguments, const char *region, ImageMap *map, Error *ret_error)
{
        const Distribution *distribution = distribution_get(arguments->distribution);
        const char *architecture = distribution_architectures[arguments->architecture];
        _cleanup_(account_done) Account account = {};
        char image[sizeof(map->entries[0].image)];
        int r;

        r = account_open(region, &account, ret_error);
        if (r == 0)
                r = regions_latest_image(&account, distribution, architecture, image, ret_error);
        if (r < 0)
                return r;
        return image_map_put(map, region, image, distribution->root_device, ret_error);
}

int images_latest_command(int argc, char *argv[])
{
        Arguments arguments = {};
        RegionList regions = {};
        ImageMap map = {};
        Error error = ERROR_INIT;
        int operands, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;

        r = choose_regions(&arguments, &regions, &error);
        for (size_t i = 0; r == 0 && i < regions.count; i++) {
                r = ask(&arguments, regions.names[i], &map, &error);
                if (r == -ENOENT && arguments.all_regions) {
                        images_say("note: left out: %s", error.text);
                        r = 0;
                }
        }
        if (r == 0 && map.count == 0)
                r = -ENOENT; /* the last region's sentence tells */
        if (r == 0)
                r = images_print(&map, &error);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}
