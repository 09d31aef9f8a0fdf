/* certs verify: a set, judged; a sentence for each fault. */

#include "agent/certs.h"
#include "base/command.h"
#include "base/json.h"
#include "base/text.h"
#include "certs/set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

typedef struct Arguments {
        bool help;
        bool json;
        const char *passphrase_file;
        const char *at;
} Arguments;

static const Option options[] = {
        {"at",
                0,
                OPTION_TEXT,
                "TIME",
                "judge dates at 2027-01-31T00:00:00Z, not now",
                offsetof(Arguments, at)},
        {"ca-passphrase-file",
                0,
                OPTION_TEXT,
                "FILE",
                "the passphrase of an authority's encrypted key",
                offsetof(Arguments, passphrase_file)},
        {"json", 0, OPTION_FLAG, NULL, "print a JSON object", offsetof(Arguments, json)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-bootstrap certs verify",
        .operands = "DIR",
        .description =
                "Judges a set of certificates as Flocker, Docker and OpenSSL would: keys, chains,\n"
                "clusters, names, usages, dates, modes of files. A set that `certs create` made,\n"
                "/etc/flocker and a .docker folder are all understood, and what is missing in\n"
                "them is noticed. One sentence for each fault; the exit status is 65 if there\n"
                "is any.",
        .options = options,
        .n_options = ELEMENTS(options),
        .min_operands = 1,
        .max_operands = 1,
};

static void print_fault(const char *path, const char *sentence, void *userdata)
{
        (void)path;
        (void)userdata;
        printf("%s\n", sentence);
}

static void append_fault(const char *path, const char *sentence, void *userdata)
{
        Json *fault = json_new_object();
        int r = 0;

        r |= json_set_text(fault, "path", path);
        r |= json_set_text(fault, "fault", sentence);
        if (r < 0)
                fault = json_free(fault);
        (void)json_append(userdata, fault);
}

static int judge_to_json(const CertificateSet *set, Usec wall, size_t *ret_faults, Error *ret_error)
{
        _cleanup_(json_free) Json *object = json_new_object();
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(64U * 1024U * 1024U);
        Json *faults = json_new_array();

        if (!object || !faults)
                return error_set(ret_error, -ENOMEM, "cannot print faults: %m");
        *ret_faults = certificate_set_judge(set, wall, append_fault, faults);
        if (json_set_int64(object, "certificates", (int64_t)set->count) < 0 ||
                json_set(object, "faults", faults) < 0 ||
                json_format(object, JSON_INDENTED, &text) < 0)
                return error_set(ret_error, -ENOMEM, "cannot print faults: %m");
        (void)fwrite(buffer_text(&text), 1, text.size, stdout);
        return 0;
}

static int verify(
        const Arguments *arguments, const char *path, size_t *ret_faults, Error *ret_error)
{
        _cleanup_(certificate_set_done) CertificateSet set = {};
        _cleanup_(secret_free) Secret *passphrase = NULL;
        Usec wall = clock_wall(&clock_system);
        int r;

        if (arguments->at && clock_parse_utc(arguments->at, &wall) < 0)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--at=%s': expected a time like 2027-01-31T00:00:00Z",
                        arguments->at);
        if (arguments->passphrase_file) {
                r = certs_read_passphrase(arguments->passphrase_file, &passphrase, ret_error);
                if (r < 0)
                        return r;
        }

        r = certificate_set_survey(path, passphrase, &set, ret_error);
        if (r < 0)
                return r;
        if (arguments->json)
                return judge_to_json(&set, wall, ret_faults, ret_error);

        *ret_faults = certificate_set_judge(&set, wall, print_fault, NULL);
        printf("%zu certificate%s, %zu fault%s\n",
                set.count,
                set.count == 1 ? "" : "s",
                *ret_faults,
                *ret_faults == 1 ? "" : "s");
        return 0;
}

int certs_verify(int argc, char *argv[])
{
        Arguments arguments = {};
        Error error = ERROR_INIT;
        int operand, status, r;
        size_t faults = 0;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operand, &status) ==
                COMMAND_END)
                return status;

        r = verify(&arguments, argv[operand], &faults, &error);
        if (r < 0)
                return command_fail(&line, r, &error);
        return faults > 0 ? EX_DATAERR : EX_OK;
}
