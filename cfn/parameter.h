/* Values of a template's parameters: given, by default, or made up, each checked against what the
 * template says of it.
 *
 * Source: AWS CloudFormation User Guide, "Parameters section", "Specify existing resources at
 * runtime with CloudFormation-supplied parameter types".
 */

#pragma once

#include "cfn/template.h"

#define CFN_PARAMETER_VALUE_MAX 4096U /* bytes */

typedef enum CfnParameterSource {
        CFN_PARAMETER_GIVEN,
        CFN_PARAMETER_DEFAULT,
        CFN_PARAMETER_MADE_UP,
} CfnParameterSource;

typedef struct CfnParameterValue {
        const CfnParameter *parameter; /* of the template */
        char *text;                    /* as given; owned, cleansed when freed; never NULL */
        char *resolved; /* what Ref gives; as `text`, but of an AWS::SSM::Parameter::Value what is
                           stored under that name: NULL where that is not known. Owned. */
        CfnParameterSource source;
} CfnParameterValue;

typedef struct CfnParameterSet {
        CfnParameterValue *values; /* one for each of the template's, in its order */
        size_t count;
} CfnParameterSet;

void cfn_parameter_set_done(CfnParameterSet *set);
DEFINE_CLEANUP_IN_PLACE(CfnParameterSet, cfn_parameter_set_done);

/* Makes up what only an account could give: the value of an AWS-specific parameter that has none (a
 * key pair), what lies behind a parameter of the Systems Manager, and a secret (NoEcho) without a
 * value. Told of each, with the value that was made up; NULL for a secret's. */
typedef struct CfnMadeUp {
        void (*told)(const CfnParameter *parameter, const char *value, void *userdata);
        void *userdata;
} CfnMadeUp;

/* `assignments`: "NAME=VALUE" each; `made_up` NULL: nothing is made up. -EINVAL: an assignment that
 * is none, a name that the template does not have (with the nearest one) or that is given twice, a
 * value that its constraints refuse (with ConstraintDescription where there is one; never a
 * secret's value), and, in one sentence, all that are missing. -EBADMSG: a default that its own
 * constraints refuse, a pattern that cannot be used. The template must outlive the set. */
int cfn_parameter_set_read(const CfnTemplate *template,
        const char *const *assignments,
        size_t n_assignments,
        const CfnMadeUp *made_up,
        CfnParameterSet *ret,
        Error *ret_error);

/* The value of that name; NULL: the template has no such parameter. */
const CfnParameterValue *cfn_parameter_set_get(const CfnParameterSet *set, const char *name);

/* A list in one text, "a,b": CommaDelimitedList, List<…>? */
bool cfn_parameter_is_list(const CfnParameter *parameter);

/* Is the type one that CloudFormation has? String, Number, List<Number>, CommaDelimitedList, and
 * AWS's own, alone, in List<…>, and in AWS::SSM::Parameter::Value<…>. */
bool cfn_parameter_type_is_known(const char *type);

/* Does `text` keep the parameter's constraints? -EINVAL with the cause ("expected …"). */
int cfn_parameter_check(const CfnParameter *parameter, const char *text, Error *ret_error);
