#include "agent/renew.h"

#include "agent/attendant.h"
#include "agent/progress.h"
#include "base/command.h"
#include "base/file.h"
#include "base/text.h"
#include "roles/paths.h"
#include "roles/renewal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WORK_TIME (5 * USEC_PER_MINUTE) /* for all of it; the engine's restart is most */
#define LOCK_TIME (5 * USEC_PER_MINUTE) /* a run that is under way is waited for */

typedef struct Arguments {
        SettingsTexts settings;
        const char *root;
        bool again, dry_run, help;
} Arguments;

static const Option own_options[] = {
        {"root",
                0,
                OPTION_TEXT,
                "DIR",
                "this machine's files lie below DIR (/)",
                offsetof(Arguments, root)},
        {"again", 0, OPTION_FLAG, NULL, "also what is not due", offsetof(Arguments, again)},
        {"dry-run",
                0,
                OPTION_FLAG,
                NULL,
                "change nothing: say what would be changed",
                offsetof(Arguments, dry_run)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static void on_note(RoleNote note, const char *text, void *userdata)
{
        Progress *progress = userdata;

        switch (note) {
        case ROLE_NOTE:
                progress_note(progress, LOG_LEVEL_NOTICE, text);
                break;
        case ROLE_WARNING:
                progress_note(progress, LOG_LEVEL_WARNING, text);
                break;
        case ROLE_WOULD:
                progress_would(progress, "renew", text);
                break;
        case ROLE_WAITING:
                progress_waiting(progress, "renew", text);
                break;
        }
}

/* How much is left, or what is amiss. */
static void describe(const Renewal *renewal, char *place, size_t size)
{
        if (renewal->uncovered[0])
                (void)snprintf(place,
                        size,
                        "does not cover %s (%" PRId64 " days left)",
                        renewal->uncovered,
                        renewal->days);
        else if (renewal->days < 0)
                (void)snprintf(place, size, "has ended");
        else
                (void)snprintf(place, size, "has %" PRId64 " days left", renewal->days);
}

/* The commands are the ones to type, on the machines where they work. */
static int say_impossible(Progress *progress, const Role *role, const Renewal *renewal)
{
        bool control = role->settings->role == ROLE_CONTROL;
        char left[320], text[2 * ERROR_TEXT_MAX];

        describe(renewal, left, sizeof(left));
        if (control)
                (void)snprintf(text,
                        sizeof(text),
                        "'/%s' %s and cannot be renewed: %s; put the Docker CA back from where it "
                        "is kept, or make the cluster anew",
                        renewal->path,
                        left,
                        renewal->why.text);
        else
                (void)snprintf(text,
                        sizeof(text),
                        "'/%s' %s and cannot be renewed while the Docker CA's key is only on "
                        "control: there 'flocker-bootstrap run --only=publish-docker-ca --again', "
                        "here 'flocker-bootstrap renew', then on the client 'flocker-bootstrap run "
                        "--only=purge-secrets'",
                        renewal->path,
                        left);
        text_mend_utf8(text);
        progress_note(progress, LOG_LEVEL_WARNING, text);
        return renewal->days < 0 ? EX_DATAERR : EX_UNAVAILABLE;
}

static void say_not_due(Progress *progress, const Renewal *renewal)
{
        char left[320], due[CLOCK_UTC_MAX], text[512];

        describe(renewal, left, sizeof(left));
        clock_format_utc(renewal->due, due);
        (void)snprintf(text,
                sizeof(text),
                "'/%s' %s; it is to be renewed from %.10s on",
                renewal->path,
                left,
                due);
        progress_note(progress, LOG_LEVEL_INFO, text);
}

static void say_renewed(Progress *progress, const Renewal *renewal)
{
        char left[320], text[512];

        describe(renewal, left, sizeof(left));
        (void)snprintf(text, sizeof(text), "renewed '/%s': the old one %s", renewal->path, left);
        progress_note(progress, LOG_LEVEL_NOTICE, text);
}

static int renew(Progress *progress, Role *role, const Arguments *arguments, Error *ret_error)
{
        _cleanup_(close) int lock_fd = -1;
        Renewal renewal = {};
        int r;

        if (!settings_have(role->settings, COMPONENT_DOCKER)) {
                progress_note(progress,
                        LOG_LEVEL_INFO,
                        "nothing to renew: docker is not among the components");
                return EX_OK;
        }
        if (faccessat(role->root_fd, PATH_STATE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(ret_error,
                        -errno,
                        "cannot renew: this machine has not been bootstrapped ('/" PATH_STATE_FILE
                        "': %m); flocker-bootstrap run does that");
        r = file_lock(role->root_fd,
                PATH_LOCK,
                clock_deadline(&clock_system, LOCK_TIME),
                &lock_fd,
                ret_error);
        if (r < 0)
                return r;
        role->deadline = role->step_deadline = clock_deadline(&clock_system, WORK_TIME);
        role->dry_run = arguments->dry_run;
        role->say = on_note;
        role->say_userdata = progress;
        r = renewal_run(role, arguments->again, &renewal, ret_error);
        if (r < 0)
                return r;
        switch ((RenewalOutcome)r) {
        case RENEWAL_DONE:
                if (!role->dry_run)
                        say_renewed(progress, &renewal);
                break;
        case RENEWAL_NOT_DUE:
                say_not_due(progress, &renewal);
                break;
        case RENEWAL_IMPOSSIBLE:
                return say_impossible(progress, role, &renewal);
        }
        return EX_OK;
}

static int do_command(const CommandLine *line, const Arguments *arguments, const char *document)
{
        _cleanup_(attendant_done) Attendant attendant = ATTENDANT_INIT;
        _cleanup_(progress_done) Progress progress = {};
        Error error = ERROR_INIT;
        int r = progress_begin(isatty(STDOUT_FILENO) ? PROGRESS_TERMINAL : PROGRESS_PLAIN,
                !arguments->root || text_equal(arguments->root, "/"),
                &progress,
                &error);

        if (r == 0)
                r = attendant_open(&attendant,
                        line->program,
                        document,
                        arguments->root,
                        &arguments->settings,
                        &error);
        if (r == 0) {
                progress.role = role_kind_name((RoleKind)attendant.book.settings.role);
                r = renew(&progress, &attendant.role, arguments, &error);
        }
        return r < 0 ? command_fail(line, r, &error) : r;
}

int renew_command(int argc, char *argv[])
{
        Option options[SETTINGS_MAX + ELEMENTS(own_options)];
        size_t count = settings_options(offsetof(Arguments, settings), options);
        Arguments arguments = {};
        int operands, status;

        memcpy(options + count, own_options, sizeof(own_options));
        const CommandLine line = {
                .program = "flocker-bootstrap renew",
                .operands = "[DOCUMENT]",
                .description = "Renews this machine's Docker certificate when its time has come "
                               "(at a moment of\nits own between 50 and 80 % of its life), or "
                               "when it lacks a name of this machine,\nwhere the Docker CA's key "
                               "is at hand: on control, or in the store. The engine is\nrestarted; "
                               "where it does not come up, the old certificate is put back.\n"
                               "Elsewhere it says what to do, and ends with 69.",
                .options = options,
                .n_options = count + ELEMENTS(own_options),
                .max_operands = 1,
        };
        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;
        return do_command(&line, &arguments, operands < argc ? argv[operands] : NULL);
}
