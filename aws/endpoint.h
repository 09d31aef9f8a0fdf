/* Regions, partitions, and the host names of services in them.
 *
 * Sources: AWS General Reference, "Service endpoints"; SDKs and Tools Reference Guide,
 * "Service-specific endpoints" (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>,
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS), AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT.
 */

#pragma once

#include "base/error.h"

#include <stdbool.h>

typedef struct AwsPartition {
        const char *name;   /* "aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", … */
        const char *suffix; /* "amazonaws.com" */
        const char *dualstack_suffix; /* "api.aws"; NULL: none */
} AwsPartition;

/* By the region's name; a region of no known partition is taken for "aws". What metadata says
 * (services/partition, services/domain) goes before this guess. Never NULL. */
const AwsPartition *aws_partition_of_region(const char *region);
const AwsPartition *aws_partition_by_name(const char *name); /* NULL: unknown */

/* "us-east-1", "eu-isoe-west-1": lower case, digits, dashes; a typo ("us-east-1a", "US East") is
 * refused before it becomes a host name. -EDOM with the sentence. */
int aws_region_check(const char *region, Error *ret_error);

typedef struct AwsEndpointOptions {
        const char *region;
        const char *domain;   /* services/domain of metadata; NULL: the partition's suffix */
        const char *override; /* AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL; NULL: none */
        bool fips;
        bool dualstack;
} AwsEndpointOptions;

/* "https://secretsmanager.eu-west-1.amazonaws.com", or the override without a trailing slash; a
 * heap string. */
int aws_endpoint(
        const AwsEndpointOptions *options, const char *service, char **ret, Error *ret_error);

/* Reads the variables above for `service` ("s3", "secretsmanager", "ssm", "ec2", "sts") from
 * `environment` (NULL: the process's). Malformed values are -EDOM with the variable's name. Strings
 * are borrowed from the environment. */
int aws_endpoint_options_from_environment(
        char *const *environment, const char *service, AwsEndpointOptions *ret, Error *ret_error);
