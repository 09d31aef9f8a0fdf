/* One request to a bucket: what object.c and list.c share. Within s3/ alone. */

#pragma once

#include "s3/object.h"

typedef struct S3Request {
        const char *method;
        const char *verb;  /* for sentences: "upload" */
        const char *key;   /* NULL: the bucket itself */
        const char *query; /* encoded; NULL: none */
        const HttpHeader *headers;
        size_t n_headers;
        const void *body;
        size_t body_size;
        size_t response_max;
        Usec deadline;
} S3Request;

/* An S3Outcome, or a negative errno. */
int s3_perform(S3Bucket *bucket,
        const S3Request *request,
        HttpResponse *ret,
        AwsFault *ret_fault,
        Error *ret_error);

/* May this machine list the bucket, whatever the prefix? False also when that cannot be learnt. */
bool s3_may_list(S3Bucket *bucket, Usec deadline);
