/* Values that their services do not take: words that are none of a few, numbers out of range. */

#include "template/check-parts.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INSTANCE "AWS::EC2::Instance"
#define LAUNCH   "AWS::EC2::LaunchTemplate"
#define BUCKET   "AWS::S3::Bucket"
#define DATA     "LaunchTemplateData/"

/* Words, as the services spell them. */
static const char *const tokens[] = {"optional", "required", NULL};
static const char *const enabled[] = {"enabled", "disabled", NULL};
static const char *const volumes[] = {"standard", "io1", "io2", "gp2", "gp3", "sc1", "st1", NULL};
static const char *const shutdown[] = {"stop", "terminate", NULL};
static const char *const tenancy[] = {"default", "dedicated", "host", NULL};
static const char *const encryption[] = {"AES256", "aws:kms", "aws:kms:dsse", "aws:fsx", NULL};
static const char *const ownership[] = {
        "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter", NULL};
static const char *const status[] = {"Enabled", "Disabled", NULL};
static const char *const versioning[] = {"Enabled", "Suspended", NULL};
static const char *const acl[] = {"Private",
        "PublicRead",
        "PublicReadWrite",
        "AuthenticatedRead",
        "LogDeliveryWrite",
        "BucketOwnerRead",
        "BucketOwnerFullControl",
        "AwsExecRead",
        NULL};

static const struct {
        const char *type, *path;
        const char *const *words;
} words[] = {
        {INSTANCE, "MetadataOptions/HttpTokens", tokens},
        {INSTANCE, "MetadataOptions/HttpEndpoint", enabled},
        {INSTANCE, "MetadataOptions/InstanceMetadataTags", enabled},
        {INSTANCE, "BlockDeviceMappings/*/Ebs/VolumeType", volumes},
        {INSTANCE, "InstanceInitiatedShutdownBehavior", shutdown},
        {INSTANCE, "Tenancy", tenancy},
        {LAUNCH, DATA "MetadataOptions/HttpTokens", tokens},
        {LAUNCH, DATA "MetadataOptions/HttpEndpoint", enabled},
        {LAUNCH, DATA "MetadataOptions/InstanceMetadataTags", enabled},
        {LAUNCH, DATA "BlockDeviceMappings/*/Ebs/VolumeType", volumes},
        {LAUNCH, DATA "InstanceInitiatedShutdownBehavior", shutdown},
        {"AWS::EC2::Volume", "VolumeType", volumes},
        {BUCKET, "AccessControl", acl},
        {BUCKET,
                "BucketEncryption/ServerSideEncryptionConfiguration/*/"
                "ServerSideEncryptionByDefault/SSEAlgorithm",
                encryption},
        {BUCKET, "OwnershipControls/Rules/*/ObjectOwnership", ownership},
        {BUCKET, "LifecycleConfiguration/Rules/*/Status", status},
        {BUCKET, "VersioningConfiguration/Status", versioning},
};

static const struct {
        const char *type, *path;
        int64_t min, max;
} numbers[] = {
        {INSTANCE, "MetadataOptions/HttpPutResponseHopLimit", 1, 64},
        {LAUNCH, DATA "MetadataOptions/HttpPutResponseHopLimit", 1, 64},
        {INSTANCE, "BlockDeviceMappings/*/Ebs/VolumeSize", 1, 65536},
        {LAUNCH, DATA "BlockDeviceMappings/*/Ebs/VolumeSize", 1, 65536},
        {"AWS::IAM::Role", "MaxSessionDuration", 3600, 43200},
        {BUCKET, "LifecycleConfiguration/Rules/*/ExpirationInDays", 1, INT32_MAX},
        {BUCKET,
                "LifecycleConfiguration/Rules/*/AbortIncompleteMultipartUpload/"
                "DaysAfterInitiation",
                1,
                INT32_MAX},
        {"AWS::CloudFormation::WaitCondition", "Count", 1, INT32_MAX},
};

/* Ids of what is there already, and how each begins. */
static const struct {
        const char *type, *path, *head;
} ids[] = {
        {INSTANCE, "ImageId", "ami-"},
        {INSTANCE, "SubnetId", "subnet-"},
        {INSTANCE, "SecurityGroupIds/*", "sg-"},
        {INSTANCE, "NetworkInterfaces/*/SubnetId", "subnet-"},
        {INSTANCE, "NetworkInterfaces/*/GroupSet/*", "sg-"},
        {LAUNCH, DATA "ImageId", "ami-"},
        {LAUNCH, DATA "SecurityGroupIds/*", "sg-"},
        {"AWS::EC2::SecurityGroup", "VpcId", "vpc-"},
        {"AWS::EC2::SecurityGroupIngress", "GroupId", "sg-"},
        {"AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId", "sg-"},
        {"AWS::EC2::Subnet", "VpcId", "vpc-"},
};

/* What is wanted of a value, and of whom. */
typedef struct Wanted {
        const CfnResource *resource;
        const char *path;
        const char *const *words;
        const char *head;
        int64_t min, max;
} Wanted;

/* The last name of a path. */
static const char *last(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static void look_at_word(Check *check, const YamlNode *node, void *userdata)
{
        const Wanted *wanted = userdata;
        char known[256] = "";
        size_t length = 0;

        if (!check_is_literal(node))
                return;
        for (size_t i = 0; wanted->words[i]; i++) {
                if (text_equal(node->text, wanted->words[i]))
                        return;
                length += (size_t)snprintf(known + length,
                        sizeof(known) - length,
                        "%s%s",
                        i > 0 ? ", " : "",
                        wanted->words[i]);
        }
        check_tell(check,
                node,
                "%s: %s: expected one of %s, found '%.60s'",
                wanted->resource->name,
                last(wanted->path),
                known,
                node->text);
}

static void look_at_number(Check *check, const YamlNode *node, void *userdata)
{
        const Wanted *wanted = userdata;
        int64_t number;

        if (!check_is_literal(node) ||
                text_to_int64(node->text, wanted->min, wanted->max, &number) != -ERANGE)
                return;
        check_tell(check,
                node,
                "%s: %s: expected %" PRId64 " to %" PRId64 ", found %.60s",
                wanted->resource->name,
                last(wanted->path),
                wanted->min,
                wanted->max,
                node->text);
}

/* Behind the head, 8 or 17 hexadecimal digits. */
static void look_at_id(Check *check, const YamlNode *node, void *userdata)
{
        const Wanted *wanted = userdata;
        size_t digits;

        if (!check_is_literal(node) || strstr(node->text, "{{resolve:") ||
                text_starts(node->text, "resolve:ssm:"))
                return;
        digits = text_starts(node->text, wanted->head)
                         ? strspn(node->text + strlen(wanted->head), "0123456789abcdef")
                         : 0;
        if (node->length == strlen(wanted->head) + digits && (digits == 8 || digits == 17))
                return;
        check_tell(check,
                node,
                "%s: %s: expected an id like %s0123456789abcdef0, found '%.60s'",
                wanted->resource->name,
                last(wanted->path),
                wanted->head,
                node->text);
}

static void look_at_words(Check *check)
{
        for (size_t i = 0; i < ELEMENTS(words); i++)
                for (const CfnResource *resource = check_next(check, words[i].type, NULL); resource;
                        resource = check_next(check, words[i].type, resource)) {
                        Wanted wanted = {resource, words[i].path, .words = words[i].words};

                        check_visit(
                                check, resource->properties, words[i].path, look_at_word, &wanted);
                }
}

static void look_at_numbers(Check *check)
{
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                for (const CfnResource *resource = check_next(check, numbers[i].type, NULL);
                        resource;
                        resource = check_next(check, numbers[i].type, resource)) {
                        Wanted wanted = {resource,
                                numbers[i].path,
                                .min = numbers[i].min,
                                .max = numbers[i].max};

                        check_visit(check,
                                resource->properties,
                                numbers[i].path,
                                look_at_number,
                                &wanted);
                }
}

static void look_at_ids(Check *check)
{
        for (size_t i = 0; i < ELEMENTS(ids); i++)
                for (const CfnResource *resource = check_next(check, ids[i].type, NULL); resource;
                        resource = check_next(check, ids[i].type, resource)) {
                        Wanted wanted = {resource, ids[i].path, .head = ids[i].head};

                        check_visit(check, resource->properties, ids[i].path, look_at_id, &wanted);
                }
}

#define TYPES "CloudFormation Template Reference, the type's page"

const CheckRule check_values_rules[] = {
        {"property-value",
                CHECK_ERROR,
                "a word that is none of those that the service takes",
                TYPES,
                look_at_words},
        {"property-range",
                CHECK_ERROR,
                "a number that the service does not take",
                TYPES,
                look_at_numbers},
        {"property-id",
                CHECK_ERROR,
                "an id of an image, a subnet, a VPC or a group that cannot be one",
                "EC2 User Guide, Resource IDs",
                look_at_ids},
        {},
};
