/* What the files of the cluster store share. Within s3/ alone. */

#pragma once

#include "s3/finality.h"
#include "s3/store.h"

struct S3Store {
        S3Bucket *bucket;
        char *prefix; /* "" or "a/b" */
        RetryPolicy poll;
        unsigned nodes;
};

/* The object's key in the bucket, a heap string; NULL when memory is out. */
char *store_key(const S3Store *store, const char *name);

int store_out_of_memory(Error *ret_error);
const Clock *store_clock(const S3Store *store);
Retry store_begin_polling(const S3Store *store, Usec deadline);
void store_put_off_polling(const S3Store *store, Usec deadline); /* s3_store_first_poll() */

/* Patience with refusals of one kind: each new kind begins anew, but for throttling and the like,
 * which say nothing of rights. */
typedef struct StorePatience {
        char code[128];
        unsigned status;
        Usec since;
} StorePatience;

/* True while another try may help. */
bool store_is_worth_waiting(StorePatience *patience,
        const Clock *clock,
        S3Operation operation,
        const AwsFault *fault,
        bool listable);

/* Waits as the policy says, longer if S3 asked for less; false: there is no time for another try.
 */
bool store_wait_again(Retry *retry, const AwsFault *fault);

/* Something to try until it is done, its refusal is final, or the deadline comes. */
typedef struct StoreTask StoreTask;

struct StoreTask {
        S3Operation operation;
        int (*run)(S3Store *store,
                StoreTask *task,
                Usec deadline,
                AwsFault *ret_fault,
                Error *ret_error);
        void *userdata;
        bool begun; /* set by run: something has happened that must not happen twice */
};

/* What the last try returned: S3_OK, an S3Outcome, a negative errno. */
int store_persist(S3Store *store, StoreTask *task, Usec deadline, Error *ret_error);

typedef struct StoreWrite {
        const char *name, *content_type;
        const void *data;
        size_t size;
        S3Put put;
} StoreWrite;

/* Tries until the refusal is final, or the deadline comes. S3_EXISTS is the condition's own answer.
 */
int store_write(S3Store *store, StoreWrite *write, Usec deadline, Error *ret_error);

/* The manifest that is there, with its ETag (NULL: not asked). */
int store_read_manifest(S3Store *store,
        const char *name,
        Usec deadline,
        Manifest *ret,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error);
