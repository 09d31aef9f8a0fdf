/* s3_store_fetch, s3_store_wait: a set as its manifest says, once or as soon as it is there. */

#include "base/text.h"
#include "s3/store-parts.h"

#include <errno.h>
#include <stdlib.h>

/* Is listing allowed? Asked of the name itself: little comes back. */
static int ignore_entry(const S3Listed *listed, void *userdata, Error *ret_error)
{
        (void)listed;
        (void)userdata;
        (void)ret_error;
        return 0;
}

static bool may_list(S3Store *store, const char *name, Usec deadline)
{
        _cleanup_(free) char *key = store_key(store, name);

        return key &&
               s3_list(store->bucket, key, false, deadline, ignore_entry, NULL, NULL, NULL) ==
                       S3_OK;
}

void s3_store_set_done(S3StoreSet *set)
{
        for (size_t i = 0; i < MANIFEST_OBJECTS_MAX; i++)
                set->contents[i] = secret_free(set->contents[i]);
}

const Secret *s3_store_set_get(const S3StoreSet *set, const char *name)
{
        for (size_t i = 0; i < set->manifest.n_objects; i++)
                if (text_equal(set->manifest.objects[i].name, name))
                        return set->contents[i];
        return NULL;
}

static int fetch_object(S3Store *store,
        const char *manifest,
        const ManifestObject *object,
        Usec deadline,
        Secret **ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(buffer_done) Buffer content = BUFFER_INIT(MANIFEST_OBJECT_MAX);
        int r;

        r = s3_store_get(
                store, object->name, MANIFEST_OBJECT_MAX, deadline, &content, ret_fault, ret_error);
        if (r == S3_NOT_FOUND)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use the set of '%s': it names '%s', which is not there",
                        manifest,
                        object->name);
        if (r == S3_OK)
                r = manifest_check(
                        manifest, object, buffer_text(&content), content.size, ret_error);
        if (r != S3_OK)
                return r;
        r = secret_new(buffer_text(&content), content.size, ret);
        return r < 0 ? store_out_of_memory(ret_error) : S3_OK;
}

int s3_store_fetch(S3Store *store,
        const char *manifest,
        Usec deadline,
        S3StoreSet *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        AwsFault fault = {};
        int r;

        s3_store_set_done(ret);
        r = store_read_manifest(store, manifest, deadline, &ret->manifest, NULL, &fault, ret_error);
        if (r == S3_NOT_FOUND || r == S3_DENIED)
                r = S3_STORE_ABSENT;
        for (size_t i = 0; r == S3_OK && i < ret->manifest.n_objects; i++)
                r = fetch_object(store,
                        manifest,
                        &ret->manifest.objects[i],
                        deadline,
                        &ret->contents[i],
                        &fault,
                        ret_error);
        if (r > 0 && ret_fault)
                *ret_fault = fault;
        return r;
}

static int explain_wait(const S3Store *store,
        const char *manifest,
        const AwsFault *fault,
        Usec waited,
        Error *ret_error)
{
        char span[CLOCK_SPAN_MAX], cause[ERROR_TEXT_MAX] = "";

        if (ret_error)
                (void)text_put(cause, sizeof(cause), ret_error->text);
        return error_set(ret_error,
                -ETIMEDOUT,
                "cannot go on without 's3://%s/%s%s%s': not there after %s%s (last answer: %s)",
                s3_bucket_name(store->bucket),
                store->prefix,
                store->prefix[0] ? "/" : "",
                manifest,
                clock_format_span(waited, span),
                fault->status == 403
                        ? "; either its writer has not published it, or this machine may "
                          "not read it (grant s3:ListBucket on the bucket to tell which)"
                        : "; its writer has not published it",
                cause);
}

/* Faults of the connection are waited out like an absence. */
static bool is_passing(int r)
{
        return r == -ETIMEDOUT || r == -ECONNREFUSED || r == -ECONNRESET || r == -EHOSTUNREACH;
}

int s3_store_wait(S3Store *store,
        const char *manifest,
        Usec deadline,
        S3StoreWaiting waiting,
        void *userdata,
        S3StoreSet *ret,
        Error *ret_error)
{
        const Clock *clock = store_clock(store);
        Retry retry = store_begin_polling(store, deadline);
        Usec began = clock_now(clock);
        bool list_asked = false, list_allowed = false;
        StorePatience patience = {};

        for (;;) {
                AwsFault fault = {};
                Error error = ERROR_INIT;
                int r;

                r = s3_store_fetch(store, manifest, deadline, ret, &fault, &error);
                if (r == S3_OK)
                        return r;
                if (ret_error)
                        *ret_error = error;
                if (r < 0 && !is_passing(r))
                        return r;
                if (r > 0 && fault.status == 403 && !list_asked) {
                        list_allowed = may_list(store, manifest, deadline);
                        list_asked = true;
                }
                if (r > 0 &&
                        !store_is_worth_waiting(&patience, clock, S3_READ, &fault, list_allowed))
                        return r == S3_STORE_ABSENT ? S3_DENIED : r;
                if (waiting)
                        waiting(manifest, clock_now(clock) - began, userdata);
                if (retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return explain_wait(
                                store, manifest, &fault, clock_now(clock) - began, ret_error);
        }
}
