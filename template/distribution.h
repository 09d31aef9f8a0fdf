/* The distributions that images are made of: where AWS's public parameters name their newest
 * image, and what differs between them.
 *
 * Sources: Ubuntu on AWS documentation, "Find Ubuntu images on AWS"; Debian wiki, "Amazon EC2
 * image", "AWS Systems Manager Parameter Store".
 */

#pragma once

#include "base/error.h"

typedef struct Distribution {
        const char *name;        /* "ubuntu-24.04" */
        const char *parameter;   /* SSM's name, up to the architecture's */
        const char *behind;      /* and what follows that */
        const char *login_user;  /* of its images: as whom Packer comes in */
        const char *root_device; /* its images' own name of it */
} Distribution;

extern const char *const distribution_names[];         /* NULL-ended: for a choice */
extern const char *const distribution_architectures[]; /* likewise: "amd64", "arm64" */

/* By index into the names. */
const Distribution *distribution_get(int index);

/* The parameter's name for an architecture; a heap string, NULL when memory is out. */
char *distribution_parameter(const Distribution *distribution, const char *architecture);
