/* A CloudFormation template, read: its sections as tables whose entries know their place in the
 * text. JSON, or YAML with its short tags; both are read over base/yaml.h, so that every node has
 * line and column.
 *
 * What a section holds is checked for its shape alone: names, known keys, kinds of nodes, counts.
 * What functions stand in it is cfn/syntax.h's, what refers to what cfn/graph.h's, and what the
 * properties of a resource may be cfn/resource.h's.
 *
 * Source: AWS CloudFormation User Guide, "Template anatomy", "CloudFormation quotas".
 */

#pragma once

#include "base/yaml.h"

#define CFN_TEMPLATE_SIZE_MAX        (1024U * 1024U) /* bytes, as from S3 */
#define CFN_TEMPLATE_SIZE_INLINE_MAX 51200U          /* bytes, as part of a request */
#define CFN_TEMPLATE_RESOURCES_MAX   500U
#define CFN_TEMPLATE_ENTRIES_MAX     200U /* of parameters, mappings, outputs; also conditions */
#define CFN_TEMPLATE_NAME_MAX        255U

/* All pointers are borrowed from the document and may be NULL where an entry is silent, unless it
 * is said. `key` is the node of the entry's name, for sentences. */

typedef struct CfnParameter {
        const char *name; /* never NULL */
        const YamlNode *key;
        const char *type; /* "String", "Number", "AWS::EC2::KeyPair::KeyName", …; never NULL */
        const char *description;
        const char *default_value;
        const char *allowed_pattern;
        const char *constraint;         /* ConstraintDescription: what to say of a bad value */
        const YamlNode *allowed_values; /* a sequence of scalars */
        int64_t min_length, max_length; /* characters; 0 and INT64_MAX by default */
        double min_value, max_value;    /* of a Number; infinite by default */
        bool no_echo;                   /* a secret: its value stands in no sentence */
} CfnParameter;

typedef struct CfnMapping {
        const char *name;
        const YamlNode *key;
        const YamlNode *value; /* a mapping of mappings of scalars or lists; never NULL */
} CfnMapping;

typedef struct CfnCondition {
        const char *name;
        const YamlNode *key;
        const YamlNode *value; /* never NULL */
} CfnCondition;

typedef struct CfnResource {
        const char *name; /* the logical id; never NULL */
        const YamlNode *key;
        const char *type;                  /* "AWS::S3::Bucket"; never NULL */
        const YamlNode *properties;        /* a mapping */
        const YamlNode *depends_on;        /* a scalar, or a sequence of scalars */
        const YamlNode *condition;         /* a scalar: the name of a condition */
        const char *deletion_policy;       /* "Delete", "Retain", …; NULL is the type's own */
        const YamlNode *creation_policy;   /* a mapping */
        const YamlNode *update_policy;     /* a mapping */
        const YamlNode *metadata;          /* a mapping */
        const char *update_replace_policy; /* as deletion_policy */
} CfnResource;

typedef struct CfnOutput {
        const char *name;
        const YamlNode *key;
        const YamlNode *value; /* never NULL */
        const char *description;
        const YamlNode *condition; /* a scalar */
} CfnOutput;

typedef struct CfnTemplate {
        YamlDocument *document; /* owned */
        const char *description;
        CfnParameter *parameters;
        size_t n_parameters;
        CfnMapping *mappings;
        size_t n_mappings;
        CfnCondition *conditions;
        size_t n_conditions;
        CfnResource *resources; /* one at least */
        size_t n_resources;
        CfnOutput *outputs;
        size_t n_outputs;
        const YamlNode *rules; /* a mapping: not read further */
} CfnTemplate;

/* `name` is for sentences: a path, or what a person would call it. -EBADMSG with "cannot read
 * '<name>': line L, column C: …" for what is no template: not JSON or YAML (a tab, a key twice), no
 * object, an unknown section or key (with the nearest known one), a name that is none, Export and
 * Transform, which need what no template has; -EFBIG over CFN_TEMPLATE_SIZE_MAX. */
int cfn_template_parse(
        const char *name, const char *text, size_t size, CfnTemplate **ret, Error *ret_error);

/* The same of a file; "-" is standard input. Also -ENOENT, -EACCES, … */
int cfn_template_load(const char *path, CfnTemplate **ret, Error *ret_error);

CfnTemplate *cfn_template_free(CfnTemplate *template);
DEFINE_CLEANUP(CfnTemplate *, cfn_template_free);

/* The entry of that name; NULL: there is none. */
const CfnParameter *cfn_template_parameter(const CfnTemplate *template, const char *name);
const CfnMapping *cfn_template_mapping(const CfnTemplate *template, const char *name);
const CfnCondition *cfn_template_condition(const CfnTemplate *template, const char *name);
const CfnResource *cfn_template_resource(const CfnTemplate *template, const char *name);

typedef enum CfnSection {
        CFN_PARAMETERS = 1U << 0,
        CFN_MAPPINGS = 1U << 1,
        CFN_CONDITIONS = 1U << 2,
        CFN_RESOURCES = 1U << 3,
} CfnSection;

/* The entry's name, of those `sections` (bits of CfnSection), that `name` is most likely a
 * misspelling of; borrowed. NULL: none is near, or memory is out. */
const char *cfn_template_nearest(const CfnTemplate *template, unsigned sections, const char *name);

/* yaml_refuse() for what stands at `node`: -EBADMSG. */
#define cfn_template_refuse(template, node, ret_error, ...) \
        yaml_refuse((template)->document, node, ret_error, __VA_ARGS__)
