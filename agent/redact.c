#include "agent/redact.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define REDACTED "[redacted]"

/* What begins a secret, and the bytes that it may consist of. */
typedef struct Mark {
        const char *start;
        bool keeps_start; /* "X-Amz-Signature=" stays, so that the text can be understood */
        const char *more; /* allowed beside letters and digits */
} Mark;

static const Mark marks[] = {
        {"SWMTKN-", false, "-"},
        {"X-Amz-Signature=", true, "%"},
        {"X-Amz-Security-Token=", true, "%-._~"},
        {"X-Amz-Credential=", true, "%-._~/"},
};

static const char *const keys[] = {
        "secret_access_key",
        "SecretAccessKey",
        "password",
        "passphrase",
        "JoinToken",
        "\"token",
};

#define PEM_BEGIN "-----BEGIN "
#define PEM_KEY   "PRIVATE KEY-----"
#define PEM_END   "-----END "

/* How many bytes of a private key in PEM stand here; one without an end is one to the end. */
static size_t measure_key(const char *text)
{
        const char *line, *end;

        if (!text_starts(text, PEM_BEGIN))
                return 0;
        line = text + strcspn(text, "\n\\");
        if (!memmem(text, (size_t)(line - text), PEM_KEY, strlen(PEM_KEY)))
                return 0;
        end = strstr(text, PEM_END);
        if (!end)
                return strlen(text);
        end += strlen(PEM_END);
        return (size_t)(end - text) + strcspn(end, "\n\\\"");
}

static size_t measure_mark(const char *text, size_t *ret_kept)
{
        for (size_t i = 0; i < ELEMENTS(marks); i++) {
                size_t start = strlen(marks[i].start), length = start;

                if (strncasecmp(text, marks[i].start, start) != 0)
                        continue;
                while (isalnum((unsigned char)text[length]) ||
                        (text[length] && strchr(marks[i].more, text[length])))
                        length++;
                *ret_kept = marks[i].keeps_start ? start : 0;
                return length;
        }
        return 0;
}

/* `secret_access_key: "x"`, `"SecretAccessKey":"x"`, `password=x`: the value goes. */
static size_t measure_value(const char *text, size_t *ret_kept)
{
        static const char blanks[] = " \t\"'\\:=";

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                size_t key = strlen(keys[i]), gap, value;

                if (strncasecmp(text, keys[i], key) != 0)
                        continue;
                gap = strspn(text + key, blanks);
                if (!memchr(text + key, ':', gap) && !memchr(text + key, '=', gap))
                        continue;
                value = strcspn(text + key + gap, " \t\r\n\"'\\,}&;");
                *ret_kept = key + gap;
                return value > 0 ? key + gap + value : 0;
        }
        return 0;
}

static size_t measure_given(const char *text, const Secret *const *secrets)
{
        for (size_t i = 0; secrets[i]; i++)
                if (secret_size(secrets[i]) > 0 && text_starts(text, secret_data(secrets[i])))
                        return secret_size(secrets[i]);
        return 0;
}

/* How many bytes of a secret stand at `text`, and how many of them may be shown; 0: none. */
static size_t measure(const char *text, const Secret *const *secrets, size_t *ret_kept)
{
        size_t length;

        *ret_kept = 0;
        length = measure_given(text, secrets);
        if (length == 0)
                length = measure_key(text);
        if (length == 0)
                length = measure_mark(text, ret_kept);
        return length > 0 ? length : measure_value(text, ret_kept);
}

int redact_text(const char *text, const Secret *const *secrets, Buffer *ret)
{
        const char *plain = text; /* the start of what may be shown */
        int r = 0;

        while (*text && r == 0) {
                size_t kept, length = measure(text, secrets, &kept);

                if (length == 0) {
                        text++;
                        continue;
                }
                r = buffer_append(ret, plain, (size_t)(text - plain) + kept);
                if (r == 0)
                        r = buffer_append_text(ret, REDACTED);
                text += length;
                plain = text;
        }
        return r == 0 ? buffer_append(ret, plain, (size_t)(text - plain)) : r;
}
