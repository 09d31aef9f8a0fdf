/* flocker-rehearsal diff: what an update of a stack from one template to another would replace,
 * stop, change or leave. Judged by rehearsal/change.h, as an update of a rehearsed stack is. */

#include "base/command.h"
#include "base/text.h"
#include "cfn/function.h"
#include "cfn/graph.h"
#include "rehearsal/change.h"
#include "rehearsal/cloud.h"
#include "rehearsal/foreign.h"
#include "rehearsal/rehearse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define STACK "flocker"

typedef struct Arguments {
        OptionTexts parameters;
        bool help;
} Arguments;

static const Option options[] = {
        {"parameter",
                0,
                OPTION_TEXTS,
                "NAME=VALUE",
                "a value for a parameter of both templates",
                offsetof(Arguments, parameters)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

/* What becomes of a resource, beside what change.h says. */
typedef enum Fate {
        FATE_LEFT,
        FATE_ADDED,
        FATE_REMOVED,
        FATE_CHANGED,
        FATE_STOPPED,
        FATE_REPLACED,
        FATE_REFUSED,
        _FATES,
} Fate;

static const struct {
        const char *verb, *counted;
} fates[_FATES] = {
        [FATE_LEFT] = {"left", "left as they are"},
        [FATE_ADDED] = {"added", "added"},
        [FATE_REMOVED] = {"removed", "removed"},
        [FATE_CHANGED] = {"changed", "changed in place"},
        [FATE_STOPPED] = {"stopped", "stopped and started"},
        [FATE_REPLACED] = {"replaced", "replaced"},
        [FATE_REFUSED] = {"refused", "whose update is refused"},
};

static Fate fate_of(Change change)
{
        switch (change) {
        case CHANGE_NONE:
                return FATE_LEFT;
        case CHANGE_IN_PLACE:
                return FATE_CHANGED;
        case CHANGE_RESTART:
                return FATE_STOPPED;
        case CHANGE_REPLACE:
                return FATE_REPLACED;
        case CHANGE_REFUSED:
                return FATE_REFUSED;
        }
        return FATE_REFUSED;
}

/* One of the two templates. */
typedef struct Side {
        CfnTemplate *template;
        CfnParameterSet parameters;
        CfnContext context;
} Side;

typedef struct Diff {
        Arguments arguments;
        Side before, after;
        CfnGraph *graph; /* of `after` */
        Fate *fates;     /* of its resources, as far as they are known */
        size_t counts[_FATES];
} Diff;

static void side_done(Side *side)
{
        cfn_parameter_set_done(&side->parameters);
        side->template = cfn_template_free(side->template);
}

static void diff_done(Diff *diff)
{
        side_done(&diff->before);
        side_done(&diff->after);
        diff->graph = cfn_graph_free(diff->graph);
        free(diff->fates);
}
DEFINE_CLEANUP_IN_PLACE(Diff, diff_done);

/* --- what names stand for --- */

static Json *name_it(const char *word, const char *name, const char *attribute)
{
        _cleanup_(free) char *text = text_format(
                "<%s%s%s%s>", word, name, attribute ? "." : "", attribute ? attribute : "");

        return text ? json_new_text(text) : NULL;
}

static int refer_before(const CfnResource *resource,
        const char *attribute,
        void *userdata,
        Json **ret,
        Error *ret_error)
{
        (void)userdata;
        *ret = name_it("", resource->name, attribute);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "no memory");
}

/* What is made anew has another id, and a launch template that is changed another version. */
static int refer_after(const CfnResource *resource,
        const char *attribute,
        void *userdata,
        Json **ret,
        Error *ret_error)
{
        const Diff *diff = userdata;
        Fate fate = diff->fates[resource - diff->after.template->resources];
        bool is_new = fate == FATE_REPLACED || fate == FATE_ADDED ||
                      (fate != FATE_LEFT && text_equal(attribute, "LatestVersionNumber"));

        *ret = name_it(is_new ? "new " : "", resource->name, attribute);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "no memory");
}

/* --- reading --- */

static int read_side(
        const Diff *diff, const char *path, CfnRefer refer, Side *ret, Error *ret_error)
{
        CfnMadeUp made_up = {};
        int r = cfn_template_load(path, &ret->template, ret_error);

        if (r == 0)
                r = foreign_check(ret->template, ret_error);
        if (r == 0)
                r = cfn_parameter_set_read(ret->template,
                        diff->arguments.parameters.texts,
                        diff->arguments.parameters.count,
                        &made_up,
                        &ret->parameters,
                        ret_error);
        ret->context = (CfnContext){
                .template = ret->template,
                .parameters = &ret->parameters,
                .region = CLOUD_REGION,
                .account = CLOUD_ACCOUNT,
                .partition = "aws",
                .url_suffix = "amazonaws.com",
                .stack_name = STACK,
                .stack_id = "<stack>",
                .refer = refer,
                .userdata = (void *)(uintptr_t)diff,
        };
        return r;
}

static int evaluate(const Side *side, const CfnResource *resource, Json **ret, Error *ret_error)
{
        if (resource->properties)
                return cfn_function_evaluate(&side->context, resource->properties, ret, ret_error);
        *ret = json_new_object();
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "no memory");
}

/* The resource of that name, if its condition holds; *ret NULL: there is none. */
static int find(const Side *side, const char *name, const CfnResource **ret, Error *ret_error)
{
        *ret = NULL;
        for (size_t i = 0; i < side->template->n_resources; i++) {
                const CfnResource *resource = &side->template->resources[i];
                bool exists = false;
                int r;

                if (!text_equal(resource->name, name))
                        continue;
                r = cfn_function_exists(&side->context, resource->condition, &exists, ret_error);
                if (r == 0 && exists)
                        *ret = resource;
                return r;
        }
        return 0;
}

/* --- telling --- */

static void tell(Diff *diff, Fate fate, const CfnResource *resource, const char *why)
{
        diff->counts[fate]++;
        if (fate != FATE_LEFT)
                printf("%-9s %-38s %-36s %s\n",
                        fates[fate].verb,
                        resource->type,
                        resource->name,
                        why ? why : "");
}

static int compare(
        Diff *diff, size_t index, const CfnResource *before, const CfnResource *after, Error *error)
{
        _cleanup_(json_free) Json *old = NULL, *new = NULL;
        const char *property = NULL;
        int r = evaluate(&diff->before, before, &old, error);

        if (r == 0)
                r = evaluate(&diff->after, after, &new, error);
        if (r < 0)
                return r;
        diff->fates[index] = fate_of(change_judge(after->type, old, new, &property));
        tell(diff, diff->fates[index], after, property);
        return 0;
}

static int judge(Diff *diff, size_t index, Error *ret_error)
{
        const CfnResource *named = &diff->after.template->resources[index], *before = NULL,
                          *after = NULL;
        int r = find(&diff->before, named->name, &before, ret_error);

        if (r == 0)
                r = find(&diff->after, named->name, &after, ret_error);
        if (r < 0 || !after)
                return r;
        if (before && text_equal(before->type, after->type))
                return compare(diff, index, before, after, ret_error);
        diff->fates[index] = before ? FATE_REFUSED : FATE_ADDED;
        tell(diff,
                diff->fates[index],
                after,
                before ? "its type changes: give it another name" : NULL);
        return 0;
}

static int tell_removed(Diff *diff, Error *ret_error)
{
        const CfnTemplate *template = diff->before.template;

        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *before = NULL, *after = NULL;
                int r = find(&diff->before, template->resources[i].name, &before, ret_error);

                if (r == 0)
                        r = find(&diff->after, template->resources[i].name, &after, ret_error);
                if (r < 0)
                        return r;
                if (before && !after)
                        tell(diff,
                                FATE_REMOVED,
                                before,
                                text_equal(before->deletion_policy, "Retain")
                                        ? "and kept (DeletionPolicy)"
                                        : NULL);
        }
        return 0;
}

static void tell_counts(const Diff *diff)
{
        const char *separator = "";

        for (size_t i = 0; i < _FATES; i++)
                if (diff->counts[i] > 0) {
                        printf("%s%zu %s", separator, diff->counts[i], fates[i].counted);
                        separator = ", ";
                }
        printf("\n");
}

static int run(Diff *diff, const char *before, const char *after, Error *ret_error)
{
        int r = read_side(diff, before, refer_before, &diff->before, ret_error);

        if (r == 0)
                r = read_side(diff, after, refer_after, &diff->after, ret_error);
        if (r == 0)
                r = cfn_graph_new(diff->after.template, &diff->graph, ret_error);
        if (r == 0 &&
                !(diff->fates = calloc(diff->after.template->n_resources, sizeof(*diff->fates))))
                r = error_set(ret_error, -ENOMEM, "cannot compare templates: %m");
        for (size_t i = 0; r == 0 && i < diff->after.template->n_resources; i++)
                r = judge(diff, diff->graph->order[i], ret_error);
        if (r == 0)
                r = tell_removed(diff, ret_error);
        if (r == 0)
                tell_counts(diff);
        return r;
}

int rehearse_diff(int argc, char *argv[])
{
        static const CommandLine line = {
                .program = "flocker-rehearsal diff",
                .operands = "BEFORE AFTER",
                .description = "Says what an update of a stack from the one template to the other "
                               "would replace,\nstop, change or leave, by the properties that "
                               "change. Ends with 0 if all is left\nas it is, 1 if not.",
                .options = options,
                .n_options = ELEMENTS(options),
                .max_operands = 2,
        };
        _cleanup_(diff_done) Diff diff = {};
        Error error = ERROR_INIT;
        int operands, status, r;

        if (command_parse(
                    &line, argc, argv, &diff.arguments, &diff.arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;
        if (argc - operands != 2) {
                r = error_set(&error, -EINVAL, "cannot compare: expected two templates");
                return command_fail(&line, r, &error);
        }
        r = run(&diff, argv[operands], argv[operands + 1], &error);
        if (r < 0)
                return command_fail(&line, r, &error);
        for (size_t i = FATE_ADDED; i < _FATES; i++)
                if (diff.counts[i] > 0)
                        return REHEARSE_FAILED;
        return EX_OK;
}
