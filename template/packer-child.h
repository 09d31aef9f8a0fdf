/* A program of others run as a child: its output read line by line, interrupts passed on to it. */

#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>

typedef struct PackerChild {
        const char *program;          /* a path, or a name that PATH is searched for */
        const char *const *arguments; /* argv, NULL-ended */
        const char *folder;           /* the child's current one; NULL: ours */
        Usec deadline;                /* of the system's clock: then it is interrupted */

        /* Each line of standard output, without its newline, changed at will. A negative return is
         * kept, and returned once the child has ended. */
        int (*line)(char *text, void *userdata, Error *ret_error);
        void (*interrupted)(void *userdata); /* the child was asked to end; NULL: nobody cares */
        void *userdata;
} PackerChild;

typedef enum PackerChildEnd {
        PACKER_CHILD_ENDED,
        PACKER_CHILD_INTERRUPTED, /* by a signal to us: it was asked to end, and has */
        PACKER_CHILD_TOO_LATE,    /* the deadline passed: likewise */
} PackerChildEnd;

/* Runs it to its end, in a process group of its own, with standard input closed, standard error
 * ours, and our environment less what lets Packer call home. SIGINT, SIGTERM and SIGHUP to us, and
 * the deadline, become one SIGINT to its group, on which Packer removes what it has made; it is
 * killed by a second one, or 10 minutes later. What it leaves running in its group is killed, and
 * not waited for. It gets SIGTERM when we die. *ret_status is its exit status, 128 + n for signal
 * n. -ENOENT: no such program, with the sentence. */
int packer_child_run(
        const PackerChild *child, PackerChildEnd *ret_end, int *ret_status, Error *ret_error);
