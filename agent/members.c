#include "agent/members.h"

#include "agent/machine.h"
#include "agent/run.h"
#include "agent/settings.h"
#include "base/command.h"
#include "base/file.h"
#include "base/text.h"
#include "host/systemd.h"
#include "roles/classic.h"
#include "roles/paths.h"
#include "roles/role.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define METADATA_TIME (5 * USEC_PER_MINUTE)
#define POLL_TIME     (30 * USEC_PER_SEC) /* for one look at the store */

typedef struct Arguments {
        SettingsTexts settings;
        const char *root, *document;
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

/* A follower, in its course. */
typedef struct Follower {
        CommandLine line;
        Arguments arguments;
        SettingsBook book;
        MetadataIdentity identity;
        Machine machine;
        Role role;
        int root_fd;
} Follower;

static void follower_done(Follower *follower)
{
        role_done(&follower->role);
        machine_done(&follower->machine);
        settings_book_done(&follower->book);
        metadata_identity_done(&follower->identity);
        close_p(&follower->root_fd);
}
DEFINE_CLEANUP_IN_PLACE(Follower, follower_done);

static int open_role(Follower *follower, Error *ret_error)
{
        const char *root = follower->arguments.root ? follower->arguments.root : "/";
        RunSources sources = {
                .document = follower->arguments.document,
                .texts = &follower->arguments.settings,
                .tags = true,
                .wait = METADATA_TIME,
        };
        int r = run_read_settings(&sources, &follower->book, &follower->identity, ret_error);

        if (r == 0)
                r = settings_check(&follower->book, ret_error);
        if (r == 0)
                r = machine_open(METADATA_TIME, &follower->machine, ret_error);
        if (r < 0)
                return r;
        follower->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (follower->root_fd < 0)
                return error_set(ret_error, -errno, "cannot use '--root=%s': %m", root);
        follower->role = (Role){
                .settings = &follower->book.settings,
                .clock = &clock_system,
                .random = &random_system,
                .http = follower->machine.http,
                .metadata = follower->machine.metadata,
                .credentials = follower->machine.credentials,
                .root = root,
                .root_fd = follower->root_fd,
        };
        return 0;
}

/* One look. A store that does not answer is asked again later: the file stays as it is. */
static int look(Follower *follower, Error *ret_error)
{
        Role *role = &follower->role;
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

static int follow(Follower *follower)
{
        RetryPolicy policy = s3_store_poll_policy((unsigned)follower->book.settings.agents + 1);
        Error error = ERROR_INIT;
        int r = look(follower, &error);

        systemd_notify("READY=1");
        while (!follower->arguments.once) {
                Usec wait = retry_delay(&policy, RETRY_NOT_YET, 20, 0, &random_system);

                if (r < 0)
                        (void)fprintf(stderr, "%s: %s\n", follower->line.program, error.text);
                clock_sleep_until(&clock_system, clock_deadline(&clock_system, wait));
                r = look(follower, &error);
                systemd_notify("WATCHDOG=1");
        }
        return r < 0 ? command_fail(&follower->line, r, &error) : EX_OK;
}

static int follow_command(int argc, char *argv[])
{
        Option options[SETTINGS_MAX + ELEMENTS(own_options)];
        size_t count = settings_options(offsetof(Arguments, settings), options);
        _cleanup_(follower_done) Follower follower = {.root_fd = -1};
        Error error = ERROR_INIT;
        int operands, status, r;

        memcpy(options + count, own_options, sizeof(own_options));
        follower.line = (CommandLine){
                .program = "flocker-bootstrap members follow",
                .operands = "[DOCUMENT]",
                .description = "Keeps classic Swarm's member file on control equal to the members "
                               "in the store.",
                .options = options,
                .n_options = count + ELEMENTS(own_options),
                .max_operands = 1,
        };
        if (command_parse(&follower.line,
                    argc,
                    argv,
                    &follower.arguments,
                    &follower.arguments.help,
                    &operands,
                    &status) == COMMAND_END)
                return status;
        follower.arguments.document = operands < argc ? argv[operands] : NULL;
        r = open_role(&follower, &error);
        return r < 0 ? command_fail(&follower.line, r, &error) : follow(&follower);
}

static const Command commands[] = {
        {"follow", "keep the manager's member file equal to the store", follow_command},
};

int members_command(int argc, char *argv[])
{
        if (argc == 2 && (text_equal(argv[1], "--help") || text_equal(argv[1], "-h"))) {
                printf("Usage: flocker-bootstrap members COMMAND …\n\nCommands (each has a --help "
                       "of its own):\n");
                command_print(commands, ELEMENTS(commands));
                return EX_OK;
        }
        return command_run(
                commands, ELEMENTS(commands), "flocker-bootstrap members", argc - 1, argv + 1);
}
