#include "agent/members.h"

#include "agent/attendant.h"
#include "base/command.h"
#include "host/systemd.h"
#include "roles/classic.h"
#include "roles/paths.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define POLL_TIME (30 * USEC_PER_SEC) /* for one look at the store */

typedef struct Arguments {
        SettingsTexts settings;
        const char *root;
        bool once, help;
} Arguments;

static const Option own_options[] = {
        {"root",
                0,
                OPTION_TEXT,
                "DIR",
                "this machine's files lie below DIR (/)",
                offsetof(Arguments, root)},
        {"once", 0, OPTION_FLAG, NULL, "look once, and end", offsetof(Arguments, once)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

/* One look. A store that does not answer is asked again later: the file stays as it is. */
static int look(Role *role, Error *ret_error)
{
        bool changed = false;
        size_t members = 0;
        int r;

        role->deadline = role->step_deadline = clock_deadline(&clock_system, POLL_TIME);
        r = classic_follow(role, &changed, &members, ret_error);
        if (r == 0 && changed) {
                printf("%zu members in /" PATH_MEMBERS "/members\n", members);
                (void)fflush(stdout);
        }
        return r;
}

static int follow(const CommandLine *line, Role *role, bool once)
{
        RetryPolicy policy = s3_store_poll_policy((unsigned)role->settings->agents + 1);
        Error error = ERROR_INIT;
        int r = look(role, &error);

        systemd_notify("READY=1");
        if (once)
                return r < 0 ? command_fail(line, r, &error) : EX_OK;
        for (;;) {
                Usec wait = retry_delay(&policy, RETRY_NOT_YET, 20, 0, &random_system);

                if (r < 0)
                        (void)fprintf(stderr, "%s: %s\n", line->program, error.text);
                clock_sleep_until(&clock_system, clock_deadline(&clock_system, wait));
                r = look(role, &error);
                systemd_notify("WATCHDOG=1");
        }
}

static int follow_command(int argc, char *argv[])
{
        Option options[SETTINGS_MAX + ELEMENTS(own_options)];
        size_t count = settings_options(offsetof(Arguments, settings), options);
        _cleanup_(attendant_done) Attendant attendant = ATTENDANT_INIT;
        Arguments arguments = {};
        Error error = ERROR_INIT;
        int operands, status, r;

        memcpy(options + count, own_options, sizeof(own_options));
        const CommandLine line = {
                .program = "flocker-bootstrap members follow",
                .operands = "[DOCUMENT]",
                .description = "Keeps classic Swarm's member file on control equal to the members "
                               "in the store.",
                .options = options,
                .n_options = count + ELEMENTS(own_options),
                .max_operands = 1,
        };
        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;
        r = attendant_open(&attendant,
                line.program,
                operands < argc ? argv[operands] : NULL,
                arguments.root,
                &arguments.settings,
                &error);
        return r < 0 ? command_fail(&line, r, &error)
                     : follow(&line, &attendant.role, arguments.once);
}

static const Command commands[] = {
        {"follow", "keep the manager's member file equal to the store", follow_command},
};

int members_command(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-bootstrap members",
                .description = "Classic Swarm's members, on control.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
        };

        return command_run(&group, argc, argv);
}
