/* An instance as a systemd-nspawn container: real systemd as init, and all that its image holds.
 *
 * Its root is an overlay over the image; `root` is the folder that takes what the machine writes,
 * and so can be read as the folder of a process-tree instance is. cloud-init runs the user-data;
 * what that prints is read off cloud-init's log. The console is in <root>.console.
 */

#pragma once

#include "rehearsal/machines.h"

typedef struct Container Container;

typedef struct ContainerOptions {
        EventLoop *loop;
        Machines *machines;
        const char *name, *root, *address; /* copied */
        const char *services;              /* AWS_ENDPOINT_URL of all that runs in it */
        const char *s3;                    /* AWS_ENDPOINT_URL_S3; NULL: none */
        void (*said)(const char *line, void *userdata);
        void (*ended)(int status, void *userdata); /* cloud-init, once in each boot: 0 or 1 << 8 */
        void *userdata;
} ContainerOptions;

int container_new(const ContainerOptions *options, Container **ret, Error *ret_error);

/* Kills it, and leaves `root` alone. NULL is allowed; returns NULL. */
Container *container_free(Container *container);
DEFINE_CLEANUP(Container *, container_free);

pid_t container_leader(const Container *container);    /* its init; 0: it does not run */
bool container_is_booting(const Container *container); /* cloud-init has not ended yet */

/* Boots one that does not run; -EALREADY. */
int container_start(Container *container, Error *ret_error);
void container_stop(Container *container); /* an orderly poweroff begins */
int container_move(Container *container, const char *address, Error *ret_error);
