/* The parts that this program plays as a process of an instance: "flocker-rehearsal as NAME
 * --root=DIR --address=ADDRESS [--bind=FROM:TO] -- ARGUMENTS". */

#pragma once

#include "base/error.h"

typedef struct PlayPart {
        const char *root;         /* of the instance */
        const char *address;      /* its own */
        const char *bootstrap;    /* flocker-bootstrap's file; NULL: not known */
        const char *const *binds; /* of a container: "/etc/docker/tls:/tls:ro", NULL-ended */
        char **arguments;         /* of the command line, NULL-ended */
} PlayPart;

/* Runs the part to its end; the process's exit status. */
int play_main(int argc, char *argv[]);

/* Tells systemd (or whoever started this part) that it is up: a byte on descriptor 3. */
void play_ready(void);

/* Says why it cannot go on, as the real one would; returns the exit status for that. */
int play_fail(const char *name, const Error *error);

/* Where `path` of the instance, or of the container, lies here; a heap string. */
char *play_path(const PlayPart *part, const char *path);

/* The parts. */
int play_engine(const PlayPart *part);     /* dockerd */
int play_containerd(const PlayPart *part); /* containerd: it is there */
int play_manager(const PlayPart *part);    /* classic Swarm's manager, in a container */
int play_flocker_control(const PlayPart *part);
int play_flocker_agent(const PlayPart *part);  /* the dataset agent */
int play_bootstrap(const PlayPart *part);      /* our own program, as a unit runs it */
int play_flocker_plugin(const PlayPart *part); /* the Docker plugin, the container agent */
