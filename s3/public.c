#include "s3/public.h"

#include "base/text.h"
#include "base/xml.h"
#include "s3/request.h"

#define CONFIGURATION_MAX (16U * 1024U) /* bytes */

/* A configuration of the bucket; NULL: none, or it may not be read. */
static XmlElement *ask(S3Bucket *bucket, const char *query, Usec deadline)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        XmlElement *root = NULL;

        if (s3_perform(bucket,
                    &(S3Request){
                            .method = "GET",
                            .verb = "look at",
                            .query = query,
                            .response_max = CONFIGURATION_MAX,
                            .deadline = deadline,
                    },
                    &response,
                    NULL,
                    NULL) != S3_OK)
                return NULL;
        if (xml_parse(query, buffer_text(&response.body), response.body.size, &root, NULL) < 0)
                return NULL;
        return root;
}

static bool has(const XmlElement *element, const char *name, const char *value)
{
        const char *text = element ? xml_child_text(element, name) : NULL;

        return text && text_equal_case(text, value);
}

const char *s3_public_obstacle(S3Bucket *bucket, Usec deadline)
{
        _cleanup_(xml_free) XmlElement *block = ask(bucket, "publicAccessBlock=", deadline);
        _cleanup_(xml_free) XmlElement *ownership = ask(bucket, "ownershipControls=", deadline);

        if (has(block, "BlockPublicAcls", "true"))
                return "its public access block has BlockPublicAcls";
        if (has(block, "IgnorePublicAcls", "true"))
                return "its public access block has IgnorePublicAcls";
        if (has(xml_child(ownership, "Rule"), "ObjectOwnership", "BucketOwnerEnforced"))
                return "its ObjectOwnership is BucketOwnerEnforced, which turns ACLs off";
        return NULL;
}
