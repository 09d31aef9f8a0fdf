#include "rehearsal/cloud-parts.h"

#include "base/random.h"
#include "base/text.h"
#include "rehearsal/s3-server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLES     "/cloudformation-waitcondition-" CLOUD_REGION "/"
#define SIGNAL_MAX  4096U
#define HANDLE_LIFE (24 * USEC_PER_HOUR)
#define JSON        "application/x-amz-json-1.1"
#define CONTEXT_MAX 8U
#define SECRETS_GET "secretsmanager.GetSecretValue"

static void make_word(char *place, size_t length, const char *digits)
{
        for (size_t i = 0; i < length; i++)
                place[i] = digits[random_below(&random_system, strlen(digits))];
        place[length] = '\0';
}

static void refuse_in_json(HttpCall *call, unsigned status, const char *code, const char *text)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(16 * 1024);
        _cleanup_(json_free) Json *json = json_new_object();

        (void)json_set_text(json, "__type", code);
        (void)json_set_text(json, "message", text);
        (void)json_format(json, JSON_ONE_LINE, &body);
        http_call_set_header(call, "x-amzn-ErrorType", code);
        http_call_answer(call, status, JSON, buffer_text(&body), body.size);
}

void cloud_refuse_with(Cloud *cloud,
        HttpCall *call,
        unsigned status,
        const char *code,
        const char *text,
        const char *details)
{
        _cleanup_(buffer_done) Buffer body = BUFFER_INIT(CLOUD_LISTING_MAX);

        if (http_call_header(call, "x-amz-target")) {
                refuse_in_json(call, status, code, text);
                return;
        }
        (void)buffer_append_format(&body,
                CLOUD_XML_HEAD "<Error><Code>%s</Code><Message>%s</Message>%s<Resource>",
                code,
                text,
                details);
        (void)cloud_append_escaped(&body, http_call_path(call));
        (void)buffer_append_format(
                &body, "</Resource><RequestId>%s</RequestId></Error>", cloud->request_id);
        http_call_answer(call, status, CLOUD_XML, buffer_text(&body), body.size);
}

void cloud_refuse(Cloud *cloud, HttpCall *call, unsigned status, const char *code, const char *text)
{
        cloud_refuse_with(cloud, call, status, code, text, "");
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

void cloud_set_policies(CloudPrincipal *principal, const PolicySet *policies)
{
        principal->policies = *policies;
}

const CloudKeys *cloud_issue_keys(CloudPrincipal *principal, Usec lifetime)
{
        static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        Cloud *cloud = principal->cloud;
        bool forever = lifetime == USEC_INFINITY;
        Usec expires = forever ? USEC_INFINITY : clock_wall(&clock_system) + lifetime;
        CloudIssued *issued;

        if (cloud->lent) {
                cloud->lent->keys.expires = expires;
                return &cloud->lent->keys;
        }
        issued = calloc(1, sizeof(*issued));
        if (!issued)
                return NULL;
        (void)text_put(issued->access_key, sizeof(issued->access_key), forever ? "AKIA" : "ASIA");
        make_word(issued->access_key + 4, 16, capitals);
        make_word(issued->secret_key, 40, letters);
        if (!forever)
                make_word(issued->token, 64, letters);
        issued->keys = (CloudKeys){
                .access_key = issued->access_key,
                .secret_key = issued->secret_key,
                .token = issued->token,
                .expires = expires,
        };
        issued->principal = principal;
        issued->next = cloud->issued;
        cloud->issued = issued;
        return &issued->keys;
}

int cloud_use_s3(Cloud *cloud, const S3Server *server, const char *endpoint, Error *ret_error)
{
        static const PolicySet everything = {.everything = true};
        CloudIssued *lent = calloc(1, sizeof(*lent));

        if (!lent || !(cloud->s3_endpoint = text_copy(endpoint))) {
                free(lent);
                return error_set(ret_error, -ENOMEM, "cannot use '%s': %m", server->url);
        }
        lent->keys = (CloudKeys){
                .access_key = server->access_key,
                .secret_key = secret_data(server->secret_key),
                .token = server->token ? secret_data(server->token) : "",
        };
        lent->next = cloud->issued;
        cloud->issued = cloud->lent = lent;
        cloud->s3 = server;
        return cloud_add_principal(cloud, "user", &everything, &lent->principal, ret_error);
}

const S3Server *cloud_s3(const Cloud *cloud)
{
        return cloud->s3;
}

const char *cloud_s3_endpoint(const Cloud *cloud)
{
        return cloud->s3_endpoint;
}

bool cloud_authorize(const CloudPrincipal *principal,
        const char *action,
        const char *resource,
        const PolicyContext *context,
        size_t n_context)
{
        /* The way over loopback stands for the way over TLS. */
        PolicyContext whole[CONTEXT_MAX] = {{"aws:SecureTransport", "true"}};
        size_t n = 1;

        for (size_t i = 0; i < n_context && n < CONTEXT_MAX; i++)
                whole[n++] = context[i];
        return policy_allows(&principal->policies, action, resource, whole, n);
}

/* --- secrets --- */

static void secret_entry_free(CloudSecret *secret)
{
        if (!secret)
                return;
        free(secret->name);
        free(secret->arn);
        free(secret->text);
        free(secret);
}

int cloud_add_secret(
        Cloud *cloud, const char *name, const char *text, const char **ret_arn, Error *ret_error)
{
        CloudSecret *secret = calloc(1, sizeof(*secret));

        if (secret) {
                secret->name = text_copy(name);
                secret->arn = text_format("arn:aws:secretsmanager:" CLOUD_REGION ":" CLOUD_ACCOUNT
                                          ":secret:%s-a1b2c3",
                        name);
                secret->text = text_copy(text);
        }
        if (!secret || !secret->name || !secret->arn || !secret->text) {
                secret_entry_free(secret);
                return error_set(ret_error, -ENOMEM, "cannot keep the secret '%s': %m", name);
        }
        secret->next = cloud->secrets;
        cloud->secrets = secret;
        *ret_arn = secret->arn;
        return 0;
}

/* By its ARN or its name. */
static CloudSecret *find_secret(const Cloud *cloud, const char *id)
{
        CloudSecret *secret = cloud->secrets;

        while (secret && !text_equal(secret->arn, id) && !text_equal(secret->name, id))
                secret = secret->next;
        return secret;
}

static void answer_secret(HttpCall *call, const CloudSecret *secret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(256 * 1024);
        _cleanup_(json_free) Json *answer = json_new_object();

        (void)json_set_text(answer, "ARN", secret->arn);
        (void)json_set_text(answer, "Name", secret->name);
        (void)json_set_text(answer, "SecretString", secret->text);
        (void)json_format(answer, JSON_ONE_LINE, &text);
        http_call_answer(call, 200, JSON, buffer_text(&text), text.size);
}

void cloud_serve_secret(Cloud *cloud, HttpCall *call, CloudPrincipal *principal)
{
        _cleanup_(json_free) Json *asked = NULL;
        size_t size;
        const char *body = http_call_body(call, &size), *id = NULL, *resource;
        const CloudSecret *secret = NULL;

        if (json_parse("body", body, size, &asked, NULL) == 0)
                id = json_text(json_member(asked, "SecretId"));
        if (!id) {
                cloud_refuse(cloud, call, 400, "InvalidParameterException", "SecretId is missing.");
                return;
        }
        secret = find_secret(cloud, id);
        resource = secret ? secret->arn : id;
        if (!cloud_authorize(principal, "secretsmanager:GetSecretValue", resource, NULL, 0))
                cloud_refuse(cloud,
                        call,
                        400,
                        "AccessDeniedException",
                        "the role is not authorized to perform: secretsmanager:GetSecretValue");
        else if (!secret)
                cloud_refuse(cloud,
                        call,
                        400,
                        "ResourceNotFoundException",
                        "Secrets Manager can't find the specified secret.");
        else
                answer_secret(call, secret);
}

/* --- handles --- */

static void handle_free(CloudHandle *handle)
{
        if (!handle)
                return;
        for (size_t i = 0; i < handle->n_ids; i++)
                free(handle->ids[i]);
        free(handle->ids);
        free(handle->name);
        free(handle->path);
        free(handle->url);
        free(handle);
}

int cloud_add_handle(Cloud *cloud,
        const char *name,
        CloudSignalled signalled,
        void *userdata,
        CloudHandle **ret,
        Error *ret_error)
{
        CloudHandle *handle = calloc(1, sizeof(*handle));

        if (handle) {
                *handle = (CloudHandle){
                        .cloud = cloud,
                        .name = text_copy(name),
                        .path = text_format(HANDLES "arn%%3Aaws%%3Acloudformation%%3A" CLOUD_REGION
                                                    "%%3A" CLOUD_ACCOUNT "%%3Astack/%s",
                                name),
                        .signalled = signalled,
                        .userdata = userdata,
                };
                if (handle->path)
                        handle->url = cloud_presign(
                                cloud, cloud->formation_keys, handle->path, HANDLE_LIFE);
        }
        if (!handle || !handle->name || !handle->url) {
                handle_free(handle);
                return error_set(ret_error, -ENOMEM, "cannot make the handle '%s': %m", name);
        }
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
        char **ids, *copy;

        for (size_t i = 0; i < handle->n_ids; i++)
                if (text_equal(handle->ids[i], id))
                        return false;
        ids = handle->n_ids < CLOUD_SIGNALS_MAX
                      ? reallocarray(handle->ids, handle->n_ids + 1, sizeof(*ids))
                      : NULL;
        if (!ids)
                return false;
        handle->ids = ids;
        copy = text_copy(id);
        if (copy)
                ids[handle->n_ids++] = copy;
        return copy != NULL;
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

        while (handle && !text_equal(handle->path, http_call_path(call)))
                handle = handle->next;
        if (has_foreign_header(call))
                cloud_refuse(cloud,
                        call,
                        403,
                        "SignatureDoesNotMatch",
                        "The request signature we calculated does not match the signature you "
                        "provided.");
        else if (!cloud_authenticate(cloud, call, true))
                return; /* it has been refused */
        else if (!handle)
                cloud_refuse(cloud, call, 403, "AccessDenied", "Access Denied");
        else if (handle->closed)
                cloud_refuse(cloud, call, 403, "AccessDenied", "Request has expired");
        else
                take_signal(handle, call);
}

/* --- the front --- */

static FaultService find_service(const HttpCall *call)
{
        if (text_starts(http_call_path(call), HANDLES))
                return FAULT_OF_SIGNAL;
        return http_call_header(call, "x-amz-target") ? FAULT_OF_SECRETS : FAULT_OF_S3;
}

static void on_call(HttpCall *call, void *userdata)
{
        Cloud *cloud = userdata;
        const char *target = http_call_header(call, "x-amz-target");
        CloudPrincipal *principal;

        make_word(cloud->request_id, CLOUD_ID_MAX - 1, "0123456789ABCDEF");
        http_call_set_header(call, "x-amz-request-id", cloud->request_id);
        http_call_set_header(call, "Server", "AmazonS3");
        if (cloud_strike(cloud, call, find_service(call)))
                return;
        if (text_starts(http_call_path(call), HANDLES)) {
                cloud_serve_handle(cloud, call);
                return;
        }
        principal = cloud_authenticate(cloud, call, !target);
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
        static const PolicySet nothing = {};
        _cleanup_(cloud_free) Cloud *cloud = calloc(1, sizeof(*cloud));
        CloudPrincipal *formation;
        int r;

        if (!cloud)
                return error_set(ret_error, -ENOMEM, "cannot make a cloud: %m");
        cloud->loop = loop;
        r = http_server_new_tcp(loop, address, 0, NULL, on_call, cloud, &cloud->server, ret_error);
        if (r < 0)
                return r;
        cloud->endpoint = text_format("http://%s:%u", address, http_server_port(cloud->server));
        r = cloud_add_principal(cloud, "cloudformation", &nothing, &formation, ret_error);
        if (r < 0)
                return r;
        cloud->formation_keys = cloud_issue_keys(formation, USEC_INFINITY);
        if (!cloud->endpoint || !cloud->formation_keys)
                return error_set(ret_error, -ENOMEM, "cannot make a cloud: %m");
        *ret = TAKE_PTR(cloud);
        return 0;
}

int cloud_serve_signals(Cloud *cloud, const char *address, Error *ret_error)
{
        int r = http_server_new_tcp(
                cloud->loop, address, 0, NULL, on_call, cloud, &cloud->signals, ret_error);

        if (r < 0)
                return r;
        cloud->handles_endpoint =
                text_format("http://%s:%u", address, http_server_port(cloud->signals));
        return cloud->handles_endpoint ? 0
                                       : error_set(ret_error, -ENOMEM, "cannot make a cloud: %m");
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

Cloud *cloud_free(Cloud *cloud)
{
        if (!cloud)
                return NULL;
        cloud->server = http_server_free(cloud->server);
        cloud->signals = http_server_free(cloud->signals);
        FREE_LIST(CloudHandle, cloud->handles, handle_free);
        FREE_LIST(CloudPrincipal, cloud->principals, principal_free);
        FREE_LIST(CloudIssued, cloud->issued, free);
        FREE_LIST(CloudSecret, cloud->secrets, secret_entry_free);
        FREE_LIST(CloudBucket, cloud->buckets, cloud_bucket_free);
        free(cloud->endpoint);
        free(cloud->handles_endpoint);
        free(cloud->s3_endpoint);
        free(cloud);
        return NULL;
}

void cloud_set_faults(Cloud *cloud, FaultSet *faults)
{
        cloud->faults = faults;
}

FaultSet *cloud_faults(const Cloud *cloud)
{
        return cloud->faults;
}

const char *cloud_endpoint(const Cloud *cloud)
{
        return cloud->endpoint;
}
