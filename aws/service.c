#include "aws/service.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (4U * 1024U * 1024U) /* bytes */
#define FORM_MAX   (64U * 1024U)

const AwsService aws_service_secretsmanager = {"secretsmanager", "secretsmanager", NULL};
const AwsService aws_service_ssm = {"ssm", "AmazonSSM", NULL};
const AwsService aws_service_ec2 = {"ec2", NULL, "2016-11-15"};
const AwsService aws_service_sts = {"sts", NULL, "2011-06-15"};

/* "cannot call secretsmanager:GetSecretValue: …" in place of the URL, which says less. */
static int explain(const AwsService *service,
        const char *action,
        const AwsFault *fault,
        int r,
        Error *ret_error)
{
        char text[AWS_FAULT_TEXT_MAX];

        if (r == AWS_REFUSED)
                return error_set(ret_error,
                        r,
                        "cannot call %s:%s: %s",
                        service->name,
                        action,
                        aws_fault_format(fault, text));
        return error_prefix(ret_error, r, "cannot call %s:%s", service->name, action);
}

static int post(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const HttpHeader *headers,
        size_t n_headers,
        const Buffer *body,
        Usec deadline,
        HttpResponse *ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(free) char *url = text_format("%s/", endpoint);
        AwsFault fault = {};
        int r;

        if (!url)
                return error_set(ret_error, -ENOMEM, "cannot call %s: %m", action);
        r = aws_perform(session,
                &(AwsRequest){
                        .service = service->name,
                        .method = "POST",
                        .url = url,
                        .headers = headers,
                        .n_headers = n_headers,
                        .body = buffer_text(body),
                        .body_size = body->size,
                        .response_max = ANSWER_MAX,
                        .deadline = deadline,
                },
                ret,
                &fault,
                ret_error);
        if (r == AWS_OK)
                return r;
        if (ret_fault)
                *ret_fault = fault;
        return explain(service, action, &fault, r, ret_error);
}

int aws_call_json(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const Json *parameters,
        Usec deadline,
        Json **ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(FORM_MAX);
        char target[128];
        const HttpHeader headers[] = {
                {"Content-Type", "application/x-amz-json-1.1"},
                {"X-Amz-Target", target},
        };
        int r;

        (void)snprintf(target, sizeof(target), "%s.%s", service->target, action);
        r = json_format(parameters, JSON_ONE_LINE, &body);
        if (r < 0)
                return error_set(ret_error, r, "cannot call %s:%s: %m", service->name, action);

        r = post(session,
                service,
                endpoint,
                action,
                headers,
                ELEMENTS(headers),
                &body,
                deadline,
                &response,
                ret_fault,
                ret_error);
        if (r != AWS_OK)
                return r;
        return json_parse_secret(
                target, buffer_text(&response.body), response.body.size, ret, ret_error);
}

static int append_pair(Buffer *form, const char *name, const char *value)
{
        _cleanup_(free) char *encoded_name = http_encode(name, false);
        _cleanup_(free) char *encoded_value = http_encode(value, false);

        if (!encoded_name || !encoded_value)
                return -ENOMEM;
        return buffer_append_format(
                form, "%s%s=%s", form->size > 0 ? "&" : "", encoded_name, encoded_value);
}

int aws_call_query(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const char *const *parameters,
        Usec deadline,
        XmlElement **ret,
        AwsFault *ret_fault,
        Error *ret_error)
{
        static const HttpHeader headers[] = {
                {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(buffer_done) Buffer form = BUFFER_INIT(FORM_MAX);
        int r;

        r = append_pair(&form, "Action", action);
        if (r == 0)
                r = append_pair(&form, "Version", service->version);
        for (size_t i = 0; r == 0 && parameters && parameters[i]; i += 2)
                r = append_pair(&form, parameters[i], parameters[i + 1]);
        if (r < 0)
                return error_set(ret_error, r, "cannot call %s:%s: %m", service->name, action);

        r = post(session,
                service,
                endpoint,
                action,
                headers,
                ELEMENTS(headers),
                &form,
                deadline,
                &response,
                ret_fault,
                ret_error);
        if (r != AWS_OK)
                return r;
        return xml_parse(action, buffer_text(&response.body), response.body.size, ret, ret_error);
}

/* The parameters with the page's token in them. */
static int set_token(const Json *parameters, const char *token, Json **ret, Error *ret_error)
{
        _cleanup_(json_free) Json *copy = json_new_object();
        const char *key;
        const Json *value;
        void *iterator = NULL;
        int r = copy ? 0 : -ENOMEM;

        while (r == 0 && json_next_member(parameters, &iterator, &key, &value))
                r = json_set(copy, key, json_ref((Json *)(uintptr_t)value));
        if (r == 0 && token)
                r = json_set_text(copy, "NextToken", token);
        if (r < 0)
                return error_set(ret_error, r, "cannot ask for a page: %m");
        *ret = TAKE_PTR(copy);
        return 0;
}

/* Where a run of pages stands. */
typedef struct Pages {
        const AwsService *service;
        const char *action;
        char *token; /* of the next page; NULL: the first */
        unsigned count;
} Pages;

static void pages_done(Pages *pages)
{
        free(pages->token);
}
DEFINE_CLEANUP_IN_PLACE(Pages, pages_done);

/* *ret_more: `next` names another page. A token that repeats would never end. */
static int turn_page(Pages *pages, const char *next, bool *ret_more, Error *ret_error)
{
        char *token;

        *ret_more = !text_is_empty(next);
        if (!*ret_more)
                return 0;
        if (++pages->count >= AWS_PAGES_MAX || text_equal(next, pages->token))
                return error_set(ret_error,
                        -EPROTO,
                        "cannot call %s:%s: its pages do not end",
                        pages->service->name,
                        pages->action);
        token = text_copy(next);
        if (!token)
                return error_set(ret_error, -ENOMEM, "cannot call %s: %m", pages->action);
        free(pages->token);
        pages->token = token;
        return 0;
}

int aws_call_json_pages(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const Json *parameters,
        Usec deadline,
        AwsJsonPage page,
        void *userdata,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(pages_done) Pages pages = {.service = service, .action = action};
        bool more = true;

        while (more) {
                _cleanup_(json_free) Json *asked = NULL, *answer = NULL;
                int r;

                r = set_token(parameters, pages.token, &asked, ret_error);
                if (r == 0)
                        r = aws_call_json(session,
                                service,
                                endpoint,
                                action,
                                asked,
                                deadline,
                                &answer,
                                ret_fault,
                                ret_error);
                if (r == AWS_OK)
                        r = page(answer, userdata, ret_error);
                if (r == 0)
                        r = turn_page(&pages,
                                json_text(json_member(answer, "NextToken")),
                                &more,
                                ret_error);
                if (r != 0)
                        return r;
        }
        return AWS_OK;
}

/* EC2: <nextToken> of the answer itself; the others: <NextToken> of <…Result>. */
static const char *next_token(const XmlElement *answer)
{
        const char *token = xml_child_text(answer, "nextToken");

        for (const XmlElement *child = answer->children; child && !token; child = child->next)
                token = xml_child_text(child, "NextToken");
        return token;
}

/* The parameters, and the page's token behind them; an array of borrowed texts that ends in NULL.
 */
static int add_token(
        const char *const *parameters, const char *token, const char ***ret, Error *ret_error)
{
        const char **copy;
        size_t n = 0;

        while (parameters && parameters[n])
                n++;
        copy = calloc(n + 3, sizeof(*copy));
        if (!copy)
                return error_set(ret_error, -ENOMEM, "cannot ask for a page: %m");
        for (size_t i = 0; i < n; i++)
                copy[i] = parameters[i];
        if (token) {
                copy[n] = "NextToken";
                copy[n + 1] = token;
        }
        *ret = copy;
        return 0;
}

int aws_call_query_pages(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const char *const *parameters,
        Usec deadline,
        AwsXmlPage page,
        void *userdata,
        AwsFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(pages_done) Pages pages = {.service = service, .action = action};
        bool more = true;

        while (more) {
                _cleanup_(xml_free) XmlElement *answer = NULL;
                _cleanup_(free) const char **asked = NULL;
                int r;

                r = add_token(parameters, pages.token, &asked, ret_error);
                if (r == 0)
                        r = aws_call_query(session,
                                service,
                                endpoint,
                                action,
                                asked,
                                deadline,
                                &answer,
                                ret_fault,
                                ret_error);
                if (r == AWS_OK)
                        r = page(answer, userdata, ret_error);
                if (r == 0)
                        r = turn_page(&pages, next_token(answer), &more, ret_error);
                if (r != 0)
                        return r;
        }
        return AWS_OK;
}
