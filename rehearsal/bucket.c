/* S3's objects: put, get, head, delete, list; kept in memory. Source: Amazon S3 API Reference. */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XML      "application/xml"
#define PAGE_MAX 1000

/* One request, taken apart. */
typedef struct Asked {
        Cloud *cloud;
        HttpCall *call;
        CloudPrincipal *principal;
        CloudBucket *bucket;
        char *key; /* decoded; "": the bucket itself */
} Asked;

static void object_done(CloudObject *object)
{
        free(object->key);
        free(object->checksum);
        free(object->content_type);
        buffer_done(&object->content);
}

void cloud_bucket_free(CloudBucket *bucket)
{
        for (size_t i = 0; i < bucket->n_objects; i++)
                object_done(&bucket->objects[i]);
        free(bucket->objects);
        free(bucket);
}

static CloudBucket *find_bucket(const Cloud *cloud, const char *name)
{
        for (CloudBucket *bucket = cloud->buckets; bucket; bucket = bucket->next)
                if (text_equal(bucket->name, name))
                        return bucket;
        return NULL;
}

int cloud_add_bucket(Cloud *cloud, const char *name, Error *ret_error)
{
        CloudBucket *bucket = calloc(1, sizeof(*bucket));

        if (!bucket || text_put(bucket->name, sizeof(bucket->name), name) < 0) {
                free(bucket);
                return error_set(ret_error, -ENOMEM, "cannot make the bucket '%s': %m", name);
        }
        bucket->next = cloud->buckets;
        cloud->buckets = bucket;
        return 0;
}

int64_t cloud_count_objects(const Cloud *cloud, const char *name)
{
        const CloudBucket *bucket = find_bucket(cloud, name);

        return bucket ? (int64_t)bucket->n_objects : -1;
}

void cloud_remove_bucket(Cloud *cloud, const char *name)
{
        for (CloudBucket **place = &cloud->buckets; *place; place = &(*place)->next)
                if (text_equal((*place)->name, name)) {
                        CloudBucket *bucket = *place;

                        *place = bucket->next;
                        cloud_bucket_free(bucket);
                        return;
                }
}

/* Where the key is, or would be. */
static size_t find_place(const CloudBucket *bucket, const char *key, bool *ret_there)
{
        size_t low = 0, high = bucket->n_objects;

        *ret_there = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(bucket->objects[middle].key, key);

                if (order == 0) {
                        *ret_there = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static CloudObject *find_object(const CloudBucket *bucket, const char *key)
{
        bool there;
        size_t place = find_place(bucket, key, &there);

        return there ? &bucket->objects[place] : NULL;
}

const Buffer *cloud_look(const Cloud *cloud, const char *name, const char *key)
{
        const CloudBucket *bucket = find_bucket(cloud, name);
        const CloudObject *object = bucket ? find_object(bucket, key) : NULL;

        return object ? &object->content : NULL;
}

void cloud_list(const Cloud *cloud, const char *name, CloudVisit visit, void *userdata)
{
        const CloudBucket *bucket = find_bucket(cloud, name);

        for (size_t i = 0; bucket && i < bucket->n_objects; i++)
                visit(bucket->objects[i].key, bucket->objects[i].content.size, userdata);
}

/* --- rights --- */

static bool may(const Asked *asked, const char *action, const char *prefix)
{
        _cleanup_(free) char *resource =
                asked->key[0] ? text_format("arn:aws:s3:::%s/%s", asked->bucket->name, asked->key)
                              : text_format("arn:aws:s3:::%s", asked->bucket->name);
        PolicyContext context[] = {{"s3:prefix", prefix}, {"aws:SecureTransport", "true"}};

        return resource &&
               cloud_authorize(asked->principal, action, resource, context, ELEMENTS(context));
}

static void deny(const Asked *asked)
{
        cloud_refuse(asked->cloud, asked->call, 403, "AccessDenied", "Access Denied");
}

static bool may_else_deny(const Asked *asked, const char *action)
{
        if (may(asked, action, NULL))
                return true;
        deny(asked);
        return false;
}

/* 404 for those who may list without a condition, else 403. */
static void say_missing(const Asked *asked)
{
        Asked of_bucket = *asked;

        of_bucket.key = (char[]){""};
        if (may(&of_bucket, "s3:ListBucket", NULL))
                cloud_refuse(asked->cloud,
                        asked->call,
                        404,
                        "NoSuchKey",
                        "The specified key does not exist.");
        else
                deny(asked);
}

/* --- objects --- */

static void set_times(const Asked *asked, const CloudObject *object)
{
        http_call_set_header(asked->call, "ETag", object->etag);
        if (object->checksum &&
                text_equal(http_call_header(asked->call, "x-amz-checksum-mode"), "ENABLED"))
                http_call_set_header(asked->call, "x-amz-checksum-sha256", object->checksum);
}

static void get_object(const Asked *asked)
{
        const CloudObject *object;
        const char *match = http_call_header(asked->call, "If-None-Match");

        if (!may_else_deny(asked, "s3:GetObject"))
                return;
        object = find_object(asked->bucket, asked->key);
        if (!object) {
                say_missing(asked);
                return;
        }
        set_times(asked, object);
        if (text_equal(match, object->etag))
                http_call_answer(asked->call, 304, NULL, NULL, 0);
        else
                http_call_answer(asked->call,
                        200,
                        object->content_type,
                        buffer_text(&object->content),
                        object->content.size);
}

/* False: the condition of the write does not hold, which has been said. */
static bool condition_holds(const Asked *asked, const CloudObject *object)
{
        const char *absent = http_call_header(asked->call, "If-None-Match");
        const char *match = http_call_header(asked->call, "If-Match");

        if ((!absent || !object) && (!match || (object && text_equal(match, object->etag))))
                return true;
        cloud_refuse(asked->cloud,
                asked->call,
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold");
        return false;
}

static CloudObject *make_room(CloudBucket *bucket, const char *key)
{
        bool there;
        size_t place = find_place(bucket, key, &there);
        CloudObject *objects;

        if (there)
                return &bucket->objects[place];
        objects = bucket->n_objects < CLOUD_OBJECTS_MAX
                          ? reallocarray(bucket->objects, bucket->n_objects + 1, sizeof(*objects))
                          : NULL;
        if (!objects)
                return NULL;
        bucket->objects = objects;
        memmove(objects + place + 1,
                objects + place,
                (bucket->n_objects - place) * sizeof(*objects));
        bucket->n_objects++;
        objects[place] = (CloudObject){.key = text_copy(key)};
        return &objects[place];
}

static bool checksum_fits(const Asked *asked, const Digest *digest)
{
        const char *named = http_call_header(asked->call, "x-amz-checksum-sha256");
        _cleanup_(free) char *own = digest_base64(digest);

        if (!named || text_equal(named, own))
                return true;
        cloud_refuse(asked->cloud,
                asked->call,
                400,
                "BadDigest",
                "The SHA256 you specified did not match the calculated checksum.");
        return false;
}

static void put_object(const Asked *asked)
{
        size_t size;
        const char *body = http_call_body(asked->call, &size);
        const char *type = http_call_header(asked->call, "Content-Type");
        char hex[DIGEST_SHA256_HEX];
        CloudObject *object;
        Digest digest;

        if (!may_else_deny(asked, "s3:PutObject") ||
                !condition_holds(asked, find_object(asked->bucket, asked->key)) ||
                digest_sha256(body, size, &digest) < 0 || !checksum_fits(asked, &digest))
                return;
        object = make_room(asked->bucket, asked->key);
        if (!object) {
                cloud_refuse(asked->cloud, asked->call, 503, "SlowDown", "no room");
                return;
        }
        digest_format(&digest, hex);
        buffer_done(&object->content);
        object->content = BUFFER_INIT(HTTP_SERVER_BODY_MAX);
        (void)buffer_append(&object->content, body, size);
        free(object->checksum);
        object->checksum = http_call_header(asked->call, "x-amz-checksum-sha256")
                                   ? digest_base64(&digest)
                                   : NULL;
        free(object->content_type);
        object->content_type = text_copy(type ? type : "binary/octet-stream");
        (void)snprintf(object->etag, sizeof(object->etag), "\"%.32s\"", hex);
        object->modified = clock_wall(&clock_system);
        http_call_set_header(asked->call, "ETag", object->etag);
        http_call_answer(asked->call, 200, NULL, NULL, 0);
}

static void delete_object(const Asked *asked)
{
        bool there;
        size_t place;
        _cleanup_(free) char *version = http_call_parameter(asked->call, "versionId");

        if (!may_else_deny(asked, version ? "s3:DeleteObjectVersion" : "s3:DeleteObject"))
                return;
        place = find_place(asked->bucket, asked->key, &there);
        if (there) {
                CloudBucket *bucket = asked->bucket;

                object_done(&bucket->objects[place]);
                memmove(bucket->objects + place,
                        bucket->objects + place + 1,
                        (bucket->n_objects - place - 1) * sizeof(*bucket->objects));
                bucket->n_objects--;
        }
        http_call_answer(asked->call, 204, NULL, NULL, 0);
}

/* --- listings --- */

static int append_escaped(Buffer *ret, const char *text)
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

static void append_object(Buffer *ret, const CloudObject *object, bool versions)
{
        char time[CLOCK_UTC_MAX];

        clock_format_utc(object->modified, time);
        (void)buffer_append_text(ret, versions ? "<Version><Key>" : "<Contents><Key>");
        (void)append_escaped(ret, object->key);
        (void)buffer_append_format(ret,
                "</Key>%s<LastModified>%s</LastModified><ETag>%s</ETag><Size>%zu</Size>"
                "<StorageClass>STANDARD</StorageClass>%s",
                versions ? "<VersionId>null</VersionId><IsLatest>true</IsLatest>" : "",
                time,
                object->etag,
                object->content.size,
                versions ? "</Version>" : "</Contents>");
}

/* Where a page begins: behind the key that the last one ended with. */
static size_t find_start(const Asked *asked, const char *prefix, bool versions)
{
        _cleanup_(free) char *after =
                http_call_parameter(asked->call, versions ? "key-marker" : "continuation-token");
        bool there;
        size_t place;

        if (!after)
                return find_place(asked->bucket, prefix, &there);
        place = find_place(asked->bucket, after, &there);
        return there ? place + 1 : place;
}

static size_t find_page_size(const Asked *asked)
{
        _cleanup_(free) char *text = http_call_parameter(asked->call, "max-keys");
        int64_t number = PAGE_MAX;

        if (text && text_to_int64(text, 0, PAGE_MAX, &number) < 0)
                number = PAGE_MAX;
        return (size_t)number;
}

static void list_objects(const Asked *asked, bool versions)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(16 * 1024 * 1024);
        _cleanup_(free) char *given = http_call_parameter(asked->call, "prefix");
        const char *prefix = given ? given : "", *last = NULL;
        const CloudBucket *bucket = asked->bucket;
        size_t left = find_page_size(asked), count = 0, i;
        bool more;

        if (!may(asked, versions ? "s3:ListBucketVersions" : "s3:ListBucket", given)) {
                deny(asked);
                return;
        }
        (void)buffer_append_format(&body,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s "
                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>%s</Name><Prefix>",
                versions ? "ListVersionsResult" : "ListBucketResult",
                bucket->name);
        (void)append_escaped(&body, prefix);
        (void)buffer_append_text(&body, "</Prefix>");
        for (i = find_start(asked, prefix, versions); i < bucket->n_objects && left > 0; i++) {
                if (!text_starts(bucket->objects[i].key, prefix))
                        break;
                append_object(&body, &bucket->objects[i], versions);
                last = bucket->objects[i].key;
                left--;
                count++;
        }
        more = last && left == 0 && i < bucket->n_objects &&
               text_starts(bucket->objects[i].key, prefix);
        (void)buffer_append_format(&body,
                "<KeyCount>%zu</KeyCount><IsTruncated>%s</IsTruncated>",
                count,
                more ? "true" : "false");
        if (more) {
                (void)buffer_append_text(
                        &body, versions ? "<NextKeyMarker>" : "<NextContinuationToken>");
                (void)append_escaped(&body, last);
                (void)buffer_append_text(&body,
                        versions ? "</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker>"
                                 : "</NextContinuationToken>");
        }
        (void)buffer_append_text(&body, versions ? "</ListVersionsResult>" : "</ListBucketResult>");
        http_call_answer(asked->call, 200, XML, buffer_text(&body), body.size);
}

static bool has_parameter(const Asked *asked, const char *name)
{
        _cleanup_(free) char *value = http_call_parameter(asked->call, name);

        return value != NULL;
}

static void serve_bucket_itself(const Asked *asked)
{
        const char *method = http_call_method(asked->call);

        if (text_equal(method, "HEAD")) {
                if (may_else_deny(asked, "s3:ListBucket"))
                        http_call_answer(asked->call, 200, NULL, NULL, 0);
        } else if (!text_equal(method, "GET")) {
                cloud_refuse(asked->cloud,
                        asked->call,
                        405,
                        "MethodNotAllowed",
                        "The specified method is not allowed against this resource.");
        } else if (has_parameter(asked, "versioning")) {
                if (may_else_deny(asked, "s3:GetBucketVersioning"))
                        http_call_answer_text(asked->call,
                                200,
                                XML,
                                "<VersioningConfiguration "
                                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>");
        } else if (has_parameter(asked, "location")) {
                if (may_else_deny(asked, "s3:GetBucketLocation"))
                        http_call_answer_text(asked->call,
                                200,
                                XML,
                                "<LocationConstraint "
                                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>");
        } else {
                list_objects(asked, has_parameter(asked, "versions"));
        }
}

static void serve_object(const Asked *asked)
{
        const char *method = http_call_method(asked->call);

        if (text_equal(method, "GET") || text_equal(method, "HEAD"))
                get_object(asked);
        else if (text_equal(method, "PUT"))
                put_object(asked);
        else if (text_equal(method, "DELETE"))
                delete_object(asked);
        else
                cloud_refuse(asked->cloud,
                        asked->call,
                        405,
                        "MethodNotAllowed",
                        "The specified method is not allowed against this resource.");
}

void cloud_serve_bucket(Cloud *cloud, HttpCall *call, CloudPrincipal *principal)
{
        const char *path = http_call_path(call) + 1, *slash = strchrnul(path, '/');
        _cleanup_(free) char *name = text_copy_part(path, (size_t)(slash - path));
        _cleanup_(free) char *key =
                http_server_decode(*slash ? slash + 1 : slash, *slash ? strlen(slash + 1) : 0);
        const char *owner = http_call_header(call, "x-amz-expected-bucket-owner");
        Asked asked = {.cloud = cloud, .call = call, .principal = principal, .key = key};

        asked.bucket = name && key ? find_bucket(cloud, name) : NULL;
        if (!asked.bucket)
                cloud_refuse(
                        cloud, call, 404, "NoSuchBucket", "The specified bucket does not exist");
        else if (owner && !text_equal(owner, CLOUD_ACCOUNT))
                deny(&asked);
        else if (key[0])
                serve_object(&asked);
        else
                serve_bucket_itself(&asked);
}
