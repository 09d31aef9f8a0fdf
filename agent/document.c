#include "agent/document.h"

#include "base/gzip.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOUNDARY_MAX 70U /* RFC 2046, 5.1.1 */

typedef struct Search {
        const char *name;
        unsigned parts, found;
        Buffer *ret;
        Error *ret_error;
} Search;

static int look(Search *search, const char *data, size_t size, unsigned depth);

bool document_is_ours(const char *text, size_t size)
{
        static const char program[] = "flocker-bootstrap";
        const char *end = size > 0 ? memchr(text, '\n', size) : NULL;
        size_t length = end ? (size_t)(end - text) : size;
        const char *at;

        if (length < 3 || strncmp(text, "#!", 2) != 0)
                return false;
        at = memmem(text, length, program, strlen(program));
        return at && at[-1] == '/' &&
               (at + strlen(program) == text + length ||
                       isspace((unsigned char)at[strlen(program)]));
}

static int refuse(const Search *search, int code, const char *why)
{
        return error_set(search->ret_error, code, "cannot read '%s': %s", search->name, why);
}

/* A header field of a MIME entity's head, its folded lines joined by a blank; "" if there is none.
 */
static int get_field(const char *head, size_t size, const char *name, Buffer *ret)
{
        const char *end = head + size, *line = head;
        bool inside = false;
        int r = 0;

        buffer_clear(ret);
        while (line < end && r == 0) {
                const char *next = memchr(line, '\n', (size_t)(end - line));
                size_t length = (size_t)((next ? next : end) - line);

                if (length > 0 && line[length - 1] == '\r')
                        length--;
                if (inside && length > 0 && (line[0] == ' ' || line[0] == '\t')) {
                        r = buffer_append_format(ret, " %.*s", TEXT_PART(line, length));
                } else {
                        inside = length > strlen(name) && line[strlen(name)] == ':' &&
                                 strncasecmp(line, name, strlen(name)) == 0;
                        if (inside)
                                r = buffer_append(
                                        ret, line + strlen(name) + 1, length - strlen(name) - 1);
                }
                line = next ? next + 1 : end;
        }
        return r;
}

/* Where the head ends and the body begins: behind the first empty line. NULL: there is none. */
static const char *find_body(const char *data, size_t size, size_t *ret_head)
{
        const char *unix_end = memmem(data, size, "\n\n", 2);
        const char *mail_end = memmem(data, size, "\r\n\r\n", 4);

        if (mail_end && (!unix_end || mail_end < unix_end)) {
                *ret_head = (size_t)(mail_end - data) + 2;
                return mail_end + 4;
        }
        if (unix_end)
                *ret_head = (size_t)(unix_end - data) + 1;
        return unix_end ? unix_end + 2 : NULL;
}

/* The boundary of "multipart/mixed; boundary="==x=="", into `place`; false: it is no multipart. */
static bool get_boundary(const char *type, char place[BOUNDARY_MAX + 1])
{
        const char *at, *start = type + strspn(type, " \t");
        size_t length;

        if (strncasecmp(start, "multipart/", 10) != 0)
                return false;
        at = strcasestr(start, "boundary=");
        if (!at)
                return false;
        at += strlen("boundary=");
        length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
        if (length == 0 || length > BOUNDARY_MAX)
                return false;
        memcpy(place, at, length);
        place[length] = '\0';
        return true;
}

static int look_at_base64(Search *search, const char *data, size_t size, unsigned depth)
{
        _cleanup_(buffer_done) Buffer compact = BUFFER_INIT(2 * DOCUMENT_SIZE_MAX);
        _cleanup_(free) void *bytes = NULL;
        size_t n_bytes;

        for (size_t i = 0; i < size; i++)
                if (!isspace((unsigned char)data[i]) && buffer_append(&compact, data + i, 1) < 0)
                        return refuse(search, -EFBIG, "a part of it is too large");
        if (text_base64_decode(buffer_text(&compact), compact.size, &bytes, &n_bytes) < 0)
                return refuse(search, -EBADMSG, "a part of it is no base64");
        return look(search, bytes, n_bytes, depth + 1);
}

static int hex_digit(char c)
{
        return isdigit((unsigned char)c)    ? c - '0'
               : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                            : -1;
}

/* RFC 2045, 6.7. */
static int look_at_quoted(Search *search, const char *data, size_t size, unsigned depth)
{
        _cleanup_(buffer_done) Buffer plain = BUFFER_INIT(DOCUMENT_SIZE_MAX);
        int r = 0;

        for (size_t i = 0; i < size && r == 0; i++) {
                char c = data[i];

                if (c == '=' && i + 1 < size && data[i + 1] == '\n') {
                        i += 1;
                } else if (c == '=' && i + 2 < size && data[i + 1] == '\r' && data[i + 2] == '\n') {
                        i += 2;
                } else if (c == '=' && i + 2 < size && hex_digit(data[i + 1]) >= 0 &&
                           hex_digit(data[i + 2]) >= 0) {
                        c = (char)(hex_digit(data[i + 1]) * 16 + hex_digit(data[i + 2]));
                        i += 2;
                        r = buffer_append(&plain, &c, 1);
                } else if (c != '\r' || i + 1 >= size || data[i + 1] != '\n') {
                        r = buffer_append(&plain, &c, 1);
                }
        }
        if (r < 0)
                return refuse(search, -EFBIG, "a part of it is too large");
        return look(search, buffer_text(&plain), plain.size, depth + 1);
}

static int look_at_parts(
        Search *search, const char *body, size_t size, const char *boundary, unsigned depth);

/* An entity: head, empty line, body. */
static int look_at_entity(Search *search, const char *data, size_t size, unsigned depth)
{
        _cleanup_(buffer_done) Buffer field = BUFFER_INIT(4096);
        char boundary[BOUNDARY_MAX + 1], *encoding;
        const char *body;
        size_t head, left;

        if (++search->parts > DOCUMENT_PARTS_MAX || depth > DOCUMENT_DEPTH_MAX)
                return refuse(search, -EFBIG, "it has too many parts");
        if (size > 0 && data[0] == '\n') /* a part without a head: text */
                return look(search, data + 1, size - 1, depth + 1);
        body = find_body(data, size, &head);
        if (!body)
                return 0;
        left = size - (size_t)(body - data);

        if (get_field(data, head, "Content-Type", &field) < 0)
                return refuse(search, -EBADMSG, "a MIME header of it is too long");
        if (get_boundary(buffer_text(&field), boundary))
                return look_at_parts(search, body, left, boundary, depth + 1);
        if (get_field(data, head, "Content-Transfer-Encoding", &field) < 0)
                return refuse(search, -EBADMSG, "a MIME header of it is too long");
        encoding = field.data ? text_strip(field.data) : NULL;
        if (encoding && text_equal_case(encoding, "base64"))
                return look_at_base64(search, body, left, depth);
        if (encoding && text_equal_case(encoding, "quoted-printable"))
                return look_at_quoted(search, body, left, depth);
        return look(search, body, left, depth + 1);
}

/* The delimiter line at or behind `at`: "--boundary" at the start of a line. */
static const char *find_delimiter(
        const char *at, const char *start, const char *end, const char *boundary)
{
        while ((at = memmem(at, (size_t)(end - at), "--", 2))) {
                if ((at == start || at[-1] == '\n') && (size_t)(end - at) >= 2 + strlen(boundary) &&
                        strncmp(at + 2, boundary, strlen(boundary)) == 0)
                        return at;
                at += 2;
        }
        return NULL;
}

static int look_at_parts(
        Search *search, const char *body, size_t size, const char *boundary, unsigned depth)
{
        const char *end = body + size, *part, *next;
        int r = 0;

        part = find_delimiter(body, body, end, boundary);
        while (part && r == 0) {
                const char *behind = part + 2 + strlen(boundary);

                if (end - behind >= 2 && strncmp(behind, "--", 2) == 0)
                        return 0;
                behind = memchr(behind, '\n', (size_t)(end - behind));
                next = behind ? find_delimiter(behind + 1, body, end, boundary) : NULL;
                if (!next)
                        return refuse(search, -EBADMSG, "its last MIME part has no end");
                r = look_at_entity(search, behind + 1, (size_t)(next - behind - 1), depth);
                part = next;
        }
        return r;
}

static bool is_mime(const char *data, size_t size)
{
        static const char *const starts[] = {"Content-Type:", "MIME-Version:", "From: "};

        for (size_t i = 0; i < ELEMENTS(starts); i++)
                if (size > strlen(starts[i]) &&
                        strncasecmp(data, starts[i], strlen(starts[i])) == 0)
                        return true;
        return false;
}

static int look(Search *search, const char *data, size_t size, unsigned depth)
{
        if (depth > DOCUMENT_DEPTH_MAX)
                return refuse(search, -EBADMSG, "it is packed too deeply");
        if (gzip_is(data, size)) {
                _cleanup_(buffer_done) Buffer plain = BUFFER_INIT(2 * DOCUMENT_SIZE_MAX);
                int r = gzip_unpack(search->name, data, size, &plain, search->ret_error);

                return r < 0 ? r : look(search, buffer_text(&plain), plain.size, depth + 1);
        }
        if (is_mime(data, size))
                return look_at_entity(search, data, size, depth + 1);
        if (!document_is_ours(data, size))
                return 0;
        if (search->found++ > 0)
                return refuse(search, -EBADMSG, "it holds two documents for flocker-bootstrap");
        if (size > DOCUMENT_SIZE_MAX || buffer_append(search->ret, data, size) < 0)
                return refuse(search, -EFBIG, "the document in it is too large");
        return 0;
}

int document_find(const char *name, const char *data, size_t size, Buffer *ret, Error *ret_error)
{
        Search search = {.name = name, .ret = ret, .ret_error = ret_error};
        int r = look(&search, data, size, 0);

        if (r == 0 && search.found == 0)
                return DOCUMENT_ABSENT;
        return r;
}
