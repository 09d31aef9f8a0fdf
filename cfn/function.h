/* Intrinsic functions evaluated: a piece of a template becomes the value that a service would get.
 *
 * Scalars: what is quoted is a string; without quotes true and false are booleans, whole numbers
 * numbers, and all else (1.5, 2012-10-17) strings. A parameter's value is a string, or a list of
 * strings.
 *
 * Source: AWS CloudFormation User Guide, "Intrinsic function reference", "Pseudo parameters
 * reference".
 */

#pragma once

#include "base/json.h"
#include "cfn/parameter.h"

#define CFN_FUNCTION_TEXT_MAX                                              \
        (4U * 1024U * 1024U) /* bytes of text that one evaluation may make \
                              */

/* What a resource is by its Ref (`attribute` NULL) or one of its attributes; -ENOENT with a cause
 * if it has none such. Asked only for resources whose condition holds. */
typedef int (*CfnRefer)(const CfnResource *resource,
        const char *attribute,
        void *userdata,
        Json **ret,
        Error *ret_error);

typedef struct CfnContext {
        const CfnTemplate *template;
        const CfnParameterSet *parameters;
        const char *region, *account, *partition, *url_suffix, *stack_name, *stack_id; /* never
                                                                                          NULL */
        CfnRefer refer; /* NULL: no resource exists yet */
        void *userdata;
} CfnContext;

typedef enum CfnFunctionOutcome {
        CFN_FUNCTION_VALUE = 0,
        CFN_FUNCTION_NO_VALUE = 1, /* AWS::NoValue: as if it had not been written */
} CfnFunctionOutcome;

/* Evaluates `node`. Members of objects and elements of lists that are AWS::NoValue are left out.
 * Fn::GetAZs gives the letters a, b and c of the region. -EBADMSG with place and cause: a reference
 * to what is not there (with the nearest name), or to a resource whose condition does not hold; an
 * index out of range, a key that a mapping lacks, a list where a string is due, null; -EFBIG over
 * CFN_FUNCTION_TEXT_MAX; -ENOMEM. */
int cfn_function_evaluate(
        const CfnContext *context, const YamlNode *node, Json **ret, Error *ret_error);

/* Does the condition hold? Conditions may refer to parameters alone. -EBADMSG: there is none of
 * that name, or it is none. */
int cfn_function_condition(
        const CfnContext *context, const char *name, bool *ret, Error *ret_error);

/* Does what has this condition (a node with its name, as of CfnResource and CfnOutput; NULL: none)
 * exist? As above. */
int cfn_function_exists(
        const CfnContext *context, const YamlNode *condition, bool *ret, Error *ret_error);

/* Is it a pseudo parameter's name ("AWS::Region")? */
bool cfn_function_is_pseudo(const char *name);
const char *cfn_function_nearest_pseudo(const char *name); /* NULL: none is near */
