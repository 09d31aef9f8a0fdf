/* s3_store_publish: a set of objects, the manifest last, nothing of another's overwritten. */

#include "base/text.h"
#include "s3/store-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_ATTEMPTS 8U /* with another writer who wins each time */

static const char *content_type_of(const char *name)
{
        if (text_ends(name, ".json"))
                return "application/json";
        if (text_ends(name, ".yml"))
                return "application/yaml";
        return "application/x-pem-file";
}

/* Who wrote the set that is there already; for a sentence. */
static void name_owner(
        S3Store *store, const char *manifest, Usec deadline, char *place, size_t size)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        _cleanup_(free) Manifest *found = calloc(1, sizeof(*found));

        (void)text_put(
                place, size, "another control node, or an earlier one that was not finished");
        if (!found ||
                s3_store_get(store, manifest, MANIFEST_SIZE_MAX, deadline, &text, NULL, NULL) !=
                        S3_OK ||
                manifest_parse(manifest, buffer_text(&text), text.size, found, NULL) < 0)
                return;
        (void)snprintf(place, size, "'%s' of cluster '%s'", found->writer, found->cluster);
}

/* What stands there is ours if it is the same. */
static int compare_existing(S3Store *store,
        const S3StorePublication *publication,
        const StoreWrite *write,
        Usec deadline,
        Error *ret_error)
{
        _cleanup_(buffer_done) Buffer found = BUFFER_INIT(MANIFEST_OBJECT_MAX);
        char owner[320];
        int r;

        r = s3_store_get(
                store, write->name, MANIFEST_OBJECT_MAX, deadline, &found, NULL, ret_error);
        if (r != S3_OK)
                return r;
        if (found.size == write->size && memcmp(buffer_text(&found), write->data, write->size) == 0)
                return S3_OK;

        name_owner(store, publication->manifest, deadline, owner, sizeof(owner));
        return error_set(ret_error,
                S3_STORE_TAKEN,
                "cannot publish 's3://%s/%s%s%s': another is there, published by %s; each cluster "
                "needs a "
                "store of its own",
                s3_bucket_name(store->bucket),
                store->prefix,
                store->prefix[0] ? "/" : "",
                write->name,
                owner);
}

static int write_object(S3Store *store,
        const S3StorePublication *publication,
        const S3StoreObject *object,
        Usec deadline,
        Error *ret_error)
{
        StoreWrite write = {
                .name = object->name,
                .content_type = content_type_of(object->name),
                .data = object->data,
                .size = object->size,
                .put = {.if_absent = !publication->replace},
        };
        int r;

        r = store_write(store, &write, deadline, ret_error);
        if (r == S3_EXISTS)
                r = compare_existing(store, publication, &write, deadline, ret_error);
        return r;
}

static int prepare_manifest(const S3Store *store,
        const S3StorePublication *publication,
        Manifest *manifest,
        Error *ret_error)
{
        int r = 0;

        if (text_put(manifest->cluster, sizeof(manifest->cluster), publication->cluster) < 0 ||
                text_put(manifest->writer, sizeof(manifest->writer), publication->writer) < 0)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot publish '%s': the cluster's or the writer's name is too long",
                        publication->manifest);
        manifest->written = clock_wall(store_clock(store));
        for (size_t i = 0; i < publication->n_objects && r == 0; i++)
                r = manifest_add(manifest,
                        publication->objects[i].name,
                        publication->objects[i].data,
                        publication->objects[i].size,
                        ret_error);
        return r;
}

/* Same set, whoever wrote it when? */
static bool same_objects(const Manifest *a, const Manifest *b)
{
        if (a->n_objects != b->n_objects)
                return false;
        for (size_t i = 0; i < a->n_objects; i++)
                if (!text_equal(a->objects[i].name, b->objects[i].name) ||
                        a->objects[i].size != b->objects[i].size ||
                        memcmp(&a->objects[i].digest, &b->objects[i].digest, sizeof(Digest)) != 0)
                        return false;
        return true;
}

/* The last step. A manifest of the same objects that is there already is ours, from a run that was
 * killed. */
static int write_manifest(S3Store *store,
        const S3StorePublication *publication,
        const Manifest *manifest,
        Usec deadline,
        Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        _cleanup_(free) Manifest *there = calloc(1, sizeof(*there));
        char etag[S3_ETAG_MAX] = "", owner[320];
        int r;

        if (!there)
                return store_out_of_memory(ret_error);
        r = manifest_format(manifest, &text, ret_error);
        for (unsigned i = 0; r == 0 && i < WRITE_ATTEMPTS; i++) {
                StoreWrite write = {
                        .name = publication->manifest,
                        .content_type = "application/json",
                        .data = buffer_text(&text),
                        .size = text.size,
                        .put = {.if_absent = !etag[0], .if_match = etag[0] ? etag : NULL},
                };

                r = store_write(store, &write, deadline, ret_error);
                if (r == S3_NOT_FOUND && etag[0]) { /* it was there, and has gone: begin anew */
                        etag[0] = '\0';
                        r = S3_OK;
                        continue;
                }
                if (r != S3_EXISTS)
                        return r;
                r = store_read_manifest(
                        store, publication->manifest, deadline, there, etag, NULL, ret_error);
                if (r == S3_OK && same_objects(there, manifest))
                        return S3_OK;
                if (r == S3_OK && !publication->replace)
                        break;
        }
        if (r != S3_OK)
                return r;
        name_owner(store, publication->manifest, deadline, owner, sizeof(owner));
        return error_set(ret_error,
                S3_STORE_TAKEN,
                "cannot publish '%s': %s has published there",
                publication->manifest,
                owner);
}

int s3_store_publish(
        S3Store *store, const S3StorePublication *publication, Usec deadline, Error *ret_error)
{
        _cleanup_(free) Manifest *manifest = calloc(1, sizeof(*manifest));
        int r;

        if (!manifest)
                return store_out_of_memory(ret_error);
        r = prepare_manifest(store, publication, manifest, ret_error);
        for (size_t i = 0; i < publication->n_objects && r == S3_OK; i++)
                r = write_object(store, publication, &publication->objects[i], deadline, ret_error);
        return r == S3_OK ? write_manifest(store, publication, manifest, deadline, ret_error) : r;
}
