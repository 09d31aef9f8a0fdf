#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_equal(const char *a, const char *b)
{
        if (!a || !b)
                return a == b;
        return strcmp(a, b) == 0;
}

bool text_is_empty(const char *text)
{
        return !text || !text[0];
}

bool text_starts(const char *text, const char *prefix)
{
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
        size_t length = strlen(text), wanted = strlen(suffix);

        return length >= wanted && memcmp(text + length - wanted, suffix, wanted) == 0;
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool text_equal_case(const char *a, const char *b)
{
        for (; *a && *b; a++, b++)
                if (lower(*a) != lower(*b))
                        return false;
        return *a == *b;
}

char *text_copy(const char *text)
{
        return strdup(text);
}

char *text_copy_part(const char *text, size_t length)
{
        return strndup(text, length);
}

char *text_format(const char *format, ...)
{
        char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = vasprintf(&text, format, arguments);
        va_end(arguments);
        return r < 0 ? NULL : text;
}

int text_put(char *place, size_t size, const char *text)
{
        size_t length = strlen(text);

        if (length >= size) {
                if (size > 0)
                        place[0] = '\0';
                return -ENOBUFS;
        }

        memcpy(place, text, length + 1);
        return 0;
}

/* Digits to their value; an overflow is -ERANGE only when all of the rest are digits too. */
static int digits_to_uint64(const char *digits, size_t length, uint64_t *ret)
{
        uint64_t value = 0;
        bool overflow = false;

        if (length == 0)
                return -EINVAL;

        for (size_t i = 0; i < length; i++) {
                if (digits[i] < '0' || digits[i] > '9')
                        return -EINVAL;
                overflow |= __builtin_mul_overflow(value, 10, &value);
                overflow |= __builtin_add_overflow(value, (uint64_t)(digits[i] - '0'), &value);
        }

        if (overflow)
                return -ERANGE;

        *ret = value;
        return 0;
}

int text_to_uint64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t value;
        int r;

        r = digits_to_uint64(text, strlen(text), &value);
        if (r < 0)
                return r;
        if (value < min || value > max)
                return -ERANGE;

        *ret = value;
        return 0;
}

int text_to_int64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
        bool negative = text[0] == '-' && min < 0;
        int64_t value;
        uint64_t size;
        int r;

        r = digits_to_uint64(text + negative, strlen(text + negative), &size);
        if (r < 0)
                return r;
        if (size > (uint64_t)INT64_MAX)
                return -ERANGE;

        value = negative ? -(int64_t)size : (int64_t)size;
        if (value < min || value > max)
                return -ERANGE;

        *ret = value;
        return 0;
}

int text_to_usec(const char *text, uint64_t *ret)
{
        static const struct {
                const char *unit;
                uint64_t usec;
        } units[] = {
                {"us", 1},
                {"ms", 1000},
                {"s", 1000000},
                {"min", 60000000ULL},
                {"h", 3600000000ULL},
                {"d", 86400000000ULL},
                {"w", 604800000000ULL},
        };
        size_t digits = strspn(text, "0123456789");
        uint64_t value;
        int r;

        r = digits_to_uint64(text, digits, &value);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (text_equal(text + digits, units[i].unit))
                        return __builtin_mul_overflow(value, units[i].usec, ret) ? -ERANGE : 0;

        return -EINVAL;
}

/* The length of the UTF-8 character that starts at `bytes`, 0 if none does (RFC 3629, section 4).
 */
static size_t utf8_character(const unsigned char *bytes, size_t left)
{
        unsigned char low = 0x80, high = 0xBF;
        size_t length;

        if (bytes[0] < 0x80)
                return 1;
        if (bytes[0] < 0xC2 || bytes[0] > 0xF4)
                return 0;

        length = bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
        if (left < length)
                return 0;

        if (bytes[0] == 0xE0)
                low = 0xA0;
        else if (bytes[0] == 0xED)
                high = 0x9F;
        else if (bytes[0] == 0xF0)
                low = 0x90;
        else if (bytes[0] == 0xF4)
                high = 0x8F;

        if (bytes[1] < low || bytes[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if ((bytes[i] & 0xC0) != 0x80)
                        return 0;
        return length;
}

bool text_is_utf8(const char *text, size_t length)
{
        for (size_t i = 0; i < length;) {
                size_t n = utf8_character((const unsigned char *)text + i, length - i);

                if (n == 0)
                        return false;
                i += n;
        }
        return true;
}

size_t text_cut(const char *text, size_t length, size_t max)
{
        if (length <= max)
                return length;

        while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
                max--;
        return max;
}

void text_shorten(char *text, size_t max)
{
        static const char ellipsis[] = "…";
        size_t room = max < sizeof(ellipsis) - 1 ? 0 : max - (sizeof(ellipsis) - 1);
        size_t kept = text_cut(text, strlen(text), room);

        memcpy(text + kept, ellipsis, room > 0 ? sizeof(ellipsis) : 0);
        if (room == 0)
                text[kept] = '\0';
}

void text_mend_utf8(char *text)
{
        size_t length = strlen(text);

        for (size_t i = 0; i < length;) {
                size_t n = utf8_character((const unsigned char *)text + i, length - i);

                if (n == 0)
                        text[i] = '?';
                i += n > 0 ? n : 1;
        }
}

void text_flatten(char *text)
{
        size_t length = strlen(text);

        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
                        text[i] = ' ';
        while (length > 0 && text[length - 1] == ' ')
                text[--length] = '\0';
}

char *text_strip(char *text)
{
        static const char blanks[] = " \t\r\n";
        size_t length;

        text += strspn(text, blanks);
        length = strlen(text);
        while (length > 0 && strchr(blanks, text[length - 1]))
                text[--length] = '\0';
        return text;
}

static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *text_base64(const void *data, size_t size)
{
        const unsigned char *bytes = data;
        char *text, *p;

        p = text = malloc((size + 2) / 3 * 4 + 1);
        if (!text)
                return NULL;

        for (size_t i = 0; i < size; i += 3) {
                size_t left = size - i;
                uint32_t group = (uint32_t)bytes[i] << 16;

                if (left > 1)
                        group |= (uint32_t)bytes[i + 1] << 8;
                if (left > 2)
                        group |= bytes[i + 2];

                *p++ = base64_digits[group >> 18];
                *p++ = base64_digits[(group >> 12) & 63];
                *p++ = left > 1 ? base64_digits[(group >> 6) & 63] : '=';
                *p++ = left > 2 ? base64_digits[group & 63] : '=';
        }

        *p = '\0';
        return text;
}

static int base64_value(char digit)
{
        const char *place = digit ? strchr(base64_digits, digit) : NULL;

        return place ? (int)(place - base64_digits) : -1;
}

int text_base64_decode(const char *text, size_t length, void **ret_data, size_t *ret_size)
{
        size_t padding = 0, size;
        _cleanup_(free) unsigned char *data = NULL;
        uint32_t group = 0;

        if (length % 4 != 0)
                return -EINVAL;
        while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
                padding++;

        size = length / 4 * 3 - padding;
        data = malloc(size + 3); /* the last group is written whole */
        if (!data)
                return -ENOMEM;

        for (size_t i = 0; i < length; i++) {
                int value = i < length - padding ? base64_value(text[i]) : 0;

                if (value < 0)
                        return -EINVAL;
                group = group << 6 | (uint32_t)value;
                if (i % 4 != 3)
                        continue;
                data[i / 4 * 3] = (unsigned char)(group >> 16);
                data[i / 4 * 3 + 1] = (unsigned char)(group >> 8);
                data[i / 4 * 3 + 2] = (unsigned char)group;
        }

        for (size_t i = size; i < size + padding; i++)
                if (data[i] != 0) /* bits behind the end: not canonical */
                        return -EINVAL;

        data[size] = '\0';
        *ret_data = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

void text_hex(const void *data, size_t size, char *ret)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *bytes = data;

        for (size_t i = 0; i < size; i++) {
                ret[2 * i] = digits[bytes[i] >> 4];
                ret[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret[2 * size] = '\0';
}

void text_uuid4(const uint8_t bytes[16], char ret[37])
{
        uint8_t uuid[16];
        char hex[33], *p = ret;

        memcpy(uuid, bytes, sizeof(uuid));
        uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x40);
        uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
        text_hex(uuid, sizeof(uuid), hex);

        for (size_t i = 0; i < 32; i++) {
                if (i == 8 || i == 12 || i == 16 || i == 20)
                        *p++ = '-';
                *p++ = hex[i];
        }
        *p = '\0';
}

bool text_is_uuid(const char *text)
{
        for (size_t i = 0; i < 36; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;

                if (dash ? text[i] != '-' : !text[i] || !strchr("0123456789abcdef", text[i]))
                        return false;
        }
        return text[36] == '\0';
}

#define NEAREST_LENGTH_MAX 64U

static size_t smallest(size_t a, size_t b, size_t c)
{
        size_t least = a < b ? a : b;

        return least < c ? least : c;
}

/* How many letters have to be put in, taken out or changed (Levenshtein), row by row. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t row[NEAREST_LENGTH_MAX + 1], n = strlen(b);

        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t above = row[j];

                        row[j] = smallest(
                                above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
                        diagonal = above;
                }
        }
        return row[n];
}

const char *text_nearest(const char *text, const char *const *known)
{
        size_t length = strlen(text), least = length / 3 + 1;
        const char *nearest = NULL;

        if (length == 0 || length > NEAREST_LENGTH_MAX)
                return NULL;

        for (size_t i = 0; known[i]; i++) {
                size_t distance;

                if (strlen(known[i]) > NEAREST_LENGTH_MAX)
                        continue;
                distance = edit_distance(text, known[i]);
                if (distance <= least && (!nearest || distance < least)) {
                        least = distance;
                        nearest = known[i];
                }
        }
        return nearest;
}
