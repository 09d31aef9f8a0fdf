/* When a refusal is for good: rights take 5 to 10 s to be seen after a role is made, and a missing
 * key looks like a denied one where listing is not allowed. Pure: a table. */

#pragma once

#include "aws/fault.h"
#include "base/clock.h"

#include <stdbool.h>

typedef enum S3Operation {
        S3_READ, /* GET or HEAD of an object */
        S3_WRITE,
        S3_LIST,
} S3Operation;

/* How long after the first refusal of this kind it becomes final: 0 at once, USEC_INFINITY never
 * (the deadline ends the waiting).
 *
 *         InvalidAccessKeyId, SignatureDoesNotMatch    15 s; one skew correction has been made then
 *         AccessDenied on a write or a listing         60 s
 *         AccessDenied on a read                       60 s if `listable`: the denial is real;
 *                                                      else never: it may be "not there yet"
 *         ExpiredToken                                 60 s, and each try renews the credentials
 *         NoSuchKey on a read                          never: another machine's work
 *         throttling, 5xx                              never
 *         anything else (NoSuchBucket, …)              0
 *
 * `listable`: the machine may list the bucket without a condition on the prefix, so that S3 would
 * have said 404 of what is not there; or the key is in a listing.
 */
Usec s3_final_after(S3Operation operation, const AwsFault *fault, bool listable);
