#include "rehearsal/machines.h"

#include "base/buffer.h"
#include "base/text.h"
#include "rehearsal/http-server.h"
#include "rehearsal/instance.h"
#include "rehearsal/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define METADATA_PORT 80U
#define LAYERS_MAX    4096U

struct Machines {
        MachinesOptions options;
        Network *network;
        CgroupSet *cgroups;
        HttpServer *metadata;
        Instance *instances[MACHINES_MAX];
        size_t count;
};

/* A machine asks for what is its own. */
static void on_metadata(HttpCall *call, void *userdata)
{
        const Instance *instance = machines_find_address(userdata, http_call_client(call));

        if (instance)
                metadata_host_answer(instance_metadata_host(instance), call);
        else
                http_call_answer_text(call, 404, "text/plain", "");
}

/* An image that overlayfs can take: folders, none of which holds what its options mean otherwise.
 */
static int check_folder(const char *folder, Error *ret_error)
{
        struct stat found;

        if (*folder != '/' || strpbrk(folder, ",:\\"))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use the image '%s': expected an absolute path without ',', ':' or "
                        "'\\'",
                        folder);
        if (stat(folder, &found) < 0 || !S_ISDIR(found.st_mode))
                return error_set(ret_error,
                        -ENOENT,
                        "cannot use the image '%s': it is no folder; tests/e2e/prepare makes one",
                        folder);
        return 0;
}

static int check_folders(const MachinesOptions *options, Error *ret_error)
{
        _cleanup_(free) char *copy = text_copy(options->image);
        char *rest = copy, *folder;
        int r = copy ? 0 : error_set(ret_error, -ENOMEM, "cannot use the image: %m");

        while (r == 0 && (folder = strsep(&rest, ":")))
                r = check_folder(folder, ret_error);
        for (size_t i = 0; i < options->n_layers && r == 0; i++)
                r = check_folder(options->layers[i].folder, ret_error);
        return r;
}

int machines_parse_layer(const char *text, MachineLayer *ret, Error *ret_error)
{
        size_t length = strcspn(text, ":");
        MachineLayer layer = {};

        if (length == 0 || !text[length] || length >= sizeof(layer.node))
                return error_set(
                        ret_error, -EINVAL, "cannot use '--layer=%s': expected NODE:DIR", text);
        memcpy(layer.node, text, length);
        layer.folder = text + length + 1;
        *ret = layer;
        return 0;
}

int machines_new(const MachinesOptions *options, Machines **ret, Error *ret_error)
{
        _cleanup_(machines_free) Machines *machines = calloc(1, sizeof(*machines));
        int r;

        if (!machines)
                return error_set(ret_error, -ENOMEM, "cannot make machines: %m");
        machines->options = *options;
        r = check_folders(options, ret_error);
        if (r == 0)
                r = network_open(&machines->network, ret_error);
        if (r == 0)
                r = cgroup_open(&machines->cgroups, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(machines);
        return 0;
}

Machines *machines_free(Machines *machines)
{
        if (!machines)
                return NULL;
        while (machines->count > 0) /* those that the control socket has made */
                (void)instance_free(machines->instances[machines->count - 1]);
        machines->metadata = http_server_free(machines->metadata);
        machines->cgroups = cgroup_free(machines->cgroups);
        machines->network = network_free(machines->network);
        free(machines);
        return NULL;
}

int machines_serve_metadata(Machines *machines, EventLoop *loop, Error *ret_error)
{
        return http_server_new_tcp(loop,
                NETWORK_METADATA,
                METADATA_PORT,
                NULL,
                on_metadata,
                machines,
                &machines->metadata,
                ret_error);
}

Network *machines_network(const Machines *machines)
{
        return machines->network;
}

const CgroupSet *machines_cgroups(const Machines *machines)
{
        return machines->cgroups;
}

char *machines_find_layers(const Machines *machines, const char *name)
{
        _cleanup_(buffer_done) Buffer layers = BUFFER_INIT(LAYERS_MAX);
        int r = 0;

        for (size_t i = 0; i < machines->options.n_layers && r == 0; i++) {
                const MachineLayer *layer = &machines->options.layers[i];

                if (text_equal(layer->node, name) || text_equal(layer->node, "*"))
                        r = buffer_append_format(&layers, "%s:", layer->folder);
        }
        if (r == 0)
                r = buffer_append_text(&layers, machines->options.image);
        return r < 0 ? NULL : buffer_take(&layers, NULL);
}

int machines_add(Machines *machines, Instance *instance, Error *ret_error)
{
        if (machines->count >= MACHINES_MAX)
                return error_set(ret_error,
                        -ENOSPC,
                        "cannot add '%s': there are %u machines",
                        instance_name(instance),
                        MACHINES_MAX);
        machines->instances[machines->count++] = instance;
        return 0;
}

void machines_remove(Machines *machines, const Instance *instance)
{
        size_t i = 0;

        while (i < machines->count && machines->instances[i] != instance)
                i++;
        if (i == machines->count)
                return;
        machines->count--;
        memmove(machines->instances + i,
                machines->instances + i + 1,
                (machines->count - i) * sizeof(machines->instances[0]));
}

Instance *machines_find(const Machines *machines, const char *name)
{
        for (size_t i = 0; i < machines->count; i++)
                if (text_equal(instance_name(machines->instances[i]), name))
                        return machines->instances[i];
        return NULL;
}

Instance *machines_find_address(const Machines *machines, const char *address)
{
        for (size_t i = 0; i < machines->count; i++)
                if (text_equal(instance_address(machines->instances[i]), address))
                        return machines->instances[i];
        return NULL;
}

Instance *machines_get(const Machines *machines, size_t index)
{
        return index < machines->count ? machines->instances[index] : NULL;
}
