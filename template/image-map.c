#include "template/image-map.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "eu-west-1", "us-gov-east-1": words and a number. */
static bool is_region(const char *text)
{
        const char *digits = strrchr(text, '-');

        return digits && digits - text >= 4 && strlen(text) < sizeof((ImageMapEntry){}.region) &&
               strspn(text, "abcdefghijklmnopqrstuvwxyz-") == (size_t)(digits - text) + 1 &&
               digits[1] && strspn(digits + 1, "0123456789") == strlen(digits + 1);
}

/* "ami-" and 8 or 17 hexadecimal digits. */
bool image_map_is_image(const char *text)
{
        size_t length = strlen(text);

        return text_starts(text, "ami-") && (length == 12 || length == 21) &&
               strspn(text + 4, "0123456789abcdef") == length - 4;
}

/* "/dev/sda1", "/dev/xvda". */
static bool is_device(const char *text)
{
        size_t length = strlen(text);

        return text_starts(text, "/dev/") && length > 5 &&
               length < sizeof((ImageMapEntry){}.device) &&
               strspn(text + 5, "abcdefghijklmnopqrstuvwxyz0123456789") == length - 5;
}

bool image_map_has_devices(const ImageMap *map)
{
        return map->count > 0 && map->entries[0].device[0];
}

const char *image_map_get(const ImageMap *map, const char *region)
{
        for (size_t i = 0; i < map->count; i++)
                if (text_equal(map->entries[i].region, region))
                        return map->entries[i].image;
        return NULL;
}

static int read_device(const char *name, const Json *value, ImageMapEntry *entry, Error *ret_error)
{
        const Json *member = json_member(value, "RootDeviceName");
        const char *device = json_text(member);

        if (!member)
                return 0;
        if (!device || !is_device(device))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use %s: %s.RootDeviceName: expected a device like /dev/sda1",
                        name,
                        entry->region);
        return text_put(entry->device, sizeof(entry->device), device);
}

static int add(
        const char *name, const char *region, const Json *value, ImageMap *map, Error *ret_error)
{
        static const char *const known[] = {"AMI", "RootDeviceName", NULL};
        const char *image = json_text(json_is_object(value) ? json_member(value, "AMI") : value);
        ImageMapEntry *entry = &map->entries[map->count];
        int r = json_is_object(value) ? json_check_keys(value, name, known, ret_error) : 0;

        if (r < 0)
                return r;
        if (!is_region(region))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use %s: '%.60s' is no region; expected one like us-east-1",
                        name,
                        region);
        if (!image || !image_map_is_image(image))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use %s: %s: expected the id of an image like "
                        "ami-0123456789abcdef0%s%.60s%s",
                        name,
                        region,
                        image ? ", found '" : "",
                        image ? image : "",
                        image ? "'" : "");
        if (map->count == IMAGE_MAP_REGIONS_MAX)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use %s: it has more than %u regions",
                        name,
                        IMAGE_MAP_REGIONS_MAX);
        (void)text_put(entry->region, sizeof(entry->region), region);
        (void)text_put(entry->image, sizeof(entry->image), image);
        r = json_is_object(value) ? read_device(name, value, entry, ret_error) : 0;
        if (r < 0)
                return r;
        map->count++;
        return 0;
}

/* All of them or none: what a template looks up has to be there. */
static int check_devices(const char *name, const ImageMap *map, Error *ret_error)
{
        for (size_t i = 1; i < map->count; i++)
                if (!map->entries[i].device[0] == image_map_has_devices(map))
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot use %s: the RootDeviceName of %s is missing, while %s "
                                "has one",
                                name,
                                map->entries[map->entries[i].device[0] ? 0 : i].region,
                                map->entries[map->entries[i].device[0] ? i : 0].region);
        return 0;
}

static int by_region(const void *a, const void *b)
{
        return strcmp(((const ImageMapEntry *)a)->region, ((const ImageMapEntry *)b)->region);
}

static int refuse_put(const char *region, const char *image, const char *device, Error *ret_error)
{
        return error_set(ret_error,
                -EBADMSG,
                "cannot map the images: expected a region, an image's id and a device, found "
                "'%.60s', '%.60s'%s%.60s",
                region,
                image,
                device ? ", " : "",
                device ? device : "");
}

int image_map_put(
        ImageMap *map, const char *region, const char *image, const char *device, Error *ret_error)
{
        ImageMapEntry *entry = NULL;

        if (!is_region(region) || !image_map_is_image(image) || (device && !is_device(device)))
                return refuse_put(region, image, device, ret_error);
        for (size_t i = 0; i < map->count; i++)
                if (text_equal(map->entries[i].region, region))
                        entry = &map->entries[i];
        if (!entry && map->count == IMAGE_MAP_REGIONS_MAX)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot map more than %u regions",
                        IMAGE_MAP_REGIONS_MAX);
        if (!entry)
                entry = &map->entries[map->count++];
        *entry = (ImageMapEntry){};
        (void)text_put(entry->region, sizeof(entry->region), region);
        (void)text_put(entry->image, sizeof(entry->image), image);
        if (device)
                (void)text_put(entry->device, sizeof(entry->device), device);
        qsort(map->entries, map->count, sizeof(map->entries[0]), by_region);
        return 0;
}

static int set_entry(Json *json, const ImageMapEntry *entry)
{
        Json *object;
        int r;

        if (!entry->device[0])
                return json_set_text(json, entry->region, entry->image);
        object = json_new_object();
        r = json_set_text(object, "AMI", entry->image);
        if (r == 0)
                r = json_set_text(object, "RootDeviceName", entry->device);
        if (r < 0) {
                json_free(object);
                return r;
        }
        return json_set(json, entry->region, object);
}

int image_map_format(const ImageMap *map, Buffer *ret)
{
        _cleanup_(json_free) Json *json = json_new_object();
        int r = json ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < map->count; i++)
                r = set_entry(json, &map->entries[i]);
        return r == 0 ? json_format(json, JSON_INDENTED, ret) : r;
}

int image_map_parse(
        const char *name, const char *text, size_t size, ImageMap *ret, Error *ret_error)
{
        _cleanup_(json_free) Json *json = NULL;
        ImageMap map = {};
        const char *region;
        const Json *value;
        void *iterator = NULL;
        int r;

        r = json_parse(name, text, size, &json, ret_error);
        if (r < 0)
                return r;
        if (!json_is_object(json) || json_count(json) == 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use %s: expected an object of regions and images, "
                        "{\"us-east-1\": \"ami-0123456789abcdef0\"}",
                        name);
        while (r == 0 && json_next_member(json, &iterator, &region, &value))
                r = add(name, region, value, &map, ret_error);
        if (r < 0)
                return r;

        qsort(map.entries, map.count, sizeof(map.entries[0]), by_region);
        r = check_devices(name, &map, ret_error);
        if (r < 0)
                return r;
        *ret = map;
        return 0;
}

static int check_covers(const char *name,
        const ImageMap *map,
        const char *other_name,
        const ImageMap *other,
        Error *ret_error)
{
        for (size_t i = 0; i < other->count; i++)
                if (!image_map_get(map, other->entries[i].region))
                        return error_set(ret_error,
                                -EDOM,
                                "cannot use %s: it lacks the region %s, which %s has",
                                name,
                                other->entries[i].region,
                                other_name);
        return 0;
}

int image_map_check_same(const char *name_a,
        const ImageMap *a,
        const char *name_b,
        const ImageMap *b,
        Error *ret_error)
{
        int r;

        r = check_covers(name_a, a, name_b, b, ret_error);
        return r < 0 ? r : check_covers(name_b, b, name_a, a, ret_error);
}
