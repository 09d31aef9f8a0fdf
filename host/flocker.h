/* A Flocker control service, over its REST API (flocker/control/httpapi.py of Flocker 1.15).
 *
 * The server's certificate has to name `control-service`, whatever its address; a client's CN has
 * to start with `user-`.
 */

#pragma once

#include "base/random.h"
#include "net/http.h"

#include <stddef.h>

typedef struct FlockerControl {
        HttpClient *http; /* borrowed, as is all of this */
        const Clock *clock;
        const Random *random;
        const char *address;     /* "10.0.0.1:4523" */
        const char *ca_pem;      /* cluster.crt */
        const char *certificate; /* PEM of a user's */
        const Secret *key;
} FlockerControl;

/* Until it answers GET /v1/version, to the deadline: a service that was just started needs seconds
 * until it listens. -EPROTO at once: its certificate is not what it should be, or it refuses ours.
 */
int flocker_control_wait(const FlockerControl *control, Usec deadline, Error *ret_error);

/* How many nodes it knows: those whose dataset agents are connected (GET /v1/state/nodes). */
int flocker_control_count_nodes(
        const FlockerControl *control, Usec deadline, size_t *ret, Error *ret_error);
