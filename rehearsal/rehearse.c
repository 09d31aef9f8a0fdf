#include "rehearsal/rehearse.h"

#include "base/file.h"
#include "base/text.h"
#include "cfn/template.h"
#include "rehearsal/capture.h"
#include "rehearsal/foreign.h"
#include "rehearsal/ground.h"
#include "rehearsal/rehearse-options.h"
#include "rehearsal/s3-server.h"
#include "rehearsal/stack-faults.h"
#include "rehearsal/telling.h"
#include "rehearsal/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define TEMPLATE_MAX CFN_TEMPLATE_SIZE_MAX
#define SVG_MAX      (8U * 1024U * 1024U)
#define LINGER_TIME  (3 * USEC_PER_SEC)
#define LINGER_STEP  (5 * USEC_PER_MSEC)

/* A rehearsal in its course. */
typedef struct Rehearsal {
        RehearseOptions options;
        Ground ground;
        S3Server *s3; /* NULL: the embedded one */
        CfnTemplate *template;
        CfnParameterSet parameters;
        CfnTemplate *next; /* of --update; NULL: none */
        CfnParameterSet next_parameters;
        bool updated; /* the update has begun */
        int update_status;
        Error update_error;
        Stack *stack;
        EventTimer *linger;
        Usec linger_until;
        bool held;                           /* behind the stack's end, all having been said */
        StackFault faults[STACK_FAULTS_MAX]; /* those of the machines */
        size_t n_faults;
        char *failure; /* "NAME: the reason", of the first resource that failed; NULL: none */
} Rehearsal;

static void rehearsal_done(Rehearsal *rehearsal)
{
        rehearsal->stack = stack_free(rehearsal->stack);
        rehearsal->linger = event_timer_free(rehearsal->linger);
        cfn_parameter_set_done(&rehearsal->parameters);
        rehearsal->template = cfn_template_free(rehearsal->template);
        cfn_parameter_set_done(&rehearsal->next_parameters);
        rehearsal->next = cfn_template_free(rehearsal->next);
        ground_done(&rehearsal->ground);
        rehearsal->s3 = s3_server_free(rehearsal->s3);
        free(rehearsal->failure);
}
DEFINE_CLEANUP_IN_PLACE(Rehearsal, rehearsal_done);

/* --- the template --- */

static void add_word(char **words, size_t *count, const char *format, const char *value)
{
        if (value)
                words[(*count)++] = text_format("%s%s", format, value);
}

static int create_template(Rehearsal *rehearsal, Error *ret_error)
{
        const RehearseOptions *options = &rehearsal->options;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(TEMPLATE_MAX);
        char *words[8] = {rehearsal->ground.creator, (char[]){"create"}};
        char agents[24];
        size_t count = 2;
        int status = 0, r;

        (void)snprintf(agents, sizeof(agents), "%" PRId64, options->agents);
        add_word(words, &count, "--agents=", agents);
        add_word(words, &count, "--swarm=", options->swarm);
        add_word(words, &count, "--components=", options->components);
        add_word(words, &count, "--keep-secrets", options->keep_secrets ? "" : NULL);
        r = capture_output(words, &text, &status, ret_error);
        for (size_t i = 2; i < count; i++)
                free(words[i]);
        if (r < 0)
                return r;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot rehearse: flocker-template create made no template");
        return cfn_template_parse("flocker-template create",
                buffer_text(&text),
                text.size,
                &rehearsal->template,
                ret_error);
}

static int read_template(Rehearsal *rehearsal, Error *ret_error)
{
        const RehearseOptions *options = &rehearsal->options;
        CfnMadeUp made_up = {.told = telling_made_up};
        int r;

        if (rehearsal->options.template_path)
                r = cfn_template_load(
                        rehearsal->options.template_path, &rehearsal->template, ret_error);
        else
                r = create_template(rehearsal, ret_error);
        if (r == 0)
                r = foreign_check(rehearsal->template, ret_error);
        if (r == 0)
                r = cfn_parameter_set_read(rehearsal->template,
                        options->parameters.texts,
                        options->parameters.count,
                        &made_up,
                        &rehearsal->parameters,
                        ret_error);
        return r;
}

/* Its values are those of the stack; what was made up has been told then. */
static int read_update(Rehearsal *rehearsal, Error *ret_error)
{
        const RehearseOptions *options = &rehearsal->options;
        CfnMadeUp made_up = {.told = telling_made_up_again};
        int r;

        if (!options->update)
                return 0;
        r = cfn_template_load(options->update, &rehearsal->next, ret_error);
        if (r < 0)
                return r;
        return cfn_parameter_set_read(rehearsal->next,
                options->parameters.texts,
                options->parameters.count,
                &made_up,
                &rehearsal->next_parameters,
                ret_error);
}

/* --- what is told --- */

static void on_event(const StackEvent *event, void *userdata)
{
        Rehearsal *rehearsal = userdata;

        if (!rehearsal->failure && event->reason && text_equal(event->status, "CREATE_FAILED"))
                rehearsal->failure = text_format("%s: %s", event->name, event->reason);
        telling_event(event);
}

static void on_said(const char *name, const char *line, void *userdata)
{
        Rehearsal *rehearsal = userdata;

        if (rehearsal->options.quiet)
                return;
        printf("            %-12s %s\n", name, line);
        (void)fflush(stdout);
}

static void on_share(const char *text, void *userdata)
{
        (void)userdata;
        printf("%s\n", text);
}

static int draw(const Rehearsal *rehearsal, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer svg = BUFFER_INIT(SVG_MAX);
        _cleanup_(free) Timeline *timeline = calloc(1, sizeof(*timeline));
        int r = timeline ? 0 : -ENOMEM;

        if (r < 0)
                return error_set(ret_error, r, "cannot draw the timeline: %m");
        timeline->began = stack_began(rehearsal->stack);
        timeline->ended = clock_wall(&clock_system);
        (void)snprintf(timeline->title,
                sizeof(timeline->title),
                "stack %s",
                rehearsal->options.stack_name);
        for (size_t i = 0; i < stack_count_instances(rehearsal->stack) && r == 0; i++) {
                StackInstance instance = stack_get_instance(rehearsal->stack, i);

                r = timeline_add(
                        timeline, instance.name, instance.root, instance.launched, ret_error);
        }
        if (r < 0)
                return r;
        if (stack_state(rehearsal->stack) == STACK_COMPLETE) {
                printf("\nCritical path:\n");
                timeline_explain(timeline, telling_line, NULL);
                timeline_explain_shares(timeline, on_share, NULL);
        }
        if (!rehearsal->options.timeline)
                return 0;
        r = timeline_draw(timeline, &svg, ret_error);
        if (r == 0)
                r = file_write_atomic(AT_FDCWD,
                        rehearsal->options.timeline,
                        buffer_text(&svg),
                        svg.size,
                        0644,
                        ret_error);
        if (r == 0)
                printf("\nTimeline: %s\n", rehearsal->options.timeline);
        return r;
}

/* What is behind a failure, for whom the events have scrolled away. */
static void print_failure(const Rehearsal *rehearsal)
{
        printf("\nFailed:\n  %s\n", rehearsal->failure ? rehearsal->failure : "without a reason");
        if (!rehearsal->options.keep)
                printf("  (--keep leaves the machines' files%s to look at)\n",
                        rehearsal->s3 ? "" : " and the store's objects");
}

static int keep(const Rehearsal *rehearsal, Error *ret_error)
{
        const char *folder = rehearsal->ground.folder;
        _cleanup_(free) char *store = text_format("%s/s3", folder);
        int r = store ? cloud_save(rehearsal->ground.cloud, store, ret_error) : -ENOMEM;

        if (rehearsal->s3)
                printf("\nKept: %s (a folder for each machine; the store is at %s)\n",
                        folder,
                        rehearsal->s3->url);
        else
                printf("\nKept: %s (a folder for each machine, and s3 with what was in the "
                       "buckets)\n",
                        folder);
        return r;
}

/* What there is to say at the stack's end. */
static int report(Rehearsal *rehearsal, Error *ret_error)
{
        int r = 0;

        if (stack_state(rehearsal->stack) == STACK_COMPLETE) {
                printf("\nOutputs:\n");
                r = stack_list_outputs(rehearsal->stack, telling_output, NULL, ret_error);
        } else {
                print_failure(rehearsal);
        }
        return r == 0 ? draw(rehearsal, ret_error) : r;
}

static void hold(Rehearsal *rehearsal)
{
        Error error = ERROR_INIT;

        if (report(rehearsal, &error) < 0)
                (void)command_fail(&rehearse_options_line, -EIO, &error);
        rehearsal->held = true;
        printf("\nHeld: %s", rehearsal->ground.folder);
        if (rehearsal->ground.machines)
                printf("; machines are moved about by its socket 'control'");
        printf("\nCtrl-C ends it.\n");
        (void)fflush(stdout);
}

static int conclude(Rehearsal *rehearsal, Error *ret_error)
{
        bool complete = stack_state(rehearsal->stack) == STACK_COMPLETE;
        int r = 0;

        if (rehearsal->ground.interrupted && !rehearsal->held) {
                printf("interrupted: everything is taken away\n");
                return REHEARSE_FAILED;
        }
        if (rehearsal->update_status < 0) {
                *ret_error = rehearsal->update_error;
                return rehearsal->update_status;
        }
        if (!rehearsal->held)
                r = report(rehearsal, ret_error);
        if (r == 0 && rehearsal->options.keep)
                r = keep(rehearsal, ret_error);
        return r < 0 ? r : complete ? 0 : REHEARSE_FAILED;
}

/* False: there is none to begin any more. */
static bool begin_update(Rehearsal *rehearsal)
{
        if (!rehearsal->next || rehearsal->updated ||
                stack_state(rehearsal->stack) != STACK_COMPLETE)
                return false;
        rehearsal->updated = true;
        rehearsal->update_status = stack_update(rehearsal->stack,
                rehearsal->next,
                &rehearsal->next_parameters,
                &rehearsal->update_error);
        return rehearsal->update_status == 0;
}

/* Machines that have signalled still write down that they have. */
static void on_linger(void *userdata)
{
        Rehearsal *rehearsal = userdata;

        if (stack_count_running(rehearsal->stack) > 0 &&
                !clock_passed(&clock_system, rehearsal->linger_until))
                event_timer_set(rehearsal->linger, LINGER_STEP);
        else if (begin_update(rehearsal))
                return; /* the stack tells when it is done */
        else if (rehearsal->options.hold)
                hold(rehearsal);
        else
                event_loop_end(rehearsal->ground.loop);
}

static void on_finished(StackState state, void *userdata)
{
        Rehearsal *rehearsal = userdata;
        Usec time = state == STACK_COMPLETE ? LINGER_TIME : 0;

        rehearsal->linger_until = clock_deadline(&clock_system, time);
        event_timer_set(rehearsal->linger, 0);
}

/* --- the course --- */

static int run_stack(Rehearsal *rehearsal, Error *ret_error)
{
        const RehearseOptions *options = &rehearsal->options;
        StackOptions stack = {
                .loop = rehearsal->ground.loop,
                .cloud = rehearsal->ground.cloud,
                .machines = rehearsal->ground.machines,
                .template = rehearsal->template,
                .parameters = &rehearsal->parameters,
                .name = options->stack_name,
                .folder = rehearsal->ground.folder,
                .network = rehearsal->ground.network,
                .rehearsal = rehearsal->ground.self,
                .bootstrap = rehearsal->ground.bootstrap,
                .keys = options->keys ? options->keys_path : NULL,
                .keys_lifetime = options->keys_lifetime,
                .faults = rehearsal->faults,
                .n_faults = rehearsal->n_faults,
                .disable_rollback = options->disable_rollback,
                .event = on_event,
                .note = telling_note,
                .said = on_said,
                .finished = on_finished,
                .userdata = rehearsal,
        };
        int r;

        if (event_timer_new(rehearsal->ground.loop, on_linger, rehearsal, &rehearsal->linger) < 0)
                return error_set(ret_error, -ENOMEM, "cannot rehearse: %m");
        r = stack_new(&stack, &rehearsal->stack, ret_error);
        if (r < 0)
                return r;
        event_loop_run(rehearsal->ground.loop);
        stack_faults_tell_idle(&rehearsal->options.fault_set, telling_note);
        return conclude(rehearsal, ret_error);
}

/* Somebody else's S3 is asked before anything is made. */
static int find_s3(Rehearsal *rehearsal, Error *ret_error)
{
        S3ServerOptions server = {
                .url = rehearsal->options.s3,
                .faults = &rehearsal->options.fault_set,
                .template = rehearsal->template,
                .next = rehearsal->next,
                .note = telling_note,
        };
        int r = s3_server_open(&server, &rehearsal->s3, ret_error);

        rehearsal->ground.s3 = rehearsal->s3;
        return r;
}

static int rehearse(Rehearsal *rehearsal, Error *ret_error)
{
        int r = ground_find_programs(
                &rehearsal->ground, !rehearsal->options.template_path, ret_error);

        if (r == 0)
                r = rehearse_options_check(&rehearsal->options, ret_error);
        if (r == 0)
                r = read_template(rehearsal, ret_error);
        if (r == 0)
                r = read_update(rehearsal, ret_error);
        if (r == 0)
                r = stack_faults_find(&rehearsal->options.fault_set,
                        rehearsal->template,
                        rehearsal->next,
                        rehearsal->faults,
                        &rehearsal->n_faults,
                        ret_error);
        if (r == 0 && rehearsal->options.s3)
                r = find_s3(rehearsal, ret_error);
        if (r == 0)
                r = ground_open(&rehearsal->ground, ret_error);
        if (r == 0 && rehearsal->options.fault_set.count > 0)
                r = ground_expect_faults(
                        &rehearsal->ground, &rehearsal->options.fault_set, ret_error);
        return r < 0 ? r : run_stack(rehearsal, ret_error);
}

int rehearse_run(int argc, char *argv[])
{
        _cleanup_(rehearsal_done) Rehearsal rehearsal = {.ground = GROUND_INIT};
        Error error = ERROR_INIT;
        int status, r;

        if (rehearse_options_parse(&rehearsal.options, argc, argv, &status) == COMMAND_END)
                return status;
        rehearsal.ground.keep = rehearsal.options.keep;
        if (rehearsal.options.image)
                rehearsal.ground.containers = &rehearsal.options.containers;
        r = rehearse(&rehearsal, &error);
        return r < 0 ? command_fail(&rehearse_options_line, r, &error) : r;
}
