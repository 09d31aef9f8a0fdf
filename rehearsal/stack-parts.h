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
        const CfnResource *former; /* its definition before the update under way */
        Life life;
        bool replaces;           /* by an update, what had its name before */
        Json *properties;        /* evaluated */
        Json *former_properties; /* before the update under way has changed it; else NULL */
        char *id;                /* what Ref gives */
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
        unsigned version; /* of a launch template, less one */
} Resource;

/* What a stack is, or becomes. */
typedef struct StackPlan {
        const CfnTemplate *template;
        const CfnParameterSet *parameters;
        CfnGraph *graph;
        Resource **resources; /* by the template's index; borrowed */
} StackPlan;

struct Stack {
        StackOptions options;
        CfnContext context;
        StackPlan plan;
        StackPlan former; /* while an update is under way: what it is taken back to */
        Resource **resources;
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
void stack_tell(Stack *stack, const char *status, const char *reason);
void stack_tell_resource(const Resource *resource, const char *status, const char *reason);
void stack_settle(Resource *resource, Life life, const char *reason);
void stack_fail(Resource *resource, const char *reason);
void stack_create(Resource *resource);
void stack_delete(Resource *resource);
void stack_finish(Stack *stack, StackState state, const char *status);
int stack_evaluate(const Resource *resource, Json **ret, Error *ret_error);

/* One more; NULL: no memory. */
Resource *stack_add_resource(Stack *stack, const CfnResource *definition);
/* A plan of resources that are there already, and of new ones. -EBADMSG, -EINVAL, -ENOMEM. */
int stack_plan_make(Stack *stack,
        const CfnTemplate *template,
        const CfnParameterSet *parameters,
        StackPlan *ret,
        Error *ret_error);
void stack_plan_done(StackPlan *plan);
void stack_follow(Stack *stack, const StackPlan *plan); /* takes it over */
Resource *stack_find_resource(const Stack *stack, const char *name);

/* What changes: stack-update.c. */
void stack_update_resource(Resource *resource, size_t index); /* `index` in the plan */
void stack_clean_up(Stack *stack);
void stack_take_back(Stack *stack);

/* What is made: stack-resources.c. Each of the table's types by its properties; *ret_later: it is
 * complete when something else says so. Types that are not in the table are taken to be there. */
int stack_make(Resource *resource, bool *ret_later, Error *ret_error);
/* The same resource with its new properties. */
int stack_change(Resource *resource, Error *ret_error);
char *stack_make_id(const Resource *resource);    /* what a service would call it */
void stack_make_word(char *place, size_t length); /* random hexadecimal digits, and a NUL */
char *stack_find_stem(const char *name); /* a logical id without the configuration's hash */
Resource *stack_find_by_id(const Stack *stack, const char *id);
const char *stack_get_text(const Json *json, const char *key); /* NULL: not there, or no text */
