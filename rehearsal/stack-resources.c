/* The resources of a stack: what each type of the table is in a rehearsal. */

#include "base/random.h"
#include "base/text.h"
#include "cfn/resource.h"
#include "rehearsal/s3-server.h"
#include "rehearsal/stack-parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define FIRST_ADDRESS 10U /* the last byte of the first instance's */
#define ADDRESSES_MAX 240U
#define TIMEOUT_MAX   43200
#define REASON_MAX    4096U
#define USER_DATA_MAX 16384U               /* bytes, decoded (EC2 API Reference, RunInstances) */
#define SIGNALS_MAX   (8U * 1024U * 1024U) /* bytes of all signals' data */
#define HASH_LENGTH   8U                   /* what a template may put behind a logical id's stem */

const char *stack_get_text(const Json *json, const char *key)
{
        const Json *member = json ? json_member(json, key) : NULL;

        return member ? json_text(member) : NULL;
}

void stack_make_word(char *place, size_t length)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < length; i++)
                place[i] = digits[random_below(&random_system, 16)];
        place[length] = '\0';
}

/* What a service would call it. */
char *stack_make_id(const Resource *resource)
{
        const CfnResourceType *type = cfn_resource_type(resource->definition->type);
        char word[18];
        char *name;

        stack_make_word(word, 17);
        if (type && type->ref == CFN_REF_ID)
                return text_format("%s0%s", type->id_prefix ? type->id_prefix : "", word);
        name = text_format(
                "%s-%s-%.12s", resource->stack->options.name, resource->definition->name, word);
        for (char *c = name; c && text_equal(resource->definition->type, "AWS::S3::Bucket") && *c;
                c++)
                *c = (char)tolower((unsigned char)*c);
        return name;
}

/* The customer's key, where it has one. */
static int set_bucket_key(Resource *resource, Error *ret_error)
{
        const Json *encryption = json_member(resource->properties, "BucketEncryption");
        const Json *rule =
                json_element(json_member(encryption, "ServerSideEncryptionConfiguration"), 0);
        const char *key = stack_get_text(
                json_member(rule, "ServerSideEncryptionByDefault"), "KMSMasterKeyID");

        if (cloud_s3(resource->stack->options.cloud))
                return 0;
        if (cloud_set_bucket_key(resource->stack->options.cloud, resource->id, key) < 0)
                return error_set(ret_error, -ENOMEM, "no memory");
        return 0;
}

static int make_bucket(Resource *resource, Error *ret_error)
{
        const S3Server *server = cloud_s3(resource->stack->options.cloud);
        const char *name =
                server ? server->bucket : stack_get_text(resource->properties, "BucketName");
        int r;

        if (name) {
                free(resource->id);
                resource->id = text_copy(name);
        }
        resource->arn = text_format("arn:aws:s3:::%s", resource->id);
        if (server)
                return 0;
        r = cloud_add_bucket(resource->stack->options.cloud, resource->id, ret_error);
        return r == 0 ? set_bucket_key(resource, ret_error) : r;
}

static int make_bucket_policy(Resource *resource, Error *ret_error)
{
        const char *bucket = stack_get_text(resource->properties, "Bucket");

        if (cloud_s3(resource->stack->options.cloud))
                return 0;
        if (cloud_count_objects(resource->stack->options.cloud, bucket ? bucket : "") < 0)
                return error_set(ret_error, -EINVAL, "the bucket policy names no bucket");
        cloud_set_bucket_policy(resource->stack->options.cloud,
                bucket,
                json_member(resource->properties, "PolicyDocument"));
        return 0;
}

static int read_policies(Resource *resource, Error *ret_error)
{
        const Json *policies = json_member(resource->properties, "Policies");
        PolicySet *set = &resource->policies;

        set->count = 0;
        for (size_t i = 0; i < json_count(policies) && i < POLICY_DOCUMENTS_MAX; i++) {
                const Json *policy = json_element(policies, i);
                const char *name = stack_get_text(policy, "PolicyName");
                const Json *document = json_member(policy, "PolicyDocument");
                int r = policy_check(document, name ? name : "PolicyDocument", ret_error);

                if (r < 0)
                        return r;
                set->documents[set->count++] = document;
        }
        return 0;
}

static int make_role(Resource *resource, Error *ret_error)
{
        int r = read_policies(resource, ret_error);

        if (r < 0)
                return r;
        resource->arn = text_format("arn:aws:iam::" CLOUD_ACCOUNT ":role/%s", resource->id);
        return cloud_add_principal(resource->stack->options.cloud,
                resource->definition->name,
                &resource->policies,
                &resource->principal,
                ret_error);
}

static int change_role(Resource *resource, Error *ret_error)
{
        int r = read_policies(resource, ret_error);

        if (r == 0)
                cloud_set_policies(resource->principal, &resource->policies);
        return r;
}

Resource *stack_find_by_id(const Stack *stack, const char *id)
{
        for (size_t i = 0; i < stack->count; i++)
                if (text_equal(stack->resources[i]->id, id))
                        return stack->resources[i];
        return NULL;
}

static int make_profile(Resource *resource, Error *ret_error)
{
        const Json *roles = json_member(resource->properties, "Roles");
        const char *name = json_text(json_element(roles, 0));
        Resource *role = name ? stack_find_by_id(resource->stack, name) : NULL;

        if (!role || !role->principal)
                return error_set(
                        ret_error, -EINVAL, "the instance profile names no role of this stack");
        resource->principal = role->principal;
        resource->arn =
                text_format("arn:aws:iam::" CLOUD_ACCOUNT ":instance-profile/%s", resource->id);
        return 0;
}

static int make_secret(Resource *resource, Error *ret_error)
{
        const char *text = stack_get_text(resource->properties, "SecretString"), *arn;
        int r = cloud_add_secret(resource->stack->options.cloud,
                resource->definition->name,
                text ? text : "{}",
                &arn,
                ret_error);

        if (r < 0)
                return r;
        free(resource->id);
        resource->id = text_copy(arn);
        return 0;
}

/* --- wait conditions --- */

/* Signals with success, by their UniqueId, as GetAtt's Data has them: {"id":"data"}. */
static Json *read_signals(const Resource *waiting)
{
        Json *signals = NULL;

        if (waiting->signal_data)
                (void)json_parse(
                        "Data", waiting->signal_data, strlen(waiting->signal_data), &signals, NULL);
        return signals ? signals : json_new_object();
}

static int keep_signal(Resource *waiting, const CloudSignal *signal)
{
        _cleanup_(json_free) Json *signals = read_signals(waiting);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(SIGNALS_MAX);
        int r = signals ? json_set_text(signals, signal->id, signal->data ? signal->data : "")
                        : -ENOMEM;

        if (r == 0)
                r = json_format(signals, JSON_ONE_LINE, &text);
        if (r < 0)
                return r;
        free(waiting->signal_data);
        waiting->signal_data = buffer_take(&text, NULL);
        return waiting->signal_data ? 0 : -ENOMEM;
}

static void on_timeout(void *userdata)
{
        Resource *resource = userdata;
        _cleanup_(json_free) Json *signals = read_signals(resource);
        size_t received = json_count(signals);
        char reason[128];

        (void)snprintf(reason,
                sizeof(reason),
                "WaitCondition timed out. Received %zu conditions when expecting %zu",
                received,
                received + (size_t)resource->signals_left);
        stack_fail(resource, reason);
}

/* The wait condition of a handle. */
static Resource *find_waiting(const Resource *handle)
{
        for (size_t i = 0; i < handle->stack->count; i++) {
                Resource *resource = handle->stack->resources[i];

                if (text_equal(resource->definition->type, "AWS::CloudFormation::WaitCondition") &&
                        resource->life == CREATING &&
                        text_equal(stack_get_text(resource->properties, "Handle"), handle->id))
                        return resource;
        }
        return NULL;
}

static void on_signal(const CloudSignal *signal, void *userdata)
{
        Resource *handle = userdata, *waiting = find_waiting(handle);
        char reason[REASON_MAX];

        if (!waiting)
                return;
        if (!signal->success) {
                (void)snprintf(reason,
                        sizeof(reason),
                        "WaitCondition received failed message: '%s' for uniqueId: %s",
                        signal->reason ? signal->reason : "",
                        signal->id);
                stack_fail(waiting, reason);
                return;
        }
        if (keep_signal(waiting, signal) < 0) {
                stack_fail(waiting, "no memory");
                return;
        }
        if (--waiting->signals_left <= 0) {
                event_timer_stop(waiting->timer);
                stack_settle(waiting, CREATED, signal->data);
        }
}

static int make_handle(Resource *resource, Error *ret_error)
{
        int r = cloud_add_handle(resource->stack->options.cloud,
                resource->definition->name,
                on_signal,
                resource,
                &resource->handle,
                ret_error);

        if (r < 0)
                return r;
        free(resource->id);
        resource->id = text_copy(cloud_handle_url(resource->handle));
        return 0;
}

/* A number, as a number or as a text. */
static int get_number(
        const Resource *resource, const char *key, int64_t fallback, int64_t *ret, Error *ret_error)
{
        const Json *json = json_member(resource->properties, key);
        const char *text = json ? json_text(json) : NULL;

        *ret = fallback;
        if (!json || json_int64(json, ret) == 0 ||
                (text && text_to_int64(text, 0, TIMEOUT_MAX, ret) == 0))
                return 0;
        return error_set(ret_error, -EINVAL, "%s is no number", key);
}

static int make_waiting(Resource *resource, Error *ret_error)
{
        int64_t timeout;
        int r = get_number(resource, "Timeout", 0, &timeout, ret_error);

        if (r == 0)
                r = get_number(resource, "Count", 1, &resource->signals_left, ret_error);
        if (r == 0 && (timeout < 1 || timeout > TIMEOUT_MAX))
                r = error_set(ret_error, -EINVAL, "Timeout is not from 1 to %d", TIMEOUT_MAX);
        if (r == 0 &&
                event_timer_new(
                        resource->stack->options.loop, on_timeout, resource, &resource->timer) < 0)
                r = error_set(ret_error, -ENOMEM, "no memory");
        if (r == 0)
                event_timer_set(resource->timer, (Usec)timeout * USEC_PER_SEC);
        return r;
}

/* --- instances --- */

static void on_instance_ended(int status, void *userdata)
{
        Resource *resource = userdata;

        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return;
        stack_note(resource->stack,
                "the user-data of %s ended with %s %d; see %s/var/log/cloud-init-output.log",
                resource->stem,
                WIFEXITED(status) ? "status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                resource->root);
}

static void on_said(const char *line, void *userdata)
{
        Resource *resource = userdata;

        resource->stack->options.said(resource->stem, line, resource->stack->options.userdata);
}

/* The logical id without the configuration's hash: "AgentNode1" of "AgentNode1X0a1b2c3d". */
char *stack_find_stem(const char *name)
{
        size_t length = strlen(name);

        if (length > HASH_LENGTH + 1 && name[length - HASH_LENGTH - 1] == 'X') {
                const char *hash = name + length - HASH_LENGTH;

                if (strspn(hash, "0123456789abcdef") == HASH_LENGTH)
                        length -= HASH_LENGTH + 1;
        }
        return text_copy_part(name, length);
}

static const char *find_fault(const Stack *stack, const char *stem, const char *name)
{
        for (size_t i = 0; i < stack->options.n_faults; i++)
                if (text_equal(stack->options.faults[i].node, stem) ||
                        text_equal(stack->options.faults[i].node, name))
                        return stack->options.faults[i].rest;
        return NULL;
}

/* HttpTokens, of the instance itself or of its launch template. */
static bool requires_tokens(const Resource *resource)
{
        const Json *options = json_member(resource->properties, "MetadataOptions");
        const Json *launch = json_member(resource->properties, "LaunchTemplate");
        const char *id = launch ? stack_get_text(launch, "LaunchTemplateId") : NULL;
        const Resource *from = id ? stack_find_by_id(resource->stack, id) : NULL;

        if (!options && from)
                options = json_member(
                        json_member(from->properties, "LaunchTemplateData"), "MetadataOptions");
        return options && text_equal(stack_get_text(options, "HttpTokens"), "required");
}

static int read_user_data(const Resource *resource, char **ret, Error *ret_error)
{
        const char *text = stack_get_text(resource->properties, "UserData");
        void *bytes = NULL;
        size_t size = 0;
        int r = 0;

        *ret = NULL;
        if (!text)
                return 0;
        if (text_base64_decode(text, strlen(text), &bytes, &size) < 0)
                return error_set(ret_error, -EINVAL, "UserData is no base64 (Fn::Base64)");
        if (size > USER_DATA_MAX)
                r = error_set(ret_error,
                        -EINVAL,
                        "UserData has %zu bytes, and an instance takes %u at most",
                        size,
                        USER_DATA_MAX);
        *ret = r == 0 ? text_copy_part(bytes, size) : NULL;
        free(bytes);
        return r < 0 || *ret ? r : error_set(ret_error, -ENOMEM, "no memory");
}

/* A folder of the stem's name; one that replaces another's by a name of its own. */
static char *make_root(const Resource *resource)
{
        const Stack *stack = resource->stack;

        for (size_t i = 0; i < stack->count; i++) {
                const Resource *other = stack->resources[i];

                if (other != resource && other->root && text_equal(other->stem, resource->stem))
                        return text_format("%s/%s-%u",
                                stack->options.folder,
                                resource->stem,
                                stack->addresses);
        }
        return text_format("%s/%s", stack->options.folder, resource->stem);
}

static int make_instance(Resource *resource, Error *ret_error)
{
        Stack *stack = resource->stack;
        const char *profile = stack_get_text(resource->properties, "IamInstanceProfile");
        const char *type = stack_get_text(resource->properties, "InstanceType");
        const char *image = stack_get_text(resource->properties, "ImageId");
        const Resource *role = profile ? stack_find_by_id(stack, profile) : NULL;
        _cleanup_(free) char *user_data = NULL;
        InstanceOptions options = {
                .loop = stack->options.loop,
                .cloud = stack->options.cloud,
                .machines = stack->options.machines,
                .rehearsal = stack->options.rehearsal,
                .bootstrap = stack->options.bootstrap,
                .instance_type = type ? type : "m3.large",
                .image_id = image ? image : "ami-0rehearsal",
                .zone = CLOUD_REGION "a",
                .role_name = role ? role->id : NULL,
                .principal = role ? role->principal : NULL,
                .keys_lifetime = stack->options.keys_lifetime,
                .keys = stack->options.keys,
                .tokens_required = requires_tokens(resource),
                .said = on_said,
                .ended = on_instance_ended,
                .userdata = resource,
        };
        int r = read_user_data(resource, &user_data, ret_error);

        if (r < 0)
                return r;
        if (stack->addresses >= ADDRESSES_MAX)
                return error_set(ret_error, -ENOSPC, "there is no address left for it");
        resource->stem = stack_find_stem(resource->definition->name);
        resource->address =
                text_format("%s.%u", stack->options.network, FIRST_ADDRESS + stack->addresses++);
        resource->root = make_root(resource);
        options.name = resource->stem;
        options.address = resource->address;
        options.root = resource->root;
        options.user_data = user_data;
        options.fault = find_fault(stack, resource->stem, resource->definition->name);
        r = instance_new(&options, &resource->instance, ret_error);
        if (r < 0)
                return r;
        free(resource->id);
        resource->id = text_copy(instance_id(resource->instance));
        resource->instance_id = text_copy(resource->id);
        return 0;
}

static bool has_changed(const Resource *resource, const char *property)
{
        const Json *before = json_member(resource->former_properties, property);
        const Json *now = json_member(resource->properties, property);

        return (before || now) && !(before && now && json_is_same(before, now));
}

static int change_instance(Resource *resource, Error *ret_error)
{
        _cleanup_(free) char *user_data = NULL;
        int r;

        if (!has_changed(resource, "UserData") && !has_changed(resource, "InstanceType"))
                return 0;
        r = read_user_data(resource, &user_data, ret_error);
        if (r < 0)
                return r;
        stack_note(resource->stack,
                "%s is stopped and started; cloud-init does not run its user-data again",
                resource->stem);
        return instance_restart(resource->instance, user_data, ret_error);
}

static int change_launch_template(Resource *resource, Error *ret_error)
{
        (void)ret_error;
        resource->version++;
        return 0;
}

static int change_secret(Resource *resource, Error *ret_error)
{
        (void)ret_error;
        stack_note(resource->stack,
                "%s keeps its value: a rehearsal does not change secrets",
                resource->definition->name);
        return 0;
}

static int do_nothing(Resource *resource, Error *ret_error)
{
        (void)resource;
        (void)ret_error;
        return 0;
}

/* What a rehearsal makes, and changes. `later`: it is complete when something else says so. */
static const struct {
        const char *type;
        int (*make)(Resource *resource, Error *ret_error);
        int (*change)(Resource *resource, Error *ret_error);
        bool later;
} kinds[] = {
        {"AWS::CloudFormation::WaitCondition", make_waiting, do_nothing, true},
        {"AWS::CloudFormation::WaitConditionHandle", make_handle, do_nothing, false},
        {"AWS::EC2::Instance", make_instance, change_instance, false},
        {"AWS::EC2::LaunchTemplate", do_nothing, change_launch_template, false},
        {"AWS::EC2::SecurityGroup", do_nothing, do_nothing, false},
        {"AWS::EC2::SecurityGroupIngress", do_nothing, do_nothing, false},
        {"AWS::IAM::InstanceProfile", make_profile, do_nothing, false},
        {"AWS::IAM::Role", make_role, change_role, false},
        {"AWS::S3::Bucket", make_bucket, set_bucket_key, false},
        {"AWS::S3::BucketPolicy", make_bucket_policy, make_bucket_policy, false},
        {"AWS::SecretsManager::Secret", make_secret, change_secret, false},
};

int stack_make(Resource *resource, bool *ret_later, Error *ret_error)
{
        *ret_later = false;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (text_equal(kinds[i].type, resource->definition->type)) {
                        *ret_later = kinds[i].later;
                        return kinds[i].make(resource, ret_error);
                }
        return 0;
}

int stack_change(Resource *resource, Error *ret_error)
{
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (text_equal(kinds[i].type, resource->definition->type))
                        return kinds[i].change(resource, ret_error);
        return 0;
}
