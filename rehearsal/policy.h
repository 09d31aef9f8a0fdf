/* What a principal may do: IAM's policies, evaluated.
 *
 * Allowed is what some statement allows and none denies. Statements have Effect, Action or
 * NotAction, Resource or NotResource with * and ?, and conditions StringEquals, StringNotEquals,
 * StringLike, StringNotLike, Bool and Null over the context's keys; a condition of another kind is
 * taken not to hold in an Allow and to hold in a Deny: what is not understood allows nothing.
 * Source: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements".
 */

#pragma once

#include "base/json.h"

#define POLICY_DOCUMENTS_MAX 16U

/* A value of the request's context: "s3:prefix". */
typedef struct PolicyContext {
        const char *key;
        const char *value; /* NULL: the request has none */
} PolicyContext;

/* Documents are borrowed; none at all (NULL) is no principal of policies: everything is allowed. */
typedef struct PolicySet {
        const Json *documents[POLICY_DOCUMENTS_MAX];
        size_t count;
        bool everything;
} PolicySet;

bool policy_allows(const PolicySet *policies,
        const char *action,   /* "s3:GetObject" */
        const char *resource, /* "arn:aws:s3:::bucket/key" */
        const PolicyContext *context,
        size_t n_context);

/* Glob with * and ?; letters' case ignored where `fold`. */
bool policy_matches(const char *pattern, const char *text, bool fold);
