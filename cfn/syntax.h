/* What in a template's tree is an intrinsic function: {"Fn::Join": [",", […]]}, or !Join [",", […]]
 * in YAML. A call is recognised with its arguments' shape checked, so that who handles one need
 * not; and a walk finds all that a piece of a template refers to.
 *
 * Source: AWS CloudFormation User Guide, "Intrinsic function reference".
 */

#pragma once

#include "cfn/template.h"

typedef enum CfnFunction {
        CFN_REF,     /* a name: a scalar */
        CFN_GET_ATT, /* "Name.Attribute", or [name, attribute] */
        CFN_SUB,     /* "text ${Name} ${Name.Attribute} ${!literal}", or [that, {name: value}] */
        CFN_JOIN,    /* [delimiter, list] */
        CFN_SELECT,  /* [index, list] */
        CFN_SPLIT,   /* [delimiter, text] */
        CFN_FIND_IN_MAP, /* [mapping, top key, second key] */
        CFN_BASE64,      /* text */
        CFN_GET_AZS,     /* a region, "" for the stack's */
        CFN_CIDR,        /* [IPv4 block, count, bits of each] */
        CFN_IF,          /* [condition, if true, if false] */
        CFN_EQUALS,      /* [a, b]; this and what follows stand only in conditions */
        CFN_AND,         /* [two to ten conditions] */
        CFN_OR,          /* likewise */
        CFN_NOT,         /* [condition] */
        CFN_CONDITION,   /* the name of another condition: a scalar */
        _CFN_FUNCTIONS,
} CfnFunction;

const char *cfn_syntax_name(CfnFunction function); /* "Fn::Join", "Ref" */

typedef struct CfnCall {
        CfnFunction function;
        const YamlNode *node;     /* where it stands */
        const YamlNode *argument; /* shaped as above; the same as `node` if it was a short tag */
        bool tagged;              /* by a short tag: the argument's own tag is the call's */
} CfnCall;

/* Where a node stands. */
typedef enum CfnPlace {
        CFN_IN_VALUE,     /* properties, outputs, a function's arguments */
        CFN_IN_CONDITION, /* the section Conditions, and what compares there */
} CfnPlace;

typedef enum CfnSyntaxOutcome {
        CFN_SYNTAX_CALL = 0,
        CFN_SYNTAX_PLAIN = 1, /* no function: a scalar, a list, an object */
        CFN_SYNTAX_TOLD = 2,  /* one that is refused, told to the template's collector: what stands
                                 below can be looked at as if it were plain */
} CfnSyntaxOutcome;

/* -EBADMSG with the sentence: an unknown function or short tag (with the nearest known one), one
 * that cannot be done here (each with its reason: Fn::ImportValue needs other stacks), one that
 * does not stand alone in its object, arguments of another shape, a comparison outside of a
 * condition. A tag of the node is passed over if `tag_is_done`: it was that of the call whose
 * argument it is. */
int cfn_syntax_call(const CfnTemplate *template,
        const YamlNode *node,
        CfnPlace place,
        bool tag_is_done,
        CfnCall *ret,
        Error *ret_error);

/* A part of a Fn::Sub's text. */
typedef enum CfnSubKind {
        CFN_SUB_TEXT, /* as it stands; "${!x}" gives "${", "x}" */
        CFN_SUB_NAME, /* what was between ${ and } */
} CfnSubKind;

typedef struct CfnSubPart {
        CfnSubKind kind;
        const char *start; /* in the text */
        size_t length;
} CfnSubPart;

/* The part at *place, which is moved behind it. False at the end. -EBADMSG for "${" without its
 * end, or with nothing a name could be in it. 1: a part; 0: the end. */
int cfn_syntax_sub_next(const CfnTemplate *template,
        const YamlNode *text,
        const char **place,
        CfnSubPart *ret,
        Error *ret_error);

/* What refers to what. */
typedef enum CfnReferenceKind {
        CFN_TO_NAME,      /* Ref, or ${Name}: a parameter, a resource, a pseudo parameter */
        CFN_TO_ATTRIBUTE, /* Fn::GetAtt, or ${Name.Attribute}: of a resource */
        CFN_TO_CONDITION, /* Fn::If, Condition */
        CFN_TO_MAPPING,   /* Fn::FindInMap, where the mapping's name is written out */
} CfnReferenceKind;

typedef struct CfnReference {
        CfnReferenceKind kind;
        const char *name;      /* valid during the visit */
        const char *attribute; /* of CFN_TO_ATTRIBUTE; NULL where a function makes it */
        const YamlNode *node;  /* where it stands */
        bool chosen;           /* in one of the ways of a Fn::If */
} CfnReference;

typedef int (*CfnVisit)(const CfnReference *reference, void *userdata, Error *ret_error);

/* Visits every reference below `node`, both ways of a Fn::If; also tells whether all functions are
 * well-formed. -EBADMSG; -ENOMEM; what `visit` returns if it is negative, which ends the walk. */
int cfn_syntax_walk(const CfnTemplate *template,
        const YamlNode *node,
        CfnPlace place,
        CfnVisit visit,
        void *userdata,
        Error *ret_error);
