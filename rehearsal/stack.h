/* A stack of the embedded cloud: a template's resources made in their order, events as
 * CloudFormation tells them, wait conditions with their time-outs, rollback in reverse; updates.
 *
 * Source: AWS CloudFormation User Guide, "Stack status codes", "Create wait conditions".
 */

#pragma once

#include "cfn/function.h"
#include "cfn/graph.h"
#include "rehearsal/cloud.h"
#include "rehearsal/instance.h"

#define STACK_FAULTS_MAX 16U

typedef enum StackState {
        STACK_CREATING,
        STACK_COMPLETE,
        STACK_FAILED, /* CREATE_FAILED: rollback is disabled */
        STACK_ROLLING_BACK,
        STACK_ROLLED_BACK, /* likewise of an update */
        STACK_UPDATING,
} StackState;

/* "AgentNode1:join-swarm:kill" taken apart. */
typedef struct StackFault {
        char node[64];
        char rest[96]; /* "join-swarm:kill" */
} StackFault;

typedef struct StackEvent {
        Usec at;            /* since the stack began */
        const char *status; /* "CREATE_IN_PROGRESS" */
        const char *type;
        const char *name;
        const char *reason; /* NULL: none */
} StackEvent;

typedef struct Stack Stack;

typedef struct StackOptions {
        EventLoop *loop;
        Cloud *cloud;
        const CfnTemplate *template;
        const CfnParameterSet *parameters;
        const char *name;
        Machines *machines;    /* its instances are containers; NULL: process trees */
        const char *folder;    /* instances' roots lie below it */
        const char *network;   /* "127.31.7": the first three bytes of instances' addresses */
        const char *rehearsal; /* this program's file */
        const char *bootstrap;
        const char *keys; /* a folder of given keys for control; NULL: none */
        Usec keys_lifetime;
        const StackFault *faults;
        size_t n_faults;
        bool disable_rollback;
        void (*event)(const StackEvent *event, void *userdata);
        void (*note)(const char *text, void *userdata);
        void (*said)(const char *machine, const char *line, void *userdata); /* what it prints */
        void (*finished)(StackState state, void *userdata);                  /* once */
        void *userdata;
} StackOptions;

/* Checks all that can be checked, and begins. -EBADMSG, -EINVAL with the sentence: nothing has been
 * made then. */
int stack_new(const StackOptions *options, Stack **ret, Error *ret_error);
Stack *stack_free(Stack *stack);
DEFINE_CLEANUP(Stack *, stack_free);

/* Makes another template true of a stack that is complete, as an update does: what is new is made,
 * what has changed is changed, restarted or replaced (change.h), what is not in it any more goes at
 * the end. What fails is taken back. `finished` is called once more. -EBADMSG, -EINVAL with the
 * sentence: nothing has changed then. */
int stack_update(Stack *stack,
        const CfnTemplate *template,
        const CfnParameterSet *parameters,
        Error *ret_error);

StackState stack_state(const Stack *stack);
Usec stack_began(const Stack *stack); /* wall */

/* "ControlNodeIP: 10.0.0.1" for each output, in the template's order. */
typedef struct StackOutput {
        const char *name, *value;
        const char *exported; /* under which name, to other stacks; NULL: it is not */
} StackOutput;
typedef void (*StackOutputVisit)(const StackOutput *output, void *userdata);
int stack_list_outputs(
        const Stack *stack, StackOutputVisit visit, void *userdata, Error *ret_error);

/* The instances, in the order they were made; those of a rollback too, whose folders are left. */
typedef struct StackInstance {
        const char *name; /* the logical id's stem: "AgentNode1" */
        const char *root;
        const char *id;
        const char *address;
        Usec launched;        /* wall; 0: it is not there any more */
        const char *metadata; /* endpoint; NULL: it is not there any more */
} StackInstance;
size_t stack_count_running(const Stack *stack); /* whose user-data has not ended yet */
size_t stack_count_instances(const Stack *stack);
StackInstance stack_get_instance(const Stack *stack, size_t index);
