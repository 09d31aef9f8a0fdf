/* Security groups: what is open to whom, and what is there before the machines. */

#include "template/check-parts.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GROUP    "AWS::EC2::SecurityGroup"
#define INGRESS  "AWS::EC2::SecurityGroupIngress"
#define EGRESS   "AWS::EC2::SecurityGroupEgress"
#define INSTANCE "AWS::EC2::Instance"
#define LAUNCH   "AWS::EC2::LaunchTemplate"
#define API      "EC2 API Reference, IpPermission"

/* Where rules stand. */
static const struct {
        const char *type, *path;
        bool ingress;
} places[] = {
        {GROUP, "SecurityGroupIngress/*", true},
        {GROUP, "SecurityGroupEgress/*", false},
        {INGRESS, "", true},
        {EGRESS, "", false},
};

typedef struct Visiting {
        const CfnResource *resource;
        void (*look)(Check *check, const CfnResource *resource, const YamlNode *rule);
} Visiting;

static void visit_rule(Check *check, const YamlNode *node, void *userdata)
{
        const Visiting *visiting = userdata;

        if (node->kind == YAML_MAPPING)
                visiting->look(check, visiting->resource, node);
}

static void visit_rules(Check *check,
        bool ingress_alone,
        void (*look)(Check *check, const CfnResource *resource, const YamlNode *rule))
{
        for (size_t i = 0; i < ELEMENTS(places); i++)
                for (const CfnResource *resource =
                                ingress_alone && !places[i].ingress
                                        ? NULL
                                        : check_next(check, places[i].type, NULL);
                        resource;
                        resource = check_next(check, places[i].type, resource)) {
                        Visiting visiting = {resource, look};

                        check_visit(
                                check, resource->properties, places[i].path, visit_rule, &visiting);
                }
}

/* Open to all; *ret_web: for web pages alone, which is what one opens to all. */
static const YamlNode *find_open(Check *check, const YamlNode *rule, bool *ret_web)
{
        const YamlNode *node = check_find_text(check, rule, "CidrIp", "0.0.0.0/0");
        bool http = check_find_text(check, rule, "FromPort", "80") &&
                    check_find_text(check, rule, "ToPort", "80");
        bool https = check_find_text(check, rule, "FromPort", "443") &&
                     check_find_text(check, rule, "ToPort", "443");

        *ret_web = http || https;
        return node ? node : check_find_text(check, rule, "CidrIpv6", "::/0");
}

static void look_at_open_rule(Check *check, const CfnResource *resource, const YamlNode *rule)
{
        const YamlNode *from = check_find(check, rule, "FromPort");
        bool web, port = check_is_literal(from);
        const YamlNode *node = find_open(check, rule, &web);

        if (node && !web)
                check_tell(check,
                        node,
                        "%s: %s%.20s is open to the whole internet; take the addresses of those "
                        "who need it as a parameter",
                        resource->name,
                        port ? "port " : "it",
                        port ? from->text : "");
}

static void look_at_web_rule(Check *check, const CfnResource *resource, const YamlNode *rule)
{
        bool web;
        const YamlNode *node = find_open(check, rule, &web);

        if (node && web)
                check_tell(check,
                        node,
                        "%s: a web server for the whole internet; a parameter would let others "
                        "narrow it",
                        resource->name);
}

static void look_at_open(Check *check)
{
        visit_rules(check, true, look_at_open_rule);
}

static void look_at_web(Check *check)
{
        visit_rules(check, true, look_at_web_rule);
}

static bool read_port(const YamlNode *node, int64_t *ret)
{
        return check_is_literal(node) && text_to_int64(node->text, -1, UINT16_MAX, ret) == 0;
}

static void look_at_rule_ports(Check *check, const CfnResource *resource, const YamlNode *rule)
{
        static const char *const names[] = {"FromPort", "ToPort"};
        const YamlNode *protocol = check_find(check, rule, "IpProtocol");
        const YamlNode *from = check_find(check, rule, "FromPort");
        int64_t first, last, number;

        if (check_is_literal(protocol) && !text_equal_case(protocol->text, "tcp") &&
                !text_equal_case(protocol->text, "udp") &&
                !text_equal_case(protocol->text, "icmp") &&
                !text_equal_case(protocol->text, "icmpv6") &&
                text_to_int64(protocol->text, -1, UINT8_MAX, &number) < 0)
                check_tell(check,
                        protocol,
                        "%s: IpProtocol: expected tcp, udp, icmp, icmpv6, a number, or -1 for "
                        "all, found '%.20s'",
                        resource->name,
                        protocol->text);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const YamlNode *port = check_find(check, rule, names[i]);

                if (check_is_literal(port) &&
                        text_to_int64(port->text, -1, UINT16_MAX, &number) == -ERANGE)
                        check_tell(check,
                                port,
                                "%s: %s: expected a port up to 65535, found %.20s",
                                resource->name,
                                names[i],
                                port->text);
        }
        /* of icmp these are type and code */
        if (protocol && check_is_literal(protocol) && text_starts(protocol->text, "icmp"))
                return;
        if (read_port(from, &first) && read_port(check_find(check, rule, "ToPort"), &last) &&
                first > last)
                check_tell(check,
                        from,
                        "%s: FromPort %.20s is behind ToPort %.20s; exchange them",
                        resource->name,
                        from->text,
                        check_find(check, rule, "ToPort")->text);
}

static void look_at_ports(Check *check)
{
        visit_rules(check, false, look_at_rule_ports);
}

/* Four numbers and a length: 10.0.0.0/8. */
static bool is_cidr(const char *text)
{
        char copy[sizeof("255.255.255.255/32")], *part = copy, *end;
        int64_t number;

        if (text_put(copy, sizeof(copy), text) < 0)
                return false;
        for (size_t i = 0; i < 5; i++) {
                end = part + strcspn(part, i == 3 ? "/" : i == 4 ? "" : ".");
                if (i < 4 && !*end)
                        return false;
                *end = '\0';
                if (text_to_int64(part, 0, i == 4 ? 32 : 255, &number) < 0)
                        return false;
                part = end + 1;
        }
        return true;
}

static void look_at_rule_source(Check *check, const CfnResource *resource, const YamlNode *rule)
{
        const YamlNode *cidr = check_find(check, rule, "CidrIp");

        if (check_is_literal(cidr) && !is_cidr(cidr->text))
                check_tell(check,
                        cidr,
                        "%s: CidrIp: expected addresses like 10.0.0.0/8, found '%.40s'",
                        resource->name,
                        cidr->text);
}

static void look_at_sources(Check *check)
{
        visit_rules(check, false, look_at_rule_source);
}

/* A rule that is a resource of its own is not there because the group is. */
static void look_at_order(Check *check)
{
        for (const CfnResource *rule = check_next(check, INGRESS, NULL); rule;
                rule = check_next(check, INGRESS, rule)) {
                const CfnResource *group =
                        check_resource_of(check, check_find(check, rule->properties, "GroupId"));

                for (const CfnResource *instance = group ? check_next(check, INSTANCE, NULL) : NULL;
                        instance;
                        instance = check_next(check, INSTANCE, instance))
                        if (check_uses(check, instance, group) &&
                                !check_needs(check, instance, rule))
                                check_tell(check,
                                        instance->key,
                                        "%s is of the group '%s' and does not depend on its rule "
                                        "'%s', so it may boot before it and roll back after it; "
                                        "add DependsOn: %s",
                                        instance->name,
                                        group->name,
                                        rule->name,
                                        rule->name);
        }
}

/* Where groups are meant by their id, or by their name. */
static const struct {
        const char *type, *path;
        bool by_id;
} references[] = {
        {INGRESS, "GroupId", true},
        {INGRESS, "SourceSecurityGroupId", true},
        {EGRESS, "GroupId", true},
        {GROUP, "SecurityGroupIngress/*/SourceSecurityGroupId", true},
        {INSTANCE, "SecurityGroupIds/*", true},
        {INSTANCE, "NetworkInterfaces/*/GroupSet/*", true},
        {INSTANCE, "SecurityGroups/*", false},
        {LAUNCH, "LaunchTemplateData/SecurityGroupIds/*", true},
        {LAUNCH, "LaunchTemplateData/SecurityGroups/*", false},
};

/* Ref gives the id of a group in a VPC that is named, else its name. */
static void look_at_reference(Check *check, const YamlNode *node, void *userdata)
{
        bool by_id = *(const bool *)userdata;
        const CfnResource *group = check_resource_of(check, node);
        CfnCall call;

        if (!group || !text_equal(group->type, GROUP) ||
                cfn_syntax_call(check->template, node, CFN_IN_VALUE, false, &call, NULL) !=
                        CFN_SYNTAX_CALL ||
                call.function != CFN_REF ||
                by_id == (check_find(check, group->properties, "VpcId") != NULL))
                return;
        if (by_id)
                check_tell(check,
                        node,
                        "Ref gives the name of '%s', as it has no VpcId, and its id is wanted; "
                        "write Fn::GetAtt %s.GroupId",
                        group->name,
                        group->name);
        else
                check_tell(check,
                        node,
                        "Ref gives the id of '%s', which is in a VPC, and a name is wanted; use "
                        "SecurityGroupIds",
                        group->name);
}

static void look_at_references(Check *check)
{
        for (size_t i = 0; i < ELEMENTS(references); i++)
                for (const CfnResource *resource = check_next(check, references[i].type, NULL);
                        resource;
                        resource = check_next(check, references[i].type, resource)) {
                        bool by_id = references[i].by_id;

                        check_visit(check,
                                resource->properties,
                                references[i].path,
                                look_at_reference,
                                &by_id);
                }
}

const CheckRule check_network_rules[] = {
        {"open-to-the-world",
                CHECK_WARNING,
                "a port that is open to every address, written into the template",
                "EC2 User Guide, Security group rules",
                look_at_open},
        {"open-web-port",
                CHECK_NOTE,
                "port 80 or 443 open to every address",
                "EC2 User Guide, Security group rules",
                look_at_web},
        {"ports", CHECK_ERROR, "a protocol or ports that are none", API, look_at_ports},
        {"addresses", CHECK_ERROR, "a range of addresses that is none", API, look_at_sources},
        {"group-reference",
                CHECK_WARNING,
                "Ref of a security group where it gives the name and an id is wanted, or the "
                "reverse",
                "CloudFormation Template Reference, AWS::EC2::SecurityGroup: Return values",
                look_at_references},
        {"instance-before-rule",
                CHECK_WARNING,
                "an instance that does not depend on the ingress rules of its group",
                "CloudFormation User Guide, DependsOn attribute",
                look_at_order},
        {},
};
