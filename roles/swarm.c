/* start-swarm, join-swarm: the engine's own swarm mode, or the standalone manager. */

#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"
#include "roles/classic.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define WORKER       "swarm/worker.json"
#define MANAGERS_MAX 16U
#define JOIN_TIME    (60 * USEC_PER_SEC) /* a manager that does not answer for so long will not */

static const RetryPolicy join_policy = {
        .name = "join",
        .base = {200 * USEC_PER_MSEC, USEC_PER_SEC, 200 * USEC_PER_MSEC},
        .cap = 2 * USEC_PER_SEC,
};

static int get_info(Role *role, DockerInfo *ret, Error *ret_error)
{
        Docker *engine;
        int r = role_get_engine(role, &engine, ret_error);

        return r < 0 ? r : docker_get_info(engine, role->step_deadline, ret, ret_error);
}

/* An image may have brought its Swarm along. */
static int leave_foreign_swarm(Role *role, Error *ret_error)
{
        Docker *engine = NULL;
        int r;

        if (!(role->state.pending & STATE_PENDING_LEAVE))
                return 0;
        r = role_get_engine(role, &engine, ret_error);
        if (r == 0)
                r = docker_swarm_leave(engine, role->step_deadline, ret_error);
        return r < 0 ? r : role_set_pending(role, STATE_PENDING_LEAVE, false, ret_error);
}

/* -EDOM unless the engine is in no Swarm, or in one that works. */
static int check_swarm_state(const DockerInfo *info, Error *ret_error)
{
        switch (info->swarm) {
        case DOCKER_SWARM_INACTIVE:
        case DOCKER_SWARM_PENDING:
        case DOCKER_SWARM_ACTIVE:
                return 0;
        case DOCKER_SWARM_LOCKED:
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the engine's Swarm: it is locked; unlock it (docker swarm "
                        "unlock), or leave it (docker swarm leave --force)");
        case DOCKER_SWARM_ERROR:
                break;
        }
        return error_set(ret_error,
                -EDOM,
                "cannot use the engine's Swarm: %s; leave it (docker swarm leave --force)",
                info->swarm_error[0] ? info->swarm_error : "it is in error");
}

/* The engine's state, once it is in a Swarm of its own or in none. */
static int begin(Role *role, DockerInfo *ret, Error *ret_error)
{
        int r = leave_foreign_swarm(role, ret_error);

        if (r == 0)
                r = get_info(role, ret, ret_error);
        return r == 0 ? check_swarm_state(ret, ret_error) : r;
}

static int publish_worker(Role *role, const Secret *token, const char *node, Error *ret_error)
{
        _cleanup_(json_free) Json *json = json_new_object();
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(16 * 1024);
        _cleanup_(free) char *address = text_format("%s:%u", role->instance.private_ip, PORT_SWARM);
        Json *addresses = json_new_array();
        int r;

        r = json_set(json, "addresses", addresses);
        if (r == 0)
                r = json_append(addresses, json_new_text(address));
        if (r == 0)
                r = json_set_text(json, "token", secret_data(token));
        if (r == 0)
                r = json_format(json, JSON_INDENTED, &text);
        if (r < 0)
                return error_set(ret_error, r, "cannot write '" WORKER "': %m");

        r = role_put_json(role, WORKER, &text, role->step_deadline, ret_error);
        if (r < 0)
                return r;
        (void)text_put(role->state.worker, sizeof(role->state.worker), node);
        return state_save(role->root_fd, &role->state, ret_error);
}

static int start_builtin(Role *role, Error *ret_error)
{
        _cleanup_(docker_info_done) DockerInfo info = {};
        _cleanup_(secret_free) Secret *token = NULL;
        int r;

        r = begin(role, &info, ret_error);
        if (r == 0 && (info.swarm == DOCKER_SWARM_INACTIVE || !info.manager)) {
                r = docker_swarm_init(
                        role->engine, role->instance.private_ip, role->step_deadline, ret_error);
                docker_info_done(&info);
                info = (DockerInfo){};
                if (r == 0)
                        r = get_info(role, &info, ret_error);
        }
        if (r == 0)
                r = docker_swarm_get_worker_token(
                        role->engine, role->step_deadline, &token, ret_error);
        return r < 0 ? r : publish_worker(role, token, info.node_id, ret_error);
}

int step_swarm_is_started(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(docker_info_done) DockerInfo info = {};
        SwarmMode mode;
        int r = role_get_swarm_mode(role, &mode, ret_error);

        *ret = mode == SWARM_NONE;
        if (r < 0 || mode == SWARM_NONE)
                return r;
        if (mode == SWARM_CLASSIC)
                return classic_manager_is_started(role, ret, ret_error);
        if (!role->state.worker[0])
                return 0;
        r = get_info(role, &info, ret_error);
        if (r == 0)
                *ret = info.swarm == DOCKER_SWARM_ACTIVE && info.manager &&
                       text_equal(info.node_id, role->state.worker);
        return r;
}

int step_start_swarm(Role *role, Error *ret_error)
{
        SwarmMode mode;
        int r = role_get_swarm_mode(role, &mode, ret_error);

        if (r < 0 || mode == SWARM_NONE)
                return r;
        if (mode == SWARM_CLASSIC)
                return classic_start_manager(role, ret_error);
        if (role_would(role,
                    "make a Swarm at %s:%u and publish " WORKER,
                    role->instance.private_ip,
                    PORT_SWARM))
                return 0;
        return start_builtin(role, ret_error);
}

typedef struct Worker {
        Json *json;
        const char *managers[MANAGERS_MAX + 1]; /* NULL-ended */
        Secret *token;
} Worker;

static void worker_done(Worker *worker)
{
        (void)json_free(worker->json);
        (void)secret_free(worker->token);
}
DEFINE_CLEANUP_IN_PLACE(Worker, worker_done);

static int parse_worker(const Secret *text, Worker *ret, Error *ret_error)
{
        const Json *addresses = NULL;
        int r;

        r = json_parse_secret(WORKER, secret_data(text), secret_size(text), &ret->json, ret_error);
        if (r == 0)
                r = json_get_array(ret->json, WORKER, "addresses", &addresses, ret_error);
        if (r == 0)
                r = json_get_secret(ret->json, WORKER, "token", &ret->token, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_count(addresses) && i < MANAGERS_MAX; i++)
                ret->managers[i] = json_text(json_element(addresses, i));
        if (!ret->managers[0] || secret_size(ret->token) == 0)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '" WORKER "': it has no manager's address, or no token");
        return 0;
}

/* What became of a join that the engine did not see the end of: it goes on in the background, and
 * another one would be refused then. */
static int look_at_join(Role *role, DockerSwarmState *ret, Error *ret_error)
{
        _cleanup_(docker_info_done) DockerInfo info = {};
        int r = get_info(role, &info, ret_error);

        if (r == 0)
                *ret = info.swarm;
        return r;
}

/* A manager that was just told to begin may not answer yet; a token that is wrong stays wrong. */
static int join(Role *role, const Worker *worker, Error *ret_error)
{
        Usec deadline = usec_min(role->deadline, clock_deadline(role->clock, JOIN_TIME));
        Retry retry = RETRY_INIT(&join_policy, role->clock, role->random, deadline);
        DockerSwarmState swarm = DOCKER_SWARM_INACTIVE;
        int r = -EAGAIN;

        for (;;) {
                if (swarm == DOCKER_SWARM_INACTIVE || swarm == DOCKER_SWARM_ERROR)
                        r = docker_swarm_join(role->engine,
                                role->instance.private_ip,
                                worker->managers,
                                worker->token,
                                deadline,
                                ret_error);
                if (r != -EAGAIN || retry_wait(&retry, RETRY_TRANSIENT, 0) != RETRY_AGAIN)
                        return r;
                if (look_at_join(role, &swarm, NULL) == 0 && swarm == DOCKER_SWARM_ACTIVE)
                        return 0;
        }
}

static int join_builtin(Role *role, Error *ret_error)
{
        _cleanup_(docker_info_done) DockerInfo info = {};
        _cleanup_(secret_free) Secret *text = NULL;
        _cleanup_(worker_done) Worker worker = {};
        S3Store *store;
        int r;

        r = begin(role, &info, ret_error);
        if (r == 0)
                r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = role_fail(s3_store_wait_object(
                        store, WORKER, role->deadline, role_is_waiting, role, &text, ret_error));
        if (r == 0)
                r = parse_worker(text, &worker, ret_error);
        return r < 0 ? r : join(role, &worker, ret_error);
}

int step_swarm_is_joined(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(docker_info_done) DockerInfo info = {};
        SwarmMode mode;
        int r = role_get_swarm_mode(role, &mode, ret_error);

        *ret = mode == SWARM_NONE;
        if (r < 0 || mode == SWARM_NONE)
                return r;
        if (mode == SWARM_CLASSIC)
                return classic_member_is_known(role, ret, ret_error);
        if (role->state.pending & STATE_PENDING_LEAVE)
                return 0;
        r = get_info(role, &info, ret_error);
        if (r == 0)
                *ret = info.swarm == DOCKER_SWARM_ACTIVE;
        return r;
}

int step_join_swarm(Role *role, Error *ret_error)
{
        SwarmMode mode;
        int r = role_get_swarm_mode(role, &mode, ret_error);

        if (r < 0 || mode == SWARM_NONE)
                return r;
        if (mode == SWARM_CLASSIC)
                return classic_announce_member(role, ret_error);
        if (role_would(role, "wait for " WORKER " and join its Swarm"))
                return 0;
        return join_builtin(role, ret_error);
}
