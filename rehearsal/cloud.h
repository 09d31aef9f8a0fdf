/* The services of the embedded cloud that all instances share, on one address: S3 (by path),
 * Secrets Manager, and the wait-condition handles.
 *
 * Requests are signed with SigV4 by credentials that this cloud has given out, and are refused as
 * S3 refuses them: unknown keys, wrong signatures, tokens that are missing or have expired, stale
 * dates, bodies that are not what their hash says. Every request passes cloud_authorize().
 *
 * S3 can be somebody else's (s3-server.h). Then the machines ask that, and this cloud gives them
 * its user's credentials, whatever their role.
 */

#pragma once

#include "rehearsal/event.h"
#include "rehearsal/fault.h"
#include "rehearsal/http-server.h"
#include "rehearsal/policy.h"

#define CLOUD_REGION     "us-east-1"
#define CLOUD_ACCOUNT    "123456789012"
#define CLOUD_BUCKET_MAX 64U
#define CLOUD_TOKEN_MAX  4096U /* bytes of a session token; AWS names no bound */

typedef struct Cloud Cloud;
typedef struct S3Server S3Server;

int cloud_new(EventLoop *loop, const char *address, Cloud **ret, Error *ret_error);
Cloud *cloud_free(Cloud *cloud);
DEFINE_CLEANUP(Cloud *, cloud_free);

const char *cloud_endpoint(const Cloud *cloud); /* "http://127.0.0.1:4001" */

/* Another address for the same, which the handles made from now on name: as on AWS, where they are
 * of another host than the stack's own bucket. */
int cloud_serve_signals(Cloud *cloud, const char *address, Error *ret_error);

/* From now on S3 is this server (borrowed), which the machines find at `endpoint`, and every role
 * is given its user's credentials. */
int cloud_use_s3(Cloud *cloud, const S3Server *server, const char *endpoint, Error *ret_error);
const S3Server *cloud_s3(const Cloud *cloud);      /* NULL: it is this cloud's */
const char *cloud_s3_endpoint(const Cloud *cloud); /* likewise */

/* What is to go wrong; borrowed, and counted off. NULL: nothing. */
void cloud_set_faults(Cloud *cloud, FaultSet *faults);
FaultSet *cloud_faults(const Cloud *cloud);

/* --- who --- */

typedef struct CloudKeys {
        const char *access_key, *secret_key;
        const char *token; /* "": none */
        Usec expires;      /* wall; USEC_INFINITY: never */
} CloudKeys;

/* Someone who may ask: an instance's role, or the user. */
typedef struct CloudPrincipal CloudPrincipal;

/* `name` is for messages ("ControlNode"); policies are borrowed. */
int cloud_add_principal(Cloud *cloud,
        const char *name,
        const PolicySet *policies,
        CloudPrincipal **ret,
        Error *ret_error);

/* What they may do from now on; borrowed likewise. */
void cloud_set_policies(CloudPrincipal *principal, const PolicySet *policies);

/* Credentials that hold for `lifetime` (USEC_INFINITY: without token, for good). Earlier ones hold
 * on to their own end. Those of somebody else's S3 are the same for all, and what is told of their
 * end is when they are to be asked for again. NULL: no memory. */
const CloudKeys *cloud_issue_keys(CloudPrincipal *principal, Usec lifetime);

/* May they? The one question that every request is put. */
bool cloud_authorize(const CloudPrincipal *principal,
        const char *action,
        const char *resource,
        const PolicyContext *context,
        size_t n_context);

/* --- what --- */

int cloud_add_bucket(Cloud *cloud, const char *name, Error *ret_error);
/* The key of KMS that its objects are encrypted with (NULL: none): who reads or writes them has to
 * be allowed its use too. Its policy, borrowed, which is put to everybody (whatever its Principal
 * is). */
int cloud_set_bucket_key(Cloud *cloud, const char *bucket, const char *key_arn);
void cloud_set_bucket_policy(Cloud *cloud, const char *bucket, const Json *document);
/* How many objects it has; -1: there is none of that name. */
int64_t cloud_count_objects(const Cloud *cloud, const char *bucket);
void cloud_remove_bucket(Cloud *cloud, const char *bucket);

/* An object's content, borrowed; NULL: it is not there. For the rehearsal's own looking. */
const Buffer *cloud_look(const Cloud *cloud, const char *bucket, const char *key);
typedef void (*CloudVisit)(const char *key, size_t size, void *userdata);
void cloud_list(const Cloud *cloud, const char *bucket, CloudVisit visit, void *userdata);

/* Writes every bucket's objects below `folder`, as <bucket>/<key>, for their owner alone to read. A
 * key that is no path (with an empty part, "." or "..") is left out. */
int cloud_save(const Cloud *cloud, const char *folder, Error *ret_error);

/* `name` is the ARN too: *ret borrowed. */
int cloud_add_secret(
        Cloud *cloud, const char *name, const char *text, const char **ret_arn, Error *ret_error);

/* --- signals --- */

typedef struct CloudSignal {
        bool success;
        const char *reason, *id, *data; /* borrowed */
} CloudSignal;
typedef void (*CloudSignalled)(const CloudSignal *signal, void *userdata);

/* A wait-condition handle: a presigned URL, borrowed, good until it is closed. The same UniqueId
 * again is not told again. */
typedef struct CloudHandle CloudHandle;
int cloud_add_handle(Cloud *cloud,
        const char *name,
        CloudSignalled signalled,
        void *userdata,
        CloudHandle **ret,
        Error *ret_error);
const char *cloud_handle_url(const CloudHandle *handle);
void cloud_close_handle(CloudHandle *handle); /* the stack has finished */

/* --- for all services --- */

/* "Tue, 24 Nov 2026 09:05:00 GMT" (RFC 9110, 5.6.7). */
#define CLOUD_HTTP_DATE_MAX 30U
void cloud_format_http_date(Usec wall, char ret[CLOUD_HTTP_DATE_MAX]);
