/* The faults that strike a stack's machines. */

#pragma once

#include "rehearsal/fault.h"
#include "rehearsal/stack.h"

/* Those of the set, each with its machine and step found in the template, or in that of an update
 * to come (`next`; NULL: none); at most STACK_FAULTS_MAX. -EINVAL with the sentence: there is no
 * such machine, or it has no such step. */
int stack_faults_find(const FaultSet *set,
        const CfnTemplate *template,
        const CfnTemplate *next,
        StackFault ret[STACK_FAULTS_MAX],
        size_t *ret_count,
        Error *ret_error);

/* Says of each fault of a service that struck nothing that it did not. */
void stack_faults_tell_idle(const FaultSet *set, void (*note)(const char *text, void *userdata));
