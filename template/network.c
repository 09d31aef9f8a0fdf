/* The security group, and its rules as resources of their own: a rule within the group that names
 * the group would be a cycle. */

#include "template/stack-parts.h"

#include "base/text.h"
#include "template/build.h"

#include <stdio.h>

/* When a port is open. */
typedef enum When {
        ALWAYS,
        WITH_DOCKER,
        WITH_BUILTIN_SWARM,
        WITH_CLASSIC_SWARM,
        WITH_FLOCKER,
} When;

/* Ports that members have to reach among each other, and those for administrators. */
static const struct {
        const char *id;
        When when;
        const char *protocol;
        int64_t port;
        bool administrators;
        const char *description;
} rules[] = {
        {"IngressSsh", ALWAYS, "tcp", 22, true, "SSH"},
        {"IngressDockerAdministrators", WITH_DOCKER, "tcp", 2376, true, "Docker over TLS"},
        {"IngressDocker", WITH_DOCKER, "tcp", 2376, false, "Docker over TLS"},
        {"IngressClassicEngine", WITH_CLASSIC_SWARM, "tcp", 2375, false, "engines over TLS"},
        {"IngressSwarmManager", WITH_BUILTIN_SWARM, "tcp", 2377, false, "Swarm managers"},
        {"IngressSwarmGossipTcp", WITH_BUILTIN_SWARM, "tcp", 7946, false, "Swarm gossip"},
        {"IngressSwarmGossipUdp", WITH_BUILTIN_SWARM, "udp", 7946, false, "Swarm gossip"},
        {"IngressSwarmOverlay", WITH_BUILTIN_SWARM, "udp", 4789, false, "overlay networks"},
        {"IngressFlockerApi", WITH_FLOCKER, "tcp", 4523, false, "Flocker API"},
        {"IngressFlockerAgents", WITH_FLOCKER, "tcp", 4524, false, "Flocker agents"},
};

static bool is_wanted(const Variant *variant, When when)
{
        switch (when) {
        case WITH_DOCKER:
                return variant_has(variant, VARIANT_DOCKER);
        case WITH_BUILTIN_SWARM:
                return variant_may_swarm(variant, VARIANT_SWARM_BUILTIN);
        case WITH_CLASSIC_SWARM:
                return variant_may_swarm(variant, VARIANT_SWARM_CLASSIC);
        case WITH_FLOCKER:
                return variant_has(variant, VARIANT_FLOCKER);
        case ALWAYS:
        default:
                return true;
        }
}

static Json *build_rule(size_t i)
{
        bool administrators = rules[i].administrators;

        return build_resource("AWS::EC2::SecurityGroupIngress",
                build_object({"GroupId", build_get_att("InstanceSecurityGroup", "GroupId")},
                        {"Description", build_text(rules[i].description)},
                        {"IpProtocol", build_text(rules[i].protocol)},
                        {"FromPort", json_new_int64(rules[i].port)},
                        {"ToPort", json_new_int64(rules[i].port)},
                        {administrators ? "CidrIp" : NULL, build_ref("AdministratorsCidr")},
                        {administrators ? NULL : "SourceSecurityGroupId",
                                build_get_att("InstanceSecurityGroup", "GroupId")}));
}

int stack_add_network(const Variant *variant, Json *resources, StackIds *ids)
{
        Json *group =
                build_object({"GroupDescription", build_sub("The members of ${AWS::StackName}")},
                        {variant->in_subnet ? "VpcId" : NULL, build_ref("Vpc")});
        int r;

        r = json_set(resources,
                "InstanceSecurityGroup",
                build_resource("AWS::EC2::SecurityGroup", group));
        for (size_t i = 0; r == 0 && i < ELEMENTS(rules); i++) {
                if (!is_wanted(variant, rules[i].when))
                        continue;
                r = json_set(resources, rules[i].id, build_rule(i));
                if (r == 0)
                        r = text_put(ids->ids[ids->count++], STACK_ID_MAX, rules[i].id);
        }
        return r;
}
