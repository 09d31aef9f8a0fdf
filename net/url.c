/* What of net/http.h needs no libcurl: http_is_transient, http_encode, http_url_parse,
 * http_url_has_dots. */

#include "base/text.h"
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool http_is_transient(int code)
{
        return code == -ECONNREFUSED || code == -ECONNRESET || code == -EHOSTUNREACH ||
               code == -ETIMEDOUT;
}

static bool is_unreserved(char c)
{
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '~';
}

char *http_encode(const char *text, bool keep_slash)
{
        static const char digits[] = "0123456789ABCDEF";
        char *encoded, *p;

        p = encoded = malloc(3 * strlen(text) + 1);
        if (!encoded)
                return NULL;

        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (is_unreserved(*text) || (keep_slash && c == '/')) {
                        *p++ = *text;
                        continue;
                }
                *p++ = '%';
                *p++ = digits[c >> 4];
                *p++ = digits[c & 15];
        }
        *p = '\0';
        return encoded;
}

void http_url_done(HttpUrl *url)
{
        free(url->scheme);
        free(url->host);
        free(url->path);
        free(url->query);
        *url = (HttpUrl){};
}

/* `cause` alone may be shown: the URL can be a capability. */
static int refuse(const char *url, const char *cause, Error *ret_error)
{
        size_t shown = strcspn(url, "?#");

        if (shown > 100)
                shown = 100;
        return error_set(ret_error,
                -EINVAL,
                "cannot use the URL '%.*s%s': %s",
                TEXT_PART(url, shown),
                url[shown] ? "…" : "",
                cause);
}

static const char *check_text(const char *url)
{
        if (strlen(url) > HTTP_URL_MAX)
                return "it is too long";
        for (const char *c = url; *c; c++)
                if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7F)
                        return "it has a blank, a control character or a letter beyond ASCII";
        if (strchr(url, '#'))
                return "a fragment is never sent";
        return NULL;
}

/* "host", "host:port", "[v6]:port" */
static const char *parse_authority(const char *text, size_t length, HttpUrl *url)
{
        const char *end = text + length, *host = text, *host_end, *port;
        uint64_t number;

        if (memchr(text, '@', length))
                return "user information is not accepted";
        if (length > 0 && text[0] == '[') {
                host = text + 1;
                host_end = memchr(text, ']', length);
                if (!host_end)
                        return "'[' has no ']'";
                port = host_end + 1;
        } else {
                host_end = memchr(text, ':', length);
                if (!host_end)
                        host_end = end;
                port = host_end;
        }
        if (host == host_end)
                return "it names no host";

        url->port = text_equal(url->scheme, "https") ? 443 : 80;
        if (port < end) {
                char digits[8] = "";

                if (*port != ':' || end - port < 2 || end - port > 6)
                        return "its port is no number from 1 to 65535";
                memcpy(digits, port + 1, (size_t)(end - port) - 1);
                if (text_to_uint64(digits, 1, 65535, &number) < 0)
                        return "its port is no number from 1 to 65535";
                url->port = (unsigned)number;
        }
        url->host = text_copy_part(host, (size_t)(host_end - host));
        return NULL;
}

int http_url_parse(const char *url, HttpUrl *ret, Error *ret_error)
{
        _cleanup_(http_url_done) HttpUrl parts = {};
        const char *cause = check_text(url), *rest, *query;
        size_t authority, path;

        if (cause)
                return refuse(url, cause, ret_error);
        if (text_starts(url, "https://"))
                parts.scheme = text_copy("https");
        else if (text_starts(url, "http://"))
                parts.scheme = text_copy("http");
        else
                return refuse(url, "expected http:// or https://", ret_error);

        rest = strstr(url, "://") + 3;
        authority = strcspn(rest, "/?");
        if (parts.scheme)
                cause = parse_authority(rest, authority, &parts);
        if (cause)
                return refuse(url, cause, ret_error);

        rest += authority;
        path = strcspn(rest, "?");
        query = rest[path] == '?' ? rest + path + 1 : NULL;
        parts.path = path > 0 ? text_copy_part(rest, path) : text_copy("/");
        parts.query = query ? text_copy(query) : NULL;
        if (!parts.scheme || !parts.host || !parts.path || (query && !parts.query))
                return error_set(ret_error, -ENOMEM, "cannot read a URL: %m");

        *ret = parts;
        parts = (HttpUrl){};
        return 0;
}

/* A segment of one or two dots, each plain or as %2e. */
static bool is_dot_segment(const char *segment, size_t length)
{
        const char *end = segment + length;
        size_t dots = 0;

        for (; segment < end; dots++)
                if (*segment == '.')
                        segment++;
                else if (text_starts(segment, "%2e") || text_starts(segment, "%2E"))
                        segment += 3;
                else
                        return false;
        return dots == 1 || dots == 2;
}

bool http_url_has_dots(const char *url)
{
        const char *rest = strstr(url, "://");

        for (rest = rest ? rest + 3 : url; *rest && *rest != '?';) {
                size_t length = strcspn(rest, "/?");

                if (is_dot_segment(rest, length))
                        return true;
                rest += length + (rest[length] == '/');
        }
        return false;
}
