/* The regions that an account can use, and the newest base image in each. */

#pragma once

#include "template/account.h"
#include "template/distribution.h"
#include "template/image-map.h"

typedef struct RegionList {
        char names[IMAGE_MAP_REGIONS_MAX][32]; /* sorted */
        size_t count;
} RegionList;

/* The account's, by EC2's DescribeRegions; where that cannot be had, those that every account of
 * the region's partition has, and *ret_note says why (it is empty otherwise). Cannot fail. */
void regions_of_account(const Account *account, RegionList *ret, Error *ret_note);

/* "us-east-1,eu-west-1". -EINVAL, -EDOM with the sentence: none, one twice, a name that is none. */
int regions_parse(const char *text, RegionList *ret, Error *ret_error);

bool regions_have(const RegionList *list, const char *region);

/* The newest image of a distribution in the account's region, by SSM's public parameter; `ret`
 * holds an ImageMapEntry's image. -ENOENT: there is none for it there. */
int regions_latest_image(const Account *account,
        const Distribution *distribution,
        const char *architecture,
        char ret[32],
        Error *ret_error);

/* The image's own name of its root device, by EC2's DescribeImages; `ret` as an ImageMapEntry's. */
int regions_root_device(const Account *account, const char *image, char ret[32], Error *ret_error);
