/* Writes as base/file.h and base/folder.h do, for a test that kills it and fails its system calls:
 *
 *         writer replace PATH TEXT
 *         writer create PATH TEXT
 *         writer folder PATH TEXT [KEEP_AS]   the folder holds the files a and sub/b
 *
 * The status is sysexits.h's; the sentence goes to standard error. */

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fill(int folder_fd, const char *text, Error *ret_error)
{
        int r;

        r = file_create(folder_fd, "a", text, strlen(text), 0600, ret_error);
        if (r == 0)
                r = folder_make(folder_fd, "sub", 0750, ret_error);
        if (r == 0)
                r = file_create(folder_fd, "sub/b", text, strlen(text), 0644, ret_error);
        return r;
}

static int replace_folder(const char *path, const char *text, const char *keep_as, Error *ret_error)
{
        _cleanup_(folder_replacement_done) FolderReplacement replacement = FOLDER_REPLACEMENT_INIT;
        int r;

        r = folder_replacement_begin(AT_FDCWD, path, &replacement, ret_error);
        if (r == 0)
                r = fill(replacement.staging_fd, text, ret_error);
        if (r == 0)
                r = folder_replacement_commit(&replacement, keep_as, ret_error);
        return r;
}

int main(int argc, char *argv[])
{
        Error error = ERROR_INIT;
        int r = -EINVAL;

        if (argc < 4)
                return error_exit_status(r);
        if (text_equal(argv[1], "replace"))
                r = file_write_atomic(AT_FDCWD, argv[2], argv[3], strlen(argv[3]), 0640, &error);
        else if (text_equal(argv[1], "create"))
                r = file_create_exclusive(
                        AT_FDCWD, argv[2], argv[3], strlen(argv[3]), 0600, &error);
        else if (text_equal(argv[1], "folder"))
                r = replace_folder(argv[2], argv[3], argv[4], &error);
        if (r < 0)
                (void)fprintf(stderr, "%s\n", error.text);
        return error_exit_status(r);
}
