/* AWS credentials: found as the AWS tools find them, and renewed before they expire.
 *
 * Order, the first that is complete wins (SDKs and Tools Reference Guide, "Standardized credential
 * providers"): environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN); the
 * profile (AWS_PROFILE, or "default") in AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE (~/.aws/…;
 * no HOME: skipped); the instance profile by metadata. A source that is there but broken (one key
 * without the other, a profile that is named and missing, a `credential_process`, SSO or role
 * profile, which this program does not do) is an error, not a fall-through.
 */

#pragma once

#include "aws/metadata.h"

typedef struct AwsCredentials {
        char *access_key_id;
        Secret *secret_access_key;
        Secret *session_token; /* NULL: none */
        Usec expires;          /* wall time; USEC_INFINITY: never */
        char *source; /* for people: "the environment", "profile 'x'", "instance profile role 'x'"
                       */
} AwsCredentials;

void aws_credentials_done(AwsCredentials *credentials);
DEFINE_CLEANUP_IN_PLACE(AwsCredentials, aws_credentials_done);

typedef struct AwsCredentialsProvider AwsCredentialsProvider;

typedef struct AwsCredentialsOptions {
        Metadata *metadata; /* borrowed; NULL: no instance profile */
        const Clock *clock;
        const Random *random;
        char *const *environment; /* NULL: the process's */
} AwsCredentialsOptions;

int aws_credentials_provider_new(
        const AwsCredentialsOptions *options, AwsCredentialsProvider **ret, Error *ret_error);
AwsCredentialsProvider *aws_credentials_provider_free(AwsCredentialsProvider *provider);
DEFINE_CLEANUP(AwsCredentialsProvider *, aws_credentials_provider_free);

/* The credentials to sign with now; borrowed until the next call. Fetched at first use, and anew
 * 5 minutes before they expire (while old ones still hold, a failure to renew is no failure, and is
 * waited for 2 seconds at most). Early in an instance's life a 404 for the role is retried to
 * `deadline`, and a role that EC2 may not assume for a minute. -ENOENT: none anywhere, with the
 * list of places; -EACCES, -EBADMSG, -ETIMEDOUT with the sentence. */
int aws_credentials_get(AwsCredentialsProvider *provider,
        Usec deadline,
        const AwsCredentials **ret,
        Error *ret_error);

/* Throws away what is kept: the next get asks the source again (ExpiredToken, InvalidAccessKeyId).
 */
void aws_credentials_refresh(AwsCredentialsProvider *provider);

/* What the metadata service says of a role. -EACCES: its Code is not Success; -EBADMSG. */
int aws_credentials_parse_role(
        const char *role, const char *text, size_t size, AwsCredentials *ret, Error *ret_error);
