#include "template/stack.h"

#include "template/build.h"
#include "template/stack-parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static Json *describe(const Variant *variant)
{
        char names[64] = "";
        size_t length = 0;

        for (size_t i = 0; variant_components[i]; i++)
                if (variant_has(variant, 1U << i))
                        length += (size_t)snprintf(names + length,
                                sizeof(names) - length,
                                "%s%s",
                                length > 0 ? ", " : "",
                                variant_components[i]);
        return build_format("A cluster of one control node, %" PRId64
                            " agent%s and a client, with TLS between all of them: %s",
                variant->agents,
                variant->agents == 1 ? "" : "s",
                names);
}

static int add_resources(const Variant *variant, Json *resources, Json *outputs)
{
        StackIds before = {.ids = {"ClusterConfigPolicy"}, .count = 1};
        char generation[STACK_HASH];
        int r;

        r = stack_find_generation(variant, generation);
        if (r == 0)
                r = stack_add_store(variant, generation, resources);
        if (r == 0)
                r = stack_add_roles(variant, generation, resources);
        if (r == 0)
                r = stack_add_network(variant, resources, &before);
        if (r == 0)
                r = stack_add_nodes(variant, generation, &before, resources, outputs);
        return r;
}

/* The sections, in the order that people read them. */
static int build(const Variant *variant, Json **ret)
{
        _cleanup_(json_free) Json *parameters = json_new_object(), *mappings = json_new_object();
        _cleanup_(json_free) Json *conditions = json_new_object(), *resources = json_new_object();
        _cleanup_(json_free) Json *outputs = json_new_object();
        int r;

        r = stack_add_parameters(variant, parameters);
        if (r == 0)
                r = stack_add_mappings(variant, mappings);
        if (r == 0)
                r = stack_add_conditions(variant, conditions);
        if (r == 0)
                r = add_resources(variant, resources, outputs);
        if (r < 0)
                return r;

        *ret = build_object({"AWSTemplateFormatVersion", build_text("2010-09-09")},
                {"Description", describe(variant)},
                {"Metadata",
                        build_object({"AWS::CloudFormation::Interface", stack_interface(variant)})},
                {"Parameters", json_ref(parameters)},
                {json_count(mappings) > 0 ? "Mappings" : NULL, json_ref(mappings)},
                {"Conditions", json_ref(conditions)},
                {"Resources", json_ref(resources)},
                {"Outputs", json_ref(outputs)});
        return *ret ? 0 : -ENOMEM;
}

int stack_format(const Variant *variant, Buffer *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STACK_TEXT_MAX);
        _cleanup_(json_free) Json *template = NULL;
        int r;

        r = build(variant, &template);
        if (r < 0)
                return error_set(ret_error, -ENOMEM, "cannot make the template: %m");
        if (json_format(template, JSON_INDENTED, &text) < 0)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot make the template: it is larger than the %u bytes that "
                        "CloudFormation takes",
                        STACK_TEXT_MAX);
        return buffer_append(ret, text.data, text.size) < 0
                       ? error_set(ret_error, -ENOMEM, "cannot make the template: %m")
                       : 0;
}
