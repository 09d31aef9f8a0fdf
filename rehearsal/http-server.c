#include "rehearsal/http-server.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADERS_MAX_BYTES (64 * 1024)
#define IDLE_SECONDS      120
#define STREAM_SECONDS    86400 /* of an answer without an end */

struct HttpServer {
        struct evhttp *http;
        struct evhttp_bound_socket *bound;
        TlsContext *context;
        HttpHandler handler;
        void *userdata;
        EventLoop *loop;
        unsigned port;
};

struct HttpCall {
        struct evhttp_request *request;
        const char *method;
        char *path;
        const char *query;
        char peer[TLS_NAME_MAX];
        HttpServer *server;
        bool answered, late;
        HttpSpoil spoil;
        Usec delay; /* until the handler is asked again; 0: it is not */
};

/* A call that waits for its time; it goes with its connection. */
typedef struct Deferred {
        HttpServer *server;
        struct evhttp_request *request;
        EventTimer *timer;
} Deferred;

static const char *name_method(enum evhttp_cmd_type command)
{
        switch (command) {
        case EVHTTP_REQ_GET:
                return "GET";
        case EVHTTP_REQ_POST:
                return "POST";
        case EVHTTP_REQ_HEAD:
                return "HEAD";
        case EVHTTP_REQ_PUT:
                return "PUT";
        case EVHTTP_REQ_DELETE:
                return "DELETE";
        case EVHTTP_REQ_OPTIONS:
        case EVHTTP_REQ_TRACE:
        case EVHTTP_REQ_CONNECT:
        case EVHTTP_REQ_PATCH:
                break;
        }
        return "OTHER";
}

static void find_peer(struct evhttp_request *request, char place[TLS_NAME_MAX])
{
        struct evhttp_connection *connection = evhttp_request_get_connection(request);
        struct bufferevent *stream =
                connection ? evhttp_connection_get_bufferevent(connection) : NULL;

        (void)tls_peer_name(stream ? bufferevent_openssl_get_ssl(stream) : NULL, place);
}

static void deferred_free(Deferred *deferred)
{
        struct evhttp_connection *connection = evhttp_request_get_connection(deferred->request);

        evhttp_connection_set_closecb(connection, NULL, NULL);
        (void)event_timer_free(deferred->timer);
        free(deferred);
}

static void on_gone(struct evhttp_connection *connection, void *userdata)
{
        (void)connection;
        deferred_free(userdata);
}

static void serve_request(HttpServer *server, struct evhttp_request *request, bool late);

static void on_late(void *userdata)
{
        Deferred *deferred = userdata;
        struct evhttp_request *request = deferred->request;
        HttpServer *server = deferred->server;

        deferred_free(deferred);
        serve_request(server, request, true);
}

static int defer(HttpServer *server, struct evhttp_request *request, Usec delay)
{
        Deferred *deferred = calloc(1, sizeof(*deferred));

        if (!deferred)
                return -ENOMEM;
        *deferred = (Deferred){.server = server, .request = request};
        if (event_timer_new(server->loop, on_late, deferred, &deferred->timer) < 0) {
                free(deferred);
                return -ENOMEM;
        }
        evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_gone, deferred);
        event_timer_set(deferred->timer, delay);
        return 0;
}

static void serve_request(HttpServer *server, struct evhttp_request *request, bool late)
{
        const char *target = evhttp_request_get_uri(request);
        size_t length = strcspn(target, "?");
        _cleanup_(free) char *path = text_copy_part(target, length);
        HttpCall call = {
                .request = request,
                .method = name_method(evhttp_request_get_command(request)),
                .path = path,
                .query = target[length] ? target + length + 1 : "",
                .server = server,
                .late = late,
        };

        if (!path) {
                evhttp_send_error(request, 500, NULL);
                return;
        }
        find_peer(request, call.peer);
        server->handler(&call, server->userdata);
        if (call.delay > 0 && defer(server, request, call.delay) == 0)
                return;
        if (!call.answered)
                evhttp_send_error(request, 500, NULL);
}

static void on_request(struct evhttp_request *request, void *userdata)
{
        serve_request(userdata, request, false);
}

static struct bufferevent *make_stream(struct event_base *base, void *userdata)
{
        HttpServer *server = userdata;
        TlsSession *session = tls_session_new(server->context);

        return session ? bufferevent_openssl_socket_new(base,
                                 -1,
                                 session,
                                 BUFFEREVENT_SSL_ACCEPTING,
                                 BEV_OPT_CLOSE_ON_FREE)
                       : NULL;
}

static int serve(HttpServer *server, int fd, Error *ret_error)
{
        struct sockaddr_in address = {};
        socklen_t length = sizeof(address);

        server->http = evhttp_new(event_loop_base(server->loop));
        if (server->http)
                server->bound = evhttp_accept_socket_with_handle(server->http, fd);
        if (!server->bound) {
                (void)close(fd);
                return error_set(ret_error, -ENOMEM, "cannot serve HTTP: %m");
        }
        if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
                address.sin_family == AF_INET)
                server->port = ntohs(address.sin_port);
        if (server->context)
                evhttp_set_bevcb(server->http, make_stream, server);
        evhttp_set_allowed_methods(server->http,
                EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                        EVHTTP_REQ_DELETE);
        evhttp_set_max_body_size(server->http, HTTP_SERVER_BODY_MAX);
        evhttp_set_max_headers_size(server->http, HEADERS_MAX_BYTES);
        evhttp_set_timeout(server->http, IDLE_SECONDS);
        evhttp_set_default_content_type(server->http, NULL);
        evhttp_set_gencb(server->http, on_request, server);
        return 0;
}

static int make(EventLoop *loop,
        int fd,
        TlsContext *context,
        HttpHandler handler,
        void *userdata,
        HttpServer **ret,
        Error *ret_error)
{
        _cleanup_(http_server_free) HttpServer *server = calloc(1, sizeof(*server));
        int r;

        if (!server) {
                (void)close(fd);
                return error_set(ret_error, -ENOMEM, "cannot serve HTTP: %m");
        }
        *server = (HttpServer){
                .context = context, .handler = handler, .userdata = userdata, .loop = loop};
        r = serve(server, fd, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(server);
        return 0;
}

int http_server_new_tcp(EventLoop *loop,
        const char *address,
        unsigned port,
        TlsContext *context,
        HttpHandler handler,
        void *userdata,
        HttpServer **ret,
        Error *ret_error)
{
        int fd, r = event_bind_tcp(address, port, &fd, ret_error);

        return r < 0 ? r : make(loop, fd, context, handler, userdata, ret, ret_error);
}

int http_server_new_unix(EventLoop *loop,
        const char *path,
        HttpHandler handler,
        void *userdata,
        HttpServer **ret,
        Error *ret_error)
{
        int fd, r = event_bind_unix(path, &fd, ret_error);

        return r < 0 ? r : make(loop, fd, NULL, handler, userdata, ret, ret_error);
}

HttpServer *http_server_free(HttpServer *server)
{
        if (!server)
                return NULL;
        if (server->http)
                evhttp_free(server->http);
        free(server);
        return NULL;
}

unsigned http_server_port(const HttpServer *server)
{
        return server->port;
}

const char *http_call_method(const HttpCall *call)
{
        return call->method;
}

const char *http_call_target(const HttpCall *call)
{
        return evhttp_request_get_uri(call->request);
}

const char *http_call_path(const HttpCall *call)
{
        return call->path;
}

const char *http_call_query(const HttpCall *call)
{
        return call->query;
}

const char *http_call_header(const HttpCall *call, const char *name)
{
        return evhttp_find_header(evhttp_request_get_input_headers(call->request), name);
}

const char *http_call_body(const HttpCall *call, size_t *ret_size)
{
        struct evbuffer *body = evhttp_request_get_input_buffer(call->request);
        const char *data;

        *ret_size = evbuffer_get_length(body);
        data = *ret_size > 0 ? (const char *)evbuffer_pullup(body, -1) : NULL;
        return data ? data : "";
}

const char *http_call_peer(const HttpCall *call)
{
        return call->peer;
}

const char *http_call_client(const HttpCall *call)
{
        struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
        char *address = NULL;
        ev_uint16_t port;

        if (connection)
                evhttp_connection_get_peer(connection, &address, &port);
        return address ? address : "";
}

bool http_call_next_header(
        const HttpCall *call, size_t index, const char **ret_name, const char **ret_value)
{
        struct evkeyvalq *headers = evhttp_request_get_input_headers(call->request);
        struct evkeyval *header;

        TAILQ_FOREACH(header, headers, next)
        {
                if (index-- > 0)
                        continue;
                *ret_name = header->key;
                *ret_value = header->value;
                return true;
        }
        return false;
}

static int hex_digit(char c)
{
        return isdigit((unsigned char)c)    ? c - '0'
               : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                            : -1;
}

char *http_server_decode(const char *text, size_t length)
{
        char *plain = malloc(length + 1);
        size_t used = 0;

        for (size_t i = 0; plain && i < length; i++) {
                bool coded = text[i] == '%' && length - i > 2 && hex_digit(text[i + 1]) >= 0 &&
                             hex_digit(text[i + 2]) >= 0;

                plain[used] = coded ? (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]))
                                    : text[i];
                i += coded ? 2 : 0;
                if (plain[used++] == '\0') {
                        free(plain);
                        return NULL;
                }
        }
        if (plain)
                plain[used] = '\0';
        return plain;
}

char *http_call_parameter(const HttpCall *call, const char *name)
{
        const char *at = call->query;
        size_t wanted = strlen(name);

        while (*at) {
                size_t length = strcspn(at, "&"), key = strcspn(at, "=&");

                if (key == wanted && strncmp(at, name, wanted) == 0)
                        return at[key] == '=' ? http_server_decode(at + key + 1, length - key - 1)
                                              : text_copy("");
                at += length + (at[length] == '&' ? 1 : 0);
        }
        return NULL;
}

void http_call_set_header(HttpCall *call, const char *name, const char *value)
{
        (void)evhttp_add_header(evhttp_request_get_output_headers(call->request), name, value);
}

void http_call_begin(HttpCall *call, unsigned status, const char *content_type)
{
        struct evhttp_connection *connection = evhttp_request_get_connection(call->request);

        call->answered = true;
        http_call_set_header(call, "Content-Type", content_type);
        evhttp_connection_set_timeout(connection, STREAM_SECONDS);
        evhttp_send_reply_start(call->request, (int)status, NULL);
}

void http_call_hang(HttpCall *call)
{
        call->answered = true;
}

void http_call_reset(HttpCall *call)
{
        struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
        const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

        (void)connect(fd, &nobody, sizeof(nobody)); /* which resets it: connect(2) */
        call->answered = true;
        evhttp_connection_free(connection); /* and the request with it */
}

void http_call_refuse(HttpCall *call)
{
        HttpServer *server = call->server;

        if (server->bound)
                evhttp_del_accept_socket(server->http, server->bound);
        server->bound = NULL;
        http_call_reset(call);
}

void http_call_defer(HttpCall *call, Usec delay)
{
        call->delay = delay;
}

bool http_call_is_late(const HttpCall *call)
{
        return call->late;
}

void http_call_spoil(HttpCall *call, HttpSpoil spoil)
{
        call->spoil = spoil;
}

/* The body as it comes on a bad day; NULL: there is nothing in it to spoil. */
static char *spoil(HttpCall *call, const void *body, size_t *size)
{
        char *copy = *size > 0 ? malloc(*size) : NULL, length[24];

        if (!copy)
                return NULL;
        memcpy(copy, body, *size);
        if (call->spoil == HTTP_SPOIL_BIT) {
                copy[*size / 2] ^= 1;
        } else if (!text_equal(call->method, "HEAD")) {
                (void)snprintf(length, sizeof(length), "%zu", *size);
                http_call_set_header(call, "Content-Length", length);
                http_call_set_header(call, "Connection", "close");
                *size /= 2;
        }
        return copy;
}

void http_call_answer(
        HttpCall *call, unsigned status, const char *content_type, const void *body, size_t size)
{
        struct evbuffer *output = evbuffer_new();
        _cleanup_(free) char *spoilt = NULL;
        char length[24];

        call->answered = true;
        if (call->spoil != HTTP_SPOIL_NONE && (spoilt = spoil(call, body, &size)))
                body = spoilt;
        if (text_equal(call->method, "HEAD")) { /* the length of what a GET would give */
                (void)snprintf(length, sizeof(length), "%zu", size);
                http_call_set_header(call, "Content-Length", length);
                size = 0;
        }
        if (!output || (size > 0 && evbuffer_add(output, body, size) < 0)) {
                evhttp_send_error(call->request, 500, NULL);
        } else {
                if (content_type)
                        http_call_set_header(call, "Content-Type", content_type);
                evhttp_send_reply(call->request, (int)status, NULL, output);
        }
        if (output)
                evbuffer_free(output);
}

void http_call_answer_text(
        HttpCall *call, unsigned status, const char *content_type, const char *body)
{
        http_call_answer(call, status, content_type, body, strlen(body));
}
