#include "template/account.h"

#include "aws/environment.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

#define CONNECT_TIME  (10 * USEC_PER_SEC)
#define METADATA_TIME USEC_PER_SEC /* an engineer's machine is no instance, mostly */

static int make_http(HttpClient **ret, Error *ret_error)
{
        HttpProxies proxies = {
                .http = environment_get(NULL, "http_proxy"),
                .https = environment_get(NULL, "https_proxy"),
                .none = environment_get(NULL, "no_proxy"),
        };

        if (!proxies.https)
                proxies.https = environment_get(NULL, "HTTPS_PROXY");
        if (!proxies.none)
                proxies.none = environment_get(NULL, "NO_PROXY");
        return http_client_new(
                &(HttpOptions){
                        .user_agent = "flocker-template/" VERSION,
                        .proxies = &proxies,
                        .clock = &clock_system,
                        .connect_timeout = CONNECT_TIME,
                },
                ret,
                ret_error);
}

static int make_credentials(Account *account, Error *ret_error)
{
        int r;

        r = metadata_new(
                &(MetadataOptions){
                        .http = account->http,
                        .clock = &clock_system,
                        .random = &random_system,
                        .wait = METADATA_TIME,
                },
                &account->metadata,
                ret_error);
        if (r < 0)
                return r;
        return aws_credentials_provider_new(
                &(AwsCredentialsOptions){
                        .metadata = account->metadata,
                        .clock = &clock_system,
                        .random = &random_system,
                },
                &account->credentials,
                ret_error);
}

static int choose_region(const char *region, const char **ret, Error *ret_error)
{
        AwsEndpointOptions options = {};
        int r;

        r = aws_endpoint_options_from_environment(NULL, "s3", &options, ret_error);
        if (r < 0)
                return r;
        if (!region)
                region = options.region;
        if (!region)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use AWS: no region is known; give --region or set AWS_REGION");
        r = aws_region_check(region, ret_error);
        if (r == 0)
                *ret = region;
        return r;
}

int account_open(const char *region, Account *ret, Error *ret_error)
{
        _cleanup_(account_done) Account account = {};
        int r;

        r = choose_region(region, &region, ret_error);
        if (r == 0)
                r = make_http(&account.http, ret_error);
        if (r == 0)
                r = make_credentials(&account, ret_error);
        if (r == 0)
                r = aws_session_new(
                        &(AwsSessionOptions){
                                .http = account.http,
                                .credentials = account.credentials,
                                .clock = &clock_system,
                                .random = &random_system,
                                .region = region,
                        },
                        &account.session,
                        ret_error);
        if (r == 0)
                *ret = TAKE_STRUCT(account);
        return r;
}

void account_done(Account *account)
{
        account->session = aws_session_free(account->session);
        account->credentials = aws_credentials_provider_free(account->credentials);
        account->metadata = metadata_free(account->metadata);
        account->http = http_client_free(account->http);
}

static int read_endpoint_options(
        const Account *account, const char *service, AwsEndpointOptions *ret, Error *ret_error)
{
        int r;

        r = aws_endpoint_options_from_environment(NULL, service, ret, ret_error);
        if (r == 0)
                ret->region = aws_session_region(account->session);
        return r;
}

int account_open_bucket(const Account *account, const char *name, S3Bucket **ret, Error *ret_error)
{
        S3BucketOptions options = {.session = account->session, .name = name};
        int r;

        r = read_endpoint_options(account, "s3", &options.endpoint, ret_error);
        return r < 0 ? r : s3_bucket_new(&options, ret, ret_error);
}

int account_endpoint(const Account *account, const char *service, char **ret, Error *ret_error)
{
        AwsEndpointOptions options = {};
        int r;

        r = read_endpoint_options(account, service, &options, ret_error);
        return r < 0 ? r : aws_endpoint(&options, service, ret, ret_error);
}

static int read_https(const char *address, size_t max, Buffer *ret, Error *ret_error)
{
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        _cleanup_(http_client_free) HttpClient *http = NULL;
        int r;

        r = make_http(&http, ret_error);
        if (r == 0)
                r = http_perform(http,
                        &(HttpRequest){
                                .method = "GET",
                                .url = address,
                                .response_max = max,
                                .deadline = clock_deadline(&clock_system, ACCOUNT_TIME),
                        },
                        &response,
                        ret_error);
        if (r < 0)
                return r;
        if (response.status != 200)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot download '%.300s': the answer is %u%s",
                        address,
                        response.status,
                        response.status / 100 == 3 ? ", a redirect, which is not followed" : "");
        r = buffer_append(ret, buffer_text(&response.body), response.body.size);
        return r < 0 ? error_set(ret_error, r, "cannot download '%.300s': %m", address) : 0;
}

static int read_object(
        const char *region, const char *address, size_t max, Buffer *ret, Error *ret_error)
{
        _cleanup_(account_done) Account account = {};
        _cleanup_(s3_bucket_free) S3Bucket *bucket = NULL;
        _cleanup_(free) char *name = NULL, *key = NULL;
        int r;

        r = s3_object_url_parse(address, &name, &key, ret_error);
        if (r == 0)
                r = account_open(region, &account, ret_error);
        if (r == 0)
                r = account_open_bucket(&account, name, &bucket, ret_error);
        if (r == 0)
                r = s3_get(bucket,
                        key,
                        max,
                        NULL,
                        clock_deadline(&clock_system, ACCOUNT_TIME),
                        ret,
                        NULL,
                        NULL,
                        ret_error);
        if (r > 0)
                r = r == S3_DENIED ? -EACCES : -ENOENT;
        return r;
}

bool account_is_address(const char *text)
{
        return text_starts(text, "https://") || text_starts(text, "http://") ||
               text_starts(text, "s3://");
}

int account_read(const char *region, const char *address, size_t max, Buffer *ret, Error *ret_error)
{
        if (text_starts(address, "http://"))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '%.300s': expected https://, as on the way of http:// anybody "
                        "can change it",
                        address);
        if (text_starts(address, "https://"))
                return read_https(address, max, ret, ret_error);
        if (text_starts(address, "s3://"))
                return read_object(region, address, max, ret, ret_error);
        return file_read(AT_FDCWD, address, max, ret, ret_error);
}
