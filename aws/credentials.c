#include "aws/credentials.h"

#include "aws/environment.h"
#include "aws/profile.h"
#include "base/file.h"
#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_BEFORE      (5 * USEC_PER_MINUTE)
#define RENEW_RETRY       (10 * USEC_PER_SEC) /* after a renewal that failed while the old ones hold */
#define RENEW_PATIENCE    (2 * USEC_PER_SEC) /* for a renewal while the old ones hold */
#define ROLE_PATH         "meta-data/iam/security-credentials/"
#define ROLE_PATIENCE     USEC_PER_MINUTE /* with a role that may not be assumed; IAM takes seconds */
#define ACCESS_KEY_ID_MAX 128U

/* Of get_role(), beside METADATA_OK and METADATA_ABSENT. */
#define ROLE_REFUSED 2

/* Early in an instance's life its role is not there yet. */
static const RetryPolicy role_policy = {
        .name = "role",
        .base = {[RETRY_TRANSIENT] = 100 * USEC_PER_MSEC,
                [RETRY_THROTTLED] = 500 * USEC_PER_MSEC,
                [RETRY_NOT_YET] = 100 * USEC_PER_MSEC},
        .cap = 2 * USEC_PER_SEC,
};

struct AwsCredentialsProvider {
        AwsCredentialsOptions options;
        AwsCredentials kept;
        bool have;
        Usec next_renewal; /* wall time */
};

void aws_credentials_done(AwsCredentials *credentials)
{
        free(credentials->access_key_id);
        free(credentials->source);
        credentials->secret_access_key = secret_free(credentials->secret_access_key);
        credentials->session_token = secret_free(credentials->session_token);
        *credentials = (AwsCredentials){};
}

int aws_credentials_provider_new(
        const AwsCredentialsOptions *options, AwsCredentialsProvider **ret, Error *ret_error)
{
        AwsCredentialsProvider *provider = calloc(1, sizeof(*provider));

        if (!provider)
                return error_set(ret_error, -ENOMEM, "cannot look for AWS credentials: %m");
        provider->options = *options;
        *ret = provider;
        return 0;
}

AwsCredentialsProvider *aws_credentials_provider_free(AwsCredentialsProvider *provider)
{
        if (provider)
                aws_credentials_done(&provider->kept);
        free(provider);
        return NULL;
}

/* A key id becomes a header: letters, digits, and no more. */
static int check(const AwsCredentials *credentials, Error *ret_error)
{
        size_t length = strlen(credentials->access_key_id);

        if (length > 0 && length <= ACCESS_KEY_ID_MAX &&
                strspn(credentials->access_key_id,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") ==
                        length &&
                secret_size(credentials->secret_access_key) > 0 &&
                !strpbrk(secret_data(credentials->secret_access_key), "\r\n") &&
                (!credentials->session_token ||
                        !strpbrk(secret_data(credentials->session_token), "\r\n")))
                return 0;
        return error_set(ret_error,
                -EBADMSG,
                "cannot use the AWS credentials of %s: a key has characters that no key has",
                credentials->source);
}

/* From three texts; `token` NULL or "": none. */
static int fill(const char *id,
        const char *secret,
        const char *token,
        const char *source,
        AwsCredentials *ret,
        Error *ret_error)
{
        int r;

        ret->expires = USEC_INFINITY;
        ret->access_key_id = text_copy(id);
        ret->source = text_copy(source);
        r = ret->access_key_id && ret->source ? secret_new_text(secret, &ret->secret_access_key)
                                              : -ENOMEM;
        if (r == 0 && !text_is_empty(token))
                r = secret_new_text(token, &ret->session_token);
        if (r < 0)
                return error_set(ret_error, r, "cannot keep AWS credentials: %m");
        return check(ret, ret_error);
}

/* Each source: 0 found, -ENOENT none there (without a sentence), another errno: there and broken.
 */

static int from_environment(const AwsCredentialsProvider *provider,
        Usec deadline,
        AwsCredentials *ret,
        Error *ret_error)
{
        char *const *environment = provider->options.environment;
        const char *id = environment_get(environment, "AWS_ACCESS_KEY_ID");
        const char *secret = environment_get(environment, "AWS_SECRET_ACCESS_KEY");

        (void)deadline;
        if (!id && !secret)
                return -ENOENT;
        if (!id || !secret)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the AWS credentials of the environment: %s is set, %s is not",
                        id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                        id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        return fill(id,
                secret,
                environment_get(environment, "AWS_SESSION_TOKEN"),
                "the environment",
                ret,
                ret_error);
}

/* A file that is not there is no failure, unless a variable named it. */
static int read_profile_file(const AwsCredentialsProvider *provider,
        const char *variable,
        const char *below_home,
        const char *name,
        bool config,
        AwsProfile *profile,
        Error *ret_error)
{
        char *const *environment = provider->options.environment;
        const char *named = environment_get(environment, variable);
        const char *home = environment_get(environment, "HOME");
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * PROFILE_FILE_MAX);
        _cleanup_(free) char *path = NULL;
        int r;

        if (!named && !home)
                return 0;
        path = named ? text_copy(named) : text_format("%s/%s", home, below_home);
        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot look for AWS credentials: %m");

        r = file_read(AT_FDCWD, path, PROFILE_FILE_MAX, &text, ret_error);
        if ((r == -ENOENT || r == -ENOTDIR) && !named)
                return 0;
        if (r < 0)
                return r;
        return aws_profile_parse(path, buffer_text(&text), name, config, profile, ret_error);
}

static int refuse_profile(const AwsProfile *profile, const char *name, bool named, Error *ret_error)
{
        if (profile->unsupported)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the AWS profile '%s': it wants '%s', which this program does "
                        "not do; "
                        "export its keys with 'aws configure export-credentials --format env'",
                        name,
                        profile->unsupported);
        if (profile->access_key_id || profile->secret_access_key)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the AWS profile '%s': it has one of aws_access_key_id and "
                        "aws_secret_access_key alone",
                        name);
        if (named && !profile->found)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the AWS profile '%s', which AWS_PROFILE names: no file has it",
                        name);
        return -ENOENT;
}

static int from_profile(const AwsCredentialsProvider *provider,
        Usec deadline,
        AwsCredentials *ret,
        Error *ret_error)
{
        const char *named = environment_get(provider->options.environment, "AWS_PROFILE");
        const char *name = named ? named : "default";
        _cleanup_(aws_profile_done) AwsProfile profile = {};
        _cleanup_(free) char *source = text_format("profile '%s'", name);
        int r;

        (void)deadline;
        r = read_profile_file(provider,
                "AWS_SHARED_CREDENTIALS_FILE",
                ".aws/credentials",
                name,
                false,
                &profile,
                ret_error);
        if (r == 0)
                r = read_profile_file(provider,
                        "AWS_CONFIG_FILE",
                        ".aws/config",
                        name,
                        true,
                        &profile,
                        ret_error);
        if (r < 0)
                return r;
        if (!source)
                return error_set(ret_error, -ENOMEM, "cannot look for AWS credentials: %m");
        if (profile.unsupported_first || !profile.access_key_id || !profile.secret_access_key)
                return refuse_profile(&profile, name, named, ret_error);

        return fill(profile.access_key_id,
                secret_data(profile.secret_access_key),
                profile.session_token ? secret_data(profile.session_token) : NULL,
                source,
                ret,
                ret_error);
}

int aws_credentials_parse_role(
        const char *role, const char *text, size_t size, AwsCredentials *ret, Error *ret_error)
{
        static const char where[] = "the instance profile's credentials";
        _cleanup_(json_free) Json *document = NULL;
        _cleanup_(free) char *source = text_format("instance profile role '%s'", role);
        const char *code, *id, *secret, *token, *expiration;
        int r;

        if (!source)
                return error_set(ret_error, -ENOMEM, "cannot read %s: %m", where);
        r = json_parse_secret(where, text, size, &document, ret_error);
        if (r < 0)
                return r;

        code = json_text(json_member(document, "Code"));
        if (code && !text_equal(code, "Success"))
                return error_set(ret_error,
                        -EACCES,
                        "cannot use the role '%s' of the instance profile: the metadata service "
                        "says '%.100s'; its trust policy must let EC2 assume it",
                        role,
                        code);
        if (json_get_text(document, where, "AccessKeyId", &id, ret_error) < 0 ||
                json_get_text(document, where, "SecretAccessKey", &secret, ret_error) < 0 ||
                json_get_text(document, where, "Token", &token, ret_error) < 0 ||
                json_get_text(document, where, "Expiration", &expiration, ret_error) < 0)
                return -EBADMSG;

        r = fill(id, secret, token, source, ret, ret_error);
        if (r < 0)
                return r;
        if (clock_parse_utc(expiration, &ret->expires) < 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': Expiration: expected a time like 2026-11-24T09:05:00Z",
                        where);
        return 0;
}

/* One try; METADATA_ABSENT when there is no role, or not yet; ROLE_REFUSED when it may not be
 * assumed, or not yet. */
static int get_role(Metadata *metadata, Usec deadline, AwsCredentials *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(METADATA_VALUE_MAX);
        _cleanup_(free) char *role = NULL, *path = NULL;
        int r;

        r = metadata_get_text(metadata, ROLE_PATH, deadline, &role, ret_error);
        if (r != METADATA_OK)
                return r;
        path = text_format("%s%s", ROLE_PATH, role);
        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot look for AWS credentials: %m");
        r = metadata_get(metadata, path, deadline, &text, ret_error);
        if (r != METADATA_OK)
                return r;
        r = aws_credentials_parse_role(role, buffer_text(&text), text.size, ret, ret_error);
        return r == -EACCES ? ROLE_REFUSED : r;
}

static bool has_metadata(const AwsCredentialsProvider *provider)
{
        return provider->options.metadata && !metadata_is_disabled(provider->options.metadata);
}

static int from_metadata(const AwsCredentialsProvider *provider,
        Usec deadline,
        AwsCredentials *ret,
        Error *ret_error)
{
        const AwsCredentialsOptions *options = &provider->options;
        Retry retry = RETRY_INIT(&role_policy, options->clock, options->random, deadline);
        Usec patience = clock_deadline(options->clock, ROLE_PATIENCE);
        int r;

        if (!has_metadata(provider))
                return -ENOENT;
        for (;;) {
                bool refused, again;

                r = get_role(options->metadata, deadline, ret, ret_error);
                if (r <= 0)
                        return r;
                refused = r == ROLE_REFUSED;
                again = !(refused && clock_passed(options->clock, patience)) &&
                        retry_wait(&retry, RETRY_NOT_YET, 0) == RETRY_AGAIN;
                if (!again && refused)
                        return -EACCES;
                if (!again)
                        return error_set(ret_error,
                                -ENOENT,
                                "cannot find AWS credentials: the instance has no instance "
                                "profile, or "
                                "its role has not reached the metadata service");
        }
}

static int
find(const AwsCredentialsProvider *provider, Usec deadline, AwsCredentials *ret, Error *ret_error)
{
        static int (*const sources[])(const AwsCredentialsProvider *provider,
                Usec deadline,
                AwsCredentials *ret,
                Error *ret_error) = {from_environment, from_profile, from_metadata};

        for (size_t i = 0; i < ELEMENTS(sources); i++) {
                _cleanup_(aws_credentials_done) AwsCredentials found = {};
                int r;

                r = sources[i](provider, deadline, &found, ret_error);
                if (r == -ENOENT && i + 1 < ELEMENTS(sources))
                        continue;
                if (r == -ENOENT && has_metadata(provider))
                        return r;
                if (r == -ENOENT)
                        return error_set(ret_error,
                                r,
                                "cannot find AWS credentials: not in AWS_ACCESS_KEY_ID and "
                                "AWS_SECRET_ACCESS_KEY, and in no profile of ~/.aws");
                if (r < 0)
                        return r;
                *ret = found;
                found = (AwsCredentials){};
                return 0;
        }
        return -ENOENT;
}

static Usec renewal_of(const AwsCredentials *credentials)
{
        if (credentials->expires == USEC_INFINITY || credentials->expires < RENEW_BEFORE)
                return credentials->expires;
        return credentials->expires - RENEW_BEFORE;
}

/* There are credentials that can still sign. */
static bool holds(const AwsCredentialsProvider *provider)
{
        return provider->have && clock_wall(provider->options.clock) < provider->kept.expires;
}

static int renew(AwsCredentialsProvider *provider, Usec deadline, Error *ret_error)
{
        _cleanup_(aws_credentials_done) AwsCredentials found = {};
        Usec wall;
        int r;

        r = find(provider, deadline, &found, ret_error);
        wall = clock_wall(provider->options.clock);
        if (r < 0) {
                provider->next_renewal = wall + RENEW_RETRY;
                return r;
        }

        aws_credentials_done(&provider->kept);
        provider->kept = found;
        found = (AwsCredentials){};
        provider->have = true;
        provider->next_renewal = renewal_of(&provider->kept);
        if (provider->next_renewal <= wall) /* short-lived from the start */
                provider->next_renewal = wall + RENEW_RETRY;
        return 0;
}

int aws_credentials_get(AwsCredentialsProvider *provider,
        Usec deadline,
        const AwsCredentials **ret,
        Error *ret_error)
{
        const Clock *clock = provider->options.clock;
        int r = 0;

        /* Whoever still has credentials does not wait long for newer ones. */
        if (holds(provider) && clock_wall(clock) >= provider->next_renewal)
                (void)renew(
                        provider, usec_min(deadline, clock_deadline(clock, RENEW_PATIENCE)), NULL);
        if (!holds(provider))
                r = renew(provider, deadline, ret_error);
        if (r < 0)
                return r;

        *ret = &provider->kept;
        return 0;
}

void aws_credentials_refresh(AwsCredentialsProvider *provider)
{
        provider->have = false;
}
