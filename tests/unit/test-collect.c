#include "base/buffer.h"
#include "base/text.h"
#include "cfn/graph.h"
#include "cfn/resource.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* What is told, one line each: "fault line:column sentence". */
typedef struct Told {
        Buffer lines;
        unsigned left; /* how many are taken before the reading is ended */
} Told;

static int tell(CfnFault fault, const YamlNode *node, const char *sentence, void *userdata)
{
        Told *told = userdata;

        if (told->left-- == 0)
                return -ECANCELED;
        assert_return_code(buffer_append_format(&told->lines,
                                   "%d %u:%u %s\n",
                                   (int)fault,
                                   node->line,
                                   node->column,
                                   sentence),
                0);
        return 0;
}

/* Reads, orders and checks all; the template stays the caller's. */
static int collect(const char *text,
        const CfnCollector *collector,
        CfnTemplate **ret_template,
        CfnGraph **ret_graph)
{
        Error error = ERROR_INIT;
        int r;

        r = cfn_template_collect("t.yaml", text, strlen(text), collector, ret_template, &error);
        if (r == 0)
                r = cfn_graph_new(*ret_template, ret_graph, &error);
        for (size_t i = 0; r == 0 && i < (*ret_template)->n_resources; i++)
                r = cfn_resource_check(*ret_template, &(*ret_template)->resources[i], &error);
        return r;
}

static void tells(const char *text, const char *expected)
{
        _cleanup_(cfn_template_free) CfnTemplate *template = NULL;
        _cleanup_(cfn_graph_free) CfnGraph *graph = NULL;
        Told told = {BUFFER_INIT(4096), UINT32_MAX};
        const CfnCollector collector = {tell, &told};

        assert_int_equal(collect(text, &collector, &template, &graph), 0);
        assert_string_equal(buffer_text(&told.lines), expected);
        buffer_done(&told.lines);
}

static const char faulty[] =
        "Parameters:\n"
        "  P: {Tpye: String}\n"
        "Resources:\n"
        "  a-b: {Type: AWS::S3::Bucket}\n"
        "  A: {Type: AWS::S3::Bucket, DependsOn: [B, Q]}\n"
        "  B:\n"
        "    Type: AWS::S3::Bucket\n"
        "    DependsOn: A\n"
        "    Properties: {BucketName: !Reff x, Nmae: !Ref R, Tags: [{Key: a}]}\n"
        "Outputs:\n"
        "  O: {Value: !GetAtt A.Arm, Export: {Name: !Sub '${aws:x}'}}\n";

static void every_fault_is_told(void **state)
{
        (void)state;
        tells(faulty,
                "3 2:7 unknown key 'Tpye' (did you mean 'Type'?)\n"
                "3 2:6 the key 'Type' is missing\n"
                "4 4:3 'a-b': expected a name of letters and digits alone\n"
                "6 5:45 'Q' is no resource of the template (did you mean 'A'?)\n"
                "5 9:30 unknown function '!Reff' (did you mean '!Ref'?)\n"
                "6 9:45 'R' is no parameter and no resource of the template (did you mean 'P'?)\n"
                "9 5:3 resources need each other: A -> B -> A\n"
                "8 11:14 'A' is of type AWS::S3::Bucket, which has no attribute 'Arm' (did you "
                "mean "
                "'Arn'?)\n"
                "7 11:44 'aws:x' is no name of the template's; a variable of IAM's is written "
                "${!aws:x} within Fn::Sub\n"
                "5 9:30 unknown function '!Reff' (did you mean '!Ref'?)\n"
                "10 9:39 B: AWS::S3::Bucket has no property 'Nmae' here\n"
                "11 9:60 B: AWS::S3::Bucket needs the property 'Value'\n");
}

static void what_is_no_yaml_is_one_fault(void **state)
{
        (void)state;
        tells("Resources:\n  A: {\n", "0 3:1 did not find expected node content\n");
        tells("", "3 1:1 expected a template: an object with 'Resources'\n");
}

static void the_first_one_told_can_end_it(void **state)
{
        (void)state;
        for (unsigned count = 0; count < 12; count++) {
                _cleanup_(cfn_template_free) CfnTemplate *template = NULL;
                _cleanup_(cfn_graph_free) CfnGraph *graph = NULL;
                Told told = {BUFFER_INIT(4096), count};
                const CfnCollector collector = {tell, &told};

                assert_int_equal(collect(faulty, &collector, &template, &graph), -ECANCELED);
                buffer_done(&told.lines);
        }
}

/* Each cycle is told, and what hangs on one still has its place behind it. */
static void cycles_are_cut_open(void **state)
{
        static const char text[] = "Resources:\n"
                                   "  A: {Type: X::Y::Z, DependsOn: B}\n"
                                   "  B: {Type: X::Y::Z, DependsOn: A}\n"
                                   "  C: {Type: X::Y::Z, DependsOn: [A, D]}\n"
                                   "  D: {Type: X::Y::Z, DependsOn: [D]}\n";
        _cleanup_(cfn_template_free) CfnTemplate *template = NULL;
        _cleanup_(cfn_graph_free) CfnGraph *graph = NULL;
        Told told = {BUFFER_INIT(4096), UINT32_MAX};
        const CfnCollector collector = {tell, &told};
        char order[5] = "";

        (void)state;
        assert_int_equal(collect(text, &collector, &template, &graph), 0);
        assert_string_equal(buffer_text(&told.lines),
                "9 2:3 resources need each other: A -> B -> A\n"
                "9 5:3 resources need each other: D -> D\n");
        for (size_t i = 0; i < graph->count; i++)
                order[i] = template->resources[graph->order[i]].name[0];
        assert_string_equal(order, "ABDC");
        buffer_done(&told.lines);
}

/* A count over the limit is a fault, and what is over the bound is not looked at. */
static void too_many_are_counted_and_bounded(void **state)
{
        _cleanup_(cfn_template_free) CfnTemplate *template = NULL;
        _cleanup_(cfn_graph_free) CfnGraph *graph = NULL;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(1024 * 1024);
        Told told = {BUFFER_INIT(4096), UINT32_MAX};
        const CfnCollector collector = {tell, &told};

        (void)state;
        assert_int_equal(buffer_append_text(&text, "Resources:\n"), 0);
        for (unsigned i = 0; i < 2100; i++)
                assert_int_equal(
                        buffer_append_format(&text, "  A%u: {Type: AWS::S3::Bucket}\n", i), 0);
        assert_int_equal(collect(buffer_text(&text), &collector, &template, &graph), 0);
        assert_string_equal(
                buffer_text(&told.lines), "2 2:3 Resources: expected at most 500, found 2100\n");
        assert_int_equal(template->n_resources, CFN_TEMPLATE_READ_ENTRIES_MAX);
        assert_null(cfn_template_nearest(template, CFN_RESOURCES, "Nothing"));
        buffer_done(&told.lines);
}

TESTS_MAIN(cmocka_unit_test(every_fault_is_told),
        cmocka_unit_test(what_is_no_yaml_is_one_fault),
        cmocka_unit_test(the_first_one_told_can_end_it),
        cmocka_unit_test(cycles_are_cut_open),
        cmocka_unit_test(too_many_are_counted_and_bounded))
