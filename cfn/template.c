#include "cfn/template.h"

#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTES_MAX 16U
#define NAMES_MAX      (CFN_TEMPLATE_RESOURCES_MAX + 3 * CFN_TEMPLATE_ENTRIES_MAX)
#define FAULT_TEXT_MAX (ERROR_TEXT_MAX / 2)

/* How an attribute is read, and into what. */
typedef enum AttributeKind {
        ATTRIBUTE_NODE,    /* const YamlNode *: as it stands */
        ATTRIBUTE_TEXT,    /* const char *: a scalar's */
        ATTRIBUTE_NAME,    /* const YamlNode *: a scalar */
        ATTRIBUTE_NAMES,   /* const YamlNode *: a scalar, or a list of scalars */
        ATTRIBUTE_TEXTS,   /* const YamlNode *: a list of scalars */
        ATTRIBUTE_MAPPING, /* const YamlNode * */
        ATTRIBUTE_NUMBER,  /* double */
        ATTRIBUTE_LENGTH,  /* int64_t: 0 or more */
        ATTRIBUTE_BOOL,    /* bool */
        ATTRIBUTE_POLICY,  /* const char *: Delete, Retain, … */
        ATTRIBUTE_FOREIGN, /* const YamlNode *: needs what no template has */
        _ATTRIBUTE_KINDS,
} AttributeKind;

typedef struct Attribute {
        const char *key;
        AttributeKind kind;
        size_t offset; /* in the struct that is filled */
        bool required;
} Attribute;

/* The sections, as the template has them. */
typedef struct Sections {
        const YamlNode *version, *description, *metadata, *parameters, *rules, *mappings;
        const YamlNode *conditions, *transform, *resources, *outputs, *globals, *hooks;
} Sections;

static const Attribute section_attributes[] = {
        {"AWSTemplateFormatVersion", ATTRIBUTE_NAME, offsetof(Sections, version)},
        {"Description", ATTRIBUTE_NAME, offsetof(Sections, description)},
        {"Metadata", ATTRIBUTE_MAPPING, offsetof(Sections, metadata)},
        {"Parameters", ATTRIBUTE_MAPPING, offsetof(Sections, parameters)},
        {"Rules", ATTRIBUTE_MAPPING, offsetof(Sections, rules)},
        {"Mappings", ATTRIBUTE_MAPPING, offsetof(Sections, mappings)},
        {"Conditions", ATTRIBUTE_MAPPING, offsetof(Sections, conditions)},
        {"Transform", ATTRIBUTE_FOREIGN, offsetof(Sections, transform)},
        {"Globals", ATTRIBUTE_FOREIGN, offsetof(Sections, globals)},
        {"Hooks", ATTRIBUTE_FOREIGN, offsetof(Sections, hooks)},
        {"Resources", ATTRIBUTE_MAPPING, offsetof(Sections, resources), .required = true},
        {"Outputs", ATTRIBUTE_MAPPING, offsetof(Sections, outputs)},
};

static const Attribute parameter_attributes[] = {
        {"Type", ATTRIBUTE_TEXT, offsetof(CfnParameter, type), .required = true},
        {"Description", ATTRIBUTE_TEXT, offsetof(CfnParameter, description)},
        {"Default", ATTRIBUTE_TEXT, offsetof(CfnParameter, default_value)},
        {"AllowedPattern", ATTRIBUTE_TEXT, offsetof(CfnParameter, allowed_pattern)},
        {"ConstraintDescription", ATTRIBUTE_TEXT, offsetof(CfnParameter, constraint)},
        {"AllowedValues", ATTRIBUTE_TEXTS, offsetof(CfnParameter, allowed_values)},
        {"MinLength", ATTRIBUTE_LENGTH, offsetof(CfnParameter, min_length)},
        {"MaxLength", ATTRIBUTE_LENGTH, offsetof(CfnParameter, max_length)},
        {"MinValue", ATTRIBUTE_NUMBER, offsetof(CfnParameter, min_value)},
        {"MaxValue", ATTRIBUTE_NUMBER, offsetof(CfnParameter, max_value)},
        {"NoEcho", ATTRIBUTE_BOOL, offsetof(CfnParameter, no_echo)},
};

static const Attribute resource_attributes[] = {
        {"Type", ATTRIBUTE_TEXT, offsetof(CfnResource, type), .required = true},
        {"Properties", ATTRIBUTE_MAPPING, offsetof(CfnResource, properties)},
        {"DependsOn", ATTRIBUTE_NAMES, offsetof(CfnResource, depends_on)},
        {"Condition", ATTRIBUTE_NAME, offsetof(CfnResource, condition)},
        {"DeletionPolicy", ATTRIBUTE_POLICY, offsetof(CfnResource, deletion_policy)},
        {"UpdateReplacePolicy", ATTRIBUTE_POLICY, offsetof(CfnResource, update_replace_policy)},
        {"CreationPolicy", ATTRIBUTE_MAPPING, offsetof(CfnResource, creation_policy)},
        {"UpdatePolicy", ATTRIBUTE_MAPPING, offsetof(CfnResource, update_policy)},
        {"Metadata", ATTRIBUTE_MAPPING, offsetof(CfnResource, metadata)},
};

static const Attribute output_attributes[] = {
        {"Value", ATTRIBUTE_NODE, offsetof(CfnOutput, value), .required = true},
        {"Description", ATTRIBUTE_TEXT, offsetof(CfnOutput, description)},
        {"Condition", ATTRIBUTE_NAME, offsetof(CfnOutput, condition)},
        {"Export", ATTRIBUTE_FOREIGN, offsetof(CfnOutput, export)},
};

typedef struct Reading {
        CfnTemplate *template;
        Error *ret_error;
} Reading;

/* Most of what can be wrong here is a shape. */
#define refuse_as(reading, fault, node, ...) \
        cfn_template_refuse((reading)->template, fault, node, (reading)->ret_error, __VA_ARGS__)
#define refuse(reading, node, ...) refuse_as(reading, CFN_FAULT_SHAPE, node, __VA_ARGS__)

int cfn_template_refuse(const CfnTemplate *template,
        CfnFault fault,
        const YamlNode *node,
        Error *ret_error,
        const char *format,
        ...)
{
        const CfnCollector *collector = template->collector;
        char text[FAULT_TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        text_mend_utf8(text);
        text_flatten(text);
        return collector ? collector->tell(fault, node, text, collector->userdata)
                         : yaml_refuse(template->document, node, ret_error, "%s", text);
}

static bool is_text(const YamlNode *node)
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
        if (!is_text(node))
                return refuse(reading, node, "%s: expected a string", key);
        *(const char **)place = node->text;
        return 0;
}

static int read_name(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (!is_text(node))
                return refuse(reading, node, "%s: expected a string", key);
        *(const YamlNode **)place = node;
        return 0;
}

static int read_texts(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        if (node->kind != YAML_SEQUENCE)
                return refuse(reading, node, "%s: expected a list of strings", key);
        for (size_t i = 0; i < node->count; i++)
                if (!is_text(node->values[i]))
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

        if (!is_text(node))
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
        if (!is_text(node) || text_to_int64(node->text, 0, INT64_MAX, place) < 0)
                return refuse(reading, node, "%s: expected a whole number", key);
        return 0;
}

static int read_bool(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        bool yes = is_text(node) && text_equal_case(node->text, "true");

        if (!yes && !(is_text(node) && text_equal_case(node->text, "false")))
                return refuse(reading, node, "%s: expected true or false", key);
        *(bool *)place = yes;
        return 0;
}

static int read_policy(const Reading *reading, const char *key, const YamlNode *node, void *place)
{
        static const char *const policies[] = {
                "Delete", "Retain", "RetainExceptOnCreate", "Snapshot"};

        for (size_t i = 0; is_text(node) && i < ELEMENTS(policies); i++)
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

static int (*const readers[_ATTRIBUTE_KINDS])(
        const Reading *reading, const char *key, const YamlNode *node, void *place) = {
        [ATTRIBUTE_NODE] = read_node,
        [ATTRIBUTE_TEXT] = read_text,
        [ATTRIBUTE_NAME] = read_name,
        [ATTRIBUTE_NAMES] = read_names,
        [ATTRIBUTE_TEXTS] = read_texts,
        [ATTRIBUTE_MAPPING] = read_object,
        [ATTRIBUTE_NUMBER] = read_number,
        [ATTRIBUTE_LENGTH] = read_length,
        [ATTRIBUTE_BOOL] = read_bool,
        [ATTRIBUTE_POLICY] = read_policy,
        [ATTRIBUTE_FOREIGN] = read_foreign,
};

static int refuse_unknown(
        const Reading *reading, const YamlNode *key, const Attribute *attributes, size_t count)
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

static int read_attributes(const Reading *reading,
        const YamlNode *mapping,
        const Attribute *attributes,
        size_t count,
        void *place)
{
        int r = 0;

        if (mapping->kind != YAML_MAPPING)
                return refuse(reading, mapping, "expected an object");
        for (size_t i = 0; r == 0 && i < mapping->count; i++) {
                const YamlNode *key = mapping->keys[i];
                size_t k = 0;

                while (k < count && !text_equal(attributes[k].key, key->text))
                        k++;
                r = k == count ? refuse_unknown(reading, key, attributes, count)
                               : readers[attributes[k].kind](reading,
                                         key->text,
                                         mapping->values[i],
                                         (char *)place + attributes[k].offset);
        }
        for (size_t k = 0; r == 0 && k < count; k++)
                if (attributes[k].required && !yaml_member(mapping, attributes[k].key))
                        r = refuse(reading, mapping, "the key '%s' is missing", attributes[k].key);
        return r;
}

/* Logical ids: letters and digits. */
static int check_name(const Reading *reading, const YamlNode *key)
{
        for (const char *c = key->text; *c; c++)
                if (!isalnum((unsigned char)*c) || (unsigned char)*c >= 0x80)
                        return refuse_as(reading,
                                CFN_FAULT_NAME,
                                key,
                                "'%.60s': expected a name of letters and digits alone",
                                key->text);
        if (key->length == 0 || key->length > CFN_TEMPLATE_NAME_MAX)
                return refuse_as(reading,
                        CFN_FAULT_NAME,
                        key,
                        "'%.60s': expected a name of 1 to %u letters and digits",
                        key->text,
                        CFN_TEMPLATE_NAME_MAX);
        return 0;
}

static int read_parameter(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        *(CfnParameter *)place = (CfnParameter){
                .name = key->text,
                .key = key,
                .type = "",
                .max_length = INT64_MAX,
                .min_value = -INFINITY,
                .max_value = INFINITY,
        };
        return read_attributes(
                reading, value, parameter_attributes, ELEMENTS(parameter_attributes), place);
}

/* {top: {second: scalar or list}} */
static int read_mapping(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        CfnMapping *mapping = place;
        const YamlNode *inner = NULL;
        int r;

        *mapping = (CfnMapping){.name = key->text, .key = key};
        r = read_object(reading, key->text, value, (void *)&mapping->value);
        for (size_t i = 0; r == 0 && mapping->value && i < value->count; i++) {
                inner = NULL;
                r = read_object(reading, value->keys[i]->text, value->values[i], (void *)&inner);
                for (size_t k = 0; r == 0 && inner && k < inner->count; k++)
                        if (!is_text(inner->values[k]) && inner->values[k]->kind != YAML_SEQUENCE)
                                r = refuse(reading,
                                        inner->values[k],
                                        "%s: expected a string or a list",
                                        inner->keys[k]->text);
        }
        return r;
}

static int read_condition(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        (void)reading;
        *(CfnCondition *)place = (CfnCondition){key->text, key, value};
        return 0;
}

static int read_resource(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        *(CfnResource *)place = (CfnResource){.name = key->text, .key = key, .type = ""};
        return read_attributes(
                reading, value, resource_attributes, ELEMENTS(resource_attributes), place);
}

static int read_output(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        *(CfnOutput *)place = (CfnOutput){.name = key->text, .key = key};
        return read_attributes(
                reading, value, output_attributes, ELEMENTS(output_attributes), place);
}

/* "Fn::ForEach::Buckets", which stands for entries that a macro makes. */
static int skip_loop(const Reading *reading, const YamlNode *key)
{
        return refuse_as(reading,
                CFN_FAULT_FOREIGN,
                key,
                "Fn::ForEach cannot be done here: it needs the transform AWS::LanguageExtensions");
}

/* Reads each entry of a section into an array of elements of `size` bytes. */
static int read_section(const Reading *reading,
        const YamlNode *section,
        const char *what,
        size_t max,
        size_t size,
        int (*read)(const Reading *, const YamlNode *, const YamlNode *, void *),
        void *ret_array,
        size_t *ret_count)
{
        size_t count = section ? section->count : 0;
        char *array;
        int r = 0;

        if (!section)
                return 0;
        if (count > max)
                r = refuse_as(reading,
                        CFN_FAULT_COUNT,
                        section,
                        "%s: expected at most %zu, found %zu",
                        what,
                        max,
                        count);
        if (r < 0)
                return r;

        if (count > CFN_TEMPLATE_READ_ENTRIES_MAX)
                count = CFN_TEMPLATE_READ_ENTRIES_MAX;
        array = calloc(count + 1, size);
        if (!array)
                return error_set(reading->ret_error,
                        -ENOMEM,
                        "cannot read '%s': %m",
                        yaml_name(reading->template->document));
        *(char **)ret_array = array; /* the template's, also on failure */

        for (size_t i = 0; r == 0 && i < count; i++) {
                const YamlNode *key = section->keys[i];

                if (text_starts(key->text, "Fn::ForEach::")) {
                        r = skip_loop(reading, key);
                        continue;
                }
                r = check_name(reading, key);
                if (r == 0)
                        r = read(reading, key, section->values[i], array + *ret_count * size);
                if (r == 0)
                        ++*ret_count;
        }
        return r;
}

#define READ_SECTION(reading, node, what, max, read, place) \
        read_section(reading,                               \
                node,                                       \
                what,                                       \
                max,                                        \
                sizeof(*(reading)->template->place),        \
                read,                                       \
                (void *)&(reading)->template->place,        \
                &(reading)->template->n_##place)

static int read_sections(const Reading *reading, const Sections *sections)
{
        int r;

        r = READ_SECTION(reading,
                sections->parameters,
                "Parameters",
                CFN_TEMPLATE_ENTRIES_MAX,
                read_parameter,
                parameters);
        if (r == 0)
                r = READ_SECTION(reading,
                        sections->mappings,
                        "Mappings",
                        CFN_TEMPLATE_ENTRIES_MAX,
                        read_mapping,
                        mappings);
        if (r == 0)
                r = READ_SECTION(reading,
                        sections->conditions,
                        "Conditions",
                        CFN_TEMPLATE_ENTRIES_MAX,
                        read_condition,
                        conditions);
        if (r == 0)
                r = READ_SECTION(reading,
                        sections->resources,
                        "Resources",
                        CFN_TEMPLATE_RESOURCES_MAX,
                        read_resource,
                        resources);
        if (r == 0)
                r = READ_SECTION(reading,
                        sections->outputs,
                        "Outputs",
                        CFN_TEMPLATE_ENTRIES_MAX,
                        read_output,
                        outputs);
        if (r == 0 && sections->resources && reading->template->n_resources == 0)
                r = refuse(reading, sections->resources, "Resources: expected one at least");
        if (sections->description)
                reading->template->description = sections->description->text;
        reading->template->rules = sections->rules;
        reading->template->metadata = sections->metadata;
        reading->template->transform = sections->transform;
        return r;
}

/* CloudFormation takes names of parameters and resources from one set. */
static int check_unique(const Reading *reading)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < reading->template->n_resources; i++) {
                const CfnResource *resource = &reading->template->resources[i];
                const CfnParameter *parameter =
                        cfn_template_parameter(reading->template, resource->name);

                if (parameter && parameter->key)
                        r = refuse_as(reading,
                                CFN_FAULT_NAME,
                                resource->key,
                                "'%s' is the name of a parameter already, in line %u",
                                resource->name,
                                parameter->key->line);
        }
        return r;
}

static int read_root(const Reading *reading)
{
        const YamlNode *root = yaml_root(reading->template->document);
        Sections sections = {};
        int r;

        if (root->kind != YAML_MAPPING)
                return refuse(reading, root, "expected a template: an object with 'Resources'");
        r = read_attributes(
                reading, root, section_attributes, ELEMENTS(section_attributes), &sections);
        if (r == 0)
                r = read_sections(reading, &sections);
        return r == 0 ? check_unique(reading) : r;
}

int cfn_template_parse(
        const char *name, const char *text, size_t size, CfnTemplate **ret, Error *ret_error)
{
        _cleanup_(cfn_template_free) CfnTemplate *template = calloc(1, sizeof(*template));
        int r;

        if (size > CFN_TEMPLATE_SIZE_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot read '%s': it has %zu bytes; CloudFormation takes %u at most",
                        name,
                        size,
                        CFN_TEMPLATE_SIZE_MAX);
        if (!template)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        r = yaml_parse(name, text, size, &template->document, ret_error);
        if (r == 0)
                r = read_root(&(const Reading){template, ret_error});
        if (r < 0)
                return r;

        *ret = TAKE_PTR(template);
        return 0;
}

int cfn_template_collect(const char *name,
        const char *text,
        size_t size,
        const CfnCollector *collector,
        CfnTemplate **ret,
        Error *ret_error)
{
        _cleanup_(cfn_template_free) CfnTemplate *template = calloc(1, sizeof(*template));
        const Reading reading = {template, ret_error};
        YamlFault fault = {};
        int r;

        if (!template)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        template->collector = collector;
        r = yaml_parse_or_place(name, text, size, &template->document, &fault, ret_error);
        if (r == -EBADMSG) {
                const YamlNode node = {.line = fault.line, .column = fault.column};

                r = refuse_as(&reading, CFN_FAULT_SYNTAX, &node, "%s", fault.text);
        } else if (r == 0) {
                if (size > CFN_TEMPLATE_SIZE_MAX)
                        r = refuse_as(&reading,
                                CFN_FAULT_SIZE,
                                yaml_root(template->document),
                                "it has %zu bytes; CloudFormation takes %u at most",
                                size,
                                CFN_TEMPLATE_SIZE_MAX);
                if (r == 0)
                        r = read_root(&reading);
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(template);
        return 0;
}

int cfn_template_load(const char *path, CfnTemplate **ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * CFN_TEMPLATE_SIZE_MAX);
        bool input = text_equal(path, "-");
        const char *name = input ? "standard input" : path;
        int r;

        r = input ? file_read_fd(STDIN_FILENO, name, CFN_TEMPLATE_SIZE_MAX, &text, ret_error)
                  : file_read(AT_FDCWD, path, CFN_TEMPLATE_SIZE_MAX, &text, ret_error);
        if (r < 0)
                return r;
        return cfn_template_parse(name, buffer_text(&text), text.size, ret, ret_error);
}

CfnTemplate *cfn_template_free(CfnTemplate *template)
{
        if (!template)
                return NULL;
        free(template->parameters);
        free(template->mappings);
        free(template->conditions);
        free(template->resources);
        free(template->outputs);
        (void)yaml_document_free(template->document);
        free(template);
        return NULL;
}

const CfnParameter *cfn_template_parameter(const CfnTemplate *template, const char *name)
{
        for (size_t i = 0; i < template->n_parameters; i++)
                if (text_equal(template->parameters[i].name, name))
                        return &template->parameters[i];
        return NULL;
}

const CfnMapping *cfn_template_mapping(const CfnTemplate *template, const char *name)
{
        for (size_t i = 0; i < template->n_mappings; i++)
                if (text_equal(template->mappings[i].name, name))
                        return &template->mappings[i];
        return NULL;
}

const CfnCondition *cfn_template_condition(const CfnTemplate *template, const char *name)
{
        for (size_t i = 0; i < template->n_conditions; i++)
                if (text_equal(template->conditions[i].name, name))
                        return &template->conditions[i];
        return NULL;
}

const CfnResource *cfn_template_resource(const CfnTemplate *template, const char *name)
{
        for (size_t i = 0; i < template->n_resources; i++)
                if (text_equal(template->resources[i].name, name))
                        return &template->resources[i];
        return NULL;
}

const char *cfn_template_nearest(const CfnTemplate *template, unsigned sections, const char *name)
{
        const char *known[NAMES_MAX + 1];
        size_t n = 0;

        for (size_t i = 0;
                (sections & CFN_PARAMETERS) && n < NAMES_MAX && i < template->n_parameters;
                i++)
                known[n++] = template->parameters[i].name;
        for (size_t i = 0; (sections & CFN_MAPPINGS) && n < NAMES_MAX && i < template->n_mappings;
                i++)
                known[n++] = template->mappings[i].name;
        for (size_t i = 0;
                (sections & CFN_CONDITIONS) && n < NAMES_MAX && i < template->n_conditions;
                i++)
                known[n++] = template->conditions[i].name;
        for (size_t i = 0; (sections & CFN_RESOURCES) && n < NAMES_MAX && i < template->n_resources;
                i++)
                known[n++] = template->resources[i].name;
        known[n] = NULL;
        return text_nearest(name, known);
}
