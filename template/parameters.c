/* Parameters, with what the console shows of them; mappings; conditions. */

#include "template/stack-parts.h"

#include "base/text.h"
#include "template/build.h"

#include <errno.h>

#define UBUNTU "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"

/* When a parameter is there. */
typedef enum When {
        ALWAYS,
        FOR_DATASET_KEYS, /* flocker on the aws backend */
        WITHOUT_NODE_MAP,
        WITHOUT_CLIENT_MAP,
        WITHOUT_NODE_DEVICES,
        WITHOUT_CLIENT_DEVICES,
        IN_SUBNET, /* one is to be chosen */
        IN_ZONE,   /* else the zone is */
} When;

static const char *const groups[] = {
        "Who may come in", "Machines", "Network", "Flocker's access to AWS", "Cluster"};

typedef enum Group {
        GROUP_ACCESS,
        GROUP_MACHINES,
        GROUP_NETWORK,
        GROUP_DATASET,
        GROUP_CLUSTER,
} Group;

typedef struct Parameter {
        const char *name;
        Group group;
        When when;
        const char *label; /* for the console */
        const char *type;
        const char *description;
        const char *default_value; /* NULL: none */
        const char *pattern;       /* NULL: none */
        const char *constraint;    /* NULL: none */
        int64_t min, max;          /* of length, or of a Number; 0: none */
        const char *choices[3];    /* AllowedValues; none */
        bool secret;
} Parameter;

static const Parameter parameters[] = {
        {"EC2KeyPair",
                GROUP_ACCESS,
                ALWAYS,
                "Key pair",
                "AWS::EC2::KeyPair::KeyName",
                "An existing EC2 key pair: with it the login user comes in by SSH"},
        {"AdministratorsCidr",
                GROUP_ACCESS,
                ALWAYS,
                "Administrators' addresses",
                "String",
                "The IPv4 addresses from which SSH and the Docker port can be reached, as CIDR; "
                "127.0.0.1/32 is nobody",
                .default_value = "127.0.0.1/32",
                .pattern = "([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}",
                .constraint = "expected IPv4 addresses as CIDR, like 203.0.113.0/24"},
        {"NodeInstanceType",
                GROUP_MACHINES,
                ALWAYS,
                "Instance type of control and agents",
                "String",
                "The instance type of the control node and the agents"},
        {"ClientInstanceType",
                GROUP_MACHINES,
                ALWAYS,
                "Instance type of the client",
                "String",
                "The instance type of the client",
                .pattern = "[a-z0-9-]+\\.[a-z0-9-]+",
                .constraint = "expected an instance type like m4.large"},
        {"NodeImage",
                GROUP_MACHINES,
                WITHOUT_NODE_MAP,
                "Image of control and agents",
                "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
                "The parameter of the Systems Manager that names the machine image; "
                "flocker-bootstrap is to be in it",
                .default_value = UBUNTU},
        {"ClientImage",
                GROUP_MACHINES,
                WITHOUT_CLIENT_MAP,
                "Image of the client",
                "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
                "The parameter of the Systems Manager that names the machine image; "
                "flocker-bootstrap is to be in it",
                .default_value = UBUNTU},
        {"RootDeviceName",
                GROUP_MACHINES,
                WITHOUT_NODE_DEVICES,
                "Root device of control's and agents' image",
                "String",
                "The image's own name of its root device: /dev/sda1 of Ubuntu, /dev/xvda of "
                "Debian; another name would add a disk and leave the root unencrypted",
                .default_value = "/dev/sda1",
                .pattern = "/dev/[a-z0-9]+",
                .constraint = "expected a device like /dev/sda1"},
        {"ClientRootDeviceName",
                GROUP_MACHINES,
                WITHOUT_CLIENT_DEVICES,
                "Root device of the client's image",
                "String",
                "The image's own name of its root device, likewise",
                .default_value = "/dev/sda1",
                .pattern = "/dev/[a-z0-9]+",
                .constraint = "expected a device like /dev/sda1"},
        {"RootVolumeSize",
                GROUP_MACHINES,
                ALWAYS,
                "Size of root volumes in GiB",
                "Number",
                "The size of each machine's root volume, which holds Docker's images too; no less "
                "than the images' own",
                .default_value = "20",
                .min = 8,
                .max = 16384},
        {"AvailabilityZone",
                GROUP_NETWORK,
                IN_ZONE,
                "Availability zone",
                "String",
                "The one zone of all machines, as volumes cannot leave theirs; empty: the region's "
                "first",
                .default_value = "",
                .pattern = "([a-z]+(-[a-z0-9]+)+[a-z])?",
                .constraint = "expected a zone like us-east-1a, or nothing"},
        {"Vpc", GROUP_NETWORK, IN_SUBNET, "VPC", "AWS::EC2::VPC::Id", "The VPC of all machines"},
        {"Subnet",
                GROUP_NETWORK,
                IN_SUBNET,
                "Subnet",
                "AWS::EC2::Subnet::Id",
                "The subnet of all machines, in that VPC"},
        {"PublicAddresses",
                GROUP_NETWORK,
                ALWAYS,
                "Public addresses",
                "String",
                "Do machines get public addresses? Without them the outputs are private ones",
                .default_value = "true",
                .choices = {"true", "false"}},
        {"AmazonAccessKeyID",
                GROUP_DATASET,
                FOR_DATASET_KEYS,
                "Access key id",
                "String",
                "The access key id with which Flocker makes and attaches EBS volumes",
                .pattern = "[A-Za-z0-9_]+",
                .constraint = "expected 16 to 32 letters, digits and underscores",
                .min = 16,
                .max = 32,
                .secret = true},
        {"AmazonSecretAccessKey",
                GROUP_DATASET,
                FOR_DATASET_KEYS,
                "Secret access key",
                "String",
                "Its secret; kept in a secret of Secrets Manager that the control node alone may "
                "read",
                .pattern = "[A-Za-z0-9/+=]+",
                .constraint = "expected 16 to 128 letters, digits, '/', '+' and '='",
                .min = 16,
                .max = 128,
                .secret = true},
        {"Timeout",
                GROUP_CLUSTER,
                ALWAYS,
                "Time-out in seconds",
                "Number",
                "How long each machine has to come up, in seconds, before the stack is rolled back",
                .default_value = "600",
                .min = 120,
                .max = 43200},
        {"StoreKey",
                GROUP_CLUSTER,
                ALWAYS,
                "Key of the store",
                "String",
                "The ARN of a KMS key of yours for the cluster's bucket; empty: a key of S3",
                .default_value = "",
                .pattern = "(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?",
                .constraint = "expected the ARN of a KMS key, or nothing"},
};

static bool is_wanted(const Variant *variant, const Parameter *parameter)
{
        switch (parameter->when) {
        case FOR_DATASET_KEYS:
                return variant_flocker_on_aws(variant);
        case WITHOUT_NODE_MAP:
                return variant->node_images.count == 0;
        case WITHOUT_CLIENT_MAP:
                return variant->client_images.count == 0;
        case WITHOUT_NODE_DEVICES:
                return !image_map_has_devices(&variant->node_images);
        case WITHOUT_CLIENT_DEVICES:
                return !image_map_has_devices(&variant->client_images);
        case IN_SUBNET:
                return variant->in_subnet;
        case IN_ZONE:
                return !variant->in_subnet;
        case ALWAYS:
        default:
                return true;
        }
}

/* What depends on the variant: the default types of machines, and what Flocker can use. */
static void adapt(const Variant *variant, Parameter *parameter)
{
        if (text_equal(parameter->name, "ClientInstanceType"))
                parameter->default_value = variant->client_type;
        if (!text_equal(parameter->name, "NodeInstanceType"))
                return;
        parameter->default_value = variant->node_type;
        parameter->pattern = "[a-z0-9-]+\\.[a-z0-9-]+";
        parameter->constraint = "expected an instance type like m4.large";
        if (variant_flocker_on_aws(variant)) {
                parameter->pattern = "(m3|m4|t2|c4|r4)\\.[a-z0-9]+";
                parameter->constraint =
                        "Flocker knows the disks of Xen machines alone: m3, m4, t2, c4, r4";
        }
}

static Json *build_choices(const Parameter *parameter)
{
        Json *list = json_new_array();

        for (size_t i = 0; list && parameter->choices[i]; i++)
                if (json_append(list, build_text(parameter->choices[i])) < 0)
                        return json_free(list);
        return list;
}

/* A member that is there if its text is. */
#define OPTIONAL(key, text)                                             \
        {                                                               \
                (text) ? (key) : NULL, build_text((text) ? (text) : "") \
        }

static Json *build_parameter(const Parameter *parameter)
{
        bool number = text_equal(parameter->type, "Number"), bounded = parameter->max > 0;

        return build_object({"Type", build_text(parameter->type)},
                {"Description", build_text(parameter->description)},
                {parameter->secret ? "NoEcho" : NULL, json_new_bool(true)},
                OPTIONAL("Default", parameter->default_value),
                {parameter->choices[0] ? "AllowedValues" : NULL, build_choices(parameter)},
                OPTIONAL("AllowedPattern", parameter->pattern),
                {bounded && !number ? "MinLength" : NULL, json_new_int64(parameter->min)},
                {bounded && !number ? "MaxLength" : NULL, json_new_int64(parameter->max)},
                {bounded && number ? "MinValue" : NULL, json_new_int64(parameter->min)},
                {bounded && number ? "MaxValue" : NULL, json_new_int64(parameter->max)},
                OPTIONAL("ConstraintDescription", parameter->constraint));
}

int stack_add_parameters(const Variant *variant, Json *ret_parameters)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(parameters); i++) {
                Parameter parameter = parameters[i];

                adapt(variant, &parameter);
                if (is_wanted(variant, &parameter))
                        r = json_set(ret_parameters, parameter.name, build_parameter(&parameter));
        }
        return r;
}

static Json *build_group(const Variant *variant, Group group, Json *labels)
{
        Json *names = json_new_array();
        int r = names ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < ELEMENTS(parameters); i++) {
                const Parameter *parameter = &parameters[i];

                if (parameter->group != group || !is_wanted(variant, parameter))
                        continue;
                r = json_append(names, build_text(parameter->name));
                if (r == 0)
                        r = json_set(labels,
                                parameter->name,
                                build_object({"default", build_text(parameter->label)}));
        }
        if (r < 0)
                return json_free(names);
        return build_object({"Label", build_object({"default", build_text(groups[group])})},
                {"Parameters", names});
}

Json *stack_interface(const Variant *variant)
{
        _cleanup_(json_free) Json *labels = json_new_object(), *list = json_new_array();

        for (size_t i = 0; i < ELEMENTS(groups); i++) {
                Json *group;

                if (i == GROUP_DATASET && !variant_flocker_on_aws(variant))
                        continue;
                group = build_group(variant, (Group)i, labels);
                if (json_append(list, group) < 0)
                        return NULL;
        }
        return build_object(
                {"ParameterGroups", TAKE_PTR(list)}, {"ParameterLabels", TAKE_PTR(labels)});
}

static Json *build_mapping(const ImageMap *map)
{
        Json *mapping = json_new_object();

        for (size_t i = 0; mapping && i < map->count; i++)
                if (json_set(mapping,
                            map->entries[i].region,
                            build_object({"AMI", build_text(map->entries[i].image)},
                                    OPTIONAL("RootDeviceName",
                                            map->entries[i].device[0] ? map->entries[i].device
                                                                      : NULL))) < 0)
                        return json_free(mapping);
        return mapping;
}

int stack_add_mappings(const Variant *variant, Json *mappings)
{
        int r = 0;

        if (variant->node_images.count > 0)
                r = json_set(mappings, "RegionMapNode", build_mapping(&variant->node_images));
        if (r == 0 && variant->client_images.count > 0)
                r = json_set(mappings, "RegionMapClient", build_mapping(&variant->client_images));
        return r;
}

static Json *build_look_up(StackKind kind, const char *key)
{
        return build_object({"Fn::FindInMap",
                build_list(build_text(kind == STACK_CLIENT ? "RegionMapClient" : "RegionMapNode"),
                        build_ref("AWS::Region"),
                        build_text(key))});
}

Json *stack_image(const Variant *variant, StackKind kind)
{
        bool client = kind == STACK_CLIENT;

        if ((client ? &variant->client_images : &variant->node_images)->count == 0)
                return build_ref(client ? "ClientImage" : "NodeImage");
        return build_look_up(kind, "AMI");
}

Json *stack_root_device(const Variant *variant, StackKind kind)
{
        bool client = kind == STACK_CLIENT;

        if (!image_map_has_devices(client ? &variant->client_images : &variant->node_images))
                return build_ref(client ? "ClientRootDeviceName" : "RootDeviceName");
        return build_look_up(kind, "RootDeviceName");
}

/* {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} */
static Json *build_is_given(const char *name)
{
        return build_object({"Fn::Not",
                build_list(build_object(
                        {"Fn::Equals", build_list(build_ref(name), build_text(""))}))});
}

int stack_add_conditions(const Variant *variant, Json *conditions)
{
        int r = 0;

        if (!variant->in_subnet)
                r = json_set(conditions, "InZone", build_is_given("AvailabilityZone"));
        if (r == 0)
                r = json_set(conditions,
                        "IsPublic",
                        build_object({"Fn::Equals",
                                build_list(build_ref("PublicAddresses"), build_text("true"))}));
        return r == 0 ? json_set(conditions, "HasStoreKey", build_is_given("StoreKey")) : r;
}
