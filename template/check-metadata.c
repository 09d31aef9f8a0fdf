/* How an instance's metadata service answers. */

#include "template/check-parts.h"

#include "base/text.h"

#include <string.h>

#define INSTANCE "AWS::EC2::Instance"
#define GUIDE    "EC2 User Guide, Use the Instance Metadata Service"

/* Flocker learns its instance's id by the first version of the service (boto 2 in
 * flocker/node/agents/ebs.py): an agent of ours with Flocker is right to let it be. */
static bool is_flocker_agent(Check *check, const YamlNode *settings)
{
        const char *text = check_text_of(check_user_data(check, settings));
        const char *components = strstr(text, "\ncomponents:");

        return text_starts(text, "#!/usr/bin/flocker-bootstrap --role=agent") && components &&
               memmem(components + 1, strcspn(components + 1, "\n"), "flocker", strlen("flocker"));
}

static bool requires_tokens(Check *check, const YamlNode *settings)
{
        return check_find_text(check, settings, "MetadataOptions/HttpTokens", "required") ||
               check_find_text(check, settings, "MetadataOptions/HttpEndpoint", "disabled") ||
               check_parameter_of(check, check_find(check, settings, "MetadataOptions/HttpTokens"));
}

static void look_at_tokens(Check *check)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine)) {
                const CfnResource *resource = machine.resource;
                bool instance = text_equal(resource->type, INSTANCE);
                const YamlNode *launch = instance ? check_launch_settings(check, resource) : NULL;

                if (text_equal(resource->type, "AWS::EC2::LaunchTemplate") ||
                        requires_tokens(check, machine.settings) ||
                        requires_tokens(check, launch) || is_flocker_agent(check, machine.settings))
                        continue;
                if (instance && !launch &&
                        check_find(check, resource->properties, "LaunchTemplate"))
                        continue; /* one that the template does not have */
                check_tell(check,
                        resource->key,
                        "%s answers metadata requests without a token, from which a forged "
                        "request gets its role's credentials; set HttpTokens: required in the "
                        "MetadataOptions of %s",
                        resource->name,
                        launch ? "its launch template" : "a launch template");
        }
}

/* Launch templates that no instance of the template uses: of an auto scaling group, or of others.
 */
static void look_at_launch_tokens(Check *check)
{
        static const char *const type = "AWS::EC2::LaunchTemplate";

        for (const CfnResource *launch = check_next(check, type, NULL); launch;
                launch = check_next(check, type, launch)) {
                const YamlNode *settings =
                        check_find(check, launch->properties, "LaunchTemplateData");
                bool used = false;

                for (const CfnResource *instance = check_next(check, INSTANCE, NULL); instance;
                        instance = check_next(check, INSTANCE, instance))
                        used = used || check_uses(check, instance, launch);
                if (!used && !requires_tokens(check, settings))
                        check_tell(check,
                                launch->key,
                                "%s: its machines answer metadata requests without a token; set "
                                "MetadataOptions/HttpTokens: required",
                                launch->name);
        }
}

static void look_at_place(Check *check)
{
        for (const CfnResource *instance = check_next(check, INSTANCE, NULL); instance;
                instance = check_next(check, INSTANCE, instance)) {
                const YamlNode *options =
                        check_find(check, instance->properties, "MetadataOptions");

                if (options)
                        check_tell(check,
                                options,
                                "%s: MetadataOptions of an instance itself are known to "
                                "CloudFormation since 2025 alone, and not in every region; set "
                                "them in a launch template",
                                instance->name);
        }
}

/* Who is asked about tags, and who gave the option. */
typedef struct Tagged {
        const CfnResource *resource;
} Tagged;

static void look_at_tag(Check *check, const YamlNode *node, void *userdata)
{
        static const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789+-=.,_:@";
        const Tagged *tagged = userdata;

        if (check_is_literal(node) &&
                (strspn(node->text, allowed) != node->length || text_equal(node->text, ".") ||
                        text_equal(node->text, "..") || text_equal(node->text, "_index")))
                check_tell(check,
                        node,
                        "%s: with tags in the metadata service, the key '%.60s' makes the launch "
                        "fail; use letters, digits and + - = . , _ : @",
                        tagged->resource->name,
                        node->text);
}

static void look_at_tags(Check *check)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine)) {
                bool instance = text_equal(machine.resource->type, INSTANCE);
                const YamlNode *launch =
                        instance ? check_launch_settings(check, machine.resource) : NULL;
                Tagged tagged = {machine.resource};

                if (!check_find_text(check,
                            machine.settings,
                            "MetadataOptions/InstanceMetadataTags",
                            "enabled") &&
                        !check_find_text(
                                check, launch, "MetadataOptions/InstanceMetadataTags", "enabled"))
                        continue;
                check_visit(check, machine.settings, "Tags/*/Key", look_at_tag, &tagged);
                check_visit(check,
                        machine.settings,
                        "TagSpecifications/*/Tags/*/Key",
                        look_at_tag,
                        &tagged);
        }
}

const CheckRule check_metadata_rules[] = {
        {"metadata-without-token",
                CHECK_WARNING,
                "an instance whose metadata service answers its first version (IMDSv1)",
                GUIDE,
                look_at_tokens},
        {"launch-without-token",
                CHECK_WARNING,
                "a launch template, of machines that are not in the template, likewise",
                GUIDE,
                look_at_launch_tokens},
        {"metadata-of-instance",
                CHECK_WARNING,
                "MetadataOptions on an instance itself",
                "CloudFormation Template Reference, document history (2025)",
                look_at_place},
        {"metadata-tag-key",
                CHECK_ERROR,
                "a tag's key that the metadata service cannot show, where it shows tags",
                "EC2 User Guide, Work with instance tags in instance metadata",
                look_at_tags},
        {},
};
