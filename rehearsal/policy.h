/* What a principal may do: IAM's policies, evaluated.
 *
 * Allowed is what some statement allows and none denies. Statements have Effect, Action or
 * NotAction, Resource or NotResource with * and ?, and conditions over the context's keys:
 *
 *         StringEquals, StringEqualsIgnoreCase, StringLike, ArnEquals, ArnLike, IpAddress,
 *         each with its Not form; Bool; each with …IfExists; Null
 *
 * A condition of another kind is taken not to hold in an Allow and to hold in a Deny: what is not
 * understood allows nothing. In documents of version 2012-10-17 "${aws:userid}" in a resource or a
 * condition's value is the context's value, "${key, 'default'}" falls back, "${*}", "${?}" and
 * "${$}" are these characters; a variable without a value matches nothing.
 * Source: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements".
 */

#pragma once

#include "base/json.h"

#define POLICY_DOCUMENTS_MAX 16U
#define POLICY_PATTERN_MAX   4096U /* bytes of one pattern, its variables replaced */

/* A value of the request's context: "s3:prefix". */
typedef struct PolicyContext {
        const char *key;
        const char *value; /* NULL: the request has none */
} PolicyContext;

/* Documents are borrowed; a set of none allows nothing, unless `everything` is set: then only what
 * a document denies is denied. */
typedef struct PolicySet {
        const Json *documents[POLICY_DOCUMENTS_MAX];
        size_t count;
        bool everything;
} PolicySet;

bool policy_allows(const PolicySet *policies,
        const char *action,   /* "s3:GetObject"; letters' case does not count */
        const char *resource, /* "arn:aws:s3:::bucket/key" */
        const PolicyContext *context,
        size_t n_context);

/* Would IAM take the document as a role's own policy? -EBADMSG with "cannot use '<name>:
 * Statement[1]': …". */
int policy_check(const Json *document, const char *name, Error *ret_error);
