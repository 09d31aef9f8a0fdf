#include "base/file.h"

#include "base/clock.h"
#include "base/folder.h"
#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP        (64U * 1024U)
#define LOCK_RETRY       (20 * USEC_PER_MSEC)
#define TEMPORARY_RANDOM 8U              /* bytes */
#define STALE_AFTER      USEC_PER_MINUTE /* no writer takes that long from its last write on */
#define STALE_SEARCH     10000U          /* entries */
#define TEMPORARY_SUFFIX '~'

/* Is there a byte beyond what was read? 1, 0, or a negative errno. */
static int has_more(int fd)
{
        char byte;
        ssize_t n;

        do
                n = read(fd, &byte, 1);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : (int)n;
}

int file_read_fd(int fd, const char *name, size_t max, Buffer *ret, Error *ret_error)
{
        size_t total = 0;
        ssize_t n;
        int r = 0;

        for (;;) {
                size_t room = ret->max - ret->size, left = max - total;
                size_t step = left < room ? left : room;
                char *place;

                if (step == 0)
                        break;
                if (step > READ_STEP)
                        step = READ_STEP;
                r = buffer_reserve(ret, step, &place);
                if (r < 0)
                        return error_set(ret_error, r, "cannot read '%s': %m", name);

                n = read(fd, place, step);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(ret_error, -errno, "cannot read '%s': %m", name);
                place[n] = '\0';
                if (n == 0)
                        return 0;
                total += (size_t)n;
                ret->size += (size_t)n;
        }

        r = has_more(fd); /* all that may be there is: is that all? */
        if (r < 0)
                return error_set(ret_error, r, "cannot read '%s': %m", name);
        return r == 0 ? 0
                      : error_set(ret_error,
                                -EFBIG,
                                "cannot read '%s': it has more than %zu bytes",
                                name,
                                total);
}

int file_read(int folder_fd, const char *path, size_t max, Buffer *ret, Error *ret_error)
{
        _cleanup_(close) int fd = -1;
        struct stat status;

        /* O_NONBLOCK: opening a FIFO that nobody writes to must not hang. */
        fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot open '%s': %m", path);

        if (fstat(fd, &status) < 0)
                return error_set(ret_error, -errno, "cannot examine '%s': %m", path);
        if (S_ISDIR(status.st_mode))
                return error_set(ret_error, -EISDIR, "cannot read '%s': %m", path);
        if (!S_ISREG(status.st_mode))
                return error_set(
                        ret_error, -EINVAL, "cannot read '%s': expected a regular file", path);

        return file_read_fd(fd, path, max, ret, ret_error);
}

/* The folder that `path` lies in, open, and the last part of it. */
static int open_parent(
        int folder_fd, const char *path, int *ret_fd, const char **ret_name, Error *ret_error)
{
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        char parent[4096] = ".";
        int fd;

        if (!name[0] || text_equal(name, ".") || text_equal(name, "..") || strlen(name) > 200)
                return error_set(ret_error, -EINVAL, "cannot write '%s': it is no file name", path);
        if (slash && slash - path >= (ptrdiff_t)sizeof(parent))
                return error_set(ret_error, -ENAMETOOLONG, "cannot write '%s': %m", path);
        if (slash == path)
                (void)text_put(parent, sizeof(parent), "/");
        else if (slash) {
                memcpy(parent, path, (size_t)(slash - path));
                parent[slash - path] = '\0';
        }

        fd = openat(folder_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot open folder '%s': %m", parent);

        *ret_fd = fd;
        *ret_name = name;
        return 0;
}

/* ".<name>.<random>~" */
static int temporary_name(const char *name, char *ret, size_t size, Error *ret_error)
{
        uint8_t bytes[TEMPORARY_RANDOM];
        char hex[2 * TEMPORARY_RANDOM + 1];
        int r;

        r = random_get_bytes(bytes, sizeof(bytes), ret_error);
        if (r < 0)
                return r;

        text_hex(bytes, sizeof(bytes), hex);
        (void)snprintf(ret, size, ".%s.%s%c", name, hex, TEMPORARY_SUFFIX);
        return 0;
}

/* True of what temporary_name() makes for `name`. */
static bool is_temporary(const char *entry, const char *name)
{
        size_t length = strlen(name);

        if (entry[0] != '.' || strncmp(entry + 1, name, length) != 0 || entry[1 + length] != '.')
                return false;
        entry += length + 2;
        return strspn(entry, "0123456789abcdef") == 2 * (size_t)TEMPORARY_RANDOM &&
               entry[2 * (size_t)TEMPORARY_RANDOM] == TEMPORARY_SUFFIX &&
               !entry[2 * (size_t)TEMPORARY_RANDOM + 1];
}

static int remove_if_stale(int folder_fd, const char *entry, void *userdata, Error *ret_error)
{
        Usec now = clock_wall(&clock_system);
        struct stat status;

        (void)ret_error;
        if (is_temporary(entry, userdata) &&
                fstatat(folder_fd, entry, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(status.st_mode) &&
                (Usec)status.st_mtim.tv_sec * USEC_PER_SEC + STALE_AFTER < now)
                (void)unlinkat(folder_fd, entry, 0);
        return 0;
}

/* What writers of this file left when they were killed may be keys: nobody else would remove it. */
static void remove_stale(int parent_fd, const char *name)
{
        char copy[256];

        if (text_put(copy, sizeof(copy), name) == 0)
                (void)folder_list(parent_fd, ".", STALE_SEARCH, remove_if_stale, copy, NULL);
}

static int write_all(int fd, const void *data, size_t size)
{
        const char *bytes = data;

        while (size > 0) {
                ssize_t n = write(fd, bytes, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                bytes += n;
                size -= (size_t)n;
        }
        return 0;
}

/* Makes `name` in the folder, whole; removes it again on failure. */
static int make_file(
        int parent_fd, const char *name, const void *data, size_t size, mode_t mode, bool durable)
{
        _cleanup_(close) int fd = -1;
        int r;

        fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;

        r = write_all(fd, data, size);
        if (r == 0 && fchmod(fd, mode) < 0)
                r = -errno;
        if (r == 0 && durable && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(parent_fd, name, 0);
        return r;
}

int file_create(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error)
{
        int r = make_file(folder_fd, path, data, size, mode, false);

        return r < 0 ? error_set(ret_error, r, "cannot write '%s': %m", path) : 0;
}

int file_create_durable(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error)
{
        int r = make_file(folder_fd, path, data, size, mode, true);

        return r < 0 ? error_set(ret_error, r, "cannot write '%s': %m", path) : 0;
}

typedef int (*Placing)(int parent_fd, const char *temporary, const char *name);

static int place_over(int parent_fd, const char *temporary, const char *name)
{
        return renameat(parent_fd, temporary, parent_fd, name) < 0 ? -errno : 0;
}

static int place_new(int parent_fd, const char *temporary, const char *name)
{
        return renameat2(parent_fd, temporary, parent_fd, name, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int write_and_place(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Placing place,
        Error *ret_error)
{
        _cleanup_(close) int parent_fd = -1;
        char temporary[256];
        const char *name = path;
        int r;

        r = open_parent(folder_fd, path, &parent_fd, &name, ret_error);
        if (r < 0)
                return r;
        remove_stale(parent_fd, name);
        r = temporary_name(name, temporary, sizeof(temporary), ret_error);
        if (r < 0)
                return r;

        r = make_file(parent_fd, temporary, data, size, mode, true);
        if (r < 0)
                return error_set(ret_error, r, "cannot write '%s': %m", path);

        r = place(parent_fd, temporary, name);
        if (r < 0) {
                (void)unlinkat(parent_fd, temporary, 0);
                return error_set(ret_error, r, "cannot put '%s' in place: %m", path);
        }

        if (fsync(parent_fd) < 0)
                return error_set(ret_error, -errno, "cannot make '%s' durable: %m", path);
        return 0;
}

int file_write_atomic(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error)
{
        return write_and_place(folder_fd, path, data, size, mode, place_over, ret_error);
}

int file_create_exclusive(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error)
{
        return write_and_place(folder_fd, path, data, size, mode, place_new, ret_error);
}

/* True if `path` is a regular file of just these bytes. */
static bool holds(int folder_fd, const char *path, const void *data, size_t size)
{
        _cleanup_(buffer_done) Buffer content = BUFFER_INIT(size + READ_STEP + 1);

        if (file_read(folder_fd, path, size, &content, NULL) < 0 || content.size != size)
                return false;
        return size == 0 || memcmp(content.data, data, size) == 0;
}

int file_write_if_changed(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        bool *ret_changed,
        Error *ret_error)
{
        struct stat status;
        int r;

        if (fstatat(folder_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(status.st_mode) && (status.st_mode & 07777) == mode &&
                holds(folder_fd, path, data, size)) {
                *ret_changed = false;
                return 0;
        }

        r = file_write_atomic(folder_fd, path, data, size, mode, ret_error);
        if (r < 0)
                return r;
        *ret_changed = true;
        return 0;
}

int file_remove(int folder_fd, const char *path, Error *ret_error)
{
        _cleanup_(close) int parent_fd = -1;
        const char *name = path;
        int r;

        if (faccessat(folder_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;

        r = open_parent(folder_fd, path, &parent_fd, &name, ret_error);
        if (r < 0)
                return r;
        if (unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
                return error_set(ret_error, -errno, "cannot remove '%s': %m", path);
        if (fsync(parent_fd) < 0)
                return error_set(ret_error, -errno, "cannot remove '%s' for good: %m", path);
        return 0;
}

int file_lock(int folder_fd, const char *path, uint64_t deadline, int *ret_fd, Error *ret_error)
{
        _cleanup_(close) int fd = -1;

        fd = openat(folder_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot open lock '%s': %m", path);

        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return error_set(ret_error, -errno, "cannot lock '%s': %m", path);
                if (clock_passed(&clock_system, deadline))
                        return error_set(ret_error,
                                -EBUSY,
                                "cannot lock '%s': another process holds it",
                                path);
                clock_sleep_until(&clock_system,
                        usec_min(deadline, clock_deadline(&clock_system, LOCK_RETRY)));
        }

        *ret_fd = TAKE_FD(fd);
        return 0;
}
