/* The machines: launch templates, and for each node its instance, its handle, its condition. */

#include "template/stack-parts.h"

#include "base/digest.h"
#include "base/text.h"
#include "template/build.h"
#include "template/user-data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define INSTANCE_TEXT_MAX (64U * 1024U) /* bytes of an instance as JSON */
#define HASH_DIGITS       8

/* Behind the stem: nothing, while the configuration is hashed. */
typedef struct Suffix {
        char text[2 + HASH_DIGITS];
} Suffix;

static const char *profile_of(StackKind kind)
{
        return kind == STACK_CONTROL ? "ControlProfile"
               : kind == STACK_AGENT ? "AgentProfile"
                                     : "ClientProfile";
}

/* Agents with Flocker on EBS learn their instance's id by the first version of the metadata service
 * (boto 2 in flocker/node/agents/ebs.py). */
static bool needs_first_metadata(const Variant *variant, StackKind kind)
{
        return kind == STACK_AGENT && variant_flocker_on_aws(variant);
}

static const char *launch_template_of(const Variant *variant, StackKind kind)
{
        return needs_first_metadata(variant, kind) ? "AgentLaunchTemplate" : "NodeLaunchTemplate";
}

static Json *build_launch_template(const Variant *variant, const char *tokens)
{
        Json *options = build_object({"HttpEndpoint", build_text("enabled")},
                {"HttpTokens", build_text(tokens)},
                {"HttpPutResponseHopLimit", json_new_int64(1)},
                {variant->metadata_tags ? "InstanceMetadataTags" : NULL, build_text("enabled")});

        return build_resource("AWS::EC2::LaunchTemplate",
                build_object({"LaunchTemplateData", build_object({"MetadataOptions", options})}));
}

/* One zone for all: the one that is given, or the region's first. */
static Json *build_zone(void)
{
        Json *first = build_object({"Fn::Select",
                build_list(build_text("0"), build_object({"Fn::GetAZs", build_text("")}))});

        return build_if("InZone", build_ref("AvailabilityZone"), first);
}

static Json *build_network_interface(const Variant *variant)
{
        return build_object({"DeviceIndex", build_text("0")},
                {"AssociatePublicIpAddress", build_ref("PublicAddresses")},
                {"DeleteOnTermination", json_new_bool(true)},
                {variant->in_subnet ? "SubnetId" : NULL, build_ref("Subnet")},
                {"GroupSet", build_list(build_get_att("InstanceSecurityGroup", "GroupId"))});
}

static Json *build_root_volume(void)
{
        return build_object({"DeviceName", build_ref("RootDeviceName")},
                {"Ebs",
                        build_object({"VolumeType", build_text("gp3")},
                                {"Encrypted", json_new_bool(true)},
                                {"DeleteOnTermination", json_new_bool(true)})});
}

static Json *build_user_data(const Variant *variant, const UserDataNode *node, const char *handle)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(USER_DATA_MAX);

        if (user_data_append(variant, node, handle, &text) < 0)
                return NULL;
        return build_object({"Fn::Base64", build_sub(buffer_text(&text))});
}

static Json *build_properties(
        const Variant *variant, const UserDataNode *node, const Suffix *suffix)
{
        const char *launch_template = launch_template_of(variant, node->kind);
        const char *type = node->kind == STACK_CLIENT ? "ClientInstanceType" : "NodeInstanceType";
        char handle[STACK_ID_MAX];

        (void)snprintf(handle, sizeof(handle), "%sHandle%s", node->stem, suffix->text);
        return build_object({"ImageId", stack_image(variant, node->kind)},
                {"InstanceType", build_ref(type)},
                {"KeyName", build_ref("EC2KeyPair")},
                {"IamInstanceProfile", build_ref(profile_of(node->kind))},
                {"LaunchTemplate",
                        build_object({"LaunchTemplateId", build_ref(launch_template)},
                                {"Version",
                                        build_get_att(launch_template, "LatestVersionNumber")})},
                {variant->in_subnet ? NULL : "AvailabilityZone", build_zone()},
                {"NetworkInterfaces", build_list(build_network_interface(variant))},
                {"BlockDeviceMappings", build_list(build_root_volume())},
                {"Tags",
                        build_list(build_object({"Key", build_text("Name")},
                                {"Value", build_sub_format("${AWS::StackName} %s", node->stem)}))},
                {"UserData", build_user_data(variant, node, handle)});
}

/* Of all that the machine is made of, as far as the template tells: its properties, its images, how
 * its metadata service answers. */
static int hash(const Variant *variant, const UserDataNode *node, Suffix *ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(INSTANCE_TEXT_MAX);
        _cleanup_(json_free) Json *properties =
                build_properties(variant, node, &(const Suffix){""});
        const ImageMap *images =
                node->kind == STACK_CLIENT ? &variant->client_images : &variant->node_images;
        char hexadecimal[DIGEST_SHA256_HEX];
        Digest digest;
        int r;

        r = properties ? json_format(properties, JSON_ONE_LINE, &text) : -ENOMEM;
        for (size_t i = 0; r == 0 && i < images->count; i++)
                r = buffer_append_format(
                        &text, " %s=%s", images->entries[i].region, images->entries[i].image);
        if (r == 0)
                r = buffer_append_text(&text, variant->metadata_tags ? " tags" : "");
        if (r == 0)
                r = digest_sha256(buffer_text(&text), text.size, &digest);
        if (r < 0)
                return r;
        digest_format(&digest, hexadecimal);
        (void)snprintf(ret->text, sizeof(ret->text), "X%.*s", HASH_DIGITS, hexadecimal);
        return 0;
}

typedef struct Building {
        const Variant *variant;
        Json *resources, *outputs;
        const StackIds *before;
        Json *conditions; /* the ids of the wait conditions so far */
} Building;

/* What is there before the machine, and goes after it: rules, the bucket's policy; with `ordered`
 * also the machines that came before. */
static Json *build_depends_on(const Building *building, const UserDataNode *node)
{
        Json *list = json_new_array();
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < building->before->count; i++)
                r = json_append(list, build_text(building->before->ids[i]));
        for (size_t i = 0;
                r == 0 && building->variant->ordered && i < json_count(building->conditions);
                i++) {
                const Json *id = json_element(building->conditions, i);

                if (i == 0 || node->kind == STACK_CLIENT)
                        r = json_append(list, build_text(json_text(id)));
        }
        return r < 0 ? json_free(list) : list;
}

static int add_outputs(const Building *building, const UserDataNode *node, const char *instance)
{
        char name[STACK_ID_MAX];

        (void)snprintf(name, sizeof(name), "%sIP", node->stem);
        return json_set(building->outputs,
                name,
                build_object({"Description", build_format("The address of %s", node->stem)},
                        {"Value",
                                build_if("IsPublic",
                                        build_get_att(instance, "PublicIp"),
                                        build_get_att(instance, "PrivateIp"))}));
}

static int add_node(const Building *building, const UserDataNode *node)
{
        char instance[STACK_ID_MAX], handle[STACK_ID_MAX], condition[STACK_ID_MAX];
        Suffix suffix = {""};
        int r;

        r = hash(building->variant, node, &suffix);
        if (r < 0)
                return r;
        (void)snprintf(instance, sizeof(instance), "%s%s", node->stem, suffix.text);
        (void)snprintf(handle, sizeof(handle), "%sHandle%s", node->stem, suffix.text);
        (void)snprintf(condition, sizeof(condition), "%sCondition%s", node->stem, suffix.text);

        r = json_set(building->resources,
                handle,
                build_object({"Type", build_text("AWS::CloudFormation::WaitConditionHandle")}));
        if (r == 0)
                r = json_set(building->resources,
                        instance,
                        build_object({"Type", build_text("AWS::EC2::Instance")},
                                {"DependsOn", build_depends_on(building, node)},
                                {"Properties",
                                        build_properties(building->variant, node, &suffix)}));
        if (r == 0)
                r = json_set(building->resources,
                        condition,
                        build_object({"Type", build_text("AWS::CloudFormation::WaitCondition")},
                                {"DependsOn", build_text(instance)},
                                {"Properties",
                                        build_object({"Handle", build_ref(handle)},
                                                {"Timeout", build_ref("Timeout")})}));
        if (r == 0)
                r = json_append(building->conditions, build_text(condition));
        return r == 0 ? add_outputs(building, node, instance) : r;
}

static int add_launch_templates(const Variant *variant, Json *resources)
{
        int r;

        r = json_set(resources, "NodeLaunchTemplate", build_launch_template(variant, "required"));
        if (r == 0 && needs_first_metadata(variant, STACK_AGENT))
                r = json_set(resources,
                        "AgentLaunchTemplate",
                        build_launch_template(variant, "optional"));
        return r;
}

/* What a person types to use the cluster from elsewhere. */
static int add_client_outputs(const Building *building, const char *control)
{
        Json *host = build_if("IsPublic",
                build_sub_format("export DOCKER_HOST=tcp://${%s.PublicIp}:2376", control),
                build_sub_format("export DOCKER_HOST=tcp://${%s.PrivateIp}:2376", control));
        int r;

        r = json_set(building->outputs,
                "ClientConfigDockerSwarmHost",
                build_object(
                        {"Description", build_text("Tells a Docker client where the Swarm is")},
                        {"Value", host}));
        if (r < 0)
                return r;
        return json_set(building->outputs,
                "ClientConfigDockerTLS",
                build_object({"Description", build_text("Tells a Docker client to use TLS")},
                        {"Value", build_text("export DOCKER_TLS_VERIFY=1")}));
}

int stack_add_nodes(const Variant *variant, Json *resources, const StackIds *before, Json *outputs)
{
        _cleanup_(json_free) Json *conditions = json_new_array();
        const Building building = {variant, resources, outputs, before, conditions};
        UserDataNode node = {.kind = STACK_CONTROL, .stem = "ControlNode"};
        Suffix suffix = {""};
        char control[STACK_ID_MAX];
        int r;

        r = add_launch_templates(variant, resources);
        if (r == 0)
                r = add_node(&building, &node);
        if (r == 0)
                r = hash(variant, &node, &suffix);
        (void)snprintf(control, sizeof(control), "%s%s", node.stem, suffix.text);

        for (node.kind = STACK_AGENT, node.number = 1; r == 0 && node.number <= variant->agents;
                node.number++) {
                (void)snprintf(node.stem, sizeof(node.stem), "AgentNode%" PRId64, node.number);
                r = add_node(&building, &node);
        }
        if (r == 0)
                r = add_node(&building,
                        &(const UserDataNode){.kind = STACK_CLIENT, .stem = "ClientNode"});
        if (r == 0 && variant_has(variant, VARIANT_DOCKER))
                r = add_client_outputs(&building, control);
        return r;
}
