/* One instance of the embedded cloud: a folder that is its root, a metadata service, a systemd, and
 * a process tree that runs its user-data as cloud-init would.
 *
 * User-data whose first line is "#!/usr/bin/flocker-bootstrap WORDS" runs the program that stands
 * beside this one, with "--root=<the instance's root>" behind the words and the user-data's file as
 * operand, as the kernel would. The output goes to <root>/var/log/cloud-init-output.log. Its
 * environment is what cloud-init gives (PATH, LANG; no HOME), and the addresses of the cloud.
 */

#pragma once

#include "rehearsal/cloud.h"

typedef struct Container Container;
typedef struct Instance Instance;
typedef struct Machines Machines;
typedef struct MetadataHost MetadataHost;

typedef struct InstanceOptions {
        EventLoop *loop;
        Cloud *cloud;
        Machines *machines;    /* it is a container among them; NULL: a process tree */
        const char *name;      /* logical id's stem: "AgentNode1" */
        const char *root;      /* a folder to be made */
        const char *address;   /* its private one, of 127.0.0.0/8 */
        const char *rehearsal; /* this program's file */
        const char *bootstrap; /* flocker-bootstrap's */
        const char *instance_type, *image_id, *zone;
        const char *role_name;
        CloudPrincipal *principal;
        Usec keys_lifetime;
        const char *user_data;
        const char *fault; /* "STEP:KIND"; NULL: none */
        const char *keys;  /* a folder of given keys; NULL: none */
        bool tokens_required;
        void (*said)(const char *line, void *userdata); /* a line that its user-data prints */
        void (*ended)(int status, void *userdata);      /* its user-data, as waitpid(2) has it */
        void *userdata;
} InstanceOptions;

/* Makes it, boots it, and runs its user-data. */
int instance_new(const InstanceOptions *options, Instance **ret, Error *ret_error);

/* Ends all of it; its root stays. Returns NULL. */
Instance *instance_free(Instance *instance);

const char *instance_name(const Instance *instance);
const char *instance_id(const Instance *instance); /* "i-0abc…" */
const char *instance_address(const Instance *instance);
const char *instance_root(const Instance *instance);
const char *instance_metadata(const Instance *instance); /* the endpoint */
Usec instance_launched(const Instance *instance);        /* wall */

bool instance_is_running(const Instance *instance); /* its user-data has not ended yet */

/* Stops and starts it, as an update of a stack does whose user-data has changed: what is enabled
 * starts again, the metadata service gives the new user-data, and nobody runs that, as cloud-init
 * has run once on this instance. Not for containers: -EOPNOTSUPP. */
int instance_restart(Instance *instance, const char *user_data, Error *ret_error);

/* Runs the user-data again, as a person or the unit at boot would. */
int instance_run(Instance *instance, Error *ret_error);

/* --- of containers alone --- */

Container *instance_container(const Instance *instance); /* NULL: it is none */
MetadataHost *instance_metadata_host(const Instance *instance);
const char *instance_user_data(const Instance *instance); /* NULL: none */

/* What metadata gives from now on; nothing is run. */
int instance_set_user_data(Instance *instance, const char *user_data, Error *ret_error);

/* Its private address from now on. */
int instance_move(Instance *instance, const char *address, Error *ret_error);

/* Another one of the same kind, with an identity of its own; it belongs to the machines. */
int instance_new_like(const Instance *model,
        const char *name,
        const char *address,
        const char *user_data,
        Instance **ret,
        Error *ret_error);

/* Its end, by somebody's will; who has made it frees it. */
void instance_terminate(Instance *instance);
