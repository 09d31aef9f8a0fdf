#include "rehearsal/container.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSPAWN          "/usr/bin/systemd-nspawn"
#define NSPAWN_REBOOT   133 /* its exit status when a machine that keeps its unit wants a reboot */
#define OUTPUT          "var/log/cloud-init-output.log"
#define RESULT          "var/lib/cloud/data/result.json"
#define RESULT_MAX      (64U * 1024U)
#define OUTPUT_LINE_MAX (64U * 1024U)
#define WATCH_STEP      (20 * USEC_PER_MSEC)
#define END_TIME        (5 * USEC_PER_SEC)
#define WORDS_MAX       32U
#define MOUNT_MAX       4096U /* bytes of a mount's options: a page, says mount(2) */

struct Container {
        ContainerOptions options;
        char *name, *root, *address, *mount, *volumes;
        NetworkEnd end;
        EventChild *child; /* nspawn */
        EventTimer *watch;
        int console, output; /* the log of the one, and cloud-init's once it is there; -1: closed */
        bool mounted, has_group;
        bool booting;       /* cloud-init has not ended yet */
        struct stat result; /* of the boot before: what tells a new one */
        Buffer line;        /* that has no end yet */
};

/* --- its files --- */

static int write_file(int folder_fd, const char *path, const char *text, Error *ret_error)
{
        char copy[PATH_MAX], *slash;
        int r = text_put(copy, sizeof(copy), path);

        slash = strrchr(copy, '/');
        if (r == 0 && slash) {
                *slash = '\0';
                r = folder_make(folder_fd, copy, 0755, ret_error);
        }
        return r < 0 ? r : file_write_atomic(folder_fd, path, text, strlen(text), 0644, ret_error);
}

/* What tells the machine where it is: on AWS its endpoints are known by name. */
static int seed(const Container *container, Error *ret_error)
{
        const char *services = container->options.services, *s3 = container->options.s3;
        _cleanup_(free) char *own = s3 ? text_format("AWS_ENDPOINT_URL_S3=%s", s3) : text_copy("");
        _cleanup_(free) char *manager = text_format(
                "[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL=%s %s\n", services, own ? own : "");
        _cleanup_(free) char *login =
                text_format("AWS_ENDPOINT_URL=%s\n%s\n", services, own ? own : "");
        _cleanup_(close) int root = open(container->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(close) int volumes = open(container->volumes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (root < 0 || volumes < 0 || !own || !manager || !login)
                return error_set(ret_error, -errno, "cannot make '%s': %m", container->root);
        r = write_file(root, "etc/systemd/system.conf.d/rehearsal.conf", manager, ret_error);
        if (r == 0)
                r = write_file(root, "etc/environment", login, ret_error);
        if (r == 0) /* what cloud-init knows EC2 by, on Xen */
                r = write_file(volumes,
                        "hypervisor/uuid",
                        "ec2e1916-9099-7caf-fd21-012345abcdef\n",
                        ret_error);
        if (r == 0)
                r = folder_make(volumes, "docker", 0711, ret_error);
        if (r == 0)
                r = folder_make(volumes, "containerd", 0711, ret_error);
        if (r == 0)
                r = folder_make(volumes, "work", 0755, ret_error);
        return r;
}

static int mount_root(Container *container, Error *ret_error)
{
        _cleanup_(free) char *layers =
                machines_find_layers(container->options.machines, container->name);
        _cleanup_(free) char *options = text_format("lowerdir=%s,upperdir=%s,workdir=%s/work",
                layers ? layers : "",
                container->root,
                container->volumes);

        if (!layers || !options)
                return error_set(ret_error, -ENOMEM, "cannot mount '%s': %m", container->mount);
        if (strlen(options) >= MOUNT_MAX)
                return error_set(ret_error,
                        -ENAMETOOLONG,
                        "cannot mount '%s': its layers are too many",
                        container->mount);
        if (mount("overlay", container->mount, "overlay", 0, options) < 0)
                return error_set(ret_error,
                        -errno,
                        "cannot mount '%s' over the image '%s': %m",
                        container->mount,
                        layers);
        container->mounted = true;
        return 0;
}

static int make_root(Container *container, Error *ret_error)
{
        const char *const folders[] = {container->root, container->mount, container->volumes};
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(folders) && r == 0; i++)
                r = folder_make(AT_FDCWD, folders[i], 0755, ret_error);
        if (r == 0)
                r = seed(container, ret_error);
        return r < 0 ? r : mount_root(container, ret_error);
}

/* --- what its user-data prints, and how it ends --- */

/* Each whole line is told. */
static void take_output(Container *container, const char *data, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (data[i] != '\n') {
                        (void)buffer_append(&container->line, data + i, 1);
                        continue;
                }
                container->options.said(buffer_text(&container->line), container->options.userdata);
                buffer_clear(&container->line);
        }
}

static void read_output(Container *container)
{
        char data[4096];
        ssize_t size;

        if (container->output < 0) {
                _cleanup_(free) char *path = text_format("%s/" OUTPUT, container->root);

                container->output = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        }
        while (container->output >= 0 && (size = read(container->output, data, sizeof(data))) > 0)
                take_output(container, data, (size_t)size);
}

/* cloud-init's own word on how this boot went: 0, or 1 << 8 as of a process that ended with 1. */
static int read_result(const char *path)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(RESULT_MAX);
        _cleanup_(json_free) Json *json = NULL;

        if (file_read(AT_FDCWD, path, RESULT_MAX, &text, NULL) < 0 ||
                json_parse(RESULT, buffer_text(&text), text.size, &json, NULL) < 0)
                return 1 << 8;
        return json_count(json_member(json_member(json, "v1"), "errors")) > 0 ? 1 << 8 : 0;
}

static bool has_result(Container *container, const char *path)
{
        struct stat found;

        if (stat(path, &found) < 0 ||
                (found.st_ino == container->result.st_ino &&
                        found.st_mtim.tv_sec == container->result.st_mtim.tv_sec &&
                        found.st_mtim.tv_nsec == container->result.st_mtim.tv_nsec))
                return false;
        container->result = found;
        return true;
}

static void on_watch(void *userdata)
{
        Container *container = userdata;
        _cleanup_(free) char *path = text_format("%s/" RESULT, container->root);
        bool ended = path && has_result(container, path);

        read_output(container);
        event_timer_set(container->watch, WATCH_STEP);
        if (!ended)
                return;
        container->booting = false;
        container->options.ended(read_result(path), container->options.userdata);
}

/* --- nspawn --- */

static void on_ended(int status, void *userdata)
{
        Container *container = userdata;
        Error error = ERROR_INIT;

        container->child = event_child_free(container->child);
        container->booting = false;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != NSPAWN_REBOOT)
                return;
        if (container_start(container, &error) < 0)
                (void)fprintf(stderr, "flocker-rehearsal: %s\n", error.text);
}

/* In the child: nspawn shares its caller's control groups, so it gets the machine's own. */
static int enter_group(void *userdata)
{
        const Container *container = userdata;

        return cgroup_enter(machines_cgroups(container->options.machines), container->name);
}

static int spawn(Container *container, Error *ret_error)
{
        char *environment[] = {
                (char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                (char[]){"LANG=C.UTF-8"},
                (char[]){"SYSTEMD_NSPAWN_TMPFS_TMP=0"},
                (char[]){"SYSTEMD_NSPAWN_API_VFS_WRITABLE=network"},
                (char[]){"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"}, /* what every systemd still takes */
                NULL,
        };
        char *words[WORDS_MAX] = {
                (char[]){NSPAWN},
                (char[]){"--quiet"},
                (char[]){"--register=no"},
                (char[]){"--keep-unit"},
                (char[]){"--boot"},
                (char[]){"--console=read-only"},
                (char[]){"--capability=all"},
                (char[]){"--system-call-filter=add_key keyctl bpf perf_event_open"},
                (char[]){"--resolv-conf=off"},
                (char[]){"--timezone=off"},
                (char[]){"--link-journal=no"},
        };
        size_t count = 11, given = count;
        EventSpawn options = {
                .program = NSPAWN,
                .arguments = words,
                .environment = environment,
                .folder = "/",
                .output = container->console,
                .ready = -1,
                .before = enter_group,
                .exited = on_ended,
                .userdata = container,
        };
        int r = 0;

        words[count++] = text_format("--machine=%s", container->name);
        words[count++] = text_format("--directory=%s", container->mount);
        words[count++] = text_format(
                "--network-namespace-path=/proc/%d/fd/%d", getpid(), container->end.namespace_fd);
        words[count++] = text_format("--bind=%s/docker:/var/lib/docker", container->volumes);
        words[count++] =
                text_format("--bind=%s/containerd:/var/lib/containerd", container->volumes);
        words[count++] = text_format("--bind-ro=%s/hypervisor:/sys/hypervisor", container->volumes);
        for (size_t i = given; i < count; i++)
                r = words[i] ? r : -ENOMEM;
        r = r < 0 ? error_set(ret_error, r, "cannot start '%s': %m", container->name)
                  : event_spawn(container->options.loop, &options, &container->child, ret_error);
        for (size_t i = given; i < count; i++)
                free(words[i]);
        return r;
}

int container_start(Container *container, Error *ret_error)
{
        int r;

        if (container->child)
                return error_set(
                        ret_error, -EALREADY, "cannot start '%s': it runs", container->name);
        r = spawn(container, ret_error);
        container->booting = r == 0;
        return r;
}

void container_stop(Container *container)
{
        if (container->child) /* an orderly shutdown, says systemd-nspawn(1) */
                (void)kill(event_child_pid(container->child), SIGTERM);
}

/* --- its life --- */

static int begin(Container *container, Error *ret_error)
{
        Machines *machines = container->options.machines;
        _cleanup_(free) char *log = text_format("%s.console", container->root);
        int r = make_root(container, ret_error);

        if (r < 0)
                return r;
        container->console = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : -1;
        if (container->console < 0)
                return error_set(ret_error, -errno, "cannot write '%s': %m", log ? log : "");
        container->has_group = true;
        r = cgroup_make(machines_cgroups(machines), container->name, ret_error);
        if (r == 0)
                r = network_attach(
                        machines_network(machines), container->address, &container->end, ret_error);
        if (r == 0 && event_timer_new(
                              container->options.loop, on_watch, container, &container->watch) < 0)
                r = error_set(ret_error, -ENOMEM, "cannot watch '%s': %m", container->name);
        if (r < 0)
                return r;
        event_timer_set(container->watch, WATCH_STEP);
        return container_start(container, ret_error);
}

int container_new(const ContainerOptions *options, Container **ret, Error *ret_error)
{
        _cleanup_(container_free) Container *container = calloc(1, sizeof(*container));
        int r;

        if (!container)
                return error_set(ret_error, -ENOMEM, "cannot make '%s': %m", options->name);
        *container = (Container){
                .options = *options,
                .name = text_copy(options->name),
                .root = text_copy(options->root),
                .address = text_copy(options->address),
                .mount = text_format("%s.mount", options->root),
                .volumes = text_format("%s.volumes", options->root),
                .end = NETWORK_END_INIT,
                .console = -1,
                .output = -1,
                .line = BUFFER_INIT(OUTPUT_LINE_MAX),
        };
        if (!container->name || !container->root || !container->address || !container->mount ||
                !container->volumes)
                return error_set(ret_error, -ENOMEM, "cannot make '%s': %m", options->name);
        r = begin(container, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(container);
        return 0;
}

Container *container_free(Container *container)
{
        Machines *machines;
        Error error = ERROR_INIT;

        if (!container)
                return NULL;
        machines = container->options.machines;
        container->child = event_child_free(container->child);
        if (container->has_group && cgroup_remove(machines_cgroups(machines),
                                            container->name,
                                            clock_deadline(&clock_system, END_TIME),
                                            &error) < 0)
                (void)fprintf(stderr, "flocker-rehearsal: %s\n", error.text);
        read_output(container);
        container->watch = event_timer_free(container->watch);
        network_detach(machines_network(machines), &container->end);
        if (container->mounted)
                (void)umount2(container->mount, MNT_DETACH);
        close_p(&container->console);
        close_p(&container->output);
        buffer_done(&container->line);
        free(container->name);
        free(container->root);
        free(container->address);
        free(container->mount);
        free(container->volumes);
        free(container);
        return NULL;
}

pid_t container_leader(const Container *container)
{
        pid_t nspawn = container->child ? event_child_pid(container->child) : 0;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(4096);
        _cleanup_(free) char *path = text_format("/proc/%d/task/%d/children", nspawn, nspawn);
        int64_t pid;

        if (nspawn == 0 || !path || file_read(AT_FDCWD, path, 4096, &text, NULL) < 0 || !text.data)
                return 0;
        text.data[strcspn(text.data, " ")] = '\0';
        return text_to_int64(text.data, 1, INT_MAX, &pid) == 0 ? (pid_t)pid : 0;
}

bool container_is_booting(const Container *container)
{
        return container->booting;
}

int container_move(Container *container, const char *address, Error *ret_error)
{
        char *copy = text_copy(address);
        int r = copy ? network_move(&container->end, container->address, address, ret_error)
                     : error_set(ret_error, -ENOMEM, "cannot move '%s': %m", container->name);

        if (r < 0) {
                free(copy);
                return r;
        }
        free(container->address);
        container->address = copy;
        return 0;
}
