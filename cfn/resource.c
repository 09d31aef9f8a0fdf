#include "cfn/resource.h"

#include "base/text.h"
#include "cfn/resource-types.h"
#include "cfn/syntax.h"

#include <errno.h>
#include <string.h>

#define PROPERTIES_MAX 64U
#define TYPES_MAX      32U

const CfnResourceType *cfn_resource_type(const char *name)
{
        for (const CfnResourceType *type = resource_types; type->name; type++)
                if (text_equal(type->name, name))
                        return type;
        return NULL;
}

const char *cfn_resource_nearest_type(const char *name)
{
        const char *known[TYPES_MAX + 1] = {};

        for (size_t i = 0; i < TYPES_MAX && resource_types[i].name; i++)
                known[i] = resource_types[i].name;
        return text_nearest(name, known);
}

bool cfn_resource_has_attribute(const CfnResourceType *type, const char *attribute)
{
        for (const char *const *known = type->attributes; *known; known++)
                if (text_equal(*known, attribute))
                        return true;
        return false;
}

typedef struct Checking {
        const CfnTemplate *template;
        const CfnResource *resource;
        Error *ret_error;
} Checking;

static int check_value(const Checking *checking, const CfnProperty *property, const YamlNode *node);

static int refuse_kind(const Checking *checking, const CfnProperty *property, const YamlNode *node)
{
        static const char *const expected[] = {
                [CFN_TEXT] = "a string",
                [CFN_INTEGER] = "a whole number",
                [CFN_BOOLEAN] = "true or false",
                [CFN_OBJECT] = "an object",
                [CFN_OBJECTS] = "a list of objects",
                [CFN_TEXTS] = "a list of strings",
                [CFN_TAGS] = "a list of {Key, Value}",
        };

        return cfn_template_refuse(checking->template,
                CFN_FAULT_KIND,
                node,
                checking->ret_error,
                "%s: %s: expected %s",
                checking->resource->name,
                property->name,
                expected[property->kind]);
}

static int refuse_unknown(const Checking *checking, const CfnProperty *members, const YamlNode *key)
{
        const char *known[PROPERTIES_MAX + 1] = {};
        const char *nearest;

        if (text_equal(key->text, "Fn::Transform")) /* the rest of the properties, by a macro */
                return cfn_template_refuse(checking->template,
                        CFN_FAULT_FOREIGN,
                        key,
                        checking->ret_error,
                        "%s: Fn::Transform cannot be done here: macros are CloudFormation's own",
                        checking->resource->name);
        for (size_t i = 0; i < PROPERTIES_MAX && members[i].name; i++)
                known[i] = members[i].name;
        nearest = text_nearest(key->text, known);
        return cfn_template_refuse(checking->template,
                CFN_FAULT_PROPERTY,
                key,
                checking->ret_error,
                "%s: %s has no property '%.60s' here%s%s%s",
                checking->resource->name,
                checking->resource->type,
                key->text,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static int check_members(
        const Checking *checking, const CfnProperty *members, const YamlNode *mapping)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < mapping->count; i++) {
                const CfnProperty *member = members;

                while (member->name && !text_equal(member->name, mapping->keys[i]->text))
                        member++;
                r = member->name ? check_value(checking, member, mapping->values[i])
                                 : refuse_unknown(checking, members, mapping->keys[i]);
        }
        for (; r == 0 && members->name; members++)
                if (members->required && !yaml_member(mapping, members->name))
                        r = cfn_template_refuse(checking->template,
                                CFN_FAULT_MISSING,
                                mapping,
                                checking->ret_error,
                                "%s: %s needs the property '%s'",
                                checking->resource->name,
                                checking->resource->type,
                                members->name);
        return r;
}

static int check_list(const Checking *checking, const CfnProperty *property, const YamlNode *node)
{
        CfnProperty element = {
                .name = property->name,
                .kind = property->kind == CFN_TEXTS ? CFN_TEXT : CFN_OBJECT,
                .members = property->kind == CFN_TAGS ? resource_tag_members : property->members,
        };
        int r = 0;

        if (node->kind != YAML_SEQUENCE)
                return refuse_kind(checking, property, node);
        for (size_t i = 0; r == 0 && i < node->count; i++)
                r = check_value(checking, &element, node->values[i]);
        return r;
}

static bool is_integer(const YamlNode *node)
{
        int64_t number;

        return node->kind == YAML_SCALAR &&
               text_to_int64(node->text, INT64_MIN + 1, INT64_MAX, &number) == 0;
}

static bool is_boolean(const YamlNode *node)
{
        return node->kind == YAML_SCALAR &&
               (text_equal_case(node->text, "true") || text_equal_case(node->text, "false"));
}

static int check_plain(const Checking *checking, const CfnProperty *property, const YamlNode *node)
{
        switch (property->kind) {
        case CFN_TEXT:
                return node->kind == YAML_SCALAR ? 0 : refuse_kind(checking, property, node);
        case CFN_INTEGER:
                return is_integer(node) ? 0 : refuse_kind(checking, property, node);
        case CFN_BOOLEAN:
                return is_boolean(node) ? 0 : refuse_kind(checking, property, node);
        case CFN_OBJECT:
                if (node->kind != YAML_MAPPING)
                        return refuse_kind(checking, property, node);
                return property->members ? check_members(checking, property->members, node) : 0;
        case CFN_OBJECTS:
        case CFN_TEXTS:
        case CFN_TAGS:
                return check_list(checking, property, node);
        case CFN_ANY:
        default:
                return 0;
        }
}

static int check_value(const Checking *checking, const CfnProperty *property, const YamlNode *node)
{
        CfnCall call;
        int r;

        r = cfn_syntax_call(
                checking->template, node, CFN_IN_VALUE, false, &call, checking->ret_error);
        if (r < 0)
                return r;
        if (r == CFN_SYNTAX_PLAIN)
                return check_plain(checking, property, node);
        if (r == CFN_SYNTAX_TOLD || call.function != CFN_IF)
                return 0;
        r = check_value(checking, property, call.argument->values[1]);
        return r < 0 ? r : check_value(checking, property, call.argument->values[2]);
}

int cfn_resource_check(const CfnTemplate *template, const CfnResource *resource, Error *ret_error)
{
        const CfnResourceType *type = cfn_resource_type(resource->type);
        const Checking checking = {template, resource, ret_error};
        int r = 0;

        if (!type)
                return 0;
        if (resource->properties)
                return check_members(&checking, type->properties, resource->properties);
        for (const CfnProperty *property = type->properties; r == 0 && property->name; property++)
                if (property->required)
                        r = cfn_template_refuse(template,
                                CFN_FAULT_MISSING,
                                resource->key,
                                ret_error,
                                "%s: %s needs the property '%s'",
                                resource->name,
                                resource->type,
                                property->name);
        return r;
}
