/* A real S3 server in the place of the embedded one: radosgw, moto, or another.
 *
 * It is named by --s3=http://ADDRESS:PORT/BUCKET; the bucket is there already, and becomes the
 * template's one AWS::S3::Bucket. The credentials are those of this process's environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN): every machine is given them by its
 * metadata service and asks the server itself, which judges them. The template's policies are put
 * to nobody then.
 */

#pragma once

#include "base/secret.h"
#include "cfn/template.h"
#include "rehearsal/fault.h"

typedef struct S3Server {
        char *url;      /* as it was told */
        char *endpoint; /* "http://10.0.0.7:7480" */
        char *address;  /* IPv4 */
        unsigned port;
        char *bucket;
        char *access_key;
        Secret *secret_key;
        Secret *token; /* NULL: none */
} S3Server;

/* What it has to serve. */
typedef struct S3ServerOptions {
        const char *url;
        const FaultSet *faults;
        const CfnTemplate *template, *next; /* next NULL: none */
        void (*note)(const char *text, void *userdata);
} S3ServerOptions;

/* Takes the option apart, reads the environment, refuses what cannot be had of such a server
 * (faults of S3; a template of more than one bucket), and lists the bucket, once, within seconds: a
 * server that is not there, is none of S3, does not know the bucket or refuses the credentials is
 * named before anything is made. -EINVAL; -ECONNREFUSED, …: as of http_perform(); -ENOENT: no such
 * bucket; -EACCES; -EPROTO. */
int s3_server_open(const S3ServerOptions *options, S3Server **ret, Error *ret_error);
S3Server *s3_server_free(S3Server *server);
DEFINE_CLEANUP(S3Server *, s3_server_free);
