/* The parts of the template. Each adds its entries to a section and returns 0 or -ENOMEM. */

#pragma once

#include "template/variant.h"

#define STACK_ID_MAX  64U /* bytes of a logical id of ours */
#define STACK_IDS_MAX 32U
#define STACK_HASH    9U /* bytes of a hash as a text: 8 hexadecimal digits */

/* A list of logical ids, of ours. */
typedef struct StackIds {
        char ids[STACK_IDS_MAX][STACK_ID_MAX];
        size_t count;
} StackIds;

/* The kinds of node. */
typedef enum StackKind {
        STACK_CONTROL = 1U << 0,
        STACK_AGENT = 1U << 1,
        STACK_CLIENT = 1U << 2,
} StackKind;

/* Parameters, with their groups and labels for the console; mappings; conditions. */
int stack_add_parameters(const Variant *variant, Json *parameters);
Json *stack_interface(const Variant *variant);
int stack_add_mappings(const Variant *variant, Json *mappings);
int stack_add_conditions(const Variant *variant, Json *conditions);

/* The image of a kind of node: from its mapping, or its parameter. */
Json *stack_image(const Variant *variant, StackKind kind);

/* That image's own name of its root device: from the mapping, or a parameter. */
Json *stack_root_device(const Variant *variant, StackKind kind);

/* Who shares a CA: the hash of the configuration of control, and where secrets are purged of all
 * nodes, as none of them can be replaced alone then. It is the prefix of the cluster's store in the
 * bucket, so that the machines of an update meet each other, and not what was there before. */
int stack_find_generation(const Variant *variant, char ret[STACK_HASH]);

/* The bucket with its policy, and the secret with the dataset's access keys. */
int stack_add_store(const Variant *variant, const char *generation, Json *resources);

/* A role and an instance profile for each kind of node: "ControlRole", "ControlProfile". */
int stack_add_roles(const Variant *variant, const char *generation, Json *resources);

/* The security group and its rules, whose ids are added to `ids`. */
int stack_add_network(const Variant *variant, Json *resources, StackIds *ids);

/* Launch templates, and for each node its instance, handle and condition. What `before` names is
 * made before any instance, and outlives it. */
int stack_add_nodes(const Variant *variant,
        const char *generation,
        const StackIds *before,
        Json *resources,
        Json *outputs);
