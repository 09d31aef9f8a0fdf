#include "rehearsal/policy.h"

#include "base/buffer.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANGUAGE_VERSION "2012-10-17" /* the one with variables */
#define VERSION_OLD      "2008-10-17" /* and what a document without one has */

/* In an expanded pattern the wildcards, so that a variable's own '*' is a letter like others. */
#define ANY_TEXT   '\001'
#define ANY_LETTER '\002'

typedef struct Request {
        const char *action, *resource;
        const PolicyContext *context;
        size_t n_context;
        bool variables; /* the document's version has them */
} Request;

/* --- texts --- */

static bool same_letter(char a, char b, bool fold)
{
        return fold ? tolower((unsigned char)a) == tolower((unsigned char)b) : a == b;
}

static bool pattern_matches(const char *pattern, const char *text, bool fold)
{
        const char *star = NULL, *retry = NULL;

        while (*text) {
                if (*pattern == ANY_TEXT) {
                        star = pattern++;
                        retry = text;
                } else if (*pattern &&
                           (*pattern == ANY_LETTER || same_letter(*pattern, *text, fold))) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star + 1;
                        text = ++retry;
                } else {
                        return false;
                }
        }
        while (*pattern == ANY_TEXT)
                pattern++;
        return *pattern == '\0';
}

static const char *find_value(const Request *request, const char *key)
{
        for (size_t i = 0; i < request->n_context; i++)
                if (text_equal_case(request->context[i].key, key))
                        return request->context[i].value;
        return NULL;
}

/* What stands between "${" and "}". False: it has no value. */
static bool append_variable(const Request *request, const char *name, size_t length, Buffer *ret)
{
        _cleanup_(free) char *copy = text_copy_part(name, length);
        const char *value;
        char *key = copy, *other;

        if (!copy)
                return false;
        if (text_equal(key, "*") || text_equal(key, "?") || text_equal(key, "$"))
                return buffer_append_text(ret, key) == 0;
        other = strchr(key, ',');
        if (other)
                *other++ = '\0';
        value = find_value(request, text_strip(key));
        if (!value && other) {
                other = text_strip(other);
                length = strlen(other);
                return length >= 2 && other[0] == '\'' && other[length - 1] == '\'' &&
                       buffer_append(ret, other + 1, length - 2) == 0;
        }
        return value && buffer_append_text(ret, value) == 0;
}

/* False: there is nothing that it could match. */
static bool expand(const Request *request, const char *pattern, bool glob, Buffer *ret)
{
        for (const char *at = pattern; *at; at++) {
                const char *end =
                        request->variables && text_starts(at, "${") ? strchr(at, '}') : NULL;
                char letter = *at;

                if (end) {
                        if (!append_variable(request, at + 2, (size_t)(end - at) - 2, ret))
                                return false;
                        at = end;
                        continue;
                }
                if (letter == ANY_TEXT || letter == ANY_LETTER)
                        return false;
                if (glob && (letter == '*' || letter == '?'))
                        letter = letter == '*' ? ANY_TEXT : ANY_LETTER;
                if (buffer_append(ret, &letter, 1) < 0)
                        return false;
        }
        return true;
}

static bool text_fits(
        const Request *request, const char *pattern, const char *text, bool glob, bool fold)
{
        _cleanup_(buffer_done) Buffer expanded = BUFFER_INIT(POLICY_PATTERN_MAX);

        return expand(request, pattern, glob, &expanded) &&
               pattern_matches(buffer_text(&expanded), text, fold);
}

/* "10.0.0.0/8", "::1": is the address in it? */
static bool address_fits(const char *range, const char *address)
{
        size_t length = strcspn(range, "/");
        _cleanup_(free) char *network = text_copy_part(range, length);
        uint8_t wanted[16], found[16];
        int family = strchr(address, ':') ? AF_INET6 : AF_INET;
        int64_t bits = family == AF_INET6 ? 128 : 32;

        if (!network || inet_pton(family, network, wanted) != 1 ||
                inet_pton(family, address, found) != 1 ||
                (range[length] && text_to_int64(range + length + 1, 0, bits, &bits) < 0))
                return false;
        for (int64_t bit = 0; bit < bits; bit++)
                if ((wanted[bit / 8] ^ found[bit / 8]) & (0x80 >> (bit % 8)))
                        return false;
        return true;
}

/* --- conditions --- */

typedef enum Kind { TEXT, TEXT_FOLDED, GLOB, ADDRESS, FLAG } Kind;

typedef struct Operator {
        const char *name;
        Kind kind;
        bool negated;
} Operator;

static const Operator operators[] = {
        {"StringEquals", TEXT, false},
        {"StringNotEquals", TEXT, true},
        {"StringEqualsIgnoreCase", TEXT_FOLDED, false},
        {"StringNotEqualsIgnoreCase", TEXT_FOLDED, true},
        {"StringLike", GLOB, false},
        {"StringNotLike", GLOB, true},
        {"ArnEquals", GLOB, false},
        {"ArnNotEquals", GLOB, true},
        {"ArnLike", GLOB, false},
        {"ArnNotLike", GLOB, true},
        {"IpAddress", ADDRESS, false},
        {"NotIpAddress", ADDRESS, true},
        {"Bool", FLAG, false},
};

/* *ret_if_exists: its name ends so. NULL: it is not understood. */
static const Operator *find_operator(const char *name, bool *ret_if_exists)
{
        size_t length = strlen(name);

        *ret_if_exists = text_ends(name, "IfExists");
        if (*ret_if_exists)
                length -= strlen("IfExists");
        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (strlen(operators[i].name) == length &&
                        strncmp(operators[i].name, name, length) == 0)
                        return &operators[i];
        return NULL;
}

static bool value_fits(
        const Request *request, const Operator *op, const char *wanted, const char *value)
{
        switch (op->kind) {
        case ADDRESS:
                return address_fits(wanted, value);
        case TEXT_FOLDED:
        case FLAG:
                return text_fits(request, wanted, value, false, true);
        case GLOB:
                return text_fits(request, wanted, value, true, false);
        case TEXT:
                break;
        }
        return text_fits(request, wanted, value, false, false);
}

/* The value at `key` of an object is one text, true, false, or a list of texts: the text at `index`
 * of them; NULL: no more. */
static const char *value_at(const Json *object, const char *key, size_t index)
{
        const Json *value = json_member(object, key);
        bool flag;

        if (json_is_array(value))
                return json_text(json_element(value, index));
        if (index > 0)
                return NULL;
        if (json_get_bool(object, "", key, &flag, NULL) == 0)
                return flag ? "true" : "false";
        return json_text(value);
}

static bool any_fits(const Request *request,
        const Operator *op,
        const Json *keys,
        const char *key,
        const char *value)
{
        const char *wanted;

        for (size_t i = 0; (wanted = value_at(keys, key, i)); i++)
                if (value_fits(request, op, wanted, value))
                        return true;
        return false;
}

/* One operator over one key of the context. */
static bool test(
        const Request *request, const char *name, const Json *keys, const char *key, bool denies)
{
        const char *value = find_value(request, key);
        bool if_exists;
        const Operator *op = find_operator(name, &if_exists);

        if (text_equal(name, "Null"))
                return text_equal_case(value_at(keys, key, 0), value ? "false" : "true");
        if (!op)
                return denies;
        if (!value)
                return if_exists || op->negated;
        return any_fits(request, op, keys, key, value) != op->negated;
}

static bool conditions_hold(const Request *request, const Json *statement, bool denies)
{
        const Json *condition = json_member(statement, "Condition"), *keys, *wanted;
        const char *name, *key;
        void *iterator = NULL;

        while (condition && json_next_member(condition, &iterator, &name, &keys)) {
                void *inner = NULL;

                while (json_next_member(keys, &inner, &key, &wanted))
                        if (!test(request, name, keys, key, denies))
                                return false;
        }
        return true;
}

/* --- statements --- */

static bool element_fits(const Request *request,
        const Json *statement,
        const char *name,
        const char *text,
        bool fold)
{
        const char *pattern;

        for (size_t i = 0; (pattern = value_at(statement, name, i)); i++)
                if (text_fits(request, pattern, text, true, fold))
                        return true;
        return false;
}

/* An element, or its negation; neither fits nothing. */
static bool either_fits(const Request *request,
        const Json *statement,
        const char *name,
        const char *negation,
        const char *text,
        bool fold)
{
        if (json_member(statement, name))
                return element_fits(request, statement, name, text, fold);
        return json_member(statement, negation) &&
               !element_fits(request, statement, negation, text, fold);
}

static void judge_statement(
        const Request *request, const Json *statement, bool *allowed, bool *denied)
{
        const char *effect = json_text(json_member(statement, "Effect"));
        bool denies = text_equal(effect, "Deny");

        if ((!denies && !text_equal(effect, "Allow")) ||
                !either_fits(request, statement, "Action", "NotAction", request->action, true) ||
                !either_fits(
                        request, statement, "Resource", "NotResource", request->resource, false) ||
                !conditions_hold(request, statement, denies))
                return;
        *denied |= denies;
        *allowed |= !denies;
}

static void judge(const Request *request, const Json *document, bool *allowed, bool *denied)
{
        const Json *statements = json_member(document, "Statement");

        if (json_is_object(statements))
                judge_statement(request, statements, allowed, denied);
        for (size_t i = 0; json_is_array(statements) && i < json_count(statements); i++)
                judge_statement(request, json_element(statements, i), allowed, denied);
}

bool policy_allows(const PolicySet *policies,
        const char *action,
        const char *resource,
        const PolicyContext *context,
        size_t n_context)
{
        bool allowed = policies->everything, denied = false;

        for (size_t i = 0; i < policies->count; i++) {
                const Json *document = policies->documents[i];
                const Request request = {
                        .action = action,
                        .resource = resource,
                        .context = context,
                        .n_context = n_context,
                        .variables = text_equal(
                                json_text(json_member(document, "Version")), LANGUAGE_VERSION),
                };

                judge(&request, document, &allowed, &denied);
        }
        return allowed && !denied;
}

/* --- what IAM refuses --- */

/* A text or a list of texts, of which there is at least one. */
static bool is_texts(const Json *object, const char *key)
{
        const Json *value = json_member(object, key);

        for (size_t i = 0; json_is_array(value) && i < json_count(value); i++)
                if (!json_is_string(json_element(value, i)))
                        return false;
        return value_at(object, key, 0) != NULL;
}

static int check_either(const Json *statement,
        const char *where,
        const char *name,
        const char *negation,
        Error *ret_error)
{
        const char *there = json_member(statement, name) ? name : negation;

        if (!json_member(statement, name) == !json_member(statement, negation))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': expected either %s or %s",
                        where,
                        name,
                        negation);
        if (!is_texts(statement, there))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': %s: expected a string or a list of them",
                        where,
                        there);
        return 0;
}

static int check_condition(const Json *condition, const char *where, Error *ret_error)
{
        const char *name, *key;
        const Json *keys, *value;
        void *iterator = NULL;

        while (json_next_member(condition, &iterator, &name, &keys)) {
                void *inner = NULL;
                bool if_exists;

                if (!text_equal(name, "Null") && !find_operator(name, &if_exists))
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot use '%s': the condition operator '%s' is not known",
                                where,
                                name);
                while (json_next_member(keys, &inner, &key, &value))
                        if (!is_texts(keys, key))
                                return error_set(ret_error,
                                        -EBADMSG,
                                        "cannot use '%s': %s of '%s': expected a string or a list "
                                        "of them",
                                        where,
                                        name,
                                        key);
        }
        return 0;
}

static int check_statement(const Json *statement, const char *where, Error *ret_error)
{
        static const char *const known[] = {"Sid",
                "Effect",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
                NULL};
        const Json *condition = json_member(statement, "Condition");
        const char *effect = json_text(json_member(statement, "Effect"));
        int r;

        if (!json_is_object(statement))
                return error_set(ret_error, -EBADMSG, "cannot use '%s': expected an object", where);
        r = json_check_keys(statement, where, known, ret_error);
        if (r < 0)
                return r;
        if (!text_equal(effect, "Allow") && !text_equal(effect, "Deny"))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': Effect: expected Allow or Deny",
                        where);
        if (condition && !json_is_object(condition))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': Condition: expected an object",
                        where);
        r = check_either(statement, where, "Action", "NotAction", ret_error);
        if (r == 0)
                r = check_either(statement, where, "Resource", "NotResource", ret_error);
        return r == 0 && condition ? check_condition(condition, where, ret_error) : r;
}

int policy_check(const Json *document, const char *name, Error *ret_error)
{
        const Json *statements = json_member(document, "Statement");
        const Json *version = json_member(document, "Version");
        int r = 0;

        if (version && !text_equal(json_text(version), LANGUAGE_VERSION) &&
                !text_equal(json_text(version), VERSION_OLD))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': Version: expected \"" LANGUAGE_VERSION "\"",
                        name);
        if (json_is_object(statements))
                return check_statement(statements, name, ret_error);
        if (!json_is_array(statements) || json_count(statements) == 0)
                return error_set(
                        ret_error, -EBADMSG, "cannot use '%s': Statement: expected a list", name);
        for (size_t i = 0; i < json_count(statements) && r == 0; i++) {
                _cleanup_(free) char *where = text_format("%s: Statement[%zu]", name, i);

                r = where ? check_statement(json_element(statements, i), where, ret_error)
                          : error_set(ret_error, -ENOMEM, "cannot use '%s': %m", name);
        }
        return r;
}
