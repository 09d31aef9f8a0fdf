/* The PKI of a cluster's Docker engines, their clients and the classic Swarm manager.
 *
 * Go's crypto/x509 is the verifier: the names in the SAN count, the CN does not. Each function
 * takes the key over, also when it fails.
 */

#pragma once

#include "certs/pair.h"

/* CN=<cluster>, OU=docker. */
int docker_make_authority(
        const char *cluster, Key *take_key, Usec wall, Pair *ret, Error *ret_error);

/* `names`: addresses and DNS names, NULL-ended, at least one; the first that a
 * subject can hold (64 characters) is the CN. 127.0.0.1, ::1
 * and localhost are added, what stands twice is there once. */
int docker_make_node(const Pair *authority,
        const char *const *names,
        Key *take_key,
        Usec wall,
        Pair *ret,
        Error *ret_error);

int docker_make_client(
        const Pair *authority, Key *take_key, Usec wall, Pair *ret, Error *ret_error);
