/* certs renew: what expires soon gets a new certificate for the same key; nothing else changes. */

#include "agent/certs.h"
#include "base/command.h"
#include "base/file.h"
#include "certs/set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#define BEFORE_DEFAULT (30 * USEC_PER_DAY)

typedef struct Arguments {
        bool help;
        bool dry_run;
        uint64_t before;
        const char *passphrase_file;
} Arguments;

static const Option options[] = {
        {"before",
                0,
                OPTION_SPAN,
                "TIME",
                "renew what has less than this left (30d)",
                offsetof(Arguments, before)},
        {"ca-passphrase-file",
                0,
                OPTION_TEXT,
                "FILE",
                "the passphrase of the authority's encrypted key",
                offsetof(Arguments, passphrase_file)},
        {"dry-run", 'n', OPTION_FLAG, NULL, "say what would be done", offsetof(Arguments, dry_run)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-bootstrap certs renew",
        .operands = "DIR",
        .description =
                "Renews the certificates of a set that expire soon: the same key, names and "
                "usages,\n"
                "as long a validity again from now. It needs the authority's key in the set. An\n"
                "authority itself is not renewed: that would be a new cluster.",
        .options = options,
        .n_options = ELEMENTS(options),
        .min_operands = 1,
        .max_operands = 1,
};

typedef struct Tally {
        size_t renewed, left_alone, failed;
} Tally;

/* A certificate is public: who could read the old one can read the new one. */
static int replace(const SetMember *member, const SetMember *issuer, Usec wall, Error *ret_error)
{
        _cleanup_(certificate_free) Certificate *renewed = NULL;
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        struct stat status;
        int r;

        if (stat(member->path, &status) < 0)
                return error_set(ret_error, -errno, "cannot renew '%s': %m", member->path);
        r = certificate_renew(member->pair.certificate,
                issuer->pair.certificate,
                issuer->pair.key,
                wall,
                &renewed,
                ret_error);
        if (r == 0)
                r = certificate_format(renewed, &pem, ret_error);
        if (r < 0)
                return error_prefix(ret_error, r, "%s", member->path);
        return file_write_atomic(AT_FDCWD,
                member->path,
                buffer_text(&pem),
                pem.size,
                status.st_mode & 0777,
                ret_error);
}

/* Why it cannot be renewed here, with the days that are left. */
static void say_impossible(const SetMember *member, const SetMember *issuer, int64_t days)
{
        printf("%s: %" PRId64 " days left; cannot renew it here: ", member->path, days);
        if (member->info.authority)
                printf("it is an authority; make a new set with 'certs create' and replace all\n");
        else if (!issuer)
                printf("its authority ('%s') is not in this set\n", member->info.issuer);
        else if (issuer->key_error.text[0])
                printf("%s\n", issuer->key_error.text);
        else
                printf("the key of '%s' is not beside it; run this where it is\n", issuer->path);
}

static int renew_member(const CertificateSet *set,
        const SetMember *member,
        const Arguments *arguments,
        Usec wall,
        Tally *tally,
        Error *ret_error)
{
        const SetMember *issuer = certificate_set_issuer(set, member);
        int64_t days = certificate_days_left(member->info.not_after, wall);
        int r;

        if (member->info.not_after >= wall && member->info.not_after - wall >= arguments->before) {
                tally->left_alone++;
                return 0;
        }
        if (member->info.authority || !issuer || !issuer->pair.key) {
                say_impossible(member, issuer, days);
                tally->failed++;
                return 0;
        }

        if (!arguments->dry_run) {
                r = replace(member, issuer, wall, ret_error);
                if (r < 0)
                        return r;
        }
        printf("%s: %" PRId64 " days left; %s\n",
                member->path,
                days,
                arguments->dry_run ? "would be renewed" : "renewed");
        tally->renewed++;
        return 0;
}

static int renew(const Arguments *arguments, const char *path, Tally *tally, Error *ret_error)
{
        _cleanup_(certificate_set_done) CertificateSet set = {};
        _cleanup_(secret_free) Secret *passphrase = NULL;
        Usec wall = clock_wall(&clock_system);
        int r;

        if (arguments->passphrase_file) {
                r = certs_read_passphrase(arguments->passphrase_file, &passphrase, ret_error);
                if (r < 0)
                        return r;
        }
        r = certificate_set_load(path, passphrase, &set, ret_error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < set.count; i++) {
                r = renew_member(&set, &set.members[i], arguments, wall, tally, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int certs_renew(int argc, char *argv[])
{
        Arguments arguments = {.before = BEFORE_DEFAULT};
        Error error = ERROR_INIT;
        Tally tally = {};
        int operand, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operand, &status) ==
                COMMAND_END)
                return status;

        r = renew(&arguments, argv[operand], &tally, &error);
        if (r < 0)
                return command_fail(&line, r, &error);
        printf("%zu %s, %zu not due, %zu cannot be renewed here\n",
                tally.renewed,
                arguments.dry_run ? "would be renewed" : "renewed",
                tally.left_alone,
                tally.failed);
        return tally.failed > 0 ? EX_UNAVAILABLE : EX_OK;
}
