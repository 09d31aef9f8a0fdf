#include "base/text.h"
#include "rehearsal/policy.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#define OBJECT "arn:aws:s3:::store/docker/ca.pem"

/* Statements are written with ' for ". */
static Json *parse(const char *text)
{
        _cleanup_(free) char *copy = text_copy(text);
        Error error = ERROR_INIT;
        Json *json = NULL;

        for (char *c = copy; *c; c++)
                *c = *c == '\'' ? '"' : *c;
        if (json_parse("policy", copy, strlen(copy), &json, &error) < 0)
                fail_msg("%s", error.text);
        return json;
}

static Json *parse_statements(const char *version, const char *statements)
{
        _cleanup_(free) char *text =
                text_format("{'Version':'%s','Statement':[%s]}", version, statements);

        return parse(text);
}

static bool allows(const char *statements,
        const char *action,
        const char *resource,
        const PolicyContext *context,
        size_t n_context)
{
        _cleanup_(json_free) Json *document = parse_statements("2012-10-17", statements);

        return policy_allows(&(PolicySet){.documents = {document}, .count = 1},
                action,
                resource,
                context,
                n_context);
}

static void actions_and_resources_are_matched(void **state)
{
        static const struct {
                const char *statement, *action, *resource;
                bool allowed;
        } cases[] = {
                {"{'Effect':'Allow','Action':'s3:GetObject','Resource':'*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                {"{'Effect':'Allow','Action':'S3:getobject','Resource':'*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                {"{'Effect':'Allow','Action':'s3:Get*','Resource':'*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                {"{'Effect':'Allow','Action':'s3:Get*','Resource':'*'}",
                        "s3:PutObject",
                        OBJECT,
                        false},
                {"{'Effect':'Allow','Action':['s3:List*','s3:GetObjec?'],'Resource':'*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                {"{'Effect':'Allow','Action':'s3:GetObjec?','Resource':'*'}",
                        "s3:GetObjec",
                        OBJECT,
                        false},
                {"{'Effect':'Allow','NotAction':'s3:Delete*','Resource':'*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                {"{'Effect':'Allow','NotAction':'s3:Delete*','Resource':'*'}",
                        "s3:DeleteObject",
                        OBJECT,
                        false},
                {"{'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:::store/docker/*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                {"{'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:::store/Docker/*'}",
                        "s3:GetObject",
                        OBJECT,
                        false},
                {"{'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:::store'}",
                        "s3:GetObject",
                        OBJECT,
                        false},
                {"{'Effect':'Allow','Action':'s3:*','Resource':'arn:aws:s3:::*/n*/*.key'}",
                        "s3:GetObject",
                        "arn:aws:s3:::store/flocker/nodes/1/node.key",
                        true},
                {"{'Effect':'Allow','Action':'s3:*','NotResource':'arn:aws:s3:::store/docker/*'}",
                        "s3:GetObject",
                        OBJECT,
                        false},
                {"{'Effect':'Allow','Action':'s3:*','NotResource':'arn:aws:s3:::other/*'}",
                        "s3:GetObject",
                        OBJECT,
                        true},
                /* What is not whole allows nothing. */
                {"{'Effect':'Allow','Action':'s3:*'}", "s3:GetObject", OBJECT, false},
                {"{'Effect':'Allow','Resource':'*'}", "s3:GetObject", OBJECT, false},
                {"{'Action':'*','Resource':'*'}", "s3:GetObject", OBJECT, false},
                {"{'Effect':'allow','Action':'*','Resource':'*'}", "s3:GetObject", OBJECT, false},
                {"{'Effect':'Allow','Action':7,'Resource':'*'}", "s3:GetObject", OBJECT, false},
                {"{'Effect':'Allow','Action':[],'Resource':'*'}", "s3:GetObject", OBJECT, false},
                {"'Allow'", "s3:GetObject", OBJECT, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (allows(cases[i].statement, cases[i].action, cases[i].resource, NULL, 0) !=
                        cases[i].allowed)
                        fail_msg("%s on %s: expected %s by %s",
                                cases[i].action,
                                cases[i].resource,
                                cases[i].allowed ? "allowed" : "denied",
                                cases[i].statement);
}

static void conditions_look_at_the_context(void **state)
{
        static const PolicyContext context[] = {
                {"s3:prefix", "status/i-0123"},
                {"aws:SecureTransport", "true"},
                {"aws:SourceIp", "10.1.2.3"},
                {"aws:userid", "AROA1234:i-0123"},
                {"aws:username", "*"},
                {"s3:delimiter", NULL},
        };
        static const struct {
                const char *condition;
                bool holds;
        } cases[] = {
                {"{}", true},
                {"{'StringEquals':{'s3:prefix':'status/i-0123'}}", true},
                {"{'StringEquals':{'S3:PREFIX':'status/i-0123'}}", true},
                {"{'StringEquals':{'s3:prefix':'Status/i-0123'}}", false},
                {"{'StringEqualsIgnoreCase':{'s3:prefix':'Status/I-0123'}}", true},
                {"{'StringNotEqualsIgnoreCase':{'s3:prefix':'Status/I-0123'}}", false},
                {"{'StringEquals':{'s3:prefix':'status/*'}}", false},
                {"{'StringEquals':{'s3:prefix':['a','status/i-0123']}}", true},
                {"{'StringNotEquals':{'s3:prefix':['a','status/i-0123']}}", false},
                {"{'StringNotEquals':{'s3:prefix':['a','b']}}", true},
                {"{'StringLike':{'s3:prefix':'status/*'}}", true},
                {"{'StringLike':{'s3:prefix':'docker/*'}}", false},
                {"{'StringNotLike':{'s3:prefix':'status/*'}}", false},
                {"{'StringLike':{'s3:prefix':['docker/*','?tatus/*']}}", true},
                /* All of them must hold. */
                {"{'StringLike':{'s3:prefix':'status/*','aws:userid':'x'}}", false},
                {"{'StringLike':{'s3:prefix':'status/*'},'Bool':{'aws:SecureTransport':'true'}}",
                        true},
                {"{'StringLike':{'s3:prefix':'status/*'},'Bool':{'aws:SecureTransport':'false'}}",
                        false},
                {"{'Bool':{'aws:SecureTransport':true}}", true},
                {"{'Bool':{'aws:SecureTransport':false}}", false},
                {"{'Bool':{'aws:SecureTransport':'True'}}", true},
                /* Keys that the request does not have. */
                {"{'StringEquals':{'s3:delimiter':''}}", false},
                {"{'StringNotEquals':{'s3:delimiter':'/'}}", true},
                {"{'StringEqualsIfExists':{'s3:delimiter':'/'}}", true},
                {"{'StringEqualsIfExists':{'s3:prefix':'/'}}", false},
                {"{'Bool':{'aws:MultiFactorAuthPresent':'false'}}", false},
                {"{'BoolIfExists':{'aws:MultiFactorAuthPresent':'true'}}", true},
                {"{'Null':{'s3:delimiter':'true'}}", true},
                {"{'Null':{'s3:delimiter':'false'}}", false},
                {"{'Null':{'s3:prefix':'true'}}", false},
                {"{'Null':{'s3:prefix':false}}", true},
                {"{'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}}", true},
                {"{'IpAddress':{'aws:SourceIp':'10.1.2.0/31'}}", false},
                {"{'IpAddress':{'aws:SourceIp':'10.1.2.2/31'}}", true},
                {"{'IpAddress':{'aws:SourceIp':['192.168.0.0/16','10.1.2.3']}}", true},
                {"{'IpAddress':{'aws:SourceIp':'10.1.2.3/33'}}", false},
                {"{'IpAddress':{'aws:SourceIp':'::/0'}}", false},
                {"{'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}}", false},
                {"{'NotIpAddress':{'aws:SourceIp':'11.0.0.0/8'}}", true},
                {"{'StringLike':{'s3:prefix':'status/${aws:userid}'}}", false},
                {"{'StringLike':{'aws:userid':'*:i-0123'}}", true},
                /* A variable's value is no pattern; one without a value matches nothing. */
                {"{'StringLike':{'s3:prefix':'${aws:username}'}}", false},
                {"{'StringLike':{'aws:username':'${*}'}}", true},
                {"{'StringLike':{'s3:prefix':'${*}'}}", false},
                {"{'StringLike':{'s3:prefix':'${s3:delimiter}*'}}", false},
                {"{'NumericLessThan':{'s3:max-keys':'10'}}", false},
                {"{'ForAnyValue:StringEquals':{'s3:prefix':'status/i-0123'}}", false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(free) char *statement =
                        text_format("{'Effect':'Allow','Action':'*','Resource':'*','Condition':%s}",
                                cases[i].condition);

                if (allows(statement, "s3:ListBucket", "arn:aws:s3:::store", context, 6) !=
                        cases[i].holds)
                        fail_msg("expected %s: %s",
                                cases[i].holds ? "to hold" : "not to hold",
                                cases[i].condition);
        }
}

static void a_denial_wins(void **state)
{
        static const char all[] = "{'Effect':'Allow','Action':'*','Resource':'*'}";
        static const char no_keys[] = "{'Effect':'Deny','Action':'s3:Get*','Resource':'*.key'}";
        static const char unknown[] = "{'Effect':'Deny','Action':'*','Resource':'*',"
                                      "'Condition':{'DateLessThan':{'aws:CurrentTime':'2026'}}}";
        _cleanup_(free) char *both = text_format("%s,%s", no_keys, all);
        _cleanup_(free) char *odd = text_format("%s,%s", all, unknown);
        _cleanup_(json_free) Json *first = parse_statements("2012-10-17", all);
        _cleanup_(json_free) Json *second = parse_statements("2012-10-17", no_keys);
        const PolicySet apart = {.documents = {first, second}, .count = 2};

        (void)state;
        assert_true(allows(both, "s3:GetObject", "arn:aws:s3:::b/a.pem", NULL, 0));
        assert_false(allows(both, "s3:GetObject", "arn:aws:s3:::b/a.key", NULL, 0));
        assert_true(allows(both, "s3:PutObject", "arn:aws:s3:::b/a.key", NULL, 0));
        assert_false(policy_allows(&apart, "s3:GetObject", "arn:aws:s3:::b/a.key", NULL, 0));
        assert_true(policy_allows(&apart, "s3:GetObject", "arn:aws:s3:::b/a.pem", NULL, 0));
        /* A denial that is not understood denies. */
        assert_false(allows(odd, "s3:GetObject", "arn:aws:s3:::b/a.pem", NULL, 0));
}

static void without_documents_nothing_or_everything(void **state)
{
        _cleanup_(json_free) Json *deny = parse_statements(
                "2012-10-17", "{'Effect':'Deny','Action':'s3:DeleteObject','Resource':'*'}");
        const PolicySet none = {}, all = {.everything = true},
                        but = {.documents = {deny}, .count = 1, .everything = true};

        (void)state;
        assert_false(policy_allows(&none, "s3:GetObject", OBJECT, NULL, 0));
        assert_true(policy_allows(&all, "s3:GetObject", OBJECT, NULL, 0));
        assert_true(policy_allows(&but, "s3:GetObject", OBJECT, NULL, 0));
        assert_false(policy_allows(&but, "s3:DeleteObject", OBJECT, NULL, 0));
}

static void variables_are_of_the_newer_version(void **state)
{
        static const char statement[] =
                "{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::b/${aws:userid}/*'}";
        static const PolicyContext context[] = {{"aws:userid", "A*A:i-1"}};
        _cleanup_(json_free) Json *new = parse_statements("2012-10-17", statement);
        _cleanup_(json_free) Json *old = parse_statements("2008-10-17", statement);
        const PolicySet newer = {.documents = {new}, .count = 1};
        const PolicySet older = {.documents = {old}, .count = 1};

        (void)state;
        assert_true(policy_allows(&newer, "x:Y", "arn:aws:s3:::b/A*A:i-1/f", context, 1));
        assert_false(policy_allows(&newer, "x:Y", "arn:aws:s3:::b/ABA:i-1/f", context, 1));
        assert_false(policy_allows(&newer, "x:Y", "arn:aws:s3:::b/A*A:i-1/f", NULL, 0));
        assert_false(policy_allows(&older, "x:Y", "arn:aws:s3:::b/A*A:i-1/f", context, 1));
        assert_true(policy_allows(&older, "x:Y", "arn:aws:s3:::b/${aws:userid}/f", context, 1));
}

static void a_variable_may_have_a_default(void **state)
{
        static const char text[] =
                "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
                "\"Resource\":\"arn:aws:s3:::b/${aws:userid, 'no*body'}/?\"}}";
        static const PolicyContext context[] = {{"aws:userid", "me"}};
        _cleanup_(json_free) Json *document = NULL;
        PolicySet set = {.count = 1};

        (void)state;
        assert_int_equal(json_parse("policy", text, strlen(text), &document, NULL), 0);
        set.documents[0] = document;
        assert_true(policy_allows(&set, "x:Y", "arn:aws:s3:::b/no*body/f", NULL, 0));
        assert_false(policy_allows(&set, "x:Y", "arn:aws:s3:::b/nobody/f", NULL, 0));
        assert_true(policy_allows(&set, "x:Y", "arn:aws:s3:::b/me/f", context, 1));
        assert_false(policy_allows(&set, "x:Y", "arn:aws:s3:::b/no*body/f", context, 1));
}

static void what_iam_refuses_is_named(void **state)
{
        static const struct {
                const char *document, *says; /* NULL: it is fine */
        } cases[] = {
                {"{'Version':'2012-10-17','Statement':[{'Sid':'A','Effect':'Allow','Action':'*',"
                 "'Resource':['*'],'Condition':{'Bool':{'aws:SecureTransport':true}}}]}",
                        NULL},
                {"{'Statement':{'Effect':'Deny','NotAction':['*'],'NotResource':'*'}}", NULL},
                {"{'Statement':[]}", "cannot use 'p': Statement: expected a list"},
                {"{}", "cannot use 'p': Statement: expected a list"},
                {"[]", "cannot use 'p': Statement: expected a list"},
                {"{'Version':'2012-10-18','Statement':[]}", "Version: expected \"2012-10-17\""},
                {"{'Statement':['a']}", "cannot use 'p: Statement[0]': expected an object"},
                {"{'Statement':[{'Effect':'Allow','Resource':'*'}]}",
                        "expected either Action or NotAction"},
                {"{'Statement':[{'Effect':'Allow','Action':'*'}]}",
                        "expected either Resource or NotResource"},
                {"{'Statement':[{'Effect':'Allow','Action':'*','NotAction':'*','Resource':'*'}]}",
                        "expected either Action or NotAction"},
                {"{'Statement':[{'Effect':'Alow','Action':'*','Resource':'*'}]}",
                        "Effect: expected Allow or Deny"},
                {"{'Statement':[{'Effect':'Allow','Action':[],'Resource':'*'}]}",
                        "Action: expected a string or a list of them"},
                {"{'Statement':[{'Effect':'Allow','Action':['*',1],'Resource':'*'}]}",
                        "Action: expected a string or a list of them"},
                {"{'Statement':[{'Effect':'Allow','Actions':['*'],'Resource':'*'}]}",
                        "unknown member 'Actions' (did you mean 'Action'?)"},
                {"{'Statement':[{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'}]}",
                        "unknown member 'Principal'"},
                {"{'Statement':[{'Effect':'Allow','Action':'*','Resource':'*','Condition':[]}]}",
                        "Condition: expected an object"},
                {"{'Statement':[{'Effect':'Allow','Action':'*','Resource':'*',"
                 "'Condition':{'StringIs':{'a':'b'}}}]}",
                        "the condition operator 'StringIs' is not known"},
                {"{'Statement':[{'Effect':'Allow','Action':'*','Resource':'*',"
                 "'Condition':{'StringLike':{'a':{}}}}]}",
                        "StringLike of 'a': expected a string or a list of them"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(json_free) Json *document = parse(cases[i].document);
                Error error = ERROR_INIT;
                int r = policy_check(document, "p", &error);

                if (r != (cases[i].says ? -EBADMSG : 0))
                        fail_msg("%s: %d, %s", cases[i].document, r, error.text);
                if (cases[i].says)
                        assert_says(&error, cases[i].says);
        }
}

TESTS_MAIN(cmocka_unit_test(actions_and_resources_are_matched),
        cmocka_unit_test(conditions_look_at_the_context),
        cmocka_unit_test(a_denial_wins),
        cmocka_unit_test(without_documents_nothing_or_everything),
        cmocka_unit_test(variables_are_of_the_newer_version),
        cmocka_unit_test(a_variable_may_have_a_default),
        cmocka_unit_test(what_iam_refuses_is_named))
