/* What the containers of a rehearsal share: a network, control groups, an image, and the metadata
 * service at its own address, which answers by the client's. */

#pragma once

#include "rehearsal/cgroup.h"
#include "rehearsal/event.h"
#include "rehearsal/network.h"

#define MACHINES_MAX        110U
#define MACHINES_LAYERS_MAX 64U

typedef struct Instance Instance;
typedef struct Machines Machines;

/* "AgentNode1:DIR" taken apart: a folder that is laid over the image of one machine; "*": of all.
 */
typedef struct MachineLayer {
        char node[64];
        const char *folder; /* borrowed */
} MachineLayer;

/* -EINVAL with the sentence. */
int machines_parse_layer(const char *text, MachineLayer *ret, Error *ret_error);

typedef struct MachinesOptions {
        const char *image; /* a root file system, or several with ':', the uppermost first */
        const MachineLayer *layers;
        size_t n_layers;
} MachinesOptions;

/* Moves this process into namespaces of its own: before anything that machines are to reach. */
int machines_new(const MachinesOptions *options, Machines **ret, Error *ret_error);
Machines *machines_free(Machines *machines);
DEFINE_CLEANUP(Machines *, machines_free);

int machines_serve_metadata(Machines *machines, EventLoop *loop, Error *ret_error);

Network *machines_network(const Machines *machines);
const CgroupSet *machines_cgroups(const Machines *machines);

/* The lower folders of a machine's root, with ':', as overlayfs wants them; a heap string. */
char *machines_find_layers(const Machines *machines, const char *name);

/* Who is there; an instance adds and removes itself. -ENOSPC. */
int machines_add(Machines *machines, Instance *instance, Error *ret_error);
void machines_remove(Machines *machines, const Instance *instance);
Instance *machines_find(const Machines *machines, const char *name); /* NULL: there is none */
Instance *machines_find_address(const Machines *machines, const char *address);
Instance *machines_get(const Machines *machines, size_t index); /* NULL: no more */
