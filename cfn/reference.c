/* What a name stands for: a pseudo parameter, a parameter, a resource or its attribute. */

#include "cfn/evaluation.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pseudo parameters. */
static const struct {
        const char *name;
        size_t offset; /* of the text in CfnContext; SIZE_MAX: it is no text */
} pseudo[] = {
        {"AWS::AccountId", offsetof(CfnContext, account)},
        {"AWS::NoValue", SIZE_MAX},
        {"AWS::NotificationARNs", SIZE_MAX},
        {"AWS::Partition", offsetof(CfnContext, partition)},
        {"AWS::Region", offsetof(CfnContext, region)},
        {"AWS::StackId", offsetof(CfnContext, stack_id)},
        {"AWS::StackName", offsetof(CfnContext, stack_name)},
        {"AWS::URLSuffix", offsetof(CfnContext, url_suffix)},
};

bool cfn_function_is_pseudo(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(pseudo); i++)
                if (text_equal(pseudo[i].name, name))
                        return true;
        return false;
}

const char *cfn_function_nearest_pseudo(const char *name)
{
        const char *known[ELEMENTS(pseudo) + 1] = {};

        for (size_t i = 0; i < ELEMENTS(pseudo); i++)
                known[i] = pseudo[i].name;
        return text_nearest(name, known);
}

static int refer_to_pseudo(const Evaluation *evaluation, const char *name, Json **ret)
{
        const char *text;
        size_t i = 0;

        while (!text_equal(pseudo[i].name, name))
                i++;
        if (text_equal(name, "AWS::NoValue"))
                return CFN_FUNCTION_NO_VALUE;
        if (pseudo[i].offset == SIZE_MAX)
                return evaluation_give(evaluation, json_new_array(), ret);
        text = *(const char *const *)((const char *)evaluation->context + pseudo[i].offset);
        return evaluation_give(evaluation, json_new_text(text), ret);
}

/* "a, b" is ["a", "b"]. */
static int give_list(const Evaluation *evaluation, const char *text, Json **ret)
{
        _cleanup_(json_free) Json *list = json_new_array();
        _cleanup_(free) char *copy = text_copy(text);
        char *item, *comma;

        if (!list || !copy)
                return evaluation_out_of_memory(evaluation);
        for (item = copy; item; item = comma) {
                comma = strchr(item, ',');
                if (comma)
                        *comma++ = '\0';
                if (json_append(list, json_new_text(text_strip(item))) < 0)
                        return evaluation_out_of_memory(evaluation);
        }
        return evaluation_give(evaluation, TAKE_PTR(list), ret);
}

static int refer_to_parameter(const Evaluation *evaluation,
        const CfnParameter *parameter,
        const YamlNode *node,
        Json **ret)
{
        const CfnParameterValue *value =
                cfn_parameter_set_get(evaluation->context->parameters, parameter->name);

        if (!value || !value->resolved)
                return evaluation_refuse(evaluation,
                        node,
                        "the value of '%s' lies in the Systems Manager's parameter store, and is "
                        "not known here",
                        parameter->name);
        return cfn_parameter_is_list(parameter)
                       ? give_list(evaluation, value->resolved, ret)
                       : evaluation_give(evaluation, json_new_text(value->resolved), ret);
}

static int refer_to_resource(Evaluation *evaluation,
        const CfnResource *resource,
        const char *attribute,
        const YamlNode *node,
        Json **ret)
{
        const CfnContext *context = evaluation->context;
        Error cause = ERROR_INIT;
        Json *value = NULL;
        bool exists = true;
        int r = 0;

        if (evaluation->place == CFN_IN_CONDITION || !context->refer)
                return evaluation_refuse(evaluation,
                        node,
                        "a condition can refer to parameters alone, and '%s' is a resource",
                        resource->name);
        if (resource->condition)
                r = evaluation_holds(
                        evaluation, resource->condition->text, resource->condition, &exists);
        if (r < 0)
                return r;
        if (!exists)
                return evaluation_refuse(evaluation,
                        node,
                        "'%s' does not exist: its condition '%s' does not hold",
                        resource->name,
                        resource->condition->text);

        r = context->refer(resource, attribute, context->userdata, &value, &cause);
        if (r == -ENOMEM)
                return evaluation_out_of_memory(evaluation);
        if (r < 0)
                return evaluation_refuse(evaluation, node, "%s", cause.text);
        return evaluation_give(evaluation, value, ret);
}

static int refuse_name(const Evaluation *evaluation, const YamlNode *node, const char *name)
{
        const char *nearest = text_starts(name, "AWS::")
                                      ? cfn_function_nearest_pseudo(name)
                                      : cfn_template_nearest(evaluation->context->template,
                                                CFN_PARAMETERS | CFN_RESOURCES,
                                                name);

        return evaluation_refuse(evaluation,
                node,
                "'%.100s' is no parameter and no resource of the template%s%s%s",
                name,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

/* Ref, or an attribute. */
int evaluation_refer(Evaluation *evaluation,
        const YamlNode *node,
        const char *name,
        const char *attribute,
        Json **ret)
{
        const CfnTemplate *template = evaluation->context->template;
        const CfnParameter *parameter = attribute ? NULL : cfn_template_parameter(template, name);
        const CfnResource *resource = cfn_template_resource(template, name);

        if (parameter)
                return refer_to_parameter(evaluation, parameter, node, ret);
        if (resource)
                return refer_to_resource(evaluation, resource, attribute, node, ret);
        if (!attribute && cfn_function_is_pseudo(name))
                return refer_to_pseudo(evaluation, name, ret);
        return refuse_name(evaluation, node, name);
}

int evaluation_refer_dotted(
        Evaluation *evaluation, const YamlNode *node, const char *start, size_t length, Json **ret)
{
        _cleanup_(free) char *name = text_copy_part(start, length);
        char *dot;

        if (!name)
                return evaluation_out_of_memory(evaluation);
        dot = strchr(name, '.');
        if (dot)
                *dot++ = '\0';
        return evaluation_refer(evaluation, node, name, dot, ret);
}
