/* S3's uploads in parts. Source: Amazon S3 API Reference, CreateMultipartUpload, UploadPart,
 * CompleteMultipartUpload, AbortMultipartUpload, ListParts, ListMultipartUploads. */

#include "base/random.h"
#include "base/text.h"
#include "base/xml.h"
#include "rehearsal/cloud-parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX   10000
#define PART_MIN    (5U * 1024U * 1024U) /* of each but the last */
#define UPLOADS_MAX 1000U
#define ID_LENGTH   32U
#define XML_MAX     (4U * 1024U * 1024U)

typedef struct Part {
        char etag[CLOUD_ETAG_MAX];
        Buffer content;
} Part;

struct CloudUpload {
        CloudUpload *next;
        char id[ID_LENGTH + 1];
        char *key;
        CloudMeta meta;
        Part *parts; /* by number, less 1 */
        size_t n_parts;
};

static CloudUpload *upload_free(CloudUpload *upload)
{
        if (!upload)
                return NULL;
        for (size_t i = 0; i < upload->n_parts; i++)
                buffer_done(&upload->parts[i].content);
        free(upload->parts);
        cloud_meta_done(&upload->meta);
        free(upload->key);
        free(upload);
        return NULL;
}
DEFINE_CLEANUP(CloudUpload *, upload_free);

void cloud_drop_uploads(CloudBucket *bucket)
{
        while (bucket->uploads) {
                CloudUpload *upload = bucket->uploads;

                bucket->uploads = upload->next;
                (void)upload_free(upload);
        }
}

static void drop_upload(CloudBucket *bucket, CloudUpload *upload)
{
        CloudUpload **place = &bucket->uploads;

        while (*place != upload)
                place = &(*place)->next;
        *place = upload->next;
        (void)upload_free(upload);
}

static void refuse(const CloudAsked *asked, unsigned status, const char *code, const char *text)
{
        cloud_refuse(asked->cloud, asked->call, status, code, text);
}

static void refuse_room(const CloudAsked *asked)
{
        refuse(asked, 503, "SlowDown", "There is no room.");
}

/* --- answers --- */

static void append_element(Buffer *answer, const char *name, const char *text)
{
        (void)buffer_append_format(answer, "<%s>", name);
        (void)cloud_append_escaped(answer, text);
        (void)buffer_append_format(answer, "</%s>", name);
}

static void begin_answer(Buffer *answer, const char *name)
{
        (void)buffer_append_format(
                answer, CLOUD_XML_HEAD "<%s xmlns=\"" CLOUD_S3_NAMESPACE "\">", name);
}

static void send_answer(const CloudAsked *asked, Buffer *answer, const char *name)
{
        (void)buffer_append_format(answer, "</%s>", name);
        http_call_answer(asked->call, 200, CLOUD_XML, buffer_text(answer), answer->size);
}

static void answer_upload(const CloudAsked *asked, const CloudUpload *upload, const char *name)
{
        _cleanup_(buffer_done) Buffer answer = BUFFER_INIT(XML_MAX);

        begin_answer(&answer, name);
        append_element(&answer, "Bucket", asked->bucket->name);
        append_element(&answer, "Key", asked->key);
        append_element(&answer, "UploadId", upload->id);
        send_answer(asked, &answer, name);
}

/* --- the operations --- */

static void create_upload(const CloudAsked *asked)
{
        static const char digits[] = "0123456789abcdef";
        _cleanup_(upload_free) CloudUpload *upload = NULL;
        size_t count = 0;

        if (!cloud_asked_may_else_deny(asked, "s3:PutObject"))
                return;
        for (const CloudUpload *one = asked->bucket->uploads; one; one = one->next)
                count++;
        upload = count < UPLOADS_MAX ? calloc(1, sizeof(*upload)) : NULL;
        if (!upload || !(upload->key = text_copy(asked->key)) ||
                cloud_meta_read(asked->call, &upload->meta) < 0) {
                refuse_room(asked);
                return;
        }
        for (size_t i = 0; i < ID_LENGTH; i++)
                upload->id[i] = digits[random_below(&random_system, strlen(digits))];
        answer_upload(asked, upload, "InitiateMultipartUploadResult");
        upload->next = asked->bucket->uploads;
        asked->bucket->uploads = TAKE_PTR(upload);
}

/* Room for the part of that number, empty where it was not there. */
static Part *find_part(CloudUpload *upload, size_t number)
{
        Part *parts;

        if (number <= upload->n_parts)
                return &upload->parts[number - 1];
        parts = reallocarray(upload->parts, number, sizeof(*parts));
        if (!parts)
                return NULL;
        upload->parts = parts;
        while (upload->n_parts < number)
                parts[upload->n_parts++] = (Part){};
        return &parts[number - 1];
}

static void put_part(const CloudAsked *asked, CloudUpload *upload, const char *text)
{
        size_t size;
        const char *body = http_call_body(asked->call, &size);
        Buffer content = BUFFER_INIT(HTTP_SERVER_BODY_MAX);
        uint64_t number;
        Part *part;

        if (text_to_uint64(text, 1, PARTS_MAX, &number) < 0) {
                refuse(asked,
                        400,
                        "InvalidArgument",
                        "Part number must be an integer between 1 and 10000, inclusive");
                return;
        }
        if (!cloud_asked_may_else_deny(asked, "s3:PutObject") ||
                !cloud_body_is_whole(asked, body, size))
                return;
        part = find_part(upload, number);
        if (!part || buffer_append(&content, body, size) < 0 ||
                cloud_etag(body, size, part->etag) < 0) {
                buffer_done(&content);
                refuse_room(asked);
                return;
        }
        buffer_done(&part->content);
        part->content = content;
        http_call_set_header(asked->call, "ETag", part->etag);
        http_call_answer(asked->call, 200, NULL, NULL, 0);
}

static void list_parts(const CloudAsked *asked, const CloudUpload *upload)
{
        _cleanup_(buffer_done) Buffer answer = BUFFER_INIT(XML_MAX);

        if (!cloud_asked_may_else_deny(asked, "s3:ListMultipartUploadParts"))
                return;
        begin_answer(&answer, "ListPartsResult");
        append_element(&answer, "Bucket", asked->bucket->name);
        append_element(&answer, "Key", asked->key);
        append_element(&answer, "UploadId", upload->id);
        for (size_t i = 0; i < upload->n_parts; i++)
                if (upload->parts[i].etag[0])
                        (void)buffer_append_format(&answer,
                                "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag>"
                                "<Size>%zu</Size></Part>",
                                i + 1,
                                upload->parts[i].etag,
                                upload->parts[i].content.size);
        (void)buffer_append_text(&answer, "<IsTruncated>false</IsTruncated>");
        send_answer(asked, &answer, "ListPartsResult");
}

static void list_uploads(const CloudAsked *asked)
{
        _cleanup_(buffer_done) Buffer answer = BUFFER_INIT(XML_MAX);

        if (!cloud_asked_may_else_deny(asked, "s3:ListBucketMultipartUploads"))
                return;
        begin_answer(&answer, "ListMultipartUploadsResult");
        append_element(&answer, "Bucket", asked->bucket->name);
        for (const CloudUpload *one = asked->bucket->uploads; one; one = one->next) {
                (void)buffer_append_text(&answer, "<Upload>");
                append_element(&answer, "Key", one->key);
                append_element(&answer, "UploadId", one->id);
                (void)buffer_append_text(&answer, "</Upload>");
        }
        (void)buffer_append_text(&answer, "<IsTruncated>false</IsTruncated>");
        send_answer(asked, &answer, "ListMultipartUploadsResult");
}

/* --- the end of an upload --- */

/* Some write ETags with their quotes, some without. */
static bool is_etag(const char *text, const char *etag)
{
        return text &&
               (text_equal(text, etag) || (strlen(text) + 2 == strlen(etag) &&
                                                  strncmp(text, etag + 1, strlen(text)) == 0));
}

/* The parts that are named, one behind the other. False: it has been refused. */
static bool join(const CloudAsked *asked,
        const CloudUpload *upload,
        const XmlElement *listed,
        Buffer *content,
        char etag[CLOUD_ETAG_MAX])
{
        _cleanup_(free) const char **etags = calloc(PARTS_MAX, sizeof(*etags));
        size_t count = 0, last = 0, before = PART_MIN;

        for (const XmlElement *one = xml_child(listed, "Part"); one; one = xml_next(one)) {
                const char *text = xml_child_text(one, "PartNumber");
                const Part *part;
                uint64_t number;

                if (!text || text_to_uint64(text, 1, PARTS_MAX, &number) < 0 ||
                        number > upload->n_parts || !upload->parts[number - 1].etag[0] ||
                        !is_etag(xml_child_text(one, "ETag"), upload->parts[number - 1].etag)) {
                        refuse(asked,
                                400,
                                "InvalidPart",
                                "One or more of the specified parts could not be found.");
                        return false;
                }
                if (number <= last) {
                        refuse(asked,
                                400,
                                "InvalidPartOrder",
                                "The list of parts was not in ascending order.");
                        return false;
                }
                if (before < PART_MIN) {
                        refuse(asked,
                                400,
                                "EntityTooSmall",
                                "Your proposed upload is smaller than the minimum allowed size");
                        return false;
                }
                part = &upload->parts[number - 1];
                last = number;
                before = part->content.size;
                if (!etags || buffer_append(content, buffer_text(&part->content), before) < 0) {
                        refuse_room(asked);
                        return false;
                }
                etags[count++] = part->etag;
        }
        if (count == 0 || cloud_etag_join(etags, count, etag) < 0) {
                refuse(asked, 400, "MalformedXML", "The XML you provided names no part");
                return false;
        }
        return true;
}

static void complete_upload(const CloudAsked *asked, CloudUpload *upload)
{
        _cleanup_(buffer_done) Buffer content = BUFFER_INIT(CLOUD_OBJECT_MAX),
                                      answer = BUFFER_INIT(XML_MAX);
        _cleanup_(xml_free) XmlElement *root = NULL;
        size_t size;
        const char *body = http_call_body(asked->call, &size);
        char etag[CLOUD_ETAG_MAX];

        if (!cloud_asked_may_else_deny(asked, "s3:PutObject") || !cloud_condition_holds(asked))
                return;
        if (xml_parse("body", body, size, &root, NULL) < 0) {
                refuse(asked, 400, "MalformedXML", "The XML you provided was not well-formed");
                return;
        }
        if (!join(asked, upload, root, &content, etag))
                return;
        if (cloud_keep_object(asked->bucket, asked->key, &content, &upload->meta, etag) < 0) {
                refuse_room(asked);
                return;
        }
        drop_upload(asked->bucket, upload);
        begin_answer(&answer, "CompleteMultipartUploadResult");
        append_element(&answer, "Bucket", asked->bucket->name);
        append_element(&answer, "Key", asked->key);
        append_element(&answer, "ETag", etag);
        send_answer(asked, &answer, "CompleteMultipartUploadResult");
}

static void abort_upload(const CloudAsked *asked, CloudUpload *upload)
{
        if (!cloud_asked_may_else_deny(asked, "s3:AbortMultipartUpload"))
                return;
        drop_upload(asked->bucket, upload);
        http_call_answer(asked->call, 204, NULL, NULL, 0);
}

/* --- the front --- */

static void serve_upload(const CloudAsked *asked, const char *id)
{
        _cleanup_(free) char *number = http_call_parameter(asked->call, "partNumber");
        const char *method = http_call_method(asked->call);
        CloudUpload *upload = asked->bucket->uploads;

        while (upload && !(text_equal(upload->id, id) && text_equal(upload->key, asked->key)))
                upload = upload->next;
        if (!upload)
                refuse(asked,
                        404,
                        "NoSuchUpload",
                        "The specified multipart upload does not exist. The upload ID may be "
                        "invalid, or the upload may have been aborted or completed.");
        else if (text_equal(method, "PUT") && number)
                put_part(asked, upload, number);
        else if (text_equal(method, "POST"))
                complete_upload(asked, upload);
        else if (text_equal(method, "DELETE"))
                abort_upload(asked, upload);
        else if (text_equal(method, "GET"))
                list_parts(asked, upload);
        else
                refuse(asked,
                        405,
                        "MethodNotAllowed",
                        "The specified method is not allowed against this resource.");
}

bool cloud_serve_upload(const CloudAsked *asked)
{
        _cleanup_(free) char *id = http_call_parameter(asked->call, "uploadId"),
                             *uploads = http_call_parameter(asked->call, "uploads");
        const char *method = http_call_method(asked->call);

        if (asked->key[0] && id)
                serve_upload(asked, id);
        else if (asked->key[0] && uploads && text_equal(method, "POST"))
                create_upload(asked);
        else if (!asked->key[0] && uploads && text_equal(method, "GET"))
                list_uploads(asked);
        else
                return false;
        return true;
}
