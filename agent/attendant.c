#include "agent/attendant.h"

#include "agent/sources.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define METADATA_TIME (5 * USEC_PER_MINUTE)

static void on_silence(const char *where, Usec until, void *userdata)
{
        char text[SOURCES_SILENCE_MAX];
        const Attendant *attendant = userdata;

        (void)fprintf(stderr,
                "%s: %s\n",
                attendant->program,
                sources_describe_silence(where, until, text));
}

int attendant_open(Attendant *attendant,
        const char *program,
        const char *document,
        const char *root,
        const SettingsTexts *texts,
        Error *ret_error)
{
        Sources sources = {
                .document = document,
                .texts = texts,
                .tags = true,
                .wait = METADATA_TIME,
                .silent = on_silence,
                .userdata = attendant,
        };
        int r;

        attendant->program = program;
        root = root ? root : "/";
        r = sources_read(&sources, &attendant->book, &attendant->identity, ret_error);
        if (r == 0)
                r = settings_check(&attendant->book, ret_error);
        if (r == 0)
                r = machine_open(METADATA_TIME, &attendant->machine, ret_error);
        if (r < 0)
                return r;
        attendant->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (attendant->root_fd < 0)
                return error_set(ret_error, -errno, "cannot use '--root=%s': %m", root);
        attendant->role = (Role){
                .settings = &attendant->book.settings,
                .clock = &clock_system,
                .random = &random_system,
                .http = attendant->machine.http,
                .metadata = attendant->machine.metadata,
                .credentials = attendant->machine.credentials,
                .root = root,
                .root_fd = attendant->root_fd,
        };
        return 0;
}

void attendant_done(Attendant *attendant)
{
        role_done(&attendant->role);
        machine_done(&attendant->machine);
        settings_book_done(&attendant->book);
        metadata_identity_done(&attendant->identity);
        close_p(&attendant->root_fd);
}
