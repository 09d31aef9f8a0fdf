/* What the files of the cloud share; for them alone. */

#pragma once

#include "base/digest.h"
#include "rehearsal/cloud.h"

#define CLOUD_KEY_MAX     1024U
#define CLOUD_OBJECTS_MAX 100000U
#define CLOUD_ETAG_MAX    40U

typedef struct CloudObject {
        char *key;
        Buffer content;
        char etag[CLOUD_ETAG_MAX]; /* with its quotes */
        char *checksum;            /* x-amz-checksum-sha256, base64 */
        char *content_type;
        Usec modified; /* wall */
} CloudObject;

typedef struct CloudBucket {
        struct CloudBucket *next;
        char name[CLOUD_BUCKET_MAX];
        CloudObject *objects; /* sorted by key */
        size_t n_objects;
} CloudBucket;

typedef struct CloudSecret {
        struct CloudSecret *next;
        char *arn, *text;
} CloudSecret;

typedef struct CloudIssued {
        struct CloudIssued *next;
        CloudKeys keys;
        CloudPrincipal *principal;
} CloudIssued;

struct CloudPrincipal {
        CloudPrincipal *next;
        Cloud *cloud;
        char *name;
        PolicySet policies;
};

struct CloudHandle {
        CloudHandle *next;
        Cloud *cloud;
        char *name, *target, *url;
        CloudSignalled signalled;
        void *userdata;
        char *ids[16]; /* UniqueIds that were told */
        size_t n_ids;
        bool closed;
};

struct Cloud {
        HttpServer *server;
        char *endpoint;
        CloudPrincipal *principals;
        CloudIssued *issued;
        CloudBucket *buckets;
        CloudSecret *secrets;
        CloudHandle *handles;
        uint64_t requests;
};

/* An error as S3 words it. */
void cloud_refuse(
        Cloud *cloud, HttpCall *call, unsigned status, const char *code, const char *text);

/* Who has signed the request? NULL: it has been refused. `service`: "s3", "secretsmanager". */
CloudPrincipal *cloud_authenticate(Cloud *cloud, HttpCall *call, const char *service);

/* Serve what is theirs. */
void cloud_serve_bucket(Cloud *cloud, HttpCall *call, CloudPrincipal *principal);
void cloud_serve_secret(Cloud *cloud, HttpCall *call, CloudPrincipal *principal);
void cloud_serve_handle(Cloud *cloud, HttpCall *call);

void cloud_bucket_free(CloudBucket *bucket);
