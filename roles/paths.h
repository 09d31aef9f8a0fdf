/* Where things lie on this machine, below its root. */

#pragma once

#define PATH_STATE         "var/lib/flocker-bootstrap"
#define PATH_STATE_FILE    PATH_STATE "/state.json"
#define PATH_JOURNAL       PATH_STATE "/journal.jsonl"
#define PATH_LOCK          PATH_STATE "/lock"
#define PATH_INSTANCE      PATH_STATE "/instance.json"
#define PATH_DOCKER_CA     PATH_STATE "/docker-ca"
#define PATH_FLOCKER_CA    PATH_STATE "/flocker-ca"
#define PATH_BUNDLES       PATH_STATE "/bundles"   /* Flocker sets that are not in the store yet */
#define PATH_CONTROL_SET   PATH_BUNDLES "/control" /* control's own, until it is installed */
#define PATH_DOCKER_BEFORE PATH_STATE "/docker-before" /* its configuration as it was */
#define PATH_MEMBERS       PATH_STATE "/swarm"      /* classic: the manager's member file and TLS */
#define PATH_CLIENT_TLS    PATH_STATE "/client-tls" /* the client's Docker certificate */
#define PATH_IMAGE_STAMP   "usr/lib/flocker-bootstrap/image.json" /* of who built the image */
#define PATH_DOCKER_TLS    "etc/docker/tls"
#define PATH_DOCKER_KEY    "etc/docker/key.json" /* the engine's identity: images share it */
#define PATH_DAEMON_JSON   "etc/docker/daemon.json"
#define PATH_DROP_IN       "etc/systemd/system/docker.service.d/flocker-bootstrap.conf"
#define PATH_FLOCKER       "etc/flocker"
#define PATH_PROFILE       "etc/profile.d/flocker-bootstrap.sh"
#define PATH_HOME_DOCKER   ".docker"  /* in a home */
#define PATH_HOME_FLOCKER  ".flocker" /* likewise */
#define PATH_PASSWD        "etc/passwd"

#define PORT_ENGINE         2376U
#define PORT_ENGINE_CLASSIC 2375U
#define PORT_MANAGER        2376U /* classic: the Swarm manager's */
#define PORT_SWARM          2377U /* builtin: the managers' own */
#define PORT_FLOCKER_REST   4523U
#define PORT_FLOCKER_AGENTS 4524U
