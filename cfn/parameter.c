#include "cfn/parameter.h"

#include "base/text.h"
#include "cfn/pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SSM_VALUE "AWS::SSM::Parameter::Value<"

/* AWS's own types, and a value that looks like one of theirs. */
static const struct {
        const char *type, *made_up;
} own_types[] = {
        {"AWS::EC2::AvailabilityZone::Name", "us-east-1a"},
        {"AWS::EC2::Image::Id", "ami-0123456789abcdef0"},
        {"AWS::EC2::Instance::Id", "i-0123456789abcdef0"},
        {"AWS::EC2::KeyPair::KeyName", "made-up-key-pair"},
        {"AWS::EC2::SecurityGroup::GroupName", "made-up-group"},
        {"AWS::EC2::SecurityGroup::Id", "sg-0123456789abcdef0"},
        {"AWS::EC2::Subnet::Id", "subnet-0123456789abcdef0"},
        {"AWS::EC2::VPC::Id", "vpc-0123456789abcdef0"},
        {"AWS::EC2::Volume::Id", "vol-0123456789abcdef0"},
        {"AWS::Route53::HostedZone::Id", "Z0123456789ABCDEFGHIJ"},
        {"AWS::SSM::Parameter::Name", "/made-up/parameter"},
        {"AWS::SSM::Parameter::Value<String>", "made-up"},
};

static const char *const plain_types[] = {
        "String", "Number", "List<Number>", "CommaDelimitedList", NULL};

/* What stands between < and > of `type`, if it begins with `head`. */
static bool is_wrapped(const char *type, const char *head, char inner[128])
{
        size_t length = strlen(type), skipped = strlen(head);

        if (!text_starts(type, head) || !text_ends(type, ">") || length - skipped > 127)
                return false;
        memcpy(inner, type + skipped, length - skipped - 1);
        inner[length - skipped - 1] = '\0';
        return true;
}

/* A made-up value of one of AWS's own types (also within List<> and the Systems Manager's); NULL:
 * it is none. */
static const char *made_up_of(const char *type)
{
        char inner[128], element[128];

        for (size_t i = 0; i < ELEMENTS(own_types); i++)
                if (text_equal(own_types[i].type, type))
                        return own_types[i].made_up;
        if (is_wrapped(type, SSM_VALUE, inner))
                return text_equal(inner, "List<String>") || text_equal(inner, "CommaDelimitedList")
                               ? "made-up"
                               : made_up_of(inner);
        if (is_wrapped(type, "List<", element))
                return made_up_of(element);
        return NULL;
}

bool cfn_parameter_type_is_known(const char *type)
{
        for (size_t i = 0; plain_types[i]; i++)
                if (text_equal(plain_types[i], type))
                        return true;
        return made_up_of(type) != NULL;
}

bool cfn_parameter_is_list(const CfnParameter *parameter)
{
        return strstr(parameter->type, "List<") || strstr(parameter->type, "CommaDelimitedList");
}

static bool is_ssm(const CfnParameter *parameter)
{
        return text_starts(parameter->type, SSM_VALUE);
}

void cfn_parameter_set_done(CfnParameterSet *set)
{
        for (size_t i = 0; i < set->count; i++) {
                CfnParameterValue *value = &set->values[i];

                if (value->text)
                        explicit_bzero(value->text, strlen(value->text));
                if (value->resolved)
                        explicit_bzero(value->resolved, strlen(value->resolved));
                free(value->text);
                free(value->resolved);
        }
        free(set->values);
        *set = (CfnParameterSet){};
}

const CfnParameterValue *cfn_parameter_set_get(const CfnParameterSet *set, const char *name)
{
        for (size_t i = 0; i < set->count; i++)
                if (text_equal(set->values[i].parameter->name, name))
                        return &set->values[i];
        return NULL;
}

/* Characters of a UTF-8 text. */
static int64_t count_characters(const char *text)
{
        int64_t count = 0;

        for (; *text; text++)
                count += ((unsigned char)*text & 0xC0) != 0x80;
        return count;
}

static int check_number(const CfnParameter *parameter, const char *text, Error *ret_error)
{
        char *end = NULL;
        double number = strtod(text, &end);

        if (end == text || *end || !isfinite(number))
                return error_set(ret_error, -EINVAL, "expected a number");
        if (number < parameter->min_value)
                return error_set(ret_error, -EINVAL, "expected %g or more", parameter->min_value);
        if (number > parameter->max_value)
                return error_set(ret_error, -EINVAL, "expected %g or less", parameter->max_value);
        return 0;
}

static int check_length(const CfnParameter *parameter, const char *text, Error *ret_error)
{
        int64_t length = count_characters(text);

        if (length < parameter->min_length)
                return error_set(ret_error,
                        -EINVAL,
                        "expected %" PRId64 " characters or more",
                        parameter->min_length);
        if (length > parameter->max_length)
                return error_set(ret_error,
                        -EINVAL,
                        "expected %" PRId64 " characters or fewer",
                        parameter->max_length);
        return 0;
}

static int check_allowed(const CfnParameter *parameter, const char *text, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer known = BUFFER_INIT(ERROR_TEXT_MAX);

        for (size_t i = 0; i < parameter->allowed_values->count; i++) {
                const char *allowed = parameter->allowed_values->values[i]->text;

                if (text_equal(allowed, text))
                        return 0;
                (void)buffer_append_format(&known, "%s%.60s", i == 0 ? "" : ", ", allowed);
        }
        return error_set(ret_error, -EINVAL, "expected one of %s", buffer_text(&known));
}

static int check_pattern(const CfnParameter *parameter, const char *text, Error *ret_error)
{
        int r;

        r = cfn_pattern_match(parameter->allowed_pattern, text, ret_error);
        if (r == CFN_PATTERN_DIFFERS)
                return error_set(ret_error,
                        -EINVAL,
                        "expected a match of the pattern %.200s",
                        parameter->allowed_pattern);
        return r;
}

/* One value, or one of a list's. */
static int check_item(const CfnParameter *parameter, const char *text, Error *ret_error)
{
        int r = 0;

        if (strstr(parameter->type, "Number"))
                r = check_number(parameter, text, ret_error);
        if (r == 0)
                r = check_length(parameter, text, ret_error);
        if (r == 0 && parameter->allowed_values)
                r = check_allowed(parameter, text, ret_error);
        if (r == 0 && parameter->allowed_pattern)
                r = check_pattern(parameter, text, ret_error);
        if (r == 0 && text[0] == '\0' && !is_ssm(parameter) && made_up_of(parameter->type))
                r = error_set(ret_error, -EINVAL, "expected a value of type %s", parameter->type);
        return r;
}

int cfn_parameter_check(const CfnParameter *parameter, const char *text, Error *ret_error)
{
        _cleanup_(free) char *copy = NULL;
        char *item, *comma;
        int r = 0;

        if (strlen(text) > CFN_PARAMETER_VALUE_MAX)
                return error_set(
                        ret_error, -EINVAL, "expected at most %u bytes", CFN_PARAMETER_VALUE_MAX);
        if (!cfn_parameter_is_list(parameter) || is_ssm(parameter))
                return check_item(parameter, text, ret_error);

        copy = text_copy(text);
        if (!copy)
                return error_set(ret_error, -ENOMEM, "%m");
        for (item = copy; r == 0 && item; item = comma) {
                comma = strchr(item, ',');
                if (comma)
                        *comma++ = '\0';
                r = check_item(parameter, text_strip(item), ret_error);
        }
        return r;
}

typedef struct Reading {
        const CfnTemplate *template;
        const CfnMadeUp *made_up;
        CfnParameterSet *set;
        Error *ret_error;
} Reading;

static int out_of_memory(const Reading *reading)
{
        return error_set(reading->ret_error, -ENOMEM, "cannot read parameters: %m");
}

static int set_value(const Reading *reading,
        CfnParameterValue *value,
        const char *text,
        CfnParameterSource source)
{
        value->text = text_copy(text);
        value->source = source;
        return value->text ? 0 : out_of_memory(reading);
}

static int refuse_name(const Reading *reading, const char *name)
{
        const char *nearest = cfn_template_nearest(reading->template, CFN_PARAMETERS, name);

        return error_set(reading->ret_error,
                -EINVAL,
                "cannot set parameter '%.60s': '%s' has none of that name%s%s%s",
                name,
                yaml_name(reading->template->document),
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static int read_assignment(const Reading *reading, const char *assignment)
{
        const char *equal = strchr(assignment, '=');
        _cleanup_(free) char *name = NULL;
        CfnParameterValue *value;

        if (!equal || equal == assignment)
                return error_set(reading->ret_error,
                        -EINVAL,
                        "cannot set a parameter: expected NAME=VALUE%s%.60s",
                        equal ? "" : ", found ",
                        equal ? "" : assignment);
        name = text_copy_part(assignment, (size_t)(equal - assignment));
        if (!name)
                return out_of_memory(reading);

        value = (CfnParameterValue *)(uintptr_t)cfn_parameter_set_get(reading->set, name);
        if (!value)
                return refuse_name(reading, name);
        if (value->text)
                return error_set(reading->ret_error,
                        -EINVAL,
                        "cannot set parameter '%s': it is given twice",
                        name);
        return set_value(reading, value, equal + 1, CFN_PARAMETER_GIVEN);
}

/* A value of as many characters as are asked for, that a pattern of letters and digits takes. */
static int make_up_secret(const Reading *reading, CfnParameterValue *value)
{
        const CfnParameter *parameter = value->parameter;
        int64_t length = parameter->min_length > 16 ? parameter->min_length : 16;
        char text[129];

        if (length > parameter->max_length)
                length = parameter->max_length;
        if (length > (int64_t)sizeof(text) - 1)
                return 0;
        for (int64_t i = 0; i < length; i++)
                text[i] = "MADEUP"[i % 6];
        text[length] = '\0';
        if (cfn_parameter_check(parameter, text, NULL) < 0)
                return 0;
        if (reading->made_up->told)
                reading->made_up->told(parameter, NULL, reading->made_up->userdata);
        return set_value(reading, value, text, CFN_PARAMETER_MADE_UP);
}

/* Leaves a value that cannot be made up as it is: missing. */
static int make_up(const Reading *reading, CfnParameterValue *value)
{
        const CfnParameter *parameter = value->parameter;
        const char *text = made_up_of(parameter->type);

        if (is_ssm(parameter))
                return 0;
        if (text && cfn_parameter_check(parameter, text, NULL) == 0) {
                if (reading->made_up->told)
                        reading->made_up->told(parameter, text, reading->made_up->userdata);
                return set_value(reading, value, text, CFN_PARAMETER_MADE_UP);
        }
        return parameter->no_echo ? make_up_secret(reading, value) : 0;
}

/* Given, else by default, else made up; and what Ref will give. */
static int complete(const Reading *reading, CfnParameterValue *value)
{
        const CfnParameter *parameter = value->parameter;
        const char *behind = is_ssm(parameter) ? made_up_of(parameter->type) : NULL;
        int r = 0;

        if (!value->text && parameter->default_value)
                r = set_value(reading, value, parameter->default_value, CFN_PARAMETER_DEFAULT);
        if (r == 0 && !value->text && reading->made_up)
                r = make_up(reading, value);
        if (r < 0 || !value->text || (is_ssm(parameter) && !reading->made_up))
                return r;

        if (is_ssm(parameter) && behind && reading->made_up->told)
                reading->made_up->told(parameter, behind, reading->made_up->userdata);
        value->resolved = text_copy(is_ssm(parameter) ? behind : value->text);
        return value->resolved ? 0 : out_of_memory(reading);
}

static int check_value(const Reading *reading, const CfnParameterValue *value)
{
        const CfnParameter *parameter = value->parameter;
        bool shown = !parameter->no_echo && value->text;
        Error cause = ERROR_INIT;
        int r;

        if (!value->text)
                return 0;
        r = cfn_parameter_check(parameter, value->text, &cause);
        if (r == 0)
                return 0;
        if (r == -EINVAL && value->source == CFN_PARAMETER_GIVEN)
                return error_set(reading->ret_error,
                        -EINVAL,
                        "cannot set parameter '%s'%s%.60s%s: %s",
                        parameter->name,
                        shown ? " to '" : "",
                        shown ? value->text : "",
                        shown ? "'" : "",
                        parameter->constraint ? parameter->constraint : cause.text);
        return cfn_template_refuse(reading->template,
                CFN_FAULT_SHAPE,
                parameter->key,
                reading->ret_error,
                "the parameter '%s' %s: %s",
                parameter->name,
                r == -EINVAL ? "refuses its own default" : "cannot be checked",
                cause.text);
}

static int check_missing(const Reading *reading)
{
        _cleanup_(buffer_done) Buffer names = BUFFER_INIT(ERROR_TEXT_MAX / 2);
        size_t count = 0;

        for (size_t i = 0; i < reading->set->count; i++)
                if (!reading->set->values[i].text)
                        (void)buffer_append_format(&names,
                                "%s%s",
                                count++ > 0 ? ", " : "",
                                reading->set->values[i].parameter->name);
        if (count == 0)
                return 0;
        return error_set(reading->ret_error,
                -EINVAL,
                "cannot use '%s': the parameter%s %s need%s a value",
                yaml_name(reading->template->document),
                count > 1 ? "s" : "",
                buffer_text(&names),
                count > 1 ? "" : "s");
}

static int begin(const CfnTemplate *template, CfnParameterSet *set, Error *ret_error)
{
        set->values = calloc(template->n_parameters + 1, sizeof(*set->values));
        if (!set->values)
                return error_set(ret_error, -ENOMEM, "cannot read parameters: %m");
        for (size_t i = 0; i < template->n_parameters; i++) {
                const CfnParameter *parameter = &template->parameters[i];

                if (!cfn_parameter_type_is_known(parameter->type))
                        return cfn_template_refuse(template,
                                CFN_FAULT_SHAPE,
                                parameter->key,
                                ret_error,
                                "the parameter '%s' has an unknown type, '%.60s'",
                                parameter->name,
                                parameter->type);
                set->values[set->count++].parameter = parameter;
        }
        return 0;
}

int cfn_parameter_set_read(const CfnTemplate *template,
        const char *const *assignments,
        size_t n_assignments,
        const CfnMadeUp *made_up,
        CfnParameterSet *ret,
        Error *ret_error)
{
        _cleanup_(cfn_parameter_set_done) CfnParameterSet set = {};
        const Reading reading = {template, made_up, &set, ret_error};
        int r;

        r = begin(template, &set, ret_error);
        for (size_t i = 0; r == 0 && i < n_assignments; i++)
                r = read_assignment(&reading, assignments[i]);
        for (size_t i = 0; r == 0 && i < set.count; i++)
                r = complete(&reading, &set.values[i]);
        for (size_t i = 0; r == 0 && i < set.count; i++)
                r = check_value(&reading, &set.values[i]);
        if (r == 0)
                r = check_missing(&reading);
        if (r < 0)
                return r;

        *ret = set;
        set = (CfnParameterSet){};
        return 0;
}
