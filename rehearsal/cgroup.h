/* Control groups for containers: one group for each machine, in every hierarchy that this system
 * has (version 1 each with its controllers, systemd's named one, version 2; any mix of them).
 *
 * A run's groups lie in one of its own, "flocker-rehearsal.<pid>", below the group that this
 * process is in. cgroup_open() kills and takes away what is left of runs whose process has died.
 * Source: cgroups(7).
 */

#pragma once

#include "base/clock.h"
#include "base/error.h"

typedef struct CgroupSet CgroupSet;

int cgroup_open(CgroupSet **ret, Error *ret_error);

/* Removes all of the run's groups: their processes must have been killed. Returns NULL. */
CgroupSet *cgroup_free(CgroupSet *set);
DEFINE_CLEANUP(CgroupSet *, cgroup_free);

int cgroup_make(const CgroupSet *set, const char *name, Error *ret_error);

/* Moves the calling process there, for good. Needs no memory: for a child after fork. */
int cgroup_enter(const CgroupSet *set, const char *name);

/* Kills whatever is in there, and removes it. -EBUSY at `deadline`. */
int cgroup_remove(const CgroupSet *set, const char *name, Usec deadline, Error *ret_error);
