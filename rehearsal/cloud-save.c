/* cloud_save: what was in the buckets, as files. */

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "rehearsal/cloud-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_path(const char *key)
{
        for (const char *part = key;; part++) {
                size_t length = strcspn(part, "/");

                if (length == 0 || length > 255 || strncmp(part, ".", length) == 0 ||
                        strncmp(part, "..", length) == 0)
                        return false;
                part += length;
                if (!*part)
                        return true;
        }
}

static int save_object(
        int fd, const CloudBucket *bucket, const CloudObject *object, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/%s", bucket->name, object->key);
        _cleanup_(free) char *folder = path ? text_copy(path) : NULL;
        int r;

        if (!folder)
                return error_set(ret_error, -ENOMEM, "cannot save '%s': %m", object->key);
        *strrchr(folder, '/') = '\0';
        r = folder_make(fd, folder, 0700, ret_error);
        return r < 0 ? r
                     : file_write_atomic(fd,
                               path,
                               buffer_text(&object->content),
                               object->content.size,
                               0600,
                               ret_error);
}

int cloud_save(const Cloud *cloud, const char *folder, Error *ret_error)
{
        _cleanup_(close) int fd = -1;
        int r = folder_make(AT_FDCWD, folder, 0700, ret_error);

        if (r < 0)
                return r;
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set(ret_error, -errno, "cannot open '%s': %m", folder);
        for (const CloudBucket *bucket = cloud->buckets; bucket; bucket = bucket->next)
                for (size_t i = 0; i < bucket->n_objects && r == 0; i++)
                        if (is_path(bucket->objects[i].key))
                                r = save_object(fd, bucket, &bucket->objects[i], ret_error);
        return r;
}
