/* Where an object of S3 is: names checked, URLs built. Pure.
 *
 * Source: Amazon S3 User Guide, "Virtual hosting of buckets", "Bucket naming rules", "Naming Amazon
 * S3 objects"; "Amazon S3 dual-stack endpoints"; "FIPS endpoints".
 */

#pragma once

#include "aws/endpoint.h"

#include <stdbool.h>

#define S3_KEY_MAX    1024U /* bytes of UTF-8 */
#define S3_BUCKET_MAX 63U

/* -EDOM with the sentence: 3 to 63 of a-z, 0-9, '-', '.', beginning and ending with a letter or
 * digit, no "..". */
int s3_bucket_check(const char *bucket, Error *ret_error);

/* -EDOM with the sentence: empty, too long, no UTF-8, control characters, or with a segment "." or
 * ".." (which could not be signed as it is sent). */
int s3_key_check(const char *key, Error *ret_error);

/* The URL of `key` (NULL: of the bucket itself), keys percent-encoded; `query` (NULL: none) is
 * encoded already. Virtual-hosted, `https://B.s3.R.SUFFIX/key`; by path where the endpoint is given
 * or the name has dots (no certificate fits those). A heap string. */
int s3_url(const AwsEndpointOptions *endpoint,
        const char *bucket,
        const char *key,
        const char *query,
        char **ret,
        Error *ret_error);

/* "s3://bucket/prefix" into its parts; the prefix without slashes at its ends, "" for none. -EDOM.
 * Heap strings. */
int s3_store_url_parse(const char *url, char **ret_bucket, char **ret_prefix, Error *ret_error);

/* "s3://bucket/key" of one object, whose key is taken as it stands. -EINVAL, -EDOM. Heap strings.
 */
int s3_object_url_parse(const char *url, char **ret_bucket, char **ret_key, Error *ret_error);
