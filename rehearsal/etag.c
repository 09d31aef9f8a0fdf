/* cloud_etag: what S3 tells of a content, apart from the content. */

#include "rehearsal/cloud-parts.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MD5_SIZE 16U

static int make_md5(const void *data, size_t size, uint8_t ret[MD5_SIZE])
{
        return EVP_Digest(data, size, ret, NULL, EVP_md5(), NULL) == 1 ? 0 : -ENOMEM;
}

int cloud_etag(const void *data, size_t size, char ret[CLOUD_ETAG_MAX])
{
        uint8_t digest[MD5_SIZE];
        char hex[2 * MD5_SIZE + 1];

        if (make_md5(data, size, digest) < 0)
                return -ENOMEM;
        text_hex(digest, sizeof(digest), hex);
        (void)snprintf(ret, CLOUD_ETAG_MAX, "\"%s\"", hex);
        return 0;
}

/* An ETag of cloud_etag(), back to the digest. */
static void read_etag(const char *etag, uint8_t ret[MD5_SIZE])
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < MD5_SIZE; i++) {
                const char *pair = etag + 1 + 2 * i;

                ret[i] = (uint8_t)((strchr(digits, pair[0]) - digits) << 4 |
                                   (strchr(digits, pair[1]) - digits));
        }
}

int cloud_etag_join(const char *const *etags, size_t count, char ret[CLOUD_ETAG_MAX])
{
        _cleanup_(buffer_done) Buffer digests = BUFFER_INIT(count * MD5_SIZE);
        uint8_t digest[MD5_SIZE];
        char hex[2 * MD5_SIZE + 1];

        for (size_t i = 0; i < count; i++) {
                read_etag(etags[i], digest);
                if (buffer_append(&digests, digest, sizeof(digest)) < 0)
                        return -ENOMEM;
        }
        if (make_md5(buffer_text(&digests), digests.size, digest) < 0)
                return -ENOMEM;
        text_hex(digest, sizeof(digest), hex);
        (void)snprintf(ret, CLOUD_ETAG_MAX, "\"%s-%zu\"", hex, count);
        return 0;
}

char *cloud_md5_base64(const void *data, size_t size)
{
        uint8_t digest[MD5_SIZE];

        return make_md5(data, size, digest) < 0 ? NULL : text_base64(digest, sizeof(digest));
}

void cloud_format_http_date(Usec wall, char ret[CLOUD_HTTP_DATE_MAX])
{
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t seconds = (time_t)(wall / USEC_PER_SEC);
        struct tm parts = {};

        (void)gmtime_r(&seconds, &parts);
        (void)snprintf(ret,
                CLOUD_HTTP_DATE_MAX,
                "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                days + 3 * parts.tm_wday,
                (unsigned)parts.tm_mday % 100,
                months + 3 * parts.tm_mon,
                (unsigned)(parts.tm_year + 1900) % 10000,
                (unsigned)parts.tm_hour % 100,
                (unsigned)parts.tm_min % 100,
                (unsigned)parts.tm_sec % 100);
}
