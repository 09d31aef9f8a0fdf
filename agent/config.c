#include "agent/config.h"

#include "agent/settings.h"
#include "agent/sources.h"
#include "base/command.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define METADATA_TIME (5 * USEC_PER_SEC) /* someone waits for the answer */

typedef struct Arguments {
        SettingsTexts settings;
        bool tags, help;
} Arguments;

static const Option own_options[] = {
        {"tags",
                0,
                OPTION_FLAG,
                NULL,
                "with a document, ask for the instance's tags too",
                offsetof(Arguments, tags)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static int read_book(CommandLine *line, int argc, char *argv[], SettingsBook *ret, Error *ret_error)
{
        Option options[SETTINGS_MAX + ELEMENTS(own_options)];
        size_t count = settings_options(offsetof(Arguments, settings), options);
        _cleanup_(metadata_identity_done) MetadataIdentity identity = {};
        Arguments arguments = {};
        Sources sources = {.texts = &arguments.settings, .wait = METADATA_TIME};
        int operands, status, r;

        memcpy(options + count, own_options, sizeof(own_options));
        line->options = options;
        line->n_options = count + ELEMENTS(own_options);
        if (command_parse(line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status == EX_OK ? 1 : 2;
        sources.document = operands < argc ? argv[operands] : NULL;
        sources.tags = arguments.tags || !sources.document;
        r = sources_read(&sources, ret, &identity, ret_error);
        return r < 0 ? r : settings_check(ret, ret_error);
}

static int check(int argc, char *argv[])
{
        CommandLine line = {
                .program = "flocker-bootstrap config check",
                .operands = "[DOCUMENT]",
                .description = "Reads the settings as a run would, and says what is wrong with "
                               "them.",
                .max_operands = 1,
        };
        _cleanup_(settings_book_done) SettingsBook book = {};
        Error error = ERROR_INIT;
        int r = read_book(&line, argc, argv, &book, &error);

        if (r > 0)
                return r == 1 ? EX_OK : EX_USAGE;
        if (r < 0)
                return command_fail(&line, r, &error);
        printf("fine: %s of '%s', store %s\n",
                role_kind_name((RoleKind)book.settings.role),
                book.settings.cluster,
                book.settings.store);
        return EX_OK;
}

static int dump(int argc, char *argv[])
{
        CommandLine line = {
                .program = "flocker-bootstrap config dump",
                .operands = "[DOCUMENT]",
                .description = "Prints every setting with where it comes from; secrets are left "
                               "out. What is wrong with\nthem is said behind that.",
                .max_operands = 1,
        };
        _cleanup_(settings_book_done) SettingsBook book = {};
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(1024 * 1024);
        Error error = ERROR_INIT, dumping = ERROR_INIT;
        int r = read_book(&line, argc, argv, &book, &error);

        if (r > 0)
                return r == 1 ? EX_OK : EX_USAGE;
        if (book.settings.cluster && settings_dump(&book, &text, &dumping) < 0)
                return command_fail(&line, -EX_SOFTWARE, &dumping);
        (void)fputs(buffer_text(&text), stdout);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}

static const Command commands[] = {
        {"check", "say what is wrong with the settings", check},
        {"dump", "print the settings, with where each comes from", dump},
};

int config_command(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-bootstrap config",
                .description = "What this machine is told to become, and by whom.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
        };

        return command_run(&group, argc, argv);
}
