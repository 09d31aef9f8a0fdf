/* Machine images by region, as flocker-template publishes them: {"us-east-1": "ami-1…"}, or as a
 * template's mapping has them: {"us-east-1": {"AMI": "ami-1…", "RootDeviceName": "/dev/sda1"}}. */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

#define IMAGE_MAP_REGIONS_MAX 64U
#define IMAGE_MAP_SIZE_MAX    (64U * 1024U) /* bytes of its text */

typedef struct ImageMapEntry {
        char region[32];
        char image[32];
        char device[32]; /* the image's own name of its root device; "": the map tells none */
} ImageMapEntry;

typedef struct ImageMap {
        ImageMapEntry entries[IMAGE_MAP_REGIONS_MAX]; /* by region's name */
        size_t count;                                 /* 0: there is no map */
} ImageMap;

/* `name` is for sentences. -EBADMSG with the sentence: not JSON, empty, a region that is none or
 * given twice, an id that is no image's, a root device that is none, one told for some alone. */
int image_map_parse(
        const char *name, const char *text, size_t size, ImageMap *ret, Error *ret_error);

/* "ami-" and 8 or 17 hexadecimal digits? */
bool image_map_is_image(const char *text);

/* Adds a region's image, or replaces it; the map stays sorted. `device` NULL: not known. -EBADMSG:
 * one of them is none, or there are too many. */
int image_map_put(
        ImageMap *map, const char *region, const char *image, const char *device, Error *ret_error);

/* Appends the map as indented JSON, by region; the image alone where its device is not known. */
int image_map_format(const ImageMap *map, Buffer *ret);

/* Does it tell the root devices? Then of all regions. */
bool image_map_has_devices(const ImageMap *map);

/* The image of a region; NULL: none. */
const char *image_map_get(const ImageMap *map, const char *region);

/* Do both have the same regions? -EDOM, naming the first that one of them lacks. */
int image_map_check_same(const char *name_a,
        const ImageMap *a,
        const char *name_b,
        const ImageMap *b,
        Error *ret_error);
