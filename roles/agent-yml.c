#include "roles/agent-yml.h"

#include "aws/service.h"
#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"
#include "roles/paths.h"

#include <errno.h>
#include <stdlib.h>

#define DEPTH_MAX 16U
#define PATIENCE  (60 * USEC_PER_SEC) /* a role's rights are seen everywhere by then */

static const RetryPolicy secrets_policy = {
        .name = "secrets",
        .base = {USEC_PER_SEC, USEC_PER_SEC, USEC_PER_SEC},
        .cap = 2 * USEC_PER_SEC,
};

static int append_node(const YamlNode *node, unsigned depth, Buffer *ret);

static int append_items(const YamlNode *node, unsigned depth, Buffer *ret)
{
        bool mapping = node->kind == YAML_MAPPING;
        int r = buffer_append_text(ret, mapping ? "{" : "[");

        for (size_t i = 0; i < node->count && r == 0; i++) {
                r = buffer_append_text(ret, i > 0 ? ", " : "");
                if (r == 0 && mapping)
                        r = yaml_append_quoted(ret, node->keys[i]->text);
                if (r == 0 && mapping)
                        r = buffer_append_text(ret, ": ");
                if (r == 0)
                        r = append_node(node->values[i], depth + 1, ret);
        }
        return r == 0 ? buffer_append_text(ret, mapping ? "}" : "]") : r;
}

/* As it was written: what was plain (a number, a boolean) stays plain. */
static int append_node(const YamlNode *node, unsigned depth, Buffer *ret)
{
        if (depth > DEPTH_MAX)
                return -ENOBUFS;
        switch (node->kind) {
        case YAML_NULL:
                return buffer_append_text(ret, "null");
        case YAML_SCALAR:
                return node->plain ? buffer_append(ret, node->text, node->length)
                                   : yaml_append_quoted(ret, node->text);
        case YAML_SEQUENCE:
        case YAML_MAPPING:
                break;
        }
        return append_items(node, depth, ret);
}

static int append_pair(Buffer *ret, const char *key, const char *value)
{
        int r = buffer_append_format(ret, ", %s: ", key);

        return r == 0 ? yaml_append_quoted(ret, value) : r;
}

/* Rights are not seen yet, the service is busy, a connection broke: another try may help. */
static bool may_pass(int r, const AwsFault *fault)
{
        AwsFaultKind kind = aws_fault_kind(fault);

        if (r != AWS_REFUSED)
                return http_is_transient(r);
        return text_starts(fault->code, "AccessDenied") || kind == AWS_FAULT_TRANSIENT ||
               kind == AWS_FAULT_THROTTLED || kind == AWS_FAULT_EXPIRED_TOKEN;
}

static int call_secrets(
        Role *role, const char *endpoint, const Json *parameters, Json **ret, Error *ret_error)
{
        Usec deadline = usec_min(role->step_deadline, clock_deadline(role->clock, PATIENCE));
        Retry retry = RETRY_INIT(&secrets_policy, role->clock, role->random, deadline);
        AwsFault fault;
        AwsSession *session;
        int r = role_get_session(role, &session, ret_error);

        if (r < 0)
                return r;
        do {
                fault = (AwsFault){};
                r = aws_call_json(session,
                        &aws_service_secretsmanager,
                        endpoint,
                        "GetSecretValue",
                        parameters,
                        deadline,
                        ret,
                        &fault,
                        ret_error);
        } while (r != AWS_OK && may_pass(r, &fault) &&
                 retry_wait(&retry, RETRY_TRANSIENT, 0) == RETRY_AGAIN);
        if (r == AWS_REFUSED && text_starts(fault.code, "AccessDenied"))
                r = error_append(ret_error,
                        r,
                        "; grant this machine's role secretsmanager:GetSecretValue on it, and "
                        "kms:Decrypt on its key where that is not AWS's own");
        return role_fail(r);
}

static int fetch_secret(Role *role, Json **ret, Error *ret_error)
{
        const char *name = role->settings->dataset_secret;
        AwsEndpointOptions options = {};
        _cleanup_(json_free) Json *parameters = json_new_object(), *answer = NULL;
        _cleanup_(secret_free) Secret *text = NULL;
        _cleanup_(free) char *endpoint = NULL;
        int r;

        r = aws_endpoint_options_from_environment(
                role->environment, "secretsmanager", &options, ret_error);
        options.region = role->instance.identity.region;
        if (r == 0)
                r = aws_endpoint(&options, "secretsmanager", &endpoint, ret_error);
        if (r == 0)
                r = json_set_text(parameters, "SecretId", name);
        if (r == 0)
                r = call_secrets(role, endpoint, parameters, &answer, ret_error);
        if (r == 0)
                r = json_get_secret(answer, name, "SecretString", &text, ret_error);
        if (r < 0)
                return error_prefix(ret_error, r, "cannot fetch the secret '%s'", name);
        r = json_parse_secret(name, secret_data(text), secret_size(text), ret, ret_error);
        return r < 0 ? error_append(ret_error,
                               r,
                               "; the secret is to be a JSON object with access_key_id and "
                               "secret_access_key")
                     : 0;
}

/* Access keys, where the dataset itself has none. */
static int append_keys(Role *role, const YamlNode *dataset, Buffer *ret, Error *ret_error)
{
        static const char *const keys[] = {"access_key_id", "secret_access_key"};
        _cleanup_(json_free) Json *secret = NULL;
        int r = 0;

        if (dataset && yaml_member(dataset, keys[0]) && yaml_member(dataset, keys[1]))
                return 0;
        if (!role->settings->dataset_secret)
                return error_set(ret_error,
                        -EDOM,
                        "cannot make agent.yml: the aws backend needs access_key_id and "
                        "secret_access_key; give them in 'dataset', or name a Secrets Manager "
                        "secret in 'dataset-secret'");
        r = fetch_secret(role, &secret, ret_error);
        for (size_t i = 0; i < ELEMENTS(keys) && r == 0; i++) {
                const char *value;

                r = json_get_text(
                        secret, role->settings->dataset_secret, keys[i], &value, ret_error);
                if (r == 0)
                        r = append_pair(ret, keys[i], value);
        }
        return r;
}

static int append_aws(Role *role, const YamlNode *dataset, Buffer *ret, Error *ret_error)
{
        const MetadataIdentity *identity = &role->instance.identity;
        int r = 0;

        if (!dataset || !yaml_member(dataset, "region"))
                r = append_pair(ret, "region", identity->region);
        if (r == 0 && (!dataset || !yaml_member(dataset, "zone")))
                r = append_pair(ret, "zone", identity->availability_zone);
        return r == 0 ? append_keys(role, dataset, ret, ret_error) : r;
}

int agent_yml_make(Role *role, Buffer *ret, Error *ret_error)
{
        const YamlNode *dataset = role->settings->dataset;
        const YamlNode *backend = dataset ? yaml_member(dataset, "backend") : NULL;
        const char *name = backend && backend->kind == YAML_SCALAR ? backend->text : "aws";
        int r;

        if (dataset && !backend)
                return yaml_refuse(role->settings->document,
                        dataset,
                        ret_error,
                        "dataset: expected a backend (aws, loopback, openstack, …)");
        r = buffer_append_text(ret, "version: 1\ncontrol-service: {hostname: ");
        if (r == 0)
                r = yaml_append_quoted(ret, role->instance.private_ip);
        if (r == 0)
                r = buffer_append_format(ret, ", port: %u}\ndataset: {", PORT_FLOCKER_AGENTS);
        if (r == 0)
                r = buffer_append_text(ret, "backend: ");
        if (r == 0)
                r = yaml_append_quoted(ret, name);
        for (size_t i = 0; dataset && i < dataset->count && r == 0; i++) {
                if (dataset->values[i] == backend)
                        continue;
                r = buffer_append_format(ret, ", %s: ", dataset->keys[i]->text);
                if (r == 0)
                        r = append_node(dataset->values[i], 0, ret);
        }
        if (r == 0 && text_equal(name, "aws"))
                r = append_aws(role, dataset, ret, ret_error);
        if (r == 0)
                r = buffer_append_text(ret, "}\n");
        if (r == -ENOBUFS || r == -ENOMEM)
                return error_set(ret_error, r, "cannot make agent.yml: %m");
        return r;
}
