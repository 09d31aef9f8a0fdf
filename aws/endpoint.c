#include "aws/endpoint.h"

#include "aws/environment.h"
#include "base/text.h"
#include "net/http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REGION_MAX 40U

static const struct {
        const char *prefix; /* of its regions' names */
        AwsPartition partition;
} partitions[] = {
        {"cn-", {"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"}},
        {"us-gov-", {"aws-us-gov", "amazonaws.com", "api.aws"}},
        {"eusc-", {"aws-eusc", "amazonaws.eu", NULL}},
        {"us-iso-", {"aws-iso", "c2s.ic.gov", NULL}},
        {"us-isob-", {"aws-iso-b", "sc2s.sgov.gov", NULL}},
        {"", {"aws", "amazonaws.com", "api.aws"}}, /* the rest: the last */
};

const AwsPartition *aws_partition_of_region(const char *region)
{
        size_t i = 0;

        while (!text_starts(region, partitions[i].prefix))
                i++;
        return &partitions[i].partition;
}

const AwsPartition *aws_partition_by_name(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(partitions); i++)
                if (text_equal(partitions[i].partition.name, name))
                        return &partitions[i].partition;
        return NULL;
}

/* <letters>-<letters>[-<letters>…]-<digits> */
static bool is_region(const char *region)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
        size_t length = strlen(region), parts = 0;

        if (length == 0 || length > REGION_MAX)
                return false;
        for (;;) {
                size_t word = strspn(region, letters);

                if (word == 0)
                        break;
                region += word;
                if (*region++ != '-')
                        return false;
                parts++;
        }
        return parts >= 2 && region[0] && strspn(region, "0123456789") == strlen(region);
}

int aws_region_check(const char *region, Error *ret_error)
{
        if (is_region(region))
                return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot use the region '%.60s': expected a name like us-east-1",
                region);
}

/* In aws-us-gov some services' plain names are the FIPS ones, and no others exist. */
static bool is_fips_by_plain_name(const AwsPartition *partition, const char *service)
{
        static const char *const services[] = {"ec2", "ssm", "sts"};

        for (size_t i = 0; i < ELEMENTS(services); i++)
                if (text_equal(partition->name, "aws-us-gov") && text_equal(service, services[i]))
                        return true;
        return false;
}

int aws_endpoint(
        const AwsEndpointOptions *options, const char *service, char **ret, Error *ret_error)
{
        const AwsPartition *partition;
        const char *suffix;
        int r;

        if (options->override) {
                size_t length = strlen(options->override);

                while (length > 0 && options->override[length - 1] == '/')
                        length--;
                *ret = text_copy_part(options->override, length);
                return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot name an endpoint: %m");
        }

        r = aws_region_check(options->region, ret_error);
        if (r < 0)
                return r;
        partition = aws_partition_of_region(options->region);
        suffix = options->domain ? options->domain : partition->suffix;
        if (options->dualstack) {
                suffix = partition->dualstack_suffix;
                if (!suffix)
                        return error_set(ret_error,
                                -EDOM,
                                "cannot use dual-stack endpoints in partition '%s': none are known",
                                partition->name);
        }
        *ret = text_format("https://%s%s.%s.%s",
                service,
                options->fips && (options->dualstack || !is_fips_by_plain_name(partition, service))
                        ? "-fips"
                        : "",
                options->region,
                suffix);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot name an endpoint: %m");
}

static int read_flag(char *const *environment, const char *name, bool *ret, Error *ret_error)
{
        const char *value = environment_get(environment, name);

        *ret = value && text_equal_case(value, "true");
        if (!value || *ret || text_equal_case(value, "false"))
                return 0;
        return error_set(
                ret_error, -EDOM, "cannot use %s='%.40s': expected true or false", name, value);
}

/* AWS_ENDPOINT_URL_<SERVICE>, or AWS_ENDPOINT_URL for all; a URL that cannot be is named by its
 * variable. */
static int read_override(
        char *const *environment, const char *service, const char **ret, Error *ret_error)
{
        _cleanup_(http_url_done) HttpUrl url = {};
        const char *variable = "AWS_ENDPOINT_URL", *found;
        char own[64];
        int r = 0;

        (void)snprintf(own, sizeof(own), "%s_%s", variable, service);
        for (char *c = own; *c; c++)
                if (*c >= 'a' && *c <= 'z')
                        *c = (char)(*c - ('a' - 'A'));
        found = environment_get(environment, own);
        if (found)
                variable = own;
        else
                found = environment_get(environment, variable);

        if (found)
                r = http_url_parse(found, &url, ret_error);
        if (r < 0)
                return error_prefix(ret_error,
                        r == -ENOMEM ? r : -EDOM,
                        "cannot use the endpoint in %s",
                        variable);
        *ret = found;
        return 0;
}

int aws_endpoint_options_from_environment(
        char *const *environment, const char *service, AwsEndpointOptions *ret, Error *ret_error)
{
        AwsEndpointOptions options = {};
        bool ignored;
        int r;

        r = read_flag(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", &ignored, ret_error);
        if (r == 0)
                r = read_flag(environment, "AWS_USE_FIPS_ENDPOINT", &options.fips, ret_error);
        if (r == 0)
                r = read_flag(
                        environment, "AWS_USE_DUALSTACK_ENDPOINT", &options.dualstack, ret_error);
        if (r == 0 && !ignored)
                r = read_override(environment, service, &options.override, ret_error);
        if (r < 0)
                return r;

        options.region = environment_get(environment, "AWS_REGION");
        if (!options.region)
                options.region = environment_get(environment, "AWS_DEFAULT_REGION");
        *ret = options;
        return 0;
}
