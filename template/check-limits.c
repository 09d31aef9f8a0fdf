/* Sizes that CloudFormation, EC2 and IAM take. */

#include "template/check-parts.h"

#include "base/text.h"
#include "cfn/parameter.h"
#include "cfn/resource.h"

#include <ctype.h>
#include <string.h>

#define QUOTAS "CloudFormation User Guide, CloudFormation quotas"

#define DESCRIPTION_MAX     1024U
#define PARAMETER_TEXT_MAX  4000U /* of a parameter's description */
#define MAPPING_MEMBERS_MAX 200U
#define USER_DATA_MAX       16384U /* bytes, before Base64 */
#define ROLE_POLICIES_MAX   10240U /* characters without blanks, of all in a role */

static void look_at_inline_size(Check *check)
{
        if (check->size > CFN_TEMPLATE_SIZE_INLINE_MAX)
                check_tell(check,
                        yaml_root(check->template->document),
                        "it has %zu bytes and must go to CloudFormation through S3: a request "
                        "takes %u",
                        check->size,
                        CFN_TEMPLATE_SIZE_INLINE_MAX);
}

static void look_at_description(
        Check *check, const YamlNode *node, const char *name, const char *text, size_t max)
{
        if (text && strlen(text) > max)
                check_tell(check,
                        node,
                        "%s: its description has %zu bytes; CloudFormation takes %zu",
                        name,
                        strlen(text),
                        max);
}

static void look_at_descriptions(Check *check)
{
        const CfnTemplate *template = check->template;
        const YamlNode *root = yaml_root(template->document);

        look_at_description(check,
                yaml_member(root, "Description"),
                "template",
                template->description,
                DESCRIPTION_MAX);
        for (size_t i = 0; i < template->n_parameters; i++) {
                const CfnParameter *parameter = &template->parameters[i];

                look_at_description(check,
                        parameter->key,
                        parameter->name,
                        parameter->description,
                        PARAMETER_TEXT_MAX);
        }
        for (size_t i = 0; i < template->n_outputs; i++) {
                const CfnOutput *output = &template->outputs[i];

                look_at_description(
                        check, output->key, output->name, output->description, DESCRIPTION_MAX);
        }
}

static void look_at_mappings(Check *check)
{
        for (size_t i = 0; i < check->template->n_mappings; i++) {
                const CfnMapping *mapping = &check->template->mappings[i];
                size_t count = mapping->value ? mapping->value->count : 0;

                if (count > MAPPING_MEMBERS_MAX)
                        check_tell(check,
                                mapping->key,
                                "%s: it has %zu keys; CloudFormation takes %u",
                                mapping->name,
                                count,
                                MAPPING_MEMBERS_MAX);
        }
}

static void look_at_parameter_values(Check *check)
{
        for (size_t i = 0; i < check->template->n_parameters; i++) {
                const CfnParameter *parameter = &check->template->parameters[i];
                const char *value = parameter->default_value;

                if (value && strlen(value) > CFN_PARAMETER_VALUE_MAX)
                        check_tell(check,
                                parameter->key,
                                "%s: its default has %zu bytes; CloudFormation takes %u",
                                parameter->name,
                                strlen(value),
                                CFN_PARAMETER_VALUE_MAX);
        }
}

/* Bytes that a value has: what is written out, and at most, as far as that can be told. */
typedef struct Measure {
        size_t written, most;
} Measure;

static Measure measure(Check *check, const YamlNode *node, bool tag_is_done);

static Measure add(Measure a, Measure b)
{
        return (Measure){a.written + b.written, a.most + b.most};
}

static size_t most_of_parameter(const CfnParameter *parameter)
{
        size_t most = 0;

        if (parameter->allowed_values) {
                for (size_t i = 0; i < parameter->allowed_values->count; i++)
                        if (parameter->allowed_values->values[i]->length > most)
                                most = parameter->allowed_values->values[i]->length;
                return most;
        }
        if (text_starts(parameter->type, "Number"))
                return 20;
        if (parameter->max_length < CFN_PARAMETER_VALUE_MAX)
                return (size_t)parameter->max_length;
        return parameter->default_value ? strlen(parameter->default_value) : 0;
}

/* What a name gives; names that are not known give nothing. */
static Measure measure_name(const Check *check, const char *name, size_t length)
{
        static const struct {
                const char *name;
                size_t most;
        } pseudo[] = {
                {"AWS::AccountId", 12},
                {"AWS::Partition", 16},
                {"AWS::Region", 32},
                {"AWS::StackId", 256},
                {"AWS::StackName", 128},
                {"AWS::URLSuffix", 32},
        };
        char place[CFN_TEMPLATE_NAME_MAX + 1];
        const CfnParameter *parameter;

        if (length > CFN_TEMPLATE_NAME_MAX)
                return (Measure){};
        memcpy(place, name, length);
        place[length] = '\0';
        for (size_t i = 0; i < ELEMENTS(pseudo); i++)
                if (text_equal(place, pseudo[i].name))
                        return (Measure){0, pseudo[i].most};
        parameter = cfn_template_parameter(check->template, place);
        if (parameter)
                return (Measure){0, most_of_parameter(parameter)};
        return (Measure){0, 256}; /* a resource: an id, a name, an address, a presigned URL */
}

static Measure measure_sub(Check *check, const YamlNode *argument)
{
        bool list = argument->kind == YAML_SEQUENCE;
        const YamlNode *text = list ? argument->values[0] : argument;
        const YamlNode *names = list ? argument->values[1] : NULL;
        const char *place = text->text;
        Measure sum = {};
        CfnSubPart part;

        while (cfn_syntax_sub_next(check->template, text, &place, &part, NULL) > 0) {
                Measure one = {part.length, part.length};
                size_t i = 0;

                if (part.kind == CFN_SUB_NAME) {
                        while (names && i < names->count &&
                                (names->keys[i]->length != part.length ||
                                        memcmp(names->keys[i]->text, part.start, part.length) != 0))
                                i++;
                        one = names && i < names->count
                                      ? measure(check, names->values[i], false)
                                      : measure_name(check, part.start, part.length);
                }
                sum = add(sum, one);
        }
        return sum;
}

static Measure measure_join(Check *check, const YamlNode *argument)
{
        const YamlNode *list = argument->values[1];
        Measure sum = {}, delimiter = {argument->values[0]->length, argument->values[0]->length};

        for (size_t i = 0; list->kind == YAML_SEQUENCE && i < list->count; i++) {
                if (i > 0)
                        sum = add(sum, delimiter);
                sum = add(sum, measure(check, list->values[i], false));
        }
        return sum;
}

static Measure measure(Check *check, const YamlNode *node, bool tag_is_done)
{
        Measure yes, no;
        CfnCall call;
        int r;

        r = cfn_syntax_call(check->template, node, CFN_IN_VALUE, tag_is_done, &call, NULL);
        if (r != CFN_SYNTAX_CALL)
                return (Measure){node->kind == YAML_SCALAR ? node->length : 0,
                        node->kind == YAML_SCALAR ? node->length : 0};
        switch ((int)call.function) {
        case CFN_REF:
                return measure_name(check, call.argument->text, call.argument->length);
        case CFN_SUB:
                return measure_sub(check, call.argument);
        case CFN_JOIN:
                return measure_join(check, call.argument);
        case CFN_IF:
                yes = measure(check, call.argument->values[1], false);
                no = measure(check, call.argument->values[2], false);
                return (Measure){yes.written < no.written ? yes.written : no.written,
                        yes.most > no.most ? yes.most : no.most};
        case CFN_GET_ATT:
                return (Measure){0, 256};
        default:
                return (Measure){};
        }
}

static void tell_user_data(Check *check, bool surely)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine)) {
                const YamlNode *text = check_user_data(check, machine.settings);
                Measure found =
                        text ? measure(check, text, text_equal(text->tag, "!Base64")) : (Measure){};

                if (surely && found.written > USER_DATA_MAX)
                        check_tell(check,
                                text,
                                "%s: its user-data has %zu bytes before anything is put in; EC2 "
                                "takes %u: keep the bulk in S3 and fetch it",
                                machine.resource->name,
                                found.written,
                                USER_DATA_MAX);
                if (!surely && found.written <= USER_DATA_MAX && found.most > USER_DATA_MAX)
                        check_tell(check,
                                text,
                                "%s: its user-data can have %zu bytes with the longest values of "
                                "its parameters; EC2 takes %u: shorten their MaxLength",
                                machine.resource->name,
                                found.most,
                                USER_DATA_MAX);
        }
}

static void look_at_user_data(Check *check)
{
        tell_user_data(check, true);
}

static void look_at_longest_user_data(Check *check)
{
        tell_user_data(check, false);
}

/* Characters without blanks, as IAM counts them, of texts and names. */
static size_t count_policy(const YamlNode *node)
{
        size_t count = 0;

        for (size_t i = 0; node->kind == YAML_SCALAR && i < node->length; i++)
                count += !isspace((unsigned char)node->text[i]);
        for (size_t i = 0; i < node->count; i++) {
                if (node->kind == YAML_MAPPING)
                        count += node->keys[i]->length + 4; /* with quotes, colon, comma */
                count += count_policy(node->values[i]) + 2;
        }
        return count;
}

static void add_policy(Check *check, const YamlNode *node, void *userdata)
{
        (void)check;
        *(size_t *)userdata += count_policy(node);
}

static void look_at_role_policies(Check *check)
{
        for (const CfnResource *role = check_next(check, "AWS::IAM::Role", NULL); role;
                role = check_next(check, "AWS::IAM::Role", role)) {
                size_t count = 0;

                check_visit(
                        check, role->properties, "Policies/*/PolicyDocument", add_policy, &count);
                if (count > ROLE_POLICIES_MAX)
                        check_tell(check,
                                role->key,
                                "%s: its inline policies have about %zu characters; IAM takes %u: "
                                "use managed policies",
                                role->name,
                                count,
                                ROLE_POLICIES_MAX);
        }
}

const CheckRule check_limits_rules[] = {
        {"through-s3",
                CHECK_NOTE,
                "more than the 51,200 bytes that a request takes",
                QUOTAS,
                look_at_inline_size},
        {"description-size",
                CHECK_ERROR,
                "a description of more than 1,024 bytes (4,000 of a parameter)",
                QUOTAS,
                look_at_descriptions},
        {"mapping-size", CHECK_ERROR, "a mapping of more than 200 keys", QUOTAS, look_at_mappings},
        {"parameter-size",
                CHECK_ERROR,
                "a parameter's default of more than 4,096 bytes",
                QUOTAS,
                look_at_parameter_values},
        {"user-data-size",
                CHECK_ERROR,
                "user-data of more than 16,384 bytes",
                "EC2 User Guide, Run commands when you launch an EC2 instance with user data",
                look_at_user_data},
        {"user-data-may-grow",
                CHECK_WARNING,
                "user-data that can have more than 16,384 bytes once parameters are put in",
                "EC2 User Guide, Run commands when you launch an EC2 instance with user data",
                look_at_longest_user_data},
        {"role-policies-size",
                CHECK_ERROR,
                "inline policies of a role of more than 10,240 characters",
                "IAM User Guide, IAM and AWS STS quotas",
                look_at_role_policies},
        {},
};
