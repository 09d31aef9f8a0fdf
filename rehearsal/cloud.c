#include "rehearsal/cloud-parts.h"

#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLES     "/cloudformation-waitcondition-" CLOUD_REGION "/"
#define SIGNAL_MAX  4096U
#define SECRETS_GET "secretsmanager.GetSecretValue"

static void make_word(char *place, size_t length, const char *digits)
{
        for (size_t i = 0; i < length; i++)
                place[i] = digits[random_below(&random_system, strlen(digits))];
        place[length] = '\0';
}

void cloud_refuse(Cloud *cloud, HttpCall *call, unsigned status, const char *code, const char *text)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(16 * 1024);
        char id[17];

        (void)cloud;
        make_word(id, 16, "0123456789ABCDEF");
        http_call_set_header(call, "x-amz-request-id", id);
        if (http_call_header(call, "x-amz-target")) {
                (void)buffer_append_format(
                        &body, "{\"__type\":\"%s\",\"message\":\"%s\"}", code, text);
                http_call_set_header(call, "x-amzn-ErrorType", code);
                http_call_answer(
                        call, status, "application/x-amz-json-1.1", buffer_text(&body), body.size);
                return;
        }
        (void)buffer_append_format(&body,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s"
                "</Message><RequestId>%s</RequestId></Error>",
                code,
                text,
                id);
        http_call_answer(call, status, "application/xml", buffer_text(&body), body.size);
}

/* --- who --- */

int cloud_add_principal(Cloud *cloud,
        const char *name,
        const PolicySet *policies,
        CloudPrincipal **ret,
        Error *ret_error)
{
        CloudPrincipal *principal = calloc(1, sizeof(*principal));

        if (!principal || !(principal->name = text_copy(name))) {
                free(principal);
                return error_set(ret_error, -ENOMEM, "cannot make the role of '%s': %m", name);
        }
        principal->cloud = cloud;
        principal->policies = *policies;
        principal->next = cloud->principals;
        cloud->principals = principal;
        *ret = principal;
        return 0;
}

const CloudKeys *cloud_issue_keys(CloudPrincipal *principal, Usec lifetime)
{
        static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        Cloud *cloud = principal->cloud;
        CloudIssued *issued = calloc(1, sizeof(*issued));
        bool forever = lifetime == USEC_INFINITY;

        if (!issued)
                return NULL;
        (void)text_put(issued->keys.access_key,
                sizeof(issued->keys.access_key),
                forever ? "AKIA" : "ASIA");
        make_word(issued->keys.access_key + 4, 16, capitals);
        make_word(issued->keys.secret_key, 40, letters);
        if (!forever)
                make_word(issued->keys.token, 64, letters);
        issued->keys.expires = forever ? USEC_INFINITY : clock_wall(&clock_system) + lifetime;
        issued->principal = principal;
        issued->next = cloud->issued;
        cloud->issued = issued;
        return &issued->keys;
}

bool cloud_authorize(const CloudPrincipal *principal,
        const char *action,
        const char *resource,
        const PolicyContext *context,
        size_t n_context)
{
        return policy_allows(&principal->policies, action, resource, context, n_context);
}

/* --- secrets --- */

int cloud_add_secret(
        Cloud *cloud, const char *name, const char *text, const char **ret_arn, Error *ret_error)
{
        CloudSecret *secret = calloc(1, sizeof(*secret));

        if (secret) {
                secret->arn = text_format("arn:aws:secretsmanager:" CLOUD_REGION ":" CLOUD_ACCOUNT
                                          ":secret:%s-a1b2c3",
                        name);
                secret->text = text_copy(text);
        }
        if (!secret || !secret->arn || !secret->text)
                return error_set(ret_error, -ENOMEM, "cannot keep the secret '%s': %m", name);
        secret->next = cloud->secrets;
        cloud->secrets = secret;
        *ret_arn = secret->arn;
        return 0;
}

void cloud_serve_secret(Cloud *cloud, HttpCall *call, CloudPrincipal *principal)
{
        _cleanup_(json_free) Json *asked = NULL, *answer = json_new_object();
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(256 * 1024);
        size_t size;
        const char *body = http_call_body(call, &size), *id = NULL;
        CloudSecret *secret = cloud->secrets;

        if (json_parse("body", body, size, &asked, NULL) == 0)
                id = json_text(json_member(asked, "SecretId"));
        while (secret && !text_equal(secret->arn, id))
                secret = secret->next;
        if (!id || !cloud_authorize(principal, "secretsmanager:GetSecretValue", id, NULL, 0)) {
                cloud_refuse(cloud,
                        call,
                        400,
                        "AccessDeniedException",
                        "the role is not authorized to perform: secretsmanager:GetSecretValue");
        } else if (!secret) {
                cloud_refuse(cloud,
                        call,
                        400,
                        "ResourceNotFoundException",
                        "Secrets Manager can't find the specified secret.");
        } else {
                (void)json_set_text(answer, "ARN", secret->arn);
                (void)json_set_text(answer, "SecretString", secret->text);
                (void)json_format(answer, JSON_ONE_LINE, &text);
                http_call_answer(
                        call, 200, "application/x-amz-json-1.1", buffer_text(&text), text.size);
        }
}

/* --- handles --- */

int cloud_add_handle(Cloud *cloud,
        const char *name,
        CloudSignalled signalled,
        void *userdata,
        CloudHandle **ret,
        Error *ret_error)
{
        CloudHandle *handle = calloc(1, sizeof(*handle));
        char signature[65];

        make_word(signature, 64, "0123456789abcdef");
        if (handle) {
                *handle = (CloudHandle){
                        .cloud = cloud,
                        .name = text_copy(name),
                        .target = text_format(HANDLES
                                "arn%%3Aaws%%3Acloudformation%%3A" CLOUD_REGION "%%3A" CLOUD_ACCOUNT
                                "%%3Astack/%s?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=86400&"
                                "X-Amz-SignedHeaders=host&X-Amz-Signature=%s",
                                name,
                                signature),
                        .signalled = signalled,
                        .userdata = userdata,
                };
                if (handle->target)
                        handle->url = text_format("%s%s", cloud->endpoint, handle->target);
        }
        if (!handle || !handle->name || !handle->url)
                return error_set(ret_error, -ENOMEM, "cannot make the handle '%s': %m", name);
        handle->next = cloud->handles;
        cloud->handles = handle;
        *ret = handle;
        return 0;
}

const char *cloud_handle_url(const CloudHandle *handle)
{
        return handle->url;
}

void cloud_close_handle(CloudHandle *handle)
{
        handle->closed = true;
}

/* A presigned URL is signed over Content-Type and every x-amz-* header: none of them may be there,
 * but an empty Content-Type. */
static bool has_foreign_header(const HttpCall *call)
{
        const char *name, *value;

        for (size_t i = 0; http_call_next_header(call, i, &name, &value); i++)
                if ((text_equal_case(name, "Content-Type") && value[0]) ||
                        strncasecmp(name, "x-amz-", 6) == 0)
                        return true;
        return false;
}

static bool is_news(CloudHandle *handle, const char *id)
{
        for (size_t i = 0; i < handle->n_ids; i++)
                if (text_equal(handle->ids[i], id))
                        return false;
        if (handle->n_ids < ELEMENTS(handle->ids))
                handle->ids[handle->n_ids++] = text_copy(id);
        return true;
}

static void take_signal(CloudHandle *handle, HttpCall *call)
{
        _cleanup_(json_free) Json *json = NULL;
        size_t size;
        const char *body = http_call_body(call, &size), *status, *id;
        CloudSignal signal;

        /* S3 stores whatever is sent; CloudFormation reads it behind that. */
        http_call_answer(call, 200, NULL, NULL, 0);
        if (size > SIGNAL_MAX || json_parse("signal", body, size, &json, NULL) < 0)
                return;
        status = json_text(json_member(json, "Status"));
        id = json_text(json_member(json, "UniqueId"));
        signal = (CloudSignal){
                .success = text_equal(status, "SUCCESS"),
                .reason = json_text(json_member(json, "Reason")),
                .data = json_text(json_member(json, "Data")),
                .id = id,
        };
        if (!id || (!signal.success && !text_equal(status, "FAILURE")) || !is_news(handle, id))
                return;
        handle->signalled(&signal, handle->userdata);
}

void cloud_serve_handle(Cloud *cloud, HttpCall *call)
{
        CloudHandle *handle = cloud->handles;

        while (handle && !text_equal(handle->target, http_call_target(call)))
                handle = handle->next;
        if (!handle || has_foreign_header(call))
                cloud_refuse(cloud,
                        call,
                        403,
                        "SignatureDoesNotMatch",
                        "The request signature we calculated does not match the signature you "
                        "provided.");
        else if (!text_equal(http_call_method(call), "PUT") || handle->closed)
                cloud_refuse(cloud, call, 403, "AccessDenied", "Request has expired");
        else
                take_signal(handle, call);
}

/* --- the front --- */

static void on_call(HttpCall *call, void *userdata)
{
        Cloud *cloud = userdata;
        const char *target = http_call_header(call, "x-amz-target");
        CloudPrincipal *principal;

        cloud->requests++;
        if (text_starts(http_call_path(call), HANDLES)) {
                cloud_serve_handle(cloud, call);
                return;
        }
        principal = cloud_authenticate(cloud, call, target ? "secretsmanager" : "s3");
        if (!principal)
                return;
        if (!target)
                cloud_serve_bucket(cloud, call, principal);
        else if (text_equal(target, SECRETS_GET))
                cloud_serve_secret(cloud, call, principal);
        else
                cloud_refuse(cloud, call, 400, "UnknownOperationException", "not of this cloud");
}

int cloud_new(EventLoop *loop, const char *address, Cloud **ret, Error *ret_error)
{
        _cleanup_(cloud_free) Cloud *cloud = calloc(1, sizeof(*cloud));
        int r;

        if (!cloud)
                return error_set(ret_error, -ENOMEM, "cannot make a cloud: %m");
        r = http_server_new_tcp(loop, address, 0, NULL, on_call, cloud, &cloud->server, ret_error);
        if (r < 0)
                return r;
        cloud->endpoint = text_format("http://%s:%u", address, http_server_port(cloud->server));
        if (!cloud->endpoint)
                return error_set(ret_error, -ENOMEM, "cannot make a cloud: %m");
        *ret = TAKE_PTR(cloud);
        return 0;
}

static void handle_free(CloudHandle *handle)
{
        for (size_t i = 0; i < handle->n_ids; i++)
                free(handle->ids[i]);
        free(handle->name);
        free(handle->target);
        free(handle->url);
        free(handle);
}

/* Ends a list whose elements are freed by `function`. */
#define FREE_LIST(type, list, function)                              \
        for (type *one = (list), *following; one; one = following) { \
                following = one->next;                               \
                function(one);                                       \
        }

static void principal_free(CloudPrincipal *principal)
{
        free(principal->name);
        free(principal);
}

static void secret_entry_free(CloudSecret *secret)
{
        free(secret->arn);
        free(secret->text);
        free(secret);
}

Cloud *cloud_free(Cloud *cloud)
{
        if (!cloud)
                return NULL;
        cloud->server = http_server_free(cloud->server);
        FREE_LIST(CloudHandle, cloud->handles, handle_free);
        FREE_LIST(CloudPrincipal, cloud->principals, principal_free);
        FREE_LIST(CloudIssued, cloud->issued, free);
        FREE_LIST(CloudSecret, cloud->secrets, secret_entry_free);
        FREE_LIST(CloudBucket, cloud->buckets, cloud_bucket_free);
        free(cloud->endpoint);
        free(cloud);
        return NULL;
}

const char *cloud_endpoint(const Cloud *cloud)
{
        return cloud->endpoint;
}
