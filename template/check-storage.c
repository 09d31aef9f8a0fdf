/* Volumes and buckets. */

#include "template/check-parts.h"

#include "base/text.h"

#include <string.h>

#define INSTANCE "AWS::EC2::Instance"
#define BUCKET   "AWS::S3::Bucket"
#define POLICY   "AWS::S3::BucketPolicy"
#define DEVICES  "EC2 User Guide, Device names for volumes"
#define S3_GUIDE "S3 User Guide, Blocking public access; Controlling ownership of objects"
#define DELETION "CloudFormation User Guide, DeletionPolicy and UpdateReplacePolicy attributes"

/* Names of block devices that images and EC2 use: /dev/sda1 and /dev/xvda of the root, /dev/sd[b-z]
 * with or without a number, /dev/xvd[b-z] with or without a letter, of Windows without /dev/. */
static bool is_usual_device(const char *name)
{
        static const char *const letters = "bcdefghijklmnopqrstuvwxyz";
        bool plain = !text_starts(name, "/dev/");
        const char *last = plain ? name : name + strlen("/dev/");

        if (text_equal(name, "/dev/sda1") || text_equal(name, "/dev/xvda") ||
                text_starts(name, "ephemeral"))
                return true;
        if (!plain && text_starts(last, "sd") && last[2] && strchr(letters, last[2]))
                return strspn(last + 3, "0123456789") == strlen(last + 3);
        return text_starts(last, "xvd") && last[3] && strchr(letters, last[3]) &&
               (last[4] == '\0' || last[5] == '\0');
}

static void look_at_device(Check *check, const YamlNode *node, void *userdata)
{
        const CheckMachine *machine = userdata;
        const CfnParameter *parameter = check_parameter_of(check, node);
        const char *name = check_is_literal(node) ? node->text
                           : parameter            ? parameter->default_value
                                                  : NULL;

        if (name && *name && !is_usual_device(name))
                check_tell(check,
                        node,
                        "%s: '%.60s' is the root device of no usual image: /dev/sda1 is Ubuntu's, "
                        "/dev/xvda Debian's and Amazon Linux's; another name adds a volume and "
                        "leaves the root as it is",
                        machine->resource->name,
                        name);
}

static void look_at_devices(Check *check)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine))
                check_visit(check,
                        machine.settings,
                        "BlockDeviceMappings/*/DeviceName",
                        look_at_device,
                        &machine);
}

static bool is_encrypted(Check *check, const YamlNode *settings)
{
        const YamlNode *encrypted = check_find(check, settings, "Encrypted");

        return check_find_text(check, encrypted, "", "true") ||
               check_parameter_of(check, encrypted);
}

static void look_at_volume(Check *check, const YamlNode *node, void *userdata)
{
        const CheckMachine *machine = userdata;

        if (node->kind == YAML_MAPPING && !is_encrypted(check, node))
                check_tell(check,
                        node,
                        "%s: a volume that is not encrypted; set Encrypted: true",
                        machine->resource->name);
}

static void look_at_volumes(Check *check)
{
        static const char *const type = "AWS::EC2::Volume";
        CheckMachine machine = {};

        while (check_next_machine(check, &machine))
                check_visit(check,
                        machine.settings,
                        "BlockDeviceMappings/*/Ebs",
                        look_at_volume,
                        &machine);
        for (const CfnResource *volume = check_next(check, type, NULL); volume;
                volume = check_next(check, type, volume))
                if (!is_encrypted(check, volume->properties))
                        check_tell(check,
                                volume->key,
                                "%s is not encrypted; set Encrypted: true",
                                volume->name);
}

static void look_at_root_volumes(Check *check)
{
        for (const CfnResource *instance = check_next(check, INSTANCE, NULL); instance;
                instance = check_next(check, INSTANCE, instance))
                if (!check_find(check, instance->properties, "BlockDeviceMappings/*") &&
                        !check_find(check,
                                check_launch_settings(check, instance),
                                "BlockDeviceMappings/*"))
                        check_tell(check,
                                instance->key,
                                "%s: its root volume is encrypted only if the account does so by "
                                "default; a BlockDeviceMapping of the root device would say it",
                                instance->name);
}

static void look_at_public_buckets(Check *check)
{
        static const char *const acls[] = {"PublicRead", "PublicReadWrite", "AuthenticatedRead"};

        for (const CfnResource *bucket = check_next(check, BUCKET, NULL); bucket;
                bucket = check_next(check, BUCKET, bucket))
                for (size_t i = 0; i < ELEMENTS(acls); i++) {
                        const YamlNode *node = check_find_text(
                                check, bucket->properties, "AccessControl", acls[i]);

                        if (node)
                                check_tell(check,
                                        node,
                                        "%s: %s lets everyone read%s; take it out, or put a "
                                        "CloudFront distribution in front",
                                        bucket->name,
                                        acls[i],
                                        i == 1 ? " and write" : "");
                }
}

/* Since April 2023 a new bucket has BucketOwnerEnforced, with which no ACL can be set. */
static void look_at_acls(Check *check)
{
        for (const CfnResource *bucket = check_next(check, BUCKET, NULL); bucket;
                bucket = check_next(check, BUCKET, bucket)) {
                const YamlNode *acl = check_find(check, bucket->properties, "AccessControl");

                if (acl && !check_find_text(check, acl, "", "Private") &&
                        !check_find(check, bucket->properties, "OwnershipControls"))
                        check_tell(check,
                                acl,
                                "%s: a new bucket takes no ACL unless OwnershipControls says "
                                "BucketOwnerPreferred or ObjectWriter",
                                bucket->name);
        }
}

static bool is_kept(const char *policy)
{
        return text_equal(policy, "Retain") || text_equal(policy, "RetainExceptOnCreate");
}

static const CfnResource *bucket_of(Check *check, const CfnResource *policy)
{
        const CfnResource *bucket =
                check_resource_of(check, check_find(check, policy->properties, "Bucket"));

        return bucket && text_equal(bucket->type, BUCKET) ? bucket : NULL;
}

static void look_at_kept_policies(Check *check)
{
        for (const CfnResource *policy = check_next(check, POLICY, NULL); policy;
                policy = check_next(check, POLICY, policy)) {
                const CfnResource *bucket = bucket_of(check, policy);

                if (bucket && is_kept(bucket->deletion_policy) && !is_kept(policy->deletion_policy))
                        check_tell(check,
                                policy->key,
                                "%s goes with the stack and its bucket '%s' stays, without it; "
                                "set DeletionPolicy: Retain here, too",
                                policy->name,
                                bucket->name);
        }
}

static void look_at_replacement(Check *check)
{
        for (size_t i = 0; i < check->template->n_resources; i++) {
                const CfnResource *resource = &check->template->resources[i];

                if (is_kept(resource->deletion_policy) && !resource->update_replace_policy)
                        check_tell(check,
                                resource->key,
                                "%s is kept when the stack is deleted, and not when an update "
                                "replaces it; set UpdateReplacePolicy: Retain, too",
                                resource->name);
        }
}

/* A policy that denies what is sent without TLS is to be there before anyone sends. */
static void look_at_order(Check *check)
{
        for (const CfnResource *policy = check_next(check, POLICY, NULL); policy;
                policy = check_next(check, POLICY, policy)) {
                const CfnResource *bucket = bucket_of(check, policy);

                for (const CfnResource *instance = bucket ? check_next(check, INSTANCE, NULL)
                                                          : NULL;
                        instance;
                        instance = check_next(check, INSTANCE, instance))
                        if (check_needs(check, instance, bucket) &&
                                !check_needs(check, instance, policy))
                                check_tell(check,
                                        instance->key,
                                        "%s uses the bucket '%s' and does not depend on its "
                                        "policy, so it may boot before it and roll back after it; "
                                        "add DependsOn: %s",
                                        instance->name,
                                        bucket->name,
                                        policy->name);
        }
}

const CheckRule check_storage_rules[] = {
        {"root-device",
                CHECK_WARNING,
                "a device name that fits no usual image",
                DEVICES,
                look_at_devices},
        {"unencrypted-volume",
                CHECK_WARNING,
                "a volume that is not encrypted",
                "EC2 User Guide, EBS encryption",
                look_at_volumes},
        {"root-volume",
                CHECK_NOTE,
                "an instance whose root volume the template does not describe",
                "EC2 User Guide, EBS encryption",
                look_at_root_volumes},
        {"public-bucket",
                CHECK_WARNING,
                "a bucket that everyone may read",
                S3_GUIDE,
                look_at_public_buckets},
        {"bucket-acl",
                CHECK_ERROR,
                "an ACL that a new bucket does not take",
                S3_GUIDE,
                look_at_acls},
        {"kept-bucket-policy",
                CHECK_WARNING,
                "a bucket that is kept, and whose policy is not",
                DELETION,
                look_at_kept_policies},
        {"kept-half",
                CHECK_WARNING,
                "a resource that is kept on deletion alone, not on replacement",
                DELETION,
                look_at_replacement},
        {"instance-before-policy",
                CHECK_WARNING,
                "an instance that does not depend on the policy of the bucket that it uses",
                "CloudFormation User Guide, DependsOn attribute",
                look_at_order},
        {},
};
