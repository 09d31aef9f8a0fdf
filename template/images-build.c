#include "template/images-build.h"

#include "base/text.h"
#include "template/images.h"
#include "template/packer.h"

#include <errno.h>
#include <string.h>

#define BUILD_REGION "us-west-1"

static const char *build_region(const ImagesBuild *build)
{
        return build->build_region ? build->build_region : BUILD_REGION;
}

/* The regions besides the one where it is built. */
static int choose_copies(const ImagesBuild *build, RegionList *ret, Error *ret_error)
{
        _cleanup_(account_done) Account account = {};
        Error note = ERROR_INIT;
        RegionList all = {};
        int r = 0;

        if (build->copy_to_all_regions && build->regions)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use both --regions and --copy-to-all-regions: expected one of "
                        "them");
        if (build->regions)
                r = regions_parse(build->regions, &all, ret_error);
        if (r == 0 && build->copy_to_all_regions) {
                r = account_open(build_region(build), &account, ret_error);
                if (r == 0)
                        regions_of_account(&account, &all, &note);
                if (note.text[0])
                        images_say("note: %s", note.text);
        }
        if (r < 0)
                return r;
        *ret = (RegionList){};
        for (size_t i = 0; i < all.count; i++)
                if (!text_equal(all.names[i], build_region(build)))
                        memcpy(ret->names[ret->count++], all.names[i], sizeof(all.names[i]));
        return 0;
}

static int choose_source(const ImagesBuild *build,
        RecipeStep step,
        const ImagesSource *source,
        char ret[32],
        Error *ret_error)
{
        _cleanup_(account_done) Account account = {};
        const char *region = build_region(build), *image = source->image;
        int r;

        if (!image && source->map) {
                image = image_map_get(source->map, region);
                if (!image)
                        return error_set(ret_error,
                                -EDOM,
                                "cannot build in %s: the map of source images lacks this region "
                                "(its first is %s)",
                                region,
                                source->map->entries[0].region);
        }
        if (image && (!image_map_is_image(image) || text_put(ret, 32, image) < 0))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use the source image '%.60s': expected an id like "
                        "ami-0123456789abcdef0",
                        image);
        if (image)
                return 0;
        if (step != RECIPE_DOCKER)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot build step %s without the image of step docker: give "
                        "--source-ami-map-body, --source-ami-map-url or --source-ami",
                        recipe_steps[step]);
        r = account_open(region, &account, ret_error);
        return r < 0 ? r
                     : regions_latest_image(&account,
                               distribution_get(build->distribution),
                               distribution_architectures[build->architecture],
                               ret,
                               ret_error);
}

void images_build_begin(const ImagesBuild *build, RecipeStep step, Recipe *ret)
{
        bool arm = text_equal(distribution_architectures[build->architecture], "arm64");

        *ret = (Recipe){
                .step = step,
                .distribution = distribution_get(build->distribution),
                .package = build->package,
                .image_version = build->version,
                .instance_type = build->instance_type ? build->instance_type
                                 : arm                ? "t4g.small"
                                                      : "t3.small",
                .build_region = build_region(build),
        };
        recipe_read_inputs(ret);
}

int images_build_recipe(const ImagesBuild *build,
        RecipeStep step,
        const ImagesSource *source,
        Recipe *ret,
        char ret_image[32],
        Error *ret_error)
{
        Recipe recipe;
        int r;

        images_build_begin(build, step, &recipe);
        recipe.builders = source->builders;
        recipe.source_image = ret_image;
        r = aws_region_check(recipe.build_region, ret_error);
        if (r == 0)
                r = recipe_check(&recipe, ret_error);
        if (r == 0 && !recipe.builders)
                r = choose_source(build, step, source, ret_image, ret_error);
        if (r == 0 && !recipe.builders)
                r = choose_copies(build, &recipe.copies, ret_error);
        if (r < 0)
                return r;
        recipe_name(&recipe, clock_wall(&clock_system));
        *ret = recipe;
        return 0;
}

/* Copies have it from the original. Where it cannot be asked, the base image's is told. */
static int add_root_devices(const Recipe *recipe, ImageMap *images, Error *ret_error)
{
        _cleanup_(account_done) Account account = {};
        char device[sizeof(images->entries[0].device)];
        Error note = ERROR_INIT;
        int r;

        r = account_open(recipe->build_region, &account, &note);
        if (r == 0)
                r = regions_root_device(
                        &account, image_map_get(images, recipe->build_region), device, &note);
        if (r < 0) {
                images_say("note: %s; that of %s is taken", note.text, recipe->distribution->name);
                (void)text_put(device, sizeof(device), recipe->distribution->root_device);
        }
        r = 0;
        for (size_t i = 0; r == 0 && i < images->count; i++) {
                const ImageMapEntry entry = images->entries[i];

                r = image_map_put(images, entry.region, entry.image, device, ret_error);
        }
        return r;
}

int images_build_run(const ImagesBuild *build,
        const Recipe *recipe,
        const char *folder,
        ImageMap *ret,
        Error *ret_error)
{
        const Packer packer = {
                .program = build->packer,
                .folder = folder,
                .recipe = recipe,
                .time = build->timeout,
        };
        ImageMap images = {};
        int r;

        r = packer_check(&packer, ret_error);
        if (r == 0)
                r = recipe_write(recipe, folder, ret_error);
        if (r == 0)
                r = packer_build(&packer, &images, ret_error);
        if (r == 0 && image_map_get(&images, recipe->build_region))
                r = add_root_devices(recipe, &images, ret_error);
        if (r == 0)
                *ret = images;
        return r;
}
