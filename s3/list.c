/* s3_list: a bucket's keys, or their versions, page by page. */

#include "base/text.h"
#include "base/xml.h"
#include "s3/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (8U * 1024U * 1024U) /* bytes: 1,000 keys of 1,024 bytes, percent-encoded */

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* encoding-type=url: percent-encoding, and '+' for a blank; in place. -EBADMSG. */
static int decode(char *text)
{
        char *to = text;

        for (const char *from = text; *from; from++) {
                if (*from == '%') {
                        int high = hex_value(from[1]), low = high < 0 ? -1 : hex_value(from[2]);

                        if (low < 0 || (high == 0 && low == 0))
                                return -EBADMSG;
                        *to++ = (char)(unsigned char)(high * 16 + low);
                        from += 2;
                } else if (*from == '+')
                        *to++ = ' ';
                else
                        *to++ = *from;
        }
        *to = '\0';
        return 0;
}

typedef struct Listing {
        const char *prefix;
        bool versions;
        bool encoded; /* the server did as encoding-type asked */
        S3Visit visit;
        void *userdata;
        char *token, *key_marker, *version_marker; /* of the next page; NULL: none */
        Error *ret_error;
} Listing;

static void listing_done(Listing *listing)
{
        free(listing->token);
        free(listing->key_marker);
        free(listing->version_marker);
}
DEFINE_CLEANUP_IN_PLACE(Listing, listing_done);

static int append_parameter(Buffer *query, const char *name, const char *value)
{
        _cleanup_(free) char *encoded = http_encode(value, false);

        return encoded ? buffer_append_format(query, "&%s=%s", name, encoded) : -ENOMEM;
}

/* In the order of their names: a server that sorts them to check the signature finds them sorted.
 */
static int make_query(const Listing *listing, Buffer *query)
{
        int r;

        r = listing->token ? append_parameter(query, "continuation-token", listing->token) : 0;
        if (r == 0)
                r = buffer_append_text(query, "&encoding-type=url");
        if (r == 0 && listing->key_marker)
                r = append_parameter(query, "key-marker", listing->key_marker);
        if (r == 0 && !listing->versions)
                r = buffer_append_text(query, "&list-type=2");
        if (r == 0)
                r = append_parameter(query, "prefix", listing->prefix);
        if (r == 0 && listing->version_marker)
                r = append_parameter(query, "version-id-marker", listing->version_marker);
        return r == 0 && listing->versions ? buffer_append_text(query, "&versions=") : r;
}

static int visit_one(Listing *listing, const XmlElement *element)
{
        const char *key = xml_child_text(element, "Key"), *size = xml_child_text(element, "Size");
        _cleanup_(free) char *decoded = key ? text_copy(key) : NULL;
        S3Listed listed = {.version = xml_child_text(element, "VersionId")};

        if (!decoded || (listing->encoded && decode(decoded) < 0))
                return error_set(listing->ret_error,
                        key && !decoded ? -ENOMEM : -EPROTO,
                        "cannot read a listing: an entry has no proper key");
        if (size && text_to_uint64(size, 0, UINT64_MAX, &listed.size) < 0)
                listed.size = 0;
        listed.key = decoded;
        return listing->visit(&listed, listing->userdata, listing->ret_error);
}

static bool is_entry(const Listing *listing, const XmlElement *element)
{
        if (!listing->versions)
                return text_equal(element->name, "Contents");
        return text_equal(element->name, "Version") || text_equal(element->name, "DeleteMarker");
}

static int keep(char **place, const char *value)
{
        free(*place);
        *place = value ? text_copy(value) : NULL;
        return value && !*place ? -ENOMEM : 0;
}

/* Markers come encoded too, and go out decoded: make_query encodes them. */
static int keep_markers(Listing *listing, const XmlElement *root)
{
        int r;

        r = keep(&listing->token, xml_child_text(root, "NextContinuationToken"));
        if (r == 0)
                r = keep(&listing->key_marker, xml_child_text(root, "NextKeyMarker"));
        if (r == 0)
                r = keep(&listing->version_marker, xml_child_text(root, "NextVersionIdMarker"));
        if (r == 0 && listing->key_marker && listing->encoded)
                r = decode(listing->key_marker);
        return r < 0 ? error_set(listing->ret_error, r, "cannot read a listing: %m") : 0;
}

/* *ret_more: another page follows. */
static int read_page(Listing *listing, const HttpResponse *response, bool *ret_more)
{
        _cleanup_(xml_free) XmlElement *root = NULL;
        int r;

        r = xml_parse("a listing of S3",
                buffer_text(&response->body),
                response->body.size,
                &root,
                listing->ret_error);
        if (r < 0)
                return r;

        listing->encoded = text_equal(xml_child_text(root, "EncodingType"), "url");
        for (const XmlElement *child = root->children; child; child = child->next) {
                if (!is_entry(listing, child))
                        continue;
                r = visit_one(listing, child);
                if (r < 0)
                        return r;
        }

        *ret_more = text_equal(xml_child_text(root, "IsTruncated"), "true");
        r = keep_markers(listing, root);
        if (r == 0 && *ret_more && !listing->token && !listing->key_marker)
                r = error_set(listing->ret_error,
                        -EPROTO,
                        "cannot read a listing: it goes on, and does not say where");
        return r;
}

int s3_list(S3Bucket *bucket,
        const char *prefix,
        bool versions,
        Usec deadline,
        S3Visit visit,
        void *userdata,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(listing_done) Listing listing = {
                .prefix = prefix,
                .versions = versions,
                .visit = visit,
                .userdata = userdata,
                .ret_error = ret_error,
        };

        for (unsigned page = 0; page < S3_PAGES_MAX; page++) {
                _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
                _cleanup_(buffer_done) Buffer query = BUFFER_INIT(16U * 1024U);
                bool more = false;
                int r;

                r = make_query(&listing, &query);
                if (r < 0)
                        return error_set(ret_error, r, "cannot list '%s': %m", prefix);
                r = s3_perform(bucket,
                        &(S3Request){
                                .method = "GET",
                                .verb = "list",
                                .query = buffer_text(&query) + 1, /* without the first '&' */
                                .response_max = PAGE_MAX,
                                .deadline = deadline,
                        },
                        &response,
                        ret_fault,
                        ret_error);
                if (r == S3_OK)
                        r = read_page(&listing, &response, &more);
                if (r != S3_OK || !more)
                        return r;
        }
        return error_set(ret_error, -EPROTO, "cannot list '%s': its pages do not end", prefix);
}

bool s3_may_list(S3Bucket *bucket, Usec deadline)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;

        return s3_perform(bucket,
                       &(S3Request){
                               .method = "GET",
                               .verb = "list",
                               .query = "list-type=2&max-keys=1",
                               .deadline = deadline,
                       },
                       &response,
                       NULL,
                       NULL) == S3_OK;
}
