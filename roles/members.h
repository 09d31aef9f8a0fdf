/* Who of the cluster has signalled: status/<instance>/signalled.json in the store, one for each
 * machine.
 *
 *         {"role": "agent", "node": 1, "instance": "i-0abc…", "address": "10.0.0.2",
 *          "time": "2026-11-24T09:05:00Z"}
 */

#pragma once

#include "roles/role.h"

/* Writes this machine's own. */
int members_announce(Role *role, Error *ret_error);

/* Waits until control has signalled, and with `all` every agent too, to the role's deadline;
 * *ret_control is control's private address, a heap string. -ETIMEDOUT names those that have not.
 */
int members_wait(Role *role, bool all, char **ret_control, Error *ret_error);
