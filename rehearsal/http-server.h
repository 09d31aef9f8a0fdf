/* An HTTP/1.1 server in the loop, over libevent: on TCP, on TCP with TLS, on a unix socket. */

#pragma once

#include "base/buffer.h"
#include "rehearsal/event.h"
#include "rehearsal/tls.h"

#define HTTP_SERVER_BODY_MAX (16U * 1024U * 1024U) /* s3cmd's parts have 15 */

typedef struct HttpServer HttpServer;
typedef struct HttpCall HttpCall; /* a request that is to be answered */

/* Answers, now: http_call_answer() must be called from within. */
typedef void (*HttpHandler)(HttpCall *call, void *userdata);

/* `port` 0: any. With `context` (counted by the caller, alive as long as the server) it is TLS. */
int http_server_new_tcp(EventLoop *loop,
        const char *address,
        unsigned port,
        TlsContext *context,
        HttpHandler handler,
        void *userdata,
        HttpServer **ret,
        Error *ret_error);
int http_server_new_unix(EventLoop *loop,
        const char *path,
        HttpHandler handler,
        void *userdata,
        HttpServer **ret,
        Error *ret_error);
HttpServer *http_server_free(HttpServer *server);
DEFINE_CLEANUP(HttpServer *, http_server_free);
unsigned http_server_port(const HttpServer *server);

/* The request; borrowed, until it is answered. */
const char *http_call_method(const HttpCall *call);
const char *http_call_target(const HttpCall *call); /* as it was sent: "/a%20b?x=1" */
const char *http_call_path(const HttpCall *call);   /* of that, without the query */
const char *http_call_query(const HttpCall *call);  /* without '?'; "": none */
const char *http_call_header(const HttpCall *call, const char *name); /* NULL: none */
const char *http_call_body(const HttpCall *call, size_t *ret_size);
const char *http_call_client(const HttpCall *call); /* its address; "": it has none */
const char *http_call_peer(const HttpCall *call);   /* the CN of its certificate; "": none */

/* Goes over the headers in order; `index` from 0; false: no more. */
bool http_call_next_header(
        const HttpCall *call, size_t index, const char **ret_name, const char **ret_value);

/* A query's value, decoded, as a heap string; NULL: none of that name. */
char *http_call_parameter(const HttpCall *call, const char *name);

void http_call_set_header(HttpCall *call, const char *name, const char *value);
void http_call_answer(
        HttpCall *call, unsigned status, const char *content_type, const void *body, size_t size);
void http_call_answer_text(
        HttpCall *call, unsigned status, const char *content_type, const char *body);

/* The head of an answer whose body goes on until the client ends it; there is nothing in it yet. */
void http_call_begin(HttpCall *call, unsigned status, const char *content_type);

/* What a bad day does to a call, in place of an answer: nothing, ever; the connection reset; and
 * the server's port closed beside that, so that nobody comes in any more. */
void http_call_hang(HttpCall *call);
void http_call_reset(HttpCall *call);
void http_call_refuse(HttpCall *call);

/* The handler is asked again, later; the call is late then. */
void http_call_defer(HttpCall *call, Usec delay);
bool http_call_is_late(const HttpCall *call);

/* What is done to the body of the answer: a bit in its middle is turned over, or half of it comes
 * and the connection ends. */
typedef enum HttpSpoil { HTTP_SPOIL_NONE, HTTP_SPOIL_BIT, HTTP_SPOIL_HALF } HttpSpoil;
void http_call_spoil(HttpCall *call, HttpSpoil spoil);

/* Percent-decoded ('+' stays), as a heap string; NULL: no memory, or a NUL within. */
char *http_server_decode(const char *text, size_t length);
