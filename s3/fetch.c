/* s3_store_fetch, s3_store_wait: a set as its manifest says, once or as soon as it is there. */

#include "base/text.h"
#include "s3/request.h"
#include "s3/store-parts.h"

#include <errno.h>
#include <stdlib.h>

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
                        "cannot use the set of '%s': it names '%s', which is not there%s",
                        manifest,
                        object->name,
                        s3_store_is_private(object->name)
                                ? "; the client's last step deletes private objects, unless "
                                  "keep-secrets is set"
                                : "");
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

/* Waiting for something that another machine writes. */
typedef struct Wait {
        S3Store *store;
        const char *name; /* what is waited for, below the store */
        Usec began;
        StorePatience patience;
        AwsFault last; /* S3's last answer; status 0: it has given none */
        Error last_error;
} Wait;

/* What a refusal, or silence, makes likely. */
static const char *guess(const AwsFault *fault)
{
        if (fault->status == 403)
                return "; either its writer has not published it, or this machine may not read it "
                       "(grant s3:ListBucket on the bucket to tell which)";
        return fault->status == 404 ? "; its writer has not published it" : "";
}

static int explain_wait(const Wait *wait, Error *ret_error)
{
        const S3Store *store = wait->store;
        bool said = wait->last.status == 403 || wait->last.status == 404;
        char span[CLOCK_SPAN_MAX];

        return error_set(ret_error,
                -ETIMEDOUT,
                "cannot go on without 's3://%s/%s%s%s': %s %s%s (last %s: %s)",
                s3_bucket_name(store->bucket),
                store->prefix,
                store->prefix[0] ? "/" : "",
                wait->name,
                said ? "not there after" : "S3 did not say whether it is there in",
                clock_format_span(clock_now(store_clock(store)) - wait->began, span),
                guess(&wait->last),
                wait->last.status ? "answer" : "try",
                wait->last_error.text);
}

typedef struct Sought {
        const char *key;
        bool found;
} Sought;

static int seek(const S3Listed *listed, void *userdata, Error *ret_error)
{
        Sought *sought = userdata;

        (void)ret_error;
        sought->found |= text_equal(listed->key, sought->key);
        return 0;
}

/* S3 says 404 of a missing key only to those who may list without a condition on the prefix. So a
 * denial is no absence if that is allowed, or if the key is in a listing. */
static bool is_listable(const Wait *wait, Usec deadline)
{
        S3Bucket *bucket = wait->store->bucket;
        _cleanup_(free) char *key = store_key(wait->store, wait->name);
        Sought sought = {.key = key};

        if (!key || s3_may_list(bucket, deadline))
                return true;
        (void)s3_list(bucket, key, false, deadline, seek, &sought, NULL, NULL);
        return sought.found;
}

/* Whether listing is allowed matters, and is asked, only when a denial has lasted: that right may
 * come as late as the others. */
static bool is_final(Wait *wait, S3Outcome outcome, Usec deadline)
{
        const Clock *clock = store_clock(wait->store);
        bool known = outcome == S3_DENIED; /* an object that a manifest names has been there */

        if (store_is_worth_waiting(&wait->patience, clock, S3_READ, &wait->last, true))
                return false;
        if (known || !store_is_worth_waiting(&wait->patience, clock, S3_READ, &wait->last, false) ||
                is_listable(wait, deadline))
                return true;
        wait->patience.since = clock_now(clock); /* asked again after as long */
        return false;
}

/* One try, whose result `ret` points to: S3_OK, S3_STORE_ABSENT, an S3Outcome, a negative errno. */
typedef int (*WaitTry)(S3Store *store,
        const char *name,
        Usec deadline,
        void *ret,
        AwsFault *ret_fault,
        Error *ret_error);

/* Keeps what S3 said last. A request that the deadline cut short says nothing new. */
static void note_answer(Wait *wait, int r, const AwsFault *fault, const Error *error, bool late)
{
        if (r < 0 && wait->last.status && late)
                return;
        wait->last = *fault;
        wait->last_error = *error;
}

static int wait_for(Wait *wait,
        WaitTry try,
        void *ret,
        Usec deadline,
        S3StoreWaiting waiting,
        void *userdata,
        Error *ret_error)
{
        const Clock *clock = store_clock(wait->store);
        Retry retry = store_begin_polling(wait->store, deadline);

        wait->began = clock_now(clock);
        store_put_off_polling(wait->store, deadline);
        for (;;) {
                AwsFault fault = {};
                Error error = ERROR_INIT;
                int r;

                r = try(wait->store, wait->name, deadline, ret, &fault, &error);
                if (r == S3_OK)
                        return r;
                note_answer(wait, r, &fault, &error, clock_passed(clock, deadline));
                if (r < 0 && !http_is_transient(r))
                        return error_set(ret_error, r, "%s", error.text);
                if (r > 0 && is_final(wait, (S3Outcome)r, deadline)) {
                        bool denied = wait->last.status == 403 && r != S3_REFUSED;

                        return error_set(ret_error,
                                denied ? S3_DENIED : r,
                                "%s%s",
                                error.text,
                                denied ? "; grant this machine's role s3:GetObject there" : "");
                }
                if (waiting)
                        waiting(wait->name, clock_now(clock) - wait->began, userdata);
                if (!store_wait_again(&retry, &fault))
                        return explain_wait(wait, ret_error);
        }
}

static int try_set(S3Store *store,
        const char *name,
        Usec deadline,
        void *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        return s3_store_fetch(store, name, deadline, ret, ret_fault, ret_error);
}

int s3_store_wait(S3Store *store,
        const char *manifest,
        Usec deadline,
        S3StoreWaiting waiting,
        void *userdata,
        S3StoreSet *ret,
        Error *ret_error)
{
        Wait wait = {.store = store, .name = manifest};

        return wait_for(&wait, try_set, ret, deadline, waiting, userdata, ret_error);
}

static int try_object(S3Store *store,
        const char *name,
        Usec deadline,
        void *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(buffer_done) Buffer content = BUFFER_INIT(MANIFEST_OBJECT_MAX);
        int r;

        r = s3_store_get(
                store, name, MANIFEST_OBJECT_MAX, deadline, &content, ret_fault, ret_error);
        if (r == S3_NOT_FOUND || r == S3_DENIED)
                return S3_STORE_ABSENT;
        if (r != S3_OK)
                return r;
        r = secret_new(buffer_text(&content), content.size, ret);
        return r < 0 ? store_out_of_memory(ret_error) : S3_OK;
}

int s3_store_wait_object(S3Store *store,
        const char *name,
        Usec deadline,
        S3StoreWaiting waiting,
        void *userdata,
        Secret **ret,
        Error *ret_error)
{
        Wait wait = {.store = store, .name = name};

        return wait_for(&wait, try_object, ret, deadline, waiting, userdata, ret_error);
}
