/* What the members of a cluster of ours have to reach among each other. A rule that is missing is
 * silence at run time, not refusal. */

#include "template/check-parts.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

#define INSTANCE "AWS::EC2::Instance"
#define GROUP    "AWS::EC2::SecurityGroup"
#define INGRESS  "AWS::EC2::SecurityGroupIngress"

/* When a port is needed: a word of the document's line. */
static const struct {
        const char *key, *word, *protocol;
        int64_t port;
        const char *what;
} needed[] = {
        {"components", "docker", "tcp", 2376, "Docker over TLS"},
        {"components", "flocker", "tcp", 4523, "Flocker's API"},
        {"components", "flocker", "tcp", 4524, "Flocker's agents"},
        {"swarm", "builtin", "tcp", 2377, "Swarm's managers"},
        {"swarm", "builtin", "tcp", 7946, "Swarm's gossip"},
        {"swarm", "builtin", "udp", 7946, "Swarm's gossip"},
        {"swarm", "builtin", "udp", 4789, "Swarm's overlay networks"},
        {"swarm", "classic", "tcp", 2375, "engines of a classic Swarm"},
};

/* Does the document's line of that key hold the word? "swarm: auto" may become either. */
static bool document_has(const char *text, const char *key, const char *word)
{
        for (const char *line = text; line && *line; line = strchr(line, '\n')) {
                size_t length;

                line += *line == '\n';
                length = strcspn(line, "\n");
                if (!text_starts(line, key) || line[strlen(key)] != ':')
                        continue;
                return memmem(line, length, word, strlen(word)) ||
                       (text_equal(key, "swarm") && memmem(line, length, "auto", strlen("auto")));
        }
        return false;
}

/* A port that has to be open, and whether a rule for it was found. */
typedef struct Port {
        const char *protocol;
        int64_t number;
        bool open;
} Port;

static bool reads(const YamlNode *node, int64_t *ret)
{
        return check_is_literal(node) && text_to_int64(node->text, -1, UINT16_MAX, ret) == 0;
}

/* A rule for members: for a group, or for addresses that no administrator gives as a parameter. */
static void match_rule(Check *check, const YamlNode *rule, void *userdata)
{
        Port *port = userdata;
        const YamlNode *protocol = check_find(check, rule, "IpProtocol");
        const YamlNode *source = check_find(check, rule, "SourceSecurityGroupId");
        int64_t first, last;

        if (!source)
                source = check_find(check, rule, "SourceSecurityGroupName");
        if (!source) {
                source = check_find(check, rule, "CidrIp");
                if (!source || check_parameter_of(check, source))
                        return;
        }
        if (protocol && check_is_literal(protocol) && text_equal(protocol->text, "-1"))
                port->open = true;
        else if (!protocol || !check_is_literal(protocol) ||
                 text_equal_case(protocol->text, port->protocol))
                port->open =
                        port->open || (!reads(check_find(check, rule, "FromPort"), &first) ||
                                              !reads(check_find(check, rule, "ToPort"), &last) ||
                                              (first <= port->number && port->number <= last));
}

static void match_rules(Check *check, const CfnResource *instance, Port *port)
{
        for (const CfnResource *group = check_next(check, GROUP, NULL); group;
                group = check_next(check, GROUP, group)) {
                if (!check_uses(check, instance, group))
                        continue;
                check_visit(check, group->properties, "SecurityGroupIngress/*", match_rule, port);
                for (const CfnResource *rule = check_next(check, INGRESS, NULL); rule;
                        rule = check_next(check, INGRESS, rule))
                        if (check_resource_of(
                                    check, check_find(check, rule->properties, "GroupId")) == group)
                                match_rule(check, rule->properties, port);
        }
}

static bool uses_group(const Check *check, const CfnResource *instance)
{
        for (const CfnResource *group = check_next(check, GROUP, NULL); group;
                group = check_next(check, GROUP, group))
                if (check_uses(check, instance, group))
                        return true;
        return false;
}

/* All members have the same groups: the first speaks for them. */
static void look_at_ports(Check *check)
{
        for (const CfnResource *instance = check_next(check, INSTANCE, NULL); instance;
                instance = check_next(check, INSTANCE, instance)) {
                const char *text = check_text_of(check_user_data(check, instance->properties));

                if (!text_starts(text, "#!/usr/bin/flocker-bootstrap") ||
                        !uses_group(check, instance))
                        continue;
                for (size_t i = 0; i < ELEMENTS(needed); i++) {
                        Port port = {needed[i].protocol, needed[i].port, false};

                        if (!document_has(text, needed[i].key, needed[i].word))
                                continue;
                        match_rules(check, instance, &port);
                        if (!port.open)
                                check_tell(check,
                                        instance->key,
                                        "no rule of its security groups opens %s %d among members "
                                        "(%s), which shows as time-outs alone; add an "
                                        "AWS::EC2::SecurityGroupIngress for it",
                                        needed[i].protocol,
                                        (int)needed[i].port,
                                        needed[i].what);
                }
                return;
        }
}

const CheckRule check_members_rules[] = {
        {"member-port",
                CHECK_WARNING,
                "a port that members need among each other and no rule opens",
                "docs/roles.md; Docker documentation, Getting started with swarm mode, ports",
                look_at_ports},
        {},
};
