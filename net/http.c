#include "net/http.h"

#include "base/text.h"
#include "net/trust.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RACERS_MAX 4U
#define POLL_MAX   (200 * USEC_PER_MSEC) /* so that a deadline of any clock is seen soon */

struct HttpClient {
        CURLM *multi;
        HttpOptions options;
        char *user_agent, *ca_file, *proxy_http, *proxy_https, *proxy_none;
        CURL *spare; /* kept for the next request; NULL: none */
};

typedef struct Transfer {
        HttpClient *client;
        const HttpRequest *request;
        CURL *easy;
        struct curl_slist *headers;
        HttpResponse response;
        Usec limit; /* the deadline or the attempt's time-out */
        bool started, ended, over;
        CURLcode result;
        char message[CURL_ERROR_SIZE];
} Transfer;

static int copy_texts(HttpClient *client, const HttpOptions *options)
{
        const HttpProxies none = {}, *proxies = options->proxies ? options->proxies : &none;
        const struct {
                const char *from;
                char **to;
        } copies[] = {
                {options->user_agent, &client->user_agent},
                {options->ca_file, &client->ca_file},
                {proxies->http, &client->proxy_http},
                {proxies->https, &client->proxy_https},
                {proxies->none, &client->proxy_none},
        };

        for (size_t i = 0; i < ELEMENTS(copies); i++) {
                if (!copies[i].from)
                        continue;
                *copies[i].to = text_copy(copies[i].from);
                if (!*copies[i].to)
                        return -ENOMEM;
        }
        return 0;
}

int http_client_new(const HttpOptions *options, HttpClient **ret, Error *ret_error)
{
        _cleanup_(http_client_free) HttpClient *client = calloc(1, sizeof(*client));

        if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return error_set(ret_error, -ENOMEM, "cannot start the HTTP client: %m");
        client->options = *options;
        client->multi = curl_multi_init();
        if (!client->multi || copy_texts(client, options) < 0)
                return error_set(ret_error, -ENOMEM, "cannot start the HTTP client: %m");

        *ret = TAKE_PTR(client);
        return 0;
}

HttpClient *http_client_free(HttpClient *client)
{
        if (!client)
                return NULL;

        curl_easy_cleanup(client->spare);
        if (client->multi)
                (void)curl_multi_cleanup(client->multi);
        free(client->user_agent);
        free(client->ca_file);
        free(client->proxy_http);
        free(client->proxy_https);
        free(client->proxy_none);
        free(client);
        return NULL;
}

/* An answer's head begins anew with each status line: one of 1xx may come before it. */
static void begin_head(Transfer *transfer)
{
        http_response_done(&transfer->response);
        transfer->response.body = BUFFER_INIT(
                transfer->request->response_max ? transfer->request->response_max : HTTP_BODY_MAX);
}

static size_t on_header(char *line, size_t size, size_t count, void *userdata)
{
        Transfer *transfer = userdata;
        size_t length = size * count;

        if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
                begin_head(transfer);
        else
                http_response_keep(&transfer->response, line, length);
        return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *userdata)
{
        Transfer *transfer = userdata;

        if (buffer_append(&transfer->response.body, data, size * count) < 0) {
                transfer->over = true;
                return CURL_WRITEFUNC_ERROR;
        }
        return size * count;
}

/* Adds "name: value"; an empty value is spelt "name;" and a missing one "name:" to libcurl. */
static int add_header(Transfer *transfer, const char *name, const char *value)
{
        _cleanup_(free) char *line = NULL;
        struct curl_slist *headers;

        if (!value)
                line = text_format("%s:", name);
        else
                line = value[0] ? text_format("%s: %s", name, value) : text_format("%s;", name);
        headers = line ? curl_slist_append(transfer->headers, line) : NULL;
        if (!headers)
                return -ENOMEM;
        transfer->headers = headers;
        return 0;
}

/* What libcurl would send of itself and we do not want, unless the request says otherwise. */
static int add_headers(Transfer *transfer)
{
        static const char *const unwanted[] = {"Expect", "Content-Type", "Accept"};
        const HttpRequest *request = transfer->request;
        int r = 0;

        for (size_t i = 0; i < request->n_headers && r == 0; i++)
                r = add_header(transfer, request->headers[i].name, request->headers[i].value);
        for (size_t i = 0; i < ELEMENTS(unwanted) && r == 0; i++) {
                bool given = false;

                for (size_t j = 0; j < request->n_headers; j++)
                        given |= text_equal_case(request->headers[j].name, unwanted[i]);
                if (!given)
                        r = add_header(transfer, unwanted[i], NULL);
        }
        return r;
}

/* Signing. */

static int set_signing(Transfer *transfer)
{
        const HttpSigning *signing = transfer->request->signing;
        char wall[CLOCK_UTC_MAX], date[CLOCK_UTC_MAX], scope[256], *p = date;
        int r;

        clock_format_utc(signing->wall, wall);
        for (const char *c = wall; *c; c++) /* 2026-11-24T09:05:00Z to 20261124T090500Z */
                if (*c != '-' && *c != ':')
                        *p++ = *c;
        *p = '\0';

        r = add_header(transfer, "x-amz-date", date);
        if (r == 0 && signing->session_token)
                r = add_header(
                        transfer, "x-amz-security-token", secret_data(signing->session_token));
        if (r < 0)
                return r;

        (void)snprintf(scope, sizeof(scope), "aws:amz:%s:%s", signing->region, signing->service);
        if (curl_easy_setopt(transfer->easy, CURLOPT_AWS_SIGV4, scope) != CURLE_OK ||
                curl_easy_setopt(transfer->easy, CURLOPT_USERNAME, signing->access_key_id) !=
                        CURLE_OK ||
                curl_easy_setopt(transfer->easy,
                        CURLOPT_PASSWORD,
                        secret_data(signing->secret_access_key)) != CURLE_OK)
                return -ENOMEM;
        return 0;
}

/* TLS and proxies. */

static int set_blob(CURL *easy, CURLoption option, const char *data, size_t size)
{
        struct curl_blob blob = {(void *)(uintptr_t)data, size, CURL_BLOB_COPY};

        return curl_easy_setopt(easy, option, &blob) == CURLE_OK ? 0 : -ENOMEM;
}

/* The name that is verified goes into the URL; where to connect is said beside it. */
static int set_server_name(Transfer *transfer, const char *name)
{
        _cleanup_(http_url_done) HttpUrl url = {};
        _cleanup_(free) char *place = NULL, *address = NULL;
        struct curl_slist *list;
        bool v6;

        if (http_url_parse(transfer->request->url, &url, NULL) < 0)
                return -EINVAL;
        v6 = strchr(url.host, ':');
        address = text_format("https://%s:%u%s%s%s",
                name,
                url.port,
                url.path,
                url.query ? "?" : "",
                url.query ? url.query : "");
        place = text_format("::%s%s%s:%u", v6 ? "[" : "", url.host, v6 ? "]" : "", url.port);
        if (!address || !place)
                return -ENOMEM;

        list = curl_slist_append(NULL, place);
        if (!list)
                return -ENOMEM;
        (void)curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, list);
        (void)curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, list); /* freed with the transfer */
        return curl_easy_setopt(transfer->easy, CURLOPT_URL, address) == CURLE_OK ? 0 : -ENOMEM;
}

static int set_special_tls(Transfer *transfer, const HttpTls *tls)
{
        CURL *easy = transfer->easy;
        int r = 0;

        if (tls->ca_pem)
                r = set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem, strlen(tls->ca_pem));
        if (r == 0 && tls->certificate_pem)
                r = set_blob(easy,
                        CURLOPT_SSLCERT_BLOB,
                        tls->certificate_pem,
                        strlen(tls->certificate_pem));
        if (r == 0 && tls->key_pem)
                r = set_blob(easy,
                        CURLOPT_SSLKEY_BLOB,
                        secret_data(tls->key_pem),
                        secret_size(tls->key_pem));
        if (r == 0 && tls->server_name)
                r = set_server_name(transfer, tls->server_name);
        return r;
}

static int set_tls(Transfer *transfer, Error *ret_error)
{
        const HttpTls *tls = transfer->request->tls;
        HttpClient *client = transfer->client;
        int r;

        (void)curl_easy_setopt(transfer->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        if (!tls || !tls->ca_pem) {
                if (!client->ca_file) {
                        r = trust_find(&client->ca_file, ret_error);
                        if (r < 0)
                                return r;
                }
                (void)curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, client->ca_file);
                (void)curl_easy_setopt(transfer->easy, CURLOPT_CA_CACHE_TIMEOUT, -1L);
        }

        r = tls ? set_special_tls(transfer, tls) : 0;
        return r < 0 ? error_set(ret_error, r, "cannot set up TLS: %m") : 0;
}

static void set_proxy(Transfer *transfer)
{
        const HttpClient *client = transfer->client;
        const HttpRequest *request = transfer->request;
        const char *proxy = NULL;

        if (!request->no_proxy && !request->unix_socket)
                proxy = text_starts(request->url, "https://") ? client->proxy_https
                                                              : client->proxy_http;
        /* "" forbids what libcurl would find in the environment. */
        (void)curl_easy_setopt(transfer->easy, CURLOPT_PROXY, proxy ? proxy : "");
        if (proxy && client->proxy_none)
                (void)curl_easy_setopt(transfer->easy, CURLOPT_NOPROXY, client->proxy_none);
}

/* Transfers. */

static void set_method(Transfer *transfer)
{
        const HttpRequest *request = transfer->request;
        bool body = request->body || text_equal(request->method, "PUT") ||
                    text_equal(request->method, "POST");

        if (text_equal(request->method, "HEAD"))
                (void)curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
        else if (body) {
                (void)curl_easy_setopt(transfer->easy,
                        CURLOPT_POSTFIELDSIZE_LARGE,
                        (curl_off_t)request->body_size);
                (void)curl_easy_setopt(
                        transfer->easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
        }
        if (!text_equal(request->method, "HEAD"))
                (void)curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_basics(Transfer *transfer)
{
        const HttpOptions *options = &transfer->client->options;
        const HttpRequest *request = transfer->request;
        CURL *easy = transfer->easy;

        (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, request->signing ? 0L : 1L);
        (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, transfer->client->user_agent);
        (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->message);
        (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
        (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
        if (options->connect_timeout)
                (void)curl_easy_setopt(easy,
                        CURLOPT_CONNECTTIMEOUT_MS,
                        (long)(options->connect_timeout / USEC_PER_MSEC));
        if (request->unix_socket)
                (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
}

static int begin(Transfer *transfer, Error *ret_error)
{
        const HttpRequest *request = transfer->request;
        HttpClient *client = transfer->client;
        Usec attempt = request->attempt_timeout
                               ? clock_deadline(client->options.clock, request->attempt_timeout)
                               : USEC_INFINITY;
        int r;

        if (strlen(request->url) > HTTP_URL_MAX ||
                (request->signing && http_url_has_dots(request->url)))
                return error_set(ret_error,
                        -EINVAL,
                        "the URL is too long, or has a segment '.' or '..', which cannot be "
                        "signed");

        transfer->limit = usec_min(request->deadline, attempt);
        transfer->easy = client->spare ? TAKE_PTR(client->spare) : curl_easy_init();
        if (!transfer->easy ||
                curl_easy_setopt(transfer->easy, CURLOPT_URL, request->url) != CURLE_OK)
                return error_set(ret_error, -ENOMEM, "%m");

        begin_head(transfer);
        r = add_headers(transfer);
        if (r == 0 && request->signing)
                r = set_signing(transfer);
        if (r < 0)
                return error_set(ret_error, r, "%m");
        set_basics(transfer);
        set_method(transfer);
        set_proxy(transfer);
        if (text_starts(request->url, "https://")) {
                r = set_tls(transfer, ret_error);
                if (r < 0)
                        return r;
        }

        if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
                return error_set(ret_error, -ENOMEM, "%m");
        transfer->started = true;
        return 0;
}

static void transfer_done(Transfer *transfer)
{
        struct curl_slist *places = NULL;

        if (transfer->easy) {
                (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRIVATE, (char **)&places);
                if (transfer->started)
                        (void)curl_multi_remove_handle(transfer->client->multi, transfer->easy);
                /* After a failure nothing is kept: the next handle reads resolv.conf anew. */
                if (transfer->result == CURLE_OK && transfer->ended && !transfer->client->spare) {
                        curl_easy_reset(transfer->easy);
                        transfer->client->spare = transfer->easy;
                } else
                        curl_easy_cleanup(transfer->easy);
        }
        curl_slist_free_all(places);
        curl_slist_free_all(transfer->headers);
        http_response_done(&transfer->response);
}

static const struct {
        CURLcode result;
        int code;
} failures[] = {
        {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
        {CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
        {CURLE_COULDNT_CONNECT, -ECONNREFUSED},
        {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
        {CURLE_SEND_ERROR, -ECONNRESET},
        {CURLE_RECV_ERROR, -ECONNRESET},
        {CURLE_GOT_NOTHING, -ECONNRESET},
        {CURLE_PARTIAL_FILE, -ECONNRESET},
        {CURLE_SSL_CONNECT_ERROR, -EPROTO},
        {CURLE_PEER_FAILED_VERIFICATION, -EPROTO},
        {CURLE_SSL_CERTPROBLEM, -EPROTO},
        {CURLE_SSL_CIPHER, -EPROTO},
        {CURLE_SSL_CACERT_BADFILE, -EPROTO},
        {CURLE_UNSUPPORTED_PROTOCOL, -EPROTO},
        {CURLE_WEIRD_SERVER_REPLY, -EPROTO},
        {CURLE_URL_MALFORMAT, -EINVAL},
        {CURLE_OUT_OF_MEMORY, -ENOMEM},
};

/* A peer that hangs up within the TLS handshake is a broken connection, which may hold next time;
 * libcurl tells it from a refusal to speak with us by its words alone. */
static bool is_broken_handshake(const Transfer *transfer, long os_error)
{
        return transfer->result == CURLE_SSL_CONNECT_ERROR &&
               (os_error == ECONNRESET || os_error == EPIPE ||
                       strstr(transfer->message, "unexpected eof") ||
                       strstr(transfer->message, "SSL_ERROR_SYSCALL") ||
                       strstr(transfer->message, "Connection reset"));
}

/* TLS 1.3 has a server say that it does not take our certificate behind the handshake, when the
 * request is on its way: an alert then (RFC 8446, 6.2), and no broken connection. */
static bool is_refused_certificate(const Transfer *transfer)
{
        return (transfer->result == CURLE_RECV_ERROR || transfer->result == CURLE_SEND_ERROR) &&
               strstr(transfer->message, " alert ") &&
               (strstr(transfer->message, "certificate") ||
                       strstr(transfer->message, "unknown ca") ||
                       strstr(transfer->message, "access denied"));
}

static int failure_code(const Transfer *transfer)
{
        long os_error = 0;

        if (transfer->over)
                return -EFBIG;
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
        if (transfer->result == CURLE_COULDNT_CONNECT &&
                (os_error == EHOSTUNREACH || os_error == ENETUNREACH))
                return -EHOSTUNREACH;
        if (is_broken_handshake(transfer, os_error))
                return -ECONNRESET;
        if (is_refused_certificate(transfer))
                return -EPROTO;
        for (size_t i = 0; i < ELEMENTS(failures); i++)
                if (failures[i].result == transfer->result)
                        return failures[i].code;
        return -EPROTO;
}

/* The cause alone; http_perform puts "cannot GET '…': " in front. */
static int fail(Transfer *transfer, Error *ret_error)
{
        int code = failure_code(transfer);

        if (code == -EFBIG)
                return error_set(ret_error,
                        code,
                        "the answer has more than %zu bytes",
                        transfer->response.body.max);
        return error_set(ret_error,
                code,
                "%s",
                transfer->message[0] ? transfer->message : curl_easy_strerror(transfer->result));
}

/* How far it came, the furthest first. */
static const struct {
        CURLINFO reached;
        const char *sentence;
} stages[] = {
        {CURLINFO_PRETRANSFER_TIME_T, "the connection stands, but no whole answer came"},
        {CURLINFO_CONNECT_TIME_T, "the connection stands, but TLS was not agreed on"},
        {CURLINFO_NAMELOOKUP_TIME_T, "no connection"},
};

static int fail_late(const Transfer *transfer, Error *ret_error)
{
        const char *sentence = "no name server of /etc/resolv.conf told the host's address";
        bool attempt = transfer->limit < transfer->request->deadline;

        for (size_t i = 0; i < ELEMENTS(stages); i++) {
                curl_off_t time = 0;

                (void)curl_easy_getinfo(transfer->easy, stages[i].reached, &time);
                if (time > 0) {
                        sentence = stages[i].sentence;
                        break;
                }
        }
        return error_set(ret_error,
                -ETIMEDOUT,
                "%s before the %s",
                sentence,
                attempt ? "time-out of this try" : "deadline");
}

/* Takes libcurl's word of what has ended; true if something has. */
static bool collect(HttpClient *client, Transfer *transfers, size_t n)
{
        bool any = false;
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(client->multi, &left))) {
                if (message->msg != CURLMSG_DONE)
                        continue;
                for (size_t i = 0; i < n; i++)
                        if (transfers[i].easy == message->easy_handle) {
                                transfers[i].ended = any = true;
                                transfers[i].result = message->data.result;
                        }
        }
        return any;
}

/* Lets libcurl work until something may have happened, `until` at the latest. */
static int turn(HttpClient *client, Transfer *transfers, size_t n, Usec until, Error *ret_error)
{
        Usec left = usec_min(clock_left(client->options.clock, until), POLL_MAX);
        int running;

        if (curl_multi_perform(client->multi, &running) != CURLM_OK)
                return error_set(ret_error, -ENOMEM, "%m");
        if (collect(client, transfers, n))
                return 0;
        if (left > 0 &&
                curl_multi_poll(client->multi, NULL, 0, (int)(left / USEC_PER_MSEC) + 1, NULL) !=
                        CURLM_OK)
                return error_set(ret_error, -ENOMEM, "%m");
        return 0;
}

static void give_response(Transfer *transfer, HttpResponse *ret)
{
        HttpResponse *response = &transfer->response;
        const char *date = http_response_header(response, "date");
        char *peer = NULL;
        long status = 0;

        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &peer);
        response->status = (unsigned)status;
        response->received = clock_wall(transfer->client->options.clock);
        if (!date || clock_parse_http_date(date, &response->date) < 0)
                response->date = 0;
        if (peer)
                (void)text_put(response->peer, sizeof(response->peer), peer);

        http_response_done(ret);
        *ret = *response;
        *response = HTTP_RESPONSE_INIT;
}

static int explain(const HttpRequest *request, int r, Error *ret_error)
{
        size_t shown = strcspn(request->url, "?");

        return error_prefix(ret_error,
                r,
                "cannot %s '%.*s'",
                request->method,
                TEXT_PART(request->url, shown > 300 ? 300 : shown));
}

/* Starts the next one when its time has come, or when no other is left. */
static int start_due(Transfer *transfers, size_t n, size_t *begun, Usec due, Error *ret_error)
{
        bool running = false;
        int r;

        for (size_t i = 0; i < *begun; i++)
                running |= transfers[i].started && !transfers[i].ended;
        if (*begun == n || (running && !clock_passed(transfers[0].client->options.clock, due)))
                return 0;

        r = begin(&transfers[*begun], ret_error);
        if (r < 0)
                return explain(transfers[*begun].request, r, ret_error);
        (*begun)++;
        return 0;
}

/* The first that has an answer; n if none has. Failures are kept: the first one's is told. */
static size_t find_answer(Transfer *transfers, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (transfers[i].ended && transfers[i].result == CURLE_OK)
                        return i;
        return n;
}

static bool all_failed(const Transfer *transfers, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!transfers[i].ended)
                        return false;
        return true;
}

static int race(HttpClient *client,
        Transfer *transfers,
        size_t n,
        Usec head_start,
        HttpResponse *ret,
        size_t *ret_index,
        Error *ret_error)
{
        const Clock *clock = client->options.clock;
        Usec due = clock_now(clock);
        size_t begun = 0, answer;
        int r;

        for (;;) {
                size_t before = begun;

                r = start_due(transfers, n, &begun, due, ret_error);
                if (r < 0)
                        return r;
                if (begun > before)
                        due = clock_deadline(clock, head_start);

                r = turn(client,
                        transfers,
                        begun,
                        begun < n ? usec_min(due, transfers[0].limit) : transfers[0].limit,
                        ret_error);
                if (r < 0)
                        return explain(transfers[0].request, r, ret_error);

                answer = find_answer(transfers, begun);
                if (answer < begun) {
                        give_response(&transfers[answer], ret);
                        *ret_index = answer;
                        return 0;
                }
                if (all_failed(transfers, n))
                        return explain(
                                transfers[0].request, fail(&transfers[0], ret_error), ret_error);
                if (clock_passed(clock, transfers[0].limit))
                        return explain(transfers[0].request,
                                transfers[0].ended ? fail(&transfers[0], ret_error)
                                                   : fail_late(&transfers[0], ret_error),
                                ret_error);
        }
}

static void transfers_done(Transfer (*transfers)[RACERS_MAX])
{
        for (size_t i = 0; i < RACERS_MAX; i++)
                transfer_done(&(*transfers)[i]);
}
typedef Transfer Racers[RACERS_MAX];
DEFINE_CLEANUP_IN_PLACE(Racers, transfers_done);

int http_race(HttpClient *client,
        const HttpRequest *requests,
        size_t n_requests,
        Usec head_start,
        HttpResponse *ret,
        size_t *ret_index,
        Error *ret_error)
{
        _cleanup_(transfers_done) Racers transfers = {};

        if (n_requests < 1 || n_requests > RACERS_MAX)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot race %zu requests: expected 1 to %u",
                        n_requests,
                        RACERS_MAX);
        for (size_t i = 0; i < n_requests; i++) {
                transfers[i].client = client;
                transfers[i].request = &requests[i];
        }
        return race(client, transfers, n_requests, head_start, ret, ret_index, ret_error);
}

int http_perform(
        HttpClient *client, const HttpRequest *request, HttpResponse *ret, Error *ret_error)
{
        size_t index;

        return http_race(client, request, 1, 0, ret, &index, ret_error);
}
