#include "template/packer.h"

#include "base/text.h"
#include "template/images.h"
#include "template/packer-child.h"
#include "template/packer-output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_TIME (30 * USEC_PER_SEC)
#define NO_PROGRAM   127 /* exit statuses of a child that did not become Packer */

int packer_compare_versions(const char *a, const char *b)
{
        for (;;) {
                char *behind_a, *behind_b;
                long left = strtol(a, &behind_a, 10), right = strtol(b, &behind_b, 10);

                if (left != right)
                        return left < right ? -1 : 1;
                if (*behind_a != '.' && *behind_b != '.')
                        return 0;
                a = behind_a + (*behind_a == '.');
                b = behind_b + (*behind_b == '.');
        }
}

/* --- its version --- */

typedef struct Version {
        char text[64]; /* "1.6.6"; "": not seen yet */
} Version;

/* "Packer v1.6.6" */
static int read_version(char *text, void *userdata, Error *ret_error)
{
        Version *version = userdata;

        (void)ret_error;
        if (!version->text[0] && text_starts(text, "Packer v"))
                (void)snprintf(
                        version->text, sizeof(version->text), "%s", text + strlen("Packer v"));
        text_flatten(version->text);
        return 0;
}

int packer_check(const Packer *packer, Error *ret_error)
{
        const char *const arguments[] = {packer->program, "version", NULL};
        Version version = {""};
        PackerChildEnd end;
        int status, r;

        r = packer_child_run(
                &(PackerChild){
                        .program = packer->program,
                        .arguments = arguments,
                        .deadline = clock_deadline(&clock_system, VERSION_TIME),
                        .line = read_version,
                        .userdata = &version,
                },
                &end,
                &status,
                ret_error);
        if (r < 0)
                return error_append(ret_error,
                        r,
                        "; install Packer " PACKER_VERSION_AMAZON
                        " or newer, or name it with --packer=FILE");
        if (end != PACKER_CHILD_ENDED || !version.text[0])
                return error_set(ret_error,
                        -EDOM,
                        "cannot use '%s': it does not say a version as Packer does",
                        packer->program);
        if (!packer->recipe->builders &&
                packer_compare_versions(version.text, PACKER_VERSION_AMAZON) < 0)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use Packer %s for AWS: it signs with SHA-1, which a current sshd "
                        "refuses; expected " PACKER_VERSION_AMAZON " or newer",
                        version.text);
        return 0;
}

/* --- a build --- */

static void say_line(const char *text, void *userdata)
{
        (void)userdata;
        (void)fprintf(stderr, "%s\n", text);
}

static int read_line(char *text, void *userdata, Error *ret_error)
{
        return packer_output_read(userdata, text, ret_error);
}

static void say_interrupted(void *userdata)
{
        (void)userdata;
        images_say("Packer is asked to end, and removes what it has made; a second interrupt does "
                   "not wait for that");
}

/* Whoever reads this at night has to clean up: what, where, how. */
static void say_left(const Packer *packer, const PackerOutput *output)
{
        const char *region = packer->recipe->build_region;

        if (packer->recipe->builders)
                return;
        if (output->n_left == 0)
                images_say("nothing is left behind in %s, as far as Packer has told", region);
        for (size_t i = 0; i < output->n_left; i++) {
                _cleanup_(free) char *remedy =
                        packer_output_remedy(&output->left[i], region, packer->recipe->name);

                images_say("left behind in %s: %s",
                        output->left[i].thing == PACKER_COPY ? output->left[i].id : region,
                        remedy ? remedy : output->left[i].id);
        }
}

static int explain(const Packer *packer,
        const PackerOutput *output,
        PackerChildEnd end,
        int status,
        Error *ret_error)
{
        const Recipe *recipe = packer->recipe;
        const char *where = recipe->builders ? "" : " in ";
        char cause[128];
        int r = -ENOTCONN;

        (void)snprintf(
                cause, sizeof(cause), "Packer ended with status %d and said why above", status);
        if (status == NO_PROGRAM)
                (void)snprintf(cause, sizeof(cause), "'%.100s' cannot be run", packer->program);
        if (end == PACKER_CHILD_INTERRUPTED) {
                (void)snprintf(cause, sizeof(cause), "interrupted");
                r = -EAGAIN;
        }
        if (end == PACKER_CHILD_TOO_LATE) {
                (void)snprintf(cause, sizeof(cause), "it took longer than --timeout allows");
                r = -ETIMEDOUT;
        }
        return error_set(ret_error,
                r,
                "cannot build the image of step %s%s%s: %s%s",
                recipe_steps[recipe->step],
                where,
                recipe->builders ? "" : recipe->build_region,
                end == PACKER_CHILD_ENDED && output->error.text[0] ? output->error.text : cause,
                output->unknown_builder
                        ? "; newer Packers have builders as plugins: packer plugins install "
                          "github.com/hashicorp/amazon"
                        : "");
}

/* Every region that was asked for. */
static int check_images(const Recipe *recipe, const ImageMap *images, Error *ret_error)
{
        if (recipe->builders)
                return 0;
        if (!image_map_get(images, recipe->build_region))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot map the images: Packer ended well and named none in %s",
                        recipe->build_region);
        for (size_t i = 0; i < recipe->copies.count; i++)
                if (!image_map_get(images, recipe->copies.names[i]))
                        return error_set(ret_error,
                                -EPROTO,
                                "cannot map the images: Packer ended well and named none in %s",
                                recipe->copies.names[i]);
        return 0;
}

int packer_build(const Packer *packer, ImageMap *ret, Error *ret_error)
{
        const char *const arguments[] = {
                packer->program, "build", "-machine-readable", "packer.json", NULL};
        PackerOutput output = {.say = say_line};
        PackerChildEnd end = PACKER_CHILD_ENDED;
        int status = 0, r;

        r = packer_child_run(
                &(PackerChild){
                        .program = packer->program,
                        .arguments = arguments,
                        .folder = packer->folder,
                        .deadline = clock_deadline(&clock_system, packer->time),
                        .line = read_line,
                        .interrupted = say_interrupted,
                        .userdata = &output,
                },
                &end,
                &status,
                ret_error);
        if (r == 0 && (end != PACKER_CHILD_ENDED || status != 0)) {
                say_left(packer, &output);
                return explain(packer, &output, end, status, ret_error);
        }
        if (r == 0)
                r = check_images(packer->recipe, &output.images, ret_error);
        if (r == 0)
                *ret = output.images;
        return r;
}
