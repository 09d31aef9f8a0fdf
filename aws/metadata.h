/* EC2's instance metadata service, version 2 only.
 *
 * A session token is fetched with PUT (TTL 6 hours), kept, and fetched anew when it has half a
 * minute left or a request is answered 401. The IPv4 address (169.254.169.254) and the IPv6 one
 * (fd00:ec2::254) are raced at first, the winner kept. AWS_EC2_METADATA_SERVICE_ENDPOINT replaces
 * both; AWS_EC2_METADATA_DISABLED=true turns it off. Never through a proxy.
 *
 * Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".
 */

#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "net/http.h"

#define METADATA_VALUE_MAX (64U * 1024U) /* bytes of any answer; user-data is at most 16 KiB */

typedef struct Metadata Metadata;

typedef struct MetadataOptions {
        HttpClient *http; /* borrowed */
        const Clock *clock;
        const Random *random;
        const char *endpoint;     /* NULL: the environment's; none there: the addresses, raced */
        char *const *environment; /* NULL: the process's */
        Usec wait; /* how long to wait for the service to appear at all; at a boot 5 minutes */
} MetadataOptions;

/* Expected outcomes of metadata_get. */
typedef enum MetadataOutcome {
        METADATA_OK = 0,
        METADATA_ABSENT = 1, /* 404: the instance has no such thing */
} MetadataOutcome;

/* -EINVAL: the endpoint is no URL; -EDOM: AWS_EC2_METADATA_DISABLED is neither true nor false. */
int metadata_new(const MetadataOptions *options, Metadata **ret, Error *ret_error);
Metadata *metadata_free(Metadata *metadata);
DEFINE_CLEANUP(Metadata *, metadata_free);

/* `silent` is called once, when the service has not answered for a second at its first request and
 * is waited for further: `until` is on the clock's now, `where` the endpoint or both addresses. */
typedef void (*MetadataSilence)(const char *where, Usec until, void *userdata);
void metadata_on_silence(Metadata *metadata, MetadataSilence silent, void *userdata);

/* AWS_EC2_METADATA_DISABLED says so: every get is -EACCES, and nothing is sent. */
bool metadata_is_disabled(const Metadata *metadata);

/* GET /latest/<path> ("meta-data/instance-id", "user-data", "dynamic/instance-identity/document").
 * METADATA_OK, METADATA_ABSENT, or a negative errno with the sentence:
 *
 *         -ETIMEDOUT      no answer until `deadline`; where the token's PUT hangs while the address
 *                         answers, the sentence explains the hop limit (containers)
 *         -EHOSTUNREACH   no metadata service here: not an EC2 instance
 *         -EACCES         it is turned off (403), or refuses fresh tokens (401)
 *         -EPROTO         what answers is no metadata service (an HTML page, a proxy), or the value
 *                         is not what its path promises
 */
int metadata_get(
        Metadata *metadata, const char *path, Usec deadline, Buffer *ret, Error *ret_error);

/* The same as a stripped heap string that has to be plain text of one line. */
int metadata_get_text(
        Metadata *metadata, const char *path, Usec deadline, char **ret, Error *ret_error);

/* What the service's clock, which is the host's, is ahead of ours, as last seen in a Date header;
 * microseconds, 0 before the first. */
int64_t metadata_skew(const Metadata *metadata);

/* Does the service answer without a token too (version 1)? Not for us: programs that know nothing
 * else, such as Flocker 1.15 with boto 2, cannot work on an instance that requires version 2. */
int metadata_allows_v1(Metadata *metadata, Usec deadline, bool *ret, Error *ret_error);

/* The identity document (dynamic/instance-identity/document). All heap strings. */
typedef struct MetadataIdentity {
        char *instance_id; /* "i-…" */
        char *region;
        char *availability_zone;
        char *account_id; /* 12 digits */
        char *image_id;
        char *instance_type;
        char *architecture; /* "x86_64", "arm64" */
        char *private_ip;   /* NULL: IPv6 only */
        Usec launched;      /* pendingTime: wall time */
} MetadataIdentity;

int metadata_get_identity(
        Metadata *metadata, Usec deadline, MetadataIdentity *ret, Error *ret_error);
/* The same of a text. -EBADMSG. */
int metadata_identity_parse(const char *text, size_t size, MetadataIdentity *ret, Error *ret_error);

void metadata_identity_done(MetadataIdentity *identity);
DEFINE_CLEANUP_IN_PLACE(MetadataIdentity, metadata_identity_done);
