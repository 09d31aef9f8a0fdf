/* verify: the thing itself is asked. Control and agents verify themselves; the client, the whole.
 */

#include "base/file.h"
#include "base/text.h"
#include "certs/flocker.h"
#include "host/flocker.h"
#include "roles/classic.h"
#include "roles/files.h"
#include "roles/members.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define NODES_TIME (60 * USEC_PER_SEC) /* until nodes that have signalled are seen as ready */
#define GREET_TIME (10 * USEC_PER_SEC) /* for an engine that is started anew */

static const RetryPolicy nodes_policy = {
        .name = "nodes",
        .base = {200 * USEC_PER_MSEC, USEC_PER_SEC, 100 * USEC_PER_MSEC},
        .cap = USEC_PER_SEC,
};

/* A folder of ca.pem, cert.pem and key.pem, as a client's side of TLS. */
typedef struct Identity {
        Buffer authority, certificate;
        Secret *key;
        HttpTls tls;
} Identity;

static void identity_done(Identity *identity)
{
        buffer_done(&identity->authority);
        buffer_done(&identity->certificate);
        identity->key = secret_free(identity->key);
}
DEFINE_CLEANUP_IN_PLACE(Identity, identity_done);

static int read_key(const Role *role, const char *path, Secret **ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer key = BUFFER_INIT(KEY_PEM_MAX);
        int r = file_read(role->root_fd, path, KEY_PEM_MAX, &key, ret_error);

        if (r == 0 && secret_new(buffer_text(&key), key.size, ret) < 0)
                r = error_set(ret_error, -ENOMEM, "cannot read '/%s': %m", path);
        return r;
}

/* `maker` is the step that makes the files. */
static int read_identity(const Role *role,
        const char *authority,
        const char *certificate,
        const char *key,
        const char *maker,
        Identity *ret,
        Error *ret_error)
{
        int r;

        ret->authority = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        ret->certificate = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        r = file_read(role->root_fd, authority, CERTIFICATE_PEM_MAX, &ret->authority, ret_error);
        if (r == 0)
                r = file_read(role->root_fd,
                        certificate,
                        CERTIFICATE_PEM_MAX,
                        &ret->certificate,
                        ret_error);
        if (r == 0)
                r = read_key(role, key, &ret->key, ret_error);
        ret->tls = (HttpTls){
                .ca_pem = buffer_text(&ret->authority),
                .certificate_pem = buffer_text(&ret->certificate),
                .key_pem = ret->key,
        };
        return r == -ENOENT ? error_append(ret_error, r, "; %s makes it", maker) : r;
}

static int open_engine(
        Role *role, const char *address, const HttpTls *tls, Docker **ret, Error *ret_error)
{
        DockerOptions options = {
                .http = role->http,
                .clock = role->clock,
                .random = role->random,
                .address = address,
                .tls = tls,
        };

        return docker_new(&options, ret, ret_error);
}

static bool has_label(const DockerInfo *info, const char *label)
{
        for (size_t i = 0; info->labels[i]; i++)
                if (text_equal(info->labels[i], label))
                        return true;
        return false;
}

static int check_engine(Role *role, SwarmMode mode, const DockerInfo *info, Error *ret_error)
{
        bool control = role->settings->role == ROLE_CONTROL;
        _cleanup_(free) char *label =
                text_format("flocker-node=%" PRId64, control ? 0 : role->settings->node);

        if (!label)
                return error_set(ret_error, -ENOMEM, "cannot verify the engine: %m");
        if (!has_label(info, label))
                return error_set(ret_error,
                        -EIO,
                        "cannot verify the engine: it has no label '%s'; its daemon.json was not "
                        "read",
                        label);
        if (mode == SWARM_BUILTIN &&
                (info->swarm != DOCKER_SWARM_ACTIVE || info->manager != control))
                return error_set(ret_error,
                        -EIO,
                        "cannot verify the engine: it is not an active %s of the Swarm%s%s",
                        control ? "manager" : "worker",
                        info->swarm_error[0] ? ": " : "",
                        info->swarm_error);
        return 0;
}

static int read_tls_identity(const Role *role, Identity *ret, Error *ret_error)
{
        return read_identity(role,
                PATH_DOCKER_TLS "/ca.pem",
                PATH_DOCKER_TLS "/cert.pem",
                PATH_DOCKER_TLS "/key.pem",
                "mint-docker-cert",
                ret,
                ret_error);
}

/* Classic: the manager's container answers over TLS, and sees this engine. One that has ended says
 * why. */
static int verify_manager(Role *role, Error *ret_error)
{
        Retry retry = RETRY_INIT(&nodes_policy, role->clock, role->random, role->step_deadline);
        _cleanup_(identity_done) Identity identity = {};
        _cleanup_(docker_free) Docker *manager = NULL;
        _cleanup_(free) char *address =
                text_format("%s:%u", role->instance.private_ip, PORT_MANAGER);
        int r = address ? read_tls_identity(role, &identity, ret_error) : -ENOMEM;

        if (r == 0)
                r = open_engine(role, address, &identity.tls, &manager, ret_error);
        while (r == 0) {
                _cleanup_(docker_info_done) DockerInfo info = {};
                bool running = false;
                int asked = docker_get_info(manager, role->step_deadline, &info, ret_error);

                if (asked == 0 && info.classic_nodes > 0)
                        return 0;
                r = classic_manager_is_started(role, &running, ret_error);
                if (r == 0 && retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        r = asked < 0 ? asked
                                      : error_set(ret_error,
                                                -EIO,
                                                "cannot verify the Swarm: its manager sees no "
                                                "engine, not even this one; docker logs "
                                                "swarm-manager says why");
        }
        return r;
}

/* The engine, asked over TLS with the certificate that was minted for it. */
static int verify_engine(Role *role, Error *ret_error)
{
        _cleanup_(identity_done) Identity identity = {};
        _cleanup_(docker_info_done) DockerInfo info = {};
        _cleanup_(docker_free) Docker *engine = NULL;
        _cleanup_(free) char *address = NULL;
        SwarmMode mode;
        int r;

        r = role_get_swarm_mode(role, &mode, ret_error);
        if (r == 0)
                r = read_tls_identity(role, &identity, ret_error);
        if (r < 0)
                return r;
        address = text_format("%s:%u", role->instance.private_ip, role_engine_port(mode));
        if (!address)
                return error_set(ret_error, -ENOMEM, "cannot verify the engine: %m");
        r = open_engine(role, address, &identity.tls, &engine, ret_error);
        if (r == 0)
                r = docker_get_info(engine, role->step_deadline, &info, ret_error);
        if (r == 0)
                r = check_engine(role, mode, &info, ret_error);
        if (r == 0 && mode == SWARM_CLASSIC && role->settings->role == ROLE_CONTROL)
                r = verify_manager(role, ret_error);
        return r;
}

/* A user's certificate for this one question, over control's own key: control keeps none, and a new
 * key of Flocker's size would take a second. */
static int mint_user(Role *role, Identity *ret, Error *ret_error)
{
        _cleanup_(pair_done) Pair ca = {}, control = {}, user = {};
        _cleanup_(pair_text_done) PairText text = {};
        int r;

        r = files_read_pair(role->root_fd,
                PATH_FLOCKER "/cluster.crt",
                PATH_FLOCKER "/cluster.key",
                &ca,
                ret_error);
        if (r == 0)
                r = files_read_pair(role->root_fd,
                        PATH_FLOCKER "/control-service.crt",
                        PATH_FLOCKER "/control-service.key",
                        &control,
                        ret_error);
        if (r == FILES_ABSENT)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot verify Flocker: '/" PATH_FLOCKER "' is not complete");
        if (r == 0)
                r = flocker_make_user(&ca,
                        "verify",
                        key_ref(control.key),
                        clock_wall(role->clock),
                        &user,
                        ret_error);
        if (r == 0)
                r = files_format_pair(&user, &text, ret_error);
        if (r == 0) {
                ret->authority = BUFFER_INIT(CERTIFICATE_PEM_MAX);
                r = certificate_format(ca.certificate, &ret->authority, ret_error);
        }
        if (r < 0)
                return r;
        ret->certificate = text.certificate;
        text.certificate = (Buffer){};
        ret->key = TAKE_PTR(text.key);
        return 0;
}

static FlockerControl flocker_at(const Role *role, const char *address, const Identity *identity)
{
        return (FlockerControl){
                .http = role->http,
                .clock = role->clock,
                .random = role->random,
                .address = address,
                .ca_pem = buffer_text(&identity->authority),
                .certificate = buffer_text(&identity->certificate),
                .key = identity->key,
        };
}

/* Control's service under its name; an agent's are units that run. */
static int verify_flocker(Role *role, Error *ret_error)
{
        _cleanup_(identity_done) Identity identity = {};
        _cleanup_(free) char *address =
                text_format("%s:%u", role->instance.private_ip, PORT_FLOCKER_REST);
        FlockerControl control;
        bool started;
        int r;

        if (role->settings->role == ROLE_AGENT) {
                r = step_check_flocker_machine(role, ret_error);
                if (r < 0)
                        return r;
                r = step_flocker_is_started(role, &started, ret_error);
                if (r == 0 && !started)
                        return error_set(ret_error,
                                -EIO,
                                "cannot verify Flocker: flocker-dataset-agent.service or "
                                "flocker-docker-plugin.service does not run any more; see "
                                "journalctl -u flocker-dataset-agent");
                return r;
        }
        r = address ? mint_user(role, &identity, ret_error) : -ENOMEM;
        if (r < 0)
                return r;
        control = flocker_at(role, address, &identity);
        return flocker_control_wait(&control, role->step_deadline, ret_error);
}

int step_verify_node(Role *role, Error *ret_error)
{
        int r = 0;

        if (role_would(role, "ask the engine over TLS, and Flocker's services"))
                return 0;
        if (settings_have(role->settings, COMPONENT_DOCKER))
                r = verify_engine(role, ret_error);
        if (r == 0 && settings_have(role->settings, COMPONENT_FLOCKER))
                r = verify_flocker(role, ret_error);
        return r;
}

/* --- the client: the whole --- */

static int64_t machines(const Role *role)
{
        return role->settings->agents + 1;
}

/* Says what is waited for, once for each count. */
static void say_count(Role *role, const char *what, size_t count, int64_t wanted, size_t *said)
{
        if (count != *said)
                role_say(role, ROLE_WAITING, "%s: %zu of %" PRId64, what, count, wanted);
        *said = count;
}

/* Nodes that have signalled are seen by the managers a moment later. */
static int wait_nodes(Role *role, Docker *engine, SwarmMode mode, Error *ret_error)
{
        Usec deadline = usec_min(role->deadline, clock_deadline(role->clock, NODES_TIME));
        Retry retry = RETRY_INIT(&nodes_policy, role->clock, role->random, deadline);
        size_t said = SIZE_MAX;

        for (;;) {
                _cleanup_(docker_info_done) DockerInfo info = {};
                DockerNodes nodes = {};
                int r;

                if (mode == SWARM_BUILTIN) {
                        r = docker_count_nodes(engine, deadline, &nodes, ret_error);
                } else {
                        r = docker_get_info(engine, deadline, &info, ret_error);
                        nodes.ready = info.classic_nodes > 0 ? (size_t)info.classic_nodes : 0;
                }
                if (r < 0 && r != -EAGAIN && !docker_is_transient(r))
                        return r;
                if (r == 0 && (int64_t)nodes.ready >= machines(role))
                        return 0;
                say_count(role, "the Swarm's ready nodes", nodes.ready, machines(role), &said);
                if (retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return r < 0 ? r
                                     : error_set(ret_error,
                                               -EIO,
                                               "cannot verify the Swarm: %zu of its %" PRId64
                                               " nodes are ready; docker node ls (builtin) or "
                                               "docker info (classic) says which",
                                               nodes.ready,
                                               machines(role));
        }
}

/* An engine that is started anew refuses, or says "not now". One that is silent is behind a rule
 * that is missing: that does not pass. */
static int greet_engine(Role *role, Docker *engine, Error *ret_error)
{
        Usec deadline = usec_min(role->step_deadline, clock_deadline(role->clock, GREET_TIME));
        Retry retry = RETRY_INIT(&nodes_policy, role->clock, role->random, deadline);

        for (;;) {
                int r = docker_ping(engine, deadline, ret_error);
                bool silent = r == -ETIMEDOUT || r == -EHOSTUNREACH;

                if (r == 0 || silent || !docker_is_transient(r) ||
                        retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return r;
        }
}

static int verify_docker(Role *role, const char *control, Error *ret_error)
{
        _cleanup_(identity_done) Identity identity = {};
        _cleanup_(docker_free) Docker *engine = NULL;
        _cleanup_(free) char *address = NULL;
        bool builtin = false;
        SwarmMode mode;
        int r;

        r = role_get_swarm_mode(role, &mode, ret_error);
        if (r == 0)
                r = read_identity(role,
                        PATH_CLIENT_TLS "/ca.pem",
                        PATH_CLIENT_TLS "/cert.pem",
                        PATH_CLIENT_TLS "/key.pem",
                        "mint-client-cert",
                        &identity,
                        ret_error);
        if (r < 0)
                return r;
        address = text_format("%s:%u", control, PORT_ENGINE);
        if (!address)
                return error_set(ret_error, -ENOMEM, "cannot verify the Swarm: %m");
        r = open_engine(role, address, &identity.tls, &engine, ret_error);
        if (r == 0)
                r = greet_engine(role, engine, ret_error);
        if (r == 0 && mode == SWARM_AUTO) /* a standalone manager speaks an API from before */
                r = docker_has_swarm_mode(engine, role->step_deadline, &builtin, ret_error);
        if (r < 0 || mode == SWARM_NONE)
                return r;
        if (mode == SWARM_AUTO)
                mode = builtin ? SWARM_BUILTIN : SWARM_CLASSIC;
        return wait_nodes(role, engine, mode, ret_error);
}

static int verify_flocker_nodes(Role *role, const char *control, Error *ret_error)
{
        Usec deadline = usec_min(role->deadline, clock_deadline(role->clock, NODES_TIME));
        Retry retry = RETRY_INIT(&nodes_policy, role->clock, role->random, deadline);
        _cleanup_(identity_done) Identity identity = {};
        _cleanup_(free) char *address = text_format("%s:%u", control, PORT_FLOCKER_REST);
        FlockerControl service;
        size_t nodes = 0, said = SIZE_MAX;
        int r;

        if (!address)
                return error_set(ret_error, -ENOMEM, "cannot verify Flocker: %m");
        r = read_identity(role,
                "root/" PATH_HOME_FLOCKER "/cluster.crt",
                "root/" PATH_HOME_FLOCKER "/user1.crt",
                "root/" PATH_HOME_FLOCKER "/user1.key",
                "install-client",
                &identity,
                ret_error);
        if (r < 0)
                return r;
        service = flocker_at(role, address, &identity);
        for (;;) {
                r = flocker_control_count_nodes(&service, deadline, &nodes, ret_error);
                if (r < 0 && r != -EAGAIN && !http_is_transient(r))
                        return r;
                if (r == 0 && (int64_t)nodes >= role->settings->agents)
                        return 0;
                say_count(role, "Flocker's agents", nodes, role->settings->agents, &said);
                if (retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return r < 0 ? r
                                     : error_set(ret_error,
                                               -EIO,
                                               "cannot verify Flocker: %zu of %" PRId64
                                               " agents have reached its control service; on an "
                                               "agent journalctl -u flocker-dataset-agent says why",
                                               nodes,
                                               role->settings->agents);
        }
}

int step_verify_cluster(Role *role, Error *ret_error)
{
        _cleanup_(free) char *control = NULL;
        int r;

        if (role_would(role, "wait for every node's signal, and ask the Swarm and Flocker"))
                return 0;
        r = members_wait(role, true, &control, ret_error);
        if (r == 0 && settings_have(role->settings, COMPONENT_DOCKER))
                r = verify_docker(role, control, ret_error);
        if (r == 0 && settings_have(role->settings, COMPONENT_FLOCKER))
                r = verify_flocker_nodes(role, control, ret_error);
        return r;
}
