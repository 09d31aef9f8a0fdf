/* Policies: their grammar, their actions, and what they give too much of. */

#include "template/check-policy.h"

#include "base/text.h"
#include "template/check-actions.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GRAMMAR  "IAM User Guide, Grammar of the IAM JSON policy language"
#define ACTIONS  "Service Authorization Reference, the service's page"
#define PRACTICE "IAM User Guide, Security best practices: least privilege"

#define ACTIONS_MAX 1024U

/* A statement's members, and which kinds of policy have them. */
static bool is_member(const CheckStatement *statement, const char *key)
{
        static const char *const members[] = {"Sid",
                "Effect",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
                "Principal",
                "NotPrincipal"};

        for (size_t i = 0; i < ELEMENTS(members); i++)
                if (text_equal(key, members[i]))
                        return statement->kind != CHECK_IDENTITY || !strstr(key, "Principal");
        return false;
}

static void look_at_members(Check *check, const CheckStatement *statement)
{
        for (size_t i = 0; i < statement->node->count; i++) {
                const YamlNode *key = statement->node->keys[i];

                if (!is_member(statement, key->text))
                        check_tell(check,
                                key,
                                "%s: a statement of this policy has no '%.40s'%s",
                                statement->resource->name,
                                key->text,
                                strstr(key->text, "Principal")
                                        ? ": whose policy it is, is who it is for"
                                        : "; expected Sid, Effect, Principal, Action, Resource "
                                          "or Condition");
        }
}

/* Of each pair one must be there. */
static void look_at_needed(Check *check, const CheckStatement *statement)
{
        const struct {
                const char *key, *other;
                bool needed;
        } pairs[] = {
                {"Effect", "Effect", true},
                {"Action", "NotAction", true},
                {"Resource", "NotResource", statement->kind != CHECK_TRUST},
                {"Principal", "NotPrincipal", statement->kind != CHECK_IDENTITY},
        };

        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                if (pairs[i].needed && !yaml_member(statement->node, pairs[i].key) &&
                        !yaml_member(statement->node, pairs[i].other))
                        check_tell(check,
                                statement->node,
                                "%s: a statement without %s; every one of this policy needs it",
                                statement->resource->name,
                                pairs[i].key);
}

static void look_at_statement(Check *check, const CheckStatement *statement, void *userdata)
{
        const YamlNode *effect = check_find(check, statement->node, "Effect");

        (void)userdata;
        look_at_members(check, statement);
        look_at_needed(check, statement);
        if (check_is_literal(effect) && !text_equal(effect->text, "Allow") &&
                !text_equal(effect->text, "Deny"))
                check_tell(check,
                        effect,
                        "%s: Effect: expected Allow or Deny, found '%.20s'",
                        statement->resource->name,
                        effect->text);
}

static void look_at_grammar(Check *check)
{
        check_policy_statements(check, look_at_statement, NULL);
}

static void look_at_version(Check *check, const CheckStatement *statement, void *userdata)
{
        const YamlNode *version = check_find(check, statement->document, "Version");

        (void)userdata;
        if (!version || check_find_text(check, version, "", "2008-10-17"))
                check_tell(check,
                        version ? version : statement->document,
                        "%s: a policy of version 2008-10-17, which takes ${aws:userid} and the "
                        "like for text; set Version: '2012-10-17'",
                        statement->resource->name);
        else if (check_is_literal(version) && !text_equal(version->text, "2012-10-17"))
                check_tell(check,
                        version,
                        "%s: Version: expected '2012-10-17', found '%.20s'",
                        statement->resource->name,
                        version->text);
}

static void look_at_versions(Check *check)
{
        check_policy_documents(check, look_at_version, NULL);
}

/* "service:Action", with * and ? in the action. */
static bool has_shape(const char *action)
{
        const char *colon = strchr(action, ':');

        if (text_equal(action, "*"))
                return true;
        if (!colon || colon == action || !colon[1])
                return false;
        for (const char *c = action; *c; c++)
                if (c != colon && !isalnum((unsigned char)*c) &&
                        !strchr(c < colon ? "-" : "*?", *c))
                        return false;
        return true;
}

/* Each action of a statement that is written out. */
typedef struct Visiting {
        const CheckStatement *statement;
        void (*look)(Check *check, const CheckStatement *statement, const YamlNode *action);
} Visiting;

static void visit_action(Check *check, const YamlNode *node, void *userdata)
{
        const Visiting *visiting = userdata;

        if (check_is_literal(node))
                visiting->look(check, visiting->statement, node);
}

static void visit_actions(Check *check, const CheckStatement *statement, void *userdata)
{
        Visiting visiting = *(const Visiting *)userdata;

        visiting.statement = statement;
        check_visit(check, statement->node, "Action/*", visit_action, &visiting);
        check_visit(check, statement->node, "NotAction/*", visit_action, &visiting);
}

static void look_at_shape(Check *check, const CheckStatement *statement, const YamlNode *action)
{
        if (!has_shape(action->text))
                check_tell(check,
                        action,
                        "%s: '%.60s' is no action; expected service:Action, like s3:GetObject",
                        statement->resource->name,
                        action->text);
}

static void look_at_shapes(Check *check)
{
        check_policy_statements(check, visit_actions, &(Visiting){.look = look_at_shape});
}

static const CheckService *find_service(const char *action)
{
        size_t length = strcspn(action, ":");

        for (const CheckService *service = check_services; service->name; service++)
                if (strlen(service->name) == length &&
                        strncasecmp(service->name, action, length) == 0)
                        return service;
        return NULL;
}

/* Does the name, of `length` bytes, match the pattern with * and ?; letters' case does not count.
 */
static bool matches(const char *pattern, const char *name, size_t length)
{
        const char *star = NULL, *end = name + length, *again = NULL;

        while (name < end) {
                if (*pattern == '*') {
                        star = ++pattern;
                        again = name;
                } else if (*pattern == '?' ||
                           tolower((unsigned char)*pattern) == tolower((unsigned char)*name)) {
                        pattern++;
                        name++;
                } else if (star) {
                        pattern = star;
                        name = ++again;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

static bool is_known(const CheckService *service, const char *pattern)
{
        for (const char *name = service->actions; *name;) {
                size_t length = strcspn(name, " ");

                if (matches(pattern, name, length))
                        return true;
                name += length + strspn(name + length, " ");
        }
        return false;
}

static void tell_unknown(Check *check,
        const CheckStatement *statement,
        const YamlNode *action,
        const CheckService *service)
{
        _cleanup_(free) char *names = text_copy(service->actions);
        const char *known[ACTIONS_MAX + 1] = {};
        const char *nearest;
        size_t count = 0;

        if (!names) {
                check->failure = -ENOMEM;
                return;
        }
        for (char *rest = names, *name; count < ACTIONS_MAX && (name = strsep(&rest, " "));)
                known[count++] = name;
        nearest = text_nearest(strchr(action->text, ':') + 1, known);
        check_tell(check,
                action,
                "%s: %s has no action '%.60s', so that the statement gives nothing%s%s%s%s%s",
                statement->resource->name,
                service->name,
                action->text,
                nearest ? " (did you mean '" : "",
                nearest ? service->name : "",
                nearest ? ":" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static void look_at_name(Check *check, const CheckStatement *statement, const YamlNode *action)
{
        const CheckService *service = has_shape(action->text) ? find_service(action->text) : NULL;

        if (service && !is_known(service, strchr(action->text, ':') + 1))
                tell_unknown(check, statement, action, service);
}

static void look_at_names(Check *check)
{
        check_policy_statements(check, visit_actions, &(Visiting){.look = look_at_name});
}

/* All actions of a service, or of all. In a key's policy that is what its administrators have. */
static void look_at_wildcard(Check *check, const CheckStatement *statement, const YamlNode *action)
{
        if (statement->allows && statement->kind != CHECK_KEY && text_ends(action->text, "*") &&
                (text_equal(action->text, "*") || text_ends(action->text, ":*")))
                check_tell(check,
                        action,
                        "%s: '%.60s' allows everything%s; name the actions that are needed",
                        statement->resource->name,
                        action->text,
                        text_equal(action->text, "*") ? "" : " of a service");
}

static void look_at_wildcards(Check *check)
{
        check_policy_statements(check, visit_actions, &(Visiting){.look = look_at_wildcard});
}

/* Actions that take no resource: "*" is all that can be said. */
static void note_bounded(Check *check, const YamlNode *node, void *userdata)
{
        static const char *const unbounded[] = {"ec2:Describe*",
                "ec2:Get*",
                "s3:ListAllMyBuckets",
                "sts:GetCallerIdentity",
                "ecr:GetAuthorizationToken",
                "cloudwatch:*",
                "autoscaling:Describe*",
                "elasticloadbalancing:Describe*",
                "iam:List*",
                "kms:List*",
                "logs:Describe*",
                "ssmmessages:*",
                "ec2messages:*",
                "ssm:UpdateInstanceInformation",
                "ssm:Describe*",
                "ssm:List*",
                "tag:*",
                "xray:*",
                "pricing:*",
                "cloudformation:List*",
                "cloudformation:Describe*"};

        if (!check_is_literal(node))
                return;
        for (size_t i = 0; i < ELEMENTS(unbounded); i++)
                if (matches(unbounded[i], node->text, node->length))
                        return;
        (void)check;
        *(bool *)userdata = true;
}

static void look_at_resource(Check *check, const CheckStatement *statement, void *userdata)
{
        const YamlNode *star = check_find_text(check, statement->node, "Resource/*", "*");
        bool bounded = false;

        (void)userdata;
        if (!star || !statement->allows || statement->kind == CHECK_KEY ||
                check_find(check, statement->node, "Condition"))
                return;
        check_visit(check, statement->node, "Action/*", note_bounded, &bounded);
        if (bounded)
                check_tell(check,
                        star,
                        "%s: the statement allows its actions on everything in the account; name "
                        "the resources",
                        statement->resource->name);
}

static void look_at_resources(Check *check)
{
        check_policy_statements(check, look_at_resource, NULL);
}

static void look_at_principal(Check *check, const CheckStatement *statement, void *userdata)
{
        const YamlNode *everyone = check_find_text(check, statement->node, "Principal", "*");

        (void)userdata;
        if (!everyone)
                everyone = check_find_text(check, statement->node, "Principal/AWS/*", "*");
        if (everyone && statement->allows && !check_find(check, statement->node, "Condition"))
                check_tell(check,
                        everyone,
                        "%s: everyone, of every account, may do this; name the principals, or "
                        "add a Condition",
                        statement->resource->name);
}

static void look_at_principals(Check *check)
{
        check_policy_statements(check, look_at_principal, NULL);
}

/* "All but": what is new tomorrow is allowed, too. */
static void look_at_exception(Check *check, const CheckStatement *statement, void *userdata)
{
        static const char *const keys[] = {"NotAction", "NotResource", "NotPrincipal"};

        (void)userdata;
        for (size_t i = 0; statement->allows && i < ELEMENTS(keys); i++)
                if (yaml_member(statement->node, keys[i]))
                        check_tell(check,
                                yaml_member(statement->node, keys[i]),
                                "%s: Allow with %s gives everything else, also what does not exist "
                                "yet; say what is allowed by %s",
                                statement->resource->name,
                                keys[i],
                                keys[i] + strlen("Not"));
}

static void look_at_exceptions(Check *check)
{
        check_policy_statements(check, look_at_exception, NULL);
}

const CheckRule check_iam_rules[] = {
        {"policy-grammar",
                CHECK_ERROR,
                "a statement with a member that it cannot have, or without one that it needs",
                GRAMMAR,
                look_at_grammar},
        {"policy-version",
                CHECK_WARNING,
                "a policy that is not of version 2012-10-17",
                GRAMMAR,
                look_at_versions},
        {"action-shape",
                CHECK_ERROR,
                "an action that is not of the form service:Action",
                GRAMMAR,
                look_at_shapes},
        {"unknown-action",
                CHECK_WARNING,
                "an action that its service does not have",
                ACTIONS,
                look_at_names},
        {"all-actions",
                CHECK_WARNING,
                "a statement that allows all of a service's actions",
                PRACTICE,
                look_at_wildcards},
        {"all-resources",
                CHECK_WARNING,
                "a statement that allows actions on everything, though they take a resource",
                PRACTICE,
                look_at_resources},
        {"all-but",
                CHECK_WARNING,
                "Allow with NotAction, NotResource or NotPrincipal",
                PRACTICE,
                look_at_exceptions},
        {"for-everyone",
                CHECK_WARNING,
                "a statement that allows something to everyone",
                PRACTICE,
                look_at_principals},
        {},
};
