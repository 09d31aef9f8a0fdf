/* The PKI of a Flocker cluster, as flocker-ca makes it (flocker/ca/_ca.py of Flocker 1.15).
 *
 * Each function takes the key over, also when it fails. Subjects and extensions are those of
 * certs/profile.c; who checks them:
 *
 *         all clients        the control service's certificate names `control-service`
 *         the agents' port   a client's CN starts `node-`
 *         the REST API       a client's CN starts `user-`
 */

#pragma once

#include "certs/pair.h"

#define FLOCKER_UUID_SIZE 37U

int flocker_make_authority(
        const char *cluster, Key *take_key, Usec wall, Pair *ret, Error *ret_error);

/* `address` is what agents and clients connect to: an IP address or a DNS name. */
int flocker_make_control(const Pair *authority,
        const char *address,
        Key *take_key,
        Usec wall,
        Pair *ret,
        Error *ret_error);

/* The node's UUID is made here; Flocker reads it back from the subject. */
int flocker_make_node(const Pair *authority,
        Key *take_key,
        Usec wall,
        char ret_uuid[FLOCKER_UUID_SIZE],
        Pair *ret,
        Error *ret_error);

/* `name`: "plugin" on nodes, "user1" on the client. */
int flocker_make_user(const Pair *authority,
        const char *name,
        Key *take_key,
        Usec wall,
        Pair *ret,
        Error *ret_error);
