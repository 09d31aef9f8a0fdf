#include "roles/role.h"

#include "aws/endpoint.h"
#include "base/text.h"
#include "certs/given.h"
#include "roles/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SAID_MAX 1024U

static void instance_done(RoleInstance *instance)
{
        metadata_identity_done(&instance->identity);
        free(instance->private_ip);
        free(instance->public_ip);
        free(instance->local_name);
        free(instance->public_name);
        *instance = (RoleInstance){};
}

void role_done(Role *role)
{
        if (role->has_flocker_set)
                s3_store_set_done(&role->flocker_set);
        pair_done(&role->docker_ca);
        role->engine = docker_free(role->engine);
        role->systemd = systemd_free(role->systemd);
        role->pool = key_pool_free(role->pool);
        role->store = s3_store_free(role->store);
        role->session = aws_session_free(role->session);
        instance_done(&role->instance);
}

static void say(const Role *role, RoleNote note, const char *format, va_list arguments)
        _printf_(3, 0);
static void say(const Role *role, RoleNote note, const char *format, va_list arguments)
{
        char text[SAID_MAX];

        (void)vsnprintf(text, sizeof(text), format, arguments);
        text_mend_utf8(text); /* a character that the bound has cut */
        if (role->say)
                role->say(note, text, role->say_userdata);
}

void role_say(const Role *role, RoleNote note, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        say(role, note, format, arguments);
        va_end(arguments);
}

bool role_would(const Role *role, const char *format, ...)
{
        va_list arguments;

        if (!role->dry_run)
                return false;
        va_start(arguments, format);
        say(role, ROLE_WOULD, format, arguments);
        va_end(arguments);
        return true;
}

void role_is_waiting(const char *what, Usec waited, void *userdata)
{
        (void)waited;
        role_say(userdata, ROLE_WAITING, "%s", what);
}

/* A value that an instance may lack. */
static int get_optional(Role *role, const char *path, char **ret, Error *ret_error)
{
        int r = metadata_get_text(role->metadata, path, role->step_deadline, ret, ret_error);

        return r < 0 ? r : 0;
}

int role_read_instance(Role *role, Error *ret_error)
{
        RoleInstance *instance = &role->instance;
        int r;

        if (instance->private_ip)
                return 0;
        instance_done(instance);
        r = metadata_get_identity(
                role->metadata, role->step_deadline, &instance->identity, ret_error);
        if (r == 0)
                r = get_optional(role, "meta-data/public-ipv4", &instance->public_ip, ret_error);
        if (r == 0)
                r = get_optional(
                        role, "meta-data/local-hostname", &instance->local_name, ret_error);
        if (r == 0)
                r = get_optional(
                        role, "meta-data/public-hostname", &instance->public_name, ret_error);
        if (r < 0)
                return r;

        if (!instance->identity.private_ip)
                return error_set(ret_error,
                        -EPROTO,
                        "cannot use this instance: its identity document has no privateIp");
        instance->private_ip = text_copy(instance->identity.private_ip);
        return instance->private_ip ? 0 : error_set(ret_error, -ENOMEM, "cannot begin: %m");
}

int role_get_session(Role *role, AwsSession **ret, Error *ret_error)
{
        AwsSessionOptions options = {
                .http = role->http,
                .credentials = role->credentials,
                .clock = role->clock,
                .random = role->random,
                .region = role->instance.identity.region,
        };
        int r;

        if (!role->session) {
                r = role_read_instance(role, ret_error);
                if (r < 0)
                        return r;
                options.region = role->instance.identity.region;
                r = aws_session_new(&options, &role->session, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = role->session;
        return 0;
}

static int open_store(Role *role, AwsSession *session, Error *ret_error)
{
        S3StoreOptions options = {
                .session = session,
                .url = role->settings->store,
                .nodes = (unsigned)role->settings->agents + 2,
        };
        int r;

        r = aws_endpoint_options_from_environment(
                role->environment, "s3", &options.endpoint, ret_error);
        if (r < 0)
                return r;
        options.endpoint.region = role->instance.identity.region;
        return s3_store_new(&options, &role->store, ret_error);
}

int role_get_store(Role *role, S3Store **ret, Error *ret_error)
{
        AwsSession *session;
        int r;

        if (!role->store) {
                r = role_get_session(role, &session, ret_error);
                if (r == 0)
                        r = open_store(role, session, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = role->store;
        return 0;
}

int role_put_json(Role *role, const char *name, const Buffer *json, Usec deadline, Error *ret_error)
{
        S3Store *store;
        int r = role_get_store(role, &store, ret_error);

        if (r < 0)
                return r;
        return role_fail(s3_store_put(store,
                name,
                "application/json",
                buffer_text(json),
                json->size,
                deadline,
                ret_error));
}

/* As many of Flocker's keys as this role wants: those are what takes a second each. */
static void count_keys(const Settings *settings, size_t wanted[_KEY_KINDS])
{
        if (settings->role == ROLE_CONTROL && settings_have(settings, COMPONENT_FLOCKER))
                wanted[KEY_RSA_4096] = 3 + 2 * (size_t)settings->agents; /* CA, control, client */
}

int role_get_pool(Role *role, KeyPool **ret, Error *ret_error)
{
        size_t wanted[_KEY_KINDS] = {};
        int r;

        if (!role->pool) {
                r = key_pool_new(0, &role->pool, ret_error);
                if (r < 0)
                        return r;
                count_keys(role->settings, wanted);
                if (role->settings->keys)
                        r = given_keys_load(role->settings->keys, wanted, role->pool, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = role->pool;
        return 0;
}

int role_take_key(Role *role, KeyKind kind, Key **ret, Error *ret_error)
{
        KeyPool *pool;
        int r = role_get_pool(role, &pool, ret_error);

        return r < 0 ? r : key_pool_take(pool, kind, role->deadline, ret, ret_error);
}

int role_get_systemd(Role *role, Systemd **ret, Error *ret_error)
{
        SystemdOptions options = {
                .root = role->root, .clock = role->clock, .deadline = role->step_deadline};
        int r;

        if (!role->systemd) {
                r = systemd_open(&options, &role->systemd, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = role->systemd;
        return 0;
}

int role_get_engine(Role *role, Docker **ret, Error *ret_error)
{
        DockerOptions options = {
                .http = role->http,
                .clock = role->clock,
                .random = role->random,
                .root = role->root,
        };
        int r;

        if (!role->engine) {
                r = docker_new(&options, &role->engine, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = role->engine;
        return 0;
}

/* At a boot the engine may be on its way still. One that cannot start says why here. systemd is
 * asked first: a socket that starts its unit takes a connection and answers it once the unit runs,
 * which is never where the unit waits for what we are run by. */
static int reach_engine(Role *role, Docker **ret, Error *ret_error)
{
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        Systemd *systemd = NULL;
        bool known;
        int r = role_get_engine(role, ret, ret_error);

        if (r == 0 && role->dry_run)
                return docker_ping(*ret, role->step_deadline, ret_error);
        if (r == 0)
                r = role_get_systemd(role, &systemd, ret_error);
        if (r == 0)
                r = systemd_get_unit(
                        systemd, "docker.service", role->step_deadline, &unit, ret_error);
        if (r < 0)
                return r;
        known = !text_equal(unit.load_state, "not-found");
        if (known ? !text_equal(unit.active_state, "active")
                  : docker_ping(*ret, role->step_deadline, NULL) < 0)
                r = systemd_start(systemd, "docker.service", role->step_deadline, ret_error);
        return r < 0 ? r : docker_wait(*ret, role->step_deadline, ret_error);
}

int role_get_swarm_mode(Role *role, SwarmMode *ret, Error *ret_error)
{
        const Settings *settings = role->settings;
        Docker *engine = NULL;
        bool builtin;
        int r;

        if (!settings_have(settings, COMPONENT_SWARM) || settings->swarm == SWARM_NONE) {
                *ret = SWARM_NONE;
                return 0;
        }
        if (settings->swarm != SWARM_AUTO) {
                *ret = (SwarmMode)settings->swarm;
                return 0;
        }
        if (settings->role == ROLE_CLIENT) { /* it has no engine of its own to ask */
                *ret = SWARM_AUTO;
                return 0;
        }
        r = reach_engine(role, &engine, ret_error);
        if (r == 0)
                r = docker_has_swarm_mode(engine, role->step_deadline, &builtin, ret_error);
        if (r == 0)
                *ret = builtin ? SWARM_BUILTIN : SWARM_CLASSIC;
        return r;
}

unsigned role_engine_port(SwarmMode mode)
{
        return mode == SWARM_CLASSIC ? PORT_ENGINE_CLASSIC : PORT_ENGINE;
}

int role_fail(int outcome)
{
        if (outcome == S3_STORE_TAKEN)
                return -EEXIST;
        return outcome > 0 ? -EACCES : outcome;
}

int role_set_pending(Role *role, StatePending pending, bool value, Error *ret_error)
{
        unsigned changed = value ? role->state.pending | (unsigned)pending
                                 : role->state.pending & ~(unsigned)pending;

        if (changed == role->state.pending)
                return 0;
        role->state.pending = changed;
        return state_save(role->root_fd, &role->state, ret_error);
}
