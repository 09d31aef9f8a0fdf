#include "template/variant.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const variant_components[] = {"flocker", "docker", "swarm", NULL};
const char *const variant_swarms[] = {"auto", "builtin", "classic", "none", NULL};

/* Families that are Xen machines: Flocker knows no other names of disks than sd* and xvd*. */
static const char *const xen_families[] = {"m3.", "m4.", "t2.", "c4.", "r4."};

void variant_done(Variant *variant)
{
        free(variant->dataset);
        variant->dataset = NULL;
}

bool variant_has(const Variant *variant, VariantComponent component)
{
        return (variant->components & (unsigned)component) != 0;
}

bool variant_flocker_on_aws(const Variant *variant)
{
        return variant_has(variant, VARIANT_FLOCKER) && !variant->dataset_elsewhere;
}

bool variant_may_swarm(const Variant *variant, VariantSwarm mode)
{
        return variant_has(variant, VARIANT_SWARM) &&
               (variant->swarm == (int)mode || variant->swarm == VARIANT_SWARM_AUTO);
}

static int refuse_component(const char *name, Error *ret_error)
{
        const char *nearest = text_nearest(name, variant_components);

        return error_set(ret_error,
                -EINVAL,
                "cannot use component '%.60s': expected flocker, docker, swarm%s%s%s",
                name,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

int variant_parse_components(const char *text, unsigned *ret, Error *ret_error)
{
        _cleanup_(free) char *copy = text_copy(text);
        unsigned components = 0;
        char *name, *comma;

        if (!copy)
                return error_set(ret_error, -ENOMEM, "cannot read components: %m");
        for (name = copy; name; name = comma) {
                size_t i = 0;

                comma = strchr(name, ',');
                if (comma)
                        *comma++ = '\0';
                name = text_strip(name);
                while (variant_components[i] && !text_equal(variant_components[i], name))
                        i++;
                if (!variant_components[i])
                        return refuse_component(name, ret_error);
                if (components & (1U << i))
                        return error_set(
                                ret_error, -EINVAL, "cannot use component '%s' twice", name);
                components |= 1U << i;
        }
        *ret = components;
        return 0;
}

/* What may not be read by everybody on a machine, as far as its name tells. */
static bool is_secret(const char *key)
{
        static const char *const words[] = {
                "password", "passwd", "secret", "token", "access_key", "private", "credential"};

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcasestr(key, words[i]))
                        return true;
        return false;
}

static int check_no_secrets(const Json *json, Error *ret_error)
{
        const char *key;
        const Json *value;
        void *iterator = NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && json_is_array(json) && i < json_count(json); i++)
                r = check_no_secrets(json_element(json, i), ret_error);
        while (r == 0 && json_is_object(json) && json_next_member(json, &iterator, &key, &value)) {
                if (is_secret(key))
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot use --dataset: '%.60s' would stand in user-data, which is "
                                "no place for secrets (the aws backend's access keys are "
                                "parameters of the template)",
                                key);
                r = check_no_secrets(value, ret_error);
        }
        return r;
}

int variant_parse_dataset(const char *text, Variant *variant, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer line = BUFFER_INIT(VARIANT_DATASET_MAX);
        _cleanup_(json_free) Json *json = NULL;
        const char *backend = NULL;
        int r;

        r = json_parse("--dataset", text, strlen(text), &json, ret_error);
        if (r == 0)
                r = json_get_text(json, "--dataset", "backend", &backend, ret_error);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;
        r = check_no_secrets(json, ret_error);
        if (r < 0)
                return r;
        if (json_format(json, JSON_ONE_LINE, &line) < 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use --dataset: expected at most %u bytes, as user-data has to hold "
                        "it",
                        VARIANT_DATASET_MAX);
        variant->dataset_elsewhere = !text_equal(backend, "aws");
        free(variant->dataset);
        variant->dataset = buffer_take(&line, NULL);
        return variant->dataset ? 0 : error_set(ret_error, -ENOMEM, "cannot use --dataset: %m");
}

static bool is_instance_type(const char *text)
{
        const char *dot = strchr(text, '.');

        return dot && dot > text && dot[1] && strlen(text) < 40 &&
               strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == (size_t)(dot - text) &&
               strspn(dot + 1, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(dot + 1);
}

static int check_types(const Variant *variant, Error *ret_error)
{
        const char *types[] = {variant->node_type, variant->client_type};

        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (!is_instance_type(types[i]))
                        return error_set(ret_error,
                                -EINVAL,
                                "cannot use instance type '%.60s': expected one like m4.large",
                                types[i]);
        if (!variant_flocker_on_aws(variant))
                return 0;
        for (size_t i = 0; i < ELEMENTS(xen_families); i++)
                if (text_starts(variant->node_type, xen_families[i]))
                        return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot use instance type '%s' with flocker on the aws backend, which knows Xen "
                "machines' disks alone: expected one of m3, m4, t2, c4, r4",
                variant->node_type);
}

static int check_revision(const Variant *variant, Error *ret_error)
{
        size_t length = variant->revision ? strlen(variant->revision) : 1;

        if (length >= 1 && length <= VARIANT_REVISION_MAX &&
                (!variant->revision ||
                        strspn(variant->revision,
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789._-") == length))
                return 0;
        return error_set(ret_error,
                -EINVAL,
                "cannot use --revision='%.60s': expected 1 to %u letters, digits, '.', '_', '-'",
                variant->revision,
                VARIANT_REVISION_MAX);
}

static int check_image_version(const Variant *variant, Error *ret_error)
{
        const char *version = variant->image_version ? variant->image_version : "0";

        if (version[0] && strlen(version) <= VARIANT_REVISION_MAX &&
                strspn(version,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789.+~_-") == strlen(version))
                return 0;
        return error_set(ret_error,
                -EINVAL,
                "cannot use --image-version='%.60s': expected one like 1.2.3",
                version);
}

int variant_check(const Variant *variant, Error *ret_error)
{
        bool swarm = variant_has(variant, VARIANT_SWARM);
        int r;

        if (swarm && !variant_has(variant, VARIANT_DOCKER))
                return error_set(
                        ret_error, -EDOM, "cannot use these components: swarm needs docker");
        if (!swarm && (variant->swarm == VARIANT_SWARM_BUILTIN ||
                              variant->swarm == VARIANT_SWARM_CLASSIC))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use swarm mode %s: swarm is not among the components",
                        variant_swarms[variant->swarm]);
        if (variant->dataset && !variant_has(variant, VARIANT_FLOCKER))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use --dataset: flocker is not among the components");
        r = check_revision(variant, ret_error);
        if (r == 0)
                r = check_image_version(variant, ret_error);
        if (r == 0)
                r = check_types(variant, ret_error);
        if (r == 0 && variant->node_images.count > 0 && variant->client_images.count > 0)
                r = image_map_check_same("the node AMI map",
                        &variant->node_images,
                        "the client AMI map",
                        &variant->client_images,
                        ret_error);
        return r;
}
