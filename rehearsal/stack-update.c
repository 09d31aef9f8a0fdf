/* An update of a stack: resources keep what they are, are changed, restarted or replaced; what has
 * no place any more goes at the end; what fails is taken back.
 *
 * Source: AWS CloudFormation User Guide, "Update behaviors of stack resources", "Stack status
 * codes".
 */

#include "base/text.h"
#include "rehearsal/change.h"
#include "rehearsal/stack-parts.h"

#include <errno.h>
#include <stdlib.h>

int stack_update(Stack *stack,
        const CfnTemplate *template,
        const CfnParameterSet *parameters,
        Error *ret_error)
{
        StackPlan plan = {};
        int r;

        if (stack->state != STACK_COMPLETE)
                return error_set(ret_error, -EINVAL, "cannot update a stack that is not complete");
        r = stack_plan_make(stack, template, parameters, &plan, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < template->n_resources; i++) {
                Resource *resource = plan.resources[i];

                if (!resource->id)
                        continue;
                resource->former = resource->definition;
                resource->definition = &template->resources[i];
                resource->life = PENDING;
        }
        stack->former = stack->plan;
        stack_follow(stack, &plan);
        stack->state = STACK_UPDATING;
        stack_tell(stack, "UPDATE_IN_PROGRESS", "User Initiated");
        event_timer_set(stack->turn, 0);
        return 0;
}

/* In place of `resource`, which goes in the clean-up. */
static void replace(Resource *resource, size_t index)
{
        Stack *stack = resource->stack;
        Resource *other = stack_add_resource(stack, resource->definition);

        if (!other) {
                stack_fail(resource, "no memory");
                return;
        }
        resource->definition = resource->former;
        resource->former = NULL;
        resource->life = CREATED;
        other->replaces = true;
        stack->plan.resources[index] = other;
        stack_create(other);
}

static void change(Resource *resource, Json *properties)
{
        Error error = ERROR_INIT;

        resource->former_properties = resource->properties;
        resource->properties = properties;
        stack_tell_resource(resource, "UPDATE_IN_PROGRESS", NULL);
        if (stack_change(resource, &error) < 0)
                stack_fail(resource, error.text);
        else
                stack_settle(resource, CREATED, NULL);
}

static void refuse(Resource *resource)
{
        _cleanup_(free) char *reason = text_format(
                "Update to resource type %s is not supported.", resource->definition->type);

        stack_tell_resource(resource, "UPDATE_IN_PROGRESS", NULL);
        stack_fail(resource, reason ? reason : "no memory");
}

void stack_update_resource(Resource *resource, size_t index)
{
        _cleanup_(json_free) Json *properties = NULL;
        Error error = ERROR_INIT;
        const char *property;

        if (stack_evaluate(resource, &properties, &error) < 0) {
                stack_fail(resource, error.text);
                return;
        }
        switch (change_judge(
                resource->definition->type, resource->properties, properties, &property)) {
        case CHANGE_NONE:
                resource->life = CREATED;
                event_timer_set(resource->stack->turn, 0);
                break;
        case CHANGE_IN_PLACE:
        case CHANGE_RESTART:
                change(resource, TAKE_PTR(properties));
                break;
        case CHANGE_REPLACE:
                replace(resource, index);
                break;
        case CHANGE_REFUSED:
        default:
                refuse(resource);
                break;
        }
}

static bool is_planned(const Stack *stack, const Resource *resource)
{
        for (size_t i = 0; i < stack->plan.template->n_resources; i++)
                if (stack->plan.resources[i] == resource)
                        return true;
        return false;
}

/* What has no place in the plan, the last that was made first. */
static void delete_unplanned(Stack *stack)
{
        for (size_t last = stack->sequence; last > 0; last--)
                for (size_t i = 0; i < stack->count; i++) {
                        Resource *resource = stack->resources[i];

                        if (resource->sequence == last && !is_planned(stack, resource) &&
                                (resource->life == CREATED || resource->life == CREATING ||
                                        resource->life == FAILED))
                                stack_delete(resource);
                }
}

/* The update is over: what stands is all that there is. */
static void forget_former(Stack *stack)
{
        stack_plan_done(&stack->former);
        for (size_t i = 0; i < stack->count; i++) {
                Resource *resource = stack->resources[i];

                resource->former = NULL;
                resource->replaces = false;
                resource->former_properties = json_free(resource->former_properties);
        }
}

void stack_clean_up(Stack *stack)
{
        stack_tell(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", NULL);
        delete_unplanned(stack);
        forget_former(stack);
        stack_finish(stack, STACK_COMPLETE, "UPDATE_COMPLETE");
}

static void take_back(Resource *resource)
{
        Json *properties = resource->properties;
        Error error = ERROR_INIT;

        resource->definition = resource->former;
        resource->life = CREATED;
        if (!resource->former_properties)
                return;
        resource->properties = resource->former_properties;
        resource->former_properties = properties;
        stack_tell_resource(resource, "UPDATE_IN_PROGRESS", NULL);
        if (stack_change(resource, &error) < 0)
                stack_tell_resource(resource, "UPDATE_FAILED", error.text);
        else
                stack_tell_resource(resource, "UPDATE_COMPLETE", NULL);
}

void stack_take_back(Stack *stack)
{
        StackPlan failed = stack->plan;

        stack_tell(stack, "UPDATE_ROLLBACK_IN_PROGRESS", stack->reason);
        for (size_t i = failed.template->n_resources; i > 0; i--) {
                Resource *resource = failed.resources[failed.graph->order[i - 1]];

                if (resource->former)
                        take_back(resource);
        }
        stack_follow(stack, &stack->former);
        stack->former = failed;
        stack_tell(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", NULL);
        delete_unplanned(stack);
        forget_former(stack);
        stack_finish(stack, STACK_ROLLED_BACK, "UPDATE_ROLLBACK_COMPLETE");
}
