/* What is to go wrong in a rehearsal, told beforehand:
 *
 *         NODE:STEP:KIND                   a step of a machine: kill, hang, fail
 *         SERVICE:MATCH:KIND[:TIMES]       a request to a service
 *
 * SERVICE is s3, secrets, signal (the wait condition's handles) or metadata. MATCH is a part of
 * "METHOD /path"; "*" is every request. KIND is one of fault_kinds; TIMES is how many requests it
 * strikes, all of them where it is not given.
 */

#pragma once

#include "base/error.h"
#include "base/option.h"
#include "rehearsal/http-server.h"

#include <stdbool.h>

#define FAULTS_MAX      64U
#define FAULT_NODE_MAX  64U
#define FAULT_MATCH_MAX 160U

typedef enum FaultService {
        FAULT_OF_NODE,
        FAULT_OF_S3,
        FAULT_OF_SECRETS,
        FAULT_OF_SIGNAL,
        FAULT_OF_METADATA,
} FaultService;

typedef enum FaultKind {
        FAULT_KILL,     /* the worker is killed */
        FAULT_HANG,     /* it stops; a request is never answered */
        FAULT_FAIL,     /* the step fails; a request gets status 500 */
        FAULT_REFUSE,   /* from the first such request on the service takes no connection */
        FAULT_RESET,    /* the connection is reset */
        FAULT_SLOW,     /* the answer comes FAULT_DELAY late */
        FAULT_TRUNCATE, /* half the body comes, and the connection ends */
        FAULT_CORRUPT,  /* a bit of the body is another */
        FAULT_STATUS,   /* status=N */
        FAULT_THROTTLE, /* SlowDown, ThrottlingException */
        FAULT_SKEW,     /* the service's clock is an hour ahead of the machine's */
        FAULT_EXPIRE,   /* the credentials, or the metadata token, have expired */
        FAULT_STALE,    /* what is there is not seen yet */
        FAULT_DENY,     /* the rights are not given */
} FaultKind;

#define FAULT_DELAY_SECONDS 2U
#define FAULT_SKEW_SECONDS  3600U

typedef struct FaultRule {
        FaultService service;
        FaultKind kind;
        char node[FAULT_NODE_MAX];   /* of FAULT_OF_NODE */
        char match[FAULT_MATCH_MAX]; /* the step, or a part of the request; "*": any */
        char text[256];              /* as it was told */
        unsigned status;             /* of FAULT_STATUS */
        unsigned left;               /* how many more it strikes */
        unsigned struck;
} FaultRule;

typedef struct FaultSet {
        FaultRule rules[FAULTS_MAX];
        size_t count;
} FaultSet;

/* Adds one. -EINVAL with the sentence: what it names is not there. */
int fault_add(FaultSet *set, const char *text, Error *ret_error);

/* The options' texts, then the lines of a file (NULL: none); "#" begins a comment there. */
int fault_read(FaultSet *set, const OptionTexts *texts, const char *path, Error *ret_error);

/* Is `step` one of the steps of the machine whose user-data this is? -EINVAL with the sentence. */
int fault_check_step(const FaultRule *rule, const char *user_data, Error *ret_error);

/* Which rule a request meets, counted off; NULL: none. */
FaultRule *fault_meet(FaultSet *set, FaultService service, const HttpCall *call);

/* What needs no knowledge of the service: hang, refuse, reset, slow, truncate, corrupt. False: the
 * kind is the service's to answer. A call that was only spoilt (truncate, corrupt) goes on:
 * *ret_over is false then. */
bool fault_act(const FaultRule *rule, HttpCall *call, bool *ret_over);

const char *fault_kind_name(FaultKind kind);
