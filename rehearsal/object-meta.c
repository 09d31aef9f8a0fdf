/* What a request says of the object that it brings, and an answer of the one it gives. Source:
 * Amazon S3 User Guide, "Working with object metadata". */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define USERS "x-amz-meta-"

void cloud_meta_done(CloudMeta *meta)
{
        free(meta->checksum);
        free(meta->content_type);
        meta->users = json_free(meta->users);
}

int cloud_meta_read(const HttpCall *call, CloudMeta *ret)
{
        const char *type = http_call_header(call, "Content-Type");
        const char *checksum = http_call_header(call, "x-amz-checksum-sha256"), *name, *value;
        CloudMeta meta = {
                .content_type = text_copy(type && *type ? type : "binary/octet-stream"),
                .checksum = checksum ? text_copy(checksum) : NULL,
                .users = json_new_object(),
        };
        int r = meta.content_type && (!checksum || meta.checksum) && meta.users ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && http_call_next_header(call, i, &name, &value); i++)
                if (strncasecmp(name, USERS, strlen(USERS)) == 0)
                        r = json_set_text(meta.users, name, value);
        if (r < 0) {
                cloud_meta_done(&meta);
                return -ENOMEM;
        }
        *ret = meta;
        return 0;
}

void cloud_meta_tell(const CloudMeta *meta, HttpCall *call)
{
        const char *name;
        const Json *value;

        for (void *at = NULL; json_next_member(meta->users, &at, &name, &value);)
                http_call_set_header(call, name, json_text(value));
        if (meta->checksum && text_equal(http_call_header(call, "x-amz-checksum-mode"), "ENABLED"))
                http_call_set_header(call, "x-amz-checksum-sha256", meta->checksum);
}

bool cloud_body_is_whole(const CloudAsked *asked, const char *body, size_t size)
{
        const char *md5 = http_call_header(asked->call, "Content-MD5");
        const char *sha256 = http_call_header(asked->call, "x-amz-checksum-sha256");
        _cleanup_(free) char *own_md5 = cloud_md5_base64(body, size), *own = NULL;
        Digest digest;

        if (digest_sha256(body, size, &digest) == 0)
                own = digest_base64(&digest);
        if (sha256 && own && strlen(sha256) != strlen(own))
                cloud_refuse(asked->cloud,
                        asked->call,
                        400,
                        "InvalidRequest",
                        "Value for x-amz-checksum-sha256 header is invalid.");
        else if (sha256 && !text_equal(sha256, own))
                cloud_refuse(asked->cloud,
                        asked->call,
                        400,
                        "BadDigest",
                        "The SHA256 you specified did not match the calculated checksum.");
        else if (md5 && !text_equal(md5, own_md5))
                cloud_refuse(asked->cloud,
                        asked->call,
                        400,
                        "BadDigest",
                        "The Content-MD5 you specified did not match what we received.");
        else
                return true;
        return false;
}
