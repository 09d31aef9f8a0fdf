/* /etc/flocker and the services, on control and on agents. */

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "roles/files.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX 8U

/* What lies in /etc/flocker, and where it comes from: the store's set (agents), this machine's own
 * state (control). cluster.key stays on control alone. */
typedef struct Source {
        const char *name;   /* in /etc/flocker */
        const char *origin; /* on control below its root; on agents in the store, NULL: of its name
                             * in flocker/nodes/<n>/ */
} Source;

static const Source control_files[] = {
        {"cluster.crt", PATH_FLOCKER_CA "/cluster.crt"},
        {"cluster.key", PATH_FLOCKER_CA "/cluster.key"},
        {"control-service.crt", PATH_CONTROL_SET "/control-service.crt"},
        {"control-service.key", PATH_CONTROL_SET "/control-service.key"},
};

static const Source agent_files[] = {
        {"cluster.crt", "flocker/cluster.crt"},
        {"agent.yml", "flocker/agent.yml"},
        {"node.crt", NULL},
        {"node.key", NULL},
        {"plugin.crt", NULL},
        {"plugin.key", NULL},
};

/* What runs, and what must not, by role. */
typedef struct Services {
        const char *on[3], *off[4]; /* NULL-ended */
} Services;

static const Services control_services = {
        .on = {"flocker-control.service"},
        .off = {"flocker-container-agent.service",
                "flocker-dataset-agent.service",
                "flocker-docker-plugin.service"},
};

static const Services agent_services = {
        .on = {"flocker-dataset-agent.service", "flocker-docker-plugin.service"},
        .off = {"flocker-container-agent.service", "flocker-control.service"},
};

static bool is_control(const Role *role)
{
        return role->settings->role == ROLE_CONTROL;
}

int step_get_flocker_set(Role *role, const S3StoreSet **ret, Error *ret_error)
{
        char manifest[64] = "flocker/client/manifest.json";
        S3Store *store;
        int r = 0;

        if (role->settings->role == ROLE_AGENT)
                (void)snprintf(manifest,
                        sizeof(manifest),
                        "flocker/nodes/%" PRId64 "/manifest.json",
                        role->settings->node);
        if (!role->has_flocker_set) {
                r = role_get_store(role, &store, ret_error);
                if (r == 0)
                        r = role_fail(s3_store_wait(store,
                                manifest,
                                role->deadline,
                                role_is_waiting,
                                role,
                                &role->flocker_set,
                                ret_error));
                role->has_flocker_set = r == 0;
        }
        if (r == 0)
                *ret = &role->flocker_set;
        return r;
}

/* The certificate fits its key, and the cluster's CA has signed it. */
static int is_whole(
        const Role *role, const char *certificate, const char *key, bool *ret, Error *ret_error)
{
        _cleanup_(pair_done) Pair pair = {}, ca = {};
        int r;

        (void)ret_error;
        *ret = false;
        r = files_read_pair(role->root_fd, certificate, key, &pair, NULL);
        if (r == 0)
                r = files_read_pair(role->root_fd, PATH_FLOCKER "/cluster.crt", NULL, &ca, NULL);
        if (r == 0) /* what is missing or damaged is to be made anew */
                *ret = certificate_check_issued(pair.certificate, ca.certificate, NULL) == 0;
        return 0;
}

static int control_is_installed(Role *role, bool *ret, Error *ret_error)
{
        return is_whole(role,
                PATH_FLOCKER "/control-service.crt",
                PATH_FLOCKER "/control-service.key",
                ret,
                ret_error);
}

int step_flocker_is_installed(Role *role, bool *ret, Error *ret_error)
{
        int r;

        if (is_control(role)) { /* and a kill has not kept a second copy of its key */
                r = control_is_installed(role, ret, ret_error);
                *ret = *ret && !files_are_there(role->root_fd,
                                       (const char *const[]){PATH_CONTROL_SET, NULL});
                return r;
        }
        r = is_whole(role, PATH_FLOCKER "/node.crt", PATH_FLOCKER "/node.key", ret, ret_error);
        if (r == 0 && *ret)
                r = is_whole(role,
                        PATH_FLOCKER "/plugin.crt",
                        PATH_FLOCKER "/plugin.key",
                        ret,
                        ret_error);
        if (r == 0 && *ret)
                *ret = files_are_there(
                        role->root_fd, (const char *const[]){PATH_FLOCKER "/agent.yml", NULL});
        return r;
}

int step_flocker_is_fetched(Role *role, bool *ret, Error *ret_error)
{
        return role->settings->role == ROLE_CLIENT
                       ? step_client_is_installed(role, ret, ret_error)
                       : step_flocker_is_installed(role, ret, ret_error);
}

int step_fetch_flocker(Role *role, Error *ret_error)
{
        const S3StoreSet *set;

        if (role_would(role, "wait for this machine's Flocker set and fetch it"))
                return 0;
        return step_get_flocker_set(role, &set, ret_error);
}

static int take_from_set(Role *role, FileContent *files, Error *ret_error)
{
        const S3StoreSet *set;
        int r = step_get_flocker_set(role, &set, ret_error);

        for (size_t i = 0; i < ELEMENTS(agent_files) && r == 0; i++) {
                char name[MANIFEST_NAME_MAX];
                const Secret *content;

                if (agent_files[i].origin)
                        (void)text_put(name, sizeof(name), agent_files[i].origin);
                else
                        (void)snprintf(name,
                                sizeof(name),
                                "flocker/nodes/%" PRId64 "/%s",
                                role->settings->node,
                                agent_files[i].name);
                content = s3_store_set_get(set, name);
                if (!content)
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot install '/" PATH_FLOCKER "': the set in the store lacks "
                                "'%s'",
                                name);
                files[i] = FILE_OF_SECRET(agent_files[i].name, content);
        }
        return r;
}

static int take_from_disk(Role *role, Buffer *contents, FileContent *files, Error *ret_error)
{
        for (size_t i = 0; i < ELEMENTS(control_files); i++) {
                int r = file_read(role->root_fd,
                        control_files[i].origin,
                        MANIFEST_OBJECT_MAX,
                        &contents[i],
                        ret_error);

                if (r < 0)
                        return r;
                files[i] = (FileContent){
                        control_files[i].name, buffer_text(&contents[i]), contents[i].size, 0600};
        }
        return 0;
}

/* /etc/flocker as a whole; what was there is kept, as Flocker's own installer does. */
static int replace_folder(Role *role, const FileContent *files, size_t n_files, Error *ret_error)
{
        char keep[64];
        bool there = files_are_there(role->root_fd, (const char *const[]){PATH_FLOCKER, NULL});
        int r;

        (void)snprintf(keep,
                sizeof(keep),
                "flocker.backup.%" PRIu64,
                clock_wall(role->clock) / USEC_PER_SEC);
        r = role_set_pending(role, STATE_PENDING_FLOCKER, true, ret_error);
        return r < 0 ? r
                     : files_replace_folder(
                               role, PATH_FLOCKER, files, n_files, there ? keep : NULL, ret_error);
}

static int install_control(Role *role, Error *ret_error)
{
        FileContent files[FILES_MAX];
        Buffer contents[ELEMENTS(control_files)];
        bool installed;
        int r;

        for (size_t i = 0; i < ELEMENTS(contents); i++)
                contents[i] = BUFFER_INIT(MANIFEST_OBJECT_MAX);
        r = control_is_installed(role, &installed, ret_error);
        if (r == 0 && !installed)
                r = take_from_disk(role, contents, files, ret_error);
        if (r == 0 && !installed)
                r = replace_folder(role, files, ELEMENTS(control_files), ret_error);
        if (r == 0)
                r = folder_remove(role->root_fd, PATH_CONTROL_SET, ret_error);
        for (size_t i = 0; i < ELEMENTS(contents); i++)
                buffer_done(&contents[i]);
        return r;
}

int step_install_flocker(Role *role, Error *ret_error)
{
        FileContent files[FILES_MAX];
        int r;

        if (role_would(role, "replace /" PATH_FLOCKER))
                return 0;
        if (is_control(role))
                return install_control(role, ret_error);
        r = take_from_set(role, files, ret_error);
        return r < 0 ? r : replace_folder(role, files, ELEMENTS(agent_files), ret_error);
}

int step_flocker_is_started(Role *role, bool *ret, Error *ret_error)
{
        const Services *services = is_control(role) ? &control_services : &agent_services;
        Systemd *systemd;
        int r = role_get_systemd(role, &systemd, ret_error);

        *ret = r == 0 && !(role->state.pending & STATE_PENDING_FLOCKER);
        for (size_t i = 0; services->on[i] && r == 0 && *ret; i++) {
                _cleanup_(systemd_unit_done) SystemdUnit unit = {};

                r = systemd_get_unit(
                        systemd, services->on[i], role->step_deadline, &unit, ret_error);
                *ret = r == 0 && text_equal(unit.active_state, "active") &&
                       text_equal(unit.file_state, "enabled");
        }
        return r;
}

int step_start_flocker(Role *role, Error *ret_error)
{
        const Services *services = is_control(role) ? &control_services : &agent_services;
        Usec deadline = role->step_deadline;
        Systemd *systemd;
        int r;

        for (size_t i = 0; role->dry_run && services->on[i]; i++)
                (void)role_would(role, "enable and restart %s", services->on[i]);
        for (size_t i = 0; role->dry_run && services->off[i]; i++)
                (void)role_would(role, "stop and disable %s", services->off[i]);
        if (role->dry_run)
                return 0;

        r = role_get_systemd(role, &systemd, ret_error);
        for (size_t i = 0; services->off[i] && r == 0; i++) {
                r = systemd_stop(systemd, services->off[i], deadline, ret_error);
                if (r == 0)
                        r = systemd_disable(systemd, services->off[i], deadline, ret_error);
        }
        for (size_t i = 0; services->on[i] && r == 0; i++) {
                r = systemd_enable(systemd, services->on[i], deadline, ret_error);
                if (r == 0)
                        r = systemd_restart(systemd, services->on[i], deadline, ret_error);
        }
        return r < 0 ? r : role_set_pending(role, STATE_PENDING_FLOCKER, false, ret_error);
}
