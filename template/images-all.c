#include "base/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "template/images-build.h"
#include "template/images.h"
#include "template/publish.h"
#include "template/stack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define INPUTS_MAX (64U * 1024U) /* bytes */

typedef struct Arguments {
        ImagesBuild build;
        int64_t agents;
        int swarm;
        const char *components, *folder, *version, *stack;
        bool public_read, latest, help;
} Arguments;

static const Option options[] = {
        IMAGES_BUILD_OPTIONS(Arguments),
        {"agents",
                0,
                OPTION_INT,
                "N",
                "of the template: how many agents (2)",
                offsetof(Arguments, agents),
                .min = 1,
                .max = VARIANT_AGENTS_MAX},
        {"components",
                0,
                OPTION_TEXT,
                "LIST",
                "of the template; without flocker there is no step flocker (all)",
                offsetof(Arguments, components)},
        {"swarm",
                0,
                OPTION_CHOICE,
                "MODE",
                "of the template: auto (the default), builtin, classic or none",
                offsetof(Arguments, swarm),
                .choices = variant_swarms},
        {"folder",
                0,
                OPTION_TEXT,
                "DIR",
                "where each stage's result is kept (flocker-images)",
                offsetof(Arguments, folder)},
        {"public-read",
                0,
                OPTION_FLAG,
                NULL,
                "everybody may read the template",
                offsetof(Arguments, public_read)},
        {"as",
                0,
                OPTION_TEXT,
                "VERSION",
                "the version in the template's name (12 digits of its SHA-256)",
                offsetof(Arguments, version)},
        {"latest",
                0,
                OPTION_FLAG,
                NULL,
                "publish it as the latest, too",
                offsetof(Arguments, latest)},
        {"stack-name",
                0,
                OPTION_TEXT,
                "NAME",
                "the stack's name in the link (flocker)",
                offsetof(Arguments, stack)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-template images all",
        .operands = "s3://BUCKET/KEY",
        .description =
                "Finds the newest base image, builds the images of both steps on it, makes the\n"
                "template of them and publishes that. Each stage leaves its result in the folder:\n"
                "base.json, docker.json, flocker.json, template.json, published.json; the same\n"
                "call again goes on where it stopped. Software is named as for `images build`.",
        .options = options,
        .n_options = ELEMENTS(options),
        .min_operands = 1,
        .max_operands = 1,
};

typedef struct Run {
        Arguments arguments;
        const char *address; /* where the template goes */
        Variant variant;
        Recipe docker, flocker;
        char base_image[32], docker_image[32];
        ImageMap base, images; /* images: of the last step so far */
} Run;

static void run_done(Run *run)
{
        variant_done(&run->variant);
}
DEFINE_CLEANUP_IN_PLACE(Run, run_done);

static int read_map(const char *path, const Buffer *text, ImageMap *ret, Error *ret_error)
{
        return image_map_parse(path, buffer_text(text), text->size, ret, ret_error);
}

/* --- the stages: each makes a text, or takes up what an earlier call made --- */

static int make_base(Run *run, Buffer *ret, Error *ret_error)
{
        const ImagesBuild *build = &run->arguments.build;
        _cleanup_(account_done) Account account = {};
        ImageMap base = {};
        int r;

        r = account_open(run->docker.build_region, &account, ret_error);
        if (r == 0)
                r = regions_latest_image(&account,
                        run->docker.distribution,
                        distribution_architectures[build->architecture],
                        run->base_image,
                        ret_error);
        if (r == 0)
                r = image_map_put(&base,
                        run->docker.build_region,
                        run->base_image,
                        run->docker.distribution->root_device,
                        ret_error);
        return r < 0 ? r : image_map_format(&base, ret);
}

static int take_base(Run *run, const char *path, const Buffer *text, Error *ret_error)
{
        return read_map(path, text, &run->base, ret_error);
}

static int build_step(
        Run *run, RecipeStep step, const ImageMap *source, Buffer *ret, Error *ret_error)
{
        const ImagesBuild *build = &run->arguments.build;
        _cleanup_(free) char *folder =
                text_format("%s/%s", run->arguments.folder, recipe_steps[step]);
        ImageMap images = {};
        Recipe recipe = {};
        char image[32];
        int r;

        if (!folder)
                return error_set(ret_error, -ENOMEM, "cannot build: %m");
        r = images_build_recipe(
                build, step, &(ImagesSource){.map = source}, &recipe, image, ret_error);
        if (r == 0)
                r = images_build_run(build, &recipe, folder, &images, ret_error);
        return r < 0 ? r : image_map_format(&images, ret);
}

static int make_docker(Run *run, Buffer *ret, Error *ret_error)
{
        return build_step(run, RECIPE_DOCKER, &run->base, ret, ret_error);
}

static int make_flocker(Run *run, Buffer *ret, Error *ret_error)
{
        return build_step(run, RECIPE_FLOCKER, &run->images, ret, ret_error);
}

static int take_images(Run *run, const char *path, const Buffer *text, Error *ret_error)
{
        return read_map(path, text, &run->images, ret_error);
}

static int make_template(Run *run, Buffer *ret, Error *ret_error)
{
        int r;

        run->variant.node_images = run->variant.client_images = run->images;
        r = variant_check(&run->variant, ret_error);
        return r < 0 ? r : stack_format(&run->variant, ret, ret_error);
}

static int make_published(Run *run, Buffer *ret, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/template.json", run->arguments.folder);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STACK_TEXT_MAX);
        _cleanup_(published_done) Published published = {};
        int r;

        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot publish: %m");
        r = file_read(AT_FDCWD, path, STACK_TEXT_MAX, &text, ret_error);
        if (r == 0)
                r = publish_template(
                        &(Publication){
                                .name = path,
                                .text = buffer_text(&text),
                                .size = text.size,
                                .address = run->address,
                                .version = run->arguments.version,
                                .region = run->docker.build_region,
                                .stack = run->arguments.stack,
                                .public_read = run->arguments.public_read,
                                .latest = run->arguments.latest,
                        },
                        &published,
                        ret_error);
        return r < 0 ? r : publish_format(&published, ret);
}

static int take_published(Run *run, const char *path, const Buffer *text, Error *ret_error)
{
        (void)run, (void)path, (void)ret_error;
        (void)fwrite(buffer_text(text), 1, text->size, stdout);
        return 0;
}

static const struct Stage {
        const char *name; /* of its file, too */
        int (*make)(Run *run, Buffer *ret, Error *ret_error);
        int (*take)(Run *run, const char *path, const Buffer *text, Error *ret_error); /* or NULL */
        bool for_flocker;
} stages[] = {
        {"base", make_base, take_base},
        {"docker", make_docker, take_images},
        {"flocker", make_flocker, take_images, true},
        {"template", make_template, NULL},
        {"published", make_published, take_published},
};

static int run_stage(Run *run, const struct Stage *stage, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/%s.json", run->arguments.folder, stage->name);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STACK_TEXT_MAX);
        int r;

        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot begin stage %s: %m", stage->name);
        r = file_read(AT_FDCWD, path, STACK_TEXT_MAX, &text, ret_error);
        if (r == 0) {
                images_say("%s: is there: %s", stage->name, path);
        } else if (r == -ENOENT) {
                images_say("%s: begins", stage->name);
                r = stage->make(run, &text, ret_error);
                if (r == 0)
                        r = file_write_atomic(
                                AT_FDCWD, path, buffer_text(&text), text.size, 0644, ret_error);
                if (r == 0)
                        images_say("%s: done: %s", stage->name, path);
        }
        if (r == 0 && stage->take)
                r = stage->take(run, path, &text, ret_error);
        return r;
}

/* --- what the results are of --- */

static int set(Json *json, const char *key, const char *text)
{
        return json_set_text(json, key, text ? text : "");
}

/* All that a result depends on, by the names that people typed. */
static int format_inputs(const Run *run, Json *json)
{
        const Arguments *arguments = &run->arguments;
        const ImagesBuild *build = &arguments->build;
        char agents[24];
        const char *const pairs[][2] = {
                {"s3://BUCKET/KEY", run->address},
                {"--package", build->package},
                {"--distribution", distribution_names[build->distribution]},
                {"--arch", distribution_architectures[build->architecture]},
                {"--build-region", build->build_region},
                {"--regions", build->regions},
                {"--copy-to-all-regions", build->copy_to_all_regions ? "yes" : "no"},
                {"--image-version", build->version},
                {"--components", arguments->components},
                {"--swarm", variant_swarms[arguments->swarm]},
                {"--agents", agents},
                {"--public-read", arguments->public_read ? "yes" : "no"},
                {"--as", arguments->version},
                {"--latest", arguments->latest ? "yes" : "no"},
                {"--stack-name", arguments->stack},
        };
        int r = 0;

        (void)snprintf(agents, sizeof(agents), "%" PRId64, arguments->agents);
        for (size_t i = 0; r == 0 && i < ELEMENTS(pairs); i++)
                r = set(json, pairs[i][0], pairs[i][1]);
        for (size_t i = 0; r == 0 && i < _RECIPE_INPUTS; i++)
                r = set(json, recipe_inputs[i], run->docker.inputs[i]);
        return r;
}

static int check_same(const char *path, const Json *then, const Json *now, Error *ret_error)
{
        void *iterator = NULL;
        const char *key;
        const Json *value;

        while (json_next_member(now, &iterator, &key, &value)) {
                const char *was = json_text(json_member(then, key));

                if (!text_equal(was, json_text(value)))
                        return error_set(ret_error,
                                -EEXIST,
                                "cannot go on with what '%s' tells of: %s was '%.100s' then, and "
                                "is "
                                "'%.100s' now; take another --folder",
                                path,
                                key,
                                was ? was : "",
                                json_text(value));
        }
        return 0;
}

/* Results of other inputs are not this run's: what the folder was begun with stands in inputs.json.
 */
static int keep_inputs(const Run *run, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/inputs.json", run->arguments.folder);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(INPUTS_MAX), old = BUFFER_INIT(INPUTS_MAX);
        _cleanup_(json_free) Json *now = json_new_object(), *then = NULL;
        int r;

        if (!path || format_inputs(run, now) < 0 || json_format(now, JSON_INDENTED, &text) < 0)
                return error_set(ret_error, -ENOMEM, "cannot begin: %m");
        r = file_read(AT_FDCWD, path, INPUTS_MAX, &old, ret_error);
        if (r == -ENOENT)
                return file_write_atomic(
                        AT_FDCWD, path, buffer_text(&text), text.size, 0644, ret_error);
        if (r == 0)
                r = json_parse(path, buffer_text(&old), old.size, &then, ret_error);
        return r < 0 ? r : check_same(path, then, now, ret_error);
}

/* --- the run --- */

/* Everything that can be refused is, before a machine is paid for. */
static int check(Run *run, Error *ret_error)
{
        const Arguments *arguments = &run->arguments;
        const char *region = arguments->build.build_region;
        _cleanup_(free) char *bucket = NULL, *key = NULL;
        int r = 0;

        run->variant = (Variant){
                .agents = arguments->agents,
                .components = VARIANT_FLOCKER | VARIANT_DOCKER | VARIANT_SWARM,
                .swarm = arguments->swarm,
                .node_type = VARIANT_NODE_TYPE,
                .client_type = VARIANT_CLIENT_TYPE,
                .image_version = arguments->build.version,
        };
        if (arguments->components)
                r = variant_parse_components(
                        arguments->components, &run->variant.components, ret_error);
        if (r == 0)
                r = variant_check(&run->variant, ret_error);
        if (r == 0)
                r = s3_object_url_parse(run->address, &bucket, &key, ret_error);
        if (r == 0 && region)
                r = aws_region_check(region, ret_error);
        if (r < 0)
                return r;

        images_build_begin(&arguments->build, RECIPE_DOCKER, &run->docker);
        images_build_begin(&arguments->build, RECIPE_FLOCKER, &run->flocker);
        r = recipe_check(&run->docker, ret_error);
        if (r == 0 && variant_has(&run->variant, VARIANT_FLOCKER))
                r = recipe_check(&run->flocker, ret_error);
        return r;
}

static int lock(const char *folder, int *ret_fd, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/lock", folder);
        int r;

        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return error_set(ret_error, -errno, "cannot make the folder '%.300s': %m", folder);
        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot begin: %m");
        r = file_lock(AT_FDCWD, path, clock_now(&clock_system), ret_fd, ret_error);
        return r == -EBUSY ? error_append(ret_error, r, "; another call is at work in this folder")
                           : r;
}

static int run_all(Run *run, Error *ret_error)
{
        _cleanup_(close) int lock_fd = -1;
        int r;

        r = check(run, ret_error);
        if (r == 0)
                r = lock(run->arguments.folder, &lock_fd, ret_error);
        if (r == 0)
                r = keep_inputs(run, ret_error);
        for (size_t i = 0; r == 0 && i < ELEMENTS(stages); i++)
                if (!stages[i].for_flocker || variant_has(&run->variant, VARIANT_FLOCKER))
                        r = run_stage(run, &stages[i], ret_error);
        return r;
}

int images_all_command(int argc, char *argv[])
{
        _cleanup_(run_done) Run run = {
                .arguments =
                        {
                                .build = IMAGES_BUILD_INIT,
                                .agents = 2,
                                .folder = "flocker-images",
                                .stack = "flocker",
                        },
        };
        Error error = ERROR_INIT;
        int operands, status, r;

        if (command_parse(
                    &line, argc, argv, &run.arguments, &run.arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;
        run.address = argv[operands];
        r = run_all(&run, &error);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}
