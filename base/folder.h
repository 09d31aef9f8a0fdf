/* Folders: made, listed, removed, and replaced as a whole.
 *
 * Paths are relative to `folder_fd`, as with openat(2). No symbolic link is followed below a
 * folder.
 */

#pragma once

#include "base/error.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

/* mkdir -p; new folders get `mode`, those that are there keep theirs. */
int folder_make(int folder_fd, const char *path, mode_t mode, Error *ret_error);

/* Removes a tree; nothing there is fine. Follows no symbolic link and crosses no mount. */
int folder_remove(int folder_fd, const char *path, Error *ret_error);

/* Whole-folder replacement. A staging folder beside `path` is made (mode 0700) and its descriptor
 * given; the caller fills it; the commit makes all of it durable (syncing files and folders), puts
 * it in path's place in one step (renameat2(2) RENAME_EXCHANGE, or RENAME_NOREPLACE where nothing
 * was), and keeps the old one as `keep_as` (beside it, where nothing of that name may be: -EEXIST;
 * NULL: it is removed). A kill before the step leaves the old folder whole, one behind it the new
 * one whole. What a kill leaves beside them is put right by the next replacement of the same path:
 * an old folder that was to be kept gets its name, all else is removed. One replacement of a path
 * at a time: take a file_lock() where there could be two. */
typedef struct FolderReplacement {
        bool files_durable; /* set by the caller who has synced every file: folders alone are then
                             */
        int parent_fd;      /* where both lie; -1 once done */
        int staging_fd;     /* to fill; owned here */
        char name[256];     /* path's last part */
        char staging_name[256];
} FolderReplacement;

#define FOLDER_REPLACEMENT_INIT ((FolderReplacement){.parent_fd = -1, .staging_fd = -1})

int folder_replacement_begin(
        int folder_fd, const char *path, FolderReplacement *ret, Error *ret_error);
int folder_replacement_commit(
        FolderReplacement *replacement, const char *keep_as, Error *ret_error);

/* Without a commit: takes the staging folder away again. */
void folder_replacement_done(FolderReplacement *replacement);
DEFINE_CLEANUP_IN_PLACE(FolderReplacement, folder_replacement_done);

/* Calls `visit` for each entry but "." and "..", in no order; a negative return ends it and is
 * returned. More than `max` entries are -EFBIG. */
typedef int (*FolderEntry)(int folder_fd, const char *name, void *userdata, Error *ret_error);
int folder_list(int folder_fd,
        const char *path,
        size_t max,
        FolderEntry visit,
        void *userdata,
        Error *ret_error);
