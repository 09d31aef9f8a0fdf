/* The types of resources that the project uses: their properties, their attributes, and what Ref
 * gives. Types that are not here are CloudFormation's business.
 *
 * Source: AWS CloudFormation Template Reference, the page of each type.
 */

#pragma once

#include "cfn/template.h"

typedef enum CfnKind {
        CFN_TEXT,
        CFN_INTEGER,
        CFN_BOOLEAN,
        CFN_OBJECT,  /* of `members`; NULL: of anything (a policy document) */
        CFN_OBJECTS, /* a list of those */
        CFN_TEXTS,   /* a list of strings */
        CFN_TAGS,    /* a list of {Key, Value} */
        CFN_ANY,     /* another service's business */
} CfnKind;

typedef struct CfnProperty CfnProperty;

struct CfnProperty {
        const char *name; /* NULL: the end of a table */
        CfnKind kind;
        bool required;
        const CfnProperty *members; /* of CFN_OBJECT and CFN_OBJECTS */
};

/* What Ref gives of a resource. */
typedef enum CfnRefKind {
        CFN_REF_NAME, /* its name, made of the stack's and its own if the template gives none */
        CFN_REF_ID,   /* an id of the service's making: i-…, sg-…, lt-… */
        CFN_REF_ARN,
        CFN_REF_URL, /* a wait condition handle: a presigned URL */
} CfnRefKind;

typedef struct CfnResourceType {
        const char *name; /* "AWS::S3::Bucket" */
        CfnRefKind ref;
        const char *id_prefix;         /* of CFN_REF_ID: "i-"; else NULL */
        const CfnProperty *properties; /* NULL-ended */
        const char *const *attributes; /* for Fn::GetAtt; NULL-ended */
} CfnResourceType;

/* The type of that name; NULL: it is not in the table. */
const CfnResourceType *cfn_resource_type(const char *name);

/* The nearest type in the table; NULL: none is near. */
const char *cfn_resource_nearest_type(const char *name);

bool cfn_resource_has_attribute(const CfnResourceType *type, const char *attribute);

/* Are the properties those of its type? Looks into both ways of a Fn::If, and passes over what
 * other functions will give. -EBADMSG: an unknown property (with the nearest one), one that is
 * missing, one of another kind. A type that is not in the table: 0. */
int cfn_resource_check(const CfnTemplate *template, const CfnResource *resource, Error *ret_error);
