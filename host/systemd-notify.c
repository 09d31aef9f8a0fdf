/* What this process tells systemd of itself: systemd_notify, systemd_watchdog_…. */

#include "host/systemd.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

void systemd_notify(const char *state)
{
        (void)sd_notify(false, state);
}

Usec systemd_watchdog_interval(void)
{
        uint64_t usec;

        return sd_watchdog_enabled(false, &usec) > 0 ? usec / 2 : 0;
}

void systemd_watchdog_allow(Usec span)
{
        uint64_t usec;

        if (sd_watchdog_enabled(false, &usec) > 0)
                (void)sd_notifyf(
                        false, "WATCHDOG_USEC=%" PRIu64 "\nWATCHDOG=1", span > 0 ? span : usec);
}
