#include "agent/interrupt.h"

#define END_OF_WATCH SIGUSR1 /* to the watching thread alone */

static void *watch(void *userdata)
{
        Interrupt *interrupt = userdata;
        int signal = 0;

        for (;;) {
                if (sigwait(&interrupt->held, &signal) != 0)
                        continue;
                if (signal == END_OF_WATCH)
                        return NULL;
                atomic_store(&interrupt->came, signal);
                key_pool_cancel(interrupt->pool);
        }
}

static void hold(sigset_t *set, int signal)
{
        struct sigaction action;

        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                (void)sigaddset(set, signal);
}

void interrupt_begin(Interrupt *interrupt, KeyPool *pool)
{
        interrupt->pool = pool;
        (void)sigemptyset(&interrupt->held);
        hold(&interrupt->held, SIGINT);
        hold(&interrupt->held, SIGTERM);
        hold(&interrupt->held, SIGHUP);
        (void)sigaddset(&interrupt->held, END_OF_WATCH);

        (void)pthread_sigmask(SIG_BLOCK, &interrupt->held, &interrupt->before);
        interrupt->running = pthread_create(&interrupt->thread, NULL, watch, interrupt) == 0;
        if (!interrupt->running)
                (void)pthread_sigmask(SIG_SETMASK, &interrupt->before, NULL);
}

void interrupt_end(Interrupt *interrupt)
{
        if (!interrupt->running)
                return;
        interrupt->running = false;
        (void)pthread_kill(interrupt->thread, END_OF_WATCH);
        (void)pthread_join(interrupt->thread, NULL);
        (void)pthread_sigmask(SIG_SETMASK, &interrupt->before, NULL);
}

void interrupt_obey(const Interrupt *interrupt)
{
        int came = atomic_load(&interrupt->came);

        if (came != 0)
                (void)raise(came);
}
