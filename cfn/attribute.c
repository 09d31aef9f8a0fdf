#include "cfn/attribute.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>

#define ATTRIBUTES_MAX 16U

typedef struct Reading {
        const CfnTemplate *template;
        Error *ret_error;
} Reading;

/* Most of what can be wrong here is a shape. */
#define refuse_as(reading, fault, node, ...) \
        cfn_template_refuse((reading)->template, fault, node, (reading)->ret_error, __VA_ARGS__)
#define refuse(reading, node, ...) refuse_as(reading, CFN_FAULT_SHAPE, node, __VA_ARGS__)

bool cfn_attribute_is_text(const YamlNode *node)
{
        return node->kind == YAML_SCALAR && !node->tag;
}

static int read_node(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        (void)reading;
        (void)key;
        *(const YamlNode **)place = node;
        return 0;
}

static int read_text(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (!cfn_attribute_is_text(node))
                return refuse(reading, node, "%s: expected a string", key);
        *(const char **)place = node->text;
        return 0;
}

static int read_name(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (!cfn_attribute_is_text(node))
                return refuse(reading, node, "%s: expected a string", key);
        *(const YamlNode **)place = node;
        return 0;
}

static int read_texts(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (node->kind != YAML_SEQUENCE)
                return refuse(reading, node, "%s: expected a list of strings", key);
        for (size_t i = 0; i < node->count; i++)
                if (!cfn_attribute_is_text(node->values[i]))
                        return refuse(reading, node->values[i], "%s: expected a string", key);
        *(const YamlNode **)place = node;
        return 0;
}

static int read_names(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        return node->kind == YAML_SEQUENCE ? read_texts(reading, key, node, place)
                                           : read_name(reading, key, node, place);
}

static int read_object(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (node->kind != YAML_MAPPING)
                return refuse(reading, node, "%s: expected an object", key);
        *(const YamlNode **)place = node;
        return 0;
}

static int read_number(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        char *end = NULL;
        double number;

        if (!cfn_attribute_is_text(node))
                return refuse(reading, node, "%s: expected a number", key);
        number = strtod(node->text, &end);
        if (end == node->text || *end || !isfinite(number))
                return refuse(
                        reading, node, "%s: expected a number, found '%.60s'", key, node->text);
        *(double *)place = number;
        return 0;
}

static int read_length(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (!cfn_attribute_is_text(node) || text_to_int64(node->text, 0, INT64_MAX, place) < 0)
                return refuse(reading, node, "%s: expected a whole number", key);
        return 0;
}

static int read_bool(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        bool yes = cfn_attribute_is_text(node) && text_equal_case(node->text, "true");

        if (!yes && !(cfn_attribute_is_text(node) && text_equal_case(node->text, "false")))
                return refuse(reading, node, "%s: expected true or false", key);
        *(bool *)place = yes;
        return 0;
}

static int read_policy(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        static const char *const policies[] = {
                "Delete", "Retain", "RetainExceptOnCreate", "Snapshot"};

        for (size_t i = 0; cfn_attribute_is_text(node) && i < ELEMENTS(policies); i++)
                if (text_equal(node->text, policies[i])) {
                        *(const char **)place = policies[i];
                        return 0;
                }
        return refuse(reading,
                node,
                "%s: expected Delete, Retain, RetainExceptOnCreate or Snapshot",
                key);
}

static int read_foreign(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        *(const YamlNode **)place = node;
        return refuse_as(reading,
                CFN_FAULT_FOREIGN,
                node,
                "%s cannot be done here: it needs what is outside of the template",
                key);
}

static int (*const readers[_CFN_ATTRIBUTE_KINDS])(
        const Reading *reading, const char *key, const YamlNode *node, void *place) = {
        [CFN_ATTRIBUTE_NODE] = read_node,
        [CFN_ATTRIBUTE_TEXT] = read_text,
        [CFN_ATTRIBUTE_NAME] = read_name,
        [CFN_ATTRIBUTE_NAMES] = read_names,
        [CFN_ATTRIBUTE_TEXTS] = read_texts,
        [CFN_ATTRIBUTE_MAPPING] = read_object,
        [CFN_ATTRIBUTE_NUMBER] = read_number,
        [CFN_ATTRIBUTE_LENGTH] = read_length,
        [CFN_ATTRIBUTE_BOOL] = read_bool,
        [CFN_ATTRIBUTE_POLICY] = read_policy,
        [CFN_ATTRIBUTE_FOREIGN] = read_foreign,
};

static int refuse_unknown(
        const Reading *reading, const YamlNode *key, const CfnAttribute *attributes, size_t count)
{
        const char *known[ATTRIBUTES_MAX + 1] = {};
        const char *nearest;

        for (size_t i = 0; i < count; i++)
                known[i] = attributes[i].key;
        nearest = text_nearest(key->text, known);
        return refuse(reading,
                key,
                "unknown key '%.60s'%s%s%s",
                key->text,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

int cfn_attribute_read_all(const CfnTemplate *template,
        const YamlNode *mapping,
        const CfnAttribute *attributes,
        size_t count,
        void *place,
        Error *ret_error)
{
        const Reading reading = {template, ret_error};
        int r = 0;

        if (mapping->kind != YAML_MAPPING)
                return refuse(&reading, mapping, "expected an object");
        for (size_t i = 0; r == 0 && i < mapping->count; i++) {
                const YamlNode *key = mapping->keys[i];
                size_t k = 0;

                while (k < count && !text_equal(attributes[k].key, key->text))
                        k++;
                r = k == count ? refuse_unknown(&reading, key, attributes, count)
                               : readers[attributes[k].kind](&reading,
                                         key->text,
                                         mapping->values[i],
                                         (char *)place + attributes[k].offset);
        }
        for (size_t k = 0; r == 0 && k < count; k++)
                if (attributes[k].required && !yaml_member(mapping, attributes[k].key))
                        r = refuse(&reading, mapping, "the key '%s' is missing", attributes[k].key);
        return r;
}

int cfn_attribute_read_object(const CfnTemplate *template,
        const char *key,
        const YamlNode *node,
        const YamlNode **ret,
        Error *ret_error)
{
        return read_object(&(const Reading){template, ret_error}, key, node, (void *)ret);
}
