/* Instances: user-data, network interfaces, zones, what is there before them. */

#include "template/check-parts.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE  "AWS::EC2::Instance"
#define USER_DATA "EC2 User Guide, Run commands when you launch an EC2 instance with user data"

/* A text, or what makes one: a parameter or another resource may give what is encoded already. */
static bool is_surely_plain(const Check *check, const YamlNode *node)
{
        _cleanup_(free) void *data = NULL;
        CfnCall call;
        size_t size;

        if (check_is_literal(node))
                return text_base64_decode(node->text, node->length, &data, &size) < 0;
        return cfn_syntax_call(check->template, node, CFN_IN_VALUE, false, &call, NULL) ==
                       CFN_SYNTAX_CALL &&
               (call.function == CFN_SUB || call.function == CFN_JOIN);
}

static void look_at_encoded(Check *check, const YamlNode *node, void *userdata)
{
        const CheckMachine *machine = userdata;

        if (is_surely_plain(check, node))
                check_tell(check,
                        node,
                        "%s: UserData must be in Base64; write Fn::Base64 around it",
                        machine->resource->name);
}

static void look_at_encoding(Check *check)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine))
                check_visit(check, machine.settings, "UserData", look_at_encoded, &machine);
}

/* cloud-init decides by the first bytes what user-data is: a blank in front of "#!" hides it. */
static void look_at_first_line(Check *check)
{
        static const char *const heads[] = {"#!",
                "#cloud-config",
                "#include",
                "#cloud-boothook",
                "Content-Type:",
                "MIME-Version:"};
        CheckMachine machine = {};

        while (check_next_machine(check, &machine)) {
                const YamlNode *node = check_user_data(check, machine.settings);
                const char *text = check_text_of(node), *start = text;

                while (isspace((unsigned char)*start))
                        start++;
                for (size_t i = 0; start != text && i < ELEMENTS(heads); i++)
                        if (text_starts(start, heads[i]))
                                check_tell(check,
                                        node,
                                        "%s: user-data must begin with '%s', and a blank or an "
                                        "empty line stands in front of it: cloud-init would not "
                                        "run it",
                                        machine.resource->name,
                                        heads[i]);
        }
}

/* What is ours is a document, and the program refuses one that is none. */
static void look_at_document(Check *check)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine)) {
                const YamlNode *node = check_user_data(check, machine.settings);
                _cleanup_(yaml_document_free) YamlDocument *document = NULL;
                const char *text = check_text_of(node);
                YamlFault fault = {};
                int r;

                if (!text_starts(text, "#!/usr/bin/flocker-bootstrap"))
                        continue;
                r = yaml_parse_or_place("user-data", text, strlen(text), &document, &fault, NULL);
                if (r == -EBADMSG)
                        check_tell(check,
                                node,
                                "%s: flocker-bootstrap cannot read its user-data: line %u, column "
                                "%u of it: %s",
                                machine.resource->name,
                                fault.line,
                                fault.column,
                                fault.text);
                else if (r == 0 && yaml_root(document)->kind != YAML_MAPPING)
                        check_tell(check,
                                node,
                                "%s: flocker-bootstrap expects 'key: value' lines in its "
                                "user-data",
                                machine.resource->name);
        }
}

/* EC2 takes one or the other. */
static void look_at_interfaces(Check *check)
{
        static const char *const own[] = {"SubnetId", "SecurityGroupIds", "SecurityGroups"};
        CheckMachine machine = {};

        while (check_next_machine(check, &machine))
                for (size_t i = 0; i < ELEMENTS(own); i++) {
                        const YamlNode *node = check_find(check, machine.settings, own[i]);

                        if (node && check_find(check, machine.settings, "NetworkInterfaces/*"))
                                check_tell(check,
                                        node,
                                        "%s: %s stands beside NetworkInterfaces, which EC2 "
                                        "refuses; move it into the interface%s",
                                        machine.resource->name,
                                        own[i],
                                        i == 0 ? "" : " as GroupSet (Groups in a launch template)");
                }
}

static int refer_to_zone(const CfnReference *reference, void *userdata, Error *ret_error)
{
        (void)ret_error;
        if (reference->kind == CFN_TO_ATTRIBUTE &&
                text_equal(reference->attribute, "AvailabilityZone"))
                *(const YamlNode **)userdata = reference->node;
        return 0;
}

static void look_at_zone(Check *check, const YamlNode *node, void *userdata)
{
        const CfnResource *instance = userdata;
        const YamlNode *taken = NULL;

        check_walk(check, node, refer_to_zone, (void *)&taken);
        if (taken)
                check_tell(check,
                        taken,
                        "%s takes its zone from another instance, and so waits for it and falls "
                        "with it; take a parameter, or the subnet's zone, for all",
                        instance->name);
}

static void look_at_zones(Check *check)
{
        for (const CfnResource *instance = check_next(check, INSTANCE, NULL); instance;
                instance = check_next(check, INSTANCE, instance))
                check_visit(check,
                        instance->properties,
                        "AvailabilityZone",
                        look_at_zone,
                        (void *)(uintptr_t)instance);
}

/* The public address of an instance that may have none. */
typedef struct Public {
        Check *check;
        const char *output;
} Public;

/* Says the template that the instance has a public address? Without a subnet, the default one
 * gives it. */
static bool has_public_address(Check *check, const CfnResource *instance)
{
        const YamlNode *properties = instance->properties;
        const YamlNode *interface = check_find(check, properties, "NetworkInterfaces/*");
        const YamlNode *associate = check_find(check, interface, "AssociatePublicIpAddress");
        const YamlNode *subnet = check_find(check, interface ? interface : properties, "SubnetId");
        const CfnResource *resource = check_resource_of(check, subnet);

        if (associate)
                return check_find_text(check, associate, "", "true") == associate;
        return !subnet ||
               (resource &&
                       check_find_text(check, resource->properties, "MapPublicIpOnLaunch", "true"));
}

static bool has_elastic_address(Check *check, const CfnResource *instance)
{
        static const char *const types[] = {"AWS::EC2::EIP", "AWS::EC2::EIPAssociation"};

        for (size_t i = 0; i < ELEMENTS(types); i++)
                for (const CfnResource *address = check_next(check, types[i], NULL); address;
                        address = check_next(check, types[i], address))
                        if (check_uses(check, address, instance))
                                return true;
        return false;
}

static int refer_to_public(const CfnReference *reference, void *userdata, Error *ret_error)
{
        const Public *public = userdata;
        const CfnResource *instance;

        (void)ret_error;
        if (reference->kind != CFN_TO_ATTRIBUTE || reference->chosen ||
                (!text_equal(reference->attribute, "PublicIp") &&
                        !text_equal(reference->attribute, "PublicDnsName")))
                return 0;
        instance = cfn_template_resource(public->check->template, reference->name);
        if (instance && text_equal(instance->type, INSTANCE) &&
                !has_public_address(public->check, instance) &&
                !has_elastic_address(public->check, instance))
                check_tell(public->check,
                        reference->node,
                        "output %s: '%s' may have no public address, which fails the stack; set "
                        "AssociatePublicIpAddress, or choose by Fn::If",
                        public->output,
                        instance->name);
        return 0;
}

static void look_at_public(Check *check)
{
        for (size_t i = 0; i < check->template->n_outputs; i++) {
                const CfnOutput *output = &check->template->outputs[i];
                Public public = {check, output->name};

                if (!output->condition)
                        check_walk(check, output->value, refer_to_public, &public);
        }
}

const CheckRule check_instance_rules[] = {
        {"user-data-encoding",
                CHECK_ERROR,
                "user-data that is not in Base64",
                USER_DATA,
                look_at_encoding},
        {"user-data-start",
                CHECK_WARNING,
                "a blank in front of user-data's first line",
                "cloud-init documentation, User-data formats",
                look_at_first_line},
        {"user-data-document",
                CHECK_ERROR,
                "user-data for flocker-bootstrap that is no YAML",
                "docs/roles.md",
                look_at_document},
        {"network-twice",
                CHECK_ERROR,
                "a subnet or groups beside NetworkInterfaces",
                "EC2 API Reference, RunInstances",
                look_at_interfaces},
        {"zone-of-instance",
                CHECK_WARNING,
                "an availability zone taken from another instance",
                "CloudFormation User Guide, DependsOn attribute",
                look_at_zones},
        {"public-address",
                CHECK_WARNING,
                "the public address of an instance that may have none",
                "CloudFormation Template Reference, AWS::EC2::Instance",
                look_at_public},
        {},
};
