#include "s3/address.h"

#include "base/text.h"
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789"

int s3_bucket_check(const char *bucket, Error *ret_error)
{
        size_t length = strlen(bucket);

        if (length >= 3 && length <= S3_BUCKET_MAX &&
                strspn(bucket, LETTERS_AND_DIGITS "-.") == length &&
                strchr(LETTERS_AND_DIGITS, bucket[0]) &&
                strchr(LETTERS_AND_DIGITS, bucket[length - 1]) && !strstr(bucket, ".."))
                return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot use the bucket '%.80s': expected 3 to 63 of a-z, 0-9, '-' and '.', a "
                "letter or "
                "digit at both ends",
                bucket);
}

static bool has_dot_segment(const char *key)
{
        for (const char *segment = key;;) {
                size_t length = strcspn(segment, "/");

                if ((length == 1 && segment[0] == '.') ||
                        (length == 2 && segment[0] == '.' && segment[1] == '.'))
                        return true;
                if (!segment[length])
                        return false;
                segment += length + 1;
        }
}

int s3_key_check(const char *key, Error *ret_error)
{
        size_t length = strlen(key);
        const char *cause = NULL;

        if (length == 0)
                cause = "it is empty";
        else if (length > S3_KEY_MAX)
                cause = "it has more than 1024 bytes";
        else if (!text_is_utf8(key, length))
                cause = "it is no UTF-8";
        else if (has_dot_segment(key))
                cause = "a segment '.' or '..' cannot be sent as it is";
        for (const char *c = key; *c && !cause; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7F)
                        cause = "it has a control character";
        return cause ? error_set(ret_error, -EDOM, "cannot use the key '%.100s': %s", key, cause)
                     : 0;
}

/* The host's part of the URL, without the bucket. */
static int service_url(const AwsEndpointOptions *endpoint,
        const char *bucket,
        bool by_path,
        char **ret,
        Error *ret_error)
{
        const AwsPartition *partition = aws_partition_of_region(endpoint->region);
        const char *suffix = endpoint->domain ? endpoint->domain : partition->suffix;

        if (endpoint->fips && text_equal(partition->name, "aws-cn"))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use FIPS endpoints of S3 in partition 'aws-cn': there are none");
        *ret = text_format("https://%s%ss3%s%s.%s.%s",
                by_path ? "" : bucket,
                by_path ? "" : ".",
                endpoint->fips ? "-fips" : "",
                endpoint->dualstack ? ".dualstack" : "",
                endpoint->region,
                suffix);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot name an endpoint: %m");
}

int s3_url(const AwsEndpointOptions *endpoint,
        const char *bucket,
        const char *key,
        const char *query,
        char **ret,
        Error *ret_error)
{
        bool by_path = endpoint->override || strchr(bucket, '.');
        _cleanup_(free) char *base = NULL, *encoded = http_encode(key ? key : "", true);
        int r;

        if (!encoded)
                return error_set(ret_error, -ENOMEM, "cannot name an object: %m");
        r = endpoint->override ? aws_endpoint(endpoint, "s3", &base, ret_error)
                               : aws_region_check(endpoint->region, ret_error);
        if (r == 0 && !base)
                r = service_url(endpoint, bucket, by_path, &base, ret_error);
        if (r < 0)
                return r;

        *ret = text_format("%s%s%s/%s%s%s",
                base,
                by_path ? "/" : "",
                by_path ? bucket : "",
                encoded,
                query ? "?" : "",
                query ? query : "");
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot name an object: %m");
}

int s3_store_url_parse(const char *url, char **ret_bucket, char **ret_prefix, Error *ret_error)
{
        _cleanup_(free) char *bucket = NULL, *prefix = NULL;
        size_t length;
        int r;

        if (!text_starts(url, "s3://"))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the store '%.100s': expected s3://BUCKET or s3://BUCKET/PREFIX",
                        url);
        url += strlen("s3://");
        length = strcspn(url, "/");
        bucket = text_copy_part(url, length);
        url += length;
        while (*url == '/')
                url++;
        prefix = text_copy(url);
        if (!bucket || !prefix)
                return error_set(ret_error, -ENOMEM, "cannot use a store: %m");
        for (size_t n = strlen(prefix); n > 0 && prefix[n - 1] == '/'; n--)
                prefix[n - 1] = '\0';

        r = s3_bucket_check(bucket, ret_error);
        if (r == 0 && prefix[0])
                r = s3_key_check(prefix, ret_error);
        if (r == 0 && strlen(prefix) > S3_KEY_MAX / 2)
                r = error_set(ret_error, -EDOM, "cannot use the store's prefix: it is too long");
        if (r < 0)
                return r;
        *ret_bucket = TAKE_PTR(bucket);
        *ret_prefix = TAKE_PTR(prefix);
        return 0;
}

int s3_object_url_parse(const char *url, char **ret_bucket, char **ret_key, Error *ret_error)
{
        _cleanup_(free) char *bucket = NULL, *key = NULL;
        const char *name, *slash;
        int r;

        name = text_starts(url, "s3://") ? url + strlen("s3://") : "";
        slash = strchr(name, '/');
        if (!slash || !slash[1] || text_ends(url, "/"))
                return error_set(
                        ret_error, -EINVAL, "cannot use '%.100s': expected s3://BUCKET/KEY", url);
        bucket = text_copy_part(name, (size_t)(slash - name));
        key = text_copy(slash + 1);
        if (!bucket || !key)
                return error_set(ret_error, -ENOMEM, "cannot use '%.100s': %m", url);
        r = s3_bucket_check(bucket, ret_error);
        if (r == 0)
                r = s3_key_check(key, ret_error);
        if (r < 0)
                return r;
        *ret_bucket = TAKE_PTR(bucket);
        *ret_key = TAKE_PTR(key);
        return 0;
}
