#include "rehearsal/cgroup.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP           "flocker-rehearsal."
#define HIERARCHIES_MAX 16U
#define ENTRIES_MAX     10000U
#define TABLE_MAX       (1024U * 1024U)
#define FIELDS_MAX      24U
#define PID_MAX_TEXT    24U
#define REMOVE_TIME     (5 * USEC_PER_SEC)
#define REMOVE_STEP     (10 * USEC_PER_MSEC)

struct CgroupSet {
        char *groups[HIERARCHIES_MAX]; /* the run's own group in each: its path */
        size_t count;
};

/* --- where they are --- */

/* A line of /proc/self/mountinfo, as far as it matters (proc(5)). */
typedef struct Mount {
        const char *root, *point, *type, *options;
} Mount;

static bool read_mount(char *line, Mount *ret)
{
        char *fields[FIELDS_MAX], *word;
        size_t count = 0, dash = 0;

        while ((word = strsep(&line, " ")) && count < FIELDS_MAX) {
                if (text_equal(word, "-") && dash == 0)
                        dash = count;
                fields[count++] = word;
        }
        if (dash < 6 || count < dash + 4)
                return false;
        *ret = (Mount){
                .root = fields[3],
                .point = fields[4],
                .type = fields[dash + 1],
                .options = fields[dash + 3],
        };
        return true;
}

/* Is `word` one of a list with commas? */
static bool has_word(const char *list, const char *word, size_t length)
{
        while (*list) {
                size_t here = strcspn(list, ",");

                if (here == length && strncmp(list, word, length) == 0)
                        return true;
                list += here + (list[here] == ',');
        }
        return false;
}

/* `controllers` as /proc/self/cgroup names them; "": version 2. */
static bool is_mount_of(const Mount *mount, const char *controllers)
{
        if (!*controllers)
                return text_equal(mount->type, "cgroup2");
        return text_equal(mount->type, "cgroup") &&
               has_word(mount->options, controllers, strcspn(controllers, ","));
}

/* Our own group's path in a hierarchy, as a heap string; NULL: it is not mounted. */
static char *find_group(const char *mounts, const char *controllers, const char *own)
{
        _cleanup_(free) char *text = text_copy(mounts);
        char *rest = text, *line;
        Mount mount;

        while (rest && (line = strsep(&rest, "\n"))) {
                size_t root;

                if (!read_mount(line, &mount) || !is_mount_of(&mount, controllers))
                        continue;
                root = text_equal(mount.root, "/") ? 0 : strlen(mount.root);
                if (strncmp(own, mount.root, root) != 0)
                        root = strlen(own); /* outside of what is mounted: its top, then */
                own += root;
                return text_format("%s%s", mount.point, text_equal(own, "/") ? "" : own);
        }
        return NULL;
}

/* --- making and entering --- */

static int write_value(const char *group, const char *name, const char *value)
{
        char path[PATH_MAX];
        _cleanup_(close) int fd = -1;

        (void)snprintf(path, sizeof(path), "%s/%s", group, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* A group of cpuset takes no process before it has processors and memory: its parent's. */
static int inherit(const char *parent, const char *group, const char *name)
{
        _cleanup_(buffer_done) Buffer value = BUFFER_INIT(4096);
        _cleanup_(free) char *path = text_format("%s/%s", parent, name);

        if (!path || file_read(AT_FDCWD, path, 4096, &value, NULL) < 0)
                return 0; /* no cpuset */
        return write_value(group, name, buffer_text(&value));
}

static int make_group(const char *parent, const char *name, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/%s", parent, name);
        int r = 0;

        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot make a control group: %m");
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                r = -errno;
        if (r == 0)
                r = inherit(parent, path, "cpuset.cpus");
        if (r == 0)
                r = inherit(parent, path, "cpuset.mems");
        return r < 0 ? error_set(ret_error, r, "cannot make the control group '%s': %m", path) : 0;
}

int cgroup_make(const CgroupSet *set, const char *name, Error *ret_error)
{
        int r = 0;

        for (size_t i = 0; i < set->count && r == 0; i++)
                r = make_group(set->groups[i], name, ret_error);
        return r;
}

int cgroup_enter(const CgroupSet *set, const char *name)
{
        char path[PATH_MAX];
        int r = 0;

        for (size_t i = 0; i < set->count && r == 0; i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", set->groups[i], name);
                r = write_value(path, "cgroup.procs", "0");
        }
        return r;
}

/* --- removing --- */

static void kill_all(int group_fd)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(TABLE_MAX);
        char *rest, *line;
        int64_t pid;

        if (file_read(group_fd, "cgroup.procs", TABLE_MAX, &text, NULL) < 0)
                return;
        rest = text.data;
        while (rest && (line = strsep(&rest, "\n")))
                if (text_to_int64(line, 2, INT_MAX, &pid) == 0)
                        (void)kill((pid_t)pid, SIGKILL);
}

/* Groups below it first; what is not empty yet stays, and is found again by the next try. */
static int sweep(int parent_fd, const char *name, void *userdata, Error *ret_error)
{
        _cleanup_(close) int fd =
                openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        (void)userdata;
        (void)ret_error;
        if (fd < 0)
                return 0; /* a file of the group's */
        kill_all(fd);
        (void)folder_list(fd, ".", ENTRIES_MAX, sweep, NULL, NULL);
        (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
        return 0;
}

static int remove_path(const char *path, Usec deadline, Error *ret_error)
{
        for (;;) {
                (void)sweep(AT_FDCWD, path, NULL, NULL);
                if (access(path, F_OK) < 0)
                        return 0;
                if (clock_passed(&clock_system, deadline))
                        return error_set(ret_error,
                                -EBUSY,
                                "cannot remove the control group '%s': its processes do not end",
                                path);
                clock_sleep_until(&clock_system, clock_deadline(&clock_system, REMOVE_STEP));
        }
}

int cgroup_remove(const CgroupSet *set, const char *name, Usec deadline, Error *ret_error)
{
        int r = 0;

        for (size_t i = 0; i < set->count; i++) {
                _cleanup_(free) char *path = text_format("%s/%s", set->groups[i], name);
                int k = path ? remove_path(path, deadline, ret_error) : -ENOMEM;

                r = r < 0 ? r : k;
        }
        return r;
}

/* A group of a run whose process has died: containers outlive it. */
static int sweep_dead(int parent_fd, const char *name, void *userdata, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("/proc/self/fd/%d/%s", parent_fd, name);
        int64_t pid;

        (void)userdata;
        (void)ret_error;
        if (path && text_starts(name, GROUP) &&
                text_to_int64(name + strlen(GROUP), 2, INT_MAX, &pid) == 0 &&
                kill((pid_t)pid, 0) < 0 && errno == ESRCH)
                (void)remove_path(path, clock_deadline(&clock_system, REMOVE_TIME), NULL);
        return 0;
}

/* --- the run's --- */

/* "4:memory:/process_api": our group of one hierarchy, and in it the run's own. */
static int add_hierarchy(CgroupSet *set, const char *mounts, char *line, Error *ret_error)
{
        char *rest = line, name[sizeof(GROUP) + PID_MAX_TEXT];
        const char *number = strsep(&rest, ":"), *controllers = rest ? strsep(&rest, ":") : NULL;
        _cleanup_(free) char *own =
                number && controllers && rest ? find_group(mounts, controllers, rest) : NULL;
        int r;

        if (!own || set->count >= HIERARCHIES_MAX)
                return 0;
        (void)snprintf(name, sizeof(name), GROUP "%d", getpid());
        (void)folder_list(AT_FDCWD, own, ENTRIES_MAX, sweep_dead, NULL, NULL);
        r = make_group(own, name, ret_error);
        if (r < 0)
                return r;
        set->groups[set->count] = text_format("%s/%s", own, name);
        if (!set->groups[set->count])
                return error_set(ret_error, -ENOMEM, "cannot make a control group: %m");
        set->count++;
        return 0;
}

int cgroup_open(CgroupSet **ret, Error *ret_error)
{
        _cleanup_(cgroup_free) CgroupSet *set = calloc(1, sizeof(*set));
        _cleanup_(buffer_done) Buffer mounts = BUFFER_INIT(TABLE_MAX), own = BUFFER_INIT(TABLE_MAX);
        char *rest, *line;
        int r = 0;

        if (!set)
                return error_set(ret_error, -ENOMEM, "cannot make control groups: %m");
        r = file_read(AT_FDCWD, "/proc/self/mountinfo", TABLE_MAX, &mounts, ret_error);
        if (r == 0)
                r = file_read(AT_FDCWD, "/proc/self/cgroup", TABLE_MAX, &own, ret_error);
        rest = own.data;
        while (r == 0 && rest && (line = strsep(&rest, "\n")))
                r = *line ? add_hierarchy(set, buffer_text(&mounts), line, ret_error) : 0;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(set);
        return 0;
}

CgroupSet *cgroup_free(CgroupSet *set)
{
        Usec deadline = clock_deadline(&clock_system, REMOVE_TIME);
        Error error = ERROR_INIT;

        if (!set)
                return NULL;
        for (size_t i = 0; i < set->count; i++) {
                if (remove_path(set->groups[i], deadline, &error) < 0)
                        (void)fprintf(stderr, "flocker-rehearsal: %s\n", error.text);
                free(set->groups[i]);
        }
        free(set);
        return NULL;
}
