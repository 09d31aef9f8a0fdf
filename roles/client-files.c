/* install-client: root and the login user can type `docker info` and `flockerctl status`.
 *
 * For Docker a context of the cluster's name, made current, with its TLS material where the CLI
 * looks for it (docs.docker.com: "Docker contexts"; docker/cli, cli/context/store), and the older
 * ~/.docker/{ca,cert,key}.pem for clients that know no contexts. For Flocker the user's certificate
 * and, in /etc/profile.d, the variables that flockerctl reads.
 */

#include "base/digest.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "host/users.h"
#include "roles/files.h"
#include "roles/members.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX   (256U * 1024U)
#define CONTEXT_NAME "flocker"
#define USERS_MAX    2U

/* What is written into each home. */
typedef struct Belongings {
        bool docker;
        char *host; /* "tcp://10.0.0.1:2376"; NULL: the certificate alone */
        Buffer tls[3];
        const S3StoreSet *flocker; /* NULL: no flocker */
} Belongings;

static const char *const tls_names[] = {"ca.pem", "cert.pem", "key.pem"};
static const char *const flocker_names[][2] = {
        {"cluster.crt", "flocker/cluster.crt"},
        {"user1.crt", "flocker/client/user1.crt"},
        {"user1.key", "flocker/client/user1.key"},
};

static void belongings_done(Belongings *belongings)
{
        free(belongings->host);
        for (size_t i = 0; i < ELEMENTS(belongings->tls); i++)
                buffer_done(&belongings->tls[i]);
}
DEFINE_CLEANUP_IN_PLACE(Belongings, belongings_done);

/* A home: its folder below the root, and whose it is. */
typedef struct Home {
        const Role *role;
        const User *user;
        int fd;
} Home;

/* Ours to give only as root; a rehearsal without privileges keeps its own user. */
static int give(const Home *home, const char *path, Error *ret_error)
{
        if (geteuid() != 0 ||
                fchownat(home->fd, path, home->user->uid, home->user->gid, AT_SYMLINK_NOFOLLOW) ==
                        0)
                return 0;
        return error_set(ret_error,
                -errno,
                "cannot give '%s/%s' to %s: %m",
                home->user->home,
                path,
                home->user->name);
}

/* mkdir -p, each new folder given to the user. */
static int make_folder(const Home *home, const char *path, Error *ret_error)
{
        char part[PATH_MAX];
        int r = 0;

        for (const char *slash = path; slash && r == 0;) {
                slash = strchr(slash + 1, '/');
                (void)snprintf(part,
                        sizeof(part),
                        "%.*s",
                        TEXT_PART(path, slash ? (size_t)(slash - path) : strlen(path)));
                if (faccessat(home->fd, part, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        continue;
                r = folder_make(home->fd, part, 0700, ret_error);
                if (r == 0)
                        r = give(home, part, ret_error);
        }
        return r;
}

static int put(const Home *home,
        const char *folder,
        const char *name,
        const void *data,
        size_t size,
        mode_t mode,
        Error *ret_error)
{
        char path[PATH_MAX];
        int r;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        r = file_write_atomic(home->fd, path, data, size, mode, ret_error);
        return r < 0 ? r : give(home, path, ret_error);
}

/* config.json: what is there stays, but for the current context. */
static int put_config(const Home *home, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer was = BUFFER_INIT(CONFIG_MAX), text = BUFFER_INIT(CONFIG_MAX);
        _cleanup_(json_free) Json *json = NULL;
        int r;

        r = file_read(home->fd, PATH_HOME_DOCKER "/config.json", CONFIG_MAX, &was, ret_error);
        if (r == 0)
                r = json_parse_secret("config.json", buffer_text(&was), was.size, &json, ret_error);
        else if (r == -ENOENT)
                r = (json = json_new_object()) ? 0 : -ENOMEM;
        if (r == 0)
                r = json_set_text(json, "currentContext", CONTEXT_NAME);
        if (r == 0)
                r = json_format(json, JSON_INDENTED, &text);
        if (r < 0)
                return error_prefix(
                        ret_error, r, "cannot set Docker's context for %s", home->user->name);
        return put(home,
                PATH_HOME_DOCKER,
                "config.json",
                buffer_text(&text),
                text.size,
                0600,
                ret_error);
}

static int format_context(const Role *role, const char *host, Buffer *ret, Error *ret_error)
{
        _cleanup_(json_free) Json *json = json_new_object();
        Json *metadata = json_new_object(), *endpoints = json_new_object();
        Json *docker = json_new_object();
        int r;

        r = json_set_text(json, "Name", CONTEXT_NAME);
        if (r == 0)
                r = json_set(json, "Metadata", metadata);
        if (r == 0)
                r = json_set_text(metadata, "Description", role->settings->cluster);
        if (r == 0)
                r = json_set(json, "Endpoints", endpoints);
        if (r == 0)
                r = json_set(endpoints, "docker", docker);
        if (r == 0)
                r = json_set_text(docker, "Host", host);
        if (r == 0)
                r = json_set_bool(docker, "SkipTLSVerify", false);
        if (r == 0)
                r = json_format(json, JSON_ONE_LINE, ret);
        return r < 0 ? error_set(ret_error, r, "cannot describe Docker's context: %m") : 0;
}

static int put_tls(
        const Home *home, const char *folder, const Belongings *belongings, Error *ret_error)
{
        int r = make_folder(home, folder, ret_error);

        for (size_t i = 0; i < ELEMENTS(tls_names) && r == 0; i++)
                r = put(home,
                        folder,
                        tls_names[i],
                        buffer_text(&belongings->tls[i]),
                        belongings->tls[i].size,
                        0600,
                        ret_error);
        return r;
}

/* The certificate for clients that know no contexts, and for the context. */
static int put_both_tls(
        const Home *home, const char *context_id, const Belongings *belongings, Error *ret_error)
{
        char folder[PATH_MAX];
        int r = put_tls(home, PATH_HOME_DOCKER, belongings, ret_error);

        (void)snprintf(
                folder, sizeof(folder), PATH_HOME_DOCKER "/contexts/tls/%s/docker", context_id);
        return r < 0 ? r : put_tls(home, folder, belongings, ret_error);
}

static int put_docker(const Home *home, const Belongings *belongings, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer context = BUFFER_INIT(CONFIG_MAX);
        char id[DIGEST_SHA256_HEX], folder[PATH_MAX];
        Digest digest;
        int r;

        r = digest_sha256(CONTEXT_NAME, strlen(CONTEXT_NAME), &digest);
        if (r < 0)
                return error_set(ret_error, r, "cannot name Docker's context: %m");
        digest_format(&digest, id);
        r = put_both_tls(home, id, belongings, ret_error);
        if (r == 0 && !belongings->host) /* renewed: the context is there */
                return 0;
        if (r == 0)
                r = format_context(home->role, belongings->host, &context, ret_error);
        (void)snprintf(folder, sizeof(folder), PATH_HOME_DOCKER "/contexts/meta/%s", id);
        if (r == 0)
                r = make_folder(home, folder, ret_error);
        if (r == 0)
                r = put(home,
                        folder,
                        "meta.json",
                        buffer_text(&context),
                        context.size,
                        0644,
                        ret_error);
        return r < 0 ? r : put_config(home, ret_error);
}

static int put_flocker(const Home *home, const S3StoreSet *set, Error *ret_error)
{
        int r = make_folder(home, PATH_HOME_FLOCKER, ret_error);

        for (size_t i = 0; i < ELEMENTS(flocker_names) && r == 0; i++) {
                const Secret *content = s3_store_set_get(set, flocker_names[i][1]);

                if (!content)
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot install the client: the set in the store lacks '%s'",
                                flocker_names[i][1]);
                r = put(home,
                        PATH_HOME_FLOCKER,
                        flocker_names[i][0],
                        secret_data(content),
                        secret_size(content),
                        0600,
                        ret_error);
        }
        return r;
}

/* A home's path below the root; a login user who has never logged in may have none yet. */
static int open_home(const Role *role, const User *user, int *ret, Error *ret_error)
{
        const char *path = user->home + strspn(user->home, "/");
        int r = 0;

        if (!*path)
                return error_set(ret_error, -EDOM, "cannot use '%s': its home is '/'", user->name);
        if (faccessat(role->root_fd, path, F_OK, 0) < 0) {
                r = folder_make(role->root_fd, path, 0700, ret_error);
                if (r == 0 && geteuid() == 0)
                        r = fchownat(role->root_fd, path, user->uid, user->gid, 0) < 0 ? -errno : 0;
        }
        if (r == 0)
                *ret = openat(role->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r < 0 || *ret < 0)
                return error_set(
                        ret_error, r < 0 ? r : -errno, "cannot open the home '%s': %m", user->home);
        return 0;
}

static int install_for(
        const Role *role, const User *user, const Belongings *belongings, Error *ret_error)
{
        _cleanup_(close) int fd = -1;
        Home home = {.role = role, .user = user};
        int r = open_home(role, user, &fd, ret_error);

        home.fd = fd;
        if (r == 0 && belongings->docker)
                r = put_docker(&home, belongings, ret_error);
        if (r == 0 && belongings->flocker)
                r = put_flocker(&home, belongings->flocker, ret_error);
        return r;
}

/* The login user is optional: a machine may have root alone. */
static int install_for_users(const Role *role, const Belongings *belongings, Error *ret_error)
{
        _cleanup_(user_done) User root = {}, login = {};
        int r;

        r = users_find(role->root_fd, "root", &root, ret_error);
        if (r == 0)
                r = install_for(role, &root, belongings, ret_error);
        if (r < 0)
                return r;
        r = users_find(role->root_fd, role->settings->login_user, &login, ret_error);
        if (r == -ENOENT && !role->settings->login_user) {
                role_say(role, ROLE_NOTE, "no login user here: only root is set up");
                return 0;
        }
        return r < 0 ? r : install_for(role, &login, belongings, ret_error);
}

static int put_profile(
        const Role *role, const Belongings *belongings, const char *control, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(CONFIG_MAX);
        int r;

        r = buffer_append_text(&text, "# Written by flocker-bootstrap.\n");
        if (r == 0 && belongings->flocker)
                r = buffer_append_format(&text,
                        "export FLOCKER_CERTS_PATH=\"$HOME/" PATH_HOME_FLOCKER "\"\n"
                        "export FLOCKER_USER=user1\n"
                        "export FLOCKER_CONTROL_SERVICE=%s\n",
                        control);
        if (r < 0)
                return error_set(ret_error, r, "cannot write '/" PATH_PROFILE "': %m");
        r = folder_make(role->root_fd, "etc/profile.d", 0755, ret_error);
        return r < 0 ? r
                     : file_write_atomic(role->root_fd,
                               PATH_PROFILE,
                               buffer_text(&text),
                               text.size,
                               0644,
                               ret_error);
}

static int read_tls(Role *role, Belongings *belongings, Error *ret_error)
{
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(tls_names) && r == 0; i++) {
                char path[PATH_MAX];

                (void)snprintf(path, sizeof(path), PATH_CLIENT_TLS "/%s", tls_names[i]);
                belongings->tls[i] = BUFFER_INIT(CERTIFICATE_PEM_MAX);
                r = file_read(
                        role->root_fd, path, CERTIFICATE_PEM_MAX, &belongings->tls[i], ret_error);
        }
        return r;
}

static int gather(Role *role, const char *control, Belongings *ret, Error *ret_error)
{
        int r = 0;

        if (settings_have(role->settings, COMPONENT_DOCKER)) {
                r = read_tls(role, ret, ret_error);
                ret->docker = true;
                ret->host = text_format("tcp://%s:%u", control, PORT_ENGINE);
                if (r == 0 && !ret->host)
                        r = error_set(ret_error, -ENOMEM, "cannot install the client: %m");
        }
        if (r == 0 && settings_have(role->settings, COMPONENT_FLOCKER))
                r = step_get_flocker_set(role, &ret->flocker, ret_error);
        return r;
}

/* The profile is written last, so it stands for all of it. */
int step_client_is_installed(Role *role, bool *ret, Error *ret_error)
{
        (void)ret_error;
        *ret = role->state.complete &&
               files_are_there(role->root_fd, (const char *const[]){PATH_PROFILE, NULL});
        return 0;
}

int step_install_client(Role *role, Error *ret_error)
{
        _cleanup_(belongings_done) Belongings belongings = {};
        _cleanup_(free) char *control = NULL;
        int r;

        if (role_would(role,
                    "wait for control, and set up docker and flockerctl for root and %s",
                    role->settings->login_user ? role->settings->login_user : "the login user"))
                return 0;
        r = members_wait(role, false, &control, ret_error);
        if (r == 0)
                r = gather(role, control, &belongings, ret_error);
        if (r == 0)
                r = install_for_users(role, &belongings, ret_error);
        return r < 0 ? r : put_profile(role, &belongings, control, ret_error);
}

int step_install_client_tls(Role *role, Error *ret_error)
{
        _cleanup_(belongings_done) Belongings belongings = {.docker = true};
        int r = read_tls(role, &belongings, ret_error);

        return r < 0 ? r : install_for_users(role, &belongings, ret_error);
}
