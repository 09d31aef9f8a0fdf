/* What the files of the cloud share; for them alone. */

#pragma once

#include "base/digest.h"
#include "rehearsal/cloud.h"

#define CLOUD_KEY_MAX     1024U
#define CLOUD_OBJECTS_MAX 100000U
#define CLOUD_ETAG_MAX    48U
#define CLOUD_ID_MAX      17U
#define CLOUD_OBJECT_MAX  (64U * 1024U * 1024U)
#define CLOUD_LISTING_MAX (16U * 1024U * 1024U)
#define CLOUD_SIGNALS_MAX 1000U /* of one handle */

#define CLOUD_XML          "application/xml"
#define CLOUD_XML_HEAD     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define CLOUD_S3_NAMESPACE "http://s3.amazonaws.com/doc/2006-03-01/"

/* What is told of an object beside its content. */
typedef struct CloudMeta {
        char *checksum; /* x-amz-checksum-sha256, base64; NULL: not given */
        char *content_type;
        Json *users; /* the x-amz-meta-… headers */
} CloudMeta;

typedef struct CloudObject {
        char *key;
        Buffer content;
        char etag[CLOUD_ETAG_MAX]; /* with its quotes */
        CloudMeta meta;
        Usec modified; /* wall */
} CloudObject;

typedef struct CloudUpload CloudUpload;

typedef struct CloudBucket {
        struct CloudBucket *next;
        char name[CLOUD_BUCKET_MAX];
        Usec created;         /* wall */
        char *key_arn;        /* of KMS; NULL: none */
        const Json *policy;   /* NULL: none */
        CloudObject *objects; /* sorted by key */
        size_t n_objects;
        CloudUpload *uploads; /* in parts, that have not ended */
} CloudBucket;

typedef struct CloudSecret {
        struct CloudSecret *next;
        char *name, *arn, *text;
} CloudSecret;

typedef struct CloudIssued {
        struct CloudIssued *next;
        CloudKeys keys;
        CloudPrincipal *principal;
        char access_key[24], secret_key[48], token[80]; /* of those that were made here */
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
        char *name, *path, *url;
        CloudSignalled signalled;
        void *userdata;
        char **ids; /* UniqueIds that were told: at most CLOUD_SIGNALS_MAX */
        size_t n_ids;
        bool closed;
};

struct Cloud {
        EventLoop *loop;
        HttpServer *server;
        HttpServer *signals; /* NULL: handles are on the same address */
        char *endpoint;
        char *handles_endpoint; /* NULL: likewise */
        CloudPrincipal *principals;
        CloudIssued *issued;
        CloudBucket *buckets;
        CloudSecret *secrets;
        CloudHandle *handles;
        FaultSet *faults;                /* NULL: none */
        Usec skew;                       /* how far its clock is ahead, for this request */
        const CloudKeys *formation_keys; /* what the handles are signed with */
        const S3Server *s3;              /* NULL: S3 is this cloud's */
        char *s3_endpoint;               /* likewise */
        CloudIssued *lent;               /* likewise: the keys of its user */
        char request_id[CLOUD_ID_MAX];   /* of the request that is being answered */
};

/* A request to S3, taken apart. */
typedef struct CloudAsked {
        Cloud *cloud;
        HttpCall *call;
        CloudPrincipal *principal;
        CloudBucket *bucket; /* NULL: all of them */
        const char *key;     /* decoded; "": the bucket itself */
} CloudAsked;

/* An error as the service that is asked words it. `details` is XML, for S3's alone. */
void cloud_refuse(
        Cloud *cloud, HttpCall *call, unsigned status, const char *code, const char *text);
void cloud_refuse_with(Cloud *cloud,
        HttpCall *call,
        unsigned status,
        const char *code,
        const char *text,
        const char *details);

/* Who has signed the request, by its header or its query? NULL: it has been refused. */
CloudPrincipal *cloud_authenticate(Cloud *cloud, HttpCall *call, bool s3);

/* A PUT's presigned URL, as a heap string; NULL: no memory. `path` is percent-encoded as it is
 * signed. */
char *cloud_presign(const Cloud *cloud, const CloudKeys *keys, const char *path, Usec lifetime);

/* Does a fault strike? True: the call is dealt with. */
bool cloud_strike(Cloud *cloud, HttpCall *call, FaultService service);

/* Serve what is theirs. */
void cloud_serve_bucket(Cloud *cloud, HttpCall *call, CloudPrincipal *principal);
void cloud_serve_secret(Cloud *cloud, HttpCall *call, CloudPrincipal *principal);
void cloud_serve_handle(Cloud *cloud, HttpCall *call);
void cloud_serve_buckets(const CloudAsked *asked);  /* ListBuckets */
void cloud_serve_deletion(const CloudAsked *asked); /* DeleteObjects */
void cloud_serve_listing(const CloudAsked *asked);  /* ListObjects, V1 and V2, ListObjectVersions */

/* An upload in parts, if it is one. False: it is none. */
bool cloud_serve_upload(const CloudAsked *asked);
void cloud_drop_uploads(CloudBucket *bucket);

void cloud_bucket_free(CloudBucket *bucket);
CloudObject *cloud_find_object(const CloudBucket *bucket, const char *key);
void cloud_drop_object(CloudBucket *bucket, const char *key);

/* In place of what was under that key. Content and meta are taken over, unless it fails: -ENOMEM.
 */
int cloud_keep_object(CloudBucket *bucket,
        const char *key,
        Buffer *content,
        CloudMeta *meta,
        const char etag[CLOUD_ETAG_MAX]);

/* -ENOMEM. */
int cloud_meta_read(const HttpCall *call, CloudMeta *ret);
void cloud_meta_tell(const CloudMeta *meta, HttpCall *call);
void cloud_meta_done(CloudMeta *meta);
DEFINE_CLEANUP_IN_PLACE(CloudMeta, cloud_meta_done);

/* May they? `key` "": on the bucket. */
bool cloud_asked_may(const CloudAsked *asked,
        const char *action,
        const char *key,
        const PolicyContext *context,
        size_t n_context);
void cloud_asked_deny(const CloudAsked *asked);
bool cloud_asked_may_else_deny(const CloudAsked *asked, const char *action); /* on the key */

/* False: it has been refused. The write's If-None-Match and If-Match; the body's Content-MD5 and
 * x-amz-checksum-sha256. */
bool cloud_condition_holds(const CloudAsked *asked);
bool cloud_body_is_whole(const CloudAsked *asked, const char *body, size_t size);

/* XML's own letters as entities. */
int cloud_append_escaped(Buffer *ret, const char *text);

/* The ETag of what is not encrypted: the content's MD5, in hexadecimal and quotes. And that as
 * Content-MD5 has it, a heap string. -ENOMEM. */
int cloud_etag(const void *data, size_t size, char ret[CLOUD_ETAG_MAX]);
char *cloud_md5_base64(const void *data, size_t size);
/* That of an object of parts: their MD5s' MD5, and how many they are. -ENOMEM. */
int cloud_etag_join(const char *const *etags, size_t count, char ret[CLOUD_ETAG_MAX]);
