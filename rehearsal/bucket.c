/* S3's objects: put, get, head, delete, list; kept in memory. Source: Amazon S3 API Reference. */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void object_done(CloudObject *object)
{
        free(object->key);
        cloud_meta_done(&object->meta);
        buffer_done(&object->content);
}

void cloud_bucket_free(CloudBucket *bucket)
{
        for (size_t i = 0; i < bucket->n_objects; i++)
                object_done(&bucket->objects[i]);
        free(bucket->objects);
        free(bucket->key_arn);
        cloud_drop_uploads(bucket);
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
        bucket->created = clock_wall(&clock_system);
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

CloudObject *cloud_find_object(const CloudBucket *bucket, const char *key)
{
        bool there;
        size_t place = find_place(bucket, key, &there);

        return there ? &bucket->objects[place] : NULL;
}

int cloud_set_bucket_key(Cloud *cloud, const char *name, const char *key_arn)
{
        CloudBucket *bucket = find_bucket(cloud, name);

        if (!bucket)
                return -ENOENT;
        free(bucket->key_arn);
        bucket->key_arn = key_arn ? text_copy(key_arn) : NULL;
        return key_arn && !bucket->key_arn ? -ENOMEM : 0;
}

void cloud_set_bucket_policy(Cloud *cloud, const char *name, const Json *document)
{
        CloudBucket *bucket = find_bucket(cloud, name);

        if (bucket)
                bucket->policy = document;
}

const Buffer *cloud_look(const Cloud *cloud, const char *name, const char *key)
{
        const CloudBucket *bucket = find_bucket(cloud, name);
        const CloudObject *object = bucket ? cloud_find_object(bucket, key) : NULL;

        return object ? &object->content : NULL;
}

void cloud_list(const Cloud *cloud, const char *name, CloudVisit visit, void *userdata)
{
        const CloudBucket *bucket = find_bucket(cloud, name);

        for (size_t i = 0; bucket && i < bucket->n_objects; i++)
                visit(bucket->objects[i].key, bucket->objects[i].content.size, userdata);
}

/* --- rights --- */

/* What the bucket's own policy denies is denied to all. */
static PolicySet get_bucket_policy(const CloudBucket *bucket)
{
        return (PolicySet){
                .documents = {bucket->policy},
                .count = bucket->policy ? 1 : 0,
                .everything = true,
        };
}

bool cloud_asked_may(const CloudAsked *asked,
        const char *action,
        const char *key,
        const PolicyContext *context,
        size_t n_context)
{
        _cleanup_(free) char *resource =
                text_format("arn:aws:s3:::%s%s%s", asked->bucket->name, key[0] ? "/" : "", key);
        const CloudPrincipal everybody = {.policies = get_bucket_policy(asked->bucket)};

        return resource &&
               cloud_authorize(asked->principal, action, resource, context, n_context) &&
               cloud_authorize(&everybody, action, resource, context, n_context);
}

/* S3 asks KMS in the caller's name (Amazon S3 User Guide, "Protecting data with SSE-KMS"). */
static bool may_use_key(const CloudAsked *asked, const char *action)
{
        const char *use = text_equal(action, "s3:GetObject")   ? "kms:Decrypt"
                          : text_equal(action, "s3:PutObject") ? "kms:GenerateDataKey"
                                                               : NULL;

        return !use || !asked->bucket->key_arn ||
               cloud_authorize(asked->principal, use, asked->bucket->key_arn, NULL, 0);
}

void cloud_asked_deny(const CloudAsked *asked)
{
        cloud_refuse(asked->cloud, asked->call, 403, "AccessDenied", "Access Denied");
}

bool cloud_asked_may_else_deny(const CloudAsked *asked, const char *action)
{
        if (cloud_asked_may(asked, action, asked->key, NULL, 0) && may_use_key(asked, action))
                return true;
        cloud_asked_deny(asked);
        return false;
}

/* 404 for those who may list without a condition, else 403. */
static void say_missing(const CloudAsked *asked)
{
        if (cloud_asked_may(asked, "s3:ListBucket", "", NULL, 0))
                cloud_refuse(asked->cloud,
                        asked->call,
                        404,
                        "NoSuchKey",
                        "The specified key does not exist.");
        else
                cloud_asked_deny(asked);
}

static void refuse_condition(const CloudAsked *asked)
{
        cloud_refuse(asked->cloud,
                asked->call,
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold");
}

static void refuse_method(const CloudAsked *asked)
{
        cloud_refuse(asked->cloud,
                asked->call,
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.");
}

/* --- objects --- */

static void describe(const CloudAsked *asked, const CloudObject *object)
{
        char date[CLOUD_HTTP_DATE_MAX];

        cloud_format_http_date(object->modified, date);
        http_call_set_header(asked->call, "Last-Modified", date);
        http_call_set_header(asked->call, "ETag", object->etag);
        http_call_set_header(asked->call, "Accept-Ranges", "bytes");
        cloud_meta_tell(&object->meta, asked->call);
}

/* "bytes=2-4", "bytes=7-", "bytes=-3". False: it is none of these, and is ignored. */
static bool parse_range(const char *text, uint64_t size, uint64_t *ret_first, uint64_t *ret_last)
{
        _cleanup_(free) char *copy = NULL;
        uint64_t first = 0, last = UINT64_MAX;
        char *dash;

        if (!text || !text_starts(text, "bytes=") || !(copy = text_copy(text + strlen("bytes="))) ||
                !(dash = strchr(copy, '-')))
                return false;
        *dash++ = '\0';
        if ((copy[0] && text_to_uint64(copy, 0, UINT64_MAX, &first) < 0) ||
                (dash[0] && text_to_uint64(dash, 0, UINT64_MAX, &last) < 0) ||
                (!copy[0] && !dash[0]) || first > last)
                return false;
        if (!copy[0]) {
                first = last < size ? size - last : 0;
                last = UINT64_MAX;
        }
        *ret_first = first;
        *ret_last = last < size ? last : size - 1;
        return true;
}

static void send_content(const CloudAsked *asked, const CloudObject *object)
{
        const char *data = buffer_text(&object->content);
        uint64_t size = object->content.size, first, last;
        char range[80];

        if (!parse_range(http_call_header(asked->call, "Range"), size, &first, &last)) {
                http_call_answer(asked->call, 200, object->meta.content_type, data, size);
        } else if (first >= size) {
                cloud_refuse(asked->cloud,
                        asked->call,
                        416,
                        "InvalidRange",
                        "The requested range is not satisfiable");
        } else {
                (void)snprintf(range,
                        sizeof(range),
                        "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                        first,
                        last,
                        size);
                http_call_set_header(asked->call, "Content-Range", range);
                http_call_answer(asked->call,
                        206,
                        object->meta.content_type,
                        data + first,
                        last - first + 1);
        }
}

static void get_object(const CloudAsked *asked)
{
        const char *absent = http_call_header(asked->call, "If-None-Match");
        const char *match = http_call_header(asked->call, "If-Match");
        const CloudObject *object;

        if (!cloud_asked_may_else_deny(asked, "s3:GetObject"))
                return;
        object = cloud_find_object(asked->bucket, asked->key);
        if (!object) {
                say_missing(asked);
        } else if (match && !text_equal(match, object->etag)) {
                refuse_condition(asked);
        } else {
                describe(asked, object);
                if (text_equal(absent, object->etag) || text_equal(absent, "*"))
                        http_call_answer(asked->call, 304, NULL, NULL, 0);
                else
                        send_content(asked, object);
        }
}

bool cloud_condition_holds(const CloudAsked *asked)
{
        const CloudObject *object = cloud_find_object(asked->bucket, asked->key);
        const char *absent = http_call_header(asked->call, "If-None-Match");
        const char *match = http_call_header(asked->call, "If-Match");

        if (absent && !text_equal(absent, "*"))
                cloud_refuse(asked->cloud,
                        asked->call,
                        501,
                        "NotImplemented",
                        "A header you provided implies functionality that is not implemented");
        else if (match && !object)
                say_missing(asked);
        else if ((absent && object) || (match && !text_equal(match, object->etag)))
                refuse_condition(asked);
        else
                return true;
        return false;
}

static CloudObject *make_room(CloudBucket *bucket, const char *key)
{
        bool there;
        size_t place = find_place(bucket, key, &there);
        CloudObject *objects;
        char *copy;

        if (there)
                return &bucket->objects[place];
        objects = bucket->n_objects < CLOUD_OBJECTS_MAX
                          ? reallocarray(bucket->objects, bucket->n_objects + 1, sizeof(*objects))
                          : NULL;
        if (!objects)
                return NULL;
        bucket->objects = objects;
        copy = text_copy(key);
        if (!copy)
                return NULL;
        memmove(objects + place + 1,
                objects + place,
                (bucket->n_objects - place) * sizeof(*objects));
        bucket->n_objects++;
        objects[place] = (CloudObject){.key = copy};
        return &objects[place];
}

int cloud_keep_object(CloudBucket *bucket,
        const char *key,
        Buffer *content,
        CloudMeta *meta,
        const char etag[CLOUD_ETAG_MAX])
{
        CloudObject *object = make_room(bucket, key), new;

        if (!object)
                return -ENOMEM;
        new = (CloudObject){
                .key = TAKE_PTR(object->key),
                .content = *content,
                .meta = *meta,
                .modified = clock_wall(&clock_system),
        };
        memcpy(new.etag, etag, sizeof(new.etag));
        object_done(object);
        *object = new;
        *content = (Buffer){};
        *meta = (CloudMeta){};
        return 0;
}

static void put_object(const CloudAsked *asked)
{
        _cleanup_(buffer_done) Buffer content = BUFFER_INIT(HTTP_SERVER_BODY_MAX);
        _cleanup_(cloud_meta_done) CloudMeta meta = {};
        const char *checksum = http_call_header(asked->call, "x-amz-checksum-sha256");
        char etag[CLOUD_ETAG_MAX];
        size_t size;
        const char *body = http_call_body(asked->call, &size);

        if (!cloud_asked_may_else_deny(asked, "s3:PutObject") || !cloud_condition_holds(asked) ||
                !cloud_body_is_whole(asked, body, size))
                return;
        if (buffer_append(&content, body, size) < 0 || cloud_etag(body, size, etag) < 0 ||
                cloud_meta_read(asked->call, &meta) < 0 ||
                cloud_keep_object(asked->bucket, asked->key, &content, &meta, etag) < 0) {
                cloud_refuse(asked->cloud, asked->call, 503, "SlowDown", "There is no room.");
                return;
        }
        http_call_set_header(asked->call, "ETag", etag);
        if (checksum)
                http_call_set_header(asked->call, "x-amz-checksum-sha256", checksum);
        http_call_answer(asked->call, 200, NULL, NULL, 0);
}

void cloud_drop_object(CloudBucket *bucket, const char *key)
{
        bool there;
        size_t place = find_place(bucket, key, &there);

        if (!there)
                return;
        object_done(&bucket->objects[place]);
        memmove(bucket->objects + place,
                bucket->objects + place + 1,
                (bucket->n_objects - place - 1) * sizeof(*bucket->objects));
        bucket->n_objects--;
}

static void delete_object(const CloudAsked *asked)
{
        _cleanup_(free) char *version = http_call_parameter(asked->call, "versionId");

        if (!cloud_asked_may_else_deny(
                    asked, version ? "s3:DeleteObjectVersion" : "s3:DeleteObject"))
                return;
        cloud_drop_object(asked->bucket, asked->key);
        http_call_answer(asked->call, 204, NULL, NULL, 0);
}

/* --- the front --- */

/* Is each parameter of the query among those, or one of the request's own? What is not known would
 * mean another operation. */
static bool knows_parameters(const HttpCall *call, const char *const *known)
{
        for (const char *at = http_call_query(call); *at;) {
                size_t length = strcspn(at, "&"), name = strcspn(at, "=&");
                bool fine = name == 0 || text_starts(at, "X-Amz-") || text_starts(at, "x-id=");

                for (size_t i = 0; known[i] && !fine; i++)
                        fine = strlen(known[i]) == name && strncmp(at, known[i], name) == 0;
                if (!fine)
                        return false;
                at += length + (at[length] == '&');
        }
        return true;
}

static bool has_parameter(const CloudAsked *asked, const char *name)
{
        _cleanup_(free) char *value = http_call_parameter(asked->call, name);

        return value != NULL;
}

static void answer_empty_element(const CloudAsked *asked, const char *action, const char *xml)
{
        if (cloud_asked_may_else_deny(asked, action))
                http_call_answer_text(asked->call, 200, CLOUD_XML, xml);
}

static void serve_bucket_itself(const CloudAsked *asked)
{
        const char *method = http_call_method(asked->call);

        http_call_set_header(asked->call, "x-amz-bucket-region", CLOUD_REGION);
        if (text_equal(method, "HEAD")) {
                if (cloud_asked_may_else_deny(asked, "s3:ListBucket"))
                        http_call_answer(asked->call, 200, NULL, NULL, 0);
        } else if (text_equal(method, "POST") && has_parameter(asked, "delete")) {
                cloud_serve_deletion(asked);
        } else if (!text_equal(method, "GET")) {
                refuse_method(asked);
        } else if (has_parameter(asked, "versioning")) {
                answer_empty_element(asked,
                        "s3:GetBucketVersioning",
                        CLOUD_XML_HEAD "<VersioningConfiguration xmlns=\"" CLOUD_S3_NAMESPACE
                                       "\"/>");
        } else if (has_parameter(asked, "location")) {
                answer_empty_element(asked,
                        "s3:GetBucketLocation",
                        CLOUD_XML_HEAD "<LocationConstraint xmlns=\"" CLOUD_S3_NAMESPACE "\"/>");
        } else {
                cloud_serve_listing(asked);
        }
}

static void serve_object(const CloudAsked *asked)
{
        const char *method = http_call_method(asked->call);
        _cleanup_(free) char *version = http_call_parameter(asked->call, "versionId");

        if (strlen(asked->key) > CLOUD_KEY_MAX)
                cloud_refuse(
                        asked->cloud, asked->call, 400, "KeyTooLongError", "Your key is too long");
        else if (version && !text_equal(version, "null"))
                cloud_refuse(asked->cloud,
                        asked->call,
                        404,
                        "NoSuchVersion",
                        "The specified version does not exist.");
        else if (text_equal(method, "GET") || text_equal(method, "HEAD"))
                get_object(asked);
        else if (text_equal(method, "PUT"))
                put_object(asked);
        else if (text_equal(method, "DELETE"))
                delete_object(asked);
        else
                refuse_method(asked);
}

static void serve(const CloudAsked *asked)
{
        static const char *const of_bucket[] = {"list-type",
                "prefix",
                "delimiter",
                "max-keys",
                "continuation-token",
                "start-after",
                "marker",
                "encoding-type",
                "fetch-owner",
                "versions",
                "key-marker",
                "version-id-marker",
                "versioning",
                "location",
                "delete",
                "uploads",
                NULL};
        static const char *const of_object[] = {
                "versionId", "uploads", "uploadId", "partNumber", NULL};

        if (!knows_parameters(asked->call, asked->key[0] ? of_object : of_bucket) ||
                http_call_header(asked->call, "x-amz-copy-source"))
                cloud_refuse(asked->cloud,
                        asked->call,
                        501,
                        "NotImplemented",
                        "The operation is not implemented here.");
        else if (cloud_serve_upload(asked))
                return;
        else if (asked->key[0])
                serve_object(asked);
        else
                serve_bucket_itself(asked);
}

void cloud_serve_bucket(Cloud *cloud, HttpCall *call, CloudPrincipal *principal)
{
        const char *path = http_call_path(call) + 1, *slash = strchrnul(path, '/');
        _cleanup_(free) char *name = text_copy_part(path, (size_t)(slash - path));
        _cleanup_(free) char *key =
                http_server_decode(*slash ? slash + 1 : slash, *slash ? strlen(slash + 1) : 0);
        const char *owner = http_call_header(call, "x-amz-expected-bucket-owner");
        CloudAsked asked = {.cloud = cloud, .call = call, .principal = principal, .key = key};

        asked.bucket = name ? find_bucket(cloud, name) : NULL;
        if (!name || !key)
                cloud_refuse(cloud, call, 400, "InvalidURI", "Couldn't parse the specified URI.");
        else if (!name[0] && text_equal(http_call_method(call), "GET"))
                cloud_serve_buckets(&asked);
        else if (!asked.bucket)
                cloud_refuse(
                        cloud, call, 404, "NoSuchBucket", "The specified bucket does not exist");
        else if (owner && !text_equal(owner, CLOUD_ACCOUNT))
                cloud_asked_deny(&asked);
        else
                serve(&asked);
}
