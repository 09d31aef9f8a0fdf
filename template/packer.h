/* Packer run for a recipe: progress to stderr, what came of it as a map of images, and where it
 * fails what it leaves in the account. */

#pragma once

#include "template/recipe.h"

/* The first whose amazon-ebs comes into machines whose sshd takes no SHA-1 signatures (OpenSSH 8.8
 * and newer), and makes ed25519 keys for that: hashicorp/packer-plugin-amazon#218, in Packer 1.8.1.
 */
#define PACKER_VERSION_AMAZON "1.8.1"

typedef struct Packer {
        const char *program; /* a path, or a name that PATH is searched for */
        const char *folder;  /* of recipe_write() */
        const Recipe *recipe;
        Usec time; /* it may take */
} Packer;

/* Asks `packer version`. -ENOENT: there is none; -EDOM: what it is, and what is needed. */
int packer_check(const Packer *packer, Error *ret_error);

/* Builds. *ret is empty where only builders of one's own ran that make no images of AWS. Failures:
 * the sentence has region and cause; what is left behind, and how it is removed, has been said on
 * stderr. -EAGAIN: interrupted; -ETIMEDOUT. */
int packer_build(const Packer *packer, ImageMap *ret, Error *ret_error);

/* "1.10.2" against "1.9": below 0, 0, above 0. Pure. */
int packer_compare_versions(const char *a, const char *b);
