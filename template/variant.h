/* Which of the templates: what a person chooses when one is created. */

#pragma once

#include "base/json.h"
#include "template/image-map.h"

#define VARIANT_AGENTS_MAX   100 /* CloudFormation takes 500 resources, three for each agent */
#define VARIANT_NODE_TYPE    "m3.large"
#define VARIANT_CLIENT_TYPE  "m3.medium"
#define VARIANT_DATASET_MAX  512U /* bytes: it stands in user-data */
#define VARIANT_REVISION_MAX 64U

typedef enum VariantComponent {
        VARIANT_FLOCKER = 1U << 0,
        VARIANT_DOCKER = 1U << 1,
        VARIANT_SWARM = 1U << 2, /* needs docker */
} VariantComponent;

extern const char *const variant_components[]; /* by bit; NULL-ended */

typedef enum VariantSwarm {
        VARIANT_SWARM_AUTO, /* as the engine of the image has it: known at boot */
        VARIANT_SWARM_BUILTIN,
        VARIANT_SWARM_CLASSIC,
        VARIANT_SWARM_NONE,
} VariantSwarm;

extern const char *const variant_swarms[]; /* NULL-ended */

typedef struct Variant {
        int64_t agents;
        unsigned components; /* of VariantComponent */
        int swarm;           /* VariantSwarm */
        bool keep_secrets;
        bool ordered;              /* machines one kind after the other, as it used to be */
        bool metadata_tags;        /* instances see their tags in the metadata service */
        bool in_subnet;            /* in a VPC and subnet that are chosen, not the default ones */
        const char *revision;      /* a word: another one replaces all machines; NULL: none */
        ImageMap node_images;      /* count 0: Ubuntu's newest, by a parameter */
        ImageMap client_images;    /* likewise */
        const char *node_type;     /* of control and agents; the parameter's default */
        const char *client_type;   /* likewise */
        const char *image_version; /* which the images' stamp has to say; NULL: whatever it says */
        char *dataset; /* agent.yml's dataset mapping as JSON in one line; NULL: the aws backend */
        bool dataset_elsewhere; /* another backend than aws */
} Variant;

void variant_done(Variant *variant);
DEFINE_CLEANUP_IN_PLACE(Variant, variant_done);

bool variant_has(const Variant *variant, VariantComponent component);

/* Flocker on EBS: it needs access keys, IMDSv1 on agents, and machines whose disks are /dev/xvd*
 * (flocker/node/agents/ebs.py). */
bool variant_flocker_on_aws(const Variant *variant);

/* Can Swarm be run in this mode, as far as is known before the boot? */
bool variant_may_swarm(const Variant *variant, VariantSwarm mode);

/* "flocker,docker" into bits. -EINVAL: an unknown one (with the nearest), one twice, none. */
int variant_parse_components(const char *text, unsigned *ret, Error *ret_error);

/* The dataset mapping: a JSON object with a backend. Sets dataset and dataset_elsewhere.
 * -EBADMSG, also for members that are secrets by their names: all of it is user-data. */
int variant_parse_dataset(const char *text, Variant *variant, Error *ret_error);

/* Does it fit together? -EDOM with what contradicts what. */
int variant_check(const Variant *variant, Error *ret_error);
