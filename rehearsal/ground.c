#include "rehearsal/ground.h"

#include "base/folder.h"
#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_PORT     4499U /* whoever listens there has the network */
#define NETWORK_TRIES 200

/* A program of ours: beside this one, or in the next folder, where it was built. */
static int find_sibling(const Ground *ground,
        const char *name,
        const char *folder,
        char place[PATH_MAX],
        Error *ret_error)
{
        char copy[PATH_MAX];
        const char *here;

        (void)text_put(copy, sizeof(copy), ground->self);
        here = dirname(copy);
        (void)snprintf(place, PATH_MAX, "%s/%s", here, name);
        if (access(place, X_OK) == 0)
                return 0;
        (void)snprintf(place, PATH_MAX, "%s/../%s/%s", here, folder, name);
        if (access(place, X_OK) == 0)
                return 0;
        return error_set(
                ret_error, -ENOENT, "cannot find the program '%s' beside '%s'", name, ground->self);
}

/* A network of loopback that no other rehearsal uses: 127.a.b, all of whose addresses are ours. */
static int take_network(Ground *ground, Error *ret_error)
{
        int r = -EADDRINUSE;

        for (int i = 0; i < NETWORK_TRIES && r < 0; i++) {
                char address[32];

                (void)snprintf(ground->network,
                        sizeof(ground->network),
                        "127.%u.%u",
                        1 + (unsigned)random_below(&random_system, 250),
                        (unsigned)random_below(&random_system, 250));
                (void)snprintf(address, sizeof(address), "%s.1", ground->network);
                r = event_bind_tcp(address, LOCK_PORT, &ground->lock_fd, ret_error);
        }
        return r;
}

static int make_folder(Ground *ground, Error *ret_error)
{
        const char *temporary = getenv("TMPDIR");

        (void)snprintf(ground->folder,
                sizeof(ground->folder),
                "%s/flocker-rehearsal.XXXXXX",
                temporary && strlen(temporary) < 30 ? temporary : "/tmp");
        if (mkdtemp(ground->folder) && chmod(ground->folder, 0755) == 0)
                return 0;
        ground->folder[0] = '\0';
        return error_set(ret_error, -errno, "cannot make a folder for the rehearsal: %m");
}

int ground_find_programs(Ground *ground, bool creator, Error *ret_error)
{
        ssize_t length = readlink("/proc/self/exe", ground->self, sizeof(ground->self) - 1);
        int r;

        if (length < 0)
                return error_set(ret_error, -errno, "cannot find this program: %m");
        ground->self[length] = '\0';
        r = find_sibling(ground, "flocker-bootstrap", "agent", ground->bootstrap, ret_error);
        if (r == 0 && creator)
                r = find_sibling(
                        ground, "flocker-template", "template", ground->creator, ret_error);
        return r;
}

static void on_interrupt(void *userdata)
{
        Ground *ground = userdata;

        ground->interrupted = true;
        event_loop_end(ground->loop);
}

/* The network of containers, which nobody else is in. */
static int enter_network(Ground *ground, Error *ret_error)
{
        (void)text_put(ground->network, sizeof(ground->network), NETWORK_PREFIX);
        return machines_new(ground->containers, &ground->machines, ret_error);
}

static int serve_machines(Ground *ground, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/control", ground->folder);
        int r = machines_serve_metadata(ground->machines, ground->loop, ret_error);

        if (r == 0)
                r = cloud_serve_signals(ground->cloud, NETWORK_SIGNALS, ret_error);
        if (r < 0 || !path)
                return r < 0 ? r : error_set(ret_error, -ENOMEM, "cannot serve the machines: %m");
        return control_new(
                ground->loop, ground->machines, ground->cloud, path, &ground->control, ret_error);
}

int ground_open(Ground *ground, Error *ret_error)
{
        char address[32];
        int r = event_loop_new(&ground->loop, ret_error);

        if (r == 0)
                r = event_watch_signal(ground->loop, SIGINT, on_interrupt, ground, ret_error);
        if (r == 0)
                r = event_watch_signal(ground->loop, SIGTERM, on_interrupt, ground, ret_error);
        if (r == 0)
                r = event_watch_signal(ground->loop, SIGHUP, on_interrupt, ground, ret_error);
        if (r == 0)
                r = ground->containers ? enter_network(ground, ret_error)
                                       : take_network(ground, ret_error);
        (void)snprintf(address, sizeof(address), "%s.1", ground->network);
        if (r == 0)
                r = cloud_new(ground->loop, address, &ground->cloud, ret_error);
        if (r == 0)
                r = make_folder(ground, ret_error);
        return r < 0 || !ground->containers ? r : serve_machines(ground, ret_error);
}

void ground_done(Ground *ground)
{
        Error error = ERROR_INIT;

        ground->control = control_free(ground->control);
        ground->machines = machines_free(ground->machines);
        ground->cloud = cloud_free(ground->cloud);
        ground->loop = event_loop_free(ground->loop);
        close_p(&ground->lock_fd);
        if (ground->folder[0] && !ground->keep &&
                folder_remove(AT_FDCWD, ground->folder, &error) < 0)
                (void)fprintf(stderr, "flocker-rehearsal: %s\n", error.text);
}
