#include "aws/signal.h"

#include "aws/fault.h"
#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPT_TIMEOUT (10 * USEC_PER_SEC)
#define ANSWER_MAX      (64U * 1024U)
#define BUCKET_PREFIX   "cloudformation-waitcondition-" /* and the region */

static const RetryPolicy policy = {
        .name = "signal",
        .base = {[RETRY_TRANSIENT] = 100 * USEC_PER_MSEC,
                [RETRY_THROTTLED] = USEC_PER_SEC,
                [RETRY_NOT_YET] = 100 * USEC_PER_MSEC},
        .cap = 10 * USEC_PER_SEC,
        .retry_after_excess_max = 5 * USEC_PER_SEC,
};

int signal_check_handle(const Secret *handle, Error *ret_error)
{
        _cleanup_(http_url_done) HttpUrl url = {};

        if (http_url_parse(secret_data(handle), &url, NULL) == 0)
                return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot use the wait condition handle: expected the https:// URL that Ref of an "
                "AWS::CloudFormation::WaitConditionHandle gives");
}

/* A copy of at most `max` bytes, cut between characters, in which whatever is no UTF-8 is '?'. */
static char *clean(const char *text, size_t max)
{
        char *copy = text_copy(text ? text : "");

        if (!copy)
                return NULL;
        text_mend_utf8(copy);
        copy[text_cut(copy, strlen(copy), max)] = '\0';
        return copy;
}

static int format_within(const Signal *signal, size_t reason_max, size_t data_max, Buffer *ret)
{
        _cleanup_(json_free) Json *object = json_new_object();
        _cleanup_(free) char *id = clean(signal->unique_id, SIGNAL_ID_MAX);
        _cleanup_(free) char *reason = clean(signal->reason, reason_max);
        _cleanup_(free) char *data = clean(signal->data, data_max);
        int r = object && id && reason && data ? 0 : -ENOMEM;

        if (r == 0)
                r = json_set_text(
                        object, "Status", signal->status == SIGNAL_SUCCESS ? "SUCCESS" : "FAILURE");
        if (r == 0)
                r = json_set_text(object, "Reason", reason);
        if (r == 0)
                r = json_set_text(object, "UniqueId", id);
        if (r == 0)
                r = json_set_text(object, "Data", data);
        return r < 0 ? r : json_format(object, JSON_ONE_LINE, ret);
}

int signal_format(const Signal *signal, Buffer *ret, Error *ret_error)
{
        size_t reason = SIGNAL_REASON_MAX, data = SIGNAL_DATA_MAX;

        /* JSON's escapes can make text six times as long: then less of it is sent. */
        for (;;) {
                _cleanup_(buffer_done) Buffer body = BUFFER_INIT(SIGNAL_BODY_MAX);
                int r;

                r = format_within(signal, reason, data, &body);
                if (r == 0)
                        r = buffer_append(ret, buffer_text(&body), body.size);
                if (r == 0)
                        return 0;
                if (r != -ENOBUFS || (reason < 16 && data < 16))
                        return error_set(ret_error, r, "cannot write the signal: %m");
                reason /= 2;
                data /= 2;
        }
}

/* What is said of the URL. */
static void name_handle(const Secret *handle, char *place, size_t size)
{
        _cleanup_(http_url_done) HttpUrl url = {};

        if (http_url_parse(secret_data(handle), &url, NULL) < 0 ||
                text_put(place, size, url.host) < 0)
                (void)text_put(place, size, "its host");
}

static int put(HttpClient *http,
        const Secret *handle,
        const Buffer *body,
        Usec deadline,
        HttpResponse *ret,
        Error *ret_error)
{
        static const HttpHeader headers[] = {{"Content-Type", ""}};
        char host[256];
        Error error = ERROR_INIT;
        int r;

        r = http_perform(http,
                &(HttpRequest){
                        .method = "PUT",
                        .url = secret_data(handle),
                        .headers = headers,
                        .n_headers = ELEMENTS(headers),
                        .body = buffer_text(body),
                        .body_size = body->size,
                        .response_max = ANSWER_MAX,
                        .deadline = deadline,
                        .attempt_timeout = ATTEMPT_TIMEOUT,
                },
                ret,
                &error);
        if (r < 0) {
                const char *cause = strstr(error.text, "': "); /* behind the URL */

                name_handle(handle, host, sizeof(host));
                return error_set(ret_error,
                        r,
                        "cannot signal the wait condition at '%s': %s",
                        host,
                        cause ? cause + 3 : "no answer");
        }
        return r;
}

/* S3 says "AccessDenied" for a stack that has finished and for a bucket that a VPC endpoint's
 * policy does not let through: only an expired URL is told apart. */
static int explain_denial(const char *host, const AwsFault *fault, int r, Error *ret_error)
{
        _cleanup_(free) char *bucket = NULL;

        if (!text_equal(fault->code, "AccessDenied"))
                return r;
        if (strstr(fault->message, "expired"))
                return error_append(ret_error, r, ": it came too late");
        if (text_starts(host, BUCKET_PREFIX))
                bucket = text_format("bucket '%.*s'", TEXT_PART(host, strcspn(host, ".")));
        return error_append(ret_error,
                r,
                ": the stack has finished or wants no signal any more, or the policy of a VPC "
                "endpoint for S3 denies s3:PutObject to the %s",
                bucket ? bucket : "handle's bucket");
}

/* -ETIMEDOUT for what may pass, SIGNAL_REFUSED for what is for good; *ret_cause says how to wait.
 */
static int refuse(
        const Secret *handle, const HttpResponse *response, RetryCause *ret_cause, Error *ret_error)
{
        char host[256], text[AWS_FAULT_TEXT_MAX];
        AwsFaultKind kind;
        AwsFault fault;
        bool passes;
        int r;

        aws_fault_read(response, &fault);
        kind = aws_fault_kind(&fault);
        passes = kind == AWS_FAULT_TRANSIENT || kind == AWS_FAULT_THROTTLED ||
                 response->status >= 500;
        *ret_cause = kind == AWS_FAULT_THROTTLED || response->status == 503 ? RETRY_THROTTLED
                                                                            : RETRY_TRANSIENT;
        name_handle(handle, host, sizeof(host));
        r = error_set(ret_error,
                passes ? -ETIMEDOUT : SIGNAL_REFUSED,
                "cannot signal the wait condition at '%s': %s",
                host,
                aws_fault_format(&fault, text));
        return passes ? r : explain_denial(host, &fault, r, ret_error);
}

static bool is_retryable(int r)
{
        return http_is_transient(r) || r == -EPROTO;
}

int signal_send(HttpClient *http,
        const Clock *clock,
        const Random *random,
        const Secret *handle,
        const Signal *signal,
        Usec deadline,
        Error *ret_error)
{
        Retry retry = RETRY_INIT(&policy, clock, random, deadline);
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(SIGNAL_BODY_MAX);
        int r;

        r = signal_check_handle(handle, ret_error);
        if (r == 0)
                r = signal_format(signal, &body, ret_error);
        if (r < 0)
                return r;

        for (;;) {
                _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
                RetryCause cause = RETRY_TRANSIENT;

                r = put(http, handle, &body, deadline, &response, ret_error);
                if (r == 0 && response.status >= 200 && response.status < 300)
                        return SIGNAL_SENT;
                if (r == 0)
                        r = refuse(handle, &response, &cause, ret_error);
                if (!is_retryable(r) || retry_wait(&retry, cause, 0) != RETRY_AGAIN)
                        return r;
        }
}
