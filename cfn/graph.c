#include "cfn/graph.h"

#include "base/text.h"
#include "cfn/function.h"
#include "cfn/resource.h"
#include "cfn/syntax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Building {
        const CfnTemplate *template;
        unsigned char *needs; /* the row of what is looked through; NULL: an output */
        CfnSection section;   /* what is ordered: CFN_RESOURCES, CFN_CONDITIONS */
        Error *ret_error;
} Building;

CfnGraph *cfn_graph_free(CfnGraph *graph)
{
        if (!graph)
                return NULL;
        free(graph->order);
        free(graph->needs);
        free(graph);
        return NULL;
}

bool cfn_graph_needs(const CfnGraph *graph, size_t resource, size_t on)
{
        return graph->needs[resource * graph->count + on] != 0;
}

static int refuse_name(const Building *building,
        const YamlNode *node,
        const char *what,
        const char *name,
        unsigned sections)
{
        const char *nearest = text_starts(name, "AWS::")
                                      ? cfn_function_nearest_pseudo(name)
                                      : cfn_template_nearest(building->template, sections, name);

        /* aws:userid, s3:prefix: no name of a template's has a single colon */
        if (strchr(name, ':') && !strstr(name, "::"))
                return cfn_template_refuse(building->template,
                        CFN_FAULT_VARIABLE,
                        node,
                        building->ret_error,
                        "'%.100s' is no name of the template's; a variable of IAM's is written "
                        "${!%.100s} within Fn::Sub",
                        name,
                        name);
        return cfn_template_refuse(building->template,
                CFN_FAULT_REFERENCE,
                node,
                building->ret_error,
                "'%.100s' is no %s of the template%s%s%s",
                name,
                what,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static int need_resource(const Building *building, const CfnResource *resource)
{
        if (building->needs && building->section == CFN_RESOURCES)
                building->needs[resource - building->template->resources] = 1;
        return 0;
}

static int refer_to_name(const Building *building, const CfnReference *reference)
{
        const CfnResource *resource = cfn_template_resource(building->template, reference->name);

        if (building->section == CFN_CONDITIONS && resource)
                return cfn_template_refuse(building->template,
                        CFN_FAULT_REFERENCE,
                        reference->node,
                        building->ret_error,
                        "a condition can refer to parameters alone, and '%s' is a resource",
                        reference->name);
        if (resource)
                return need_resource(building, resource);
        if (cfn_template_parameter(building->template, reference->name) ||
                cfn_function_is_pseudo(reference->name))
                return 0;
        return refuse_name(building,
                reference->node,
                "parameter and no resource",
                reference->name,
                CFN_PARAMETERS | CFN_RESOURCES);
}

static int refer_to_attribute(const Building *building, const CfnReference *reference)
{
        const CfnResource *resource = cfn_template_resource(building->template, reference->name);
        const CfnResourceType *type;
        const char *nearest;

        if (!resource)
                return refuse_name(
                        building, reference->node, "resource", reference->name, CFN_RESOURCES);
        if (building->needs && building->section == CFN_CONDITIONS)
                return refer_to_name(building, reference);

        type = cfn_resource_type(resource->type);
        if (!type || !reference->attribute ||
                cfn_resource_has_attribute(type, reference->attribute))
                return need_resource(building, resource);
        nearest = text_nearest(reference->attribute, type->attributes);
        return cfn_template_refuse(building->template,
                CFN_FAULT_ATTRIBUTE,
                reference->node,
                building->ret_error,
                "'%s' is of type %s, which has no attribute '%.60s'%s%s%s",
                resource->name,
                resource->type,
                reference->attribute,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static int refer_to_condition(const Building *building, const char *name, const YamlNode *node)
{
        const CfnCondition *condition = cfn_template_condition(building->template, name);

        if (!condition)
                return refuse_name(building, node, "condition", name, CFN_CONDITIONS);
        if (building->needs && building->section == CFN_CONDITIONS)
                building->needs[condition - building->template->conditions] = 1;
        return 0;
}

static int refer(const CfnReference *reference, void *userdata, Error *ret_error)
{
        const Building *building = userdata;

        (void)ret_error;
        switch (reference->kind) {
        case CFN_TO_NAME:
                return refer_to_name(building, reference);
        case CFN_TO_ATTRIBUTE:
                return refer_to_attribute(building, reference);
        case CFN_TO_CONDITION:
                return refer_to_condition(building, reference->name, reference->node);
        case CFN_TO_MAPPING:
        default:
                return cfn_template_mapping(building->template, reference->name)
                               ? 0
                               : refuse_name(building,
                                         reference->node,
                                         "mapping",
                                         reference->name,
                                         CFN_MAPPINGS);
        }
}

static int walk(Building *building, const YamlNode *node)
{
        if (!node)
                return 0;
        return cfn_syntax_walk(building->template,
                node,
                building->section == CFN_CONDITIONS ? CFN_IN_CONDITION : CFN_IN_VALUE,
                refer,
                building,
                building->ret_error);
}

static int depend_on(const Building *building, const YamlNode *name)
{
        const CfnResource *resource = cfn_template_resource(building->template, name->text);

        return resource ? need_resource(building, resource)
                        : refuse_name(building, name, "resource", name->text, CFN_RESOURCES);
}

static int look_through_resource(Building *building, const CfnResource *resource)
{
        const YamlNode *depends_on = resource->depends_on;
        int r = 0;

        if (resource->condition)
                r = refer_to_condition(building, resource->condition->text, resource->condition);
        if (r == 0)
                r = walk(building, resource->properties);
        if (r == 0)
                r = walk(building, resource->creation_policy);
        if (r == 0)
                r = walk(building, resource->update_policy);
        if (r == 0)
                r = walk(building, resource->metadata);
        if (r == 0 && depends_on && depends_on->kind == YAML_SCALAR)
                r = depend_on(building, depends_on);
        for (size_t i = 0; r == 0 && depends_on && i < depends_on->count; i++)
                r = depend_on(building, depends_on->values[i]);
        return r;
}

static int look_through_outputs(Building *building)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < building->template->n_outputs; i++) {
                const CfnOutput *output = &building->template->outputs[i];

                if (output->condition)
                        r = refer_to_condition(
                                building, output->condition->text, output->condition);
                if (r == 0)
                        r = walk(building, output->value);
                if (r == 0)
                        r = walk(building, output->export);
        }
        return r;
}

static const YamlNode *key_of(const Building *building, size_t index)
{
        return building->section == CFN_RESOURCES ? building->template->resources[index].key
                                                  : building->template->conditions[index].key;
}

/* Among what is left, each needs one that is left: following that comes back somewhere. *ret_start
 * is one of the cycle. */
static int refuse_cycle(
        const Building *building, const CfnGraph *graph, const size_t *left, size_t *ret_start)
{
        _cleanup_(buffer_done) Buffer path = BUFFER_INIT(ERROR_TEXT_MAX / 2);
        _cleanup_(free) bool *seen = calloc(graph->count, sizeof(*seen));
        size_t start = 0, at, next;

        if (!seen)
                return error_set(building->ret_error, -ENOMEM, "cannot order: %m");
        while (left[start] == 0)
                start++;
        for (at = start; !seen[at]; at = next) {
                seen[at] = true;
                for (next = 0; left[next] == 0 || !graph->needs[at * graph->count + next];)
                        next++;
        }

        start = at; /* the first that came twice is in the cycle */
        do {
                (void)buffer_append_format(&path, "%s -> ", key_of(building, at)->text);
                for (next = 0; left[next] == 0 || !graph->needs[at * graph->count + next];)
                        next++;
                at = next;
        } while (at != start);
        (void)buffer_append_text(&path, key_of(building, start)->text);

        *ret_start = start;
        return cfn_template_refuse(building->template,
                CFN_FAULT_CYCLE,
                key_of(building, start),
                building->ret_error,
                "%s need each other: %s",
                building->section == CFN_RESOURCES ? "resources" : "conditions",
                buffer_text(&path));
}

/* Kahn's way, the first of the template that is ready each time. `left` counts what each still
 * needs, and one for itself: 0 is done. A cycle that was told to a collector is cut open. */
static int sort(const Building *building, CfnGraph *graph)
{
        _cleanup_(free) size_t *left = calloc(graph->count + 1, sizeof(*left));
        size_t count = graph->count;
        int r;

        if (!left)
                return error_set(building->ret_error, -ENOMEM, "cannot order: %m");
        for (size_t i = 0; i < count; i++) {
                left[i] = 1;
                for (size_t k = 0; k < count; k++)
                        left[i] += graph->needs[i * count + k];
        }

        for (size_t done = 0; done < count; done++) {
                size_t ready = 0;

                while (ready < count && left[ready] != 1)
                        ready++;
                if (ready == count) {
                        r = refuse_cycle(building, graph, left, &ready);
                        if (r < 0)
                                return r;
                }
                left[ready] = 0;
                graph->order[done] = ready;
                for (size_t i = 0; i < count; i++)
                        if (left[i] > 0)
                                left[i] -= graph->needs[i * count + ready];
        }
        return 0;
}

/* Looks through each of `count` by `look`, and orders them. */
static int build(Building *building,
        size_t count,
        int (*look)(Building *building, size_t index),
        CfnGraph **ret)
{
        _cleanup_(cfn_graph_free) CfnGraph *graph = calloc(1, sizeof(*graph));
        int r = 0;

        if (graph) {
                graph->count = count;
                graph->order = calloc(count + 1, sizeof(*graph->order));
                graph->needs = calloc(count * count + 1, 1);
        }
        if (!graph || !graph->order || !graph->needs)
                return error_set(building->ret_error, -ENOMEM, "cannot order: %m");

        for (size_t i = 0; r == 0 && i < count; i++) {
                building->needs = graph->needs + i * count;
                r = look(building, i);
        }
        building->needs = NULL;
        if (r == 0)
                r = sort(building, graph);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(graph);
        return 0;
}

static int look_at_condition(Building *building, size_t index)
{
        return walk(building, building->template->conditions[index].value);
}

static int look_at_resource(Building *building, size_t index)
{
        return look_through_resource(building, &building->template->resources[index]);
}

int cfn_graph_new(const CfnTemplate *template, CfnGraph **ret, Error *ret_error)
{
        _cleanup_(cfn_graph_free) CfnGraph *conditions = NULL, *resources = NULL;
        Building building = {template, NULL, CFN_CONDITIONS, ret_error};
        int r;

        r = build(&building, template->n_conditions, look_at_condition, &conditions);
        building.section = CFN_RESOURCES;
        if (r == 0)
                r = build(&building, template->n_resources, look_at_resource, &resources);
        if (r == 0)
                r = look_through_outputs(&building);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(resources);
        return 0;
}
