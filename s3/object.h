/* Objects of one S3 bucket: put, get, head, delete, list.
 *
 * Retries, clock skew and credentials are aws/session.h's. Here: checksums both ways, conditional
 * requests, and a bucket in another region, which is followed once and remembered.
 */

#pragma once

#include "aws/session.h"
#include "s3/address.h"

#define S3_OBJECT_MAX (4U * 1024U * 1024U) /* bytes of one object; nothing of ours comes near */
#define S3_ETAG_MAX   128U
#define S3_PAGES_MAX  1000U /* of 1,000 keys each */

/* Expected outcomes, positive; *ret_error has the sentence for each but S3_OK, and *ret_fault what
 * S3 said. */
typedef enum S3Outcome {
        S3_OK = 0,
        S3_NOT_FOUND,    /* 404 NoSuchKey: the key is not there */
        S3_NOT_MODIFIED, /* 304: it is as If-None-Match said */
        S3_EXISTS,       /* 412: the condition of a write does not hold */
        S3_DENIED,       /* 403 AccessDenied: no right, or not there and no right to list */
        S3_REFUSED,      /* any other answer that trying again has not changed */
} S3Outcome;

typedef struct S3Bucket S3Bucket;

typedef struct S3BucketOptions {
        AwsSession *session; /* borrowed */
        const char *name;
        AwsEndpointOptions endpoint; /* its texts are borrowed; region NULL: the session's */
        const char
                *owner; /* the account that must own it (x-amz-expected-bucket-owner); NULL: any */
} S3BucketOptions;

int s3_bucket_new(const S3BucketOptions *options, S3Bucket **ret, Error *ret_error);
S3Bucket *s3_bucket_free(S3Bucket *bucket);
DEFINE_CLEANUP(S3Bucket *, s3_bucket_free);

const AwsSession *s3_bucket_session(const S3Bucket *bucket);
const char *s3_bucket_name(const S3Bucket *bucket);

/* The region that the bucket was last found in. */
const char *s3_bucket_region(const S3Bucket *bucket);

/* Where the object is for others than us; a heap string. */
int s3_bucket_url(const S3Bucket *bucket, const char *key, char **ret, Error *ret_error);

typedef struct S3Put {
        const char *content_type; /* NULL: application/octet-stream */
        bool if_absent;           /* If-None-Match: * */
        const char *if_match;     /* an ETag; NULL: whatever is there */
        bool public_read;         /* x-amz-acl: anybody may read it, where the bucket allows that */
} S3Put;

/* `ret_etag` holds S3_ETAG_MAX bytes, or is NULL; so may be the fault. */
int s3_put(S3Bucket *bucket,
        const char *key,
        const void *data,
        size_t size,
        const S3Put *put,
        Usec deadline,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error);

/* At most `max` bytes, appended to *ret. `if_none_match`: an ETag, NULL for none. A body that does
 * not fit its x-amz-checksum-sha256 is -EBADMSG. */
int s3_get(S3Bucket *bucket,
        const char *key,
        size_t max,
        const char *if_none_match,
        Usec deadline,
        Buffer *ret,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error);

/* Size and ETag alone. */
int s3_head(S3Bucket *bucket,
        const char *key,
        Usec deadline,
        uint64_t *ret_size,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error);

/* `version` NULL: the object itself (S3_OK also if it was not there). *ret_kept (NULL: not asked)
 * is true where the bucket keeps versions, and so still has the content. */
int s3_delete(S3Bucket *bucket,
        const char *key,
        const char *version,
        Usec deadline,
        bool *ret_kept,
        AwsFault *ret_fault,
        Error *ret_error);

typedef struct S3Listed {
        const char *key;
        const char *version; /* NULL when versions are not listed */
        uint64_t size;
} S3Listed;

/* A negative return ends the listing and is returned. */
typedef int (*S3Visit)(const S3Listed *listed, void *userdata, Error *ret_error);

/* All keys that start with `prefix` (""): every one, in pages; with `versions`, every version of
 * each. */
int s3_list(S3Bucket *bucket,
        const char *prefix,
        bool versions,
        Usec deadline,
        S3Visit visit,
        void *userdata,
        AwsFault *ret_fault,
        Error *ret_error);
