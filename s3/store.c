#include "s3/store-parts.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POLL_FIRST    (100 * USEC_PER_MSEC)
#define POLL_CAP      USEC_PER_SEC
#define AT_ONCE_MAX   1000U /* machines that may all ask in the instant they boot */
#define POLLS_PER_SEC 2000U /* of a whole cluster: well below the 5,500 that one prefix bears */

/* What is private, by its name's beginning and end. */
static const struct {
        const char *start, *end;
} private_names[] = {
        {"docker/", "ca-key.pem"},
        {"flocker/", "agent.yml"},
        {"", ".key"},
        {"swarm/", "worker.json"},
};

bool s3_store_is_private(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(private_names); i++)
                if (text_starts(name, private_names[i].start) &&
                        text_ends(name, private_names[i].end))
                        return true;
        return false;
}

static Usec find_spread(unsigned nodes)
{
        return (Usec)nodes * USEC_PER_SEC / POLLS_PER_SEC;
}

Usec s3_store_first_poll(unsigned nodes, const Random *random)
{
        return nodes > AT_ONCE_MAX ? random_below(random, find_spread(nodes)) : 0;
}

RetryPolicy s3_store_poll_policy(unsigned nodes)
{
        Usec spread = find_spread(nodes);

        return (RetryPolicy){
                .name = "poll",
                .base = {[RETRY_TRANSIENT] = POLL_FIRST,
                        [RETRY_THROTTLED] = USEC_PER_SEC,
                        [RETRY_NOT_YET] = spread > POLL_FIRST ? spread : POLL_FIRST},
                .cap = spread > POLL_CAP ? spread : POLL_CAP,
                .floor_percent = 50,
                .retry_after_excess_max = 5 * USEC_PER_SEC,
        };
}

int s3_store_new(const S3StoreOptions *options, S3Store **ret, Error *ret_error)
{
        _cleanup_(s3_store_free) S3Store *store = calloc(1, sizeof(*store));
        _cleanup_(free) char *bucket = NULL;
        int r;

        if (!store)
                return error_set(ret_error, -ENOMEM, "cannot use the store: %m");
        r = s3_store_url_parse(options->url, &bucket, &store->prefix, ret_error);
        if (r == 0)
                r = s3_bucket_new(
                        &(S3BucketOptions){
                                .session = options->session,
                                .name = bucket,
                                .endpoint = options->endpoint,
                                .owner = options->owner,
                        },
                        &store->bucket,
                        ret_error);
        if (r < 0)
                return r;
        store->nodes = options->nodes;
        store->poll = s3_store_poll_policy(options->nodes);
        *ret = TAKE_PTR(store);
        return 0;
}

S3Store *s3_store_free(S3Store *store)
{
        if (!store)
                return NULL;
        (void)s3_bucket_free(store->bucket);
        free(store->prefix);
        free(store);
        return NULL;
}

S3Bucket *s3_store_bucket(S3Store *store)
{
        return store->bucket;
}

/* The object's key in the bucket; NULL when memory is out. */
char *store_key(const S3Store *store, const char *name)
{
        return text_format("%s%s%s", store->prefix, store->prefix[0] ? "/" : "", name);
}

int store_out_of_memory(Error *ret_error)
{
        return error_set(ret_error, -ENOMEM, "cannot use the store: %m");
}

const Clock *store_clock(const S3Store *store)
{
        return aws_session_clock(s3_bucket_session(store->bucket));
}

Retry store_begin_polling(const S3Store *store, Usec deadline)
{
        return RETRY_INIT(&store->poll,
                store_clock(store),
                aws_session_random(s3_bucket_session(store->bucket)),
                deadline);
}

void store_put_off_polling(const S3Store *store, Usec deadline)
{
        const Random *random = aws_session_random(s3_bucket_session(store->bucket));
        Usec wait = s3_store_first_poll(store->nodes, random);

        if (wait > 0)
                clock_sleep_until(store_clock(store),
                        usec_min(clock_deadline(store_clock(store), wait), deadline));
}

static bool says_nothing_of_rights(const AwsFault *fault)
{
        AwsFaultKind kind = aws_fault_kind(fault);

        return kind == AWS_FAULT_TRANSIENT || kind == AWS_FAULT_THROTTLED;
}

bool store_is_worth_waiting(StorePatience *patience,
        const Clock *clock,
        S3Operation operation,
        const AwsFault *fault,
        bool listable)
{
        Usec after = s3_final_after(operation, fault, listable);

        if (says_nothing_of_rights(fault))
                return true;
        if (patience->status != fault->status || !text_equal(patience->code, fault->code)) {
                patience->status = fault->status;
                (void)text_put(patience->code, sizeof(patience->code), fault->code);
                patience->since = clock_now(clock);
        }
        return after == USEC_INFINITY || clock_now(clock) - patience->since < after;
}

bool store_wait_again(Retry *retry, const AwsFault *fault)
{
        bool throttled = aws_fault_kind(fault) == AWS_FAULT_THROTTLED;

        return retry_wait(retry, throttled ? RETRY_THROTTLED : RETRY_NOT_YET, 0) == RETRY_AGAIN;
}

int store_persist(S3Store *store, StoreTask *task, Usec deadline, Error *ret_error)
{
        Retry retry = store_begin_polling(store, deadline);
        StorePatience patience = {};

        for (;;) {
                AwsFault fault = {};
                bool again;
                int r;

                r = task->run(store, task, deadline, &fault, ret_error);
                if (r > 0)
                        again = store_is_worth_waiting(
                                &patience, store_clock(store), task->operation, &fault, true);
                else
                        again = http_is_transient(r);
                if (!again || task->begun || !store_wait_again(&retry, &fault))
                        return r;
        }
}

static int run_write(
        S3Store *store, StoreTask *task, Usec deadline, AwsFault *ret_fault, Error *ret_error)
{
        const StoreWrite *write = task->userdata;
        _cleanup_(free) char *key = store_key(store, write->name);
        S3Put put = write->put;

        if (!key)
                return store_out_of_memory(ret_error);
        put.content_type = write->content_type;
        return s3_put(store->bucket,
                key,
                write->data,
                write->size,
                &put,
                deadline,
                NULL,
                ret_fault,
                ret_error);
}

int store_write(S3Store *store, StoreWrite *write, Usec deadline, Error *ret_error)
{
        StoreTask task = {.operation = S3_WRITE, .run = run_write, .userdata = write};
        int r = store_persist(store, &task, deadline, ret_error);

        return r == S3_DENIED
                       ? error_append(
                                 ret_error, r, "; grant this machine's role s3:PutObject there")
                       : r;
}

/* The manifest that is there, with its ETag; S3_NOT_FOUND (or a denial): none. */
int store_read_manifest(S3Store *store,
        const char *name,
        Usec deadline,
        Manifest *ret,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        _cleanup_(free) char *key = store_key(store, name);
        int r;

        if (!key)
                return store_out_of_memory(ret_error);
        r = s3_get(store->bucket,
                key,
                MANIFEST_SIZE_MAX,
                NULL,
                deadline,
                &text,
                ret_etag,
                ret_fault,
                ret_error);
        if (r != S3_OK)
                return r;
        return manifest_parse(name, buffer_text(&text), text.size, ret, ret_error);
}

/* Plain objects. */

int s3_store_put(S3Store *store,
        const char *name,
        const char *content_type,
        const void *data,
        size_t size,
        Usec deadline,
        Error *ret_error)
{
        return store_write(store,
                &(StoreWrite){
                        .name = name, .content_type = content_type, .data = data, .size = size},
                deadline,
                ret_error);
}

int s3_store_get(S3Store *store,
        const char *name,
        size_t max,
        Usec deadline,
        Buffer *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(free) char *key = store_key(store, name);

        if (!key)
                return store_out_of_memory(ret_error);
        return s3_get(store->bucket, key, max, NULL, deadline, ret, NULL, ret_fault, ret_error);
}
