/* The one loop of a process: timers, signals, children, and streams on sockets; over libevent.
 * Callbacks run one at a time, from event_loop_run(). */

#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct EventLoop EventLoop;

int event_loop_new(EventLoop **ret, Error *ret_error);
EventLoop *event_loop_free(EventLoop *loop);
DEFINE_CLEANUP(EventLoop *, event_loop_free);

/* Until event_loop_end() is called from within. */
void event_loop_run(EventLoop *loop);
void event_loop_end(EventLoop *loop);

struct event_base *event_loop_base(EventLoop *loop); /* for http-server.c */

typedef void (*EventCallback)(void *userdata);

/* A timer that was set once, and can be set again from its callback. */
typedef struct EventTimer EventTimer;
int event_timer_new(EventLoop *loop, EventCallback fire, void *userdata, EventTimer **ret);
EventTimer *event_timer_free(EventTimer *timer);
void event_timer_set(EventTimer *timer, Usec from_now);
void event_timer_stop(EventTimer *timer);

/* A signal of the process. At most EVENT_SIGNALS_MAX in all. */
#define EVENT_SIGNALS_MAX 8U
int event_watch_signal(
        EventLoop *loop, int number, EventCallback callback, void *userdata, Error *ret_error);

/* A child in a process group of its own, which dies with its parent (PR_SET_PDEATHSIG). */
typedef struct EventChild EventChild;
typedef void (*EventExit)(int status, void *userdata); /* as waitpid(2) has it */

typedef struct EventSpawn {
        const char *program; /* the file that is run */
        char *const *arguments;
        char *const *environment;
        const char *folder;            /* the working folder */
        int output;                    /* its stdout and stderr; -1: /dev/null */
        int ready;                     /* a descriptor that it inherits as number 3; -1: none */
        int (*before)(void *userdata); /* in the child, before the program; negative: the end */
        EventExit exited;
        void *userdata;
} EventSpawn;

int event_spawn(EventLoop *loop, const EventSpawn *spawn, EventChild **ret, Error *ret_error);
pid_t event_child_pid(const EventChild *child); /* 0: it has ended */
/* To its whole group; SIGCONT goes along, so that one that was stopped dies too. */
void event_child_kill(EventChild *child, int number);
/* Kills what is left of it, waits, and frees it; `exited` is not called any more. Returns NULL. */
EventChild *event_child_free(EventChild *child);

/* Waits for a descriptor to become readable, or to be closed at its other end. */
typedef struct EventReader EventReader;
int event_reader_new(
        EventLoop *loop, int fd, EventCallback readable, void *userdata, EventReader **ret);
EventReader *event_reader_free(EventReader *reader);

/* A connection, on a unix socket or of TCP. */
typedef struct EventStream EventStream;
typedef struct EventStreamHandler {
        void *(*accepted)(EventStream *stream, void *userdata); /* gives the connection's own */
        void (*readable)(EventStream *stream, void *connection);
        void (*drained)(
                EventStream *stream, void *connection);        /* all is written; NULL: no matter */
        void (*closed)(EventStream *stream, void *connection); /* it is freed behind this */
} EventStreamHandler;

typedef struct EventListener EventListener;
/* `path` may be longer than a socket's address has room for. -EADDRINUSE, … */
int event_listen_unix(EventLoop *loop,
        const char *path,
        const EventStreamHandler *handler,
        void *userdata,
        EventListener **ret,
        Error *ret_error);
int event_listen_tcp(EventLoop *loop,
        const char *address,
        unsigned port,
        const EventStreamHandler *handler,
        void *userdata,
        EventListener **ret,
        Error *ret_error);
EventListener *event_listener_free(EventListener *listener);

/* One more stream of the listener's, begun from this side: an unused TCP socket that does not
 * block, which is taken over, is connected. What is written before it is goes out then; when it
 * cannot be, `closed` is called, from the loop. -EINVAL: no IPv4 address; -ENOMEM. */
int event_stream_connect(EventListener *listener,
        int take_fd,
        const char *address,
        unsigned port,
        void *connection,
        EventStream **ret);

/* What has arrived and was not taken yet, in one piece; borrowed to the next call. */
const uint8_t *event_stream_peek(EventStream *stream, size_t *ret_size);
void event_stream_take(EventStream *stream, size_t size);
void event_stream_write(EventStream *stream, const void *data, size_t size);
/* Moves what has arrived at one on to another, as far as no more than a bound waits there to be
 * written; the rest stays, and a peer that goes on sending is not read. */
void event_stream_pass(EventStream *from, EventStream *to);
void event_stream_close(EventStream *stream);      /* behind what was written; `closed` is called */
int event_stream_error(const EventStream *stream); /* for `closed`: an errno; 0: it was no error */
uid_t event_stream_uid(EventStream *stream);       /* of the peer: SO_PEERCRED */

/* A listening unix socket (SOCK_CLOEXEC), whatever the length of its path; replaces what is there.
 * Address of TCP likewise. */
int event_bind_unix(const char *path, int *ret_fd, Error *ret_error);
int event_bind_tcp(const char *address, unsigned port, int *ret_fd, Error *ret_error);
