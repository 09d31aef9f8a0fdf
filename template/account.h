/* An engineer's access to AWS: credentials, region and endpoints as every AWS tool finds them, and
 * what is read with them. */

#pragma once

#include "aws/credentials.h"
#include "aws/service.h"
#include "s3/object.h"

#define ACCOUNT_TIME (2 * USEC_PER_MINUTE) /* of one question or transfer */

typedef struct Account {
        HttpClient *http;
        Metadata *metadata;
        AwsCredentialsProvider *credentials;
        AwsSession *session;
} Account;

/* `region` NULL: AWS_REGION's or AWS_DEFAULT_REGION's; -EDOM where neither is set. Nothing is asked
 * of anybody yet. */
int account_open(const char *region, Account *ret, Error *ret_error);
void account_done(Account *account);
DEFINE_CLEANUP_IN_PLACE(Account, account_done);

/* A bucket; the region is the account's until S3 says another. */
int account_open_bucket(const Account *account, const char *name, S3Bucket **ret, Error *ret_error);

/* The endpoint of another service in the account's region; a heap string. */
int account_endpoint(const Account *account, const char *service, char **ret, Error *ret_error);

/* Reads what an option names: a file's path, "https://…" (asked without credentials, no redirect
 * followed), or "s3://bucket/key" (asked with them). At most `max` bytes, appended to *ret.
 * `region` as of account_open(). -EINVAL: "http://", which anybody on the way may change. */
int account_read(
        const char *region, const char *address, size_t max, Buffer *ret, Error *ret_error);

/* Is it an address that account_read() would fetch, not a file? */
bool account_is_address(const char *text);
