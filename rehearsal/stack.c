#include "rehearsal/stack.h"

#include "base/random.h"
#include "base/text.h"
#include "cfn/resource.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define ATTRIBUTES_MAX 4U
#define FIRST_ADDRESS  10U /* the last byte of the first instance's */
#define ADDRESSES_MAX  240U
#define TIMEOUT_MAX    43200
#define REASON_MAX     4096U
#define HASH_LENGTH    8U /* what a template may put behind a logical id's stem */

typedef enum Life {
        PENDING,
        CREATING,
        CREATED,
        FAILED,
        DELETED,
        ABSENT, /* its condition does not hold */
} Life;

typedef struct Resource {
        Stack *stack;
        const CfnResource *definition;
        Life life;
        Json *properties; /* evaluated */
        char *id;         /* what Ref gives */
        char *arn;
        size_t sequence; /* of its creation */

        CloudPrincipal *principal; /* of a role, or of an instance profile by its role */
        PolicySet policies;
        CloudHandle *handle;
        EventTimer *timer;    /* of a wait condition */
        int64_t signals_left; /* likewise */
        char *signal_data;
        Instance *instance;
        char *address, *root, *stem, *instance_id;
} Resource;

struct Stack {
        StackOptions options;
        CfnContext context;
        CfnGraph *graph;
        Resource *resources;
        size_t count;
        StackState state;
        Usec began, began_wall;
        size_t sequence;
        unsigned addresses;
        EventTimer *turn;
        char *id;
        char *reason; /* of the first failure */
};

/* --- telling --- */

static void tell(
        Stack *stack, const char *status, const char *type, const char *name, const char *reason)
{
        StackEvent event = {
                .at = clock_now(&clock_system) - stack->began,
                .status = status,
                .type = type,
                .name = name,
                .reason = reason,
        };

        stack->options.event(&event, stack->options.userdata);
}

static void tell_resource(const Resource *resource, const char *status, const char *reason)
{
        tell(resource->stack,
                status,
                resource->definition->type,
                resource->definition->name,
                reason);
}

static void note(const Stack *stack, const char *format, ...) _printf_(2, 3);
static void note(const Stack *stack, const char *format, ...)
{
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        stack->options.note(text, stack->options.userdata);
}

/* --- what resources are to others --- */

static Resource *find_resource(const Stack *stack, const char *name)
{
        for (size_t i = 0; i < stack->count; i++)
                if (text_equal(stack->resources[i].definition->name, name))
                        return &stack->resources[i];
        return NULL;
}

static const char *get(const Json *json, const char *key)
{
        const Json *member = json ? json_member(json, key) : NULL;

        return member ? json_text(member) : NULL;
}

static const char *get_attribute(const Resource *resource, const char *name)
{
        if (text_equal(name, "Arn"))
                return resource->arn;
        if (text_equal(name, "PrivateIp") || text_equal(name, "PublicIp"))
                return resource->address;
        if (text_equal(name, "AvailabilityZone"))
                return CLOUD_REGION "a";
        if (text_equal(name, "GroupId") || text_equal(name, "InstanceId"))
                return resource->id;
        if (text_equal(name, "LatestVersionNumber") || text_equal(name, "DefaultVersionNumber"))
                return "1";
        if (text_equal(name, "Data"))
                return resource->signal_data ? resource->signal_data : "{}";
        return NULL;
}

static int refer(const CfnResource *definition,
        const char *attribute,
        void *userdata,
        Json **ret,
        Error *ret_error)
{
        const Resource *resource = find_resource(userdata, definition->name);
        const char *text = !resource   ? NULL
                           : attribute ? get_attribute(resource, attribute)
                                       : resource->id;

        if (!text)
                return error_set(ret_error,
                        -ENOENT,
                        "a rehearsal does not know '%s%s%s'",
                        definition->name,
                        attribute ? "." : "",
                        attribute ? attribute : "");
        *ret = json_new_text(text);
        return *ret ? 0 : -ENOMEM;
}

/* --- making --- */

static void settle(Resource *resource, Life life, const char *reason);
static void fail(Resource *resource, const char *reason);

static void make_word(char *place, size_t length)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < length; i++)
                place[i] = digits[random_below(&random_system, 16)];
        place[length] = '\0';
}

/* What a service would call it. */
static char *make_id(const Resource *resource)
{
        const CfnResourceType *type = cfn_resource_type(resource->definition->type);
        char word[18];
        char *name;

        make_word(word, 17);
        if (type && type->ref == CFN_REF_ID)
                return text_format("%s0%s", type->id_prefix ? type->id_prefix : "", word);
        name = text_format(
                "%s-%s-%.12s", resource->stack->options.name, resource->definition->name, word);
        for (char *c = name; c && text_equal(resource->definition->type, "AWS::S3::Bucket") && *c;
                c++)
                *c = (char)tolower((unsigned char)*c);
        return name;
}

static int make_bucket(Resource *resource, Error *ret_error)
{
        const char *name = get(resource->properties, "BucketName");

        if (name) {
                free(resource->id);
                resource->id = text_copy(name);
        }
        resource->arn = text_format("arn:aws:s3:::%s", resource->id);
        return cloud_add_bucket(resource->stack->options.cloud, resource->id, ret_error);
}

static int make_role(Resource *resource, Error *ret_error)
{
        const Json *policies = json_member(resource->properties, "Policies");

        for (size_t i = 0; i < json_count(policies) && i < POLICY_DOCUMENTS_MAX; i++)
                resource->policies.documents[resource->policies.count++] =
                        json_member(json_element(policies, i), "PolicyDocument");
        resource->arn = text_format("arn:aws:iam::" CLOUD_ACCOUNT ":role/%s", resource->id);
        return cloud_add_principal(resource->stack->options.cloud,
                resource->definition->name,
                &resource->policies,
                &resource->principal,
                ret_error);
}

static Resource *find_by_id(const Stack *stack, const char *id)
{
        for (size_t i = 0; i < stack->count; i++)
                if (text_equal(stack->resources[i].id, id))
                        return &stack->resources[i];
        return NULL;
}

static int make_profile(Resource *resource, Error *ret_error)
{
        const Json *roles = json_member(resource->properties, "Roles");
        const char *name = json_text(json_element(roles, 0));
        Resource *role = name ? find_by_id(resource->stack, name) : NULL;

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
        const char *text = get(resource->properties, "SecretString"), *arn;
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

static void on_timeout(void *userdata)
{
        Resource *resource = userdata;
        char reason[128];

        (void)snprintf(reason,
                sizeof(reason),
                "WaitCondition timed out. Received %d conditions when expecting %d",
                0,
                (int)resource->signals_left);
        fail(resource, reason);
}

/* The wait condition of a handle. */
static Resource *find_waiting(const Resource *handle)
{
        for (size_t i = 0; i < handle->stack->count; i++) {
                Resource *resource = &handle->stack->resources[i];

                if (text_equal(resource->definition->type, "AWS::CloudFormation::WaitCondition") &&
                        resource->life == CREATING &&
                        text_equal(get(resource->properties, "Handle"), handle->id))
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
                fail(waiting, reason);
                return;
        }
        free(waiting->signal_data);
        waiting->signal_data =
                text_format("{\"%s\":\"%s\"}", signal->id, signal->data ? signal->data : "");
        if (--waiting->signals_left <= 0) {
                event_timer_stop(waiting->timer);
                settle(waiting, CREATED, signal->data);
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
        note(resource->stack,
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
static char *find_stem(const char *name)
{
        size_t length = strlen(name);

        if (length > HASH_LENGTH + 1 && name[length - HASH_LENGTH - 1] == 'X') {
                const char *hash = name + length - HASH_LENGTH;

                if (strspn(hash, "0123456789abcdef") == HASH_LENGTH)
                        length -= HASH_LENGTH + 1;
        }
        return text_copy_part(name, length);
}

static const char *find_fault(const Stack *stack, const char *stem)
{
        for (size_t i = 0; i < stack->options.n_faults; i++)
                if (text_equal(stack->options.faults[i].node, stem))
                        return stack->options.faults[i].rest;
        return NULL;
}

/* HttpTokens, of the instance itself or of its launch template. */
static bool requires_tokens(const Resource *resource)
{
        const Json *options = json_member(resource->properties, "MetadataOptions");
        const Json *launch = json_member(resource->properties, "LaunchTemplate");
        const char *id = launch ? get(launch, "LaunchTemplateId") : NULL;
        const Resource *from = id ? find_by_id(resource->stack, id) : NULL;

        if (!options && from)
                options = json_member(
                        json_member(from->properties, "LaunchTemplateData"), "MetadataOptions");
        return options && text_equal(get(options, "HttpTokens"), "required");
}

static int read_user_data(const Resource *resource, char **ret, Error *ret_error)
{
        const char *text = get(resource->properties, "UserData");
        void *bytes = NULL;
        size_t size = 0;

        *ret = NULL;
        if (!text)
                return 0;
        if (text_base64_decode(text, strlen(text), &bytes, &size) < 0)
                return error_set(ret_error, -EINVAL, "UserData is no base64 (Fn::Base64)");
        *ret = text_copy_part(bytes, size);
        free(bytes);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "no memory");
}

static int make_instance(Resource *resource, Error *ret_error)
{
        Stack *stack = resource->stack;
        const char *profile = get(resource->properties, "IamInstanceProfile");
        const char *type = get(resource->properties, "InstanceType");
        const char *image = get(resource->properties, "ImageId");
        const Resource *role = profile ? find_by_id(stack, profile) : NULL;
        _cleanup_(free) char *user_data = NULL;
        InstanceOptions options = {
                .loop = stack->options.loop,
                .cloud = stack->options.cloud,
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
        resource->stem = find_stem(resource->definition->name);
        resource->address =
                text_format("%s.%u", stack->options.network, FIRST_ADDRESS + stack->addresses++);
        resource->root = text_format("%s/%s", stack->options.folder, resource->stem);
        options.name = resource->stem;
        options.address = resource->address;
        options.root = resource->root;
        options.user_data = user_data;
        options.fault = find_fault(stack, resource->stem);
        r = instance_new(&options, &resource->instance, ret_error);
        if (r < 0)
                return r;
        free(resource->id);
        resource->id = text_copy(instance_id(resource->instance));
        resource->instance_id = text_copy(resource->id);
        return 0;
}

static int do_nothing(Resource *resource, Error *ret_error)
{
        (void)resource;
        (void)ret_error;
        return 0;
}

/* What a rehearsal makes. `later`: it is complete when something else says so. */
static const struct {
        const char *type;
        int (*make)(Resource *resource, Error *ret_error);
        bool later;
} kinds[] = {
        {"AWS::CloudFormation::WaitCondition", make_waiting, true},
        {"AWS::CloudFormation::WaitConditionHandle", make_handle, false},
        {"AWS::EC2::Instance", make_instance, false},
        {"AWS::EC2::LaunchTemplate", do_nothing, false},
        {"AWS::EC2::SecurityGroup", do_nothing, false},
        {"AWS::EC2::SecurityGroupIngress", do_nothing, false},
        {"AWS::IAM::InstanceProfile", make_profile, false},
        {"AWS::IAM::Role", make_role, false},
        {"AWS::S3::Bucket", make_bucket, false},
        {"AWS::S3::BucketPolicy", do_nothing, false},
        {"AWS::SecretsManager::Secret", make_secret, false},
};

static void create(Resource *resource)
{
        Stack *stack = resource->stack;
        Error error = ERROR_INIT;
        bool later = false;
        int r = 0;

        resource->life = CREATING;
        resource->sequence = ++stack->sequence;
        tell_resource(resource, "CREATE_IN_PROGRESS", NULL);
        if (resource->definition->properties)
                r = cfn_function_evaluate(&stack->context,
                        resource->definition->properties,
                        &resource->properties,
                        &error);
        else
                resource->properties = json_new_object();
        resource->id = make_id(resource);
        for (size_t i = 0; i < ELEMENTS(kinds) && r == 0; i++)
                if (text_equal(kinds[i].type, resource->definition->type)) {
                        r = kinds[i].make(resource, &error);
                        later = kinds[i].later;
                }
        if (r < 0)
                fail(resource, error.text);
        else if (!later)
                settle(resource, CREATED, NULL);
}

/* --- the course of things --- */

static bool is_ready(const Stack *stack, size_t index)
{
        for (size_t i = 0; i < stack->count; i++)
                if (cfn_graph_needs(stack->graph, index, i) &&
                        stack->resources[i].life != CREATED && stack->resources[i].life != ABSENT)
                        return false;
        return true;
}

static void finish(Stack *stack, StackState state, const char *status)
{
        stack->state = state;
        for (size_t i = 0; i < stack->count; i++)
                if (stack->resources[i].handle)
                        cloud_close_handle(stack->resources[i].handle);
        tell(stack, status, "AWS::CloudFormation::Stack", stack->options.name, stack->reason);
        stack->options.finished(state, stack->options.userdata);
}

/* Starts all that has nothing to wait for any more; each turn of the loop anew, as one may complete
 * at once and free others. */
static void on_turn(void *userdata)
{
        Stack *stack = userdata;
        size_t left = 0;

        for (size_t i = 0; i < stack->count && stack->state == STACK_CREATING; i++) {
                size_t index = stack->graph->order[i];

                if (stack->resources[index].life == PENDING && is_ready(stack, index))
                        create(&stack->resources[index]);
        }
        for (size_t i = 0; i < stack->count; i++)
                left += stack->resources[i].life == PENDING || stack->resources[i].life == CREATING;
        if (stack->state == STACK_CREATING && left == 0)
                finish(stack, STACK_COMPLETE, "CREATE_COMPLETE");
}

static void settle(Resource *resource, Life life, const char *reason)
{
        resource->life = life;
        tell_resource(resource, life == CREATED ? "CREATE_COMPLETE" : "CREATE_FAILED", reason);
        event_timer_set(resource->stack->turn, 0);
}

/* What a rollback takes away. */
static void delete (Resource *resource)
{
        const CfnResource *definition = resource->definition;
        Stack *stack = resource->stack;

        if (text_equal(definition->deletion_policy, "Retain")) {
                tell_resource(resource, "DELETE_SKIPPED", NULL);
                resource->life = DELETED;
                return;
        }
        tell_resource(resource, "DELETE_IN_PROGRESS", NULL);
        resource->instance = instance_free(resource->instance);
        resource->timer = event_timer_free(resource->timer);
        if (text_equal(definition->type, "AWS::S3::Bucket")) {
                if (cloud_count_objects(stack->options.cloud, resource->id) > 0) {
                        tell_resource(resource,
                                "DELETE_FAILED",
                                "The bucket you tried to delete is not empty");
                        resource->life = DELETED;
                        return;
                }
                cloud_remove_bucket(stack->options.cloud, resource->id);
        }
        resource->life = DELETED;
        tell_resource(resource, "DELETE_COMPLETE", NULL);
}

static void on_rollback(void *userdata)
{
        Stack *stack = userdata;

        tell(stack,
                "ROLLBACK_IN_PROGRESS",
                "AWS::CloudFormation::Stack",
                stack->options.name,
                stack->reason);
        for (size_t last = stack->sequence; last > 0; last--)
                for (size_t i = 0; i < stack->count; i++) {
                        Resource *resource = &stack->resources[i];

                        if (resource->sequence == last &&
                                (resource->life == CREATED || resource->life == CREATING ||
                                        resource->life == FAILED))
                                delete (resource);
                }
        finish(stack, STACK_ROLLED_BACK, "ROLLBACK_COMPLETE");
}

static void fail(Resource *resource, const char *reason)
{
        Stack *stack = resource->stack;

        if (resource->timer)
                event_timer_stop(resource->timer);
        settle(resource, FAILED, reason);
        if (stack->state != STACK_CREATING)
                return;
        stack->reason = text_format(
                "The following resource(s) failed to create: [%s].", resource->definition->name);
        if (stack->options.disable_rollback) {
                finish(stack, STACK_FAILED, "CREATE_FAILED");
                return;
        }
        stack->state = STACK_ROLLING_BACK;
        stack->turn = event_timer_free(stack->turn);
        if (event_timer_new(stack->options.loop, on_rollback, stack, &stack->turn) == 0)
                event_timer_set(stack->turn, 0); /* not from within what is deleted */
}

/* --- the stack --- */

static int check_resources(const Stack *stack, Error *ret_error)
{
        int r = 0;

        for (size_t i = 0; i < stack->count && r == 0; i++) {
                const CfnResource *definition = stack->resources[i].definition;

                r = cfn_resource_check(stack->options.template, definition, ret_error);
                if (!cfn_resource_type(definition->type))
                        note(stack,
                                "%s is of type %s, which a rehearsal does not know: it is taken to "
                                "be there",
                                definition->name,
                                definition->type);
        }
        return r;
}

static int find_absent(Stack *stack, Error *ret_error)
{
        int r = 0;

        for (size_t i = 0; i < stack->count && r == 0; i++) {
                bool exists = true;

                r = cfn_function_exists(&stack->context,
                        stack->resources[i].definition->condition,
                        &exists,
                        ret_error);
                if (!exists)
                        stack->resources[i].life = ABSENT;
        }
        return r;
}

static int check_faults(const Stack *stack, Error *ret_error)
{
        for (size_t k = 0; k < stack->options.n_faults; k++) {
                bool known = false;

                for (size_t i = 0; i < stack->count; i++) {
                        _cleanup_(free) char *stem =
                                find_stem(stack->resources[i].definition->name);

                        known |= text_equal(stem, stack->options.faults[k].node) &&
                                 text_equal(stack->resources[i].definition->type,
                                         "AWS::EC2::Instance");
                }
                if (!known)
                        return error_set(ret_error,
                                -EINVAL,
                                "cannot use '--fault=%s:%s': the template has no instance '%s'",
                                stack->options.faults[k].node,
                                stack->options.faults[k].rest,
                                stack->options.faults[k].node);
        }
        return 0;
}

static int begin(Stack *stack, Error *ret_error)
{
        const StackOptions *options = &stack->options;
        char word[13];
        int r;

        make_word(word, 12);
        stack->id =
                text_format("arn:aws:cloudformation:" CLOUD_REGION ":" CLOUD_ACCOUNT ":stack/%s/%s",
                        options->name,
                        word);
        stack->context = (CfnContext){
                .template = options->template,
                .parameters = options->parameters,
                .region = CLOUD_REGION,
                .account = CLOUD_ACCOUNT,
                .partition = "aws",
                .url_suffix = "amazonaws.com",
                .stack_name = options->name,
                .stack_id = stack->id,
                .refer = refer,
                .userdata = stack,
        };
        r = cfn_graph_new(options->template, &stack->graph, ret_error);
        if (r == 0)
                r = check_resources(stack, ret_error);
        if (r == 0)
                r = find_absent(stack, ret_error);
        if (r == 0)
                r = check_faults(stack, ret_error);
        if (r == 0 &&
                (!stack->id || event_timer_new(options->loop, on_turn, stack, &stack->turn) < 0))
                r = error_set(ret_error, -ENOMEM, "cannot begin the stack: %m");
        return r;
}

int stack_new(const StackOptions *options, Stack **ret, Error *ret_error)
{
        _cleanup_(stack_free) Stack *stack = calloc(1, sizeof(*stack));
        int r;

        if (stack)
                stack->resources =
                        calloc(options->template->n_resources, sizeof(*stack->resources));
        if (!stack || !stack->resources)
                return error_set(ret_error, -ENOMEM, "cannot begin the stack: %m");
        stack->options = *options;
        stack->count = options->template->n_resources;
        for (size_t i = 0; i < stack->count; i++)
                stack->resources[i] =
                        (Resource){.stack = stack, .definition = &options->template->resources[i]};
        r = begin(stack, ret_error);
        if (r < 0)
                return r;
        stack->began = clock_now(&clock_system);
        stack->began_wall = clock_wall(&clock_system);
        tell(stack,
                "CREATE_IN_PROGRESS",
                "AWS::CloudFormation::Stack",
                options->name,
                "User Initiated");
        event_timer_set(stack->turn, 0);
        *ret = TAKE_PTR(stack);
        return 0;
}

static void resource_done(Resource *resource)
{
        resource->instance = instance_free(resource->instance);
        resource->timer = event_timer_free(resource->timer);
        resource->properties = json_free(resource->properties);
        free(resource->id);
        free(resource->arn);
        free(resource->signal_data);
        free(resource->address);
        free(resource->root);
        free(resource->stem);
        free(resource->instance_id);
}

Stack *stack_free(Stack *stack)
{
        if (!stack)
                return NULL;
        for (size_t i = 0; i < stack->count; i++)
                resource_done(&stack->resources[i]);
        free(stack->resources);
        stack->turn = event_timer_free(stack->turn);
        stack->graph = cfn_graph_free(stack->graph);
        free(stack->id);
        free(stack->reason);
        free(stack);
        return NULL;
}

StackState stack_state(const Stack *stack)
{
        return stack->state;
}

Usec stack_began(const Stack *stack)
{
        return stack->began_wall;
}

int stack_list_outputs(const Stack *stack, StackOutput visit, void *userdata, Error *ret_error)
{
        const CfnTemplate *template = stack->options.template;

        for (size_t i = 0; i < template->n_outputs; i++) {
                const CfnOutput *output = &template->outputs[i];
                _cleanup_(json_free) Json *value = NULL;
                bool exists;
                int r = cfn_function_exists(&stack->context, output->condition, &exists, ret_error);

                if (r == 0 && exists)
                        r = cfn_function_evaluate(
                                &stack->context, output->value, &value, ret_error);
                if (r < 0)
                        return r;
                if (exists && json_text(value))
                        visit(output->name, json_text(value), output->description, userdata);
        }
        return 0;
}

static const Resource *nth_instance(const Stack *stack, size_t index)
{
        for (size_t i = 0; i < stack->count; i++) {
                const Resource *resource = &stack->resources[stack->graph->order[i]];

                if (resource->root && index-- == 0)
                        return resource;
        }
        return NULL;
}

size_t stack_count_instances(const Stack *stack)
{
        size_t count = 0;

        while (nth_instance(stack, count))
                count++;
        return count;
}

StackInstance stack_get_instance(const Stack *stack, size_t index)
{
        const Resource *resource = nth_instance(stack, index);

        if (!resource)
                return (StackInstance){};
        return (StackInstance){
                .name = resource->stem,
                .root = resource->root,
                .id = resource->instance_id,
                .address = resource->address,
                .metadata = resource->instance ? instance_metadata(resource->instance) : NULL,
        };
}
