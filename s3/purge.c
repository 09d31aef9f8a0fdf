/* s3_store_list, s3_store_purge: what goes over all of a store. */

#include "base/text.h"
#include "s3/store-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PURGE_MAX 20000U /* versions of objects in one store */

typedef struct Listing {
        const S3Store *store;
        S3Visit visit;
        void *userdata;
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
        return below.key ? listing->visit(&below, listing->userdata, ret_error) : 0;
}

int s3_store_list(S3Store *store,
        const char *prefix,
        Usec deadline,
        S3Visit visit,
        void *userdata,
        Error *ret_error)
{
        _cleanup_(free) char *key = store_key(store, prefix);
        Listing listing = {store, visit, userdata};

        if (!key)
                return store_out_of_memory(ret_error);
        return s3_list(store->bucket, key, false, deadline, visit_name, &listing, NULL, ret_error);
}

typedef struct Doomed {
        char *key, *version; /* version NULL: none is named */
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
        bool versioned = listed->version && !text_equal(listed->version, "null");
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
        one.version = versioned ? text_copy(listed->version) : NULL;
        doomed[purge->count++] = one;
        return one.key && (one.version || !versioned) ? 0 : store_out_of_memory(ret_error);
}

/* By versions where that is allowed, else by keys. */
static int list_private(S3Store *store, Usec deadline, Purge *purge, Error *ret_error)
{
        _cleanup_(free) char *prefix = store_key(store, "");
        Listing listing = {store, note_private, purge};
        int r;

        if (!prefix)
                return store_out_of_memory(ret_error);
        r = s3_list(store->bucket, prefix, true, deadline, visit_name, &listing, NULL, ret_error);
        if (r == S3_OK || r < 0)
                return r;
        return s3_list(
                store->bucket, prefix, false, deadline, visit_name, &listing, NULL, ret_error);
}

static int delete_one(S3Store *store, const Doomed *doomed, Usec deadline, Error *ret_error)
{
        _cleanup_(free) char *key = store_key(store, doomed->key);
        bool kept = false;
        int r;

        if (!key)
                return store_out_of_memory(ret_error);
        r = s3_delete(store->bucket, key, doomed->version, deadline, &kept, NULL, ret_error);
        if (r == S3_OK && kept)
                r = error_set(ret_error,
                        S3_REFUSED,
                        "cannot purge 's3://%s/%s': the bucket keeps versions; grant "
                        "s3:ListBucketVersions and s3:DeleteObjectVersion, or turn versioning off",
                        s3_bucket_name(store->bucket),
                        key);
        return r;
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
