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

static Resource *find_resource(const Stack *stack, const char *name)
{
        for (size_t i = 0; i < stack->count; i++)
                if (text_equal(stack->resources[i].definition->name, name))
                        return &stack->resources[i];
        return NULL;
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

void stack_settle(Resource *resource, Life life, const char *reason)
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

void stack_fail(Resource *resource, const char *reason)
{
        Stack *stack = resource->stack;

        if (resource->timer)
                event_timer_stop(resource->timer);
        stack_settle(resource, FAILED, reason);
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
                        stack_note(stack,
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
                                stack_find_stem(stack->resources[i].definition->name);

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

        stack_make_word(word, 12);
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
                .launched = resource->instance ? instance_launched(resource->instance) : 0,
                .metadata = resource->instance ? instance_metadata(resource->instance) : NULL,
        };
}

size_t stack_count_running(const Stack *stack)
{
        size_t count = 0;

        for (size_t i = 0; i < stack->count; i++)
                count += stack->resources[i].instance &&
                         instance_is_running(stack->resources[i].instance);
        return count;
}
