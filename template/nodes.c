/* The machines: launch templates, and for each node its instance, its handle, its condition. */

#include "template/stack-parts.h"

#include "base/digest.h"
#include "base/text.h"
#include "template/build.h"
#include "template/user-data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define CONFIGURATION_MAX (64U * 1024U) /* bytes of what is hashed */

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

static Json *build_root_volume(const Variant *variant, StackKind kind)
{
        return build_object({"DeviceName", stack_root_device(variant, kind)},
                {"Ebs",
                        build_object({"VolumeType", build_text("gp3")},
                                {"VolumeSize", build_ref("RootVolumeSize")},
                                {"Encrypted", json_new_bool(true)},
                                {"DeleteOnTermination", json_new_bool(true)})});
}

static Json *build_user_data(const Variant *variant, const UserDataNode *node)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(USER_DATA_MAX);

        if (user_data_append(variant, node, &text) < 0)
                return NULL;
        return build_object({"Fn::Base64", build_sub(buffer_text(&text))});
}

static Json *build_properties(const Variant *variant, const UserDataNode *node)
{
        const char *launch_template = launch_template_of(variant, node->kind);
        const char *type = node->kind == STACK_CLIENT ? "ClientInstanceType" : "NodeInstanceType";

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
                {"BlockDeviceMappings", build_list(build_root_volume(variant, node->kind))},
                {"Tags",
                        build_list(build_object({"Key", build_text("Name")},
                                {"Value", build_sub_format("${AWS::StackName} %s", node->stem)}))},
                {"UserData", build_user_data(variant, node)});
}

/* All that machines of a kind are made of, as far as the template tells: their properties, their
 * images, how the metadata service answers. Numbers and stems are left out, as they are no news. */
static int append_configuration(
        const Variant *variant, StackKind kind, const char *generation, Buffer *ret)
{
        const UserDataNode node = {
                .kind = kind, .stem = "Node", .generation = generation, .handle = "Handle"};
        const ImageMap *images =
                kind == STACK_CLIENT ? &variant->client_images : &variant->node_images;
        _cleanup_(json_free) Json *properties = build_properties(variant, &node);
        int r = properties ? json_format(properties, JSON_ONE_LINE, ret) : -ENOMEM;

        for (size_t i = 0; r == 0 && i < images->count; i++)
                r = buffer_append_format(ret,
                        " %s=%s,%s",
                        images->entries[i].region,
                        images->entries[i].image,
                        images->entries[i].device);
        return r == 0 ? buffer_append_text(ret, variant->metadata_tags ? " tags" : "") : r;
}

static int hash(const Buffer *text, char ret[STACK_HASH])
{
        char hexadecimal[DIGEST_SHA256_HEX];
        Digest digest;
        int r = digest_sha256(buffer_text(text), text->size, &digest);

        if (r < 0)
                return r;
        digest_format(&digest, hexadecimal);
        (void)snprintf(ret, STACK_HASH, "%.*s", (int)STACK_HASH - 1, hexadecimal);
        return 0;
}

int stack_find_generation(const Variant *variant, char ret[STACK_HASH])
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(3 * CONFIGURATION_MAX);
        int r = buffer_append_format(&text, "%s ", variant->revision ? variant->revision : "");

        if (r == 0)
                r = append_configuration(variant, STACK_CONTROL, "", &text);
        if (r == 0 && !variant->keep_secrets)
                r = append_configuration(variant, STACK_AGENT, "", &text);
        if (r == 0 && !variant->keep_secrets)
                r = append_configuration(variant, STACK_CLIENT, "", &text);
        return r == 0 ? hash(&text, ret) : r;
}

static int hash_kind(
        const Variant *variant, StackKind kind, const char *generation, char ret[STACK_HASH])
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(CONFIGURATION_MAX);
        int r = append_configuration(variant, kind, generation, &text);

        return r == 0 ? hash(&text, ret) : r;
}

typedef struct Building {
        const Variant *variant;
        const char *generation;
        const StackIds *before;
        Json *resources, *outputs;
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

/* The logical ids of a node's three resources: one hash behind each. */
typedef struct NodeIds {
        char instance[STACK_ID_MAX], handle[STACK_ID_MAX], condition[STACK_ID_MAX];
} NodeIds;

static void make_ids(const char *stem, const char *hash_text, NodeIds *ret)
{
        (void)snprintf(ret->instance, STACK_ID_MAX, "%sX%s", stem, hash_text);
        (void)snprintf(ret->handle, STACK_ID_MAX, "%sHandleX%s", stem, hash_text);
        (void)snprintf(ret->condition, STACK_ID_MAX, "%sConditionX%s", stem, hash_text);
}

static int add_node(const Building *building, const UserDataNode *node, const NodeIds *ids)
{
        Json *resources = building->resources;
        int r;

        r = json_set(resources,
                ids->handle,
                build_object({"Type", build_text("AWS::CloudFormation::WaitConditionHandle")}));
        if (r == 0)
                r = json_set(resources,
                        ids->instance,
                        build_object({"Type", build_text("AWS::EC2::Instance")},
                                {"DependsOn", build_depends_on(building, node)},
                                {"Properties", build_properties(building->variant, node)}));
        if (r == 0)
                r = json_set(resources,
                        ids->condition,
                        build_object({"Type", build_text("AWS::CloudFormation::WaitCondition")},
                                {"DependsOn", build_text(ids->instance)},
                                {"Properties",
                                        build_object({"Handle", build_ref(ids->handle)},
                                                {"Timeout", build_ref("Timeout")})}));
        if (r == 0)
                r = json_append(building->conditions, build_text(ids->condition));
        return r == 0 ? add_outputs(building, node, ids->instance) : r;
}

/* `count` machines of a kind; *ret_ids are the last one's. */
static int add_kind(const Building *building, StackKind kind, int64_t count, NodeIds *ret_ids)
{
        UserDataNode node = {
                .kind = kind, .generation = building->generation, .handle = ret_ids->handle};
        char hash_text[STACK_HASH];
        int r = hash_kind(building->variant, kind, building->generation, hash_text);

        for (int64_t i = 1; r == 0 && i <= count; i++) {
                node.number = kind == STACK_AGENT ? i : 0;
                if (kind == STACK_AGENT)
                        (void)snprintf(node.stem, sizeof(node.stem), "AgentNode%" PRId64, i);
                else
                        (void)snprintf(node.stem,
                                sizeof(node.stem),
                                kind == STACK_CONTROL ? "ControlNode" : "ClientNode");
                make_ids(node.stem, hash_text, ret_ids);
                r = add_node(building, &node, ret_ids);
        }
        return r;
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

int stack_add_nodes(const Variant *variant,
        const char *generation,
        const StackIds *before,
        Json *resources,
        Json *outputs)
{
        _cleanup_(json_free) Json *conditions = json_new_array();
        const Building building = {variant, generation, before, resources, outputs, conditions};
        NodeIds control = {}, others = {};
        int r;

        r = add_launch_templates(variant, resources);
        if (r == 0)
                r = add_kind(&building, STACK_CONTROL, 1, &control);
        if (r == 0)
                r = add_kind(&building, STACK_AGENT, variant->agents, &others);
        if (r == 0)
                r = add_kind(&building, STACK_CLIENT, 1, &others);
        if (r == 0 && variant_has(variant, VARIANT_DOCKER))
                r = add_client_outputs(&building, control.instance);
        return r;
}
