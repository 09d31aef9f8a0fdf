#include "cfn/attribute.h"

#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX      (CFN_TEMPLATE_RESOURCES_MAX + 3 * CFN_TEMPLATE_ENTRIES_MAX)
#define FAULT_TEXT_MAX (ERROR_TEXT_MAX / 2)

/* The sections, as the template has them. */
typedef struct Sections {
        const YamlNode *version, *description, *metadata, *parameters, *rules, *mappings;
        const YamlNode *conditions, *transform, *resources, *outputs, *globals, *hooks;
} Sections;

static const CfnAttribute section_attributes[] = {
        {"AWSTemplateFormatVersion", CFN_ATTRIBUTE_NAME, offsetof(Sections, version)},
        {"Description", CFN_ATTRIBUTE_NAME, offsetof(Sections, description)},
        {"Metadata", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, metadata)},
        {"Parameters", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, parameters)},
        {"Rules", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, rules)},
        {"Mappings", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, mappings)},
        {"Conditions", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, conditions)},
        {"Transform", CFN_ATTRIBUTE_FOREIGN, offsetof(Sections, transform)},
        {"Globals", CFN_ATTRIBUTE_FOREIGN, offsetof(Sections, globals)},
        {"Hooks", CFN_ATTRIBUTE_FOREIGN, offsetof(Sections, hooks)},
        {"Resources", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, resources), .required = true},
        {"Outputs", CFN_ATTRIBUTE_MAPPING, offsetof(Sections, outputs)},
};

static const CfnAttribute parameter_attributes[] = {
        {"Type", CFN_ATTRIBUTE_TEXT, offsetof(CfnParameter, type), .required = true},
        {"Description", CFN_ATTRIBUTE_TEXT, offsetof(CfnParameter, description)},
        {"Default", CFN_ATTRIBUTE_TEXT, offsetof(CfnParameter, default_value)},
        {"AllowedPattern", CFN_ATTRIBUTE_TEXT, offsetof(CfnParameter, allowed_pattern)},
        {"ConstraintDescription", CFN_ATTRIBUTE_TEXT, offsetof(CfnParameter, constraint)},
        {"AllowedValues", CFN_ATTRIBUTE_TEXTS, offsetof(CfnParameter, allowed_values)},
        {"MinLength", CFN_ATTRIBUTE_LENGTH, offsetof(CfnParameter, min_length)},
        {"MaxLength", CFN_ATTRIBUTE_LENGTH, offsetof(CfnParameter, max_length)},
        {"MinValue", CFN_ATTRIBUTE_NUMBER, offsetof(CfnParameter, min_value)},
        {"MaxValue", CFN_ATTRIBUTE_NUMBER, offsetof(CfnParameter, max_value)},
        {"NoEcho", CFN_ATTRIBUTE_BOOL, offsetof(CfnParameter, no_echo)},
};

static const CfnAttribute resource_attributes[] = {
        {"Type", CFN_ATTRIBUTE_TEXT, offsetof(CfnResource, type), .required = true},
        {"Properties", CFN_ATTRIBUTE_MAPPING, offsetof(CfnResource, properties)},
        {"DependsOn", CFN_ATTRIBUTE_NAMES, offsetof(CfnResource, depends_on)},
        {"Condition", CFN_ATTRIBUTE_NAME, offsetof(CfnResource, condition)},
        {"DeletionPolicy", CFN_ATTRIBUTE_POLICY, offsetof(CfnResource, deletion_policy)},
        {"UpdateReplacePolicy", CFN_ATTRIBUTE_POLICY, offsetof(CfnResource, update_replace_policy)},
        {"CreationPolicy", CFN_ATTRIBUTE_MAPPING, offsetof(CfnResource, creation_policy)},
        {"UpdatePolicy", CFN_ATTRIBUTE_MAPPING, offsetof(CfnResource, update_policy)},
        {"Metadata", CFN_ATTRIBUTE_MAPPING, offsetof(CfnResource, metadata)},
};

static const CfnAttribute output_attributes[] = {
        {"Value", CFN_ATTRIBUTE_NODE, offsetof(CfnOutput, value), .required = true},
        {"Description", CFN_ATTRIBUTE_TEXT, offsetof(CfnOutput, description)},
        {"Condition", CFN_ATTRIBUTE_NAME, offsetof(CfnOutput, condition)},
        {"Export", CFN_ATTRIBUTE_MAPPING, offsetof(CfnOutput, export)},
};

static const CfnAttribute export_attributes[] = {
        {"Name", CFN_ATTRIBUTE_NODE, 0, .required = true},
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
        return cfn_attribute_read_all(reading->template,
                value,
                parameter_attributes,
                ELEMENTS(parameter_attributes),
                place,
                reading->ret_error);
}

/* {top: {second: scalar or list}} */
static int read_mapping(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        CfnMapping *mapping = place;
        const YamlNode *inner = NULL;
        int r;

        *mapping = (CfnMapping){.name = key->text, .key = key};
        r = cfn_attribute_read_object(
                reading->template, key->text, value, &mapping->value, reading->ret_error);
        for (size_t i = 0; r == 0 && mapping->value && i < value->count; i++) {
                inner = NULL;
                r = cfn_attribute_read_object(reading->template,
                        value->keys[i]->text,
                        value->values[i],
                        &inner,
                        reading->ret_error);
                for (size_t k = 0; r == 0 && inner && k < inner->count; k++)
                        if (!cfn_attribute_is_text(inner->values[k]) &&
                                inner->values[k]->kind != YAML_SEQUENCE)
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
        return cfn_attribute_read_all(reading->template,
                value,
                resource_attributes,
                ELEMENTS(resource_attributes),
                place,
                reading->ret_error);
}

static int read_output(
        const Reading *reading, const YamlNode *key, const YamlNode *value, void *place)
{
        CfnOutput *output = place;
        const YamlNode *name;
        int r;

        *output = (CfnOutput){.name = key->text, .key = key};
        r = cfn_attribute_read_all(reading->template,
                value,
                output_attributes,
                ELEMENTS(output_attributes),
                output,
                reading->ret_error);
        if (r < 0 || !output->export)
                return r;
        return cfn_attribute_read_all(reading->template,
                output->export,
                export_attributes,
                ELEMENTS(export_attributes),
                &name,
                reading->ret_error);
}

/* "Fn::ForEach::Buckets", "Fn::Transform": what stands for entries that a macro makes. */
static bool is_of_macro(const YamlNode *key)
{
        return text_starts(key->text, "Fn::ForEach::") || text_equal(key->text, "Fn::Transform");
}

static int skip_entry(const Reading *reading, const YamlNode *key)
{
        return refuse_as(reading,
                CFN_FAULT_FOREIGN,
                key,
                "%.60s cannot be done here: macros are CloudFormation's own",
                key->text);
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

                if (is_of_macro(key)) {
                        r = skip_entry(reading, key);
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
        r = cfn_attribute_read_all(reading->template,
                root,
                section_attributes,
                ELEMENTS(section_attributes),
                &sections,
                reading->ret_error);
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

/* Asked for each reference: lengths differ more often than beginnings do. */
const CfnResource *cfn_template_resource(const CfnTemplate *template, const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];

                if (resource->key->length == length && memcmp(resource->name, name, length) == 0)
                        return resource;
        }
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
