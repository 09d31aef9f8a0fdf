#include "base/gzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#define WITH_GZIP_HEADER (16 + MAX_WBITS)
#define CHUNK            (16U * 1024U)

DEFINE_CLEANUP_IN_PLACE(z_stream, inflateEnd);

bool gzip_is(const void *data, size_t size)
{
        const uint8_t *bytes = data;

        return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static int unpack_chunk(z_stream *stream, Buffer *ret, int *ret_status)
{
        char *place;
        int r;

        r = buffer_reserve(ret, CHUNK, &place);
        if (r < 0) /* near the bound: as much as is left of it */
                return r;
        stream->next_out = (Bytef *)place;
        stream->avail_out = CHUNK;
        *ret_status = inflate(stream, Z_NO_FLUSH);
        ret->size += CHUNK - stream->avail_out;
        ret->data[ret->size] = '\0';
        return 0;
}

int gzip_unpack(const char *name, const void *data, size_t size, Buffer *ret, Error *ret_error)
{
        _cleanup_(inflateEnd) z_stream stream = {};
        int status = Z_OK, r = 0;

        if (size > INT_MAX)
                return error_set(ret_error, -EFBIG, "cannot unpack '%s': it is too large", name);
        stream.next_in = (z_const Bytef *)(uintptr_t)data;
        stream.avail_in = (uInt)size;
        if (inflateInit2(&stream, WITH_GZIP_HEADER) != Z_OK)
                return error_set(ret_error, -ENOMEM, "cannot unpack '%s': %m", name);

        while (r == 0 && status == Z_OK)
                r = unpack_chunk(&stream, ret, &status);
        if (r < 0)
                return error_set(ret_error,
                        r,
                        "cannot unpack '%s': it holds more than %zu bytes",
                        name,
                        ret->max);
        if (status != Z_STREAM_END || stream.avail_in > 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot unpack '%s': %s",
                        name,
                        status == Z_STREAM_END  ? "there is something behind the gzip stream"
                        : status == Z_BUF_ERROR ? "the gzip stream is cut short"
                        : stream.msg            ? stream.msg
                                                : "it is damaged");
        return 0;
}
