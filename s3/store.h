/* The cluster store: a prefix of a bucket through which the machines of a cluster give each other
 * what they need.
 *
 *         docker/{ca.pem, ca-key.pem, manifest.json}
 *         flocker/{cluster.crt, agent.yml}                      named in each node's manifest
 *         flocker/nodes/<n>/{node.crt, node.key, plugin.crt, plugin.key, manifest.json}
 *         flocker/client/{user1.crt, user1.key, manifest.json}
 *         swarm/worker.json, swarm/members/<n>.json
 *         status/<instance>/…
 *
 * Plain files, for openssl and docker to use as they are. Each set's manifest is written last.
 */

#pragma once

#include "base/retry.h"
#include "s3/manifest.h"
#include "s3/object.h"

typedef struct S3Store S3Store;

typedef struct S3StoreOptions {
        AwsSession *session;         /* borrowed */
        const char *url;             /* s3://bucket/prefix */
        AwsEndpointOptions endpoint; /* as of S3BucketOptions */
        const char *owner;           /* likewise */
        unsigned nodes;              /* of the cluster: spreads the polling; 0: one */
} S3StoreOptions;

int s3_store_new(const S3StoreOptions *options, S3Store **ret, Error *ret_error);
S3Store *s3_store_free(S3Store *store);
DEFINE_CLEANUP(S3Store *, s3_store_free);

S3Bucket *s3_store_bucket(S3Store *store);

/* True for the material that must not outlive the cluster's making: keys, agent.yml, the join
 * token. Pure. */
bool s3_store_is_private(const char *name);

/* Polling for another machine's work: starts at max(100 ms, nodes / 2,000 per s), grows to max(1 s,
 * nodes / 2,000 per s), between half of that and all of it, so that machines which boot together do
 * not stay in step. Pure. */
RetryPolicy s3_store_poll_policy(unsigned nodes);

/* How long the first poll is put off: not at all up to 1,000 nodes; more would be too many requests
 * for one prefix if they booted in the same instant. */
Usec s3_store_first_poll(unsigned nodes, const Random *random);

/* Expected outcomes beside S3Outcome's. */
typedef enum S3StoreOutcome {
        S3_STORE_OK = 0,
        S3_STORE_ABSENT = 64, /* no such set (yet) */
        S3_STORE_TAKEN,       /* another has published there: *ret_error says who */
} S3StoreOutcome;

typedef struct S3StoreObject {
        const char *name; /* below the store */
        const char *data;
        size_t size;
} S3StoreObject;

typedef struct S3StorePublication {
        const char *manifest; /* "docker/manifest.json" */
        const char *cluster;
        const char *writer; /* this instance's id */
        const S3StoreObject *objects;
        size_t n_objects;
        bool replace; /* what is there is ours to replace (renewal); else it must be the same, or
                         absent */
} S3StorePublication;

/* Writes the objects, and the manifest last. Every write is conditional: an object that is there
 * already counts as written if its bytes are the same (a run that was killed and runs again), else
 * S3_STORE_TAKEN, and nothing of another's is overwritten. With `replace`, objects are overwritten,
 * and the manifest only if it is still the one that was read. An S3Outcome that is final,
 * S3_STORE_TAKEN, or a negative errno. Denials are retried as s3/finality.h says. */
int s3_store_publish(
        S3Store *store, const S3StorePublication *publication, Usec deadline, Error *ret_error);

/* A set as it was read: each object's content in a Secret, in the manifest's order. */
typedef struct S3StoreSet {
        Manifest manifest;
        Secret *contents[MANIFEST_OBJECTS_MAX];
} S3StoreSet;

void s3_store_set_done(S3StoreSet *set);
DEFINE_CLEANUP_IN_PLACE(S3StoreSet, s3_store_set_done);

/* The object's content, borrowed; NULL: the set has none of that name. */
const Secret *s3_store_set_get(const S3StoreSet *set, const char *name);

/* One try. S3_STORE_ABSENT: no manifest (or a denial that may mean it); an S3Outcome; -EBADMSG: an
 * object that is missing or differs, named. */
int s3_store_fetch(S3Store *store,
        const char *manifest,
        Usec deadline,
        S3StoreSet *ret,
        AwsFault *ret_fault,
        Error *ret_error);

/* Polls until the set is there, as s3/finality.h says; faults of the connection are waited out. At
 * the deadline -ETIMEDOUT with what was waited for and S3's last answer, and where that was a
 * denial that may be an absence, both causes. `waiting` (NULL: nobody) is called before each wait,
 * for progress. */
typedef void (*S3StoreWaiting)(const char *what, Usec waited, void *userdata);
int s3_store_wait(S3Store *store,
        const char *manifest,
        Usec deadline,
        S3StoreWaiting waiting,
        void *userdata,
        S3StoreSet *ret,
        Error *ret_error);

/* The same for one plain object without a manifest (swarm/worker.json): its content, at most
 * MANIFEST_OBJECT_MAX bytes. */
int s3_store_wait_object(S3Store *store,
        const char *name,
        Usec deadline,
        S3StoreWaiting waiting,
        void *userdata,
        Secret **ret,
        Error *ret_error);

/* One plain object without a manifest: status, members, the worker's token. An S3Outcome or a
 * negative errno. A write is tried until its refusal is final, and over faults of the connection to
 * the deadline; a read is one try. */
int s3_store_put(S3Store *store,
        const char *name,
        const char *content_type,
        const void *data,
        size_t size,
        Usec deadline,
        Error *ret_error);
int s3_store_get(S3Store *store,
        const char *name,
        size_t max,
        Usec deadline,
        Buffer *ret,
        AwsFault *ret_fault,
        Error *ret_error);

/* The names below `prefix`. Refusals and faults are waited out like a write's, until the first name
 * has been visited. */
int s3_store_list(S3Store *store,
        const char *prefix,
        Usec deadline,
        S3Visit visit,
        void *userdata,
        Error *ret_error);

/* Deletes the private material, every version of it; *ret_deleted counts. S3_REFUSED with the
 * sentence where versions are kept and cannot be deleted. */
int s3_store_purge(S3Store *store, Usec deadline, size_t *ret_deleted, Error *ret_error);
