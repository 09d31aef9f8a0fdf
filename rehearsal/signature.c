/* cloud_authenticate: AWS Signature Version 4, from the server's side.
 *
 * Source: AWS General Reference, "Create a signed AWS API request"; Amazon S3 API Reference,
 * "Authenticating Requests: Using the Authorization Header".
 */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM     "AWS4-HMAC-SHA256"
#define SKEW_MAX      (15 * USEC_PER_MINUTE)
#define PARAMETERS    64U
#define CANONICAL_MAX (256U * 1024U)
#define WORD_MAX      256U

/* The parts of an Authorization header. */
typedef struct Authorization {
        char access_key[WORD_MAX];
        char date[16], region[32], service[32];
        char signed_headers[1024];
        char signature[DIGEST_SHA256_HEX];
} Authorization;

/* The text behind "name=" up to a comma. */
static bool get_part(const char *header, const char *name, char *place, size_t size)
{
        const char *at = strstr(header, name);
        size_t length;

        if (!at)
                return false;
        at += strlen(name);
        length = strcspn(at, ", ");
        if (length == 0 || length >= size)
                return false;
        memcpy(place, at, length);
        place[length] = '\0';
        return true;
}

static bool parse_authorization(const char *header, Authorization *ret)
{
        char credential[2 * WORD_MAX], *rest = credential, *words[5];

        if (!text_starts(header, ALGORITHM " ") ||
                !get_part(header, "Credential=", credential, sizeof(credential)) ||
                !get_part(header,
                        "SignedHeaders=",
                        ret->signed_headers,
                        sizeof(ret->signed_headers)) ||
                !get_part(header, "Signature=", ret->signature, sizeof(ret->signature)))
                return false;
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (!(words[i] = strsep(&rest, "/")))
                        return false;
        return !rest && text_equal(words[4], "aws4_request") &&
               text_put(ret->access_key, sizeof(ret->access_key), words[0]) == 0 &&
               text_put(ret->date, sizeof(ret->date), words[1]) == 0 &&
               text_put(ret->region, sizeof(ret->region), words[2]) == 0 &&
               text_put(ret->service, sizeof(ret->service), words[3]) == 0;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The query's parameters, sorted; one without a value gets its '='. */
static int append_query(const HttpCall *call, Buffer *ret)
{
        _cleanup_(free) char *copy = text_copy(http_call_query(call));
        char *parameters[PARAMETERS], *rest = copy, *word;
        size_t count = 0;
        int r = 0;

        while (copy && count < PARAMETERS && (word = strsep(&rest, "&")))
                if (*word)
                        parameters[count++] = word;
        qsort(parameters, count, sizeof(char *), compare);
        for (size_t i = 0; i < count && r == 0; i++)
                r = buffer_append_format(ret,
                        "%s%s%s",
                        i > 0 ? "&" : "",
                        parameters[i],
                        strchr(parameters[i], '=') ? "" : "=");
        return copy ? r : -ENOMEM;
}

/* A header's value without blanks around it and with single ones within. */
static int append_value(Buffer *ret, const char *value)
{
        int r = 0;

        value += strspn(value, " \t");
        while (*value && r == 0) {
                size_t length = strcspn(value, " \t"), blanks = strspn(value + length, " \t");

                r = buffer_append(ret, value, length);
                if (r == 0 && value[length + blanks])
                        r = buffer_append_text(ret, " ");
                value += length + blanks;
        }
        return r;
}

static int append_headers(const HttpCall *call, const char *names, Buffer *ret)
{
        _cleanup_(free) char *copy = text_copy(names);
        char *rest = copy, *name;
        int r = copy ? 0 : -ENOMEM;

        while (r == 0 && (name = strsep(&rest, ";"))) {
                const char *value = http_call_header(call, name);

                r = buffer_append_format(ret, "%s:", name);
                if (r == 0)
                        r = append_value(ret, value ? value : "");
                if (r == 0)
                        r = buffer_append_text(ret, "\n");
        }
        return r;
}

static int hash(const void *data, size_t size, char ret[DIGEST_SHA256_HEX])
{
        Digest digest;
        int r = digest_sha256(data, size, &digest);

        if (r == 0)
                digest_format(&digest, ret);
        return r;
}

static int make_canonical(
        const HttpCall *call, const Authorization *authorization, const char *payload, Buffer *ret)
{
        int r = buffer_append_format(ret, "%s\n%s\n", http_call_method(call), http_call_path(call));

        if (r == 0)
                r = append_query(call, ret);
        if (r == 0)
                r = buffer_append_text(ret, "\n");
        if (r == 0)
                r = append_headers(call, authorization->signed_headers, ret);
        return r == 0 ? buffer_append_format(
                                ret, "\n%s\n%s", authorization->signed_headers, payload)
                      : r;
}

static int sign(const Authorization *authorization,
        const char *date,
        const char *secret,
        const Buffer *canonical,
        char ret[DIGEST_SHA256_HEX])
{
        const char *const scope[] = {
                authorization->date, authorization->region, authorization->service, "aws4_request"};
        char hex[DIGEST_SHA256_HEX], first[64], text[512];
        Digest key;
        int r = hash(buffer_text(canonical), canonical->size, hex);

        (void)snprintf(text,
                sizeof(text),
                ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s",
                date,
                authorization->date,
                authorization->region,
                authorization->service,
                hex);
        (void)snprintf(first, sizeof(first), "AWS4%s", secret);
        for (size_t i = 0; i < ELEMENTS(scope) && r == 0; i++)
                r = digest_hmac_sha256(i == 0 ? (const void *)first : key.bytes,
                        i == 0 ? strlen(first) : sizeof(key.bytes),
                        scope[i],
                        strlen(scope[i]),
                        &key);
        if (r == 0)
                r = digest_hmac_sha256(key.bytes, sizeof(key.bytes), text, strlen(text), &key);
        if (r == 0)
                digest_format(&key, ret);
        return r;
}

/* "20261124T090500Z" as RFC 3339 has it. */
static int parse_date(const char *text, Usec *ret)
{
        char utc[CLOCK_UTC_MAX];

        if (!text || strlen(text) != 16 || text[8] != 'T' || text[15] != 'Z')
                return -EINVAL;
        (void)snprintf(utc,
                sizeof(utc),
                "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ",
                text,
                text + 4,
                text + 6,
                text + 9,
                text + 11,
                text + 13);
        return clock_parse_utc(utc, ret);
}

static CloudIssued *find_keys(Cloud *cloud, const char *access_key)
{
        for (CloudIssued *issued = cloud->issued; issued; issued = issued->next)
                if (text_equal(issued->keys.access_key, access_key))
                        return issued;
        return NULL;
}

/* NULL: fine. Else S3's code for what is wrong, and *ret_status. */
static const char *check_claims(
        const HttpCall *call, const CloudIssued *issued, unsigned *ret_status)
{
        const char *token = http_call_header(call, "x-amz-security-token");
        Usec date, now = clock_wall(&clock_system);

        *ret_status = 403;
        if (parse_date(http_call_header(call, "x-amz-date"), &date) < 0)
                return "AccessDenied";
        if (date + SKEW_MAX < now || date > now + SKEW_MAX)
                return "RequestTimeTooSkewed";
        if (!issued)
                return "InvalidAccessKeyId";
        *ret_status = 400;
        if (!text_equal(token ? token : "", issued->keys.token))
                return "InvalidToken";
        return issued->keys.expires < now ? "ExpiredToken" : NULL;
}

/* The hash that is signed for the body, and whether the body has it. */
static const char *find_payload(
        const HttpCall *call, bool s3, char own[DIGEST_SHA256_HEX], bool *ret_right)
{
        const char *named = http_call_header(call, "x-amz-content-sha256");
        size_t size;
        const char *body = http_call_body(call, &size);

        *ret_right = hash(body, size, own) == 0;
        if (s3 && named && !text_equal(named, "UNSIGNED-PAYLOAD"))
                *ret_right &= text_equal(named, own);
        if (s3 && !named)
                *ret_right = false;
        return named ? named : own;
}

CloudPrincipal *cloud_authenticate(Cloud *cloud, HttpCall *call, const char *service)
{
        _cleanup_(buffer_done) Buffer canonical = BUFFER_INIT(CANONICAL_MAX);
        const char *header = http_call_header(call, "Authorization"), *payload, *wrong;
        char own[DIGEST_SHA256_HEX], signature[DIGEST_SHA256_HEX];
        Authorization authorization = {};
        CloudIssued *issued;
        unsigned status;
        bool right;

        if (!header || !parse_authorization(header, &authorization) ||
                !text_equal(authorization.service, service)) {
                cloud_refuse(cloud, call, 403, "AccessDenied", "Access Denied");
                return NULL;
        }
        issued = find_keys(cloud, authorization.access_key);
        wrong = check_claims(call, issued, &status);
        if (wrong) {
                cloud_refuse(cloud, call, status, wrong, "The request cannot be taken.");
                return NULL;
        }
        payload = find_payload(call, text_equal(service, "s3"), own, &right);
        if (make_canonical(call, &authorization, payload, &canonical) < 0 ||
                sign(&authorization,
                        http_call_header(call, "x-amz-date"),
                        issued->keys.secret_key,
                        &canonical,
                        signature) < 0 ||
                !text_equal(signature, authorization.signature)) {
                cloud_refuse(cloud,
                        call,
                        403,
                        "SignatureDoesNotMatch",
                        "The request signature we calculated does not match the signature you "
                        "provided. Check your key and signing method.");
                return NULL;
        }
        if (!right) {
                cloud_refuse(cloud,
                        call,
                        400,
                        "XAmzContentSHA256Mismatch",
                        "The provided 'x-amz-content-sha256' header does not match what was "
                        "computed.");
                return NULL;
        }
        return issued->principal;
}
