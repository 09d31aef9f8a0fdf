/* The attributes of a template's entries, read into a struct by a table: what a section, a
 * parameter, a resource or an output may have besides. cfn/template.c's own.
 */

#pragma once

#include "cfn/template.h"

/* How an attribute is read, and into what. */
typedef enum CfnAttributeKind {
        CFN_ATTRIBUTE_NODE,    /* const YamlNode *: as it stands */
        CFN_ATTRIBUTE_TEXT,    /* const char *: a scalar's */
        CFN_ATTRIBUTE_NAME,    /* const YamlNode *: a scalar */
        CFN_ATTRIBUTE_NAMES,   /* const YamlNode *: a scalar, or a list of scalars */
        CFN_ATTRIBUTE_TEXTS,   /* const YamlNode *: a list of scalars */
        CFN_ATTRIBUTE_MAPPING, /* const YamlNode * */
        CFN_ATTRIBUTE_NUMBER,  /* double */
        CFN_ATTRIBUTE_LENGTH,  /* int64_t: 0 or more */
        CFN_ATTRIBUTE_BOOL,    /* bool */
        CFN_ATTRIBUTE_POLICY,  /* const char *: Delete, Retain, … */
        CFN_ATTRIBUTE_FOREIGN, /* const YamlNode *: needs what no template has */
        _CFN_ATTRIBUTE_KINDS,
} CfnAttributeKind;

typedef struct CfnAttribute {
        const char *key;
        CfnAttributeKind kind;
        size_t offset; /* in the struct that is filled */
        bool required;
} CfnAttribute;

/* Fills `place`; what is absent stays as it is. A fault (cfn_template_refuse) for what is no
 * object, for an unknown key (with the nearest known one), for another kind, and for what is
 * required and missing. */
int cfn_attribute_read_all(const CfnTemplate *template,
        const YamlNode *mapping,
        const CfnAttribute *attributes,
        size_t count,
        void *place,
        Error *ret_error);

/* One that must be an object: what stands there, or a fault under the name `key`. */
int cfn_attribute_read_object(const CfnTemplate *template,
        const char *key,
        const YamlNode *node,
        const YamlNode **ret,
        Error *ret_error);

/* A scalar that no short tag makes a function of. */
bool cfn_attribute_is_text(const YamlNode *node);
