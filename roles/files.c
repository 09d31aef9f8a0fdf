#include "roles/files.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int files_read_pair(
        int root_fd, const char *path, const char *key_path, Pair *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        _cleanup_(buffer_done) Buffer key = BUFFER_INIT(KEY_PEM_MAX);
        _cleanup_(key_free) Key *public_key = NULL;
        _cleanup_(pair_done) Pair pair = {};
        int r;

        r = file_read(root_fd, path, CERTIFICATE_PEM_MAX, &text, ret_error);
        if (r == 0 && key_path)
                r = file_read(root_fd, key_path, KEY_PEM_MAX, &key, ret_error);
        if (r == -ENOENT || r == -ENOTDIR)
                return FILES_ABSENT;
        if (r == 0)
                r = certificate_parse(
                        path, buffer_text(&text), text.size, &pair.certificate, ret_error);
        if (r == 0 && key_path)
                r = key_parse(key_path, buffer_text(&key), key.size, NULL, &pair.key, ret_error);
        if (r < 0)
                return r;

        public_key = certificate_key(pair.certificate);
        if (key_path && (!public_key || !key_equal(public_key, pair.key)))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '/%s': its key is not that of '/%s'",
                        key_path,
                        path);
        *ret = TAKE_STRUCT(pair);
        return FILES_OK;
}

bool files_are_there(int root_fd, const char *const *paths)
{
        for (size_t i = 0; paths[i]; i++)
                if (faccessat(root_fd, paths[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        return false;
        return true;
}

static int make_parent(int root_fd, const char *path, Error *ret_error)
{
        const char *end = strrchr(path, '/');
        _cleanup_(free) char *parent = end ? text_copy_part(path, (size_t)(end - path)) : NULL;

        if (!end)
                return 0;
        if (!parent)
                return error_set(ret_error, -ENOMEM, "cannot make '/%s': %m", path);
        return folder_make(root_fd, parent, 0755, ret_error);
}

int files_replace_folder(const Role *role,
        const char *path,
        const FileContent *files,
        size_t n_files,
        const char *keep_as,
        Error *ret_error)
{
        _cleanup_(folder_replacement_done) FolderReplacement folder = FOLDER_REPLACEMENT_INIT;
        int r;

        r = make_parent(role->root_fd, path, ret_error);
        if (r == 0)
                r = folder_replacement_begin(role->root_fd, path, &folder, ret_error);
        for (size_t i = 0; i < n_files && r == 0; i++)
                r = file_create(folder.staging_fd,
                        files[i].name,
                        files[i].data,
                        files[i].size,
                        files[i].mode,
                        ret_error);
        return r < 0 ? r : folder_replacement_commit(&folder, keep_as, ret_error);
}

int files_format_pair(const Pair *pair, PairText *ret, Error *ret_error)
{
        _cleanup_(pair_text_done) PairText text = {.certificate = BUFFER_INIT(CERTIFICATE_PEM_MAX)};
        int r;

        r = certificate_format(pair->certificate, &text.certificate, ret_error);
        if (r == 0 && pair->key)
                r = key_format(pair->key, NULL, &text.key, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_STRUCT(text);
        return 0;
}

void pair_text_done(PairText *text)
{
        buffer_done(&text->certificate);
        text->key = secret_free(text->key);
}
