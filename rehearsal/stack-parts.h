/* What the files of a stack share; for them alone. */

#pragma once

#include "rehearsal/stack.h"

typedef enum Life {
        PENDING,
        CREATING,
        CREATED,
        FAILED,
        DELETED,
        ABSENT, /* its condition does not hold */
} Life;

typedef struct Resource {
        Stack *stack;
        const CfnResource *definition;
        Life life;
        Json *properties; /* evaluated */
        char *id;         /* what Ref gives */
        char *arn;
        size_t sequence; /* of its creation */

        CloudPrincipal *principal; /* of a role, or of an instance profile by its role */
        PolicySet policies;
        CloudHandle *handle;
        EventTimer *timer;    /* of a wait condition */
        int64_t signals_left; /* likewise */
        char *signal_data;
        Instance *instance;
        char *address, *root, *stem, *instance_id;
} Resource;

struct Stack {
        StackOptions options;
        CfnContext context;
        CfnGraph *graph;
        Resource *resources;
        size_t count;
        StackState state;
        Usec began, began_wall;
        size_t sequence;
        unsigned addresses;
        EventTimer *turn;
        char *id;
        char *reason; /* of the first failure */
};

/* What goes on: stack.c. */
void stack_note(const Stack *stack, const char *format, ...) _printf_(2, 3);
void stack_settle(Resource *resource, Life life, const char *reason);
void stack_fail(Resource *resource, const char *reason);

/* What is made: stack-resources.c. Each of the table's types by its properties; *ret_later: it is
 * complete when something else says so. Types that are not in the table are taken to be there. */
int stack_make(Resource *resource, bool *ret_later, Error *ret_error);
char *stack_make_id(const Resource *resource);    /* what a service would call it */
void stack_make_word(char *place, size_t length); /* random hexadecimal digits, and a NUL */
char *stack_find_stem(const char *name); /* a logical id without the configuration's hash */
Resource *stack_find_by_id(const Stack *stack, const char *id);
const char *stack_get_text(const Json *json, const char *key); /* NULL: not there, or no text */
