#include "base/command.h"
#include "base/text.h"
#include "template/images-build.h"
#include "template/images.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define BUILDERS_MAX (64U * 1024U) /* bytes */

typedef struct Arguments {
        ImagesBuild build;
        int step, template; /* -1: not said */
        const char *source_ami, *source_map_body, *source_map_url;
        const char *builders, *folder;
        bool write_only, help;
} Arguments;

static const Option options[] = {
        {"step",
                0,
                OPTION_CHOICE,
                "STEP",
                "docker, or flocker on top of it",
                offsetof(Arguments, step),
                .choices = recipe_steps},
        {"template",
                0,
                OPTION_CHOICE,
                "STEP",
                "the same, as the old installer had it",
                offsetof(Arguments, template),
                .choices = recipe_steps},
        {"source-ami",
                0,
                OPTION_TEXT,
                "AMI",
                "the image that it begins with (of step docker: the distribution's newest)",
                offsetof(Arguments, source_ami)},
        {"source-ami-map-body",
                0,
                OPTION_TEXT,
                "JSON",
                "likewise, out of a map of regions",
                offsetof(Arguments, source_map_body)},
        {"source-ami-map-url",
                0,
                OPTION_TEXT,
                "URL",
                "likewise, the map being at https://…, s3://… or in a file",
                offsetof(Arguments, source_map_url)},
        IMAGES_BUILD_OPTIONS(Arguments),
        {"folder",
                0,
                OPTION_TEXT,
                "DIR",
                "where Packer's template and the provisioning are written (flocker-image-STEP)",
                offsetof(Arguments, folder)},
        {"write-only",
                0,
                OPTION_FLAG,
                NULL,
                "write them, and build nothing",
                offsetof(Arguments, write_only)},
        {"builders",
                0,
                OPTION_TEXT,
                "FILE",
                "Packer's builders, a JSON list, in place of amazon-ebs: to try provisioning",
                offsetof(Arguments, builders)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-template images build",
        .description =
                "Builds a machine image with Packer and prints a map of regions and images. What\n"
                "goes into it is in the environment: DOCKER_VERSION and, if wanted,\n"
                "SWARM_VERSION for step docker, FLOCKER_VERSION for step flocker. What no archive\n"
                "holds comes from a file or https://…: SWARM_SOURCE and SWARM_SHA256,\n"
                "FLOCKER_SOURCE and FLOCKER_SHA256 (and DOCKER_SOURCE, DOCKER_SHA256).",
        .options = options,
        .n_options = ELEMENTS(options),
};

static int choose_step(const Arguments *arguments, RecipeStep *ret, Error *ret_error)
{
        int step = arguments->step, other = arguments->template;

        if (step >= 0 && other >= 0 && step != other)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use both --step=%s and --template=%s: they are the same option",
                        recipe_steps[step],
                        recipe_steps[other]);
        if (step < 0)
                step = other;
        if (step < 0)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot go without '--step=STEP' (docker, or flocker on top of it)");
        *ret = (RecipeStep)step;
        return 0;
}

/* At most one of the three. */
static int read_source(
        const Arguments *arguments, ImageMap *map, ImagesSource *ret, Error *ret_error)
{
        const char *body = arguments->source_map_body, *url = arguments->source_map_url;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * IMAGE_MAP_SIZE_MAX);
        int r = 0;

        if ((arguments->source_ami != NULL) + (body != NULL) + (url != NULL) > 1)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use more than one of --source-ami, --source-ami-map-body and "
                        "--source-ami-map-url");
        *ret = (ImagesSource){.image = arguments->source_ami};
        if (body)
                r = image_map_parse("--source-ami-map-body", body, strlen(body), map, ret_error);
        if (url)
                r = account_read(
                        arguments->build.build_region, url, IMAGE_MAP_SIZE_MAX, &text, ret_error);
        if (r == 0 && url)
                r = image_map_parse(url, buffer_text(&text), text.size, map, ret_error);
        if (r == 0 && map->count > 0)
                ret->map = map;
        return r;
}

static int end(const Arguments *arguments, const ImageMap *images, Error *ret_error)
{
        if (images->count > 0)
                return images_print(images, ret_error);
        if (arguments->builders)
                images_say("note: these builders make no image of AWS, so there is no map");
        return 0;
}

static int build(const Arguments *arguments, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer builders = BUFFER_INIT(BUILDERS_MAX);
        _cleanup_(free) char *folder = NULL;
        char image[32] = "";
        ImageMap map = {}, images = {};
        ImagesSource source = {};
        RecipeStep step = RECIPE_DOCKER;
        Recipe recipe = {};
        int r;

        r = choose_step(arguments, &step, ret_error);
        if (r == 0)
                r = read_source(arguments, &map, &source, ret_error);
        if (r == 0 && arguments->builders)
                r = account_read(NULL, arguments->builders, BUILDERS_MAX, &builders, ret_error);
        if (r < 0)
                return r;
        source.builders = arguments->builders ? buffer_text(&builders) : NULL;
        r = images_build_recipe(&arguments->build, step, &source, &recipe, image, ret_error);
        if (r < 0)
                return r;

        folder = arguments->folder ? text_copy(arguments->folder)
                                   : text_format("flocker-image-%s", recipe_steps[step]);
        if (!folder)
                return error_set(ret_error, -ENOMEM, "cannot build: %m");
        if (arguments->write_only) {
                r = recipe_write(&recipe, folder, ret_error);
                if (r == 0)
                        images_say(
                                "written; there, 'packer build packer.json' builds it: %s", folder);
                return r;
        }
        r = images_build_run(&arguments->build, &recipe, folder, &images, ret_error);
        return r == 0 ? end(arguments, &images, ret_error) : r;
}

int images_build_command(int argc, char *argv[])
{
        Arguments arguments = {.build = IMAGES_BUILD_INIT, .step = -1, .template = -1};
        Error error = ERROR_INIT;
        int operands, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;
        r = build(&arguments, &error);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}
