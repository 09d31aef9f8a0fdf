/* What this process is to systemd, and tells it: systemd_own_unit, systemd_notify,
 * systemd_watchdog_…. */

#include "host/systemd.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define CGROUP_MAX 4096U

void systemd_own_unit(char ret[SYSTEMD_UNIT_NAME_MAX])
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(CGROUP_MAX);
        char *line, *rest;

        ret[0] = '\0';
        if (file_read(AT_FDCWD, "/proc/self/cgroup", CGROUP_MAX, &text, NULL) < 0)
                return;
        rest = text.data;
        while (rest && (line = strsep(&rest, "\n"))) {
                const char *last = strrchr(line, '/');

                if (last && text_ends(last, ".service"))
                        (void)text_put(ret, SYSTEMD_UNIT_NAME_MAX, last + 1);
        }
}

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
