#include "aws/profile.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 8192U

void aws_profile_done(AwsProfile *profile)
{
        free(profile->access_key_id);
        free(profile->unsupported);
        profile->secret_access_key = secret_free(profile->secret_access_key);
        profile->session_token = secret_free(profile->session_token);
        *profile = (AwsProfile){};
}

static int keep_secret(Secret **place, const char *value)
{
        return *place ? 0 : secret_new_text(value, place);
}

static int keep_text(char **place, const char *value)
{
        if (!*place)
                *place = text_copy(value);
        return *place ? 0 : -ENOMEM;
}

/* What other tools do and this one does not: named, rather than passed over. Whether it goes before
 * the section's keys is the order of the SDKs' providers (botocore/credentials.py). */
static const struct {
        const char *key;
        bool first;
} unsupported[] = {
        {"role_arn", true},
        {"web_identity_token_file", true},
        {"sso_session", true},
        {"sso_start_url", true},
        {"credential_process", false},
        {"login_session", false},
};

static int keep_unsupported(AwsProfile *profile, const char *key)
{
        for (size_t i = 0; i < ELEMENTS(unsupported); i++) {
                if (!text_equal_case(key, unsupported[i].key))
                        continue;
                if (unsupported[i].first && !profile->unsupported_first) {
                        free(profile->unsupported);
                        profile->unsupported = NULL;
                        profile->unsupported_first = true;
                }
                return keep_text(&profile->unsupported, key);
        }
        return 0;
}

static int keep(AwsProfile *profile, const char *key, const char *value)
{
        if (text_equal_case(key, "aws_access_key_id"))
                return keep_text(&profile->access_key_id, value);
        if (text_equal_case(key, "aws_secret_access_key"))
                return keep_secret(&profile->secret_access_key, value);
        if (text_equal_case(key, "aws_session_token"))
                return keep_secret(&profile->session_token, value);
        return keep_unsupported(profile, key);
}

static int refuse(const char *path, unsigned line, const char *what, Error *ret_error)
{
        return error_set(ret_error, -EBADMSG, "cannot read '%s': line %u: %s", path, line, what);
}

/* "[name]", "[default]", "[profile name]" */
static bool is_section(char *text, const char *name, bool config)
{
        char *close = strchr(text, ']');

        *close = '\0';
        text = text_strip(text + 1);
        if (!config || text_equal(name, "default"))
                if (text_equal(text, name))
                        return true;
        if (!config || (!text_starts(text, "profile ") && !text_starts(text, "profile\t")))
                return false;
        return text_equal(text_strip(text + strlen("profile")), name);
}

static int parse_line(const char *path,
        unsigned number,
        char *line,
        const char *name,
        bool config,
        bool *inside,
        AwsProfile *profile,
        Error *ret_error)
{
        bool nested = line[0] == ' ' || line[0] == '\t';
        char *text = text_strip(line), *equals;
        int r;

        if (!text[0] || text[0] == '#' || text[0] == ';')
                return 0;
        if (text[0] == '[') {
                if (!strchr(text, ']'))
                        return refuse(path, number, "'[' has no ']'", ret_error);
                *inside = is_section(text, name, config);
                profile->found |= *inside;
                return 0;
        }
        if (nested)
                return 0;
        equals = strchr(text, '=');
        if (!equals)
                return refuse(path, number, "expected [section] or key = value", ret_error);
        if (!*inside)
                return 0;

        *equals = '\0';
        r = keep(profile, text_strip(text), text_strip(equals + 1));
        if (r < 0)
                return error_set(ret_error, r, "cannot read '%s': %m", path);
        return 0;
}

int aws_profile_parse(const char *path,
        const char *text,
        const char *name,
        bool config,
        AwsProfile *profile,
        Error *ret_error)
{
        bool inside = false;
        unsigned number = 0;

        while (*text) {
                char line[LINE_MAX_BYTES];
                size_t length = strcspn(text, "\n");
                int r;

                number++;
                if (length >= sizeof(line))
                        return refuse(path, number, "the line is too long", ret_error);
                memcpy(line, text, length);
                line[length] = '\0';
                r = parse_line(path, number, line, name, config, &inside, profile, ret_error);
                explicit_bzero(line, sizeof(line));
                if (r < 0)
                        return r;
                text += length + (text[length] == '\n');
        }
        return 0;
}
