/* Small readers: times, spans, numbers, base64, UTF-8. */

#include "base/clock.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(free) char *text = as_text(data, size), *encoded = text_base64(data, size);
        _cleanup_(free) void *decoded = NULL, *other = NULL;
        static const char *const known[] = {"control", "agent", "client", NULL};
        char span[CLOCK_SPAN_MAX], utc[CLOCK_UTC_MAX];
        uint64_t number = 0;
        size_t length;
        Usec usec, again;

        if (clock_parse_utc(text, &usec) == 0) {
                clock_format_utc(usec, utc);
                if (clock_parse_utc(utc, &again) < 0 || again / USEC_PER_SEC != usec / USEC_PER_SEC)
                        abort();
        }
        (void)clock_parse_http_date(text, &usec);
        (void)text_to_uint64(text, 0, UINT64_MAX, &number);
        (void)clock_format_span(number, span);
        (void)text_to_usec(text, &number);
        (void)text_nearest(text, known);
        (void)text_base64_decode(text, strlen(text), &other, &length);
        if (text_base64_decode(encoded, strlen(encoded), &decoded, &length) < 0 || length != size ||
                (size > 0 && memcmp(decoded, data, size) != 0))
                abort();
        if (text_is_utf8(text, strlen(text)) && strlen(text) > 4) {
                text_shorten(text, strlen(text) - 1);
                if (!text_is_utf8(text, strlen(text)))
                        abort();
        }
        return 0;
}
