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

/* What can be wrong with a template. */
typedef enum CfnFault {
        CFN_FAULT_SYNTAX,    /* neither JSON nor YAML */
        CFN_FAULT_SIZE,      /* more bytes than CloudFormation takes */
        CFN_FAULT_COUNT,     /* more entries in a section */
        CFN_FAULT_SHAPE,     /* a section or an entry: unknown, missing, of another kind */
        CFN_FAULT_NAME,      /* a logical id that is none, or is taken */
        CFN_FAULT_FUNCTION,  /* an unknown function, or arguments of another shape */
        CFN_FAULT_REFERENCE, /* to what the template does not have */
        CFN_FAULT_VARIABLE,  /* IAM's own, where Fn::Sub takes it for one of the template */
        CFN_FAULT_ATTRIBUTE, /* that the resource's type does not have */
        CFN_FAULT_CYCLE,     /* resources or conditions that need each other */
        CFN_FAULT_PROPERTY,  /* that the resource's type does not have */
        CFN_FAULT_MISSING,   /* a property that the type needs */
        CFN_FAULT_KIND,      /* a property's value of another kind */
        CFN_FAULT_FOREIGN,   /* no fault: needs what is outside of the template (Transform,
                                Fn::ImportValue), and so cannot be done here */
        _CFN_FAULTS,
} CfnFault;

/* Who wants all faults, not the first alone. A template that is read for a collector is read as
 * far as it goes: what is faulty in it is left out, or NULL; cfn_graph_new() and
 * cfn_resource_check() go on behind a fault, too. It is to be looked at, not evaluated. */
typedef struct CfnCollector {
        /* `node` stands where the fault is, and its line and column alone count if it is a
         * CFN_FAULT_SYNTAX. 0 to go on; a negative errno ends the reading. */
        int (*tell)(CfnFault fault, const YamlNode *node, const char *sentence, void *userdata);
        void *userdata;
} CfnCollector;

#define CFN_TEMPLATE_SIZE_MAX        (1024U * 1024U) /* bytes, as from S3 */
#define CFN_TEMPLATE_SIZE_INLINE_MAX 51200U          /* bytes, as part of a request */
#define CFN_TEMPLATE_RESOURCES_MAX   500U
#define CFN_TEMPLATE_ENTRIES_MAX     200U /* of parameters, mappings, outputs; also conditions */
#define CFN_TEMPLATE_NAME_MAX        255U

/* All pointers are borrowed from the document and may be NULL where an entry is silent, unless it
 * is said. `key` is the node of the entry's name, for sentences. Where faults are collected, a type
 * that is missing is "", and a value NULL. */

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
        const YamlNode *export;    /* {Name: …}, for other stacks */
} CfnOutput;

typedef struct CfnTemplate {
        YamlDocument *document;        /* owned; NULL only if it is no YAML and was collected */
        const CfnCollector *collector; /* NULL: the first fault ends the reading */
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
        const YamlNode *rules;     /* a mapping: not read further */
        const YamlNode *metadata;  /* likewise */
        const YamlNode *transform; /* only where it was collected: macros' names */
} CfnTemplate;

/* `name` is for sentences: a path, or what a person would call it. -EBADMSG with "cannot read
 * '<name>': line L, column C: …" for what is no template: not JSON or YAML (a tab, a key twice), no
 * object, an unknown section or key (with the nearest known one), a name that is none, and
 * Transform, which needs what no template has; -EFBIG over CFN_TEMPLATE_SIZE_MAX. */
int cfn_template_parse(
        const char *name, const char *text, size_t size, CfnTemplate **ret, Error *ret_error);

/* The same of a file; "-" is standard input. Also -ENOENT, -EACCES, … */
int cfn_template_load(const char *path, CfnTemplate **ret, Error *ret_error);

/* Reads for a collector, which must outlive the template. What is wrong is told to it; other than
 * that fails only what `tell` ends, and -ENOMEM. At most CFN_TEMPLATE_READ_MAX bytes and
 * CFN_TEMPLATE_READ_ENTRIES_MAX entries of a section are looked at, as there are limits to what is
 * worth it; both are faults before. */
#define CFN_TEMPLATE_READ_MAX         (4U * CFN_TEMPLATE_SIZE_MAX)
#define CFN_TEMPLATE_READ_ENTRIES_MAX 2000U
int cfn_template_collect(const char *name,
        const char *text,
        size_t size,
        const CfnCollector *collector,
        CfnTemplate **ret,
        Error *ret_error);

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

/* A fault that stands at `node`: -EBADMSG with yaml_refuse()'s sentence; or told to the template's
 * collector, whose answer is given back: 0 to go on. */
int cfn_template_refuse(const CfnTemplate *template,
        CfnFault fault,
        const YamlNode *node,
        Error *ret_error,
        const char *format,
        ...) _printf_(5, 6);
