/* An imitation of systemd for one instance: org.freedesktop.systemd1 on a bus at
 * <root>/run/dbus/system_bus_socket, with the units below the root.
 *
 * What a unit's ExecStart= runs is played by this very program: "flocker-rehearsal as <basename>
 * --root=DIR --address=ADDRESS -- <arguments>". A simple service is started as soon as it runs, a
 * notifying one when that has written a byte to its descriptor 3, a oneshot one when it has ended.
 * Its output goes to var/log/units/<unit>.log.
 *
 * As in the real one: changed unit files count after Reload; a job waits for the jobs of the units
 * that its own is ordered after, takes along what its unit requires, and ends with JobRemoved and
 * done, failed, canceled, dependency or assert; unknown, masked and bad units are refused by name.
 * tests/host/refusals-systemd.json is the record. Source: org.freedesktop.systemd1(5),
 * systemd.unit(5), systemd.service(5).
 */

#pragma once

#include "rehearsal/event.h"

typedef struct SystemdHost SystemdHost;

typedef struct SystemdHostOptions {
        EventLoop *loop;
        const char *root;         /* of the instance */
        const char *address;      /* its own */
        const char *program;      /* this program's file */
        const char *bootstrap;    /* flocker-bootstrap's, for units of ours */
        char *const *environment; /* of the services, NULL-ended; copied by nobody: it stays */
} SystemdHostOptions;

int systemd_host_new(const SystemdHostOptions *options, SystemdHost **ret, Error *ret_error);

/* Ends every service. NULL is allowed; returns NULL. */
SystemdHost *systemd_host_free(SystemdHost *host);
DEFINE_CLEANUP(SystemdHost *, systemd_host_free);

/* Starts what is enabled, as a boot does, and puts cloud-init's last stage into the queue: its job
 * runs until systemd_host_end_boot(). `booted` is called once the services have started. */
int systemd_host_boot(SystemdHost *host, EventCallback booted, void *userdata, Error *ret_error);
void systemd_host_end_boot(SystemdHost *host);
