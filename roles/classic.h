/* Classic Swarm: the standalone manager of Docker's 1.9 to 1.11 days, as a container on control.
 *
 * The manager reads a file of members (host:port, one a line). A member writes
 * swarm/members/<n>.json into the store; on control a following service keeps the file equal to
 * what is there (hosted token discovery no longer exists). Engines listen on 2375, the manager on
 * 2376, all with TLS.
 */

#pragma once

#include "roles/role.h"

/* Control: its own member file, the container, the follower's unit where it is installed. */
int classic_manager_is_started(Role *role, bool *ret, Error *ret_error);
int classic_start_manager(Role *role, Error *ret_error);

/* Everyone with an engine: swarm/members/<n>.json. */
int classic_member_is_known(Role *role, bool *ret, Error *ret_error);
int classic_announce_member(Role *role, Error *ret_error);

/* Writes the member file anew from the store, if it differs. *ret: how many members there are. For
 * the follower, and for start-swarm. */
int classic_follow(Role *role, bool *ret_changed, size_t *ret_members, Error *ret_error);
