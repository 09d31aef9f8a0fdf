/* What refers to what, and what nothing refers to. */

#include "template/check-parts.h"

#include "base/text.h"
#include "cfn/function.h"
#include "cfn/parameter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS "CloudFormation User Guide, Intrinsic function reference"

/* Goes over all that can refer to something. */
static void walk_all(Check *check, CfnVisit visit, void *userdata)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_conditions; i++)
                (void)cfn_syntax_walk(template,
                        template->conditions[i].value,
                        CFN_IN_CONDITION,
                        visit,
                        userdata,
                        NULL);
        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];

                check_walk(check, resource->properties, visit, userdata);
                check_walk(check, resource->metadata, visit, userdata);
                check_walk(check, resource->creation_policy, visit, userdata);
                check_walk(check, resource->update_policy, visit, userdata);
        }
        for (size_t i = 0; i < template->n_outputs; i++) {
                check_walk(check, template->outputs[i].value, visit, userdata);
                check_walk(check, template->outputs[i].export, visit, userdata);
        }
}

/* Which entries of the template are used; indices as in its tables. */
typedef struct Used {
        const CfnTemplate *template;
        bool *parameters, *mappings, *conditions;
} Used;

static void mark(const Used *used, const char *name, CfnReferenceKind kind)
{
        const CfnTemplate *template = used->template;
        const CfnParameter *parameter = cfn_template_parameter(template, name);
        const CfnMapping *mapping = cfn_template_mapping(template, name);
        const CfnCondition *condition = cfn_template_condition(template, name);

        if (kind == CFN_TO_NAME && parameter)
                used->parameters[parameter - template->parameters] = true;
        if (kind == CFN_TO_MAPPING && mapping)
                used->mappings[mapping - template->mappings] = true;
        if (kind == CFN_TO_CONDITION && condition)
                used->conditions[condition - template->conditions] = true;
}

static int use(const CfnReference *reference, void *userdata, Error *ret_error)
{
        (void)ret_error;
        mark(userdata, reference->name, reference->kind);
        return 0;
}

/* Rules have functions of their own, in which Ref means the same. */
static void use_in_rules(const Used *used, const YamlNode *node)
{
        for (size_t i = 0; node && i < node->count; i++) {
                const YamlNode *value = node->values[i];

                if (node->kind == YAML_MAPPING && text_equal(node->keys[i]->text, "Ref") &&
                        check_is_literal(value))
                        mark(used, value->text, CFN_TO_NAME);
                if (value->kind == YAML_SCALAR && text_equal(value->tag, "!Ref"))
                        mark(used, value->text, CFN_TO_NAME);
                use_in_rules(used, value);
        }
}

static void tell_unused(Check *check, bool used, const char *what, const YamlNode *key)
{
        if (!used)
                check_tell(check,
                        key,
                        "%s %s: nothing refers to it; take it out, or use it",
                        what,
                        key->text);
}

static void tell_all_unused(Check *check, const Used *used)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_parameters; i++)
                tell_unused(check, used->parameters[i], "parameter", template->parameters[i].key);
        for (size_t i = 0; i < template->n_conditions; i++)
                tell_unused(check, used->conditions[i], "condition", template->conditions[i].key);
        for (size_t i = 0; i < template->n_mappings; i++)
                tell_unused(check, used->mappings[i], "mapping", template->mappings[i].key);
}

static void look_at_unused(Check *check)
{
        const CfnTemplate *template = check->template;
        _cleanup_(free) bool *parameters = calloc(template->n_parameters + 1, sizeof(bool));
        _cleanup_(free) bool *mappings = calloc(template->n_mappings + 1, sizeof(bool));
        _cleanup_(free) bool *conditions = calloc(template->n_conditions + 1, sizeof(bool));
        Used used = {template, parameters, mappings, conditions};

        if (!parameters || !mappings || !conditions) {
                check->failure = -ENOMEM;
                return;
        }
        if (template->transform) /* macros use what they like */
                return;
        walk_all(check, use, &used);
        use_in_rules(&used, template->rules);
        for (size_t i = 0; i < template->n_resources; i++)
                if (template->resources[i].condition)
                        mark(&used, template->resources[i].condition->text, CFN_TO_CONDITION);
        for (size_t i = 0; i < template->n_outputs; i++)
                if (template->outputs[i].condition)
                        mark(&used, template->outputs[i].condition->text, CFN_TO_CONDITION);
        tell_all_unused(check, &used);
}

/* Who refers: its own condition, and who it is. */
typedef struct Referring {
        Check *check;
        const YamlNode *condition;
        const char *name;
} Referring;

static int refer_to_conditional(const CfnReference *reference, void *userdata, Error *ret_error)
{
        const Referring *referring = userdata;
        const CfnResource *resource;

        (void)ret_error;
        if (reference->chosen || referring->condition ||
                (reference->kind != CFN_TO_NAME && reference->kind != CFN_TO_ATTRIBUTE))
                return 0;
        resource = cfn_template_resource(referring->check->template, reference->name);
        if (resource && resource->condition)
                check_tell(referring->check,
                        reference->node,
                        "%s refers to '%s', which exists only if '%s' holds; put it into "
                        "Fn::If, or give '%s' the condition, too",
                        referring->name,
                        resource->name,
                        resource->condition->text,
                        referring->name);
        return 0;
}

static void look_at_conditional(Check *check)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];
                Referring referring = {check, resource->condition, resource->name};

                check_walk(check, resource->properties, refer_to_conditional, &referring);
        }
        for (size_t i = 0; i < template->n_outputs; i++) {
                const CfnOutput *output = &template->outputs[i];
                Referring referring = {check, output->condition, output->name};

                check_walk(check, output->value, refer_to_conditional, &referring);
        }
}

/* "${Name}" of the template's names in a text that no Fn::Sub reads. */
static void look_at_plain_text(Check *check, const YamlNode *node, void *userdata)
{
        const char *open = node->text, *end;
        char name[CFN_TEMPLATE_NAME_MAX + 1];

        (void)userdata;
        while ((open = strstr(open, "${"))) {
                size_t length = strcspn(open += 2, "}. \n");

                end = strchr(open, '}');
                if (!end || length == 0 || length > CFN_TEMPLATE_NAME_MAX)
                        continue;
                memcpy(name, open, length);
                name[length] = '\0';
                if (!cfn_function_is_pseudo(name) &&
                        !cfn_template_parameter(check->template, name) &&
                        !cfn_template_resource(check->template, name))
                        continue;
                check_tell(check,
                        node,
                        "'${%.100s}' stands here as it is, as no Fn::Sub reads this text; write "
                        "Fn::Sub in front of it",
                        name);
                return;
        }
}

/* All texts but those of Fn::Sub. */
static void visit_outside_sub(Check *check, const YamlNode *node)
{
        if (!node || text_equal(node->tag, "!Sub"))
                return;
        if (node->kind == YAML_SCALAR)
                look_at_plain_text(check, node, NULL);
        for (size_t i = 0; i < node->count; i++)
                if (node->kind != YAML_MAPPING || !text_equal(node->keys[i]->text, "Fn::Sub"))
                        visit_outside_sub(check, node->values[i]);
}

static void look_at_unread_names(Check *check)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_resources; i++)
                visit_outside_sub(check, template->resources[i].properties);
        for (size_t i = 0; i < template->n_outputs; i++)
                visit_outside_sub(check, template->outputs[i].value);
}

/* One key that is written out, looked for in a mapping's level. */
static const YamlNode *look_up(const YamlNode *level, const YamlNode *key, bool *ret_known)
{
        *ret_known = check_is_literal(key);
        return *ret_known ? yaml_member(level, key->text) : NULL;
}

static bool any_has(const YamlNode *level, const YamlNode *key)
{
        for (size_t i = 0; i < level->count; i++)
                if (yaml_member(level->values[i], key->text))
                        return true;
        return level->count == 0;
}

static void look_up_in_map(Check *check, const YamlNode *argument)
{
        const CfnMapping *mapping =
                check_is_literal(argument->values[0])
                        ? cfn_template_mapping(check->template, argument->values[0]->text)
                        : NULL;
        const YamlNode *top, *key = argument->values[1];
        bool known, written = false;

        if (!mapping || !mapping->value)
                return;
        top = look_up(mapping->value, key, &known);
        if (known && !top) {
                check_tell(check,
                        key,
                        "the mapping '%s' has no key '%.60s'",
                        mapping->name,
                        key->text);
                return;
        }
        key = argument->values[2];
        written = check_is_literal(key);
        if (written && (top ? !yaml_member(top, key->text) : !any_has(mapping->value, key)))
                check_tell(check,
                        key,
                        "the mapping '%s' has no second key '%.60s'%s%s",
                        mapping->name,
                        key->text,
                        top ? " under " : "",
                        top ? argument->values[1]->text : "");
}

static void look_for_maps(Check *check, const YamlNode *node, CfnPlace place)
{
        CfnCall call = {.argument = node};

        if (!node)
                return;
        if (cfn_syntax_call(check->template, node, place, false, &call, NULL) == CFN_SYNTAX_CALL &&
                call.function == CFN_FIND_IN_MAP)
                look_up_in_map(check, call.argument);
        for (size_t i = 0; i < node->count; i++)
                look_for_maps(check, node->values[i], place);
}

static void look_at_maps(Check *check)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_conditions; i++)
                look_for_maps(check, template->conditions[i].value, CFN_IN_CONDITION);
        for (size_t i = 0; i < template->n_resources; i++)
                look_for_maps(check, template->resources[i].properties, CFN_IN_VALUE);
        for (size_t i = 0; i < template->n_outputs; i++)
                look_for_maps(check, template->outputs[i].value, CFN_IN_VALUE);
}

static void look_at_shown_name(Check *check, const YamlNode *node, void *userdata)
{
        const char *nearest;

        (void)userdata;
        if (!check_is_literal(node) || cfn_template_parameter(check->template, node->text))
                return;
        nearest = cfn_template_nearest(check->template, CFN_PARAMETERS, node->text);
        check_tell(check,
                node,
                "the console is told of a parameter '%.100s' that the template does not have%s%s%s",
                node->text,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static void look_at_interface(Check *check)
{
        const YamlNode *metadata = check->template->metadata;
        const YamlNode *interface =
                metadata ? yaml_member(metadata, "AWS::CloudFormation::Interface") : NULL;
        const YamlNode *labels = interface ? yaml_member(interface, "ParameterLabels") : NULL;

        check_visit(check, interface, "ParameterGroups/*/Parameters/*", look_at_shown_name, NULL);
        for (size_t i = 0; labels && labels->kind == YAML_MAPPING && i < labels->count; i++)
                look_at_shown_name(check, labels->keys[i], NULL);
}

static void look_at_parameter_types(Check *check)
{
        for (size_t i = 0; i < check->template->n_parameters; i++) {
                const CfnParameter *parameter = &check->template->parameters[i];

                if (*parameter->type && !cfn_parameter_type_is_known(parameter->type))
                        check_tell(check,
                                parameter->key,
                                "parameter %s: '%.60s' is no type of a parameter; expected "
                                "String, Number, a list, or one like AWS::EC2::KeyPair::KeyName",
                                parameter->name,
                                parameter->type);
        }
}

static void look_at_defaults(Check *check)
{
        for (size_t i = 0; i < check->template->n_parameters; i++) {
                const CfnParameter *parameter = &check->template->parameters[i];
                Error cause = ERROR_INIT;

                if (!parameter->default_value || !cfn_parameter_type_is_known(parameter->type) ||
                        strlen(parameter->default_value) > CFN_PARAMETER_VALUE_MAX ||
                        cfn_parameter_check(parameter, parameter->default_value, &cause) != -EINVAL)
                        continue;
                check_tell(check,
                        parameter->key,
                        "parameter %s refuses its own default: %s",
                        parameter->name,
                        cause.text);
        }
}

const CheckRule check_references_rules[] = {
        {"parameter-type",
                CHECK_ERROR,
                "a parameter's type that CloudFormation does not have",
                "CloudFormation User Guide, Parameters section",
                look_at_parameter_types},
        {"parameter-default",
                CHECK_ERROR,
                "a default that the parameter's own constraints refuse",
                "CloudFormation User Guide, Parameters section",
                look_at_defaults},
        {"mapping-key",
                CHECK_ERROR,
                "Fn::FindInMap with a key that the mapping does not have",
                FUNCTIONS,
                look_at_maps},
        {"interface",
                CHECK_WARNING,
                "a group or a label, for the console, of a parameter that is not there",
                "CloudFormation Template Reference, AWS::CloudFormation::Interface",
                look_at_interface},
        {"reference-may-fail",
                CHECK_WARNING,
                "a reference to a resource that exists only under a condition",
                "CloudFormation User Guide, Conditions section",
                look_at_conditional},
        {"sub-missing",
                CHECK_WARNING,
                "${Name} in a text that no Fn::Sub reads",
                FUNCTIONS,
                look_at_unread_names},
        {"unused",
                CHECK_WARNING,
                "a parameter, a mapping or a condition that nothing refers to",
                "CloudFormation User Guide, Template anatomy",
                look_at_unused},
        {},
};
