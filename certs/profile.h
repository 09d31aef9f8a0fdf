/* The profiles of all certificates that this program makes: one table.
 *
 * Sources: Flocker 1.15, flocker/ca/_ca.py and flocker/ca/_validation.py (subjects, extensions, 20
 * years, RSA-4096); RFC 5280 (versions, key usages, validity); Go's crypto/x509, which is Docker's
 * verifier (a SAN is required, EKU is enforced).
 */

#pragma once

#include "certs/key.h"

typedef enum ProfileId {
        PROFILE_FLOCKER_CLUSTER, /* CN=<cluster name>, OU=<cluster uuid> */
        PROFILE_FLOCKER_CONTROL, /* CN=control-service */
        PROFILE_FLOCKER_NODE,    /* CN=node-<uuid> */
        PROFILE_FLOCKER_USER,    /* CN=user-<name> */
        PROFILE_DOCKER_CA,
        PROFILE_DOCKER_NODE, /* an engine: it serves, and calls the Swarm manager */
        PROFILE_DOCKER_CLIENT,
        _PROFILES,
} ProfileId;

#define PROFILE_EXTENSIONS_MAX 8U

/* An extension as X509V3_EXT_nconf_nid reads it. */
typedef struct ProfileExtension {
        int nid; /* OpenSSL's; 0: no more */
        bool critical;
        const char *value;     /* NULL: subjectAltName, from the request's names */
        const char *rsa_value; /* for an RSA key; NULL: value */
} ProfileExtension;

typedef struct Profile {
        const char *name;        /* "flocker-node" */
        const char *description; /* "Flocker node agent" */
        const char *cn_prefix;   /* what the subject's CN starts with; "" : anything */
        ProfileId issuer;        /* its own: self-issued */
        bool authority;
        bool cluster_uuid;                                   /* OU holds the cluster's UUID */
        bool server;                                         /* it is presented by servers */
        bool client;                                         /* it is presented by clients */
        unsigned days;                                       /* of validity */
        ProfileExtension extensions[PROFILE_EXTENSIONS_MAX]; /* in this order */
} Profile;

extern const Profile profiles[_PROFILES];

/* A clock before this program was written has lost the time, and what it certified would be for a
 * past that no peer lives in. 2026-01-01T00:00:00Z */
#define PROFILE_WALL_MIN (1767225600 * USEC_PER_SEC)

#define PROFILE_BACKDATE_SECONDS 3600 /* clocks that disagree by less than an hour do no harm */
