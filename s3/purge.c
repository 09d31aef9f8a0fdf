/* s3_store_list, s3_store_purge: what goes over all of a store. */

#include "base/text.h"
#include "s3/store-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PURGE_MAX 20000U /* versions of objects in one store */

typedef struct Listing {
        S3Visit visit;
        void *userdata;
        const char *prefix; /* below the store */
        StoreTask *task;
        const S3Store *store;
} Listing;

/* The key below the store's prefix; NULL: it is not below it ("a/bc" for the prefix "a/b"). */
static const char *name_of(const S3Store *store, const char *key)
{
        size_t length = strlen(store->prefix);

        if (length == 0)
                return key;
        return text_starts(key, store->prefix) && key[length] == '/' ? key + length + 1 : NULL;
}

static int visit_name(const S3Listed *listed, void *userdata, Error *ret_error)
{
        const Listing *listing = userdata;
        S3Listed below = *listed;

        below.key = name_of(listing->store, listed->key);
        if (!below.key)
                return 0;
        listing->task->begun = true; /* the caller has seen names: it is not told them again */
        return listing->visit(&below, listing->userdata, ret_error);
}

static int run_list(
        S3Store *store, StoreTask *task, Usec deadline, AwsFault *ret_fault, Error *ret_error)
{
        Listing *listing = task->userdata;
        _cleanup_(free) char *key = store_key(store, listing->prefix);

        if (!key)
                return store_out_of_memory(ret_error);
        return s3_list(
                store->bucket, key, false, deadline, visit_name, listing, ret_fault, ret_error);
}

int s3_store_list(S3Store *store,
        const char *prefix,
        Usec deadline,
        S3Visit visit,
        void *userdata,
        Error *ret_error)
{
        Listing listing = {.visit = visit, .userdata = userdata, .prefix = prefix, .store = store};
        StoreTask task = {.operation = S3_LIST, .run = run_list, .userdata = &listing};

        listing.task = &task;
        return store_persist(store, &task, deadline, ret_error);
}

typedef struct Doomed {
        char *key, *version; /* version NULL: none is known */
} Doomed;

typedef struct Purge {
        Doomed *doomed;
        size_t count;
} Purge;

static void purge_done(Purge *purge)
{
        for (size_t i = 0; i < purge->count; i++) {
                free(purge->doomed[i].key);
                free(purge->doomed[i].version);
        }
        free(purge->doomed);
}
DEFINE_CLEANUP_IN_PLACE(Purge, purge_done);

/* Noted first and deleted later: a listing whose keys vanish while it is read may skip some. */
static int note_private(const S3Listed *listed, void *userdata, Error *ret_error)
{
        Purge *purge = userdata;
        Doomed *doomed, one = {};

        if (!s3_store_is_private(listed->key))
                return 0;
        if (purge->count >= PURGE_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot purge the store: it has more than %u private objects",
                        PURGE_MAX);
        doomed = reallocarray(purge->doomed, purge->count + 1, sizeof(*doomed));
        if (!doomed)
                return store_out_of_memory(ret_error);
        purge->doomed = doomed;

        one.key = text_copy(listed->key);
        one.version = listed->version ? text_copy(listed->version) : NULL;
        doomed[purge->count++] = one;
        return one.key && (one.version || !listed->version) ? 0 : store_out_of_memory(ret_error);
}

/* By versions where that is allowed, else by keys. The first is asked once: a role without the
 * right to list versions is no fault to be patient with. */
static int list_private(S3Store *store, Usec deadline, Purge *purge, Error *ret_error)
{
        _cleanup_(free) char *prefix = store_key(store, "");
        StoreTask none = {};
        Listing listing = {.visit = note_private, .userdata = purge, .task = &none, .store = store};
        int r;

        if (!prefix)
                return store_out_of_memory(ret_error);
        r = s3_list(store->bucket, prefix, true, deadline, visit_name, &listing, NULL, ret_error);
        if (r == S3_OK || (r < 0 && !http_is_transient(r)))
                return r;
        purge_done(purge);
        *purge = (Purge){};
        return s3_store_list(store, "", deadline, note_private, purge, ret_error);
}

/* The version "null" is what is older than the bucket's versioning, or all there is without it. */
static bool is_null_version(const Doomed *doomed)
{
        return text_equal(doomed->version, "null");
}

/* By its key first, which takes no right to versions; where that leaves the version "null" behind,
 * by that. */
static int run_delete(
        S3Store *store, StoreTask *task, Usec deadline, AwsFault *ret_fault, Error *ret_error)
{
        const Doomed *doomed = task->userdata;
        const char *version = is_null_version(doomed) ? NULL : doomed->version;
        _cleanup_(free) char *key = store_key(store, doomed->key);
        bool kept = false;
        int r;

        if (!key)
                return store_out_of_memory(ret_error);
        r = s3_delete(store->bucket, key, version, deadline, &kept, ret_fault, ret_error);
        if (r == S3_OK && kept && is_null_version(doomed)) {
                kept = false;
                r = s3_delete(store->bucket, key, "null", deadline, NULL, ret_fault, ret_error);
        }
        if (r == S3_OK && kept)
                r = error_set(ret_error,
                        S3_REFUSED,
                        "cannot purge 's3://%s/%s': the bucket keeps versions; grant "
                        "s3:ListBucketVersions and s3:DeleteObjectVersion, or turn versioning off",
                        s3_bucket_name(store->bucket),
                        key);
        return r;
}

static int delete_one(S3Store *store, Doomed *doomed, Usec deadline, Error *ret_error)
{
        StoreTask task = {.operation = S3_WRITE, .run = run_delete, .userdata = doomed};

        return store_persist(store, &task, deadline, ret_error);
}

int s3_store_purge(S3Store *store, Usec deadline, size_t *ret_deleted, Error *ret_error)
{
        _cleanup_(purge_done) Purge purge = {};
        int r;

        *ret_deleted = 0;
        r = list_private(store, deadline, &purge, ret_error);
        for (size_t i = 0; i < purge.count && r == S3_OK; i++) {
                r = delete_one(store, &purge.doomed[i], deadline, ret_error);
                if (r == S3_OK)
                        (*ret_deleted)++;
        }
        return r;
}
