#include "agent/run.h"

#include "agent/failure.h"
#include "agent/machine.h"
#include "agent/progress.h"
#include "agent/record.h"
#include "agent/runner.h"
#include "agent/sources.h"
#include "agent/supervisor.h"
#include "base/command.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "host/systemd.h"
#include "roles/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define METADATA_TIME (5 * USEC_PER_MINUTE) /* a boot may be ahead of its metadata */
#define SIGNAL_MARGIN (20 * USEC_PER_SEC)   /* before the stack's own time-out */
#define STEP_GRACE    (300 * USEC_PER_MSEC) /* for a step to say itself that its time is up */
#define IDENTITY_TIME (300 * USEC_PER_MSEC)
#define TELLING_MARGIN                                                             \
        (10 * USEC_PER_SEC) /* that a watchdog gives to what has a deadline itself \
                             */

typedef struct Arguments {
        SettingsTexts settings;
        const char *root, *only, *from, *until, *fault;
        bool again, dry_run, json, force_role, at_boot, help;
} Arguments;

static const Option own_options[] = {
        {"root",
                0,
                OPTION_TEXT,
                "DIR",
                "this machine's files lie below DIR (/)",
                offsetof(Arguments, root)},
        {"only", 0, OPTION_TEXT, "STEP", "run this step alone", offsetof(Arguments, only)},
        {"from", 0, OPTION_TEXT, "STEP", "begin with this step", offsetof(Arguments, from)},
        {"until", 0, OPTION_TEXT, "STEP", "end with this step", offsetof(Arguments, until)},
        {"again",
                0,
                OPTION_FLAG,
                NULL,
                "also run steps that are done already",
                offsetof(Arguments, again)},
        {"dry-run",
                0,
                OPTION_FLAG,
                NULL,
                "change nothing: say what would be changed",
                offsetof(Arguments, dry_run)},
        {"json",
                0,
                OPTION_FLAG,
                NULL,
                "print the journal of steps as it is written",
                offsetof(Arguments, json)},
        {"force-role",
                0,
                OPTION_FLAG,
                NULL,
                "become what --role says, whatever the document says",
                offsetof(Arguments, force_role)},
        {"at-boot",
                0,
                OPTION_FLAG,
                NULL,
                "the unit's: a machine that is told no role has nothing to do",
                offsetof(Arguments, at_boot)},
        {"fault",
                0,
                OPTION_TEXT,
                "STEP:KIND",
                "rehearsals, with --root: kill, hang or fail at this step",
                offsetof(Arguments, fault)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

/* All that a run is made of. */
typedef struct Run {
        Arguments arguments;
        CommandLine line;
        const char *document;
        SettingsBook book;
        MetadataIdentity identity; /* instance_id NULL: not known */
        RunnerOptions runner;
        Progress progress;
        Record record;
        const SupervisorLine *supervisor; /* in the worker; NULL in a dry run */
        const char *root;
        int root_fd;
        Usec deadline;
        const char *step;    /* of the worker, now */
        char waits_for[256]; /* likewise; "": nothing */
} Run;

static void run_done(Run *run)
{
        settings_book_done(&run->book);
        metadata_identity_done(&run->identity);
        progress_done(&run->progress);
        record_done(&run->record);
        close_p(&run->root_fd);
}
DEFINE_CLEANUP_IN_PLACE(Run, run_done);

/* --- settings --- */

/* By the instance's launch and the stack's time-out; by hand, when that is past, from now. Agents
 * wait for control, and the client for all: each gives up behind those it waits for, so that who
 * knows the reason is heard first. */
static Usec find_deadline(const Run *run)
{
        static const unsigned quarters[] = {
                [ROLE_NONE] = 4, [ROLE_CONTROL] = 4, [ROLE_AGENT] = 3, [ROLE_CLIENT] = 2};
        Usec timeout = run->book.settings.timeout, wall = clock_wall(&clock_system);
        Usec margin = usec_min(SIGNAL_MARGIN, timeout / 10) * quarters[run->book.settings.role] / 4;
        Usec launched = run->identity.launched;
        Usec end = launched + timeout - margin;

        if (run->identity.instance_id && end > wall && launched <= wall + USEC_PER_MINUTE)
                return clock_deadline(&clock_system, end - wall);
        return clock_deadline(&clock_system, timeout - margin);
}

/* --- the worker --- */

static void on_step(RunnerEvent event,
        const Step *step,
        Usec took,
        int code,
        const Error *error,
        void *userdata)
{
        Run *run = userdata;
        Usec limit =
                step->patience == STEP_WAITS_FOR_OTHERS
                        ? run->deadline
                        : usec_min(run->deadline,
                                  clock_deadline(&clock_system, run->book.settings.step_timeout));

        run->step = step->name;
        run->waits_for[0] = '\0';
        switch (event) {
        case RUNNER_STARTED:
                progress_step_started(&run->progress, step->name);
                if (run->supervisor)
                        supervisor_tell_step(run->supervisor, step->name, limit + STEP_GRACE);
                break;
        case RUNNER_DONE:
                if (!run->arguments.dry_run)
                        progress_step_done(&run->progress, step->name, took);
                break;
        case RUNNER_SKIPPED:
                progress_step_skipped(&run->progress, step->name);
                break;
        case RUNNER_FAILED:
                if (run->supervisor)
                        supervisor_tell_failure(run->supervisor, step->name, code, error);
                break;
        }
}

static void on_note(RoleNote note, const char *text, void *userdata)
{
        Run *run = userdata;
        RecordEvent waiting = {
                .step = run->step, .event = "waiting", .waits_for = text, .took = USEC_INFINITY};
        RecordEvent would = {
                .step = run->step, .event = "would", .what = text, .took = USEC_INFINITY};

        switch (note) {
        case ROLE_NOTE:
                progress_note(&run->progress, LOG_LEVEL_NOTICE, text);
                break;
        case ROLE_WARNING:
                progress_note(&run->progress, LOG_LEVEL_WARNING, text);
                break;
        case ROLE_WOULD:
                record_event(&run->record, &would);
                progress_would(&run->progress, run->step, text);
                break;
        case ROLE_WAITING:
                if (text_equal(
                            run->waits_for, text)) /* each poll says it; a reader wants it once */
                        break;
                (void)text_put(run->waits_for, sizeof(run->waits_for), text);
                record_event(&run->record, &waiting);
                progress_waiting(&run->progress, run->step, text);
                break;
        }
}

/* RSA keys take seconds of all cores and wait for nothing: begun before metadata is asked. */
static int start_keys(Role *role, Error *ret_error)
{
        const Settings *settings = role->settings;
        KeyPool *pool;
        int r;

        if (settings->role != ROLE_CONTROL || !settings_have(settings, COMPONENT_FLOCKER) ||
                role->dry_run ||
                faccessat(role->root_fd, PATH_FLOCKER_CA, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        r = role_get_pool(role, &pool, ret_error);
        return r < 0 ? r
                     : key_pool_request(
                               pool, KEY_RSA_4096, 3 + 2 * (size_t)settings->agents, ret_error);
}

static int do_role(Run *run, Error *ret_error)
{
        _cleanup_(machine_done) Machine machine = {};
        int r = machine_open(METADATA_TIME, &machine, ret_error);

        if (r < 0)
                return r;
        _cleanup_(role_done) Role role = {
                .settings = &run->book.settings,
                .clock = &clock_system,
                .random = &random_system,
                .http = machine.http,
                .metadata = machine.metadata,
                .credentials = machine.credentials,
                .root = run->root,
                .root_fd = run->root_fd,
                .deadline = run->deadline,
                .step_deadline = run->deadline,
                .dry_run = run->arguments.dry_run,
                .say = on_note,
                .say_userdata = run,
        };
        r = start_keys(&role, ret_error);
        return r < 0 ? r : runner_run(&role, &run->record, &run->runner, ret_error);
}

static int work(const SupervisorLine *line, void *userdata)
{
        Run *run = userdata;
        Error error = ERROR_INIT;
        int r;

        run->supervisor = line;
        r = do_role(run, &error);
        if (r < 0) /* a failure outside of the steps; of a step it has been told, and once counts */
                supervisor_tell_failure(line, run->step ? run->step : "", r, &error);
        return r;
}

/* --- the parent --- */

static void report(Run *run, const char *step, const Error *error)
{
        FailureOptions failure = {
                .settings = &run->book.settings,
                .identity = run->identity.instance_id ? &run->identity : NULL,
                .root = run->root,
                .root_fd = run->root_fd,
                .progress = &run->progress,
                .step = step,
                .cause = error->text,
                .deadline = run->deadline,
        };

        failure_report(&failure);
}

static void on_failure(const SupervisorFailure *failure, void *userdata)
{
        Run *run = userdata;
        RecordEvent event = {
                .step = failure->step,
                .event = "failed",
                .error = failure->error.text,
                .took = USEC_INFINITY,
        };

        if (!failure->told)
                record_event(&run->record, &event);
        report(run, failure->step, &failure->error);
}

static int read_fault(Run *run, Error *ret_error)
{
        static const char *const kinds[] = {"", "kill", "hang", "fail"};
        const char *text = run->arguments.fault, *colon = text ? strchr(text, ':') : NULL;
        static char step[SUPERVISOR_STEP_MAX]; /* the runner borrows it */

        if (!text)
                return 0;
        if (text_equal(run->root, "/"))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--fault': it is for rehearsals, with --root=DIR");
        for (size_t i = 1; colon && i < ELEMENTS(kinds); i++)
                if (text_equal(colon + 1, kinds[i]))
                        run->runner.fault = (RunnerFault)i;
        if (run->runner.fault == RUNNER_FAULT_NONE)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--fault=%s': expected STEP:kill, STEP:hang or STEP:fail",
                        text);
        (void)snprintf(step, sizeof(step), "%.*s", TEXT_PART(text, colon - text));
        run->runner.fault_step = step;
        return 0;
}

static int check(Run *run, Error *ret_error)
{
        int r = settings_check(&run->book, ret_error);

        if (r == 0)
                r = runner_check(
                        step_table((RoleKind)run->book.settings.role), &run->runner, ret_error);
        return r;
}

static int open_root(Run *run, Error *ret_error)
{
        run->root = run->arguments.root ? run->arguments.root : "/";
        run->root_fd = open(run->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (run->root_fd < 0)
                return error_set(ret_error, -errno, "cannot use '--root=%s': %m", run->root);
        return 0;
}

static void on_silence(const char *where, Usec until, void *userdata)
{
        char text[SOURCES_SILENCE_MAX];
        Run *run = userdata;

        progress_note(
                &run->progress, LOG_LEVEL_NOTICE, sources_describe_silence(where, until, text));
}

static int read_settings(Run *run, Error *ret_error)
{
        Sources sources = {
                .document = run->document,
                .texts = &run->arguments.settings,
                .tags = true,
                .force_role = run->arguments.force_role,
                .wait = METADATA_TIME,
                .silent = on_silence,
                .userdata = run,
        };
        int r;

        systemd_watchdog_allow(METADATA_TIME + TELLING_MARGIN);
        r = sources_read(&sources, &run->book, &run->identity, ret_error);
        systemd_watchdog_allow(0);
        run->deadline = find_deadline(run);
        return r;
}

/* Two starters (cloud-init, the unit, a person) are one after the other; the second finds the work
 * done. */
static int lock(Run *run, int *ret_fd, Error *ret_error)
{
        int r = folder_make(run->root_fd, PATH_STATE, 0700, ret_error);

        if (r == 0)
                r = file_lock(run->root_fd, PATH_LOCK, clock_now(&clock_system), ret_fd, ret_error);
        if (r != -EBUSY)
                return r;
        progress_note(&run->progress, LOG_LEVEL_NOTICE, "another run is under way: waiting for it");
        systemd_watchdog_allow(clock_left(&clock_system, run->deadline) + TELLING_MARGIN);
        r = file_lock(run->root_fd, PATH_LOCK, run->deadline, ret_fd, ret_error);
        systemd_watchdog_allow(0);
        return r;
}

/* `root_fd` -1: nothing is kept. */
static int open_record(Run *run, int root_fd, Error *ret_error)
{
        const Settings *settings = &run->book.settings;
        int r = record_open(root_fd, &clock_system, &run->record, ret_error);

        if (r < 0)
                return r;
        run->record.role = role_kind_name((RoleKind)settings->role);
        run->record.node = settings->role == ROLE_CONTROL ? 0 : settings->node;
        run->record.instance = run->identity.instance_id;
        run->record.echo = run->arguments.json ? STDOUT_FILENO : -1;
        run->progress.run = run->record.run;
        return 0;
}

static int supervise(Run *run)
{
        SupervisorOptions options = {
                .work = work,
                .fail = on_failure,
                .userdata = run,
                .fail_time = clock_left(&clock_system, run->deadline) + FAILURE_LATE_TIME +
                             TELLING_MARGIN,
        };
        _cleanup_(close) int lock_fd = -1;
        Error error = ERROR_INIT;
        int r = lock(run, &lock_fd, &error);

        if (r == 0)
                r = open_record(run, run->root_fd, &error);
        if (r == 0) {
                secret_keep_on_fork(run->book.settings.signal);
                r = supervisor_run(&options, &error);
        }
        if (r < 0 && error.text[0])
                report(run, "", &error);
        if (r == 0)
                systemd_notify("READY=1");
        return r;
}

static int dry_run(Run *run)
{
        Error error = ERROR_INIT;
        int r = open_record(run, -1, &error);

        if (r == 0)
                r = do_role(run, &error);
        return r < 0 ? command_fail(&run->line, r, &error) : EX_OK;
}

static ProgressStyle find_style(const Run *run)
{
        if (run->arguments.json)
                return PROGRESS_JSON;
        return isatty(STDOUT_FILENO) ? PROGRESS_TERMINAL : PROGRESS_PLAIN;
}

/* Who this is, for the signal, where the settings were refused before that was asked. */
static void find_identity(Run *run)
{
        Usec deadline = clock_deadline(&clock_system, IDENTITY_TIME);
        _cleanup_(machine_done) Machine machine = {};

        if (!run->identity.instance_id && machine_open(IDENTITY_TIME, &machine, NULL) == 0)
                (void)metadata_get_identity(machine.metadata, deadline, &run->identity, NULL);
        run->deadline = find_deadline(run);
}

/* A boot's settings that cannot be used are a failure of the machine, and signalled; a person's
 * command line is answered, no more. */
static int refuse(Run *run, int code, const Error *error)
{
        bool by_hand = isatty(STDIN_FILENO) || !run->book.settings.signal ||
                       run->arguments.dry_run || code == -EINVAL;

        if (by_hand)
                return command_fail(&run->line, code, error);
        find_identity(run);
        report(run, "", error);
        return error_exit_status(code);
}

static int run_all(Run *run)
{
        Error error = ERROR_INIT;
        int r = open_root(run, &error);

        if (r == 0)
                r = read_fault(run, &error);
        if (r == 0)
                r = progress_begin(
                        find_style(run), text_equal(run->root, "/"), &run->progress, &error);
        if (r < 0)
                return command_fail(&run->line, r, &error);

        run->runner.only = run->arguments.only;
        run->runner.from = run->arguments.from;
        run->runner.until = run->arguments.until;
        run->runner.again = run->arguments.again;
        run->runner.tell = on_step;
        run->runner.userdata = run;
        r = read_settings(run, &error);
        if (r == 0 && run->arguments.at_boot && run->book.settings.role == ROLE_NONE) {
                progress_note(&run->progress,
                        LOG_LEVEL_INFO,
                        "nothing to do: neither user-data nor tags name a role");
                return EX_OK;
        }
        if (r == 0)
                r = check(run, &error);
        if (r < 0)
                return refuse(run, r, &error);

        run->progress.role = role_kind_name((RoleKind)run->book.settings.role);
        if (run->arguments.dry_run)
                return dry_run(run);
        return error_exit_status(supervise(run));
}

int run_command(int argc, char *argv[])
{
        Option options[SETTINGS_MAX + ELEMENTS(own_options)];
        size_t count = settings_options(offsetof(Arguments, settings), options);
        _cleanup_(run_done)
                Run run = {.root_fd = -1, .record = {.fd = -1, .node = -1}, .root = "/"};
        int operands, status;

        memcpy(options + count, own_options, sizeof(own_options));
        run.line = (CommandLine){
                .program = "flocker-bootstrap",
                .operands = "[DOCUMENT]",
                .description = "Brings this machine into its Flocker, Docker and Swarm cluster, as "
                               "the role that\n--role, the document or the instance's tags name. "
                               "Without a document it is the\ninstance's user-data. What is done "
                               "already is not done again.",
                .options = options,
                .n_options = count + ELEMENTS(own_options),
                .max_operands = 1,
        };
        if (command_parse(&run.line,
                    argc,
                    argv,
                    &run.arguments,
                    &run.arguments.help,
                    &operands,
                    &status) == COMMAND_END)
                return status;
        run.document = operands < argc ? argv[operands] : NULL;
        return run_all(&run);
}
