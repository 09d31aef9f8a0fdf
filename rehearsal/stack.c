#include "rehearsal/stack-parts.h"

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

/* A rollback takes a container away at once, EC2 a machine in seconds: what it has said is to have
 * reached its console. */
#define LAST_WORDS (500 * USEC_PER_MSEC)

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

void stack_tell_resource(const Resource *resource, const char *status, const char *reason)
{
        tell(resource->stack,
                status,
                resource->definition->type,
                resource->definition->name,
                reason);
}

void stack_tell(Stack *stack, const char *status, const char *reason)
{
        tell(stack, status, "AWS::CloudFormation::Stack", stack->options.name, reason);
}

void stack_note(const Stack *stack, const char *format, ...)
{
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        stack->options.note(text, stack->options.userdata);
}

/* --- what resources are to others --- */

Resource *stack_find_resource(const Stack *stack, const char *name)
{
        const StackPlan *plan = &stack->plan;

        for (size_t i = 0; plan->template && i < plan->template->n_resources; i++)
                if (text_equal(plan->resources[i]->definition->name, name))
                        return plan->resources[i];
        return NULL;
}

static const char *get_attribute(const Resource *resource, const char *name)
{
        static const char *const versions[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};

        if (text_equal(name, "Arn"))
                return resource->arn;
        if (text_equal(name, "PrivateIp") || text_equal(name, "PublicIp"))
                return resource->address;
        if (text_equal(name, "AvailabilityZone"))
                return CLOUD_REGION "a";
        if (text_equal(name, "GroupId") || text_equal(name, "InstanceId"))
                return resource->id;
        if (text_equal(name, "LatestVersionNumber"))
                return versions[resource->version % ELEMENTS(versions)];
        if (text_equal(name, "DefaultVersionNumber"))
                return versions[0];
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
        const Resource *resource = stack_find_resource(userdata, definition->name);
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

int stack_evaluate(const Resource *resource, Json **ret, Error *ret_error)
{
        if (resource->definition->properties)
                return cfn_function_evaluate(&resource->stack->context,
                        resource->definition->properties,
                        ret,
                        ret_error);
        *ret = json_new_object();
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "no memory");
}

void stack_create(Resource *resource)
{
        Error error = ERROR_INIT;
        bool later = false;
        int r;

        resource->life = CREATING;
        resource->sequence = ++resource->stack->sequence;
        stack_tell_resource(resource,
                resource->replaces ? "UPDATE_IN_PROGRESS" : "CREATE_IN_PROGRESS",
                resource->replaces ? "Requested update requires the creation of a new physical "
                                     "resource; hence creating one."
                                   : NULL);
        r = stack_evaluate(resource, &resource->properties, &error);
        resource->id = stack_make_id(resource);
        if (r == 0)
                r = stack_make(resource, &later, &error);
        if (r < 0)
                stack_fail(resource, error.text);
        else if (!later)
                stack_settle(resource, CREATED, NULL);
}

/* --- the course of things --- */

static bool is_ready(const Stack *stack, size_t index)
{
        const StackPlan *plan = &stack->plan;

        for (size_t i = 0; i < plan->template->n_resources; i++)
                if (cfn_graph_needs(plan->graph, index, i) && plan->resources[i]->life != CREATED &&
                        plan->resources[i]->life != ABSENT)
                        return false;
        return true;
}

void stack_finish(Stack *stack, StackState state, const char *status)
{
        stack->state = state;
        for (size_t i = 0; i < stack->count; i++)
                if (stack->resources[i]->handle)
                        cloud_close_handle(stack->resources[i]->handle);
        stack_tell(stack, status, stack->reason);
        stack->options.finished(state, stack->options.userdata);
}

static bool is_going_on(const Stack *stack)
{
        return stack->state == STACK_CREATING || stack->state == STACK_UPDATING;
}

/* Starts all that has nothing to wait for any more; each turn of the loop anew, as one may complete
 * at once and free others. */
static void on_turn(void *userdata)
{
        Stack *stack = userdata;
        const StackPlan *plan = &stack->plan;
        size_t count = plan->template->n_resources, left = 0;

        for (size_t i = 0; i < count && is_going_on(stack); i++) {
                size_t index = plan->graph->order[i];
                Resource *resource = plan->resources[index];

                if (resource->life != PENDING || !is_ready(stack, index))
                        continue;
                if (resource->id)
                        stack_update_resource(resource, index);
                else
                        stack_create(resource);
        }
        for (size_t i = 0; i < count; i++)
                left += plan->resources[i]->life == PENDING || plan->resources[i]->life == CREATING;
        if (left > 0 || !is_going_on(stack))
                return;
        if (stack->state == STACK_UPDATING)
                stack_clean_up(stack);
        else
                stack_finish(stack, STACK_COMPLETE, "CREATE_COMPLETE");
}

void stack_settle(Resource *resource, Life life, const char *reason)
{
        bool update = resource->former || resource->replaces;

        resource->life = life;
        if (life == CREATED)
                stack_tell_resource(
                        resource, update ? "UPDATE_COMPLETE" : "CREATE_COMPLETE", reason);
        else
                stack_tell_resource(resource, update ? "UPDATE_FAILED" : "CREATE_FAILED", reason);
        event_timer_set(resource->stack->turn, 0);
}

/* A bucket of somebody else's S3 is neither made nor taken away here. */
static bool is_elsewhere(const Resource *resource)
{
        return cloud_s3(resource->stack->options.cloud) &&
               text_equal(resource->definition->type, "AWS::S3::Bucket");
}

/* What a rollback takes away. */
void stack_delete(Resource *resource)
{
        const CfnResource *definition = resource->definition;
        Stack *stack = resource->stack;

        if (text_equal(definition->deletion_policy, "Retain") || is_elsewhere(resource)) {
                stack_tell_resource(resource,
                        "DELETE_SKIPPED",
                        is_elsewhere(resource) ? "It was there before the stack, and stays" : NULL);
                resource->life = DELETED;
                return;
        }
        stack_tell_resource(resource, "DELETE_IN_PROGRESS", NULL);
        resource->instance = instance_free(resource->instance);
        resource->timer = event_timer_free(resource->timer);
        if (text_equal(definition->type, "AWS::S3::Bucket")) {
                if (cloud_count_objects(stack->options.cloud, resource->id) > 0) {
                        stack_tell_resource(resource,
                                "DELETE_FAILED",
                                "The bucket you tried to delete is not empty");
                        resource->life = DELETED;
                        return;
                }
                cloud_remove_bucket(stack->options.cloud, resource->id);
        }
        resource->life = DELETED;
        stack_tell_resource(resource, "DELETE_COMPLETE", NULL);
}

static void on_rollback(void *userdata)
{
        Stack *stack = userdata;

        if (stack->former.template) {
                stack_take_back(stack);
                return;
        }
        stack_tell(stack, "ROLLBACK_IN_PROGRESS", stack->reason);
        for (size_t last = stack->sequence; last > 0; last--)
                for (size_t i = 0; i < stack->count; i++) {
                        Resource *resource = stack->resources[i];

                        if (resource->sequence == last &&
                                (resource->life == CREATED || resource->life == CREATING ||
                                        resource->life == FAILED))
                                stack_delete(resource);
                }
        stack_finish(stack, STACK_ROLLED_BACK, "ROLLBACK_COMPLETE");
}

void stack_fail(Resource *resource, const char *reason)
{
        Stack *stack = resource->stack;

        if (resource->timer)
                event_timer_stop(resource->timer);
        stack_settle(resource, FAILED, reason);
        if (!is_going_on(stack))
                return;
        free(stack->reason);
        stack->reason = text_format("The following resource(s) failed to %s: [%s].",
                resource->former ? "update" : "create",
                resource->definition->name);
        if (stack->options.disable_rollback) {
                stack_finish(stack,
                        STACK_FAILED,
                        stack->former.template ? "UPDATE_FAILED" : "CREATE_FAILED");
                return;
        }
        stack->state = STACK_ROLLING_BACK;
        stack->turn = event_timer_free(stack->turn);
        if (event_timer_new(stack->options.loop, on_rollback, stack, &stack->turn) == 0)
                event_timer_set(stack->turn, /* not from within what is deleted */
                        stack->options.machines ? LAST_WORDS : 0);
}

/* --- the stack --- */

static int begin(Stack *stack, Error *ret_error)
{
        const StackOptions *options = &stack->options;
        StackPlan plan = {};
        char word[13];
        int r;

        stack_make_word(word, 12);
        stack->id =
                text_format("arn:aws:cloudformation:" CLOUD_REGION ":" CLOUD_ACCOUNT ":stack/%s/%s",
                        options->name,
                        word);
        stack->context = (CfnContext){
                .region = CLOUD_REGION,
                .account = CLOUD_ACCOUNT,
                .partition = "aws",
                .url_suffix = "amazonaws.com",
                .stack_name = options->name,
                .stack_id = stack->id,
                .refer = refer,
                .userdata = stack,
        };
        r = stack_plan_make(stack, options->template, options->parameters, &plan, ret_error);
        if (r < 0)
                return r;
        stack_follow(stack, &plan);
        if (!stack->id || event_timer_new(options->loop, on_turn, stack, &stack->turn) < 0)
                return error_set(ret_error, -ENOMEM, "cannot begin the stack: %m");
        return 0;
}

int stack_new(const StackOptions *options, Stack **ret, Error *ret_error)
{
        _cleanup_(stack_free) Stack *stack = calloc(1, sizeof(*stack));
        int r;

        if (!stack)
                return error_set(ret_error, -ENOMEM, "cannot begin the stack: %m");
        stack->options = *options;
        r = begin(stack, ret_error);
        if (r < 0)
                return r;
        stack->began = clock_now(&clock_system);
        stack->began_wall = clock_wall(&clock_system);
        stack_tell(stack, "CREATE_IN_PROGRESS", "User Initiated");
        event_timer_set(stack->turn, 0);
        *ret = TAKE_PTR(stack);
        return 0;
}

static void resource_free(Resource *resource)
{
        resource->instance = instance_free(resource->instance);
        resource->timer = event_timer_free(resource->timer);
        resource->properties = json_free(resource->properties);
        resource->former_properties = json_free(resource->former_properties);
        free(resource->id);
        free(resource->arn);
        free(resource->signal_data);
        free(resource->address);
        free(resource->root);
        free(resource->stem);
        free(resource->instance_id);
        free(resource);
}

Stack *stack_free(Stack *stack)
{
        if (!stack)
                return NULL;
        for (size_t i = 0; i < stack->count; i++)
                resource_free(stack->resources[i]);
        free(stack->resources);
        stack->turn = event_timer_free(stack->turn);
        stack_plan_done(&stack->plan);
        stack_plan_done(&stack->former);
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

static int visit_output(const Stack *stack,
        const CfnOutput *output,
        StackOutputVisit visit,
        void *userdata,
        Error *ret_error)
{
        const YamlNode *name = output->export ? yaml_member(output->export, "Name") : NULL;
        _cleanup_(json_free) Json *value = NULL, *exported = NULL;
        int r;

        r = cfn_function_evaluate(&stack->context, output->value, &value, ret_error);
        if (r == 0 && name)
                r = cfn_function_evaluate(&stack->context, name, &exported, ret_error);
        if (r < 0)
                return r;
        if (json_text(value))
                visit(&(StackOutput){output->name, json_text(value), json_text(exported)},
                        userdata);
        return 0;
}

int stack_list_outputs(const Stack *stack, StackOutputVisit visit, void *userdata, Error *ret_error)
{
        const CfnTemplate *template = stack->plan.template;
        int r = 0;

        for (size_t i = 0; i < template->n_outputs && r == 0; i++) {
                const CfnOutput *output = &template->outputs[i];
                bool exists;

                r = cfn_function_exists(&stack->context, output->condition, &exists, ret_error);
                if (r == 0 && exists)
                        r = visit_output(stack, output, visit, userdata, ret_error);
        }
        return r;
}

static const Resource *nth_instance(const Stack *stack, size_t index)
{
        for (size_t i = 0; i < stack->count; i++) {
                const Resource *resource = stack->resources[i];

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
                .launched = resource->instance ? instance_launched(resource->instance) : 0,
                .metadata = resource->instance ? instance_metadata(resource->instance) : NULL,
        };
}

size_t stack_count_running(const Stack *stack)
{
        size_t count = 0;

        for (size_t i = 0; i < stack->count; i++)
                count += stack->resources[i]->instance &&
                         instance_is_running(stack->resources[i]->instance);
        return count;
}
