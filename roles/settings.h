/* What a machine is told to become. Plain data: where it comes from is agent/settings.h's. */

#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/secret.h"
#include "base/yaml.h"

#include <stdbool.h>

#define SETTINGS_AGENTS_MAX 1000

typedef enum RoleKind {
        ROLE_NONE, /* not told */
        ROLE_CONTROL,
        ROLE_AGENT,
        ROLE_CLIENT,
        _ROLE_KINDS,
} RoleKind;

/* "control", "agent", "client" by RoleKind less one; NULL-ended. */
extern const char *const role_names[];
const char *role_kind_name(RoleKind kind); /* "none" for ROLE_NONE */

typedef enum Component {
        COMPONENT_FLOCKER = 1U << 0,
        COMPONENT_DOCKER = 1U << 1,
        COMPONENT_SWARM = 1U << 2, /* needs docker */
} Component;

extern const char *const component_names[]; /* by bit; NULL-ended */

typedef enum SwarmMode {
        SWARM_AUTO,    /* builtin where the engine's API has it, else classic */
        SWARM_BUILTIN, /* the engine's own swarm mode (API 1.24 and newer) */
        SWARM_CLASSIC, /* the standalone manager as a container on control */
        SWARM_NONE,
} SwarmMode;

extern const char *const swarm_names[]; /* NULL-ended */

typedef enum SettingSource {
        SETTING_DEFAULT,
        SETTING_TAG,
        SETTING_DOCUMENT,
        SETTING_COMMAND_LINE,
} SettingSource;

/* Heap strings may be NULL where "none" stands. Owned by the Settings. */
typedef struct Settings {
        int role;             /* RoleKind */
        char *cluster;        /* its name; "flocker" by default */
        char *store;          /* "s3://bucket/prefix"; required */
        int64_t node;         /* control 0, agents from 1; -1: none (a client) */
        int64_t agents;       /* how many the cluster has */
        unsigned components;  /* of Component; all by default */
        int swarm;            /* SwarmMode */
        char *swarm_image;    /* classic: the manager's image */
        char *image_version;  /* which the machine image's stamp has to say; none: whatever */
        Secret *signal;       /* the wait condition handle's URL; NULL: nobody is told */
        Usec timeout;         /* of the wait condition */
        Usec step_timeout;    /* of a step that waits for no other machine */
        bool keep_secrets;    /* the client's last step leaves private material in the store */
        int docker_key;       /* KeyKind of what is minted for Docker */
        char *login_user;     /* whom the client's machine is for; none: the user of uid 1000 */
        char *dataset_secret; /* ARN or name of a Secrets Manager secret; none */
        char *keys;           /* a folder of keys that exist already (certs/given.h); none */

        /* The dataset mapping of agent.yml, passed through; NULL: backend aws. It lies in
         * `document`. */
        const YamlNode *dataset;
        YamlDocument *document; /* NULL: there is none */
        char *document_name;    /* for sentences: a path, "user-data"; NULL with document NULL */
        Digest document_digest; /* of its text; of no bytes without one */
} Settings;

void settings_done(Settings *settings);
DEFINE_CLEANUP_IN_PLACE(Settings, settings_done);

static inline bool settings_have(const Settings *settings, Component component)
{
        return (settings->components & (unsigned)component) != 0;
}
