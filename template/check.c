#include "template/check.h"

#include "base/text.h"
#include "cfn/resource.h"
#include "template/check-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTENCE_MAX (ERROR_TEXT_MAX - 1)

static const CheckGroup groups[] = {
        {"What is no template", check_template_rules},
        {"Limits", check_limits_rules},
        {"References", check_references_rules},
        {"Properties", check_values_rules},
        {"Wait conditions", check_wait_rules},
        {"Instances and user-data", check_instance_rules},
        {"Metadata service", check_metadata_rules},
        {"Security groups", check_network_rules},
        {"Members of a cluster", check_members_rules},
        {"Policies", check_iam_rules},
        {"Roles and secrets", check_roles_rules},
        {"Volumes and buckets", check_storage_rules},
        {"Secrets", check_secrets_rules},
        {"Other regions, accounts and partitions", check_portable_rules},
};

const CheckGroup *check_groups(size_t *ret_count)
{
        *ret_count = ELEMENTS(groups);
        return groups;
}

const char *check_severity_name(CheckSeverity severity)
{
        static const char *const names[] = {
                [CHECK_NOTE] = "note", [CHECK_WARNING] = "warning", [CHECK_ERROR] = "error"};

        return names[severity];
}

static void add(Check *check, const YamlNode *node, const char *sentence)
{
        CheckReport *report = check->report;
        char *text;

        if (check->failure < 0 || report->count >= CHECK_FINDINGS_MAX) {
                report->cut = true;
                return;
        }
        if (report->count == report->allocated) {
                size_t allocated = report->allocated ? 2 * report->allocated : 16;
                CheckFinding *findings =
                        reallocarray(report->findings, allocated, sizeof(*findings));

                if (!findings) {
                        check->failure = -ENOMEM;
                        return;
                }
                report->findings = findings;
                report->allocated = allocated;
        }

        text = text_copy(sentence);
        if (!text) {
                check->failure = -ENOMEM;
                return;
        }
        report->findings[report->count++] =
                (CheckFinding){check->rule, check->rule->severity, node->line, node->column, text};
}

void check_tell(Check *check, const YamlNode *node, const char *format, ...)
{
        char text[SENTENCE_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        text_mend_utf8(text);
        text_flatten(text);
        add(check, node, text);
}

/* What reading finds. Behind it, rules ask the same functions again: what those tell is known. */
typedef struct Collecting {
        Check *check;
        bool over;
} Collecting;

static int collect(CfnFault fault, const YamlNode *node, const char *sentence, void *userdata)
{
        const Collecting *collecting = userdata;

        if (!collecting->over)
                check_tell_fault(collecting->check, fault, node, sentence);
        return collecting->check->failure;
}

/* A macro may make right what it is given: of what it hides, nothing is certain. */
static void doubt(CheckReport *report)
{
        for (size_t i = 0; i < report->count; i++)
                if (report->findings[i].severity == CHECK_ERROR)
                        report->findings[i].severity = CHECK_WARNING;
}

/* Each row of `above`: what a resource needs, and what that needs, which comes before it. */
static unsigned char *close_over(const CfnGraph *graph)
{
        size_t count = graph->count;
        unsigned char *above = calloc(count * count + 1, 1);

        for (size_t i = 0; above && i < count; i++) {
                unsigned char *row = above + graph->order[i] * count;

                memcpy(row, graph->needs + graph->order[i] * count, count);
                for (size_t k = 0; k < count; k++)
                        if (graph->needs[graph->order[i] * count + k])
                                for (size_t j = 0; j < count; j++)
                                        row[j] |= above[k * count + j];
        }
        return above;
}

/* For each resource, from the last on, the next one of its type. */
static const CfnResource **link_alike(const CfnTemplate *template)
{
        size_t count = template->n_resources, n_types = 0;
        const CfnResource **alike = (const CfnResource **)calloc(count + 1, sizeof(*alike));
        _cleanup_(free) size_t *firsts = calloc(count + 1, sizeof(*firsts)); /* one for each type */

        if (!firsts) {
                free((void *)alike);
                return NULL;
        }
        for (size_t i = count; alike && i-- > 0;) {
                size_t k = 0;

                while (k < n_types && !text_equal(template->resources[firsts[k]].type,
                                              template->resources[i].type))
                        k++;
                if (k == n_types)
                        n_types++;
                else
                        alike[i] = &template->resources[firsts[k]];
                firsts[k] = i;
        }
        return alike;
}

static void look(Check *check)
{
        for (size_t i = 0; i < ELEMENTS(groups); i++)
                for (const CheckRule *rule = groups[i].rules; rule->name; rule++) {
                        check->rule = rule;
                        if (rule->look)
                                rule->look(check);
                }
}

static int by_place(const void *a, const void *b)
{
        const CheckFinding *one = a, *other = b;

        if (one->line != other->line)
                return one->line < other->line ? -1 : 1;
        if (one->column != other->column)
                return one->column < other->column ? -1 : 1;
        if (one->severity != other->severity)
                return one->severity > other->severity ? -1 : 1;
        return strcmp(one->text, other->text);
}

/* In the order of the text; what was found twice on two ways is one finding. */
static void sort(CheckReport *report)
{
        size_t kept = 0;

        if (report->count == 0)
                return;
        qsort(report->findings, report->count, sizeof(*report->findings), by_place);
        for (size_t i = 0; i < report->count; i++)
                if (i > 0 && by_place(&report->findings[kept - 1], &report->findings[i]) == 0)
                        free(report->findings[i].text);
                else
                        report->findings[kept++] = report->findings[i];
        report->count = kept;
}

int check_template(
        const char *name, const char *text, size_t size, CheckReport *ret, Error *ret_error)
{
        _cleanup_(check_report_done) CheckReport report = {};
        _cleanup_(cfn_template_free) CfnTemplate *template = NULL;
        _cleanup_(cfn_graph_free) CfnGraph *graph = NULL;
        _cleanup_(free) unsigned char *above = NULL;
        _cleanup_(free) const CfnResource **alike = NULL;
        Check check = {.text = text, .size = size, .report = &report};
        Collecting collecting = {.check = &check};
        const CfnCollector collector = {collect, &collecting};
        int r;

        r = cfn_template_collect(name, text, size, &collector, &template, ret_error);
        check.template = template;
        if (r == 0)
                r = cfn_graph_new(template, &graph, ret_error);
        for (size_t i = 0; r == 0 && i < template->n_resources; i++)
                r = cfn_resource_check(template, &template->resources[i], ret_error);
        if (r == 0) {
                collecting.over = true;
                check.graph = graph;
                check.above = above = close_over(graph);
                check.alike = alike = link_alike(template);
                if (template->transform)
                        doubt(&report);
                if (template->document && above && alike)
                        look(&check);
        }
        if (r < 0 || !above || !alike || check.failure < 0)
                return error_set(ret_error, -ENOMEM, "cannot check '%s': %m", name);

        sort(&report);
        *ret = TAKE_STRUCT(report);
        return 0;
}

void check_report_done(CheckReport *report)
{
        for (size_t i = 0; i < report->count; i++)
                free(report->findings[i].text);
        free(report->findings);
        *report = (CheckReport){};
}

size_t check_report_count(const CheckReport *report, CheckSeverity severity)
{
        size_t count = 0;

        for (size_t i = 0; i < report->count; i++)
                count += report->findings[i].severity == severity;
        return count;
}
