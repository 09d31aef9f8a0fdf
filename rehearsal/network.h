/* The network that containers stand in: namespaces of this process alone, with a bridge in the
 * middle.
 *
 * network_open() moves the whole process into a network and a mount namespace of its own: what it
 * makes there collides with nobody's, is seen by nobody, and is gone when the last process in there
 * is. The cloud's services are on the bridge's addresses; each machine gets an end of a cable,
 * eth0, in a namespace of its own, its address, and the bridge as its way to everything else, the
 * metadata service's link-local address included. Nothing leads out but network_socket_outside().
 *
 * Speaks rtnetlink itself. Source: rtnetlink(7), network_namespaces(7).
 */

#pragma once

#include "base/error.h"

#include <net/if.h>

#define NETWORK_PREFIX   "172.31.7" /* of EC2's default VPC: /24 */
#define NETWORK_SERVICES NETWORK_PREFIX ".1"
#define NETWORK_SIGNALS  NETWORK_PREFIX ".2"
#define NETWORK_STORE    NETWORK_PREFIX ".3" /* where a real S3 server is found: relay.h */
#define NETWORK_METADATA "169.254.169.254"

typedef struct Network Network;

/* Once in a process, before it has made a socket that is to be seen from the machines. -EPERM
 * unless root. */
int network_open(Network **ret, Error *ret_error);
Network *network_free(Network *network);
DEFINE_CLEANUP(Network *, network_free);

/* A new TCP socket, which does not block, of the namespace that network_open() has left: a socket
 * belongs to where it was made, whoever uses it. 0 or a negative errno. */
int network_socket_outside(const Network *network, int *ret_fd);

/* A machine's end. */
typedef struct NetworkEnd {
        int namespace_fd;      /* -1: none */
        int socket_fd;         /* rtnetlink, within it */
        char device[IFNAMSIZ]; /* the other end, on the bridge */
} NetworkEnd;

#define NETWORK_END_INIT ((NetworkEnd){.namespace_fd = -1, .socket_fd = -1})

int network_attach(Network *network, const char *address, NetworkEnd *ret, Error *ret_error);

/* Another address in place of the one it has. */
int network_move(NetworkEnd *end, const char *from, const char *to, Error *ret_error);

/* The cable goes; so does the namespace with the last process in it. */
void network_detach(Network *network, NetworkEnd *end);
