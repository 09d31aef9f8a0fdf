/* One signed request to a service of AWS, with all that the SDKs' standard mode does around it:
 * credentials, SigV4 anew for each try, skew corrected once, retries, error answers read into a
 * code.
 */

#pragma once

#include "aws/credentials.h"
#include "aws/fault.h"
#include "base/retry.h"
#include "net/http.h"

typedef struct AwsSession AwsSession;

typedef struct AwsSessionOptions {
        HttpClient *http;                    /* borrowed */
        AwsCredentialsProvider *credentials; /* borrowed; NULL: requests are not signed */
        const Clock *clock;
        const Random *random;
        const char *region;        /* copied */
        const RetryPolicy *policy; /* NULL: retry_policy_request */
} AwsSessionOptions;

int aws_session_new(const AwsSessionOptions *options, AwsSession **ret, Error *ret_error);
AwsSession *aws_session_free(AwsSession *session);
DEFINE_CLEANUP(AwsSession *, aws_session_free);

const Clock *aws_session_clock(const AwsSession *session);
const Random *aws_session_random(const AwsSession *session);
const char *aws_session_region(const AwsSession *session);

/* What the service's clock is ahead of ours, as last seen in a Date header; microseconds, 0 before
 * the first. */
int64_t aws_session_skew(const AwsSession *session);

typedef struct AwsRequest {
        const char *service; /* SigV4's: "s3", "secretsmanager" */
        const char *region;  /* NULL: the session's */
        const char *method;
        const char *url;
        const HttpHeader
                *headers; /* without x-amz-date, x-amz-content-sha256, x-amz-security-token */
        size_t n_headers;
        const void *body;
        size_t body_size;
        size_t response_max;
        Usec deadline;
} AwsRequest;

/* Expected outcomes. */
typedef enum AwsOutcome {
        AWS_OK = 0, /* 2xx or 304 */
        AWS_REFUSED =
                1, /* any other final answer: *ret_fault says which, *ret_error the sentence */
} AwsOutcome;

/* AWS_OK, AWS_REFUSED, or a negative errno of http_perform and aws_credentials_get (retries spent),
 * with the sentence "cannot <method> '<url>': 403 AccessDenied: … (request 4F…)". ret_fault may be
 * NULL. */
int aws_perform(AwsSession *session,
        const AwsRequest *request,
        HttpResponse *ret,
        AwsFault *ret_fault,
        Error *ret_error);
