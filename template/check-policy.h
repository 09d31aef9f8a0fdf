/* Where policies stand in a template, and their statements. */

#pragma once

#include "template/check-parts.h"

typedef enum CheckPolicyKind {
        CHECK_IDENTITY, /* of a role, a user, a group: what they may do */
        CHECK_TRUST,    /* of a role: who may take it */
        CHECK_BUCKET,   /* of a bucket, a queue, a topic, a secret: who may do what with it */
        CHECK_KEY,      /* of a KMS key: the resource "*" is the key */
} CheckPolicyKind;

typedef struct CheckStatement {
        const CfnResource *resource; /* that has the policy */
        CheckPolicyKind kind;
        const YamlNode *document; /* a mapping */
        const YamlNode *node;     /* the statement: a mapping */
        bool allows;              /* its Effect is not Deny */
} CheckStatement;

typedef void (*CheckLook)(Check *check, const CheckStatement *statement, void *userdata);

/* Visits each document (statement->node is NULL then), or each statement. */
void check_policy_documents(Check *check, CheckLook look, void *userdata);
void check_policy_statements(Check *check, CheckLook look, void *userdata);

/* The same of one resource's alone. */
void check_policy_statements_of(
        Check *check, const CfnResource *resource, CheckLook look, void *userdata);
