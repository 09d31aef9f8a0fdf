#include "agent/certs.h"

#include "base/command.h"
#include "base/file.h"

#include <errno.h>
#include <string.h>

#define PASSPHRASE_MIN 4U
#define PASSPHRASE_MAX 1023U

static const Command commands[] = {
        {"create", "make the complete set of a cluster", certs_create},
        {"show", "print what stands in certificates", certs_show},
        {"verify", "judge a set as Flocker, Docker and OpenSSL would", certs_verify},
        {"renew", "renew what expires soon, and nothing else", certs_renew},
};

int certs_command(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-bootstrap certs",
                .description = "The certificates of a Flocker and Docker cluster.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
        };

        return command_run(&group, argc, argv);
}

int certs_read_passphrase(const char *path, Secret **ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * PASSPHRASE_MAX + 2);
        size_t length;
        int r;

        r = file_read(AT_FDCWD, path, PASSPHRASE_MAX + 1, &text, ret_error);
        if (r < 0)
                return r;

        length = strcspn(buffer_text(&text), "\r\n");
        if (length < PASSPHRASE_MIN || length > PASSPHRASE_MAX)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use the passphrase in '%s': expected a first line of %u to %u "
                        "bytes",
                        path,
                        PASSPHRASE_MIN,
                        PASSPHRASE_MAX);
        r = secret_new(buffer_text(&text), length, ret);
        if (r < 0)
                return error_set(ret_error, r, "cannot keep the passphrase of '%s': %m", path);
        return 0;
}
