/* How an image is built: Packer's template and what is run in the machine, written into a folder.
 *
 *         <folder>/packer.json             amazon-ebs (or the builders that are given),
 * provisioners <folder>/provisioning/settings   what to install, in words that a shell reads
 *         <folder>/provisioning/{install,clean,check}
 *
 * Source: Packer documentation, "Templates (JSON)", "Amazon EBS", "Shell provisioner".
 */

#pragma once

#include "template/distribution.h"
#include "template/image-map.h"
#include "template/regions.h"

#define RECIPE_NAME_MAX 128U /* of an image, as EC2 has it */

typedef enum RecipeStep {
        RECIPE_DOCKER,
        RECIPE_FLOCKER,
} RecipeStep;

extern const char *const recipe_steps[]; /* NULL-ended */

/* What the environment says of the software: names as the old installer had them, and for what no
 * archive holds a source and its SHA-256. Borrowed; NULL: not said. */
typedef enum RecipeInput {
        RECIPE_DOCKER_VERSION,
        RECIPE_DOCKER_SOURCE,
        RECIPE_DOCKER_SHA256,
        RECIPE_SWARM_VERSION,
        RECIPE_SWARM_SOURCE,
        RECIPE_SWARM_SHA256,
        RECIPE_FLOCKER_VERSION,
        RECIPE_FLOCKER_SOURCE,
        RECIPE_FLOCKER_SHA256,
        _RECIPE_INPUTS,
} RecipeInput;

extern const char *const recipe_inputs[]; /* their names: "DOCKER_VERSION" */

typedef struct Recipe {
        RecipeStep step;
        const Distribution *distribution;
        const char *inputs[_RECIPE_INPUTS];
        const char *package;       /* the .deb of flocker-bootstrap */
        const char *image_version; /* of the stamp */
        const char *instance_type;
        const char *build_region;
        const char *source_image;
        const char *builders;       /* JSON, in place of amazon-ebs; NULL: none */
        RegionList copies;          /* where copies go */
        char name[RECIPE_NAME_MAX]; /* the image's, unique in the account */
} Recipe;

/* Reads the inputs of both steps from the environment. */
void recipe_read_inputs(Recipe *recipe);

/* Is there what the step needs, and can it be used? -EDOM: something is missing or contradicts,
 * naming the variable; -ENOENT: the package, or a source that is a file, is not there. */
int recipe_check(const Recipe *recipe, Error *ret_error);

/* Writes the folder anew (it may be there). */
int recipe_write(const Recipe *recipe, const char *folder, Error *ret_error);

/* Names the image by step, version and time: "flocker-docker-0.1.0-20261125221500". */
void recipe_name(Recipe *recipe, Usec wall);
