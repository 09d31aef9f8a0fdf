/* cloud_authenticate: AWS Signature Version 4, from the server's side.
 *
 * Source: AWS General Reference, "Create a signed AWS API request"; Amazon S3 API Reference,
 * "Authenticating Requests: Using the Authorization Header", "Using Query Parameters".
 */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALGORITHM     "AWS4-HMAC-SHA256"
#define UNSIGNED      "UNSIGNED-PAYLOAD"
#define STREAMING     "STREAMING-"
#define SKEW_MAX      (15 * USEC_PER_MINUTE)
#define EXPIRES_MAX   604800 /* seconds that a presigned URL may be good for */
#define PARAMETERS    64U
#define CANONICAL_MAX (256U * 1024U)
#define WORD_MAX      256U
#define DATE_MAX      17U    /* "20261124T090500Z" */
#define VALUE_MARK    "\001" /* between name and value while they are sorted: below any letter */

/* What a request claims, by its header or its query. */
typedef struct Claim {
        bool s3, query;
        char access_key[WORD_MAX], token[CLOUD_TOKEN_MAX + 1];
        char day[16], region[32], service[32];
        char date[DATE_MAX];
        char signed_headers[1024];
        char signature[DIGEST_SHA256_HEX];
        const char *payload; /* what is signed for the body */
        int64_t expires;     /* seconds; of a query */
} Claim;

/* --- refusals --- */

typedef enum Fault {
        FAULT_NONE,
        FAULT_MISSING,
        FAULT_OLD,
        FAULT_HEADER,
        FAULT_QUERY,
        FAULT_SCOPE,
        FAULT_UNDATED,
        FAULT_SKEWED,
        FAULT_ENDED,
        FAULT_UNKNOWN,
        FAULT_TOKEN,
        FAULT_EXPIRED,
        FAULT_NOT_SIGNED,
        FAULT_SIGNATURE,
        FAULT_NO_HASH,
        FAULT_BODY,
        FAULT_STREAMING,
} Fault;

/* S3's status and code; of services that speak JSON the code, with status 400. */
static const struct {
        unsigned status;
        const char *code, *json, *text;
} refusals[] = {
        [FAULT_MISSING] = {403,
                "AccessDenied",
                "MissingAuthenticationTokenException",
                "Access Denied"},
        [FAULT_OLD] = {400,
                "InvalidRequest",
                "IncompleteSignatureException",
                "The authorization mechanism you have provided is not supported. Please use "
                "AWS4-HMAC-SHA256."},
        [FAULT_HEADER] = {400,
                "AuthorizationHeaderMalformed",
                "IncompleteSignatureException",
                "The authorization header you provided is invalid."},
        [FAULT_QUERY] = {400,
                "AuthorizationQueryParametersError",
                "IncompleteSignatureException",
                "The query's X-Amz- parameters are incomplete or out of range."},
        [FAULT_SCOPE] = {400,
                "AuthorizationHeaderMalformed",
                "InvalidSignatureException",
                "The credential's date, region or service is wrong; expecting '" CLOUD_REGION "'."},
        [FAULT_UNDATED] = {403,
                "AccessDenied",
                "IncompleteSignatureException",
                "AWS authentication requires a valid Date or x-amz-date header"},
        [FAULT_SKEWED] = {403,
                "RequestTimeTooSkewed",
                "InvalidSignatureException",
                "The difference between the request time and the current time is too large."},
        [FAULT_ENDED] = {403, "AccessDenied", "InvalidSignatureException", "Request has expired"},
        [FAULT_UNKNOWN] = {403,
                "InvalidAccessKeyId",
                "UnrecognizedClientException",
                "The AWS Access Key Id you provided does not exist in our records."},
        [FAULT_TOKEN] = {400,
                "InvalidToken",
                "UnrecognizedClientException",
                "The provided token is malformed or otherwise invalid."},
        [FAULT_EXPIRED] = {400,
                "ExpiredToken",
                "ExpiredTokenException",
                "The provided token has expired."},
        [FAULT_NOT_SIGNED] = {403,
                "AccessDenied",
                "InvalidSignatureException",
                "There were headers present in the request which were not signed"},
        [FAULT_SIGNATURE] = {403,
                "SignatureDoesNotMatch",
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method."},
        [FAULT_NO_HASH] = {400,
                "InvalidRequest",
                "InvalidSignatureException",
                "Missing required header for this request: x-amz-content-sha256"},
        [FAULT_BODY] = {400,
                "XAmzContentSHA256Mismatch",
                "InvalidSignatureException",
                "The provided 'x-amz-content-sha256' header does not match what was computed."},
        [FAULT_STREAMING] = {501,
                "NotImplemented",
                "InvalidSignatureException",
                "A body that is signed chunk by chunk is not implemented here."},
};

/* --- what is claimed --- */

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

/* "AKIA…/20261124/us-east-1/s3/aws4_request" */
static bool parse_credential(char *credential, Claim *claim)
{
        char *rest = credential, *words[5];

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (!(words[i] = strsep(&rest, "/")))
                        return false;
        return !rest && text_equal(words[4], "aws4_request") &&
               text_put(claim->access_key, sizeof(claim->access_key), words[0]) == 0 &&
               text_put(claim->day, sizeof(claim->day), words[1]) == 0 &&
               text_put(claim->region, sizeof(claim->region), words[2]) == 0 &&
               text_put(claim->service, sizeof(claim->service), words[3]) == 0;
}

static Fault parse_header(const HttpCall *call, const char *header, Claim *claim)
{
        const char *date = http_call_header(call, "x-amz-date");
        const char *token = http_call_header(call, "x-amz-security-token");
        char credential[2 * WORD_MAX];

        if (!text_starts(header, ALGORITHM " "))
                return text_starts(header, "AWS ") ? FAULT_OLD : FAULT_HEADER;
        if (!get_part(header, "Credential=", credential, sizeof(credential)) ||
                !get_part(header,
                        "SignedHeaders=",
                        claim->signed_headers,
                        sizeof(claim->signed_headers)) ||
                !get_part(header, "Signature=", claim->signature, sizeof(claim->signature)) ||
                !parse_credential(credential, claim))
                return FAULT_HEADER;
        if (!date || text_put(claim->date, sizeof(claim->date), date) < 0)
                return FAULT_UNDATED;
        if (token && text_put(claim->token, sizeof(claim->token), token) < 0)
                return FAULT_TOKEN;
        claim->payload = http_call_header(call, "x-amz-content-sha256");
        return FAULT_NONE;
}

/* A query's value into its place; false: it does not fit, or is needed and not there. */
static bool get_parameter(
        const HttpCall *call, const char *name, bool needed, char *place, size_t size)
{
        _cleanup_(free) char *value = http_call_parameter(call, name);

        return value ? text_put(place, size, value) == 0 : !needed;
}

static Fault parse_query(const HttpCall *call, Claim *claim)
{
        char algorithm[32], credential[2 * WORD_MAX], expires[16];

        claim->query = true;
        claim->payload = UNSIGNED;
        if (!get_parameter(call, "X-Amz-Algorithm", true, algorithm, sizeof(algorithm)) ||
                !text_equal(algorithm, ALGORITHM) ||
                !get_parameter(call, "X-Amz-Credential", true, credential, sizeof(credential)) ||
                !get_parameter(call, "X-Amz-Date", true, claim->date, sizeof(claim->date)) ||
                !get_parameter(call, "X-Amz-Expires", true, expires, sizeof(expires)) ||
                !get_parameter(call,
                        "X-Amz-SignedHeaders",
                        true,
                        claim->signed_headers,
                        sizeof(claim->signed_headers)) ||
                !get_parameter(call,
                        "X-Amz-Signature",
                        true,
                        claim->signature,
                        sizeof(claim->signature)) ||
                !get_parameter(
                        call, "X-Amz-Security-Token", false, claim->token, sizeof(claim->token)) ||
                text_to_int64(expires, 1, EXPIRES_MAX, &claim->expires) < 0 ||
                !parse_credential(credential, claim))
                return FAULT_QUERY;
        return FAULT_NONE;
}

/* "20261124T090500Z" as RFC 3339 has it. */
static int parse_date(const char *text, Usec *ret)
{
        char utc[CLOCK_UTC_MAX];

        if (strlen(text) != 16 || text[8] != 'T' || text[15] != 'Z')
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

static Fault check_time(const Cloud *cloud, const Claim *claim)
{
        Usec date, now = clock_wall(&clock_system) + cloud->skew;

        if (parse_date(claim->date, &date) < 0)
                return FAULT_UNDATED;
        if (date > now + SKEW_MAX)
                return claim->query ? FAULT_ENDED : FAULT_SKEWED;
        if (claim->query)
                return date + (Usec)claim->expires * USEC_PER_SEC < now ? FAULT_ENDED : FAULT_NONE;
        return date + SKEW_MAX < now ? FAULT_SKEWED : FAULT_NONE;
}

static Fault check_scope(const Claim *claim, const char *service)
{
        return strncmp(claim->date, claim->day, 8) == 0 && strlen(claim->day) == 8 &&
                               text_equal(claim->region, CLOUD_REGION) &&
                               text_equal(claim->service, service)
                       ? FAULT_NONE
                       : FAULT_SCOPE;
}

/* A token that is missing makes the keys unknown ones, as at S3. */
static Fault check_keys(const Claim *claim, const CloudIssued *issued)
{
        if (!issued || (issued->keys.token[0] && !claim->token[0]))
                return FAULT_UNKNOWN;
        if (!text_equal(claim->token, issued->keys.token))
                return FAULT_TOKEN;
        return issued->keys.expires <= clock_wall(&clock_system) ? FAULT_EXPIRED : FAULT_NONE;
}

static bool is_signed(const Claim *claim, const char *name)
{
        size_t length = strlen(name);

        for (const char *at = claim->signed_headers; *at;) {
                size_t word = strcspn(at, ";");

                if (word == length && strncasecmp(at, name, length) == 0)
                        return true;
                at += word + (at[word] == ';');
        }
        return false;
}

/* Host, and each x-amz- header that is there. */
static Fault check_signed(const HttpCall *call, const Claim *claim)
{
        const char *name, *value;

        if (!is_signed(claim, "host"))
                return FAULT_NOT_SIGNED;
        for (size_t i = 0; http_call_next_header(call, i, &name, &value); i++)
                if (strncasecmp(name, "x-amz-", 6) == 0 && !is_signed(claim, name))
                        return FAULT_NOT_SIGNED;
        return FAULT_NONE;
}

/* --- the canonical request --- */

/* Encoded anew from what it means, so that spellings do not count. */
static int append_encoded(Buffer *ret, const char *text, size_t length, bool path)
{
        int r = 0;

        for (size_t i = 0; i < length && r == 0; i++) {
                char byte[2] = {text[i], '\0'}, digits[3] = {};

                if (text[i] == '%' && length - i > 2 && isxdigit((unsigned char)text[i + 1]) &&
                        isxdigit((unsigned char)text[i + 2])) {
                        memcpy(digits, text + i + 1, 2);
                        byte[0] = (char)strtoul(digits, NULL, 16);
                        i += 2;
                }
                if (byte[0] && (isalnum((unsigned char)byte[0]) || strchr("-._~", byte[0]) ||
                                       (path && byte[0] == '/')))
                        r = buffer_append(ret, byte, 1);
                else
                        r = buffer_append_format(ret, "%%%02X", (unsigned char)byte[0]);
        }
        return r;
}

/* "name=value" as "name<mark>value", encoded; a heap string. */
static char *encode_parameter(const char *word)
{
        Buffer text = BUFFER_INIT(CANONICAL_MAX);
        size_t name = strcspn(word, "=");
        const char *value = word[name] ? word + name + 1 : "";
        int r = append_encoded(&text, word, name, false);

        if (r == 0)
                r = buffer_append_text(&text, VALUE_MARK);
        if (r == 0)
                r = append_encoded(&text, value, strlen(value), false);
        if (r < 0) {
                buffer_done(&text);
                return NULL;
        }
        return buffer_take(&text, NULL);
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The query's parameters, sorted by name and value; without the signature itself. */
static int append_query(const HttpCall *call, Buffer *ret)
{
        _cleanup_(free) char *copy = text_copy(http_call_query(call));
        char *parameters[PARAMETERS], *rest = copy, *word;
        size_t count = 0;
        int r = copy ? 0 : -ENOMEM;

        while (r == 0 && (word = strsep(&rest, "&"))) {
                if (!*word || text_starts(word, "X-Amz-Signature="))
                        continue;
                parameters[count] = count < PARAMETERS - 1 ? encode_parameter(word) : NULL;
                if (parameters[count])
                        count++;
                else
                        r = -ENOBUFS;
        }
        qsort(parameters, count, sizeof(char *), compare);
        for (size_t i = 0; i < count; i++) {
                *strchr(parameters[i], VALUE_MARK[0]) = '=';
                if (r == 0)
                        r = buffer_append_format(ret, "%s%s", i > 0 ? "&" : "", parameters[i]);
                free(parameters[i]);
        }
        return r;
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

static int make_canonical(const HttpCall *call, const Claim *claim, Buffer *ret)
{
        const char *path = http_call_path(call);
        int r = buffer_append_format(ret, "%s\n", http_call_method(call));

        if (r == 0)
                r = append_encoded(ret, path, strlen(path), true);
        if (r == 0)
                r = buffer_append_text(ret, "\n");
        if (r == 0)
                r = append_query(call, ret);
        if (r == 0)
                r = buffer_append_text(ret, "\n");
        if (r == 0)
                r = append_headers(call, claim->signed_headers, ret);
        return r == 0 ? buffer_append_format(ret, "\n%s\n%s", claim->signed_headers, claim->payload)
                      : r;
}

/* --- the signature --- */

static int make_text(const Claim *claim, const Buffer *canonical, char ret[512])
{
        char hex[DIGEST_SHA256_HEX];
        int r = hash(buffer_text(canonical), canonical->size, hex);

        (void)snprintf(ret,
                512,
                ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s",
                claim->date,
                claim->day,
                claim->region,
                claim->service,
                r == 0 ? hex : "");
        return r;
}

static int sign(
        const Claim *claim, const char *secret, const char *text, char ret[DIGEST_SHA256_HEX])
{
        const char *const scope[] = {claim->day, claim->region, claim->service, "aws4_request"};
        char first[64];
        Digest key;
        int r = 0;

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

/* As S3 does, the refusal shows what was signed here. */
static void append_details(
        const Claim *claim, const char *text, const Buffer *canonical, Buffer *details)
{
        (void)buffer_append_text(details, "<AWSAccessKeyId>");
        (void)cloud_append_escaped(details, claim->access_key);
        (void)buffer_append_text(details, "</AWSAccessKeyId><StringToSign>");
        (void)cloud_append_escaped(details, text);
        (void)buffer_append_text(details, "</StringToSign><SignatureProvided>");
        (void)cloud_append_escaped(details, claim->signature);
        (void)buffer_append_text(details, "</SignatureProvided><CanonicalRequest>");
        (void)cloud_append_escaped(details, buffer_text(canonical));
        (void)buffer_append_text(details, "</CanonicalRequest>");
}

static Fault check_signature(
        const HttpCall *call, const Claim *claim, const CloudIssued *issued, Buffer *details)
{
        _cleanup_(buffer_done) Buffer canonical = BUFFER_INIT(CANONICAL_MAX);
        char signature[DIGEST_SHA256_HEX], text[512];

        if (make_canonical(call, claim, &canonical) == 0 &&
                make_text(claim, &canonical, text) == 0 &&
                sign(claim, issued->keys.secret_key, text, signature) == 0) {
                if (text_equal(signature, claim->signature))
                        return FAULT_NONE;
                append_details(claim, text, &canonical, details);
        }
        return FAULT_SIGNATURE;
}

/* Only S3 insists on the header; for the others it is the body's own hash. */
static Fault find_payload(const HttpCall *call, Claim *claim, char own[DIGEST_SHA256_HEX])
{
        size_t size;
        const char *body = http_call_body(call, &size);

        if (hash(body, size, own) < 0)
                return FAULT_SIGNATURE;
        if (!claim->payload && claim->s3)
                return FAULT_NO_HASH;
        if (!claim->payload)
                claim->payload = own;
        return text_starts(claim->payload, STREAMING) ? FAULT_STREAMING : FAULT_NONE;
}

/* The order of the checks is S3's: form, time, scope, keys, signature, body. */
static Fault check(Cloud *cloud,
        HttpCall *call,
        Claim *claim,
        char own[DIGEST_SHA256_HEX],
        CloudIssued **ret,
        Buffer *details)
{
        const char *header = http_call_header(call, "Authorization");
        CloudIssued *issued = cloud->issued;
        Fault fault;

        if (header)
                fault = parse_header(call, header, claim);
        else if (strstr(http_call_query(call), "X-Amz-"))
                fault = parse_query(call, claim);
        else
                fault = FAULT_MISSING;
        if (fault == FAULT_NONE)
                fault = check_time(cloud, claim);
        if (fault == FAULT_NONE)
                fault = check_scope(claim, claim->s3 ? "s3" : "secretsmanager");
        while (issued && !text_equal(issued->keys.access_key, claim->access_key))
                issued = issued->next;
        if (fault == FAULT_NONE)
                fault = check_keys(claim, issued);
        if (fault == FAULT_NONE)
                fault = check_signed(call, claim);
        if (fault == FAULT_NONE)
                fault = find_payload(call, claim, own);
        if (fault == FAULT_NONE)
                fault = check_signature(call, claim, issued, details);
        if (fault == FAULT_NONE && !text_equal(claim->payload, UNSIGNED) &&
                !text_equal(claim->payload, own))
                fault = FAULT_BODY;
        *ret = issued;
        return fault;
}

CloudPrincipal *cloud_authenticate(Cloud *cloud, HttpCall *call, bool s3)
{
        _cleanup_(buffer_done) Buffer details = BUFFER_INIT(2 * CANONICAL_MAX);
        Claim claim = {.s3 = s3};
        char own[DIGEST_SHA256_HEX]; /* of the body as it came: the claim may point to it */
        CloudIssued *issued = NULL;
        Fault fault = check(cloud, call, &claim, own, &issued, &details);

        if (fault == FAULT_NONE)
                return issued->principal;
        if (fault == FAULT_SCOPE)
                (void)buffer_append_text(&details, "<Region>" CLOUD_REGION "</Region>");
        cloud_refuse_with(cloud,
                call,
                s3 ? refusals[fault].status : 400,
                s3 ? refusals[fault].code : refusals[fault].json,
                refusals[fault].text,
                buffer_text(&details));
        return NULL;
}

char *cloud_presign(const Cloud *cloud, const CloudKeys *keys, const char *path, Usec lifetime)
{
        _cleanup_(buffer_done) Buffer canonical = BUFFER_INIT(CANONICAL_MAX);
        _cleanup_(free) char *query = NULL;
        const char *endpoint = cloud->handles_endpoint ? cloud->handles_endpoint : cloud->endpoint;
        char utc[CLOCK_UTC_MAX], text[512], signature[DIGEST_SHA256_HEX];
        Claim claim = {.region = CLOUD_REGION, .service = "s3"};

        clock_format_utc(clock_wall(&clock_system), utc);
        (void)snprintf(claim.day, sizeof(claim.day), "%.4s%.2s%.2s", utc, utc + 5, utc + 8);
        (void)snprintf(claim.date,
                sizeof(claim.date),
                "%.8sT%.2s%.2s%.2sZ",
                claim.day,
                utc + 11,
                utc + 14,
                utc + 17);
        query = text_format("X-Amz-Algorithm=" ALGORITHM
                            "&X-Amz-Credential=%s%%2F%s%%2F" CLOUD_REGION
                            "%%2Fs3%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=%" PRIu64
                            "&X-Amz-SignedHeaders=host",
                keys->access_key,
                claim.day,
                claim.date,
                lifetime / USEC_PER_SEC);
        if (!query ||
                buffer_append_format(&canonical,
                        "PUT\n%s\n%s\nhost:%s\n\nhost\n" UNSIGNED,
                        path,
                        query,
                        strstr(endpoint, "://") + 3) < 0 ||
                make_text(&claim, &canonical, text) < 0 ||
                sign(&claim, keys->secret_key, text, signature) < 0)
                return NULL;
        return text_format("%s%s?%s&X-Amz-Signature=%s", endpoint, path, query, signature);
}
