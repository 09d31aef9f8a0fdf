/* The making of a cluster's complete set of certificates, as flocker-ca and the Docker steps made
 * it.
 *
 *         flocker/{cluster.crt, cluster.key}
 *         flocker/{control-<host>.crt, control-<host>.key, <user>.crt, <user>.key}
 *         flocker/nodes/<n>/{<uuid>.crt, <uuid>.key, plugin.crt, plugin.key}
 *         docker/{ca.pem, ca-key.pem}
 *         docker/{control, client}/{ca.pem, cert.pem, key.pem}
 *
 * Nodes count from 1: control is node 0, and uses no certificate of a node.
 */

#pragma once

#include "agent/interrupt.h"
#include "base/error.h"

#include <stdint.h>

#define CREATION_AGENTS_MAX 1000

enum { COMPONENTS_ALL, COMPONENTS_FLOCKER, COMPONENTS_DOCKER };

typedef struct CreationOrder {
        const char *cluster, *control; /* names that certificates can bear, and files */
        const char *user;              /* of Flocker's API; likewise */
        const char *out;               /* the folder to make: not there yet, or empty */
        const char *keys;              /* a folder of PEM keys to use; NULL: keys are made */
        const char *passphrase_file;   /* for the authorities' keys; NULL: they are plain */
        int64_t agents;                /* 0 to CREATION_AGENTS_MAX */
        int64_t threads;               /* that make keys; 0: one a core */
        int docker_key;                /* a KeyKind */
        int components;                /* COMPONENTS_… */
} CreationOrder;

/* The folder is there whole or not at all. Each key is reported on stderr. -EEXIST: there is
 * something in it already; -ECANCELED: `interrupt` has come. */
int creation_make(const CreationOrder *order, Interrupt *interrupt, Error *ret_error);
