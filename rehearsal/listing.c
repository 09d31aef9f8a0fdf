/* cloud_serve_listing: what is in a bucket, page by page. Source: Amazon S3 API Reference,
 * ListObjectsV2, ListObjects, ListObjectVersions, ListBuckets. */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 1000

typedef enum Form { FORM_FIRST, FORM_SECOND, FORM_VERSIONS } Form;

/* A page that is being made. */
typedef struct Page {
        const CloudAsked *asked;
        Form form;
        bool encoded;             /* encoding-type=url */
        char *prefix, *delimiter; /* NULL: not given */
        char *after;              /* what comes behind it is listed; NULL: all */
        size_t max, count;
        char *last; /* key or common prefix that was listed last; NULL: none yet */
        bool truncated;
        Buffer body;
} Page;

static void page_done(Page *page)
{
        free(page->prefix);
        free(page->delimiter);
        free(page->after);
        free(page->last);
        buffer_done(&page->body);
}
DEFINE_CLEANUP_IN_PLACE(Page, page_done);

int cloud_append_escaped(Buffer *ret, const char *text)
{
        int r = 0;

        for (; *text && r == 0; text++)
                switch (*text) {
                case '&':
                        r = buffer_append_text(ret, "&amp;");
                        break;
                case '<':
                        r = buffer_append_text(ret, "&lt;");
                        break;
                case '>':
                        r = buffer_append_text(ret, "&gt;");
                        break;
                default:
                        r = buffer_append(ret, text, 1);
                }
        return r;
}

/* <name>text</name>, encoded as was asked for. */
static void append_element(Page *page, const char *name, const char *text)
{
        (void)buffer_append_format(&page->body, "<%s>", name);
        if (!page->encoded)
                (void)cloud_append_escaped(&page->body, text);
        for (; page->encoded && *text; text++)
                if (isalnum((unsigned char)*text) || strchr("-._*/", *text))
                        (void)buffer_append(&page->body, text, 1);
                else if (*text == ' ')
                        (void)buffer_append_text(&page->body, "+");
                else
                        (void)buffer_append_format(&page->body, "%%%02X", (unsigned char)*text);
        (void)buffer_append_format(&page->body, "</%s>", name);
}

static void append_object(Page *page, const CloudObject *object)
{
        const bool versions = page->form == FORM_VERSIONS;
        char time[CLOCK_UTC_MAX];

        clock_format_utc(object->modified, time);
        (void)buffer_append_text(&page->body, versions ? "<Version>" : "<Contents>");
        append_element(page, "Key", object->key);
        (void)buffer_append_format(&page->body,
                "%s<LastModified>%s</LastModified><ETag>%s</ETag><Size>%zu</Size>"
                "<StorageClass>STANDARD</StorageClass>%s",
                versions ? "<VersionId>null</VersionId><IsLatest>true</IsLatest>" : "",
                time,
                object->etag,
                object->content.size,
                versions ? "</Version>" : "</Contents>");
}

/* The key up to the delimiter behind the prefix, as a heap string; NULL: the key is listed itself.
 */
static char *find_common(const Page *page, const char *key)
{
        size_t start = page->prefix ? strlen(page->prefix) : 0;
        const char *end =
                page->delimiter && *page->delimiter ? strstr(key + start, page->delimiter) : NULL;

        return end ? text_copy_part(key, (size_t)(end - key) + strlen(page->delimiter)) : NULL;
}

/* False: the page is full. */
static bool add(Page *page, const CloudObject *object)
{
        char *common = find_common(page, object->key);
        const char *name = common ? common : object->key;

        if ((page->after && strcmp(name, page->after) <= 0) ||
                (common && text_equal(page->last, common))) {
                free(common);
                return true;
        }
        if (page->count == page->max) {
                page->truncated = page->max > 0;
                free(common);
                return false;
        }
        page->count++;
        if (common) {
                (void)buffer_append_text(&page->body, "<CommonPrefixes>");
                append_element(page, "Prefix", common);
                (void)buffer_append_text(&page->body, "</CommonPrefixes>");
        } else {
                append_object(page, object);
        }
        free(page->last);
        page->last = common ? common : text_copy(object->key);
        return true;
}

/* Where the next page begins. The second form's token is opaque: who makes one up is refused. */
static void append_next(Page *page)
{
        _cleanup_(free) char *token = NULL;

        if (!page->truncated || !page->last)
                return;
        switch (page->form) {
        case FORM_FIRST:
                if (page->delimiter)
                        append_element(page, "NextMarker", page->last);
                break;
        case FORM_SECOND:
                token = text_base64(page->last, strlen(page->last));
                (void)buffer_append_format(&page->body,
                        "<NextContinuationToken>%s</NextContinuationToken>",
                        token ? token : "");
                break;
        case FORM_VERSIONS:
                append_element(page, "NextKeyMarker", page->last);
                (void)buffer_append_text(
                        &page->body, "<NextVersionIdMarker>null</NextVersionIdMarker>");
        }
}

/* --- what is asked for --- */

/* False: the token is none of ours. */
static bool find_start(Page *page)
{
        static const char *const markers[] = {"marker", "start-after", "key-marker"};
        const HttpCall *call = page->asked->call;
        _cleanup_(free) char *token =
                page->form == FORM_SECOND ? http_call_parameter(call, "continuation-token") : NULL;
        _cleanup_(free) void *plain = NULL;
        size_t size;

        if (!token) {
                page->after = http_call_parameter(call, markers[page->form]);
                return true;
        }
        if (text_base64_decode(token, strlen(token), &plain, &size) < 0)
                return false;
        page->after = text_copy_part(plain, size);
        return true;
}

static bool is_given(const HttpCall *call, const char *name, const char *value)
{
        _cleanup_(free) char *found = http_call_parameter(call, name);

        return found && (!value || text_equal(found, value));
}

/* False: a parameter is not what it can be. */
static bool read_page(Page *page)
{
        const HttpCall *call = page->asked->call;
        _cleanup_(free) char *max = http_call_parameter(call, "max-keys");
        int64_t number = PAGE_MAX;

        if (is_given(call, "versions", NULL))
                page->form = FORM_VERSIONS;
        else if (is_given(call, "list-type", "2"))
                page->form = FORM_SECOND;
        page->encoded = is_given(call, "encoding-type", "url");
        page->prefix = http_call_parameter(call, "prefix");
        page->delimiter = http_call_parameter(call, "delimiter");
        if (!find_start(page) || (max && text_to_int64(max, 0, INT32_MAX, &number) < 0))
                return false;
        page->max = number > PAGE_MAX ? PAGE_MAX : (size_t)number;
        return true;
}

static bool may(const Page *page)
{
        const PolicyContext context[] = {
                {"s3:prefix", page->prefix},
                {"s3:delimiter", page->delimiter},
        };

        return cloud_asked_may(page->asked,
                page->form == FORM_VERSIONS ? "s3:ListBucketVersions" : "s3:ListBucket",
                "",
                context,
                ELEMENTS(context));
}

static void fill(Page *page)
{
        static const char *const roots[] = {
                "ListBucketResult", "ListBucketResult", "ListVersionsResult"};
        const CloudBucket *bucket = page->asked->bucket;

        (void)buffer_append_format(&page->body,
                CLOUD_XML_HEAD "<%s xmlns=\"" CLOUD_S3_NAMESPACE "\"><Name>%s</Name>",
                roots[page->form],
                bucket->name);
        append_element(page, "Prefix", page->prefix ? page->prefix : "");
        if (page->delimiter)
                append_element(page, "Delimiter", page->delimiter);
        if (page->encoded)
                (void)buffer_append_text(&page->body, "<EncodingType>url</EncodingType>");
        for (size_t i = 0; i < bucket->n_objects; i++)
                if ((!page->prefix || text_starts(bucket->objects[i].key, page->prefix)) &&
                        !add(page, &bucket->objects[i]))
                        break;
        (void)buffer_append_format(&page->body,
                "<MaxKeys>%zu</MaxKeys><IsTruncated>%s</IsTruncated>",
                page->max,
                page->truncated ? "true" : "false");
        if (page->form == FORM_SECOND)
                (void)buffer_append_format(&page->body, "<KeyCount>%zu</KeyCount>", page->count);
        append_next(page);
        (void)buffer_append_format(&page->body, "</%s>", roots[page->form]);
}

void cloud_serve_listing(const CloudAsked *asked)
{
        _cleanup_(page_done) Page page = {.asked = asked, .body = BUFFER_INIT(CLOUD_LISTING_MAX)};

        if (!read_page(&page)) {
                cloud_refuse(asked->cloud,
                        asked->call,
                        400,
                        "InvalidArgument",
                        "A parameter of the listing is not valid");
        } else if (!may(&page)) {
                cloud_asked_deny(asked);
        } else {
                fill(&page);
                http_call_answer(
                        asked->call, 200, CLOUD_XML, buffer_text(&page.body), page.body.size);
        }
}

void cloud_serve_buckets(const CloudAsked *asked)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(CLOUD_LISTING_MAX);
        char time[CLOCK_UTC_MAX];

        if (!cloud_authorize(asked->principal, "s3:ListAllMyBuckets", "arn:aws:s3:::*", NULL, 0)) {
                cloud_asked_deny(asked);
                return;
        }
        (void)buffer_append_text(&body,
                CLOUD_XML_HEAD "<ListAllMyBucketsResult xmlns=\"" CLOUD_S3_NAMESPACE
                               "\"><Owner><ID>" CLOUD_ACCOUNT "</ID></Owner><Buckets>");
        for (const CloudBucket *bucket = asked->cloud->buckets; bucket; bucket = bucket->next) {
                clock_format_utc(bucket->created, time);
                (void)buffer_append_format(&body,
                        "<Bucket><Name>%s</Name><CreationDate>%s</CreationDate></Bucket>",
                        bucket->name,
                        time);
        }
        (void)buffer_append_text(&body, "</Buckets></ListAllMyBucketsResult>");
        http_call_answer(asked->call, 200, CLOUD_XML, buffer_text(&body), body.size);
}
