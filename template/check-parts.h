/* What rules are made with. Each looks at the template and tells what it finds; a rule returns
 * nothing, as memory that is out is noted once, in Check. */

#pragma once

#include "cfn/graph.h"
#include "cfn/syntax.h"
#include "template/check.h"

struct Check {
        const CfnTemplate *template;
        const char *text; /* of the template */
        size_t size;
        const CfnGraph *graph;      /* with a cycle cut open, where there is one */
        const unsigned char *above; /* by check_needs(): count by count */
        const CfnResource **alike;  /* of each resource: the next of its type; NULL: none */
        const CheckRule *rule;      /* the one at work */
        CheckReport *report;
        int failure; /* 0, or -ENOMEM: the report is not complete */
};

/* The tables. */
extern const CheckRule check_template_rules[];
extern const CheckRule check_limits_rules[];
extern const CheckRule check_references_rules[];
extern const CheckRule check_values_rules[];
extern const CheckRule check_wait_rules[];
extern const CheckRule check_instance_rules[];
extern const CheckRule check_metadata_rules[];
extern const CheckRule check_network_rules[];
extern const CheckRule check_members_rules[];
extern const CheckRule check_iam_rules[];
extern const CheckRule check_roles_rules[];
extern const CheckRule check_storage_rules[];
extern const CheckRule check_secrets_rules[];
extern const CheckRule check_portable_rules[];

/* A finding of the rule at work: what is wrong at `node`, and what to do; no full stop. */
void check_tell(Check *check, const YamlNode *node, const char *format, ...) _printf_(3, 4);

/* A finding of cfn/'s, under the rule that is for it. */
void check_tell_fault(Check *check, CfnFault fault, const YamlNode *node, const char *sentence);

/* The first resource of `type` (`previous` NULL), or the one behind `previous`, which is of that
 * type; NULL: no more. */
const CfnResource *check_next(const Check *check, const char *type, const CfnResource *previous);

/* Does `resource` need `on`, by reference or DependsOn, itself or through others? */
bool check_needs(const Check *check, const CfnResource *resource, const CfnResource *on);

typedef void (*CheckVisit)(Check *check, const YamlNode *node, void *userdata);

/* Visits what stands at `path` below `node` (NULL: nothing): names of members, one behind the
 * other with a slash between, and a star for each element of a list, or for the one thing that
 * stands where a list could. Wherever a Fn::If stands, both ways are gone; AWS::NoValue is nothing.
 */
void check_visit(
        Check *check, const YamlNode *node, const char *path, CheckVisit visit, void *userdata);

/* The first of what stands there, else NULL. */
const YamlNode *check_find(Check *check, const YamlNode *node, const char *path);

/* The same that is a scalar of this text, letters' case ignored (true, True); NULL: none. */
const YamlNode *check_find_text(
        Check *check, const YamlNode *node, const char *path, const char *text);

/* Visits all scalars below `node` that are no names: not those of Ref, Fn::GetAtt and the like. */
void check_visit_texts(Check *check, const YamlNode *node, CheckVisit visit, void *userdata);

/* A scalar that is what it is: no function. */
bool check_is_literal(const YamlNode *node);

/* Does `resource` itself refer to `other`, or name it in DependsOn? */
bool check_uses(const Check *check, const CfnResource *resource, const CfnResource *other);

/* Does anything at `node` (NULL: no) or below refer to the entry `name`, by value or attribute? */
bool check_refers(const Check *check, const YamlNode *node, const char *name);

/* The resource that `node` is a Ref, Fn::GetAtt or Fn::Sub of; NULL: it is something else. */
const CfnResource *check_resource_of(const Check *check, const YamlNode *node);

/* The parameter that `node` is a Ref (or a Fn::Sub of nothing else) of; NULL likewise. */
const CfnParameter *check_parameter_of(const Check *check, const YamlNode *node);

/* cfn_syntax_walk() over values; `node` NULL: nothing. */
void check_walk(const Check *check, const YamlNode *node, CfnVisit visit, void *userdata);

/* What launches machines: an instance, a launch template, a launch configuration. */
typedef struct CheckMachine {
        const CfnResource *resource;
        const YamlNode *settings; /* UserData, BlockDeviceMappings, … stand here; never NULL */
} CheckMachine;

/* The one behind `*machine`, which begins as all zero. False: no more. */
bool check_next_machine(Check *check, CheckMachine *machine);

/* What Fn::Base64 encodes of its UserData; NULL: nothing does. */
const YamlNode *check_user_data(Check *check, const YamlNode *settings);

/* The launch template that an instance names, if the template has it, and its settings; else NULL.
 */
const CfnResource *check_launch_template(Check *check, const CfnResource *instance);
const YamlNode *check_launch_settings(Check *check, const CfnResource *instance);

/* The text that user-data begins with, up to the first function that is not Fn::Sub; "": none. */
const char *check_text_of(const YamlNode *node);
