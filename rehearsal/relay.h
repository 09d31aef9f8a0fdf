/* The machines' way to one server outside their network: a small relay on an address of the bridge.
 *
 * Each connection to it becomes one to the server, made from the namespace that the rehearsal was
 * started in (network.h). Bytes pass both ways as they are, a bounded number ahead of who takes
 * them: a signed request arrives as it was signed. The end of one side is the end of the other; so
 * whoever has waited long enough for a server that is silent ends both.
 */

#pragma once

#include "rehearsal/event.h"
#include "rehearsal/network.h"

#define RELAY_CONNECTIONS_MAX 256U /* at once; one more is closed */

typedef struct Relay Relay;

/* From `address`:`port` to `server`:`port`. What cannot be reached is said once, on stderr. The
 * network is borrowed. */
int relay_new(EventLoop *loop,
        const Network *network,
        const char *address,
        const char *server,
        unsigned port,
        Relay **ret,
        Error *ret_error);

/* Cuts what is under way. NULL is allowed; returns NULL. */
Relay *relay_free(Relay *relay);
DEFINE_CLEANUP(Relay *, relay_free);
