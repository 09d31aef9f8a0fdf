#include "rehearsal/policy.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

typedef struct Request {
        const char *action, *resource;
        const PolicyContext *context;
        size_t n_context;
} Request;

bool policy_matches(const char *pattern, const char *text, bool fold)
{
        const char *star = NULL, *retry = NULL;

        while (*text) {
                bool same = fold ? tolower((unsigned char)*pattern) == tolower((unsigned char)*text)
                                 : *pattern == *text;

                if (*pattern == '*') {
                        star = pattern++;
                        retry = text;
                } else if (*pattern && (*pattern == '?' || same)) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star + 1;
                        text = ++retry;
                } else {
                        return false;
                }
        }
        return pattern[strspn(pattern, "*")] == '\0';
}

/* `value` is a text or a list of them: does one of them match? */
static bool any_matches(const Json *value, const char *text, bool glob, bool fold)
{
        const char *one = json_text(value);

        if (one)
                return glob ? policy_matches(one, text, fold) : text_equal(one, text);
        for (size_t i = 0; i < json_count(value); i++) {
                one = json_text(json_element(value, i));
                if (one && (glob ? policy_matches(one, text, fold) : text_equal(one, text)))
                        return true;
        }
        return false;
}

static const char *find_value(const Request *request, const char *key)
{
        for (size_t i = 0; i < request->n_context; i++)
                if (text_equal_case(request->context[i].key, key))
                        return request->context[i].value;
        return NULL;
}

/* One operator over one key; *ret_known: it is one of those that are understood. */
static bool test(const Request *request,
        const char *
        operator,
        const char * key,
        const Json *wanted,
        bool *ret_known)
{
        const char *value = find_value(request, key);

        *ret_known = true;
        if (text_equal(operator, "Null"))
                return any_matches(wanted, value ? "false" : "true", false, false);
        if (text_equal(operator, "StringEquals") || text_equal(operator, "Bool"))
                return value && any_matches(wanted, value, false, false);
        if (text_equal(operator, "StringLike"))
                return value && any_matches(wanted, value, true, false);
        if (text_equal(operator, "StringNotEquals"))
                return !value || !any_matches(wanted, value, false, false);
        if (text_equal(operator, "StringNotLike"))
                return !value || !any_matches(wanted, value, true, false);
        *ret_known = false;
        return false;
}

static bool conditions_hold(const Request *request, const Json *statement, bool denies)
{
        const Json *condition = json_member(statement, "Condition"), *keys, *wanted;
        void *operators = NULL;
        const char *operator, * key;

        while (condition && json_next_member(condition, &operators, &operator, & keys)) {
                void *iterator = NULL;

                while (json_next_member(keys, &iterator, &key, &wanted)) {
                        bool known, holds = test(request, operator, key, wanted, &known);

                        if (!holds && (known || !denies))
                                return false;
                }
        }
        return true;
}

/* Element or NotElement; neither is no match. */
static bool element_matches(
        const Json *statement, const char *name, const char *negated, const char *text, bool fold)
{
        const Json *element = json_member(statement, name), *not = json_member(statement, negated);

        if (element)
                return any_matches(element, text, true, fold);
        return not &&!any_matches(not, text, true, fold);
}

static bool statement_applies(const Request *request, const Json *statement, bool denies)
{
        return element_matches(statement, "Action", "NotAction", request->action, true) &&
               element_matches(statement, "Resource", "NotResource", request->resource, false) &&
               conditions_hold(request, statement, denies);
}

static void judge(const Request *request, const Json *document, bool *allowed, bool *denied)
{
        const Json *statements = json_member(document, "Statement");
        bool single = json_is_object(statements);
        size_t count = single ? 1 : json_count(statements);

        for (size_t i = 0; i < count; i++) {
                const Json *statement = single ? statements : json_element(statements, i);
                bool denies = text_equal(json_text(json_member(statement, "Effect")), "Deny");

                if (!statement_applies(request, statement, denies))
                        continue;
                *denied |= denies;
                *allowed |= !denies;
        }
}

bool policy_allows(const PolicySet *policies,
        const char *action,
        const char *resource,
        const PolicyContext *context,
        size_t n_context)
{
        Request request = {action, resource, context, n_context};
        bool allowed = policies->everything, denied = false;

        for (size_t i = 0; i < policies->count; i++)
                judge(&request, policies->documents[i], &allowed, &denied);
        return allowed && !denied;
}
