#include "s3/manifest.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERSION_WRITTEN 1

/* A name stays below the store. */
static bool is_name(const char *name)
{
        return name[0] && name[0] != '/' && strlen(name) < MANIFEST_NAME_MAX &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
                       strlen(name) &&
               !strstr(name, "..") && !strstr(name, "//");
}

int manifest_add(
        Manifest *manifest, const char *name, const void *data, size_t size, Error *ret_error)
{
        ManifestObject *object = &manifest->objects[manifest->n_objects];

        if (manifest->n_objects >= MANIFEST_OBJECTS_MAX)
                return error_set(ret_error,
                        -ENOBUFS,
                        "cannot publish more than %u objects as one set",
                        MANIFEST_OBJECTS_MAX);
        if (size > MANIFEST_OBJECT_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot publish '%s': it has more than %u bytes",
                        name,
                        MANIFEST_OBJECT_MAX);
        if (text_put(object->name, sizeof(object->name), name) < 0)
                return error_set(ret_error, -ENAMETOOLONG, "cannot publish '%s': %m", name);
        if (!is_name(name))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot publish '%s': no reader would take that name for one below the "
                        "store",
                        name);
        if (digest_sha256(data, size, &object->digest) < 0)
                return error_set(ret_error, -ENOMEM, "cannot publish '%s': %m", name);
        object->size = size;
        manifest->n_objects++;
        return 0;
}

static int append_object(Json *objects, const ManifestObject *object)
{
        char digest[DIGEST_SHA256_HEX];
        Json *item = json_new_object();
        int r = item ? 0 : -ENOMEM;

        digest_format(&object->digest, digest);
        if (r == 0)
                r = json_set_text(item, "name", object->name);
        if (r == 0)
                r = json_set_int64(item, "size", (int64_t)object->size);
        if (r == 0)
                r = json_set_text(item, "sha256", digest);
        if (r < 0)
                item = json_free(item);
        return json_append(objects, item);
}

static int fill(const Manifest *manifest, Json *document)
{
        Json *objects = json_new_array();
        char written[CLOCK_UTC_MAX];
        int r;

        clock_format_utc(manifest->written, written);
        r = json_set_int64(document, "version", VERSION_WRITTEN);
        if (r == 0)
                r = json_set_text(document, "cluster", manifest->cluster);
        if (r == 0)
                r = json_set_text(document, "writer", manifest->writer);
        if (r == 0)
                r = json_set_text(document, "written", written);
        for (size_t i = 0; i < manifest->n_objects && r == 0; i++)
                r = append_object(objects, &manifest->objects[i]);
        if (r < 0) {
                (void)json_free(objects);
                return r;
        }
        return json_set(document, "objects", objects);
}

int manifest_format(const Manifest *manifest, Buffer *ret, Error *ret_error)
{
        _cleanup_(json_free) Json *document = json_new_object();
        int r = document ? fill(manifest, document) : -ENOMEM;

        if (r == 0)
                r = json_format(document, JSON_INDENTED, ret);
        return r < 0 ? error_set(ret_error, r, "cannot write a manifest: %m") : 0;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_digest(const char *text, Digest *ret)
{
        if (strlen(text) != 2 * DIGEST_SHA256_SIZE)
                return -EBADMSG;
        for (size_t i = 0; i < DIGEST_SHA256_SIZE; i++) {
                int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                ret->bytes[i] = (uint8_t)(high << 4 | low);
        }
        return 0;
}

static int parse_object(const char *where, const Json *item, ManifestObject *ret, Error *ret_error)
{
        const char *name = NULL, *digest = NULL;
        int64_t size = 0;
        int r;

        r = json_get_text(item, where, "name", &name, ret_error);
        if (r == 0)
                r = json_get_int64(item, where, "size", 0, MANIFEST_OBJECT_MAX, &size, ret_error);
        if (r == 0)
                r = json_get_text(item, where, "sha256", &digest, ret_error);
        if (r < 0)
                return r;
        if (!is_name(name))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': '%.100s' is no name of an object below the store",
                        where,
                        name);
        if (parse_digest(digest, &ret->digest) < 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': sha256 of '%s': expected 64 hexadecimal digits",
                        where,
                        name);
        (void)text_put(ret->name, sizeof(ret->name), name);
        ret->size = (size_t)size;
        return 0;
}

static int parse_text(const char *where,
        const Json *document,
        const char *key,
        char place[MANIFEST_TEXT_MAX],
        Error *ret_error)
{
        const char *text;
        int r;

        r = json_get_text(document, where, key, &text, ret_error);
        if (r == 0 && text_put(place, MANIFEST_TEXT_MAX, text) < 0)
                r = error_set(ret_error, -EBADMSG, "cannot read '%s': %s: too long", where, key);
        return r;
}

static int parse_head(const char *where, const Json *document, Manifest *ret, Error *ret_error)
{
        const char *written = NULL;
        int64_t version;
        int r;

        r = json_get_int64(document, where, "version", 1, INT64_MAX, &version, ret_error);
        if (r == 0 && version != VERSION_WRITTEN)
                r = error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': it is of version %" PRId64
                        ", written by a newer flocker-bootstrap; this one reads version %d",
                        where,
                        version,
                        VERSION_WRITTEN);
        if (r == 0)
                r = parse_text(where, document, "cluster", ret->cluster, ret_error);
        if (r == 0)
                r = parse_text(where, document, "writer", ret->writer, ret_error);
        if (r == 0)
                r = json_get_text(document, where, "written", &written, ret_error);
        if (r == 0 && clock_parse_utc(written, &ret->written) < 0)
                r = error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': written: expected a time like 2026-11-24T09:05:00Z",
                        where);
        return r;
}

int manifest_parse(
        const char *where, const char *text, size_t size, Manifest *ret, Error *ret_error)
{
        _cleanup_(json_free) Json *document = NULL;
        Manifest manifest = {};
        const Json *objects = NULL;
        int r;

        r = json_parse(where, text, size, &document, ret_error);
        if (r == 0)
                r = parse_head(where, document, &manifest, ret_error);
        if (r == 0)
                r = json_get_array(document, where, "objects", &objects, ret_error);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;

        manifest.n_objects = json_count(objects);
        if (manifest.n_objects == 0 || manifest.n_objects > MANIFEST_OBJECTS_MAX)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': expected 1 to %u objects, found %zu",
                        where,
                        MANIFEST_OBJECTS_MAX,
                        manifest.n_objects);
        for (size_t i = 0; i < manifest.n_objects; i++) {
                r = parse_object(where, json_element(objects, i), &manifest.objects[i], ret_error);
                if (r < 0)
                        return r == -ENOENT ? -EBADMSG : r;
        }
        *ret = manifest;
        return 0;
}

int manifest_check(const char *where,
        const ManifestObject *object,
        const void *data,
        size_t size,
        Error *ret_error)
{
        char expected[DIGEST_SHA256_HEX], found[DIGEST_SHA256_HEX];
        Digest digest;

        if (digest_sha256(data, size, &digest) < 0)
                return error_set(ret_error, -ENOMEM, "cannot check '%s': %m", object->name);
        if (size == object->size && memcmp(&digest, &object->digest, sizeof(digest)) == 0)
                return 0;

        digest_format(&object->digest, expected);
        digest_format(&digest, found);
        return error_set(ret_error,
                -EBADMSG,
                "cannot use '%s': it differs from what '%s' says: expected %zu bytes with SHA-256 "
                "%s, "
                "found %zu with %s",
                object->name,
                where,
                object->size,
                expected,
                size,
                found);
}
