/* Files that matter: read with a bound, and written so that a kill at any instant leaves the old
 * content or the new, never a mix.
 *
 * Writing is a temporary file in the same folder (".<name>.<random>~"), mode set on the descriptor,
 * write, fsync, rename, fsync of the folder. What a killed writer leaves of that, the next writer
 * of the same file removes once it is a minute old. Paths are relative to `folder_fd`, as with
 * openat(2); AT_FDCWD is the current folder. Everything is O_CLOEXEC, and final symbolic links are
 * not followed when writing: they are replaced.
 */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

/* The whole file, at most `max` bytes. `ret` is a Buffer of the caller's, appended to (and cleansed
 * by its buffer_done). -ENOENT, -EACCES, -EISDIR, …; -EFBIG over `max`: all with the sentence.
 * FIFOs and devices are refused with -EINVAL and do not hang. */
int file_read(int folder_fd, const char *path, size_t max, Buffer *ret, Error *ret_error);

/* All of a descriptor to its end (standard input, say), at most `max` bytes. `name` is for the
 * sentence. */
int file_read_fd(int fd, const char *name, size_t max, Buffer *ret, Error *ret_error);

/* Replaces `path` (or makes it). `mode` holds whatever the umask. The owner is ours. */
int file_write_atomic(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error);

/* Makes `path` as a whole, and only if it is not there: -EEXIST, with the sentence, otherwise. Two
 * that try at once: one wins. For keys. */
int file_create_exclusive(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error);

/* Makes a new file and no more: nothing is synced. For the staging folder of a FolderReplacement
 * (base/folder.h), whose commit does that for all of it. */
int file_create(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error);

/* The same, and on disk when it returns: where files_durable of the FolderReplacement promises it.
 */
int file_create_durable(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error);

/* The same bytes already? Then nothing is written: *ret_changed tells. Mode is set right either
 * way. */
int file_write_if_changed(int folder_fd,
        const char *path,
        const void *data,
        size_t size,
        mode_t mode,
        bool *ret_changed,
        Error *ret_error);

/* unlink and fsync of the folder; nothing there is fine. */
int file_remove(int folder_fd, const char *path, Error *ret_error);

/* An exclusive lock on `path` (made if missing, 0600) until the descriptor is closed. -EBUSY when
 * another process holds it at `deadline` of the system's clock. flock(2). */
int file_lock(int folder_fd, const char *path, uint64_t deadline, int *ret_fd, Error *ret_error);
