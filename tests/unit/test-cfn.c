#include "base/text.h"
#include "cfn/function.h"
#include "cfn/graph.h"
#include "cfn/pattern.h"
#include "cfn/resource.h"
#include "cfn/syntax.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

static CfnTemplate *parse(const char *text)
{
        CfnTemplate *template = NULL;
        Error error = ERROR_INIT;

        if (cfn_template_parse("t.json", text, strlen(text), &template, &error) < 0)
                fail_msg("%s", error.text);
        return template;
}

/* A template around one value: of Resources.Thing.Properties.Value. */
static char *around(const char *value)
{
        char *text = text_format(
                "{\"Parameters\": {\n"
                "  \"Name\": {\"Type\": \"String\", \"Default\": \"cluster\"},\n"
                "  \"Count\": {\"Type\": \"Number\", \"Default\": 3},\n"
                "  \"Zones\": {\"Type\": \"CommaDelimitedList\", \"Default\": \"a, b,c\"},\n"
                "  \"Image\": {\"Type\": \"AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>\", "
                "\"Default\": \"/x\"},\n"
                "  \"Empty\": {\"Type\": \"String\", \"Default\": \"\"}},\n"
                "\"Mappings\": {\"Map\": {\"us-east-1\": {\"AMI\": \"ami-1\", \"List\": [\"x\", "
                "\"y\"]}}},\n"
                "\"Conditions\": {\n"
                "  \"Yes\": {\"Fn::Equals\": [{\"Ref\": \"Name\"}, \"cluster\"]},\n"
                "  \"No\": {\"Fn::Not\": [{\"Condition\": \"Yes\"}]},\n"
                "  \"Both\": {\"Fn::And\": [{\"Condition\": \"Yes\"}, {\"Condition\": \"No\"}]},\n"
                "  \"Either\": {\"Fn::Or\": [{\"Condition\": \"No\"}, {\"Condition\": \"Yes\"}]},\n"
                "  \"OfResource\": {\"Fn::Equals\": [{\"Ref\": \"Other\"}, \"x\"]}},\n"
                "\"Resources\": {\n"
                "  \"Other\": {\"Type\": \"AWS::S3::Bucket\"},\n"
                "  \"Absent\": {\"Type\": \"AWS::S3::Bucket\", \"Condition\": \"No\"},\n"
                "  \"Thing\": {\"Type\": \"Custom::Thing\", \"Properties\": {\"Value\":\n"
                "%s\n}}}}",
                value);

        assert_non_null(text);
        return text;
}

static int refer(const CfnResource *resource,
        const char *attribute,
        void *userdata,
        Json **ret,
        Error *ret_error)
{
        char text[64];

        (void)userdata;
        if (text_equal(attribute, "Missing"))
                return error_set(ret_error, -ENOENT, "'%s' has no Missing", resource->name);
        (void)snprintf(text,
                sizeof(text),
                "<%s%s%s>",
                resource->name,
                attribute ? "." : "",
                attribute ? attribute : "");
        *ret = json_new_text(text);
        return 0;
}

/* Evaluates the value within `around`: its text in one line, "no value", or the sentence. */
static void evaluates_in(CfnTemplate *template, const char *expected)
{
        _cleanup_(cfn_parameter_set_done) CfnParameterSet parameters = {};
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(64 * 1024);
        _cleanup_(json_free) Json *value = NULL;
        Error error = ERROR_INIT;
        CfnContext context = {
                template,
                &parameters,
                "us-east-1",
                "123456789012",
                "aws",
                "amazonaws.com",
                "demo",
                "arn:demo",
                refer,
                NULL,
        };
        const CfnResource *thing = cfn_template_resource(template, "Thing");
        int r;

        assert_int_equal(cfn_parameter_set_read(template, NULL, 0, NULL, &parameters, &error), 0);
        r = cfn_function_evaluate(
                &context, yaml_member(thing->properties, "Value"), &value, &error);
        if (r == CFN_FUNCTION_NO_VALUE) {
                assert_null(value);
                assert_string_equal("no value", expected);
        } else if (r < 0) {
                assert_null(value);
                assert_says(&error, expected);
        } else {
                assert_int_equal(json_format(value, JSON_ONE_LINE, &text), 0);
                assert_string_equal(buffer_text(&text), expected);
        }
}

typedef struct Case {
        const char *value, *expected;
} Case;

static void evaluate_all(const Case *cases, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                _cleanup_(free) char *text = around(cases[i].value);
                _cleanup_(cfn_template_free) CfnTemplate *template = parse(text);

                evaluates_in(template, cases[i].expected);
        }
}

static void plain_values_stay(void **state)
{
        static const Case cases[] = {
                {"\"text\"", "\"text\""},
                {"\"5\"", "\"5\""},
                {"5", "5"},
                {"-5", "-5"},
                {"1.5", "\"1.5\""},
                {"true", "true"},
                {"\"true\"", "\"true\""},
                {"[1, \"a\", {\"b\": []}]", "[1,\"a\",{\"b\":[]}]"},
                {"{\"Version\": \"2012-10-17\"}", "{\"Version\":\"2012-10-17\"}"},
                {"{\"Condition\": {\"Bool\": {\"a\": \"b\"}}}",
                        "{\"Condition\":{\"Bool\":{\"a\":\"b\"}}}"},
                {"null", "line 18, column 1: null is no value in a template"},
                {"{\"a\": [null]}", "null is no value in a template"},
        };

        (void)state;
        evaluate_all(cases, ELEMENTS(cases));
}

static void names_are_resolved(void **state)
{
        static const Case cases[] = {
                {"{\"Ref\": \"Name\"}", "\"cluster\""},
                {"{\"Ref\": \"Count\"}", "\"3\""},
                {"{\"Ref\": \"Zones\"}", "[\"a\",\"b\",\"c\"]"},
                {"{\"Ref\": \"Other\"}", "\"<Other>\""},
                {"{\"Ref\": \"AWS::Region\"}", "\"us-east-1\""},
                {"{\"Ref\": \"AWS::StackName\"}", "\"demo\""},
                {"{\"Ref\": \"AWS::StackId\"}", "\"arn:demo\""},
                {"{\"Ref\": \"AWS::AccountId\"}", "\"123456789012\""},
                {"{\"Ref\": \"AWS::Partition\"}", "\"aws\""},
                {"{\"Ref\": \"AWS::URLSuffix\"}", "\"amazonaws.com\""},
                {"{\"Ref\": \"AWS::NotificationARNs\"}", "[]"},
                {"{\"Ref\": \"AWS::NoValue\"}", "no value"},
                {"{\"a\": {\"Ref\": \"AWS::NoValue\"}, \"b\": 1}", "{\"b\":1}"},
                {"[1, {\"Ref\": \"AWS::NoValue\"}, 2]", "[1,2]"},
                {"{\"Fn::GetAtt\": [\"Other\", \"Arn\"]}", "\"<Other.Arn>\""},
                {"{\"Fn::GetAtt\": \"Other.Arn\"}", "\"<Other.Arn>\""},
                {"{\"Fn::GetAtt\": [\"Other\", {\"Ref\": \"Name\"}]}", "\"<Other.cluster>\""},
                {"{\"Fn::GetAtt\": \"Other.State.Name\"}", "\"<Other.State.Name>\""},
                {"{\"Ref\": \"Nmae\"}",
                        "line 18, column 9: 'Nmae' is no parameter and no resource of the template "
                        "(did you mean 'Name'?)"},
                {"{\"Ref\": \"AWS::Regoin\"}", "(did you mean 'AWS::Region'?)"},
                {"{\"Ref\": \"Image\"}",
                        "the value of 'Image' lies in the Systems Manager's parameter store"},
                {"{\"Ref\": \"Absent\"}",
                        "'Absent' does not exist: its condition 'No' does not hold"},
                {"{\"Fn::GetAtt\": [\"Other\", \"Missing\"]}", "'Other' has no Missing"},
                {"{\"Fn::GetAtt\": [\"Nowhere\", \"Arn\"]}", "'Nowhere' is no parameter"},
        };

        (void)state;
        evaluate_all(cases, ELEMENTS(cases));
}

static void texts_are_made(void **state)
{
        static const Case cases[] = {
                {"{\"Fn::Sub\": \"a ${Name} ${AWS::Region} ${Other} ${Other.Arn}\"}",
                        "\"a cluster us-east-1 <Other> <Other.Arn>\""},
                {"{\"Fn::Sub\": \"${!Name} $ {x} ${!a:b}$\"}", "\"${Name} $ {x} ${a:b}$\""},
                {"{\"Fn::Sub\": [\"${x}-${Name}\", {\"x\": {\"Ref\": \"Count\"}}]}",
                        "\"3-cluster\""},
                {"{\"Fn::Sub\": [\"${Name}\", {\"Name\": \"own\"}]}", "\"own\""},
                {"{\"Fn::Sub\": \"n: ${Count}\"}", "\"n: 3\""},
                {"{\"Fn::Join\": [\"-\", [\"a\", {\"Ref\": \"Name\"}, 5]]}", "\"a-cluster-5\""},
                {"{\"Fn::Join\": [\"\", []]}", "\"\""},
                {"{\"Fn::Join\": [\",\", {\"Ref\": \"Zones\"}]}", "\"a,b,c\""},
                {"{\"Fn::Join\": [\",\", [\"a\", {\"Ref\": \"AWS::NoValue\"}]]}", "\"a\""},
                {"{\"Fn::Split\": [\",\", \"a,b,,c\"]}", "[\"a\",\"b\",\"\",\"c\"]"},
                {"{\"Fn::Split\": [\"::\", \"a::b\"]}", "[\"a\",\"b\"]"},
                {"{\"Fn::Select\": [1, [\"a\", \"b\"]]}", "\"b\""},
                {"{\"Fn::Select\": [\"0\", {\"Fn::Split\": [\"-\", \"x-y\"]}]}", "\"x\""},
                {"{\"Fn::Select\": [\"0\", {\"Fn::GetAZs\": \"\"}]}", "\"us-east-1a\""},
                {"{\"Fn::GetAZs\": {\"Ref\": \"AWS::Region\"}}",
                        "[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\"]"},
                {"{\"Fn::Base64\": \"hello\"}", "\"aGVsbG8=\""},
                {"{\"Fn::Base64\": {\"Fn::Sub\": \"${Name}\"}}", "\"Y2x1c3Rlcg==\""},
                {"{\"Fn::FindInMap\": [\"Map\", {\"Ref\": \"AWS::Region\"}, \"AMI\"]}",
                        "\"ami-1\""},
                {"{\"Fn::FindInMap\": [\"Map\", \"us-east-1\", \"List\"]}", "[\"x\",\"y\"]"},
        };

        (void)state;
        evaluate_all(cases, ELEMENTS(cases));
}

static void conditions_choose(void **state)
{
        static const Case cases[] = {
                {"{\"Fn::If\": [\"Yes\", 1, 2]}", "1"},
                {"{\"Fn::If\": [\"No\", 1, 2]}", "2"},
                {"{\"Fn::If\": [\"Both\", 1, 2]}", "2"},
                {"{\"Fn::If\": [\"Either\", 1, 2]}", "1"},
                {"{\"Fn::If\": [\"No\", {\"Ref\": \"Absent\"}, \"fine\"]}", "\"fine\""},
                {"{\"a\": {\"Fn::If\": [\"No\", 1, {\"Ref\": \"AWS::NoValue\"}]}}", "{}"},
                {"{\"Fn::If\": [\"Eiter\", 1, 2]}",
                        "there is no condition 'Eiter' (did you mean 'Either'?)"},
                {"{\"Fn::If\": [\"OfResource\", 1, 2]}",
                        "a condition can refer to parameters alone, and 'Other' is a resource"},
        };

        (void)state;
        evaluate_all(cases, ELEMENTS(cases));
}

static void bad_calls_are_refused(void **state)
{
        static const Case cases[] = {
                {"{\"Fn::Jion\": [\"\", []]}",
                        "cannot read 't.json': line 18, column 2: unknown function 'Fn::Jion' (did "
                        "you mean 'Fn::Join'?)"},
                {"{\"Fn::Whatever\": 1}", "unknown function 'Fn::Whatever'"},
                {"{\"Fn::Cidr\": []}", "Fn::Cidr: expected [IPv4 block, count, bits of each]"},
                {"{\"Fn::Cidr\": [\"10.0.0.0/30\", 2, 2]}", "so many bits for each that all fit"},
                {"{\"Fn::ImportValue\": \"x\"}",
                        "Fn::ImportValue cannot be done here: it needs another stack's exports"},
                {"{\"Fn::Transform\": {}}", "Fn::Transform cannot be done here: macros"},
                {"{\"Fn::Length\": []}",
                        "Fn::Length cannot be done here: it needs the transform "
                        "AWS::LanguageExtensions"},
                {"{\"Fn::ToJsonString\": {}}", "Fn::ToJsonString cannot be done here"},
                {"{\"Fn::ForEach::Loop\": []}", "Fn::ForEach::Loop cannot be done here"},
                {"{\"Fn::Join\": [\"\", []], \"x\": 1}",
                        "Fn::Join: expected it to stand alone in its object"},
                {"{\"Ref\": [\"Name\"]}", "Ref: expected the name of a parameter or resource"},
                {"{\"Ref\": \"\"}", "Ref: expected the name of a parameter or resource"},
                {"{\"Fn::GetAtt\": \"Other\"}", "Fn::GetAtt: expected [resource, attribute]"},
                {"{\"Fn::GetAtt\": [\"Other\"]}", "Fn::GetAtt: expected [resource, attribute]"},
                {"{\"Fn::Sub\": [\"x\"]}",
                        "Fn::Sub: expected a string, or [string, {name: value}]"},
                {"{\"Fn::Sub\": [\"x\", []]}", "Fn::Sub: expected a string, or"},
                {"{\"Fn::Sub\": \"${Name\"}", "Fn::Sub: expected ${Name}, ${Name.Attribute} or"},
                {"{\"Fn::Sub\": \"${}\"}", "Fn::Sub: expected ${Name}, ${Name.Attribute} or"},
                {"{\"Fn::Sub\": \"${!x\"}", "Fn::Sub: a '${' without its '}'"},
                {"{\"Fn::Sub\": \"${Zones}\"}", "Fn::Sub: expected a string, found a list"},
                {"{\"Fn::Sub\": \"${AWS::NoValue}\"}", "Fn::Sub: AWS::NoValue is no string"},
                {"{\"Fn::Sub\": \"${Nmae}\"}", "(did you mean 'Name'?)"},
                {"{\"Fn::Join\": [\"\"]}", "Fn::Join: expected [delimiter, list]"},
                {"{\"Fn::Join\": [\"\", \"x\"]}", "Fn::Join: expected a list"},
                {"{\"Fn::Join\": [\"\", [{\"a\": 1}]]}",
                        "Fn::Join: expected a string, found an object"},
                {"{\"Fn::Select\": [2, [1, 2]]}",
                        "Fn::Select: the list has 2 elements, and no element 2"},
                {"{\"Fn::Select\": [\"x\", [1]]}",
                        "Fn::Select: expected an index from 0, found 'x'"},
                {"{\"Fn::Split\": [\"\", \"a\"]}", "Fn::Split: expected a delimiter"},
                {"{\"Fn::FindInMap\": [\"Map\", \"us-east-1\"]}",
                        "Fn::FindInMap: expected [mapping, top-level key, second-level key]"},
                {"{\"Fn::FindInMap\": [\"Mop\", \"a\", \"b\"]}",
                        "Fn::FindInMap: there is no mapping 'Mop'"},
                {"{\"Fn::FindInMap\": [\"Map\", \"us-esat-1\", \"AMI\"]}",
                        "the mapping has no key 'us-esat-1' (did you mean 'us-east-1'?)"},
                {"{\"Fn::FindInMap\": [\"Map\", \"us-east-1\", \"ami\"]}",
                        "the mapping has no key 'ami'"},
                {"{\"Fn::Base64\": [1]}", "Fn::Base64: expected a string"},
                {"{\"Fn::Base64\": {\"a\": 1}}", "Fn::Base64: expected a string, found an object"},
                {"{\"Fn::If\": [\"Yes\", 1]}",
                        "Fn::If: expected [condition, value if true, value if false]"},
                {"{\"Fn::Equals\": [1, 2]}", "Fn::Equals stands only in Conditions"},
        };

        (void)state;
        evaluate_all(cases, ELEMENTS(cases));
}

static void yaml_has_short_tags(void **state)
{
        static const Case cases[] = {
                {"!Ref Name", "\"cluster\""},
                {"!GetAtt Other.Arn", "\"<Other.Arn>\""},
                {"!Sub '${Name}!'", "\"cluster!\""},
                {"!Join ['-', [a, !Ref Name]]", "\"a-cluster\""},
                {"!Select [0, !Split ['-', x-y]]", "\"x\""},
                {"!Base64 hello", "\"aGVsbG8=\""},
                {"!If [Yes, !Ref Name, no]", "\"cluster\""},
                {"!FindInMap [Map, us-east-1, AMI]", "\"ami-1\""},
                {"!GetAZs ''", "[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\"]"},
                {"Fn::Base64: !Sub '${Name}'", "\"Y2x1c3Rlcg==\""},
                {"!Base64 {'Fn::Sub': '${Name}'}", "\"Y2x1c3Rlcg==\""},
                {"Fn::Base64: !Join ['', [clus, ter]]", "\"Y2x1c3Rlcg==\""},
                {"Fn::GetAZs: !Select [0, [us-east-1]]",
                        "[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\"]"},
                {"!Base64 [clus, ter]", "Fn::Base64: expected a string"},
                {"Fn::Base64: [clus, ter]", "Fn::Base64: expected a string"},
                {"2012-10-17", "\"2012-10-17\""},
                {"!Rfe Name", "unknown function '!Rfe' (did you mean '!Ref'?)"},
                {"!ImportValue x", "!ImportValue cannot be done here"},
                {"!Sub [x]", "Fn::Sub: expected a string, or"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(free) char *text =
                        text_format("Parameters: {Name: {Type: String, Default: cluster}}\n"
                                    "Mappings: {Map: {us-east-1: {AMI: ami-1}}}\n"
                                    "Conditions: {'Yes': !Equals [!Ref Name, cluster]}\n"
                                    "Resources:\n"
                                    "  Other: {Type: 'AWS::S3::Bucket'}\n"
                                    "  Thing:\n"
                                    "    Type: Custom::Thing\n"
                                    "    Properties:\n"
                                    "      Value:\n"
                                    "        %s\n",
                                cases[i].value);
                _cleanup_(cfn_template_free) CfnTemplate *template = parse(text);

                evaluates_in(template, cases[i].expected);
        }
}

/* Each level has the one below ten times: a billion characters out of few. */
static void what_is_made_is_bounded(void **state)
{
        _cleanup_(buffer_done) Buffer value = BUFFER_INIT(64 * 1024);
        _cleanup_(free) char *text = NULL;
        _cleanup_(cfn_template_free) CfnTemplate *template = NULL;

        (void)state;
        for (int i = 0; i < 9; i++)
                (void)buffer_append_text(&value,
                        "{\"Fn::Sub\": [\"${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}\", {\"x\": ");
        (void)buffer_append_text(&value, "\"0123456789\"");
        for (int i = 0; i < 9; i++)
                (void)buffer_append_text(&value, "}]}");
        text = around(buffer_text(&value));
        template = parse(text);
        evaluates_in(template, "it makes more than 4194304 bytes");
}

static void refuses(const char *text, int code, const char *sentence)
{
        CfnTemplate *template = NULL;
        CfnGraph *graph = NULL;
        Error error = ERROR_INIT;
        int r;

        r = cfn_template_parse("t.json", text, strlen(text), &template, &error);
        if (r == 0)
                r = cfn_graph_new(template, &graph, &error);
        for (size_t i = 0; r == 0 && i < template->n_resources; i++)
                r = cfn_resource_check(template, &template->resources[i], &error);
        (void)cfn_template_free(template);
        (void)cfn_graph_free(graph);
        assert_says(&error, sentence);
        assert_int_equal(r, code);
}

#define BUCKET "{\"Type\": \"AWS::S3::Bucket\"}"

static void what_is_no_template_is_refused(void **state)
{
        static const Case cases[] = {
                {"", "line 1, column 1: expected a template: an object with 'Resources'"},
                {"[]", "line 1, column 1: expected a template: an object with 'Resources'"},
                {"text", "expected a template: an object with 'Resources'"},
                {"{", "cannot read 't.json': line 2, column 1: "},
                {"Resources:\n\tA: 1\n", "line 2, column 1: a tab cannot be indentation"},
                {"{\"Resources\": {},\n \"Resources\": {}}",
                        "line 2, column 2: the key 'Resources' stands here again; it is in line 1"},
                {"{\"Resources\": {\"A\": " BUCKET ", \"A\": " BUCKET "}}",
                        "the key 'A' stands here again"},
                {"{}", "the key 'Resources' is missing"},
                {"{\"Resources\": {}}", "Resources: expected one at least"},
                {"{\"Resources\": []}", "Resources: expected an object"},
                {"{\"Resuorces\": {}}", "unknown key 'Resuorces' (did you mean 'Resources'?)"},
                {"{\"Transform\": \"x\", \"Resources\": {\"A\": " BUCKET "}}",
                        "Transform cannot be done here: it needs what is outside of the template"},
                {"{\"Resources\": {\"A-b\": " BUCKET "}}",
                        "'A-b': expected a name of letters and digits alone"},
                {"{\"Resources\": {\"A\": {}}}", "the key 'Type' is missing"},
                {"{\"Resources\": {\"A\": []}}", "expected an object"},
                {"{\"Resources\": {\"A\": {\"Type\": []}}}", "Type: expected a string"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"DependOn\": \"B\"}}}",
                        "unknown key 'DependOn' (did you mean 'DependsOn'?)"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"DependsOn\": {}}}}",
                        "DependsOn: expected a string"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"DependsOn\": [[]]}}}",
                        "DependsOn: expected a string"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"DeletionPolicy\": \"Keep\"}}}",
                        "DeletionPolicy: expected Delete, Retain, RetainExceptOnCreate or"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Properties\": 5}}}",
                        "Properties: expected an object"},
                {"{\"Resources\": {\"A\": " BUCKET "}, \"Outputs\": {\"O\": {}}}",
                        "the key 'Value' is missing"},
                {"{\"Resources\": {\"A\": " BUCKET "}, \"Outputs\": {\"O\": {\"Value\": 1, "
                 "\"Export\": {}}}}",
                        "the key 'Name' is missing"},
                {"{\"Parameters\": {\"A\": {\"Type\": \"String\"}}, \"Resources\": {\"A\": " BUCKET
                 "}}",
                        "'A' is the name of a parameter already, in line 1"},
                {"{\"Parameters\": {\"P\": {\"Type\": \"String\", \"MinLength\": \"x\"}}, "
                 "\"Resources\": {\"A\": " BUCKET "}}",
                        "MinLength: expected a whole number"},
                {"{\"Parameters\": {\"P\": {\"Type\": \"String\", \"NoEcho\": \"x\"}}, "
                 "\"Resources\": {\"A\": " BUCKET "}}",
                        "NoEcho: expected true or false"},
                {"{\"Parameters\": {\"P\": {\"Type\": \"Number\", \"MaxValue\": \"x\"}}, "
                 "\"Resources\": {\"A\": " BUCKET "}}",
                        "MaxValue: expected a number, found 'x'"},
                {"{\"Mappings\": {\"M\": {\"a\": \"b\"}}, \"Resources\": {\"A\": " BUCKET "}}",
                        "a: expected an object"},
                {"{\"Mappings\": {\"M\": {\"a\": {\"b\": {}}}}, \"Resources\": {\"A\": " BUCKET
                 "}}",
                        "b: expected a string or a list"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                refuses(cases[i].value, -EBADMSG, cases[i].expected);
}

static void too_much_is_refused(void **state)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * CFN_TEMPLATE_SIZE_MAX);

        (void)state;
        (void)buffer_append_text(&text, "{\"Resources\": {");
        for (unsigned i = 0; i <= CFN_TEMPLATE_RESOURCES_MAX; i++)
                (void)buffer_append_format(&text, "%s\"A%u\": " BUCKET, i > 0 ? "," : "", i);
        (void)buffer_append_text(&text, "}}");
        refuses(buffer_text(&text), -EBADMSG, "Resources: expected at most 500, found 501");

        while (text.size <= CFN_TEMPLATE_SIZE_MAX)
                (void)buffer_append_text(&text, "                                            ");
        refuses(buffer_text(&text), -EFBIG, "CloudFormation takes 1048576 at most");
}

static void references_are_checked(void **state)
{
        static const Case cases[] = {
                {"{\"Resources\": {\n"
                 " \"A\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Ref\": \"B\"}}},\n"
                 " \"B\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Fn::Sub\": "
                 "\"${C.Arn}\"}}},\n"
                 " \"C\": {\"Type\": \"x\", \"DependsOn\": [\"A\"]}}}",
                        "line 2, column 2: resources need each other: A -> B -> C -> A"},
                {"{\"Resources\": {\n"
                 " \"Z\": {\"Type\": \"x\", \"DependsOn\": \"A\"},\n"
                 " \"A\": {\"Type\": \"x\", \"DependsOn\": \"A\"}}}",
                        "line 3, column 2: resources need each other: A -> A"},
                {"{\"Conditions\": {\n"
                 " \"A\": {\"Fn::Not\": [{\"Condition\": \"B\"}]},\n"
                 " \"B\": {\"Fn::Not\": [{\"Condition\": \"A\"}]}}, \"Resources\": {\"R\": " BUCKET
                 "}}",
                        "line 2, column 2: conditions need each other: A -> B -> A"},
                {"{\"Resources\": {\"Bucket\": " BUCKET
                 ", \"B\": {\"Type\": \"x\", \"DependsOn\": \"Bukcet\"}}}",
                        "'Bukcet' is no resource of the template (did you mean 'Bucket'?)"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Ref\": "
                 "\"Q\"}}}}}",
                        "'Q' is no parameter and no resource of the template"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Ref\": "
                 "\"AWS::Partiton\"}}}}}",
                        "(did you mean 'AWS::Partition'?)"},
                {"{\"Resources\": {\"A\": " BUCKET
                 "}, \"Outputs\": {\"O\": {\"Value\": {\"Fn::GetAtt\": [\"A\", \"Arm\"]}}}}",
                        "'A' is of type AWS::S3::Bucket, which has no attribute 'Arm' (did you "
                        "mean "
                        "'Arn'?)"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Condition\": \"C\"}}}",
                        "'C' is no condition of the template"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Properties\": {\"p\": "
                 "{\"Fn::FindInMap\": [\"M\", \"a\", \"b\"]}}}}}",
                        "'M' is no mapping of the template"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Fn::If\": "
                 "[\"C\", 1, 2]}}}}}",
                        "'C' is no condition of the template"},
                {"{\"Resources\": {\"A\": {\"Type\": \"x\", \"Properties\": {\"p\": [{\"Fn::Sbu\": "
                 "1}]}}}}",
                        "unknown function 'Fn::Sbu' (did you mean 'Fn::Sub'?)"},
                {"{\"Conditions\": {\"C\": {\"Fn::Equals\": [{\"Ref\": \"A\"}, 1]}}, "
                 "\"Resources\": {\"A\": " BUCKET "}}",
                        "a condition can refer to parameters alone, and 'A' is a resource"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                refuses(cases[i].value, -EBADMSG, cases[i].expected);
}

/* Each behind what it needs, and else as in the template. */
static void resources_have_an_order(void **state)
{
        _cleanup_(cfn_template_free) CfnTemplate *template =
                parse("{\"Resources\": {"
                      "\"D\": {\"Type\": \"x\", \"DependsOn\": [\"B\", \"C\"]},"
                      "\"C\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Fn::If\": [\"Y\", "
                      "{\"Ref\": \"A\"}, {\"Ref\": \"B\"}]}}},"
                      "\"A\": {\"Type\": \"x\"},"
                      "\"B\": {\"Type\": \"x\", \"Properties\": {\"p\": {\"Fn::Sub\": "
                      "[\"${v} ${A}\", {\"v\": {\"Ref\": \"E\"}}]}}},"
                      "\"E\": {\"Type\": \"x\"}},"
                      "\"Conditions\": {\"Y\": {\"Fn::Equals\": [1, 1]}}}");
        _cleanup_(cfn_graph_free) CfnGraph *graph = NULL;
        Error error = ERROR_INIT;
        char order[6] = "";

        (void)state;
        assert_int_equal(cfn_graph_new(template, &graph, &error), 0);
        assert_int_equal(graph->count, 5);
        for (size_t i = 0; i < graph->count; i++)
                order[i] = template->resources[graph->order[i]].name[0];
        assert_string_equal(order, "AEBCD");
        assert_true(cfn_graph_needs(graph, 0, 1));
        assert_true(cfn_graph_needs(graph, 1, 3));
        assert_false(cfn_graph_needs(graph, 0, 2));
}

static void properties_are_checked(void **state)
{
        static const Case cases[] = {
                {"{\"Type\": \"AWS::S3::Bucket\", \"Properties\": {\"BuketName\": \"x\"}}",
                        "A: AWS::S3::Bucket has no property 'BuketName' here (did you mean "
                        "'BucketName'?)"},
                {"{\"Type\": \"AWS::EC2::Instance\", \"Properties\": {\"BlockDeviceMappings\": "
                 "[{\"Ebs\": {}}]}}",
                        "A: AWS::EC2::Instance needs the property 'DeviceName'"},
                {"{\"Type\": \"AWS::IAM::InstanceProfile\"}",
                        "A: AWS::IAM::InstanceProfile needs the property 'Roles'"},
                {"{\"Type\": \"AWS::IAM::InstanceProfile\", \"Properties\": {\"Roles\": \"x\"}}",
                        "A: Roles: expected a list of strings"},
                {"{\"Type\": \"AWS::IAM::InstanceProfile\", \"Properties\": {\"Roles\": [{}]}}",
                        "A: Roles: expected a string"},
                {"{\"Type\": \"AWS::EC2::Instance\", \"Properties\": {\"Monitoring\": \"x\"}}",
                        "A: Monitoring: expected true or false"},
                {"{\"Type\": \"AWS::EC2::Instance\", \"Properties\": {\"Tags\": [{\"Key\": "
                 "\"x\"}]}}",
                        "A: AWS::EC2::Instance needs the property 'Value'"},
                {"{\"Type\": \"AWS::EC2::SecurityGroupIngress\", \"Properties\": {\"IpProtocol\": "
                 "\"tcp\", \"FromPort\": \"x\"}}",
                        "A: FromPort: expected a whole number"},
                {"{\"Type\": \"AWS::S3::BucketPolicy\", \"Properties\": {\"Bucket\": \"b\", "
                 "\"PolicyDocument\": \"x\"}}",
                        "A: PolicyDocument: expected an object"},
                {"{\"Type\": \"AWS::EC2::Instance\", \"Properties\": {\"ImageId\": {\"Fn::If\": "
                 "[\"C\", \"a\", []]}}}",
                        "A: ImageId: expected a string"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(free) char *text =
                        text_format("{\"Conditions\": {\"C\": {\"Fn::Equals\": [1, 1]}}, "
                                    "\"Resources\": {\"A\": %s}}",
                                cases[i].value);

                refuses(text, -EBADMSG, cases[i].expected);
        }
        refuses("{\"Resources\": {\"A\": {\"Type\": \"AWS::SNS::Topic\", \"Properties\": {\"x\": "
                "1}}}}",
                0,
                "");
        assert_string_equal(cfn_resource_nearest_type("AWS::EC2::Instanse"), "AWS::EC2::Instance");
        assert_int_equal(cfn_resource_type("AWS::EC2::Instance")->ref, CFN_REF_ID);
}

/* Assignments, ended by NULL, against a parameter's declaration: the value, or the sentence. */
static void reads(const char *declaration, const char *const *assignments, const char *expected)
{
        _cleanup_(free) char *text = text_format(
                "{\"Parameters\": {%s}, \"Resources\": {\"A\": " BUCKET "}}", declaration);
        _cleanup_(cfn_template_free) CfnTemplate *template = parse(text);
        _cleanup_(cfn_parameter_set_done) CfnParameterSet set = {};
        Error error = ERROR_INIT;
        size_t count = 0;

        while (assignments[count])
                count++;
        if (cfn_parameter_set_read(template, assignments, count, NULL, &set, &error) == 0)
                assert_string_equal(cfn_parameter_set_get(&set, "P")->resolved, expected);
        else
                assert_says(&error, expected);
}

static void parameters_are_checked(void **state)
{
        static const struct {
                const char *declaration, *assignments[3], *expected;
        } cases[] = {
                {"\"P\": {\"Type\": \"String\"}", {"P=a=b"}, "a=b"},
                {"\"P\": {\"Type\": \"String\", \"Default\": \"d\"}", {}, "d"},
                {"\"P\": {\"Type\": \"String\", \"Default\": \"d\"}", {"P="}, ""},
                {"\"P\": {\"Type\": \"String\"}, \"Q\": {\"Type\": \"Number\"}",
                        {},
                        "cannot use 't.json': the parameters P, Q need a value"},
                {"\"P\": {\"Type\": \"String\"}",
                        {},
                        "cannot use 't.json': the parameter P needs a value"},
                {"\"P\": {\"Type\": \"String\"}",
                        {"Q=1"},
                        "cannot set parameter 'Q': 't.json' has"},
                {"\"Timeout\": {\"Type\": \"String\"}", {"Timeuot=1"}, "(did you mean 'Timeout'?)"},
                {"\"P\": {\"Type\": \"String\"}",
                        {"P"},
                        "cannot set a parameter: expected NAME=VALUE, found P"},
                {"\"P\": {\"Type\": \"String\"}", {"=x"}, "cannot set a parameter: expected NAME="},
                {"\"P\": {\"Type\": \"String\"}",
                        {"P=1", "P=2"},
                        "cannot set parameter 'P': it is given twice"},
                {"\"P\": {\"Type\": \"Number\"}", {"P=1.5"}, "1.5"},
                {"\"P\": {\"Type\": \"Number\"}",
                        {"P=x"},
                        "cannot set parameter 'P' to 'x': expected a number"},
                {"\"P\": {\"Type\": \"Number\", \"MinValue\": 60}",
                        {"P=59"},
                        "cannot set parameter 'P' to '59': expected 60 or more"},
                {"\"P\": {\"Type\": \"Number\", \"MaxValue\": 60}",
                        {"P=61"},
                        "cannot set parameter 'P' to '61': expected 60 or less"},
                {"\"P\": {\"Type\": \"String\", \"MinLength\": 2}",
                        {"P=\xC3\xA4"},
                        "expected 2 characters or more"},
                {"\"P\": {\"Type\": \"String\", \"MaxLength\": 1}", {"P=\xC3\xA4"}, "\xC3\xA4"},
                {"\"P\": {\"Type\": \"String\", \"MaxLength\": 1}",
                        {"P=ab"},
                        "expected 1 characters or fewer"},
                {"\"P\": {\"Type\": \"String\", \"AllowedValues\": [\"a\", \"b\"]}", {"P=b"}, "b"},
                {"\"P\": {\"Type\": \"String\", \"AllowedValues\": [\"a\", \"b\"]}",
                        {"P=c"},
                        "cannot set parameter 'P' to 'c': expected one of a, b"},
                {"\"P\": {\"Type\": \"String\", \"AllowedPattern\": \"[a-z]+\"}",
                        {"P=abC"},
                        "cannot set parameter 'P' to 'abC': expected a match of the pattern "
                        "[a-z]+"},
                {"\"P\": {\"Type\": \"String\", \"AllowedPattern\": \"[a-z]+\", "
                 "\"ConstraintDescription\": \"lower case, please\"}",
                        {"P=abC"},
                        "cannot set parameter 'P' to 'abC': lower case, please"},
                {"\"P\": {\"Type\": \"String\", \"NoEcho\": true, \"MinLength\": 16}",
                        {"P=hush"},
                        "cannot set parameter 'P': expected 16 characters or more"},
                {"\"P\": {\"Type\": \"String\", \"Default\": \"x\", \"AllowedValues\": [\"a\"]}",
                        {},
                        "line 1, column 17: the parameter 'P' refuses its own default: expected "
                        "one of a"},
                {"\"P\": {\"Type\": \"String\", \"AllowedPattern\": \"(?=a)\"}",
                        {"P=x"},
                        "the parameter 'P' cannot be checked: lookaround, a named group or a flag "
                        "in a pattern is not known here"},
                {"\"P\": {\"Type\": \"Strin\"}", {"P=x"}, "'P' has an unknown type, 'Strin'"},
                {"\"P\": {\"Type\": \"List<Number>\"}", {"P=1, 2"}, "1, 2"},
                {"\"P\": {\"Type\": \"List<Number>\"}", {"P=1,x"}, "expected a number"},
                {"\"P\": {\"Type\": \"List<AWS::EC2::Subnet::Id>\"}", {"P=subnet-1"}, "subnet-1"},
                {"\"P\": {\"Type\": \"AWS::EC2::KeyPair::KeyName\"}",
                        {"P="},
                        "expected a value of type AWS::EC2::KeyPair::KeyName"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                reads(cases[i].declaration, cases[i].assignments, cases[i].expected);
}

static void note(const CfnParameter *parameter, const char *value, void *userdata)
{
        (void)buffer_append_format(userdata, "%s=%s ", parameter->name, value ? value : "(secret)");
}

static void an_account_is_made_up(void **state)
{
        _cleanup_(cfn_template_free) CfnTemplate *template =
                parse("{\"Parameters\": {"
                      "\"Key\": {\"Type\": \"AWS::EC2::KeyPair::KeyName\"},"
                      "\"Image\": {\"Type\": \"AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>\", "
                      "\"Default\": \"/path\"},"
                      "\"Secret\": {\"Type\": \"String\", \"NoEcho\": true, \"MinLength\": 20, "
                      "\"AllowedPattern\": \"\\\\w+\"},"
                      "\"Given\": {\"Type\": \"AWS::EC2::VPC::Id\"}"
                      "}, \"Resources\": {\"A\": " BUCKET "}}");
        _cleanup_(cfn_parameter_set_done) CfnParameterSet set = {};
        _cleanup_(buffer_done) Buffer notes = BUFFER_INIT(1024);
        const CfnMadeUp made_up = {note, &notes};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(
                cfn_parameter_set_read(
                        template, (const char *const[]){"Given=vpc-1"}, 1, &made_up, &set, &error),
                0);
        assert_string_equal(buffer_text(&notes),
                "Key=made-up-key-pair Image=ami-0123456789abcdef0 Secret=(secret) ");
        assert_string_equal(cfn_parameter_set_get(&set, "Image")->text, "/path");
        assert_string_equal(
                cfn_parameter_set_get(&set, "Image")->resolved, "ami-0123456789abcdef0");
        assert_string_equal(
                cfn_parameter_set_get(&set, "Secret")->resolved, "MADEUPMADEUPMADEUPMA");
        assert_int_equal(cfn_parameter_set_get(&set, "Given")->source, CFN_PARAMETER_GIVEN);
        assert_int_equal(cfn_parameter_set_get(&set, "Key")->source, CFN_PARAMETER_MADE_UP);
        assert_null(cfn_parameter_set_get(&set, "Nothing"));
}

static void patterns_are_javas(void **state)
{
        static const struct {
                const char *pattern, *text;
                int expected;
        } cases[] = {
                {"[a-z]+", "abc", CFN_PATTERN_MATCHES},
                {"[a-z]+", "abC", CFN_PATTERN_DIFFERS},
                {"a|b", "ab", CFN_PATTERN_DIFFERS}, /* anchored as a whole */
                {"a|bc", "bc", CFN_PATTERN_MATCHES},
                {"", "", CFN_PATTERN_MATCHES},
                {"", "x", CFN_PATTERN_DIFFERS},
                {"\\d{1,3}\\.\\d", "192.1", CFN_PATTERN_MATCHES},
                {"\\d{1,3}\\.\\d", "192x1", CFN_PATTERN_DIFFERS},
                {"\\w+\\s\\W\\D\\S", "a_9 -x!", CFN_PATTERN_MATCHES},
                {"[\\w]+", "a_9", CFN_PATTERN_MATCHES},
                {"[\\w]+", "a-9", CFN_PATTERN_DIFFERS},
                {"[\\w.\\-/]+", "a-9/b.c", CFN_PATTERN_MATCHES},
                {"[\\]x]+", "]x", CFN_PATTERN_MATCHES},
                {"[\\^a]+", "^a", CFN_PATTERN_MATCHES},
                {"[\\^]+", "^^", CFN_PATTERN_MATCHES},
                {"[\\^-]+", "^-", CFN_PATTERN_MATCHES},
                {"[a-]+", "a-", CFN_PATTERN_MATCHES},
                {"[^a-c]+", "xyz", CFN_PATTERN_MATCHES},
                {"[^a-c]+", "xbz", CFN_PATTERN_DIFFERS},
                {"[^\\d]", "5", CFN_PATTERN_DIFFERS},
                {"(?:ab)+c?", "ababc", CFN_PATTERN_MATCHES},
                {"^ab$", "ab", CFN_PATTERN_MATCHES},
                {"a{2}", "aa", CFN_PATTERN_MATCHES},
                {"a{2,}", "aaaa", CFN_PATTERN_MATCHES},
                {"a{2,3}", "aaaa", CFN_PATTERN_DIFFERS},
                {"\\{\\}\\(\\)\\[\\]\\*", "{}()[]*", CFN_PATTERN_MATCHES},
                {"a\\/b", "a/b", CFN_PATTERN_MATCHES},
                {"}", "}", CFN_PATTERN_MATCHES},
                {"a+?", "a", -EBADMSG},
                {"a*+", "a", -EBADMSG},
                {"*a", "a", -EBADMSG},
                {"(?=a)a", "a", -EBADMSG},
                {"(?i)a", "a", -EBADMSG},
                {"\\bx", "x", -EBADMSG},
                {"\\p{Alpha}", "x", -EBADMSG},
                {"(a)\\1", "aa", -EBADMSG},
                {"[a[b]]", "a", -EBADMSG},
                {"[a&&b]", "a", -EBADMSG},
                {"[z-a]", "a", -EBADMSG},
                {"[a", "a", -EBADMSG},
                {"[]a]", "a", -EBADMSG},
                {"(a", "a", -EBADMSG},
                {"a)", "a", -EBADMSG},
                {"a\\", "a", -EBADMSG},
                {"a{x}", "a", -EBADMSG},
                {"a{3,2}", "a", -EBADMSG},
                {"((a{1,200}){1,200}){1,200}", "a", -EBADMSG},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error error = ERROR_INIT;
                int r = cfn_pattern_match(cases[i].pattern, cases[i].text, &error);

                if (r != cases[i].expected)
                        fail_msg("%s on '%s': %d, expected %d (%s)",
                                cases[i].pattern,
                                cases[i].text,
                                r,
                                cases[i].expected,
                                error.text);
                assert_int_equal(r < 0, error.text[0] != '\0');
        }
}

TESTS_MAIN(cmocka_unit_test(plain_values_stay),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(texts_are_made),
        cmocka_unit_test(conditions_choose),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(yaml_has_short_tags),
        cmocka_unit_test(what_is_made_is_bounded),
        cmocka_unit_test(what_is_no_template_is_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(references_are_checked),
        cmocka_unit_test(resources_have_an_order),
        cmocka_unit_test(properties_are_checked),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(an_account_is_made_up),
        cmocka_unit_test(patterns_are_javas))
