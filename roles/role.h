/* What the steps of a role share: the machine they run on, the services they use, and what one
 * step leaves in memory for the next. */

#pragma once

#include "aws/session.h"
#include "aws/signal.h"
#include "certs/pair.h"
#include "certs/pool.h"
#include "host/docker.h"
#include "host/systemd.h"
#include "roles/settings.h"
#include "roles/state.h"
#include "s3/store.h"

#define ROLE_ADDRESSES_MAX 8U

/* What a role tells whoever runs it, as it goes. */
typedef enum RoleNote {
        ROLE_NOTE,    /* a fact worth a line */
        ROLE_WARNING, /* it goes on, but someone should know */
        ROLE_WOULD,   /* dry run: what would change */
        ROLE_WAITING, /* what another machine has not made yet: its name in the store */
} RoleNote;
typedef void (*RoleSay)(RoleNote note, const char *text, void *userdata);

/* This machine, as its metadata has it. Heap strings. */
typedef struct RoleInstance {
        MetadataIdentity identity;
        char *private_ip;
        char *public_ip;   /* NULL: none */
        char *local_name;  /* "ip-10-0-0-1.ec2.internal"; NULL: none */
        char *public_name; /* NULL: none */
} RoleInstance;

typedef struct Role {
        /* Given: borrowed, and alive as long as the role. */
        const Settings *settings;
        const Clock *clock;
        const Random *random;
        HttpClient *http;
        Metadata *metadata;
        AwsCredentialsProvider *credentials;
        char *const *environment; /* for endpoints; NULL: the process's */
        const char *root;         /* the folder that this machine's files lie below: "/" */
        int root_fd;              /* the same, open */
        Usec deadline;            /* of it all, on the clock */
        Usec step_deadline;       /* of the step that runs: set by the runner */
        bool dry_run;
        RoleSay say;
        void *say_userdata;

        /* Made as they are wanted: owned here. */
        RoleInstance instance; /* by read-instance */
        State state;
        AwsSession *session;
        S3Store *store;
        KeyPool *pool;
        Systemd *systemd;
        Docker *engine; /* on its unix socket */
        Pair docker_ca; /* control: its own; agent and client: fetched; the client's without key */
        S3StoreSet flocker_set; /* agent, client: the bundle that was fetched */
        bool has_flocker_set;
} Role;

/* Ends what the role made; what was given stays. */
void role_done(Role *role);
DEFINE_CLEANUP_IN_PLACE(Role, role_done);

/* Says a line to whoever runs the role. */
void role_say(const Role *role, RoleNote note, const char *format, ...) _printf_(3, 4);

/* In a dry run: says "would <format>" and is true. Else false: do it. */
bool role_would(const Role *role, const char *format, ...) _printf_(2, 3);

/* The services, opened at first use; borrowed. Each fails with the sentence. role_store() needs
 * read-instance to have run. */
int role_get_session(Role *role, AwsSession **ret, Error *ret_error);
int role_get_store(Role *role, S3Store **ret, Error *ret_error);
int role_get_pool(Role *role, KeyPool **ret, Error *ret_error);
int role_get_systemd(Role *role, Systemd **ret, Error *ret_error);
int role_get_engine(Role *role, Docker **ret, Error *ret_error);

/* Puts JSON into the store, as a step's failure has it. */
int role_put_json(
        Role *role, const char *name, const Buffer *json, Usec deadline, Error *ret_error);

/* An expected outcome of a layer below (positive) that a step has no other way out of, as an error:
 * -EEXIST for a store that another has filled, -EACCES. 0 and errors stay what they are. */
int role_fail(int outcome);

/* Remembers, on disk, that a change has not taken effect yet; or that it has. */
int role_set_pending(Role *role, StatePending pending, bool value, Error *ret_error);

/* Fills role->instance from metadata, once. */
int role_read_instance(Role *role, Error *ret_error);

/* A key of the kind, from the pool; waits to the role's deadline. */
int role_take_key(Role *role, KeyKind kind, Key **ret, Error *ret_error);

/* For S3StoreWaiting: says what is waited for. `userdata` is the Role. */
void role_is_waiting(const char *what, Usec waited, void *userdata);

/* "builtin" or "classic" for SWARM_AUTO, by what the engine can; a client has none, and is left
 * with SWARM_AUTO; SWARM_NONE without swarm among the components. Asks the engine only for
 * SWARM_AUTO. */
int role_get_swarm_mode(Role *role, SwarmMode *ret, Error *ret_error);

/* The port that the engine listens on: 2375 in classic mode, 2376 in the others. */
unsigned role_engine_port(SwarmMode mode);
