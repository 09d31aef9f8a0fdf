/* The services that a process needs of its surroundings: HTTP, metadata, credentials. Each process
 * (the supervising parent, the worker) opens its own. */

#pragma once

#include "aws/credentials.h"

typedef struct Machine {
        HttpClient *http;
        Metadata *metadata;
        AwsCredentialsProvider *credentials;
} Machine;

/* `wait`: how long metadata may take to appear at all. */
int machine_open(Usec wait, Machine *ret, Error *ret_error);
void machine_done(Machine *machine);
DEFINE_CLEANUP_IN_PLACE(Machine, machine_done);
