#include "template/user-data.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *role_of(StackKind kind)
{
        return kind == STACK_CONTROL ? "control" : kind == STACK_AGENT ? "agent" : "client";
}

static int append_components(const Variant *variant, Buffer *ret)
{
        const char *separator = "";
        int r = buffer_append_text(ret, "components: [");

        for (size_t i = 0; r == 0 && variant_components[i]; i++) {
                if (!variant_has(variant, 1U << i))
                        continue;
                r = buffer_append_format(ret, "%s%s", separator, variant_components[i]);
                separator = ", ";
        }
        return r == 0 ? buffer_append_text(ret, "]\n") : r;
}

/* "${" is Fn::Sub's own: "${!" stands for it. */
static int append_dataset(const Variant *variant, Buffer *ret)
{
        const char *text = variant->dataset ? variant->dataset : "{\"backend\":\"aws\"}";
        const char *found;
        int r = buffer_append_text(ret, "dataset: ");

        for (; r == 0 && (found = strstr(text, "${")); text = found + 2) {
                r = buffer_append(ret, text, (size_t)(found - text));
                if (r == 0)
                        r = buffer_append_text(ret, "${!");
        }
        return r == 0 ? buffer_append_format(ret, "%s\n", text) : r;
}

static int append_own(const Variant *variant, const UserDataNode *node, Buffer *ret)
{
        int r = 0;

        if (node->kind == STACK_CONTROL && variant_has(variant, VARIANT_FLOCKER))
                r = append_dataset(variant, ret);
        if (r == 0 && node->kind == STACK_CONTROL && variant_flocker_on_aws(variant))
                r = buffer_append_text(ret, "dataset-secret: \"${DatasetSecret}\"\n");
        if (r == 0 && node->kind == STACK_CLIENT && variant->keep_secrets)
                r = buffer_append_text(ret, "keep-secrets: true\n");
        return r;
}

int user_data_append(const Variant *variant, const UserDataNode *node, Buffer *ret)
{
        int r;

        r = buffer_append_format(ret,
                "#!/usr/bin/flocker-bootstrap --role=%s\n"
                "cluster: \"${AWS::StackName}\"\n"
                "store: \"s3://${ClusterConfig}/%s\"\n",
                role_of(node->kind),
                node->generation);
        if (r == 0 && node->kind != STACK_CLIENT)
                r = buffer_append_format(ret, "node: %" PRId64 "\n", node->number);
        if (r == 0)
                r = buffer_append_format(ret, "agents: %" PRId64 "\n", variant->agents);
        if (r == 0)
                r = append_components(variant, ret);
        if (r == 0)
                r = buffer_append_format(ret,
                        "swarm: %s\n"
                        "signal: \"${%s}\"\n"
                        "timeout: ${Timeout}s\n",
                        variant_has(variant, VARIANT_SWARM) ? variant_swarms[variant->swarm]
                                                            : "none",
                        node->handle);
        if (r == 0 && variant->image_version)
                r = buffer_append_format(ret, "image-version: \"%s\"\n", variant->image_version);
        return r == 0 ? append_own(variant, node, ret) : r;
}
