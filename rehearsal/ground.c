#include "rehearsal/ground.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/random.h"
#include "base/text.h"
#include "rehearsal/s3-server.h"

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
#define FOLDER        "flocker-rehearsal."
#define PID_FILE      "pid" /* whose it is; a folder that is kept has none */
#define PID_TEXT_MAX  24U
#define ENTRIES_MAX   100000U

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

static const char *find_temporary(void)
{
        const char *temporary = getenv("TMPDIR");

        return temporary && strlen(temporary) < 30 ? temporary : "/tmp";
}

/* A folder of ours whose run was killed: nobody else takes it away. */
static int sweep_dead(int parent_fd, const char *name, void *userdata, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(PID_TEXT_MAX);
        _cleanup_(free) char *path = text_format("%s/" PID_FILE, name);
        struct stat found;
        int64_t pid;

        (void)userdata;
        (void)ret_error;
        if (text_starts(name, FOLDER) && path &&
                fstatat(parent_fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
                found.st_uid == geteuid() &&
                file_read(parent_fd, path, PID_TEXT_MAX, &text, NULL) == 0 &&
                text_to_int64(buffer_text(&text), 2, INT_MAX, &pid) == 0 &&
                kill((pid_t)pid, 0) < 0 && errno == ESRCH)
                (void)folder_remove(parent_fd, name, NULL);
        return 0;
}

/* Marks the folder as this process's, and looks after those of others that are no more. */
static int claim_folder(const Ground *ground, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/" PID_FILE, ground->folder);
        char pid[PID_TEXT_MAX];

        (void)folder_list(AT_FDCWD, find_temporary(), ENTRIES_MAX, sweep_dead, NULL, NULL);
        (void)snprintf(pid, sizeof(pid), "%d", getpid());
        return path ? file_write_atomic(AT_FDCWD, path, pid, strlen(pid), 0644, ret_error)
                    : error_set(ret_error, -ENOMEM, "cannot make a folder: %m");
}

static int keep_folder(const Ground *ground, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/" PID_FILE, ground->folder);

        return path ? file_remove(AT_FDCWD, path, ret_error) : -ENOMEM;
}

static int make_folder(Ground *ground, Error *ret_error)
{
        (void)snprintf(
                ground->folder, sizeof(ground->folder), "%s/" FOLDER "XXXXXX", find_temporary());
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

/* Process trees find it where it is; out of the containers' network there is but the relay's way.
 */
static int serve_s3(Ground *ground, Error *ret_error)
{
        const S3Server *s3 = ground->s3;
        char endpoint[64];
        int r;

        if (!ground->containers)
                return cloud_use_s3(ground->cloud, s3, s3->endpoint, ret_error);
        (void)snprintf(endpoint, sizeof(endpoint), "http://" NETWORK_STORE ":%u", s3->port);
        r = relay_new(ground->loop,
                machines_network(ground->machines),
                NETWORK_STORE,
                s3->address,
                s3->port,
                &ground->relay,
                ret_error);
        return r < 0 ? r : cloud_use_s3(ground->cloud, s3, endpoint, ret_error);
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
        if (r == 0 && ground->s3)
                r = serve_s3(ground, ret_error);
        if (r == 0)
                r = make_folder(ground, ret_error);
        if (r == 0)
                r = claim_folder(ground, ret_error);
        return r < 0 || !ground->containers ? r : serve_machines(ground, ret_error);
}

int ground_expect_faults(Ground *ground, FaultSet *faults, Error *ret_error)
{
        char address[32];

        (void)snprintf(address, sizeof(address), "%s.1", ground->network);
        cloud_set_faults(ground->cloud, faults);
        return ground->containers ? 0 : cloud_serve_signals(ground->cloud, address, ret_error);
}

void ground_done(Ground *ground)
{
        Error error = ERROR_INIT;

        ground->control = control_free(ground->control);
        ground->relay = relay_free(ground->relay);
        ground->machines = machines_free(ground->machines);
        ground->cloud = cloud_free(ground->cloud);
        ground->loop = event_loop_free(ground->loop);
        close_p(&ground->lock_fd);
        if (ground->folder[0] &&
                (ground->keep ? keep_folder(ground, &error)
                              : folder_remove(AT_FDCWD, ground->folder, &error)) < 0)
                (void)fprintf(stderr, "flocker-rehearsal: %s\n", error.text);
}
