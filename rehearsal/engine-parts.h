/* What the files of the imitated engine share; for them alone. */

#pragma once

#include "base/json.h"
#include "net/http.h"
#include "rehearsal/http-server.h"
#include "rehearsal/play.h"

#define ENGINE_FILE_MAX  (1024U * 1024U) /* bytes of a body, of a file */
#define ENGINE_HOSTS_MAX 8U

#define ENGINE_CONTAINER_FILE "/var/lib/docker/container-imitation.json"

typedef struct Engine {
        const PlayPart *part;
        EventLoop *loop;
        HttpClient *http;
        Json *config;
        Json *swarm; /* as it is on disk: state, node, manager, cluster, token, nodes */
        Json *container;
        EventChild *manager; /* the classic manager's process */
        int manager_status;
        EventTimer *again; /* starts it again, where its policy says so; NULL: not yet needed */
        TlsContext *tls;
        HttpServer *servers[ENGINE_HOSTS_MAX];
        size_t n_servers;
        HttpServer *swarm_server;
        char name[65];
} Engine;

/* Texts and truths of JSON, with "" and false for what is not there. */
const char *engine_get(const Json *json, const char *key);
bool engine_is_true(const Json *json, const char *key);

/* A part of its state, below its root. */
void engine_save(const Engine *engine, const char *path, const Json *json);

void engine_answer(HttpCall *call, unsigned status, Json *take_json);
void engine_refuse(HttpCall *call, unsigned status, const char *format, ...) _printf_(3, 4);
Json *engine_read_body(HttpCall *call); /* NULL: it is no JSON */

/* Images and containers: engine-containers.c. The last is for /containers/NAME[/VERB]. */
int engine_start_container(Engine *engine, Error *ret_error);
void engine_list_images(Engine *engine, HttpCall *call);
void engine_list_containers(Engine *engine, HttpCall *call);
void engine_create_container(Engine *engine, HttpCall *call);
void engine_serve_container(Engine *engine, HttpCall *call, const char *rest);

/* Swarm mode: engine-swarm.c. */
bool engine_in_swarm(const Engine *engine);
int engine_serve_swarm(Engine *engine, Error *ret_error);
Json *engine_describe_swarm(const Engine *engine);
void engine_swarm_init(Engine *engine, HttpCall *call);
void engine_swarm_join(Engine *engine, HttpCall *call);
void engine_swarm_leave(Engine *engine, HttpCall *call);
void engine_swarm_get(Engine *engine, HttpCall *call);
void engine_swarm_nodes(Engine *engine, HttpCall *call);
