/* One call to a Docker engine, and what it answered: what docker.c and docker-container.c share.
 * Within host/ alone. */

#pragma once

#include "host/docker.h"

#define DOCKER_CALL_TEXT_MAX 4096U

typedef struct DockerCall {
        const char *method;
        const char *path; /* behind the version: "/info" */
        const Json *body; /* NULL: none */
        bool unversioned; /* /_ping: before a version is known */
        unsigned status;
        Json *answer;                    /* NULL: empty, or no JSON */
        char text[DOCKER_CALL_TEXT_MAX]; /* the answer's first bytes, and a NUL behind them */
        size_t text_size;                /* how many: a log has NULs within */
} DockerCall;

void docker_call_done(DockerCall *call);
DEFINE_CLEANUP_IN_PLACE(DockerCall, docker_call_done);

/* An answer of any status is a success here; the engine is asked for its version before the first
 * one. */
int docker_call_perform(Docker *docker, DockerCall *call, Usec deadline, Error *ret_error);

/* The same, and an answer that is not of 2xx is a refusal. `what` is "join the Swarm". */
int docker_call_expect(
        Docker *docker, DockerCall *call, const char *what, Usec deadline, Error *ret_error);

/* "cannot <what>: the Docker engine at '…' says (409): …". -ENOENT for 404, -EEXIST for 409,
 * -EAGAIN for a 503 that may pass, -EIO for the other 5xx, else -EDOM. */
int docker_call_refuse(
        const Docker *docker, const DockerCall *call, const char *what, Error *ret_error);

/* The engine's own words of why not; borrowed. */
const char *docker_call_message(const DockerCall *call);
