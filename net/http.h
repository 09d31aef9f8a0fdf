/* HTTP/1.1 over libcurl: one client keeps its connections; a request is a struct of data, and an
 * answer of any status is a success of this layer. No other file includes libcurl.
 *
 * Redirects are never followed (a signature holds for one URL), bodies are bounded, TLS is 1.2 or
 * newer, names are resolved by c-ares from /etc/hosts and /etc/resolv.conf, which are read anew
 * after a failure to resolve. Not for two threads at once.
 */

#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "net/response.h"

#include <stdbool.h>

#define HTTP_URL_MAX  8192U
#define HTTP_BODY_MAX (4U * 1024U * 1024U)

typedef struct HttpClient HttpClient;

typedef struct HttpHeader {
        const char *name;
        const char *value; /* "" sends the header with an empty value; NULL takes away one that
                            * libcurl would send of itself */
} HttpHeader;

/* Proxies as the environment names them (http_proxy, https_proxy, no_proxy; the lower-case spelling
 * first, HTTP_PROXY in capitals never: RFC 3875's CGI trap). NULL: none. */
typedef struct HttpProxies {
        const char *http;
        const char *https;
        const char *none; /* hosts, suffixes and CIDR blocks, separated by commas; "*": all */
} HttpProxies;

typedef struct HttpOptions {
        const char *user_agent;
        const char
                *ca_file; /* PEM; NULL: as net/trust.h finds it; read at the first TLS connection */
        const HttpProxies *proxies;
        const Clock *clock;
        Usec connect_timeout; /* for each connection; a missing security-group rule is silence */
} HttpOptions;

int http_client_new(const HttpOptions *options, HttpClient **ret, Error *ret_error);
HttpClient *http_client_free(HttpClient *client);
DEFINE_CLEANUP(HttpClient *, http_client_free);

/* AWS Signature Version 4, computed anew at each call. */
typedef struct HttpSigning {
        const char *region;
        const char *service;
        const char *access_key_id;
        const Secret *secret_access_key;
        const Secret *session_token; /* NULL: none */
        Usec wall;                   /* the time to sign for, corrected for skew */
} HttpSigning;

/* TLS other than the usual: a server with a CA of its own, a client certificate. */
typedef struct HttpTls {
        const char *ca_pem;          /* the only trusted ones; NULL: the client's */
        const char *certificate_pem; /* NULL: none */
        const Secret *key_pem;       /* NULL with certificate_pem NULL */
        const char *server_name;     /* verified in place of the URL's host; NULL: that */
} HttpTls;

typedef struct HttpRequest {
        const char *method; /* "GET", "PUT", … */
        const char *url;    /* absolute, sent byte for byte */
        const HttpHeader *headers;
        size_t n_headers;
        const void *body; /* NULL: none, and no Content-Length (but 0 for PUT and POST) */
        size_t body_size;
        size_t response_max;        /* bytes of body accepted; 0: HTTP_BODY_MAX */
        Usec deadline;              /* for the whole request, on the client's clock */
        Usec attempt_timeout;       /* for this one try; 0: the deadline alone */
        const HttpSigning *signing; /* NULL: none */
        const HttpTls *tls;         /* NULL: the usual */
        const char *unix_socket;    /* a path; NULL: TCP */
        bool no_proxy;              /* metadata, unix sockets */
} HttpRequest;

/* One request, one answer. What was in *ret is done first. Failures, each with the sentence
 * "cannot <method> '<url without query>': <cause>":
 *
 *         -EHOSTUNREACH   the name does not resolve, no route
 *         -ECONNREFUSED   nobody listens
 *         -ECONNRESET     the connection broke, or the answer was cut short
 *         -ETIMEDOUT      the deadline, the attempt's or the connection's time-out: which is said
 *         -EPROTO         TLS (the certificate's fault is said), or no HTTP
 *         -EFBIG          the body is over response_max
 *         -EINVAL         a URL that cannot be
 *
 * The sentence leaves the URL's query out: in a presigned URL it is a capability. */
int http_perform(
        HttpClient *client, const HttpRequest *request, HttpResponse *ret, Error *ret_error);

/* A failure of http_perform that another try may not meet: -ECONNREFUSED, -ECONNRESET,
 * -EHOSTUNREACH, -ETIMEDOUT. */
bool http_is_transient(int code);

/* Starts the requests side by side, the next one `head_start` after the one before (or as soon as
 * that has failed), and gives the first answer of any status; *ret_index says whose. The others are
 * dropped. When all fail: the first one's error. */
int http_race(HttpClient *client,
        const HttpRequest *requests,
        size_t n_requests,
        Usec head_start,
        HttpResponse *ret,
        size_t *ret_index,
        Error *ret_error);

/* Percent-encoding as S3 and RFC 3986 have it: all but A-Z a-z 0-9 - . _ ~ (and '/' when
 * `keep_slash`) becomes %XX in capitals. A heap string; NULL when memory is out. */
char *http_encode(const char *text, bool keep_slash);

typedef struct HttpUrl { /* parts of a heap copy, for checks */
        char *scheme;    /* "http", "https" */
        char *host;      /* without brackets */
        unsigned port;   /* the scheme's own where none is written */
        char *path;      /* from '/'; never NULL */
        char *query;     /* without '?'; NULL: none */
} HttpUrl;

/* -EINVAL with the sentence: no scheme of ours, user information, a fragment, control characters,
 * over HTTP_URL_MAX. */
int http_url_parse(const char *url, HttpUrl *ret, Error *ret_error);
/* Has its path a segment "." or ".." (also as %2e)? libcurl would fold it away before it signs. */
bool http_url_has_dots(const char *url);

void http_url_done(HttpUrl *url);
DEFINE_CLEANUP_IN_PLACE(HttpUrl, http_url_done);
