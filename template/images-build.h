/* Building one step's image: what the commands `images build` and `images all` share. */

#pragma once

#include "base/option.h"
#include "template/recipe.h"

typedef struct ImagesBuild {
        const char *build_region, *regions; /* NULL: us-west-1; none */
        const char *instance_type;          /* NULL: as the architecture has it */
        const char *package, *version, *packer;
        int distribution, architecture; /* indices of template/distribution.h */
        uint64_t timeout;
        bool copy_to_all_regions;
} ImagesBuild;

#define IMAGES_BUILD_INIT \
        ((ImagesBuild){.version = VERSION, .packer = "packer", .timeout = 2 * USEC_PER_HOUR})

/* The options of both commands, for a struct that has an ImagesBuild `build`. */
#define IMAGES_BUILD_OPTIONS(Arguments)                                                     \
        {"package",                                                                         \
                0,                                                                          \
                OPTION_TEXT,                                                                \
                "FILE",                                                                     \
                "the .deb of flocker-bootstrap that goes into the image",                   \
                offsetof(Arguments, build.package),                                         \
                .required = true},                                                          \
                {"distribution",                                                            \
                        0,                                                                  \
                        OPTION_CHOICE,                                                      \
                        "NAME",                                                             \
                        "ubuntu-24.04 (the default), ubuntu-22.04, debian-13 or debian-12", \
                        offsetof(Arguments, build.distribution),                            \
                        .choices = distribution_names},                                     \
                {"arch",                                                                    \
                        0,                                                                  \
                        OPTION_CHOICE,                                                      \
                        "NAME",                                                             \
                        "amd64 (the default) or arm64",                                     \
                        offsetof(Arguments, build.architecture),                            \
                        .choices = distribution_architectures},                             \
                {"build-region",                                                            \
                        0,                                                                  \
                        OPTION_TEXT,                                                        \
                        "REGION",                                                           \
                        "where the image is built (us-west-1)",                             \
                        offsetof(Arguments, build.build_region)},                           \
                {"regions",                                                                 \
                        0,                                                                  \
                        OPTION_TEXT,                                                        \
                        "REGIONS",                                                          \
                        "where copies go, separated by commas",                             \
                        offsetof(Arguments, build.regions)},                                \
                {"copy-to-all-regions",                                                     \
                        0,                                                                  \
                        OPTION_FLAG,                                                        \
                        NULL,                                                               \
                        "it is copied to every region of the account",                      \
                        offsetof(Arguments, build.copy_to_all_regions)},                    \
                {"instance-type",                                                           \
                        0,                                                                  \
                        OPTION_TEXT,                                                        \
                        "TYPE",                                                             \
                        "of the machine that becomes the image (t3.small, t4g.small)",      \
                        offsetof(Arguments, build.instance_type)},                          \
                {"image-version",                                                           \
                        0,                                                                  \
                        OPTION_TEXT,                                                        \
                        "VERSION",                                                          \
                        "of the image's stamp, which a template can require (" VERSION ")", \
                        offsetof(Arguments, build.version)},                                \
                {"packer",                                                                  \
                        0,                                                                  \
                        OPTION_TEXT,                                                        \
                        "FILE",                                                             \
                        "Packer, if it is not the one in PATH",                             \
                        offsetof(Arguments, build.packer)},                                 \
        {                                                                                   \
                "timeout", 0, OPTION_SPAN, "TIME", "how long Packer may take (2h)",         \
                        offsetof(Arguments, build.timeout)                                  \
        }

typedef struct ImagesSource {
        const char *image;    /* NULL: by the map */
        const ImageMap *map;  /* NULL: the distribution's newest */
        const char *builders; /* Packer's own, as JSON: then there is no source; NULL: none */
} ImagesSource;

/* The recipe as far as nobody has to be asked: without source image, copies and name. */
void images_build_begin(const ImagesBuild *build, RecipeStep step, Recipe *ret);

/* Fills the recipe of a step: checks it, asks AWS for regions and the newest image where it has to.
 * What the recipe borrows lies in `build`, in the environment and in `ret_image`. */
int images_build_recipe(const ImagesBuild *build,
        RecipeStep step,
        const ImagesSource *source,
        Recipe *ret,
        char ret_image[32],
        Error *ret_error);

/* Writes the recipe into the folder and builds it; the map has root devices. */
int images_build_run(const ImagesBuild *build,
        const Recipe *recipe,
        const char *folder,
        ImageMap *ret,
        Error *ret_error);
