/* A Docker engine, over its HTTP API: on this machine's unix socket, or anywhere over TLS.
 *
 * The API's version is negotiated by /_ping and /version. Refusals carry the engine's own message:
 * "cannot join the swarm of '10.0.0.1:2377': the engine says: …". Source: Docker Engine API
 * reference.
 */

#pragma once

#include "base/json.h"
#include "base/random.h"
#include "net/http.h"

#define DOCKER_NODES_MAX  2000U
#define DOCKER_LABELS_MAX 64U

typedef struct Docker Docker;

typedef struct DockerOptions {
        HttpClient *http; /* borrowed */
        const Clock *clock;
        const Random *random;
        const char *root;    /* its socket is <root>/run/docker.sock; NULL with an address */
        const char *address; /* "10.0.0.1:2376", always with TLS; NULL: the socket */
        const HttpTls *tls;  /* for the address; borrowed */
} DockerOptions;

int docker_new(const DockerOptions *options, Docker **ret, Error *ret_error);
Docker *docker_free(Docker *docker);
DEFINE_CLEANUP(Docker *, docker_free);

/* GET /_ping, once; negotiates the version. -ECONNREFUSED, -ENOENT (no socket), -EPROTO (TLS), … */
int docker_ping(Docker *docker, Usec deadline, Error *ret_error);

/* Another try may not meet this failure: no connection, a time-out, or -EAGAIN, which is the
 * engine's own "not now". */
bool docker_is_transient(int code);

/* Until it answers. */
int docker_wait(Docker *docker, Usec deadline, Error *ret_error);

/* Swarm mode came with API 1.24 (Engine 1.12). */
int docker_has_swarm_mode(Docker *docker, Usec deadline, bool *ret, Error *ret_error);

typedef enum DockerSwarmState {
        DOCKER_SWARM_INACTIVE, /* it is in none; or the engine knows no swarm mode */
        DOCKER_SWARM_PENDING,
        DOCKER_SWARM_ACTIVE,
        DOCKER_SWARM_LOCKED,
        DOCKER_SWARM_ERROR,
} DockerSwarmState;

/* What GET /info says. Heap strings. */
typedef struct DockerInfo {
        char *server_version;
        char *name;
        char *labels[DOCKER_LABELS_MAX + 1]; /* NULL-ended; more are left out */
        bool live_restore;
        DockerSwarmState swarm;
        char *swarm_error;  /* "": none */
        char *swarm_id;     /* the cluster's; "" on workers and outside of one */
        char *node_id;      /* "" outside of one */
        char *node_address; /* likewise */
        bool manager;
        int64_t classic_nodes; /* a classic manager's count of engines; -1: it is none */
} DockerInfo;

int docker_get_info(Docker *docker, Usec deadline, DockerInfo *ret, Error *ret_error);
void docker_info_done(DockerInfo *info);
DEFINE_CLEANUP_IN_PLACE(DockerInfo, docker_info_done);

/* Swarm mode. `address` is this node's own, private. */
int docker_swarm_init(Docker *docker, const char *address, Usec deadline, Error *ret_error);
int docker_swarm_join(Docker *docker,
        const char *address,
        const char *const *managers, /* "10.0.0.1:2377", NULL-ended */
        const Secret *token,
        Usec deadline,
        Error *ret_error);
int docker_swarm_leave(Docker *docker, Usec deadline, Error *ret_error);
int docker_swarm_get_worker_token(Docker *docker, Usec deadline, Secret **ret, Error *ret_error);

/* How many nodes a manager knows, and how many of them are ready. */
typedef struct DockerNodes {
        size_t known, ready;
} DockerNodes;
int docker_count_nodes(Docker *docker, Usec deadline, DockerNodes *ret, Error *ret_error);

/* A container that is to run, and to run again whenever the engine does. */
typedef struct DockerContainer {
        const char *name;
        const char *image;
        const char *const *command; /* NULL-ended */
        const char *const *binds;   /* "/host:/inside:ro", NULL-ended */
} DockerContainer;

/* Makes and starts it, with the host's network. One of that name that runs is left as it is; one
 * that has ended is made anew. -ENOENT: the image is not on this machine. */
int docker_run(Docker *docker, const DockerContainer *container, Usec deadline, Error *ret_error);
/* *ret: it runs. One that has ended is -EIO with its exit code and last lines; none is false. */
int docker_is_running(Docker *docker, const char *name, Usec deadline, bool *ret, Error *ret_error);
int docker_remove(Docker *docker, const char *name, Usec deadline, Error *ret_error);
