#include "base/folder.h"

#include "base/random.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_DEPTH_MAX 64U

static void closedir_p(DIR **folder)
{
        if (*folder)
                closedir(*folder);
}

/* The entries of an open folder; `fd` stays the caller's. */
static DIR *open_entries(int fd)
{
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *folder;

        if (copy < 0)
                return NULL;
        folder = fdopendir(copy);
        if (!folder)
                close(copy);
        return folder;
}

/* The next entry but "." and ".."; NULL at the end (errno 0) or on failure. */
static const struct dirent *next_entry(DIR *folder)
{
        const struct dirent *entry;

        do {
                errno = 0;
                entry = readdir(folder);
        } while (entry && (text_equal(entry->d_name, ".") || text_equal(entry->d_name, "..")));
        return entry;
}

int folder_make(int folder_fd, const char *path, mode_t mode, Error *ret_error)
{
        char part[4096];
        struct stat status;

        if (text_put(part, sizeof(part), path) < 0)
                return error_set(ret_error, -ENAMETOOLONG, "cannot make folder '%s': %m", path);

        for (char *c = part + 1; part[0]; c++) {
                char saved = *c;

                if (saved && saved != '/')
                        continue;
                *c = '\0';
                if (mkdirat(folder_fd, part, mode) == 0) {
                        /* whatever the umask says */
                        if (fchmodat(folder_fd, part, mode, 0) < 0)
                                return error_set(
                                        ret_error, -errno, "cannot set the mode of '%s': %m", part);
                } else if (errno != EEXIST)
                        return error_set(ret_error, -errno, "cannot make folder '%s': %m", part);
                *c = saved;
                if (!saved)
                        break;
        }

        if (fstatat(folder_fd, path, &status, 0) < 0)
                return error_set(ret_error, -errno, "cannot make folder '%s': %m", path);
        if (!S_ISDIR(status.st_mode))
                return error_set(ret_error, -ENOTDIR, "cannot make folder '%s': %m", path);
        return 0;
}

static int remove_entries(int fd, dev_t device, unsigned depth);

static int remove_folder_at(int parent_fd, const char *name, dev_t device, unsigned depth)
{
        _cleanup_(close) int fd = -1;
        struct stat status;
        int r;

        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (status.st_dev != device)
                return -EXDEV;

        r = remove_entries(fd, device, depth + 1);
        if (r < 0)
                return r;
        return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_entries(int fd, dev_t device, unsigned depth)
{
        _cleanup_(closedir) DIR *folder = open_entries(fd);
        const struct dirent *entry;
        int r;

        if (!folder)
                return -errno;
        if (depth > FOLDER_DEPTH_MAX)
                return -ELOOP;

        while ((entry = next_entry(folder))) {
                if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
                        continue;
                if (errno != EISDIR && errno != EPERM)
                        return -errno;
                r = remove_folder_at(fd, entry->d_name, device, depth);
                if (r < 0)
                        return r;
        }
        return -errno;
}

int folder_remove(int folder_fd, const char *path, Error *ret_error)
{
        struct stat status;
        int r;

        if (fstatat(folder_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT)
                        return 0;
                return error_set(ret_error, -errno, "cannot remove '%s': %m", path);
        }

        r = remove_folder_at(folder_fd, path, status.st_dev, 0);
        if (r < 0)
                return error_set(ret_error, r, "cannot remove folder '%s': %m", path);
        return 0;
}

int folder_list(int folder_fd,
        const char *path,
        size_t max,
        FolderEntry visit,
        void *userdata,
        Error *ret_error)
{
        _cleanup_(closedir) DIR *folder = NULL;
        _cleanup_(close) int fd = -1;
        const struct dirent *entry;
        size_t count = 0;
        int r;

        fd = openat(folder_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot open folder '%s': %m", path);
        folder = open_entries(fd);
        if (!folder)
                return error_set(ret_error, -errno, "cannot list folder '%s': %m", path);

        while ((entry = next_entry(folder))) {
                if (++count > max)
                        return error_set(ret_error,
                                -EFBIG,
                                "cannot list folder '%s': it has more than %zu entries",
                                path,
                                max);
                r = visit(fd, entry->d_name, userdata, ret_error);
                if (r < 0)
                        return r;
        }
        if (errno)
                return error_set(ret_error, -errno, "cannot list folder '%s': %m", path);
        return 0;
}

/* Syncs every folder below `fd`, and itself; with `files`, these too. */
static int sync_tree(int fd, bool files, unsigned depth)
{
        _cleanup_(closedir) DIR *folder = open_entries(fd);
        const struct dirent *entry;
        int r;

        if (!folder)
                return -errno;
        if (depth > FOLDER_DEPTH_MAX)
                return -ELOOP;

        while ((entry = next_entry(folder))) {
                _cleanup_(close) int child = -1;
                struct stat status;

                child = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
                if (child < 0 && errno == ELOOP) /* a symbolic link lies in its folder */
                        continue;
                if (child < 0 || fstat(child, &status) < 0)
                        return -errno;
                if (S_ISDIR(status.st_mode))
                        r = sync_tree(child, files, depth + 1);
                else
                        r = files && fsync(child) < 0 ? -errno : 0;
                if (r < 0)
                        return r;
        }
        if (errno)
                return -errno;
        return fsync(fd) < 0 ? -errno : 0;
}

/* Before an old folder that is to be kept leaves its place, a symbolic link ".<name>.keep~" notes
 * "<inode of the new one>/<name to keep the old one by>". If a kill comes between the exchange and
 * the old one's new name, the note tells the next replacement which of the two lies in the staging
 * folder's place. */
static void note_name(const FolderReplacement *replacement, char ret[256])
{
        (void)snprintf(ret, 256, ".%.200s.keep~", replacement->name);
}

static int make_note(const FolderReplacement *replacement, const char *keep_as)
{
        char name[256], text[300];
        struct stat status;

        if (fstat(replacement->staging_fd, &status) < 0)
                return -errno;
        note_name(replacement, name);
        (void)snprintf(text, sizeof(text), "%" PRIu64 "/%s", (uint64_t)status.st_ino, keep_as);
        return symlinkat(text, replacement->parent_fd, name) < 0 ? -errno : 0;
}

static int remove_note(const FolderReplacement *replacement)
{
        char name[256];

        note_name(replacement, name);
        return unlinkat(replacement->parent_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int keep_old(const FolderReplacement *replacement, const char *keep_as)
{
        int parent_fd = replacement->parent_fd;

        if (renameat2(parent_fd, replacement->staging_name, parent_fd, keep_as, RENAME_NOREPLACE) <
                0)
                return -errno;
        (void)remove_note(replacement); /* one too many says nothing that is wrong */
        return 0;
}

/* Gives the old folder of a commit that was killed the name that it was to be kept by. */
static int finish_keeping(const FolderReplacement *replacement)
{
        char name[256], text[300];
        struct stat status;
        uint64_t inode;
        char *slash;
        ssize_t length;

        note_name(replacement, name);
        length = readlinkat(replacement->parent_fd, name, text, sizeof(text) - 1);
        if (length < 0)
                return errno == ENOENT ? 0 : -errno;
        text[length] = '\0';
        slash = strchr(text, '/');
        if (slash)
                *slash = '\0';

        if (slash && text_to_uint64(text, 0, UINT64_MAX, &inode) == 0 &&
                fstatat(replacement->parent_fd,
                        replacement->staging_name,
                        &status,
                        AT_SYMLINK_NOFOLLOW) == 0 &&
                status.st_ino != inode)
                return keep_old(replacement, slash + 1);
        return remove_note(replacement);
}

/* What a kill has left beside the folder goes first: there is one name for it. */
static int make_staging(FolderReplacement *replacement, const char *path, Error *ret_error)
{
        int r;

        (void)snprintf(replacement->staging_name,
                sizeof(replacement->staging_name),
                ".%.200s.new~",
                replacement->name);
        r = finish_keeping(replacement);
        if (r < 0)
                return error_set(ret_error, r, "cannot keep the folder that was '%s': %m", path);
        r = folder_remove(replacement->parent_fd, replacement->staging_name, ret_error);
        if (r < 0)
                return r;

        if (mkdirat(replacement->parent_fd, replacement->staging_name, 0700) < 0)
                return error_set(ret_error, -errno, "cannot make a folder beside '%s': %m", path);
        replacement->staging_fd = openat(replacement->parent_fd,
                replacement->staging_name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (replacement->staging_fd < 0)
                return error_set(ret_error, -errno, "cannot open the folder beside '%s': %m", path);
        return 0;
}

int folder_replacement_begin(
        int folder_fd, const char *path, FolderReplacement *ret, Error *ret_error)
{
        _cleanup_(folder_replacement_done) FolderReplacement replacement = FOLDER_REPLACEMENT_INIT;
        char parent[4096];
        const char *name;
        int r;

        if (text_put(parent, sizeof(parent), path) < 0)
                return error_set(ret_error, -ENAMETOOLONG, "cannot replace '%s': %m", path);
        for (size_t n = strlen(parent); n > 1 && parent[n - 1] == '/'; n--)
                parent[n - 1] = '\0';

        name = strrchr(parent, '/') ? strrchr(parent, '/') + 1 : parent;
        if (!name[0] || text_equal(name, ".") || text_equal(name, "..") || strlen(name) > 200)
                return error_set(ret_error, -EINVAL, "cannot replace '%s': it is no name", path);
        (void)text_put(replacement.name, sizeof(replacement.name), name);

        parent[name - parent > 1 ? name - parent - 1 : name - parent] = '\0';
        replacement.parent_fd =
                openat(folder_fd, parent[0] ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (replacement.parent_fd < 0)
                return error_set(
                        ret_error, -errno, "cannot open folder '%s': %m", parent[0] ? parent : ".");

        r = make_staging(&replacement, path, ret_error);
        if (r < 0)
                return r;

        *ret = replacement;
        replacement = FOLDER_REPLACEMENT_INIT;
        return 0;
}

static int exchange(const FolderReplacement *replacement)
{
        int parent_fd = replacement->parent_fd;

        if (renameat2(parent_fd,
                    replacement->staging_name,
                    parent_fd,
                    replacement->name,
                    RENAME_EXCHANGE) < 0)
                return -errno;
        return 0;
}

/* The exchange, and the old one's new name; on failure the old one is in its place again. */
static int exchange_and_keep(FolderReplacement *replacement, const char *keep_as, Error *ret_error)
{
        const char *name = replacement->name;
        int r;

        if (faccessat(replacement->parent_fd, keep_as, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return error_set(
                        ret_error, -EEXIST, "cannot keep the old '%s' as '%s': %m", name, keep_as);
        r = make_note(replacement, keep_as);
        if (r == 0)
                r = exchange(replacement);
        if (r < 0) {
                (void)remove_note(replacement);
                return error_set(ret_error, r, "cannot put the new '%s' in place: %m", name);
        }

        r = keep_old(replacement, keep_as);
        if (r < 0) {
                (void)error_set(
                        ret_error, r, "cannot keep the old '%s' as '%s': %m", name, keep_as);
                if (exchange(replacement) < 0)
                        replacement->staging_name[0] = '\0'; /* the note says what is to be done */
                else
                        (void)remove_note(replacement);
        }
        return r;
}

static int put_in_place(
        FolderReplacement *replacement, bool old, const char *keep_as, Error *ret_error)
{
        int r = 0;

        if (old && keep_as)
                return exchange_and_keep(replacement, keep_as, ret_error);
        if (old)
                r = exchange(replacement);
        else if (renameat2(replacement->parent_fd,
                         replacement->staging_name,
                         replacement->parent_fd,
                         replacement->name,
                         RENAME_NOREPLACE) < 0)
                r = -errno;
        if (r < 0)
                return error_set(
                        ret_error, r, "cannot put the new '%s' in place: %m", replacement->name);
        return 0;
}

int folder_replacement_commit(FolderReplacement *replacement, const char *keep_as, Error *ret_error)
{
        const char *name = replacement->name;
        int parent_fd = replacement->parent_fd, r;
        bool old;

        r = sync_tree(replacement->staging_fd, !replacement->files_durable, 0);
        if (r < 0)
                return error_set(ret_error, r, "cannot make the new '%s' durable: %m", name);

        old = faccessat(parent_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        r = put_in_place(replacement, old, keep_as, ret_error);
        if (r < 0)
                return r;
        /* Where the staging folder was, now lies the old one, unless it is kept. */
        if (!old || keep_as)
                replacement->staging_name[0] = '\0';
        if (fsync(parent_fd) < 0)
                return error_set(ret_error, -errno, "cannot make the new '%s' durable: %m", name);

        if (old && !keep_as) {
                r = folder_remove(parent_fd, replacement->staging_name, ret_error);
                if (r == 0)
                        replacement->staging_name[0] = '\0';
        }
        return r;
}

void folder_replacement_done(FolderReplacement *replacement)
{
        if (replacement->parent_fd >= 0 && replacement->staging_name[0])
                (void)folder_remove(replacement->parent_fd, replacement->staging_name, NULL);
        close_p(&replacement->staging_fd);
        close_p(&replacement->parent_fd);
        *replacement = FOLDER_REPLACEMENT_INIT;
}
