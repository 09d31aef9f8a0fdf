#include "rehearsal/change.h"

#include "base/text.h"

/* The first that fits counts. */
static const struct {
        const char *type, *property; /* NULL: every other */
        Change change;
} rules[] = {
        {"AWS::CloudFormation::WaitCondition", NULL, CHANGE_REFUSED},
        {"AWS::EC2::Instance", "UserData", CHANGE_RESTART},
        {"AWS::EC2::Instance", "InstanceType", CHANGE_RESTART},
        {"AWS::EC2::Instance", "AvailabilityZone", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "BlockDeviceMappings", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "ImageId", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "KeyName", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "LaunchTemplate", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "NetworkInterfaces", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "PrivateIpAddress", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "SecurityGroups", CHANGE_REPLACE},
        {"AWS::EC2::Instance", "SubnetId", CHANGE_REPLACE},
        {"AWS::EC2::LaunchTemplate", "LaunchTemplateName", CHANGE_REPLACE},
        {"AWS::EC2::SecurityGroup", "GroupDescription", CHANGE_REPLACE},
        {"AWS::EC2::SecurityGroup", "GroupName", CHANGE_REPLACE},
        {"AWS::EC2::SecurityGroup", "VpcId", CHANGE_REPLACE},
        {"AWS::EC2::SecurityGroupIngress", "Description", CHANGE_IN_PLACE},
        {"AWS::EC2::SecurityGroupIngress", NULL, CHANGE_REPLACE},
        {"AWS::IAM::InstanceProfile", "InstanceProfileName", CHANGE_REPLACE},
        {"AWS::IAM::InstanceProfile", "Path", CHANGE_REPLACE},
        {"AWS::IAM::Role", "Path", CHANGE_REPLACE},
        {"AWS::IAM::Role", "RoleName", CHANGE_REPLACE},
        {"AWS::S3::Bucket", "BucketName", CHANGE_REPLACE},
        {"AWS::S3::BucketPolicy", "Bucket", CHANGE_REPLACE},
        {"AWS::SecretsManager::Secret", "Name", CHANGE_REPLACE},
};

static Change change_of(const char *type, const char *property)
{
        for (size_t i = 0; i < ELEMENTS(rules); i++)
                if (text_equal(rules[i].type, type) &&
                        (!rules[i].property || text_equal(rules[i].property, property)))
                        return rules[i].change;
        return CHANGE_IN_PLACE;
}

/* Members of `of` that `others` has not, or has otherwise. */
static void
look(const char *type, const Json *of, const Json *others, Change *ret, const char **ret_property)
{
        const char *property;
        const Json *value;
        void *iterator = NULL;

        while (of && json_next_member(of, &iterator, &property, &value)) {
                const Json *other = others ? json_member(others, property) : NULL;
                Change change = change_of(type, property);

                if ((other && json_is_same(value, other)) || change <= *ret)
                        continue;
                *ret = change;
                *ret_property = property;
        }
}

Change change_judge(
        const char *type, const Json *before, const Json *after, const char **ret_property)
{
        Change change = CHANGE_NONE;

        *ret_property = NULL;
        look(type, after, before, &change, ret_property);
        look(type, before, after, &change, ret_property);
        return change;
}
