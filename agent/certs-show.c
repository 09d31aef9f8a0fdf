/* certs show: what stands in certificates, for a person or as JSON. */

#include "agent/certs.h"
#include "base/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "certs/set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define OPERANDS_MAX 256

typedef struct Arguments {
        bool help;
        bool json;
} Arguments;

static const Option options[] = {
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array", offsetof(Arguments, json)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-bootstrap certs show",
        .operands = "FILE|DIR…",
        .description =
                "Prints the certificates in files and folders: subject, names, usages, key,\n"
                "fingerprint, days left. '-' is standard input. Private keys are not shown.",
        .options = options,
        .n_options = ELEMENTS(options),
        .min_operands = 1,
        .max_operands = OPERANDS_MAX,
};

static void print_names(const CertificateInfo *info)
{
        for (size_t i = 0; info->names[i]; i++)
                printf("%s%s", i > 0 ? ", " : "", info->names[i]);
        printf("%s\n", info->names[0] ? "" : "none");
}

static const char *describe_key_file(const SetMember *member)
{
        if (!member->key_path)
                return "no private key beside it";
        return member->pair.key ? "private key beside it" : "private key beside it cannot be read";
}

static void print_member(const SetMember *member, Usec wall)
{
        const CertificateInfo *info = &member->info;
        int64_t days = certificate_days_left(info->not_after, wall);
        char from[CLOCK_UTC_MAX], to[CLOCK_UTC_MAX];

        clock_format_utc(info->not_before, from);
        clock_format_utc(info->not_after, to);
        printf("%s\n", member->path);
        printf("  kind         %s\n", member->profile ? member->profile->description : "unknown");
        printf("  subject      %s\n", info->subject);
        printf("  issuer       %s\n", info->self_issued ? "itself" : info->issuer);
        printf("  names        ");
        print_names(info);
        printf("  usages       %s\n", info->usages[0] ? info->usages : "none named");
        printf("  key          %s (%s)\n", info->key, describe_key_file(member));
        printf("  serial       %s\n", info->serial);
        printf("  fingerprint  SHA-256 %s\n", info->fingerprint);
        printf("  valid        %s to %s (", from, to);
        if (days < 0)
                printf("expired)\n");
        else
                printf("%" PRId64 " days left)\n", days);
}

static Json *names_to_json(const CertificateInfo *info)
{
        Json *names = json_new_array();

        for (size_t i = 0; info->names[i]; i++)
                if (json_append(names, json_new_text(info->names[i])) < 0)
                        return json_free(names);
        return names;
}

static Json *member_to_json(const SetMember *member, Usec wall)
{
        const CertificateInfo *info = &member->info;
        _cleanup_(json_free) Json *object = json_new_object();
        char from[CLOCK_UTC_MAX], to[CLOCK_UTC_MAX];
        int r = 0;

        clock_format_utc(info->not_before, from);
        clock_format_utc(info->not_after, to);
        r |= json_set_text(object, "path", member->path);
        r |= json_set_text(object, "kind", member->profile ? member->profile->name : "unknown");
        r |= json_set_text(object, "subject", info->subject);
        r |= json_set_text(object, "issuer", info->issuer);
        r |= json_set(object, "names", names_to_json(info));
        r |= json_set_text(object, "usages", info->usages);
        r |= json_set_text(object, "key", info->key);
        r |= json_set_bool(object, "has_private_key", member->key_path);
        r |= json_set_text(object, "serial", info->serial);
        r |= json_set_text(object, "fingerprint_sha256", info->fingerprint);
        r |= json_set_text(object, "not_before", from);
        r |= json_set_text(object, "not_after", to);
        r |= json_set_int64(object, "days_left", certificate_days_left(info->not_after, wall));
        return r < 0 ? NULL : TAKE_PTR(object);
}

static int print_json(const Json *array, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(64U * 1024U * 1024U);

        if (json_format(array, JSON_INDENTED, &text) < 0)
                return error_set(ret_error, -ENOMEM, "cannot print the certificates: %m");
        (void)fwrite(buffer_text(&text), 1, text.size, stdout);
        return 0;
}

/* Standard input as a set of one. */
static int load_input(CertificateSet *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(2 * CERTIFICATE_PEM_MAX);
        int r;

        r = file_read_fd(STDIN_FILENO, "standard input", CERTIFICATE_PEM_MAX, &pem, ret_error);
        if (r < 0)
                return r;
        return certificate_set_load_pem(
                "standard input", buffer_text(&pem), pem.size, ret, ret_error);
}

static int show(const char *path, Usec wall, Json *array, Error *ret_error)
{
        _cleanup_(certificate_set_done) CertificateSet set = {};
        int r;

        r = text_equal(path, "-") ? load_input(&set, ret_error)
                                  : certificate_set_load(path, NULL, &set, ret_error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < set.count; i++) {
                if (!array)
                        print_member(&set.members[i], wall);
                else if (json_append(array, member_to_json(&set.members[i], wall)) < 0)
                        return error_set(ret_error, -EBADMSG, "cannot print '%s': %m", path);
        }
        return 0;
}

int certs_show(int argc, char *argv[])
{
        _cleanup_(json_free) Json *array = NULL;
        Usec wall = clock_wall(&clock_system);
        Arguments arguments = {};
        Error error = ERROR_INIT;
        int operand, status, r = 0;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operand, &status) ==
                COMMAND_END)
                return status;
        if (arguments.json) {
                array = json_new_array();
                if (!array)
                        return EX_OSERR;
        }

        for (; operand < argc && r == 0; operand++)
                r = show(argv[operand], wall, array, &error);
        if (r == 0 && array)
                r = print_json(array, &error);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}
