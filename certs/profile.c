#include "certs/profile.h"

#include <openssl/obj_mac.h>

#define FLOCKER_DAYS     (20U * 365U)
#define DOCKER_CA_DAYS   (10U * 365U)
#define DOCKER_LEAF_DAYS 365U

/* RFC 5280, 4.2.1.3: what a TLS peer does with its key; RSA key exchange wants keyEncipherment too.
 */
#define LEAF_KEY_USAGE                                                                      \
        {                                                                                   \
                NID_key_usage, true, "digitalSignature", "digitalSignature,keyEncipherment" \
        }
#define AUTHORITY                                                         \
        {NID_basic_constraints, true, "CA:TRUE,pathlen:0", NULL},         \
                {NID_key_usage, true, "keyCertSign,cRLSign", NULL},       \
                {NID_subject_key_identifier, false, "hash", NULL},        \
        {                                                                 \
                NID_authority_key_identifier, false, "keyid:always", NULL \
        }

const Profile profiles[_PROFILES] = {
        [PROFILE_FLOCKER_CLUSTER] =
                {
                        .name = "flocker-cluster",
                        .description = "Flocker cluster authority",
                        .cn_prefix = "",
                        .issuer = PROFILE_FLOCKER_CLUSTER,
                        .authority = true,
                        .cluster_uuid = true,
                        .days = FLOCKER_DAYS,
                        .extensions = {AUTHORITY},
                },
        [PROFILE_FLOCKER_CONTROL] =
                {
                        .name = "flocker-control",
                        .description = "Flocker control service",
                        .cn_prefix = "control-service",
                        .issuer = PROFILE_FLOCKER_CLUSTER,
                        .cluster_uuid = true,
                        .server = true,
                        .days = FLOCKER_DAYS,
                        .extensions = {{NID_subject_alt_name, false, NULL, NULL}},
                },
        [PROFILE_FLOCKER_NODE] =
                {
                        .name = "flocker-node",
                        .description = "Flocker node agent",
                        .cn_prefix = "node-",
                        .issuer = PROFILE_FLOCKER_CLUSTER,
                        .cluster_uuid = true,
                        .client = true,
                        .days = FLOCKER_DAYS,
                },
        [PROFILE_FLOCKER_USER] =
                {
                        .name = "flocker-user",
                        .description = "Flocker API user",
                        .cn_prefix = "user-",
                        .issuer = PROFILE_FLOCKER_CLUSTER,
                        .cluster_uuid = true,
                        .client = true,
                        .days = FLOCKER_DAYS,
                        .extensions = {{NID_ext_key_usage, false, "clientAuth", NULL}},
                },
        [PROFILE_DOCKER_CA] =
                {
                        .name = "docker-ca",
                        .description = "Docker authority",
                        .cn_prefix = "",
                        .issuer = PROFILE_DOCKER_CA,
                        .authority = true,
                        .days = DOCKER_CA_DAYS,
                        .extensions = {AUTHORITY},
                },
        [PROFILE_DOCKER_NODE] =
                {
                        .name = "docker-node",
                        .description = "Docker engine",
                        .cn_prefix = "",
                        .issuer = PROFILE_DOCKER_CA,
                        .server = true,
                        .client = true,
                        .days = DOCKER_LEAF_DAYS,
                        .extensions = {{NID_basic_constraints, true, "CA:FALSE", NULL},
                                LEAF_KEY_USAGE,
                                {NID_ext_key_usage, false, "clientAuth,serverAuth", NULL},
                                {NID_subject_key_identifier, false, "hash", NULL},
                                {NID_authority_key_identifier, false, "keyid:always", NULL},
                                {NID_subject_alt_name, false, NULL, NULL}},
                },
        [PROFILE_DOCKER_CLIENT] =
                {
                        .name = "docker-client",
                        .description = "Docker client",
                        .cn_prefix = "",
                        .issuer = PROFILE_DOCKER_CA,
                        .client = true,
                        .days = DOCKER_LEAF_DAYS,
                        .extensions = {{NID_basic_constraints, true, "CA:FALSE", NULL},
                                LEAF_KEY_USAGE,
                                {NID_ext_key_usage, false, "clientAuth", NULL},
                                {NID_subject_key_identifier, false, "hash", NULL},
                                {NID_authority_key_identifier, false, "keyid:always", NULL}},
                },
};
