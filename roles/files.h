/* What steps read and write on this machine, below its root. */

#pragma once

#include "certs/pair.h"
#include "roles/role.h"

#include <sys/types.h>

typedef enum FilesOutcome {
        FILES_OK = 0,
        FILES_ABSENT = 1, /* not there */
} FilesOutcome;

/* A certificate, and its key where `key_path` is not NULL. FILES_ABSENT: one of them is not there;
 * -EBADMSG: damaged, or the key is another's. */
int files_read_pair(
        int root_fd, const char *path, const char *key_path, Pair *ret, Error *ret_error);

bool files_are_there(int root_fd, const char *const *paths); /* all of them; NULL-ended */

typedef struct FileContent {
        const char *name; /* within its folder */
        const char *data;
        size_t size;
        mode_t mode;
} FileContent;

/* Replaces the folder (mode 0700) as a whole by these files; parents are made. What was there is
 * kept beside it as `keep_as`, or removed (NULL). */
int files_replace_folder(const Role *role,
        const char *path,
        const FileContent *files,
        size_t n_files,
        const char *keep_as,
        Error *ret_error);

/* A pair as the two texts that files hold. */
typedef struct PairText {
        Buffer certificate;
        Secret *key;
} PairText;
int files_format_pair(const Pair *pair, PairText *ret, Error *ret_error);
void pair_text_done(PairText *text);
DEFINE_CLEANUP_IN_PLACE(PairText, pair_text_done);

#define FILE_OF_CERTIFICATE(file_name, text)               \
        ((FileContent){.name = (file_name),                \
                .data = buffer_text(&(text)->certificate), \
                .size = (text)->certificate.size,          \
                .mode = 0644})
#define FILE_OF_SECRET(file_name, secret)    \
        ((FileContent){.name = (file_name),  \
                .data = secret_data(secret), \
                .size = secret_size(secret), \
                .mode = 0600})
