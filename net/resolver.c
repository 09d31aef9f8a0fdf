/* How names are looked up: /etc/hosts, then the name servers of /etc/resolv.conf.
 *
 * libcurl leaves that order to c-ares, which would read it off the host's nsswitch.conf, a file for
 * libraries that this program does not have. The linker hands libcurl's call to us
 * (-Wl,--wrap=ares_init_options, in meson.build), so that the order is ours.
 */

#include <ares.h>

int __real_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);

int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
        static char files_then_names[] = "fb";

        options->lookups = files_then_names;
        return __real_ares_init_options(channel, options, mask | ARES_OPT_LOOKUPS);
}
