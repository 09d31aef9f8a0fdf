/* The metadata service of one instance, on its own address: IMDSv2, and version 1 where the
 * template leaves HttpTokens optional. Source: EC2 User Guide, "Use the Instance Metadata Service".
 */

#pragma once

#include "rehearsal/cloud.h"
#include "rehearsal/http-server.h"

typedef struct MetadataHost MetadataHost;

/* Texts are copied. */
typedef struct MetadataHostOptions {
        EventLoop *loop;
        const char *address; /* its own, private */
        const char *instance_id, *instance_type, *image_id, *zone;
        const char *role_name;     /* of the instance profile; NULL: it has none */
        CloudPrincipal *principal; /* whose credentials it gives; NULL with role_name NULL */
        Usec keys_lifetime;
        const char *user_data; /* NULL: none */
        bool tokens_required;
        bool shared;      /* no server of its own: whoever has the real address passes calls on */
        Usec launched;    /* wall */
        FaultSet *faults; /* NULL: none */
} MetadataHostOptions;

int metadata_host_new(const MetadataHostOptions *options, MetadataHost **ret, Error *ret_error);
MetadataHost *metadata_host_free(MetadataHost *host);
DEFINE_CLEANUP(MetadataHost *, metadata_host_free);

/* Answers a call that was made elsewhere. */
void metadata_host_answer(MetadataHost *host, HttpCall *call);

const char *metadata_host_endpoint(const MetadataHost *host); /* "http://127.0.0.1:4002" */
