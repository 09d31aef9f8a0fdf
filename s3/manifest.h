/* The manifest of a set of objects in the cluster store: written last, it names them with their
 * sizes and digests, so that a reader that has it has a complete, unmixed set, or an error that
 * says which object differs.
 *
 *         {"version": 1, "cluster": "prod", "writer": "i-0abc…", "written": "2026-11-24T09:05:00Z",
 *          "objects": [{"name": "docker/ca.pem", "size": 745, "sha256": "…"}, …]}
 */

#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"

#define MANIFEST_SIZE_MAX    (64U * 1024U) /* bytes of JSON */
#define MANIFEST_OBJECTS_MAX 32U
#define MANIFEST_NAME_MAX    256U
#define MANIFEST_TEXT_MAX    128U
#define MANIFEST_OBJECT_MAX  (256U * 1024U) /* bytes of one object */

typedef struct ManifestObject {
        char name[MANIFEST_NAME_MAX]; /* below the store: "docker/ca.pem" */
        size_t size;
        Digest digest;
} ManifestObject;

typedef struct Manifest {
        char cluster[MANIFEST_TEXT_MAX];
        char writer[MANIFEST_TEXT_MAX]; /* the instance's id */
        Usec written;                   /* wall time */
        ManifestObject objects[MANIFEST_OBJECTS_MAX];
        size_t n_objects;
} Manifest;

/* Adds an object with its size and digest. -ENOBUFS, -ENAMETOOLONG, -EFBIG, and -EINVAL for a name
 * that manifest_parse would refuse: with the sentence. */
int manifest_add(
        Manifest *manifest, const char *name, const void *data, size_t size, Error *ret_error);

int manifest_format(const Manifest *manifest, Buffer *ret, Error *ret_error);

/* `where` names it in sentences. -EBADMSG: malformed, another version, a name that leaves the
 * store, … */
int manifest_parse(
        const char *where, const char *text, size_t size, Manifest *ret, Error *ret_error);

/* Is this the object's content? -EBADMSG with expected and found. */
int manifest_check(const char *where,
        const ManifestObject *object,
        const void *data,
        size_t size,
        Error *ret_error);
