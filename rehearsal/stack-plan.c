/* What a template would make of a stack: its resources in their order, those that are there already
 * among them. */

#include "base/text.h"
#include "cfn/resource.h"
#include "rehearsal/stack-parts.h"

#include <errno.h>
#include <stdlib.h>

Resource *stack_add_resource(Stack *stack, const CfnResource *definition)
{
        Resource **resources =
                reallocarray(stack->resources, stack->count + 1, sizeof(*stack->resources));
        Resource *resource = calloc(1, sizeof(*resource));

        if (resources)
                stack->resources = resources;
        if (!resources || !resource) {
                free(resource);
                return NULL;
        }
        *resource = (Resource){.stack = stack, .definition = definition};
        return stack->resources[stack->count++] = resource;
}

void stack_plan_done(StackPlan *plan)
{
        plan->graph = cfn_graph_free(plan->graph);
        free(plan->resources);
        *plan = (StackPlan){};
}

void stack_follow(Stack *stack, const StackPlan *plan)
{
        stack->plan = *plan;
        stack->context.template = plan->template;
        stack->context.parameters = plan->parameters;
}

static int check_resource(
        const Stack *stack, const StackPlan *plan, const CfnResource *definition, Error *ret_error)
{
        const Resource *there = stack_find_resource(stack, definition->name);

        if (there && !text_equal(there->definition->type, definition->type))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot update '%s': it is of type %s, and an update cannot make it %s",
                        definition->name,
                        there->definition->type,
                        definition->type);
        if (!there && !cfn_resource_type(definition->type))
                stack_note(stack,
                        "%s is of type %s, which a rehearsal does not know: it is taken to be "
                        "there",
                        definition->name,
                        definition->type);
        return cfn_resource_check(plan->template, definition, ret_error);
}

/* What is there keeps its place; what is new, or has no place in this template, gets one. */
static int find_place(Stack *stack, const StackPlan *plan, size_t i, Error *ret_error)
{
        const CfnResource *definition = &plan->template->resources[i];
        Resource *resource = stack_find_resource(stack, definition->name);
        CfnContext context = stack->context;
        bool exists = true;
        int r;

        context.template = plan->template;
        context.parameters = plan->parameters;
        r = cfn_function_exists(&context, definition->condition, &exists, ret_error);
        if (r < 0)
                return r;
        if (!resource || !resource->id || !exists)
                resource = stack_add_resource(stack, definition);
        if (!resource)
                return error_set(ret_error, -ENOMEM, "cannot plan the stack: %m");
        if (!exists)
                resource->life = ABSENT;
        plan->resources[i] = resource;
        return 0;
}

int stack_plan_make(Stack *stack,
        const CfnTemplate *template,
        const CfnParameterSet *parameters,
        StackPlan *ret,
        Error *ret_error)
{
        StackPlan plan = {.template = template, .parameters = parameters};
        int r;

        plan.resources = calloc(template->n_resources, sizeof(*plan.resources));
        r = plan.resources ? cfn_graph_new(template, &plan.graph, ret_error)
                           : error_set(ret_error, -ENOMEM, "cannot plan the stack: %m");
        for (size_t i = 0; i < template->n_resources && r == 0; i++)
                r = check_resource(stack, &plan, &template->resources[i], ret_error);
        for (size_t i = 0; i < template->n_resources && r == 0; i++)
                r = find_place(stack, &plan, i, ret_error);
        if (r < 0)
                stack_plan_done(&plan);
        else
                *ret = plan;
        return r;
}
