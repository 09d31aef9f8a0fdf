/* Roles and secrets: who takes them, how they are named, what they lack. */

#include "template/check-policy.h"

#include "base/text.h"

#include <string.h>

#define ROLE   "AWS::IAM::Role"
#define BUCKET "AWS::S3::Bucket"
#define FIXED                                                                                   \
        "CloudFormation User Guide, Name type: a fixed name prevents replacement and a second " \
        "stack"

/* In China the suffix is another. */
static void look_at_principal(Check *check, const YamlNode *node, void *userdata)
{
        const CheckStatement *statement = userdata;

        if (check_is_literal(node) && text_starts(node->text, "ec2.amazonaws.com"))
                check_tell(check,
                        node,
                        "%s: '%.40s' is EC2 in one partition; write ec2.${AWS::URLSuffix} in "
                        "Fn::Sub",
                        statement->resource->name,
                        node->text);
}

static void look_at_statement(Check *check, const CheckStatement *statement, void *userdata)
{
        CheckStatement copy = *statement;

        (void)userdata;
        check_visit(check, statement->node, "Principal/Service/*", look_at_principal, &copy);
}

static void look_at_principals(Check *check)
{
        check_policy_statements(check, look_at_statement, NULL);
}

/* Names that stand for the whole account or the whole world. */
static const struct {
        const char *type, *property;
} named[] = {
        {ROLE, "RoleName"},
        {"AWS::IAM::InstanceProfile", "InstanceProfileName"},
        {"AWS::IAM::ManagedPolicy", "ManagedPolicyName"},
        {"AWS::IAM::User", "UserName"},
        {"AWS::IAM::Group", "GroupName"},
        {"AWS::SecretsManager::Secret", "Name"},
        {"AWS::EC2::SecurityGroup", "GroupName"},
        {"AWS::EC2::LaunchTemplate", "LaunchTemplateName"},
        {BUCKET, "BucketName"},
};

static void look_at_name(Check *check, const YamlNode *node, void *userdata)
{
        const CfnResource *resource = userdata;

        if (check_is_literal(node))
                check_tell(check,
                        node,
                        "%s: with the fixed name '%.60s' a second stack, or the same one after a "
                        "failure, cannot make it; leave the name to CloudFormation, or put "
                        "${AWS::StackName} into it",
                        resource->name,
                        node->text);
}

static void look_at_names(Check *check)
{
        for (size_t i = 0; i < ELEMENTS(named); i++)
                for (const CfnResource *resource = check_next(check, named[i].type, NULL); resource;
                        resource = check_next(check, named[i].type, resource))
                        check_visit(check,
                                resource->properties,
                                named[i].property,
                                look_at_name,
                                (void *)(uintptr_t)resource);
}

static void look_at_managed(Check *check, const YamlNode *node, void *userdata)
{
        static const char *const policies[] = {
                "/AdministratorAccess", "/PowerUserAccess", "/IAMFullAccess"};
        const CfnResource *role = userdata;
        const char *text = check_text_of(node);

        for (size_t i = 0; i < ELEMENTS(policies); i++)
                if (text_ends(text, policies[i]))
                        check_tell(check,
                                node,
                                "%s: %s gives the role the whole account; write down what it "
                                "needs",
                                role->name,
                                policies[i] + 1);
}

static void look_at_administrators(Check *check)
{
        for (const CfnResource *role = check_next(check, ROLE, NULL); role;
                role = check_next(check, ROLE, role))
                check_visit(check,
                        role->properties,
                        "ManagedPolicyArns/*",
                        look_at_managed,
                        (void *)(uintptr_t)role);
}

/* What a role may do with one bucket, and with keys. */
typedef struct Rights {
        const CfnResource *bucket;
        bool reads, writes, decrypts, makes_keys;
} Rights;

static bool allows(Check *check, const CheckStatement *statement, const char *const *actions)
{
        for (; *actions; actions++)
                if (check_find_text(check, statement->node, "Action/*", *actions))
                        return true;
        return false;
}

static void add_rights(Check *check, const CheckStatement *statement, void *userdata)
{
        static const char *const reading[] = {"s3:GetObject", "s3:Get*", "s3:*", "*", NULL};
        static const char *const writing[] = {"s3:PutObject", "s3:Put*", "s3:*", "*", NULL};
        static const char *const decrypting[] = {"kms:Decrypt", "kms:*", "*", NULL};
        static const char *const making[] = {
                "kms:GenerateDataKey", "kms:GenerateDataKey*", "kms:*", "*", NULL};
        const YamlNode *resource = yaml_member(statement->node, "Resource");
        Rights *rights = userdata;
        bool on_bucket = check_refers(check, resource, rights->bucket->name);

        if (!statement->allows || statement->kind != CHECK_IDENTITY)
                return;
        rights->reads = rights->reads || (on_bucket && allows(check, statement, reading));
        rights->writes = rights->writes || (on_bucket && allows(check, statement, writing));
        rights->decrypts = rights->decrypts || allows(check, statement, decrypting);
        rights->makes_keys = rights->makes_keys || allows(check, statement, making);
}

static void tell_lacking(
        Check *check, const CfnResource *bucket, const CfnResource *role, const char *action)
{
        check_tell(check,
                role->key,
                "%s uses the bucket '%s', which a KMS key encrypts, and lacks %s on that key: S3 "
                "asks KMS in the caller's name",
                role->name,
                bucket->name,
                action);
}

static void look_at_keys(Check *check)
{
        static const char *const path = "BucketEncryption/ServerSideEncryptionConfiguration/*/"
                                        "ServerSideEncryptionByDefault/KMSMasterKeyID";

        for (const CfnResource *bucket = check_next(check, BUCKET, NULL); bucket;
                bucket = check_next(check, BUCKET, bucket)) {
                if (!check_find(check, bucket->properties, path))
                        continue;
                for (const CfnResource *role = check_next(check, ROLE, NULL); role;
                        role = check_next(check, ROLE, role)) {
                        Rights rights = {.bucket = bucket};

                        check_policy_statements_of(check, role, add_rights, &rights);
                        if ((rights.reads || rights.writes) && !rights.decrypts)
                                tell_lacking(check, bucket, role, "kms:Decrypt");
                        if (rights.writes && !rights.makes_keys)
                                tell_lacking(check, bucket, role, "kms:GenerateDataKey");
                }
        }
}

const CheckRule check_roles_rules[] = {
        {"one-ec2",
                CHECK_WARNING,
                "ec2.amazonaws.com as the principal that takes a role",
                "CloudFormation User Guide, Pseudo parameters reference: AWS::URLSuffix",
                look_at_principals},
        {"fixed-name",
                CHECK_WARNING,
                "a fixed name of what is one in an account",
                FIXED,
                look_at_names},
        {"administrator",
                CHECK_WARNING,
                "a role with a managed policy for administrators",
                "IAM User Guide, Security best practices: least privilege",
                look_at_administrators},
        {"key-rights",
                CHECK_WARNING,
                "a role that uses a bucket encrypted by a KMS key, without rights on the key",
                "S3 User Guide, Using server-side encryption with AWS KMS keys: Permissions",
                look_at_keys},
        {},
};
