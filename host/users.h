/* The users of this machine, read from its passwd file itself: a static program must not load what
 * a host's name service switch names. */

#pragma once

#include "base/error.h"

#include <sys/types.h>

typedef struct User {
        char *name;
        char *home; /* absolute, on the machine; below its root it lies there */
        uid_t uid;
        gid_t gid;
} User;

/* The user of that name; for NULL the one people log in as: uid 1000, else the lowest from 1000 to
 * 59999. -ENOENT with the sentence. passwd(5). */
int users_find(int root_fd, const char *name, User *ret, Error *ret_error);
void user_done(User *user);
DEFINE_CLEANUP_IN_PLACE(User, user_done);
