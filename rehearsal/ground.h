/* What a rehearsal stands on: the loop, the cloud, a network of loopback of its own, a folder for
 * its machines, and the programs beside this one. However it ends, nothing of it is left. */

#pragma once

#include "rehearsal/cloud.h"
#include "rehearsal/control.h"
#include "rehearsal/relay.h"

#include <limits.h>

typedef struct Ground {
        EventLoop *loop;
        Cloud *cloud;
        const MachinesOptions *containers; /* instances are containers; NULL: process trees */
        Machines *machines;
        Control *control;
        const S3Server *s3; /* S3 is somebody else's; NULL: the cloud's */
        Relay *relay;       /* the containers' way to it */
        char folder[64];    /* "": none was made */
        char network[24];   /* "127.31.7": all addresses that begin so are ours */
        char self[PATH_MAX], bootstrap[PATH_MAX], creator[PATH_MAX];
        int lock_fd;      /* holds the network; -1: none */
        bool keep;        /* leave the folder */
        bool interrupted; /* by SIGINT, SIGTERM or SIGHUP, which end the loop */
} Ground;

#define GROUND_INIT ((Ground){.lock_fd = -1})

/* Finds flocker-bootstrap, and with `creator` flocker-template: beside this program, or where they
 * were built. -ENOENT. */
int ground_find_programs(Ground *ground, bool creator, Error *ret_error);

/* Everything else. */
int ground_open(Ground *ground, Error *ret_error);

/* What is to go wrong; borrowed. Signals get an address of their own, so that they get through when
 * S3 does not. */
int ground_expect_faults(Ground *ground, FaultSet *faults, Error *ret_error);

void ground_done(Ground *ground);
DEFINE_CLEANUP_IN_PLACE(Ground, ground_done);
