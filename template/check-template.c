/* What is found while the template is read: by cfn/, which calls it a CfnFault. */

#include "template/check-parts.h"

#include "base/text.h"
#include "cfn/resource.h"

#include <ctype.h>
#include <string.h>

#define ANATOMY   "CloudFormation User Guide, Template anatomy"
#define FUNCTIONS "CloudFormation User Guide, Intrinsic function reference"
#define TYPES     "CloudFormation Template Reference, the type's page"
#define QUOTAS    "CloudFormation User Guide, CloudFormation quotas"

static void look_at_version(Check *check);
static void look_at_transform(Check *check);
static void look_at_types(Check *check);
static void look_at_other_types(Check *check);
static void look_at_extensions(Check *check);

/* The first of them are those of CfnFault, in its order. */
const CheckRule check_template_rules[] = {
        [CFN_FAULT_SYNTAX] = {"syntax", CHECK_ERROR, "neither JSON nor YAML", ANATOMY},
        [CFN_FAULT_SIZE] = {"template-size", CHECK_ERROR, "more than 1 MB", QUOTAS},
        [CFN_FAULT_COUNT] = {"too-many",
                CHECK_ERROR,
                "more than 500 resources, or 200 parameters, mappings, conditions or outputs",
                QUOTAS},
        [CFN_FAULT_SHAPE] = {"shape",
                CHECK_ERROR,
                "a section, or an entry's attribute, that is unknown, missing or of another kind",
                ANATOMY},
        [CFN_FAULT_NAME] = {"name",
                CHECK_ERROR,
                "a logical id that is not 1 to 255 letters and digits, or is taken",
                ANATOMY},
        [CFN_FAULT_FUNCTION] = {"function",
                CHECK_ERROR,
                "an unknown function, or arguments that are not its own",
                FUNCTIONS},
        [CFN_FAULT_REFERENCE] = {"unknown-reference",
                CHECK_ERROR,
                "a reference to what the template does not have",
                FUNCTIONS},
        [CFN_FAULT_VARIABLE] = {"policy-variable",
                CHECK_ERROR,
                "a variable of IAM's that Fn::Sub takes for its own: ${aws:userid}",
                "IAM User Guide, Policy variables"},
        [CFN_FAULT_ATTRIBUTE] = {"unknown-attribute",
                CHECK_ERROR,
                "an attribute that the resource's type does not have",
                TYPES},
        [CFN_FAULT_CYCLE] = {"cycle",
                CHECK_ERROR,
                "resources or conditions that need each other",
                "CloudFormation User Guide, DependsOn attribute"},
        [CFN_FAULT_PROPERTY] = {"unknown-property",
                CHECK_ERROR,
                "a property that the type does not have",
                TYPES},
        [CFN_FAULT_MISSING] = {"missing-property",
                CHECK_ERROR,
                "a property that the type needs",
                TYPES},
        [CFN_FAULT_KIND] = {"property-kind", CHECK_ERROR, "a property of another kind", TYPES},
        [CFN_FAULT_FOREIGN] = {"transform",
                CHECK_NOTE,
                "a template that macros change before CloudFormation reads it",
                ANATOMY,
                look_at_transform},
        {"format-version",
                CHECK_ERROR,
                "an AWSTemplateFormatVersion that is not 2010-09-09",
                ANATOMY,
                look_at_version},
        {"resource-type",
                CHECK_ERROR,
                "a resource's type that cannot be one",
                TYPES,
                look_at_types},
        {"other-type",
                CHECK_NOTE,
                "a type whose properties are not known here",
                TYPES,
                look_at_other_types},
        {"language-extension",
                CHECK_ERROR,
                "Fn::ForEach, Fn::Length or Fn::ToJsonString without their transform",
                FUNCTIONS,
                look_at_extensions},
        {"group-of-itself",
                CHECK_ERROR,
                "a security group whose inline rules name the group",
                "EC2 in the CloudFormation Template Reference, AWS::EC2::SecurityGroup"},
        {"short-tags",
                CHECK_ERROR,
                "two short tags one behind the other: !Base64 !Sub",
                "YAML 1.1, 3.2.1.2: a node has one tag"},
        {},
};

enum { RULE_GROUP_OF_ITSELF = _CFN_FAULTS + 4, RULE_SHORT_TAGS };

/* "!Base64 !Sub" in the line where reading ended. */
static bool has_two_tags(const Check *check, const YamlNode *node)
{
        const char *line = check->text, *end = check->text + check->size, *c;

        for (unsigned i = 1; line && i < node->line; i++) {
                line = memchr(line, '\n', (size_t)(end - line));
                line = line ? line + 1 : NULL;
        }
        for (c = line; c && c < end && *c != '\n'; c++) {
                if (*c != '!')
                        continue;
                while (c < end && (isalnum((unsigned char)*c) || *c == '!' || *c == ':'))
                        c++;
                while (c < end && *c == ' ')
                        c++;
                if (c < end && *c == '!')
                        return true;
                c--;
        }
        return false;
}

static bool is_group_of_itself(const Check *check, const YamlNode *node)
{
        const CfnResource *group =
                check->template ? cfn_template_resource(check->template, node->text) : NULL;

        return group && text_equal(group->type, "AWS::EC2::SecurityGroup") &&
               check_refers(check, group->properties, group->name);
}

void check_tell_fault(Check *check, CfnFault fault, const YamlNode *node, const char *sentence)
{
        check->rule = &check_template_rules[fault];
        if (fault == CFN_FAULT_FOREIGN)
                return;
        if (fault == CFN_FAULT_SYNTAX && has_two_tags(check, node)) {
                check->rule = &check_template_rules[RULE_SHORT_TAGS];
                check_tell(check,
                        node,
                        "two short tags one behind the other are no YAML; write the outer one in "
                        "full: 'Fn::Base64: !Sub |'");
                return;
        }
        if (fault == CFN_FAULT_CYCLE && is_group_of_itself(check, node)) {
                check->rule = &check_template_rules[RULE_GROUP_OF_ITSELF];
                check_tell(check,
                        node,
                        "the rules of '%s' name the group itself, which does not exist before "
                        "them; make them resources of their own: "
                        "AWS::EC2::SecurityGroupIngress",
                        node->text);
                return;
        }
        check_tell(check, node, "%s", sentence);
}

static void look_at_transform(Check *check)
{
        if (check->template->transform)
                check_tell(check,
                        check->template->transform,
                        "macros change this template before CloudFormation reads it; what they "
                        "make is not looked at, and errors are shown as warnings");
}

static void look_at_version(Check *check)
{
        const YamlNode *version =
                yaml_member(yaml_root(check->template->document), "AWSTemplateFormatVersion");

        if (check_is_literal(version) && !text_equal(version->text, "2010-09-09"))
                check_tell(check,
                        version,
                        "AWSTemplateFormatVersion: expected 2010-09-09, the only one, found "
                        "'%.60s'",
                        version->text);
}

/* "A::B::C", "Custom::Name"; a module's "A::B::C::MODULE". */
static bool can_be_type(const char *type)
{
        unsigned words = 1;

        if (text_starts(type, "Custom::") && type[strlen("Custom::")])
                return true;
        for (const char *c = type; *c; c++) {
                if (text_starts(c, "::")) {
                        if (c == type || c[2] == '\0' || c[2] == ':')
                                return false;
                        words++;
                        c++;
                } else if (!isalnum((unsigned char)*c)) {
                        return false;
                }
        }
        return words == 3 || (words == 4 && text_ends(type, "::MODULE"));
}

static void look_at_types(Check *check)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];

                if (*resource->type && !can_be_type(resource->type))
                        check_tell(check,
                                resource->key,
                                "%s: '%.100s' is no type of a resource; expected one like "
                                "AWS::S3::Bucket",
                                resource->name,
                                resource->type);
        }
}

/* Where a service's name ends in a type: behind "AWS::EC2::". */
static size_t length_of_service(const char *type)
{
        const char *service = strstr(type, "::"),
                   *name = service ? strstr(service + 2, "::") : NULL;

        return name ? (size_t)(name - type) + 2 : 0;
}

/* The type that a name is most likely a misspelling of: another one of the same service. */
static const char *find_near_type(const char *name)
{
        const char *nearest = cfn_resource_nearest_type(name);
        size_t length = length_of_service(name);
        const char *const last[] = {nearest ? nearest + length_of_service(nearest) : NULL, NULL};

        return nearest && length_of_service(nearest) == length &&
                               strncmp(nearest, name, length) == 0 &&
                               text_nearest(name + length, last)
                       ? nearest
                       : NULL;
}

/* Once for each of them. */
static void look_at_other_types(Check *check)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];
                const char *nearest;

                if (!can_be_type(resource->type) || cfn_resource_type(resource->type) ||
                        check_next(check, resource->type, NULL) != resource)
                        continue;
                nearest = find_near_type(resource->type);
                check_tell(check,
                        resource->key,
                        "%s: the properties of %.100s are not looked at%s%s%s",
                        resource->name,
                        resource->type,
                        nearest ? " (did you mean '" : "",
                        nearest ? nearest : "",
                        nearest ? "'?)" : "");
        }
}

static void look_for_extensions(Check *check, const YamlNode *node)
{
        static const char *const names[] = {"Fn::ForEach", "Fn::Length", "Fn::ToJsonString"};
        static const char *const tags[] = {"!ForEach", "!Length", "!ToJsonString"};

        for (size_t i = 0; i < ELEMENTS(tags); i++)
                if (text_equal(node->tag, tags[i]))
                        check_tell(check,
                                node,
                                "%s needs 'Transform: AWS::LanguageExtensions' in the template",
                                tags[i]);
        for (size_t k = 0; k < node->count; k++) {
                for (size_t i = 0; node->kind == YAML_MAPPING && i < ELEMENTS(names); i++)
                        if (text_starts(node->keys[k]->text, names[i]))
                                check_tell(check,
                                        node->keys[k],
                                        "%s needs 'Transform: AWS::LanguageExtensions' in the "
                                        "template",
                                        names[i]);
                look_for_extensions(check, node->values[k]);
        }
}

static void look_at_extensions(Check *check)
{
        if (!check->template->transform)
                look_for_extensions(check, yaml_root(check->template->document));
}
