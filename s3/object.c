#include "s3/object.h"

#include "base/digest.h"
#include "base/text.h"
#include "s3/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 8U

struct S3Bucket {
        S3BucketOptions options;
        char *name, *region, *owner, *override;
        bool followed; /* the region was corrected once: that is enough */
};

int s3_bucket_new(const S3BucketOptions *options, S3Bucket **ret, Error *ret_error)
{
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        const char *region = options->endpoint.region ? options->endpoint.region
                                                      : aws_session_region(options->session);
        int r;

        r = s3_bucket_check(options->name, ret_error);
        if (r == 0 && !options->endpoint.override)
                r = aws_region_check(region, ret_error);
        if (r < 0)
                return r;

        bucket = calloc(1, sizeof(*bucket));
        if (!bucket)
                return error_set(ret_error, -ENOMEM, "cannot use a bucket: %m");
        bucket->options = *options;
        bucket->name = text_copy(options->name);
        bucket->region = text_copy(region);
        bucket->owner = options->owner ? text_copy(options->owner) : NULL;
        bucket->override =
                options->endpoint.override ? text_copy(options->endpoint.override) : NULL;
        if (!bucket->name || !bucket->region || (options->owner && !bucket->owner) ||
                (options->endpoint.override && !bucket->override))
                return error_set(ret_error, -ENOMEM, "cannot use a bucket: %m");
        bucket->options.endpoint.override = bucket->override;
        *ret = TAKE_PTR(bucket);
        return 0;
}

S3Bucket *s3_bucket_free(S3Bucket *bucket)
{
        if (!bucket)
                return NULL;
        free(bucket->name);
        free(bucket->region);
        free(bucket->owner);
        free(bucket->override);
        free(bucket);
        return NULL;
}

const AwsSession *s3_bucket_session(const S3Bucket *bucket)
{
        return bucket->options.session;
}

const char *s3_bucket_name(const S3Bucket *bucket)
{
        return bucket->name;
}

const char *s3_bucket_region(const S3Bucket *bucket)
{
        return bucket->region;
}

int s3_bucket_url(const S3Bucket *bucket, const char *key, char **ret, Error *ret_error)
{
        AwsEndpointOptions endpoint = bucket->options.endpoint;

        endpoint.region = bucket->region;
        return s3_url(&endpoint, bucket->name, key, NULL, ret, ret_error);
}

/* One request to the region that is known. AWS_OK, AWS_REFUSED, or a negative errno. */
static int perform_there(S3Bucket *bucket,
        const S3Request *request,
        HttpResponse *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        AwsEndpointOptions endpoint = bucket->options.endpoint;
        HttpHeader headers[HEADERS_MAX + 1];
        _cleanup_(free) char *url = NULL;
        size_t n = request->n_headers;
        int r;

        endpoint.region = bucket->region;
        r = s3_url(&endpoint, bucket->name, request->key, request->query, &url, ret_error);
        if (r < 0)
                return r;
        if (n > HEADERS_MAX)
                return error_set(
                        ret_error, -EINVAL, "cannot send more than %u headers", HEADERS_MAX);
        if (n > 0)
                memcpy(headers, request->headers, n * sizeof(*headers));
        if (bucket->owner)
                headers[n++] = (HttpHeader){"x-amz-expected-bucket-owner", bucket->owner};

        return aws_perform(bucket->options.session,
                &(AwsRequest){
                        .service = "s3",
                        .region = bucket->region,
                        .method = request->method,
                        .url = url,
                        .headers = headers,
                        .n_headers = n,
                        .body = request->body,
                        .body_size = request->body_size,
                        .response_max = request->response_max,
                        .deadline = request->deadline,
                },
                ret,
                ret_fault,
                ret_error);
}

/* A bucket that is elsewhere says so in one of these ways. */
static bool is_elsewhere(const AwsFault *fault)
{
        static const char *const codes[] = {"AuthorizationHeaderMalformed",
                "IllegalLocationConstraintException", /* a region that must be opted into */
                ""};                                  /* a HEAD's answer cannot say more */
        bool named = false;

        if (fault->status == 301 || fault->status == 307 || fault->status == 308)
                return true;
        for (size_t i = 0; i < ELEMENTS(codes); i++)
                named |= text_equal(fault->code, codes[i]);
        return fault->status == 400 && named && (fault->code[0] || fault->region[0]);
}

/* Where the answer does not say, HEAD of the bucket does, whatever its status. */
static void ask_region(S3Bucket *bucket, Usec deadline, AwsFault *fault)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        AwsFault head = {};

        if (fault->region[0])
                return;
        if (perform_there(bucket,
                    &(S3Request){.method = "HEAD", .deadline = deadline},
                    &response,
                    &head,
                    NULL) < 0)
                return;
        (void)text_put(fault->region, sizeof(fault->region), head.region);
}

static bool follow(S3Bucket *bucket, Usec deadline, AwsFault *fault)
{
        char *region;

        if (bucket->followed || !is_elsewhere(fault))
                return false;
        ask_region(bucket, deadline, fault);
        if (aws_region_check(fault->region, NULL) < 0 || text_equal(fault->region, bucket->region))
                return false;

        region = text_copy(fault->region);
        if (!region)
                return false;
        free(bucket->region);
        bucket->region = region;
        return bucket->followed = true;
}

static S3Outcome outcome_of(const AwsFault *fault)
{
        if (fault->status == 304)
                return S3_NOT_MODIFIED;
        if (fault->status == 404 && (!fault->code[0] || text_equal(fault->code, "NoSuchKey") ||
                                            text_equal(fault->code, "NotFound")))
                return S3_NOT_FOUND;
        if (fault->status == 412)
                return S3_EXISTS;
        if (fault->status == 403 && (!fault->code[0] || text_equal(fault->code, "AccessDenied")))
                return S3_DENIED;
        return S3_REFUSED;
}

/* "cannot upload 's3://bucket/key': 403 AccessDenied: … (request 4F…)" */
static int explain(
        const S3Bucket *bucket, const S3Request *request, const AwsFault *fault, Error *ret_error)
{
        char text[AWS_FAULT_TEXT_MAX];

        return error_set(ret_error,
                (int)outcome_of(fault),
                "cannot %s 's3://%s/%.300s': %s%s%s%s",
                request->verb,
                bucket->name,
                request->key ? request->key : "",
                aws_fault_format(fault, text),
                is_elsewhere(fault) && fault->region[0] ? "; the bucket is in region " : "",
                is_elsewhere(fault) ? fault->region : "",
                text_equal(fault->code, "NoSuchBucket") ? "; is its name right?" : "");
}

int s3_perform(S3Bucket *bucket,
        const S3Request *request,
        HttpResponse *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        AwsFault fault = {};
        Error error = ERROR_INIT;
        int r;

        do {
                r = perform_there(bucket, request, ret, &fault, &error);
        } while (r == AWS_REFUSED && follow(bucket, request->deadline, &fault));

        if (r == AWS_OK)
                fault = (AwsFault){.status = ret->status}; /* nothing of a redirect before it */
        if (r == AWS_REFUSED || (r == AWS_OK && ret->status == 304)) {
                if (ret_fault)
                        *ret_fault = fault;
                return explain(bucket, request, &fault, ret_error);
        }
        if (r < 0)
                return error_set(ret_error,
                        r,
                        "cannot %s 's3://%s/%.300s': %s",
                        request->verb,
                        bucket->name,
                        request->key ? request->key : "",
                        error.text);
        return S3_OK;
}

static void give_etag(const HttpResponse *response, char *ret_etag)
{
        const char *etag = http_response_header(response, "etag");

        if (ret_etag && (!etag || text_put(ret_etag, S3_ETAG_MAX, etag) < 0))
                ret_etag[0] = '\0';
}

int s3_put(S3Bucket *bucket,
        const char *key,
        const void *data,
        size_t size,
        const S3Put *put,
        Usec deadline,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *checksum = NULL;
        HttpHeader headers[5];
        size_t n = 0;
        Digest digest;
        int r;

        r = s3_key_check(key, ret_error);
        if (r < 0)
                return r;
        r = digest_sha256(data, size, &digest);
        checksum = r == 0 ? digest_base64(&digest) : NULL;
        if (!checksum)
                return error_set(ret_error, -ENOMEM, "cannot upload '%s': %m", key);

        headers[n++] = (HttpHeader){
                "Content-Type", put->content_type ? put->content_type : "application/octet-stream"};
        headers[n++] = (HttpHeader){"x-amz-checksum-sha256", checksum};
        if (put->if_absent)
                headers[n++] = (HttpHeader){"If-None-Match", "*"};
        if (put->if_match)
                headers[n++] = (HttpHeader){"If-Match", put->if_match};
        if (put->public_read)
                headers[n++] = (HttpHeader){"x-amz-acl", "public-read"};

        r = s3_perform(bucket,
                &(S3Request){
                        .method = "PUT",
                        .verb = "upload",
                        .key = key,
                        .headers = headers,
                        .n_headers = n,
                        .body = data,
                        .body_size = size,
                        .deadline = deadline,
                },
                &response,
                ret_fault,
                ret_error);
        if (r == S3_OK)
                give_etag(&response, ret_etag);
        return r;
}

/* The checksum that was stored with the object, where the server gives it back. One of a multi-part
 * upload ("…-3") is of parts and not ours to judge. */
static int check_body(
        const S3Bucket *bucket, const char *key, const HttpResponse *response, Error *ret_error)
{
        const char *stored = http_response_header(response, "x-amz-checksum-sha256");
        _cleanup_(free) char *found = NULL;
        Digest digest;

        if (!stored || strchr(stored, '-'))
                return 0;
        if (digest_sha256(buffer_text(&response->body), response->body.size, &digest) < 0)
                return error_set(ret_error, -ENOMEM, "cannot download '%s': %m", key);
        found = digest_base64(&digest);
        if (text_equal(found, stored))
                return 0;
        return error_set(ret_error,
                -EBADMSG,
                "cannot download 's3://%s/%s': its content differs from its checksum (expected "
                "SHA-256 "
                "%s, found %s)",
                bucket->name,
                key,
                stored,
                found ? found : "none");
}

int s3_get(S3Bucket *bucket,
        const char *key,
        size_t max,
        const char *if_none_match,
        Usec deadline,
        Buffer *ret,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        HttpHeader headers[2] = {{"x-amz-checksum-mode", "ENABLED"}};
        size_t n = 1;
        int r;

        r = s3_key_check(key, ret_error);
        if (r < 0)
                return r;
        if (if_none_match)
                headers[n++] = (HttpHeader){"If-None-Match", if_none_match};
        r = s3_perform(bucket,
                &(S3Request){
                        .method = "GET",
                        .verb = "download",
                        .key = key,
                        .headers = headers,
                        .n_headers = n,
                        .response_max = max > 4096 ? max : 4096, /* an error's text has room too */
                        .deadline = deadline,
                },
                &response,
                ret_fault,
                ret_error);
        if (r != S3_OK)
                return r;

        r = check_body(bucket, key, &response, ret_error);
        if (r < 0)
                return r;
        if (response.body.size > max ||
                buffer_append(ret, buffer_text(&response.body), response.body.size) < 0)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot download 's3://%s/%s': it has more than %zu bytes",
                        bucket->name,
                        key,
                        max);
        give_etag(&response, ret_etag);
        return S3_OK;
}

int s3_head(S3Bucket *bucket,
        const char *key,
        Usec deadline,
        uint64_t *ret_size,
        char *ret_etag,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        const char *length;
        int r;

        r = s3_key_check(key, ret_error);
        if (r == 0)
                r = s3_perform(bucket,
                        &(S3Request){
                                .method = "HEAD",
                                .verb = "look at",
                                .key = key,
                                .deadline = deadline,
                        },
                        &response,
                        ret_fault,
                        ret_error);
        if (r != S3_OK)
                return r;

        length = http_response_header(&response, "content-length");
        if (!length || text_to_uint64(length, 0, UINT64_MAX, ret_size) < 0)
                return error_set(ret_error, -EPROTO, "cannot look at '%s': no Content-Length", key);
        give_etag(&response, ret_etag);
        return S3_OK;
}

int s3_delete(S3Bucket *bucket,
        const char *key,
        const char *version,
        Usec deadline,
        bool *ret_kept,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *encoded = version ? http_encode(version, false) : NULL;
        _cleanup_(free) char *query = encoded ? text_format("versionId=%s", encoded) : NULL;
        int r;

        r = s3_key_check(key, ret_error);
        if (r < 0)
                return r;
        if (version && !query)
                return error_set(ret_error, -ENOMEM, "cannot delete '%s': %m", key);
        r = s3_perform(bucket,
                &(S3Request){
                        .method = "DELETE",
                        .verb = "delete",
                        .key = key,
                        .query = query,
                        .deadline = deadline,
                },
                &response,
                ret_fault,
                ret_error);
        if (r == S3_NOT_FOUND)
                r = S3_OK;
        if (r == S3_OK && ret_kept)
                *ret_kept =
                        !version &&
                        text_equal(http_response_header(&response, "x-amz-delete-marker"), "true");
        return r;
}
