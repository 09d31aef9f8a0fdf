/* What this machine remembers of earlier runs, keyed so that it cannot be another machine's.
 *
 *         {"version": 1, "instance": "i-0abc…", "document": "<SHA-256>", "handle": "<SHA-256>",
 *          "signalled": true, "complete": true, "pending": ["docker"], "worker": "<node id>"}
 *
 * A state of another instance is an image's: everything of it is forgotten. One of another document
 * or handle is this machine's with changed settings: it is no longer complete, and was not
 * signalled; the rest stays.
 */

#pragma once

#include "base/digest.h"
#include "base/error.h"

#include <stdbool.h>

#define STATE_TEXT_MAX 128U

/* What was changed and has not taken effect yet: a kill between the two must not hide it. */
typedef enum StatePending {
        STATE_PENDING_DOCKER = 1U << 0,  /* the engine is to be restarted */
        STATE_PENDING_FLOCKER = 1U << 1, /* so are Flocker's services */
        STATE_PENDING_LEAVE = 1U << 2,   /* a Swarm of the image's is to be left */
} StatePending;

typedef struct State {
        char instance[STATE_TEXT_MAX]; /* "": never saved */
        char document[DIGEST_SHA256_HEX];
        char handle[DIGEST_SHA256_HEX]; /* of "" without one */
        bool signalled;
        bool complete;
        unsigned pending;
        char worker[STATE_TEXT_MAX]; /* the Swarm node whose join token is in the store; "": none */
} State;

/* Absent: *ret stays empty. A damaged one is -EBADMSG, with the remedy. */
int state_load(int root_fd, State *ret, Error *ret_error);
int state_save(int root_fd, const State *state, Error *ret_error);
