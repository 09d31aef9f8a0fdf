#include "aws/session.h"

#include "base/digest.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_TOLERATED  ((int64_t)(300 * USEC_PER_SEC)) /* the SDKs correct from here on */
#define ATTEMPT_TIMEOUT (30 * USEC_PER_SEC)
#define HEADERS_MAX     24U

struct AwsSession {
        AwsSessionOptions options;
        char *region;
        int64_t skew;       /* the service's clock less ours, as last seen */
        int64_t correction; /* what is added to our clock when signing */
};

int aws_session_new(const AwsSessionOptions *options, AwsSession **ret, Error *ret_error)
{
        AwsSession *session = calloc(1, sizeof(*session));

        if (session)
                session->region = text_copy(options->region);
        if (!session || !session->region) {
                free(session);
                return error_set(ret_error, -ENOMEM, "cannot begin a session with AWS: %m");
        }
        session->options = *options;
        session->options.region = session->region;
        if (!session->options.policy)
                session->options.policy = &retry_policy_request;
        *ret = session;
        return 0;
}

AwsSession *aws_session_free(AwsSession *session)
{
        if (session)
                free(session->region);
        free(session);
        return NULL;
}

const Clock *aws_session_clock(const AwsSession *session)
{
        return session->options.clock;
}

const Random *aws_session_random(const AwsSession *session)
{
        return session->options.random;
}

const char *aws_session_region(const AwsSession *session)
{
        return session->region;
}

int64_t aws_session_skew(const AwsSession *session)
{
        return session->skew;
}

/* One request as it goes on through its tries. */
typedef struct Attempting {
        AwsSession *session;
        const AwsRequest *request;
        char payload_hash[DIGEST_SHA256_HEX];
        bool skew_corrected, token_renewed; /* once each */
} Attempting;

static int attempt(Attempting *attempting, HttpResponse *ret, Error *ret_error)
{
        const AwsSession *session = attempting->session;
        const AwsRequest *request = attempting->request;
        const AwsCredentials *credentials = NULL;
        HttpHeader headers[HEADERS_MAX + 1];
        HttpSigning signing;
        int r;

        if (request->n_headers > HEADERS_MAX)
                return error_set(
                        ret_error, -EINVAL, "cannot send more than %u headers", HEADERS_MAX);
        if (session->options.credentials) {
                r = aws_credentials_get(
                        session->options.credentials, request->deadline, &credentials, ret_error);
                if (r < 0)
                        return r;
                signing = (HttpSigning){
                        .region = request->region ? request->region : session->region,
                        .service = request->service,
                        .access_key_id = credentials->access_key_id,
                        .secret_access_key = credentials->secret_access_key,
                        .session_token = credentials->session_token,
                        .wall = (Usec)((int64_t)clock_wall(session->options.clock) +
                                       session->correction),
                };
        }

        if (request->n_headers > 0)
                memcpy(headers, request->headers, request->n_headers * sizeof(*headers));
        headers[request->n_headers] =
                (HttpHeader){"x-amz-content-sha256", attempting->payload_hash};
        return http_perform(session->options.http,
                &(HttpRequest){
                        .method = request->method,
                        .url = request->url,
                        .headers = headers,
                        .n_headers = request->n_headers + 1,
                        .body = request->body,
                        .body_size = request->body_size,
                        .response_max = request->response_max,
                        .deadline = request->deadline,
                        .attempt_timeout = ATTEMPT_TIMEOUT,
                        .signing = credentials ? &signing : NULL,
                },
                ret,
                ret_error);
}

static void note_skew(AwsSession *session, const HttpResponse *response)
{
        if (response->date)
                session->skew = (int64_t)response->date - (int64_t)response->received;
}

static int64_t magnitude(int64_t number)
{
        return number < 0 ? -number : number;
}

/* Both are worth one more try, at once, and no more than one. */
static bool correct_skew(Attempting *attempting)
{
        AwsSession *session = attempting->session;

        if (attempting->skew_corrected ||
                magnitude(session->skew - session->correction) < SKEW_TOLERATED)
                return false;
        session->correction = session->skew;
        return attempting->skew_corrected = true;
}

static bool renew_token(Attempting *attempting)
{
        if (attempting->token_renewed || !attempting->session->options.credentials)
                return false;
        aws_credentials_refresh(attempting->session->options.credentials);
        return attempting->token_renewed = true;
}

/* x-amz-retry-after in milliseconds goes before Retry-After in seconds (RFC 9110, 10.2.3). */
static Usec read_retry_after(const HttpResponse *response)
{
        const char *milliseconds = http_response_header(response, "x-amz-retry-after");
        const char *seconds = http_response_header(response, "retry-after");
        uint64_t number;

        if (milliseconds && text_to_uint64(milliseconds, 0, 3600000, &number) == 0)
                return number * USEC_PER_MSEC;
        if (seconds && text_to_uint64(seconds, 0, 3600, &number) == 0)
                return number * USEC_PER_SEC;
        return 0;
}

static bool is_success(const HttpResponse *response)
{
        return (response->status >= 200 && response->status < 300) || response->status == 304;
}

static int explain(const AwsRequest *request, const AwsFault *fault, Error *ret_error)
{
        size_t shown = strcspn(request->url, "?");
        char text[AWS_FAULT_TEXT_MAX];

        return error_set(ret_error,
                AWS_REFUSED,
                "cannot %s '%.*s': %s",
                request->method,
                TEXT_PART(request->url, shown > 300 ? 300 : shown),
                aws_fault_format(fault, text));
}

typedef enum Next { NEXT_DONE, NEXT_TRY_AGAIN, NEXT_GIVE_UP } Next;

/* What an answer asks for; the wait before another try is over when this returns. */
static Next consider(Attempting *attempting,
        Retry *retry,
        const HttpResponse *response,
        AwsFault *fault,
        Error *ret_error)
{
        AwsFaultKind kind;
        bool again = false;

        note_skew(attempting->session, response);
        if (is_success(response))
                return NEXT_DONE;

        aws_fault_read(response, fault);
        kind = aws_fault_kind(fault);
        (void)explain(attempting->request, fault, ret_error);
        if (kind == AWS_FAULT_EXPIRED_TOKEN)
                again = renew_token(attempting);
        else if (kind == AWS_FAULT_SKEWED)
                again = correct_skew(attempting);
        else if (kind != AWS_FAULT_FINAL)
                again = retry_wait(retry,
                                kind == AWS_FAULT_THROTTLED ? RETRY_THROTTLED : RETRY_TRANSIENT,
                                read_retry_after(response)) == RETRY_AGAIN;
        return again ? NEXT_TRY_AGAIN : NEXT_GIVE_UP;
}

int aws_perform(AwsSession *session,
        const AwsRequest *request,
        HttpResponse *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        const AwsSessionOptions *options = &session->options;
        Retry retry =
                RETRY_INIT(options->policy, options->clock, options->random, request->deadline);
        Attempting attempting = {.session = session, .request = request};
        AwsFault fault = {};
        Digest digest;
        int r;

        r = digest_sha256(request->body ? request->body : "", request->body_size, &digest);
        if (r < 0)
                return error_set(ret_error, r, "cannot %s '%s': %m", request->method, request->url);
        digest_format(&digest, attempting.payload_hash);

        for (;;) {
                Next next = NEXT_TRY_AGAIN;

                r = attempt(&attempting, ret, ret_error);
                if (r == 0)
                        next = consider(&attempting, &retry, ret, &fault, ret_error);
                else if (!http_is_transient(r) ||
                         retry_wait(&retry, RETRY_TRANSIENT, 0) != RETRY_AGAIN)
                        return r;

                if (next == NEXT_DONE)
                        return AWS_OK;
                if (next == NEXT_GIVE_UP && ret_fault)
                        *ret_fault = fault;
                if (next == NEXT_GIVE_UP)
                        return AWS_REFUSED;
        }
}
