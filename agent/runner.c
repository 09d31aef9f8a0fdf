#include "agent/runner.h"

#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 512U

typedef struct Run {
        Role *role;
        Record *record;
        const RunnerOptions *options;
        Usec began; /* of the step */
        const Step *step;
} Run;

static int check_name(
        const StepTable *table, const char *option, const char *name, Error *ret_error)
{
        const char *names[STEPS_MAX + 1] = {};
        char list[NAMES_MAX] = "";
        const char *nearest;

        if (!name || step_find(table, name))
                return 0;
        for (size_t i = 0; i < table->count && i < STEPS_MAX; i++) {
                size_t used = strlen(list);

                names[i] = table->steps[i].name;
                (void)snprintf(
                        list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", names[i]);
        }
        nearest = text_nearest(name, names);
        return error_set(ret_error,
                -EINVAL,
                "cannot use '--%s=%s': there is no such step%s%s%s; the role's steps are %s",
                option,
                name,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "",
                list);
}

int runner_check(const StepTable *table, const RunnerOptions *options, Error *ret_error)
{
        int r = check_name(table, "only", options->only, ret_error);

        if (r == 0)
                r = check_name(table, "from", options->from, ret_error);
        if (r == 0)
                r = check_name(table, "until", options->until, ret_error);
        return r == 0 ? check_name(table, "fault", options->fault_step, ret_error) : r;
}

/* Which of the table's steps are to be run. */
static size_t select_steps(const Role *role, const RunnerOptions *options, const Step **ret)
{
        const StepTable *table = step_table((RoleKind)role->settings->role);
        bool inside = !options->from && !options->only, past = false;
        size_t count = 0;

        for (size_t i = 0; i < table->count; i++) {
                const Step *step = &table->steps[i];
                bool wanted;

                inside |= text_equal(step->name, options->from);
                wanted = options->only ? text_equal(step->name, options->only) : inside && !past;
                past |= text_equal(step->name, options->until);
                if (step->components && !(step->components & role->settings->components))
                        continue;
                if (wanted || i == 0)
                        ret[count++] = step;
        }
        return count;
}

static void tell(Run *run, RunnerEvent event, const char *name, int code, const Error *error)
{
        Usec took = event == RUNNER_STARTED || event == RUNNER_SKIPPED
                            ? USEC_INFINITY
                            : clock_now(run->role->clock) - run->began;
        RecordEvent line = {
                .step = run->step->name,
                .event = name,
                .took = took,
                .error = error ? error->text : NULL,
        };

        run->record->instance = run->role->instance.identity.instance_id;
        record_event(run->record, &line);
        run->options->tell(event, run->step, took, code, error, run->options->userdata);
}

static int misbehave(const Run *run, Error *ret_error)
{
        if (!text_equal(run->step->name, run->options->fault_step))
                return 0;
        switch (run->options->fault) {
        case RUNNER_FAULT_KILL:
                (void)raise(SIGKILL);
                break;
        case RUNNER_FAULT_HANG:
                (void)raise(SIGSTOP);
                break;
        case RUNNER_FAULT_FAIL:
                return error_set(
                        ret_error, -EIO, "cannot run '%s': --fault makes it fail", run->step->name);
        case RUNNER_FAULT_NONE:
                break;
        }
        return 0;
}

static int do_step(Run *run, bool *ret_skipped, Error *ret_error)
{
        Role *role = run->role;
        const Step *step = run->step;
        int r = misbehave(run, ret_error);

        if (r == 0 && step->is_done && !run->options->again)
                r = step->is_done(role, ret_skipped, ret_error);
        if (r < 0 || *ret_skipped)
                return r;
        return step->run(role, ret_error);
}

static Usec limit_step(const Run *run)
{
        const Role *role = run->role;

        if (run->step->patience == STEP_WAITS_FOR_OTHERS)
                return role->deadline;
        return usec_min(role->deadline, clock_deadline(role->clock, role->settings->step_timeout));
}

/* The failure is told first: what it takes to put things back must not keep others waiting. */
static void fail(Run *run, int code, const Error *error)
{
        Error undoing = ERROR_INIT;

        tell(run, RUNNER_FAILED, "failed", code, error);
        if (!run->step->undo || run->role->dry_run)
                return;
        if (run->step->undo(run->role, &undoing) < 0)
                role_say(run->role,
                        ROLE_WARNING,
                        "not all is as it was before %s: %s",
                        run->step->name,
                        undoing.text);
}

static int run_step(Run *run, Error *ret_error)
{
        Error error = ERROR_INIT;
        bool skipped = false;
        int r;

        run->began = clock_now(run->role->clock);
        run->role->step_deadline = limit_step(run);
        tell(run, RUNNER_STARTED, "started", 0, NULL);
        r = do_step(run, &skipped, &error);
        if (r < 0) {
                fail(run, r, &error);
                (void)error_prefix(&error, r, "%s", run->step->name);
                if (ret_error)
                        *ret_error = error;
                return r;
        }
        tell(run, skipped ? RUNNER_SKIPPED : RUNNER_DONE, skipped ? "skipped" : "done", 0, NULL);
        return 0;
}

int runner_run(Role *role, Record *record, const RunnerOptions *options, Error *ret_error)
{
        Run run = {.role = role, .record = record, .options = options};
        const Step *steps[STEPS_MAX];
        size_t count = select_steps(role, options, steps);
        int r = 0;

        for (size_t i = 0; i < count && r == 0; i++) {
                run.step = steps[i];
                r = run_step(&run, ret_error);
        }
        if (r < 0 || role->dry_run || options->only || options->from || options->until)
                return r;
        role->state.complete = true;
        return state_save(role->root_fd, &role->state, ret_error);
}
