#include "template/publish.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "cfn/template.h"
#include "s3/public.h"
#include "template/account.h"
#include "template/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_DIGITS 12U /* of the content's SHA-256 */
#define VERSION_MAX    64U
#define STACK_NAME_MAX 128U

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* Where each partition's console is (AWS documentation of each partition, "console"). */
static const struct {
        const char *partition;
        const char *console; /* behind "https://<region>." where it has hosts by region */
        bool by_region;
} consoles[] = {
        {"aws", "console.aws.amazon.com", true},
        {"aws-cn", "console.amazonaws.cn", true},
        {"aws-us-gov", "console.amazonaws-us-gov.com", false},
        {"aws-eusc", "console.amazonaws-eusc.eu", true},
};

void published_done(Published *published)
{
        free(published->url);
        free(published->latest_url);
        free(published->quick_create);
        *published = (Published){};
}

char *publish_versioned_key(const char *key, const char *version)
{
        const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
        const char *dot = strchr(name, '.');

        if (!dot || dot == name)
                dot = name + strlen(name);
        return text_format("%.*s-%s%s", TEXT_PART(key, dot - key), version, dot);
}

char *publish_quick_create(const char *region, const char *url, const char *stack)
{
        _cleanup_(free) char *encoded = http_encode(url, false);
        const char *partition = aws_partition_of_region(region)->name;
        size_t i = 0;

        while (i + 1 < ELEMENTS(consoles) && !text_equal(consoles[i].partition, partition))
                i++;
        if (!encoded)
                return NULL;
        return text_format("https://%s%s%s/cloudformation/home?region=%s#/stacks/"
                           "quickcreate?templateURL=%s&stackName=%s",
                consoles[i].by_region ? region : "",
                consoles[i].by_region ? "." : "",
                consoles[i].console,
                region,
                encoded,
                stack);
}

/* --- what is refused before anything is asked of S3 --- */

static int check_words(const Publication *publication, Error *ret_error)
{
        const char *version = publication->version, *stack = publication->stack;

        if (version && (strlen(version) > VERSION_MAX || !version[0] ||
                               strspn(version, LETTERS DIGITS "._-") != strlen(version)))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use the version '%.80s': expected letters, digits, '.', '_' and "
                        "'-', like 1.2.3",
                        version);
        if (!strchr(LETTERS, stack[0]) || strlen(stack) > STACK_NAME_MAX ||
                strspn(stack, LETTERS DIGITS "-") != strlen(stack))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use the stack's name '%.130s': expected a letter, then letters, "
                        "digits and '-'",
                        stack);
        return 0;
}

/* The first of the errors stands for all: `check` tells the rest. */
static int refuse(const Publication *publication, const CheckReport *report, Error *ret_error)
{
        size_t count = check_report_count(report, CHECK_ERROR), i = 0;

        while (report->findings[i].severity != CHECK_ERROR)
                i++;
        return error_set(ret_error,
                -EBADMSG,
                "cannot publish '%.200s': %zu error%s, which flocker-template check tells; the "
                "first is in line %u, column %u: %s",
                publication->name,
                count,
                count == 1 ? "" : "s",
                report->findings[i].line,
                report->findings[i].column,
                report->findings[i].text);
}

static int check(const Publication *publication, Error *ret_error)
{
        _cleanup_(check_report_done) CheckReport report = {};
        int r;

        r = check_words(publication, ret_error);
        if (r == 0)
                r = check_template(publication->name,
                        publication->text,
                        publication->size,
                        &report,
                        ret_error);
        if (r == 0 && check_report_count(&report, CHECK_ERROR) > 0)
                r = refuse(publication, &report, ret_error);
        return r;
}

/* --- the objects --- */

typedef struct Publishing {
        const Publication *publication;
        Account account;
        S3Bucket *bucket;
        char *bucket_name, *key, *version_key, *latest_key;
        bool created; /* the version's object is of this run */
} Publishing;

static void publishing_done(Publishing *publishing)
{
        publishing->bucket = s3_bucket_free(publishing->bucket);
        account_done(&publishing->account);
        free(publishing->bucket_name);
        free(publishing->key);
        free(publishing->version_key);
        free(publishing->latest_key);
}
DEFINE_CLEANUP_IN_PLACE(Publishing, publishing_done);

static Usec soon(void)
{
        return clock_deadline(&clock_system, ACCOUNT_TIME);
}

static int name_keys(Publishing *publishing, Error *ret_error)
{
        const Publication *publication = publishing->publication;
        char digits[DIGEST_SHA256_HEX];
        const char *version = publication->version;
        Digest digest;

        if (!version) {
                if (digest_sha256(publication->text, publication->size, &digest) < 0)
                        return error_set(ret_error, -ENOMEM, "cannot publish: %m");
                digest_format(&digest, digits);
                digits[VERSION_DIGITS] = '\0';
                version = digits;
        }
        publishing->version_key = publish_versioned_key(publishing->key, version);
        publishing->latest_key = publish_versioned_key(publishing->key, "latest");
        if (!publishing->version_key || !publishing->latest_key)
                return error_set(ret_error, -ENOMEM, "cannot publish: %m");
        return s3_key_check(publishing->version_key, ret_error);
}

static int open_bucket(Publishing *publishing, Error *ret_error)
{
        const Publication *publication = publishing->publication;
        const char *obstacle;
        int r;

        r = account_open(publication->region, &publishing->account, ret_error);
        if (r == 0)
                r = account_open_bucket(&publishing->account,
                        publishing->bucket_name,
                        &publishing->bucket,
                        ret_error);
        if (r < 0 || !publication->public_read)
                return r;
        obstacle = s3_public_obstacle(publishing->bucket, soon());
        if (!obstacle)
                return 0;
        return error_set(ret_error,
                -EACCES,
                "cannot publish for everybody in 's3://%s', because %s; change that, or publish "
                "without --public-read",
                publishing->bucket_name,
                obstacle);
}

/* S3's outcomes as codes for an exit status; the sentence is there. */
static int code_of(int outcome)
{
        switch (outcome) {
        case S3_DENIED:
                return -EACCES;
        case S3_EXISTS:
                return -EEXIST;
        case S3_REFUSED:
        case S3_NOT_FOUND:
                return -ENOENT; /* no such bucket, mostly */
        default:
                return outcome;
        }
}

static const char *content_type(const Publication *publication)
{
        size_t blanks = strspn(publication->text, " \t\r\n");

        return publication->text[blanks] == '{' ? "application/json" : "application/yaml";
}

static int put(Publishing *publishing, const char *key, const S3Put *how, Error *ret_error)
{
        const Publication *publication = publishing->publication;
        S3Put what = *how;
        int r;

        what.content_type = content_type(publication);
        what.public_read = publication->public_read;
        r = s3_put(publishing->bucket,
                key,
                publication->text,
                publication->size,
                &what,
                soon(),
                NULL,
                NULL,
                ret_error);
        if (r == S3_DENIED && publication->public_read)
                (void)error_append(ret_error,
                        r,
                        "; it takes s3:PutObject and, for --public-read, s3:PutObjectAcl, and "
                        "neither the bucket nor the account may block public access");
        return r;
}

/* A version is written once. What is there already has to be the same; then its ACL alone is made
 * what is asked for. */
static int put_version(Publishing *publishing, bool *ret_already, Error *ret_error)
{
        const Publication *publication = publishing->publication;
        _cleanup_(buffer_done) Buffer there = BUFFER_INIT(CFN_TEMPLATE_SIZE_MAX);
        char etag[S3_ETAG_MAX];
        int r;

        r = put(publishing, publishing->version_key, &(S3Put){.if_absent = true}, ret_error);
        publishing->created = r == S3_OK;
        if (r != S3_EXISTS)
                return code_of(r);

        r = s3_get(publishing->bucket,
                publishing->version_key,
                CFN_TEMPLATE_SIZE_MAX,
                NULL,
                soon(),
                &there,
                etag,
                NULL,
                ret_error);
        if (r != S3_OK && r != -EFBIG)
                return code_of(r);
        if (r == -EFBIG || there.size != publication->size ||
                memcmp(buffer_text(&there), publication->text, there.size) != 0)
                return error_set(ret_error,
                        -EEXIST,
                        "cannot publish 's3://%s/%s': it is there with another content; a version "
                        "never changes: give another --as=VERSION",
                        publishing->bucket_name,
                        publishing->version_key);
        *ret_already = true;
        if (!publication->public_read)
                return 0;
        return code_of(
                put(publishing, publishing->version_key, &(S3Put){.if_match = etag}, ret_error));
}

/* Can everybody read it? The account's own block is seen only so. */
static int check_readable(Publishing *publishing, const char *url, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        int r;

        r = http_perform(publishing->account.http,
                &(HttpRequest){
                        .method = "GET",
                        .url = url,
                        .response_max = CFN_TEMPLATE_SIZE_MAX,
                        .deadline = soon(),
                },
                &response,
                ret_error);
        if (r < 0)
                return r;
        if (response.status == 200)
                return 0;
        return error_set(ret_error,
                -EACCES,
                "cannot publish '%s' for everybody: without credentials the answer is %u; does the "
                "account block public access?",
                url,
                response.status);
}

static int put_all(Publishing *publishing, Published *ret, Error *ret_error)
{
        const Publication *publication = publishing->publication;
        int r;

        r = put_version(publishing, &ret->already, ret_error);
        if (r == 0)
                r = s3_bucket_url(
                        publishing->bucket, publishing->version_key, &ret->url, ret_error);
        if (r == 0 && publication->public_read)
                r = check_readable(publishing, ret->url, ret_error);
        if (r == 0 && publication->latest)
                r = code_of(put(publishing, publishing->latest_key, &(S3Put){}, ret_error));
        if (r == 0 && publication->latest)
                r = s3_bucket_url(
                        publishing->bucket, publishing->latest_key, &ret->latest_url, ret_error);
        return r;
}

int publish_template(const Publication *publication, Published *ret, Error *ret_error)
{
        _cleanup_(publishing_done) Publishing publishing = {.publication = publication};
        _cleanup_(published_done) Published published = {};
        int r;

        r = check(publication, ret_error);
        if (r == 0)
                r = s3_object_url_parse(
                        publication->address, &publishing.bucket_name, &publishing.key, ret_error);
        if (r == 0)
                r = name_keys(&publishing, ret_error);
        if (r == 0)
                r = open_bucket(&publishing, ret_error);
        if (r == 0)
                r = put_all(&publishing, &published, ret_error);
        if (r < 0) {
                if (publishing.created)
                        (void)s3_delete(publishing.bucket,
                                publishing.version_key,
                                NULL,
                                soon(),
                                NULL,
                                NULL,
                                NULL);
                return r;
        }

        published.quick_create = publish_quick_create(
                publication->region ? publication->region : s3_bucket_region(publishing.bucket),
                published.latest_url ? published.latest_url : published.url,
                publication->stack);
        if (!published.quick_create)
                return error_set(ret_error, -ENOMEM, "cannot publish: %m");
        *ret = TAKE_STRUCT(published);
        return 0;
}

int publish_format(const Published *published, Buffer *ret)
{
        _cleanup_(json_free) Json *json = json_new_object();
        int r;

        r = json_set_text(json, "url", published->url);
        if (r == 0 && published->latest_url)
                r = json_set_text(json, "latest", published->latest_url);
        if (r == 0)
                r = json_set_text(json, "quick-create", published->quick_create);
        return r == 0 ? json_format(json, JSON_INDENTED, ret) : r;
}
