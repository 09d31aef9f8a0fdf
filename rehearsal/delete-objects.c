/* cloud_serve_deletion: many objects at once. Source: Amazon S3 API Reference, DeleteObjects. */

#include "base/text.h"
#include "base/xml.h"
#include "rehearsal/cloud-parts.h"

static void delete_listed(const CloudAsked *asked, const XmlElement *listed, Buffer *answer)
{
        const char *key = xml_child_text(listed, "Key"), *version;
        bool may;

        if (!key)
                return;
        version = xml_child_text(listed, "VersionId");
        may = cloud_asked_may(
                asked, version ? "s3:DeleteObjectVersion" : "s3:DeleteObject", key, NULL, 0);
        if (may)
                cloud_drop_object(asked->bucket, key);
        (void)buffer_append_text(answer, may ? "<Deleted><Key>" : "<Error><Key>");
        (void)cloud_append_escaped(answer, key);
        (void)buffer_append_text(answer,
                may ? "</Key></Deleted>"
                    : "</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
}

void cloud_serve_deletion(const CloudAsked *asked)
{
        _cleanup_(buffer_done) Buffer answer = BUFFER_INIT(CLOUD_LISTING_MAX);
        _cleanup_(xml_free) XmlElement *root = NULL;
        size_t size;
        const char *body = http_call_body(asked->call, &size);

        if (!cloud_body_is_whole(asked, body, size))
                return;
        if (xml_parse("body", body, size, &root, NULL) < 0 || !text_equal(root->name, "Delete")) {
                cloud_refuse(asked->cloud,
                        asked->call,
                        400,
                        "MalformedXML",
                        "The XML you provided was not well-formed or did not validate against our "
                        "published schema");
                return;
        }
        (void)buffer_append_text(
                &answer, CLOUD_XML_HEAD "<DeleteResult xmlns=\"" CLOUD_S3_NAMESPACE "\">");
        for (const XmlElement *one = xml_child(root, "Object"); one; one = xml_next(one))
                delete_listed(asked, one, &answer);
        (void)buffer_append_text(&answer, "</DeleteResult>");
        http_call_answer(asked->call, 200, CLOUD_XML, buffer_text(&answer), answer.size);
}
