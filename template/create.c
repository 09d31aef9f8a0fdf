#include "template/create.h"

#include "base/command.h"
#include "base/text.h"
#include "template/account.h"
#include "template/stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

typedef struct Arguments {
        int64_t agents;
        int swarm;
        const char *components;
        const char *node_map_body, *node_map, *client_map_body, *client_map;
        const char *node_type, *client_type;
        const char *dataset, *revision, *image_version;
        bool keep_secrets, ordered, metadata_tags, subnet, help;
} Arguments;

static const Option options[] = {
        {"agents",
                0,
                OPTION_INT,
                "N",
                "how many agents, from 1 to 100 (2)",
                offsetof(Arguments, agents),
                .min = 1,
                .max = VARIANT_AGENTS_MAX},
        {"components",
                0,
                OPTION_TEXT,
                "LIST",
                "of flocker, docker, swarm (all)",
                offsetof(Arguments, components)},
        {"swarm",
                0,
                OPTION_CHOICE,
                "MODE",
                "auto (the default), builtin, classic or none",
                offsetof(Arguments, swarm),
                .choices = variant_swarms},
        {"node-ami-map-body",
                0,
                OPTION_TEXT,
                "JSON",
                "images of control and agents: {\"region\": \"ami-…\"}",
                offsetof(Arguments, node_map_body)},
        {"node-ami-map",
                0,
                OPTION_TEXT,
                "FILE",
                "the same from a file, or from https://… or s3://…",
                offsetof(Arguments, node_map)},
        {"client-ami-map-body",
                0,
                OPTION_TEXT,
                "JSON",
                "images of the client",
                offsetof(Arguments, client_map_body)},
        {"client-ami-map",
                0,
                OPTION_TEXT,
                "FILE",
                "the same from a file, or from https://… or s3://…",
                offsetof(Arguments, client_map)},
        {"node-instance-type",
                0,
                OPTION_TEXT,
                "TYPE",
                "default type of control and agents (m3.large)",
                offsetof(Arguments, node_type)},
        {"client-instance-type",
                0,
                OPTION_TEXT,
                "TYPE",
                "default type of the client (m3.medium)",
                offsetof(Arguments, client_type)},
        {"dataset",
                0,
                OPTION_TEXT,
                "JSON",
                "agent.yml's dataset ({\"backend\": \"aws\"}); no secrets: it is user-data",
                offsetof(Arguments, dataset)},
        {"image-version",
                0,
                OPTION_TEXT,
                "VERSION",
                "the stamp that the images have to carry, as images build gave it",
                offsetof(Arguments, image_version)},
        {"keep-secrets",
                0,
                OPTION_FLAG,
                NULL,
                "keep private material in the store, for nodes that come later",
                offsetof(Arguments, keep_secrets)},
        {"ordered",
                0,
                OPTION_FLAG,
                NULL,
                "agents begin after control, the client after all of them",
                offsetof(Arguments, ordered)},
        {"metadata-tags",
                0,
                OPTION_FLAG,
                NULL,
                "instances see their tags in the metadata service",
                offsetof(Arguments, metadata_tags)},
        {"subnet",
                0,
                OPTION_FLAG,
                NULL,
                "ask for a VPC and a subnet; else the default ones are used",
                offsetof(Arguments, subnet)},
        {"revision",
                0,
                OPTION_TEXT,
                "WORD",
                "another one than before replaces all machines of a stack",
                offsetof(Arguments, revision)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-template create",
        .description =
                "Prints the CloudFormation template of a cluster as JSON: one control node, "
                "agents\n"
                "and a client. The same options give the same bytes. Without a map of images,\n"
                "the image is a parameter: the newest Ubuntu of Canonical's by default.\n"
                "\n"
                "A template of more than 51,200 bytes has to go to CloudFormation through S3.",
        .options = options,
        .n_options = ELEMENTS(options),
};

/* A map of images, from the command line, a file or an address. */
static int read_map(
        const char *option, const char *body, const char *path, ImageMap *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * IMAGE_MAP_SIZE_MAX);
        int r;

        if (body && path)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use both %s-body and %s: expected one of them",
                        option,
                        option);
        if (body)
                return image_map_parse(option, body, strlen(body), ret, ret_error);
        if (!path)
                return 0;
        r = account_read(NULL, path, IMAGE_MAP_SIZE_MAX, &text, ret_error);
        return r < 0 ? r : image_map_parse(path, buffer_text(&text), text.size, ret, ret_error);
}

static int read_variant(const Arguments *arguments, Variant *ret, Error *ret_error)
{
        int r = 0;

        ret->agents = arguments->agents;
        ret->components = VARIANT_FLOCKER | VARIANT_DOCKER | VARIANT_SWARM;
        ret->swarm = arguments->swarm;
        ret->keep_secrets = arguments->keep_secrets;
        ret->ordered = arguments->ordered;
        ret->metadata_tags = arguments->metadata_tags;
        ret->in_subnet = arguments->subnet;
        ret->revision = arguments->revision;
        ret->image_version = arguments->image_version;
        ret->node_type = arguments->node_type;
        ret->client_type = arguments->client_type;
        if (arguments->components)
                r = variant_parse_components(arguments->components, &ret->components, ret_error);
        if (r == 0 && arguments->dataset)
                r = variant_parse_dataset(arguments->dataset, ret, ret_error);
        if (r == 0)
                r = read_map("--node-ami-map",
                        arguments->node_map_body,
                        arguments->node_map,
                        &ret->node_images,
                        ret_error);
        if (r == 0)
                r = read_map("--client-ami-map",
                        arguments->client_map_body,
                        arguments->client_map,
                        &ret->client_images,
                        ret_error);
        return r == 0 ? variant_check(ret, ret_error) : r;
}

int create_command(int argc, char *argv[])
{
        Arguments arguments = {
                .agents = 2, .node_type = VARIANT_NODE_TYPE, .client_type = VARIANT_CLIENT_TYPE};
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STACK_TEXT_MAX);
        _cleanup_(variant_done) Variant variant = {};
        Error error = ERROR_INIT;
        int operands, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;

        r = read_variant(&arguments, &variant, &error);
        if (r == 0)
                r = stack_format(&variant, &text, &error);
        if (r < 0)
                return command_fail(&line, r, &error);
        (void)fwrite(buffer_text(&text), 1, text.size, stdout);
        return EX_OK;
}
