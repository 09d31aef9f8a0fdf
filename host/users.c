#include "host/users.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PASSWD         "etc/passwd"
#define PASSWD_MAX     (1024U * 1024U)
#define LOGIN_UID      1000
#define LOGIN_UID_LAST 59999 /* Debian Policy, 9.2.2: dynamically allocated user accounts */

/* name:password:uid:gid:gecos:home:shell */
enum { NAME, PASSWORD, UID, GID, GECOS, HOME, SHELL, _COLUMNS };

void user_done(User *user)
{
        free(user->name);
        free(user->home);
        *user = (User){};
}

static bool read_line(char *line, User *ret, uint64_t *ret_uid)
{
        char *columns[_COLUMNS] = {};
        uint64_t gid;

        for (size_t i = 0; i < _COLUMNS; i++)
                columns[i] = strsep(&line, ":");
        if (!columns[HOME] || columns[HOME][0] != '/' ||
                text_to_uint64(columns[UID], 0, UINT32_MAX - 1, ret_uid) < 0 ||
                text_to_uint64(columns[GID], 0, UINT32_MAX - 1, &gid) < 0)
                return false;
        *ret = (User){
                .name = columns[NAME],
                .home = columns[HOME],
                .uid = (uid_t)*ret_uid,
                .gid = (gid_t)gid,
        };
        return true;
}

/* The lowest of the login users: 1000 wherever there is one. */
static bool is_better(const User *user, const char *name, const User *best)
{
        if (name)
                return text_equal(user->name, name) && !best->name;
        return user->uid >= LOGIN_UID && user->uid <= LOGIN_UID_LAST &&
               (!best->name || user->uid < best->uid);
}

int users_find(int root_fd, const char *name, User *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(PASSWD_MAX);
        User user, best = {};
        char *rest, *line;
        uint64_t uid;
        int r;

        r = file_read(root_fd, PASSWD, PASSWD_MAX, &text, ret_error);
        if (r < 0)
                return r;
        rest = text.data;
        while (rest && (line = strsep(&rest, "\n")))
                if (read_line(line, &user, &uid) && is_better(&user, name, &best))
                        best = user;
        if (!best.name)
                return error_set(ret_error,
                        -ENOENT,
                        name ? "cannot find the user '%s': /" PASSWD " has none of that name"
                             : "cannot find a login user%s: /" PASSWD
                               " has none of uid 1000 to 59999",
                        name ? name : "");

        *ret = (User){
                .name = text_copy(best.name),
                .home = text_copy(best.home),
                .uid = best.uid,
                .gid = best.gid,
        };
        if (ret->name && ret->home)
                return 0;
        user_done(ret);
        return error_set(ret_error, -ENOMEM, "cannot read '/" PASSWD "': %m");
}
