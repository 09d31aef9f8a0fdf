/* What an HTTP server answered: status, headers, a bounded body. */

#pragma once

#include "base/buffer.h"
#include "base/clock.h"

#define HTTP_HEADERS_MAX 64U           /* of an answer; what is behind them is dropped */
#define HTTP_HEADER_MAX  (16U * 1024U) /* bytes of one line of an answer */

typedef struct HttpResponseHeader {
        char *name; /* lower case */
        char *value;
} HttpResponseHeader;

typedef struct HttpResponse {
        unsigned status; /* 100 to 599 */
        Buffer body;
        HttpResponseHeader *headers;
        size_t n_headers;
        Usec date;     /* the Date header, wall time; 0: none or malformed */
        Usec received; /* the wall time here when the head had arrived */
        char peer[64]; /* the address that answered, for sentences; "": a unix socket */
} HttpResponse;

#define HTTP_RESPONSE_INIT ((HttpResponse){})

void http_response_done(HttpResponse *response);
DEFINE_CLEANUP_IN_PLACE(HttpResponse, http_response_done);

/* The value of the first header of that name (lower case), NULL: none. */
const char *http_response_header(const HttpResponse *response, const char *name);

/* Keeps the header in a line "Name: value" of an answer's head; anything else, and what is over the
 * bounds, is dropped. */
void http_response_keep(HttpResponse *response, const char *line, size_t length);
