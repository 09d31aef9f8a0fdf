#include "roles/classic.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "roles/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER    "swarm-manager"
#define HEARTBEAT    "--heartbeat=2s" /* it looks at its member file that often, else each minute */
#define MEMBERS_FILE PATH_MEMBERS "/members"
#define FOLLOWER     "flocker-bootstrap-members.service"
#define PREFIX       "swarm/members/"
#define MEMBER_MAX   4096U
#define MEMBERS_MAX  (SETTINGS_AGENTS_MAX + 1U)

static int64_t node_number(const Role *role)
{
        return role->settings->role == ROLE_CONTROL ? 0 : role->settings->node;
}

/* --- members of the store --- */

typedef struct Members {
        Role *role;
        S3Store *store;
        char *addresses[MEMBERS_MAX]; /* sorted at the end */
        size_t count;
} Members;

static void members_done(Members *members)
{
        for (size_t i = 0; i < members->count; i++)
                free(members->addresses[i]);
}
DEFINE_CLEANUP_IN_PLACE(Members, members_done);

static int add_member(const S3Listed *listed, void *userdata, Error *ret_error)
{
        Members *members = userdata;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MEMBER_MAX);
        _cleanup_(json_free) Json *json = NULL;
        const char *address;
        int r;

        if (!text_ends(listed->key, ".json"))
                return 0;
        if (members->count >= MEMBERS_MAX)
                return error_set(ret_error, -EFBIG, "cannot list the members: too many");
        r = s3_store_get(members->store,
                listed->key,
                MEMBER_MAX,
                members->role->step_deadline,
                &text,
                NULL,
                ret_error);
        if (r == S3_NOT_FOUND) /* it has left since */
                return 0;
        if (r == 0)
                r = json_parse(listed->key, buffer_text(&text), text.size, &json, ret_error);
        if (r == 0)
                r = json_get_text(json, listed->key, "address", &address, ret_error);
        if (r != 0)
                return role_fail(r);
        members->addresses[members->count] = text_copy(address);
        return members->addresses[members->count++] ? 0 : -ENOMEM;
}

static int compare_texts(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

int classic_follow(Role *role, bool *ret_changed, size_t *ret_members, Error *ret_error)
{
        _cleanup_(members_done) Members members = {.role = role};
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MEMBERS_MAX * 64);
        int r;

        r = role_get_store(role, &members.store, ret_error);
        if (r == 0)
                r = role_fail(s3_store_list(members.store,
                        PREFIX,
                        role->step_deadline,
                        add_member,
                        &members,
                        ret_error));
        if (r < 0)
                return r;
        qsort(members.addresses, members.count, sizeof(char *), compare_texts);
        for (size_t i = 0; i < members.count && r == 0; i++)
                r = buffer_append_format(&text, "%s\n", members.addresses[i]);
        if (r == 0)
                r = folder_make(role->root_fd, PATH_MEMBERS, 0700, ret_error);
        if (r == 0)
                r = file_write_if_changed(role->root_fd,
                        MEMBERS_FILE,
                        buffer_text(&text),
                        text.size,
                        0644,
                        ret_changed,
                        ret_error);
        if (r == 0)
                *ret_members = members.count;
        return r;
}

/* --- this machine as a member --- */

static int format_member(const Role *role, Buffer *ret, Error *ret_error)
{
        _cleanup_(free) char *address =
                text_format("%s:%u", role->instance.private_ip, PORT_ENGINE_CLASSIC);
        _cleanup_(json_free) Json *json = json_new_object();
        int r;

        r = json_set_int64(json, "node", node_number(role));
        if (r == 0)
                r = json_set_text(json, "instance", role->instance.identity.instance_id);
        if (r == 0)
                r = json_set(json, "address", json_new_text(address));
        if (r == 0)
                r = json_format(json, JSON_INDENTED, ret);
        return r < 0 ? error_set(ret_error, r, "cannot describe this member: %m") : 0;
}

static void name_member(const Role *role, char *place, size_t size)
{
        (void)snprintf(place, size, PREFIX "%" PRId64 ".json", node_number(role));
}

int classic_member_is_known(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer wanted = BUFFER_INIT(MEMBER_MAX),
                                      found = BUFFER_INIT(MEMBER_MAX);
        char name[64];
        S3Store *store;
        int r;

        name_member(role, name, sizeof(name));
        r = format_member(role, &wanted, ret_error);
        if (r == 0)
                r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = s3_store_get(
                        store, name, MEMBER_MAX, role->step_deadline, &found, NULL, ret_error);
        *ret = r == S3_OK && text_equal(buffer_text(&wanted), buffer_text(&found));
        return r < 0 ? r : 0;
}

int classic_announce_member(Role *role, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MEMBER_MAX);
        char name[64];
        int r;

        name_member(role, name, sizeof(name));
        if (role_would(role, "publish %s", name))
                return 0;
        r = format_member(role, &text, ret_error);
        return r < 0 ? r : role_put_json(role, name, &text, role->step_deadline, ret_error);
}

/* --- the manager --- */

static int check_engine(Role *role, Error *ret_error)
{
        bool has_mode;
        Docker *engine;
        int r = role_get_engine(role, &engine, ret_error);

        if (r == 0) /* asked, so that an engine that is away is known before the container is */
                r = docker_has_swarm_mode(engine, role->step_deadline, &has_mode, ret_error);
        return r;
}

int classic_manager_is_started(Role *role, bool *ret, Error *ret_error)
{
        bool member = false;
        int r = check_engine(role, ret_error);

        if (r == 0)
                r = docker_is_running(role->engine, CONTAINER, role->step_deadline, ret, ret_error);
        if (r == 0 && *ret) {
                r = classic_member_is_known(role, &member, ret_error);
                *ret = member;
        }
        return r;
}

static int run_manager(Role *role, Error *ret_error)
{
        _cleanup_(free) char *listen = text_format("tcp://0.0.0.0:%u", PORT_MANAGER);
        static const char *const binds[] = {
                "/" PATH_DOCKER_TLS ":/tls:ro",
                "/" PATH_MEMBERS ":/members:ro",
                NULL,
        };
        const char *const command[] = {
                "manage",
                HEARTBEAT,
                "--tlsverify",
                "--tlscacert=/tls/ca.pem",
                "--tlscert=/tls/cert.pem",
                "--tlskey=/tls/key.pem",
                "-H",
                listen,
                "file:///members/members",
                NULL,
        };
        DockerContainer container = {
                .name = CONTAINER,
                .image = role->settings->swarm_image,
                .command = command,
                .binds = binds,
        };

        if (!listen)
                return error_set(ret_error, -ENOMEM, "cannot run the manager: %m");
        return docker_run(role->engine, &container, role->step_deadline, ret_error);
}

/* The follower is a unit of our package. Without it (a program copied by hand) members that come
 * later are not seen, which is said. */
static int start_follower(Role *role, Error *ret_error)
{
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        Systemd *systemd;
        int r;

        r = role_get_systemd(role, &systemd, ret_error);
        if (r == 0)
                r = systemd_get_unit(systemd, FOLLOWER, role->step_deadline, &unit, ret_error);
        if (r < 0)
                return r;
        if (!text_equal(unit.load_state, "loaded")) {
                role_say(role,
                        ROLE_WARNING,
                        FOLLOWER " is not installed: agents that come later are seen only by "
                                 "'flocker-bootstrap members follow'");
                return 0;
        }
        r = systemd_enable(systemd, FOLLOWER, role->step_deadline, ret_error);
        return r < 0 ? r : systemd_restart(systemd, FOLLOWER, role->step_deadline, ret_error);
}

int classic_start_manager(Role *role, Error *ret_error)
{
        bool changed;
        size_t members;
        int r;

        if (role_would(role,
                    "publish this member, and run %s as container '" CONTAINER "' on port %u",
                    role->settings->swarm_image,
                    PORT_MANAGER))
                return 0;
        r = check_engine(role, ret_error);
        if (r == 0)
                r = classic_announce_member(role, ret_error);
        if (r == 0)
                r = classic_follow(role, &changed, &members, ret_error);
        if (r == 0)
                r = run_manager(role, ret_error);
        return r < 0 ? r : start_follower(role, ret_error);
}
