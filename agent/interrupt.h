/* Ctrl-C while keys are made: whoever waits for one is let go, so that the ordinary way out of a
 * failure takes away what is half made. */

#pragma once

#include "certs/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

typedef struct Interrupt {
        KeyPool *pool; /* borrowed */
        sigset_t held, before;
        pthread_t thread;
        bool running;
        atomic_int came; /* the signal; 0: none */
} Interrupt;

/* From here on SIGINT, SIGTERM and SIGHUP cancel the pool, but for those that are ignored. To be
 * called before there are threads: they inherit who takes these signals. Where no thread can be had
 * for it, they end the process as ever. */
void interrupt_begin(Interrupt *interrupt, KeyPool *pool);

/* Ends that; before the pool is freed. More than once is fine. */
void interrupt_end(Interrupt *interrupt);

/* Ends the process by the signal that came, as it would have; returns if none did. */
void interrupt_obey(const Interrupt *interrupt);
