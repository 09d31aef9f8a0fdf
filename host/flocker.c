#include "host/flocker.h"

#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

#define TRY_TIME   (10 * USEC_PER_SEC)
#define ANSWER_MAX (1024U * 1024U)

static const RetryPolicy start_policy = {
        .name = "flocker-control",
        .base = {100 * USEC_PER_MSEC, USEC_PER_SEC, 100 * USEC_PER_MSEC},
        .cap = USEC_PER_SEC,
};

static int
ask(const FlockerControl *control, const char *path, Usec deadline, Json **ret, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(free) char *url = text_format("https://%s%s", control->address, path);
        HttpTls tls = {
                .ca_pem = control->ca_pem,
                .certificate_pem = control->certificate,
                .key_pem = control->key,
                .server_name = "control-service",
        };
        HttpRequest request = {
                .method = "GET",
                .url = url,
                .response_max = ANSWER_MAX,
                .deadline = deadline,
                .attempt_timeout = TRY_TIME,
                .tls = &tls,
                .no_proxy = true,
        };
        int r;

        if (!url)
                return error_set(ret_error, -ENOMEM, "cannot ask Flocker's control service: %m");
        r = http_perform(control->http, &request, &response, ret_error);
        if (r < 0)
                return r;
        if (response.status != 200)
                return error_set(ret_error,
                        response.status >= 500 ? -EAGAIN : -EPROTO,
                        "cannot ask '%s': it answers %u: %.200s",
                        url,
                        response.status,
                        buffer_text(&response.body));
        return json_parse(url, buffer_text(&response.body), response.body.size, ret, ret_error);
}

int flocker_control_wait(const FlockerControl *control, Usec deadline, Error *ret_error)
{
        Retry retry = RETRY_INIT(&start_policy, control->clock, control->random, deadline);

        for (;;) {
                _cleanup_(json_free) Json *version = NULL;
                int r = ask(control, "/v1/version", deadline, &version, ret_error);

                if (r == 0 || (r != -EAGAIN && !http_is_transient(r)))
                        return r;
                if (retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return r;
        }
}

int flocker_control_count_nodes(
        const FlockerControl *control, Usec deadline, size_t *ret, Error *ret_error)
{
        _cleanup_(json_free) Json *nodes = NULL;
        int r = ask(control, "/v1/state/nodes", deadline, &nodes, ret_error);

        if (r < 0)
                return r;
        if (!json_is_array(nodes))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot ask 'https://%s/v1/state/nodes': expected a list of nodes",
                        control->address);
        *ret = json_count(nodes);
        return 0;
}
