#include "net/response.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void http_response_done(HttpResponse *response)
{
        buffer_done(&response->body);
        for (size_t i = 0; i < response->n_headers; i++) {
                free(response->headers[i].name);
                free(response->headers[i].value);
        }
        free(response->headers);
        *response = HTTP_RESPONSE_INIT;
}

const char *http_response_header(const HttpResponse *response, const char *name)
{
        for (size_t i = 0; i < response->n_headers; i++)
                if (text_equal(response->headers[i].name, name))
                        return response->headers[i].value;
        return NULL;
}

void http_response_keep(HttpResponse *response, const char *line, size_t length)
{
        const char *colon = memchr(line, ':', length);
        HttpResponseHeader *headers, header;

        if (!colon || response->n_headers >= HTTP_HEADERS_MAX || length > HTTP_HEADER_MAX)
                return;
        headers = reallocarray(response->headers, response->n_headers + 1, sizeof(*headers));
        if (!headers)
                return;
        response->headers = headers;

        header.name = text_copy_part(line, (size_t)(colon - line));
        header.value = text_copy_part(colon + 1, length - (size_t)(colon - line) - 1);
        if (!header.name || !header.value) {
                free(header.name);
                free(header.value);
                return;
        }
        for (char *c = header.name; *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        *c = (char)(*c + ('a' - 'A'));
        memmove(header.value, text_strip(header.value), strlen(text_strip(header.value)) + 1);
        headers[response->n_headers++] = header;
}
