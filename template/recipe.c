#include "template/recipe.h"

#include "aws/environment.h"
#include "base/file.h"
#include "base/text.h"
#include "template/build.h"
#include "template/provisioning.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX      (256U * 1024U)
#define INPUT_MAX     1024U
#define SHA256_DIGITS 64U
#define THERE         "/tmp/flocker-image" /* where it lies in the machine */

const char *const recipe_steps[] = {"docker", "flocker", NULL};
const char *const recipe_inputs[] = {
        [RECIPE_DOCKER_VERSION] = "DOCKER_VERSION",
        [RECIPE_DOCKER_SOURCE] = "DOCKER_SOURCE",
        [RECIPE_DOCKER_SHA256] = "DOCKER_SHA256",
        [RECIPE_SWARM_VERSION] = "SWARM_VERSION",
        [RECIPE_SWARM_SOURCE] = "SWARM_SOURCE",
        [RECIPE_SWARM_SHA256] = "SWARM_SHA256",
        [RECIPE_FLOCKER_VERSION] = "FLOCKER_VERSION",
        [RECIPE_FLOCKER_SOURCE] = "FLOCKER_SOURCE",
        [RECIPE_FLOCKER_SHA256] = "FLOCKER_SHA256",
};

/* What is installed by which step: three inputs each, beginning with the version. */
static const struct {
        const char *title;
        const char *file; /* of its source, in the machine */
        RecipeStep step;
        RecipeInput version;
        bool optional;   /* it may be left out */
        bool in_archive; /* the distribution has it, so that no source is needed */
} softwares[] = {
        {"Docker", "docker", RECIPE_DOCKER, RECIPE_DOCKER_VERSION, false, true},
        {"classic Swarm", "swarm", RECIPE_DOCKER, RECIPE_SWARM_VERSION, true, false},
        {"Flocker", "flocker", RECIPE_FLOCKER, RECIPE_FLOCKER_VERSION, false, false},
};

void recipe_read_inputs(Recipe *recipe)
{
        for (size_t i = 0; i < _RECIPE_INPUTS; i++)
                recipe->inputs[i] = environment_get(NULL, recipe_inputs[i]);
}

void recipe_name(Recipe *recipe, Usec wall)
{
        char time[CLOCK_UTC_MAX], digits[CLOCK_UTC_MAX];
        size_t n = 0;

        clock_format_utc(wall, time);
        for (const char *c = time; *c; c++)
                if (*c >= '0' && *c <= '9')
                        digits[n++] = *c;
        digits[n] = '\0';
        (void)snprintf(recipe->name,
                sizeof(recipe->name),
                "flocker-%s-%s-%s",
                recipe_steps[recipe->step],
                recipe->image_version,
                digits);
}

/* --- what is refused --- */

/* It stands between single quotes in a file that a shell reads. */
static bool is_plain(const char *text, const char *more)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                    ".+~_-";
        char allowed[sizeof(plain) + 32];

        (void)snprintf(allowed, sizeof(allowed), "%s%s", plain, more);
        return text[0] && strlen(text) < INPUT_MAX && strspn(text, allowed) == strlen(text);
}

static int refuse_input(
        const Recipe *recipe, RecipeInput input, const char *expected, Error *ret_error)
{
        return error_set(ret_error,
                -EDOM,
                "cannot use %s='%.100s': expected %s",
                recipe_inputs[input],
                recipe->inputs[input],
                expected);
}

static bool is_fetched(const char *source)
{
        return text_starts(source, "https://") || text_starts(source, "file://");
}

static int check_source(const Recipe *recipe, RecipeInput version, Error *ret_error)
{
        const RecipeInput source_input = version + 1, sha256_input = version + 2;
        const char *source = recipe->inputs[source_input], *sha256 = recipe->inputs[sha256_input];

        if (!sha256)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use %s without %s: the file's SHA-256",
                        recipe_inputs[source_input],
                        recipe_inputs[sha256_input]);
        if (strlen(sha256) != SHA256_DIGITS || strspn(sha256, "0123456789abcdef") != SHA256_DIGITS)
                return refuse_input(
                        recipe, sha256_input, "64 hexadecimal digits in lower case", ret_error);
        if (!is_plain(source, "/:?&=%,@#") || text_starts(source, "http://"))
                return refuse_input(recipe,
                        source_input,
                        "a file or https://…, without blanks and quotes",
                        ret_error);
        if (!is_fetched(source) && access(source, R_OK) < 0)
                return error_set(ret_error,
                        -errno,
                        "cannot use %s='%.300s': %m",
                        recipe_inputs[source_input],
                        source);
        return 0;
}

static int check_software(const Recipe *recipe, size_t i, Error *ret_error)
{
        const RecipeInput version = softwares[i].version;
        const char *source = recipe->inputs[version + 1], *sha256 = recipe->inputs[version + 2];

        if (!recipe->inputs[version] && softwares[i].optional && !source && !sha256)
                return 0;
        if (!recipe->inputs[version])
                return error_set(ret_error,
                        -EDOM,
                        "cannot build step %s without the environment's %s: the version of %s",
                        recipe_steps[recipe->step],
                        recipe_inputs[version],
                        softwares[i].title);
        if (!is_plain(recipe->inputs[version], ":"))
                return refuse_input(recipe, version, "a version like 1.2.3", ret_error);
        if (source || sha256) {
                if (!source)
                        return error_set(ret_error,
                                -EDOM,
                                "cannot use %s without %s: a file or https://…",
                                recipe_inputs[version + 2],
                                recipe_inputs[version + 1]);
                return check_source(recipe, version, ret_error);
        }
        if (softwares[i].in_archive)
                return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot build step %s without %s and %s: no archive holds %s any more; give a file "
                "or https://…, and its SHA-256",
                recipe_steps[recipe->step],
                recipe_inputs[version + 1],
                recipe_inputs[version + 2],
                softwares[i].title);
}

int recipe_check(const Recipe *recipe, Error *ret_error)
{
        int r = 0;

        if (!is_plain(recipe->image_version, "") ||
                strlen(recipe->image_version) > RECIPE_NAME_MAX / 2)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use the image's version '%.80s': expected one like 1.2.3",
                        recipe->image_version);
        for (size_t i = 0; r == 0 && i < ELEMENTS(softwares); i++)
                if (softwares[i].step == recipe->step)
                        r = check_software(recipe, i, ret_error);
        if (r == 0 && access(recipe->package, R_OK) < 0)
                r = error_set(ret_error,
                        -errno,
                        "cannot use the package '%.300s' of flocker-bootstrap: %m",
                        recipe->package);
        return r;
}

/* --- what is written --- */

static Json *build_shell(const char *command)
{
        return build_object(
                {"type", build_text("shell")}, {"inline", build_list(build_text(command))});
}

/* Of the maintainer's machine: Packer's current folder is another. */
static Json *build_upload(const char *source, const char *destination)
{
        char place[PATH_MAX];
        const char *path = realpath(source, place);

        return path ? build_object({"type", build_text("file")},
                              {"source", build_text(path)},
                              {"destination", build_text(destination)})
                    : NULL;
}

static int add_uploads(const Recipe *recipe, Json *provisioners)
{
        int r;

        r = json_append(
                provisioners, build_upload(recipe->package, THERE "/flocker-bootstrap.deb"));
        for (size_t i = 0; r == 0 && i < ELEMENTS(softwares); i++) {
                const char *source = recipe->inputs[softwares[i].version + 1];
                char there[64];

                if (softwares[i].step != recipe->step || !source || is_fetched(source))
                        continue;
                (void)snprintf(there, sizeof(there), THERE "/%s", softwares[i].file);
                r = json_append(provisioners, build_upload(source, there));
        }
        return r;
}

static Json *build_provisioners(const Recipe *recipe)
{
        _cleanup_(json_free) Json *list = json_new_array();
        int r;

        r = json_append(list, build_shell("sudo -n rm -rf " THERE " && mkdir -m 755 " THERE));
        if (r == 0)
                r = json_append(list,
                        build_object({"type", build_text("file")},
                                {"source", build_text("provisioning/")},
                                {"destination", build_text(THERE)}));
        if (r == 0)
                r = add_uploads(recipe, list);
        for (size_t i = 0; r == 0 && provisioning_files[i].name; i++) {
                char command[128];

                (void)snprintf(command,
                        sizeof(command),
                        "sudo -n /bin/bash " THERE "/%s",
                        provisioning_files[i].name);
                r = json_append(list, build_shell(command));
        }
        if (r == 0)
                r = json_append(list, build_shell("sudo -n rm -rf " THERE));
        return r < 0 ? NULL : TAKE_PTR(list);
}

static Json *build_regions(const RegionList *regions)
{
        Json *list = json_new_array();

        for (size_t i = 0; list && i < regions->count; i++)
                if (json_append(list, build_text(regions->names[i])) < 0)
                        return json_free(list);
        return list;
}

static Json *build_amazon(const Recipe *recipe)
{
        return build_object({"type", build_text("amazon-ebs")},
                {"region", build_text(recipe->build_region)},
                {"source_ami", build_text(recipe->source_image)},
                {"instance_type", build_text(recipe->instance_type)},
                {"ssh_username", build_text(recipe->distribution->login_user)},
                {"temporary_key_pair_type", build_text("ed25519")},
                {"metadata_options",
                        build_object({"http_endpoint", build_text("enabled")},
                                {"http_tokens", build_text("required")},
                                {"http_put_response_hop_limit", json_new_int64(1)})},
                {"ami_name", build_text(recipe->name)},
                {"ami_description",
                        build_format("flocker-bootstrap %s, step %s, on %s",
                                recipe->image_version,
                                recipe_steps[recipe->step],
                                recipe->distribution->name)},
                {"ami_regions", build_regions(&recipe->copies)},
                {"tags",
                        build_object({"Name", build_text(recipe->name)},
                                {"flocker:image", build_text(recipe->image_version)},
                                {"flocker:step", build_text(recipe_steps[recipe->step])},
                                {"flocker:base", build_text(recipe->source_image)})},
                {"run_tags", build_object({"Name", build_format("building %s", recipe->name)})});
}

static int build_builders(const Recipe *recipe, Json **ret, Error *ret_error)
{
        _cleanup_(json_free) Json *given = NULL;
        int r;

        if (!recipe->builders) {
                *ret = build_list(build_amazon(recipe));
                return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot write a recipe: %m");
        }
        r = json_parse("--builders", recipe->builders, strlen(recipe->builders), &given, ret_error);
        if (r < 0)
                return r;
        if (!json_is_array(given) || json_count(given) == 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use --builders: expected a list of Packer's builders");
        *ret = TAKE_PTR(given);
        return 0;
}

static int write_packer(const Recipe *recipe, const char *folder, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(TEXT_MAX);
        _cleanup_(free) char *path = text_format("%s/packer.json", folder);
        _cleanup_(json_free) Json *packer = NULL;
        Json *builders = NULL;
        int r;

        r = build_builders(recipe, &builders, ret_error);
        if (r < 0)
                return r;
        packer = build_object({"builders", builders}, {"provisioners", build_provisioners(recipe)});
        if (!path || !packer || json_format(packer, JSON_INDENTED, &text) < 0)
                return error_set(ret_error, -ENOMEM, "cannot write a recipe: %m");
        return file_write_atomic(AT_FDCWD, path, buffer_text(&text), text.size, 0644, ret_error);
}

static int write_settings(const Recipe *recipe, const char *folder, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(TEXT_MAX);
        _cleanup_(free) char *path = text_format("%s/provisioning/settings", folder);
        int r;

        r = buffer_append_format(&text,
                "STEP='%s'\nIMAGE_VERSION='%s'\n",
                recipe_steps[recipe->step],
                recipe->image_version);
        for (size_t i = 0; r == 0 && i < ELEMENTS(softwares); i++)
                for (RecipeInput j = softwares[i].version;
                        r == 0 && softwares[i].step == recipe->step && j < softwares[i].version + 3;
                        j++)
                        if (recipe->inputs[j])
                                r = buffer_append_format(
                                        &text, "%s='%s'\n", recipe_inputs[j], recipe->inputs[j]);
        if (r < 0 || !path)
                return error_set(ret_error, -ENOMEM, "cannot write a recipe: %m");
        return file_write_atomic(AT_FDCWD, path, buffer_text(&text), text.size, 0644, ret_error);
}

static int make_folder(const char *path, Error *ret_error)
{
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return error_set(ret_error, -errno, "cannot make the folder '%.300s': %m", path);
        return 0;
}

int recipe_write(const Recipe *recipe, const char *folder, Error *ret_error)
{
        _cleanup_(free) char *below = text_format("%s/provisioning", folder);
        int r;

        if (!below)
                return error_set(ret_error, -ENOMEM, "cannot write a recipe: %m");
        r = make_folder(folder, ret_error);
        if (r == 0)
                r = make_folder(below, ret_error);
        if (r == 0)
                r = write_settings(recipe, folder, ret_error);
        for (size_t i = 0; r == 0 && provisioning_files[i].name; i++) {
                _cleanup_(free) char *path =
                        text_format("%s/%s", below, provisioning_files[i].name);

                r = path ? file_write_atomic(AT_FDCWD,
                                   path,
                                   provisioning_files[i].text,
                                   strlen(provisioning_files[i].text),
                                   0755,
                                   ret_error)
                         : error_set(ret_error, -ENOMEM, "cannot write a recipe: %m");
        }
        return r == 0 ? write_packer(recipe, folder, ret_error) : r;
}
