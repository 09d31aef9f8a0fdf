#include "rehearsal/event.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_FD       3
#define STREAM_IN_MAX  (4U * 1024U * 1024U) /* bytes that a peer may have sent ahead */
#define STREAM_OUT_MAX (1U * 1024U * 1024U) /* that are passed on ahead of what it takes */

struct EventLoop {
        struct event_base *base;
        struct event *child_signal;
        struct event *signals[EVENT_SIGNALS_MAX];
        EventCallback callbacks[EVENT_SIGNALS_MAX];
        void *userdata[EVENT_SIGNALS_MAX];
        size_t n_signals;
        EventChild *children; /* those that have not ended */
};

struct EventTimer {
        struct event *event;
        EventCallback fire;
        void *userdata;
};

struct EventChild {
        EventLoop *loop;
        EventChild *next;
        pid_t pid; /* 0: it has ended */
        pid_t group;
        EventExit exited;
        void *userdata;
};

struct EventReader {
        struct event *event;
        EventCallback readable;
        void *userdata;
};

struct EventListener {
        struct evconnlistener *listener;
        EventStreamHandler handler;
        void *userdata;
        EventStream *streams;
        EventLoop *loop;
};

struct EventStream {
        struct bufferevent *bufferevent;
        EventListener *listener;
        EventStream *next;
        void *connection;
        int error; /* why it ended; 0: none */
        bool closing;
};

/* --- the loop --- */

static void unlink_child(EventChild *child)
{
        EventChild **place = &child->loop->children;

        while (*place && *place != child)
                place = &(*place)->next;
        if (*place)
                *place = child->next;
}

static void on_child(int number, short what, void *userdata)
{
        EventLoop *loop = userdata;

        (void)number;
        (void)what;
        for (EventChild *child = loop->children, *next; child; child = next) {
                int status;

                next = child->next;
                if (waitpid(child->pid, &status, WNOHANG) != child->pid)
                        continue;
                unlink_child(child);
                child->pid = 0;
                child->exited(status, child->userdata); /* it may free the child, or add others */
                next = loop->children;
        }
}

int event_loop_new(EventLoop **ret, Error *ret_error)
{
        _cleanup_(event_loop_free) EventLoop *loop = calloc(1, sizeof(*loop));

        if (loop)
                loop->base = event_base_new();
        if (loop && loop->base)
                loop->child_signal = evsignal_new(loop->base, SIGCHLD, on_child, loop);
        if (!loop || !loop->child_signal || event_add(loop->child_signal, NULL) < 0)
                return error_set(ret_error, -ENOMEM, "cannot make an event loop: %m");
        *ret = TAKE_PTR(loop);
        return 0;
}

EventLoop *event_loop_free(EventLoop *loop)
{
        if (!loop)
                return NULL;
        for (size_t i = 0; i < loop->n_signals; i++)
                event_free(loop->signals[i]);
        if (loop->child_signal)
                event_free(loop->child_signal);
        if (loop->base)
                event_base_free(loop->base);
        free(loop);
        return NULL;
}

void event_loop_run(EventLoop *loop)
{
        (void)event_base_dispatch(loop->base);
}

void event_loop_end(EventLoop *loop)
{
        (void)event_base_loopbreak(loop->base);
}

struct event_base *event_loop_base(EventLoop *loop)
{
        return loop->base;
}

/* --- timers, signals, readers --- */

static void on_timer(int fd, short what, void *userdata)
{
        EventTimer *timer = userdata;

        (void)fd;
        (void)what;
        timer->fire(timer->userdata);
}

int event_timer_new(EventLoop *loop, EventCallback fire, void *userdata, EventTimer **ret)
{
        EventTimer *timer = calloc(1, sizeof(*timer));

        if (!timer)
                return -ENOMEM;
        *timer = (EventTimer){.fire = fire, .userdata = userdata};
        timer->event = evtimer_new(loop->base, on_timer, timer);
        if (!timer->event) {
                free(timer);
                return -ENOMEM;
        }
        *ret = timer;
        return 0;
}

EventTimer *event_timer_free(EventTimer *timer)
{
        if (timer)
                event_free(timer->event);
        free(timer);
        return NULL;
}

void event_timer_set(EventTimer *timer, Usec from_now)
{
        struct timeval interval = {
                .tv_sec = (time_t)(from_now / USEC_PER_SEC),
                .tv_usec = (suseconds_t)(from_now % USEC_PER_SEC),
        };

        (void)evtimer_add(timer->event, &interval);
}

void event_timer_stop(EventTimer *timer)
{
        (void)evtimer_del(timer->event);
}

static void on_signal(int number, short what, void *userdata)
{
        EventLoop *loop = userdata;

        (void)what;
        for (size_t i = 0; i < loop->n_signals; i++)
                if (event_get_signal(loop->signals[i]) == number)
                        loop->callbacks[i](loop->userdata[i]);
}

int event_watch_signal(
        EventLoop *loop, int number, EventCallback callback, void *userdata, Error *ret_error)
{
        size_t i = loop->n_signals;
        struct event *event =
                i < EVENT_SIGNALS_MAX ? evsignal_new(loop->base, number, on_signal, loop) : NULL;

        if (!event || event_add(event, NULL) < 0)
                return error_set(ret_error, -ENOMEM, "cannot watch signal %d: %m", number);
        loop->signals[i] = event;
        loop->callbacks[i] = callback;
        loop->userdata[i] = userdata;
        loop->n_signals++;
        return 0;
}

static void on_readable(int fd, short what, void *userdata)
{
        EventReader *reader = userdata;

        (void)fd;
        (void)what;
        reader->readable(reader->userdata);
}

int event_reader_new(
        EventLoop *loop, int fd, EventCallback readable, void *userdata, EventReader **ret)
{
        EventReader *reader = calloc(1, sizeof(*reader));

        if (!reader)
                return -ENOMEM;
        *reader = (EventReader){.readable = readable, .userdata = userdata};
        reader->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_readable, reader);
        if (!reader->event || event_add(reader->event, NULL) < 0) {
                free(reader);
                return -ENOMEM;
        }
        *ret = reader;
        return 0;
}

EventReader *event_reader_free(EventReader *reader)
{
        if (reader)
                event_free(reader->event);
        free(reader);
        return NULL;
}

/* --- children --- */

static void become(const EventSpawn *spawn, pid_t parent)
{
        int null = open("/dev/null", O_RDWR);
        int output = spawn->output >= 0 ? spawn->output : null;
        sigset_t none;

        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_DFL);
        if (getppid() != parent || dup2(null, STDIN_FILENO) < 0 ||
                dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
                chdir(spawn->folder) < 0)
                _exit(126);
        if (spawn->ready == READY_FD)
                (void)fcntl(READY_FD, F_SETFD, 0);
        else if (spawn->ready >= 0)
                (void)dup2(spawn->ready, READY_FD);
        if (spawn->before && spawn->before(spawn->userdata) < 0)
                _exit(126);
        (void)execve(spawn->program, spawn->arguments, spawn->environment);
        (void)dprintf(
                STDERR_FILENO, "cannot run '%s': %s\n", spawn->program, strerrordesc_np(errno));
        _exit(127);
}

int event_spawn(EventLoop *loop, const EventSpawn *spawn, EventChild **ret, Error *ret_error)
{
        EventChild *child = calloc(1, sizeof(*child));
        pid_t self = getpid();

        if (!child)
                return error_set(ret_error, -ENOMEM, "cannot run '%s': %m", spawn->program);
        *child = (EventChild){.loop = loop, .exited = spawn->exited, .userdata = spawn->userdata};
        (void)fflush(NULL);
        child->pid = fork();
        if (child->pid < 0) {
                free(child);
                return error_set(ret_error, -errno, "cannot run '%s': %m", spawn->program);
        }
        if (child->pid == 0)
                become(spawn, self);
        (void)setpgid(child->pid, child->pid); /* whoever of the two is first */
        child->group = child->pid;
        child->next = loop->children;
        loop->children = child;
        *ret = child;
        return 0;
}

pid_t event_child_pid(const EventChild *child)
{
        return child->pid;
}

void event_child_kill(EventChild *child, int number)
{
        (void)kill(-child->group, number);
        (void)kill(-child->group, SIGCONT);
}

EventChild *event_child_free(EventChild *child)
{
        int status;

        if (!child)
                return NULL;
        (void)kill(-child->group, SIGKILL); /* also of what a child that has ended left behind */
        if (child->pid > 0) {
                (void)waitpid(child->pid, &status, 0);
                unlink_child(child);
        }
        free(child);
        return NULL;
}

/* --- streams --- */

static void stream_free(EventStream *stream)
{
        EventStream **place = &stream->listener->streams;

        while (*place != stream)
                place = &(*place)->next;
        *place = stream->next;
        stream->listener->handler.closed(stream, stream->connection);
        bufferevent_free(stream->bufferevent);
        free(stream);
}

static void on_data(struct bufferevent *bufferevent, void *userdata)
{
        EventStream *stream = userdata;

        (void)bufferevent;
        if (!stream->closing)
                stream->listener->handler.readable(stream, stream->connection);
}

static void on_written(struct bufferevent *bufferevent, void *userdata)
{
        EventStream *stream = userdata;

        if (evbuffer_get_length(bufferevent_get_output(bufferevent)) > 0)
                return;
        if (stream->closing)
                stream_free(stream);
        else if (stream->listener->handler.drained)
                stream->listener->handler.drained(stream, stream->connection);
}

static void on_end(struct bufferevent *bufferevent, short what, void *userdata)
{
        EventStream *stream = userdata;

        (void)bufferevent;
        if (what & BEV_EVENT_CONNECTED)
                return;
        stream->error = what & BEV_EVENT_ERROR ? EVUTIL_SOCKET_ERROR() : 0;
        stream_free(stream);
}

/* The socket is the stream's from here on, also on failure. NULL: no memory. */
static EventStream *stream_new(EventListener *listener, int take_fd)
{
        EventStream *stream = calloc(1, sizeof(*stream));

        if (stream)
                stream->bufferevent = bufferevent_socket_new(
                        listener->loop->base, take_fd, BEV_OPT_CLOSE_ON_FREE);
        if (!stream || !stream->bufferevent) {
                free(stream);
                (void)close(take_fd);
                return NULL;
        }
        stream->listener = listener;
        stream->next = listener->streams;
        listener->streams = stream;
        bufferevent_setcb(stream->bufferevent, on_data, on_written, on_end, stream);
        bufferevent_setwatermark(stream->bufferevent, EV_READ, 0, STREAM_IN_MAX);
        (void)bufferevent_enable(stream->bufferevent, EV_READ | EV_WRITE);
        return stream;
}

static void on_accept(struct evconnlistener *evlistener,
        evutil_socket_t fd,
        struct sockaddr *address,
        int length,
        void *userdata)
{
        EventListener *listener = userdata;
        EventStream *stream = stream_new(listener, fd);

        (void)evlistener;
        (void)address;
        (void)length;
        if (stream)
                stream->connection = listener->handler.accepted(stream, listener->userdata);
}

/* `where` is for the sentence. The socket is the listener's from here on, also on failure. */
static int listen_on(EventLoop *loop,
        int take_fd,
        const char *where,
        const EventStreamHandler *handler,
        void *userdata,
        EventListener **ret,
        Error *ret_error)
{
        EventListener *listener = calloc(1, sizeof(*listener));

        if (listener) {
                *listener =
                        (EventListener){.handler = *handler, .userdata = userdata, .loop = loop};
                listener->listener = evconnlistener_new(loop->base,
                        on_accept,
                        listener,
                        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                        0,
                        take_fd);
        }
        if (!listener || !listener->listener) {
                free(listener);
                (void)close(take_fd);
                return error_set(ret_error, -ENOMEM, "cannot listen on '%s': %m", where);
        }
        *ret = listener;
        return 0;
}

int event_listen_unix(EventLoop *loop,
        const char *path,
        const EventStreamHandler *handler,
        void *userdata,
        EventListener **ret,
        Error *ret_error)
{
        int fd, r = event_bind_unix(path, &fd, ret_error);

        return r < 0 ? r : listen_on(loop, fd, path, handler, userdata, ret, ret_error);
}

int event_listen_tcp(EventLoop *loop,
        const char *address,
        unsigned port,
        const EventStreamHandler *handler,
        void *userdata,
        EventListener **ret,
        Error *ret_error)
{
        int fd, r = event_bind_tcp(address, port, &fd, ret_error);

        return r < 0 ? r : listen_on(loop, fd, address, handler, userdata, ret, ret_error);
}

int event_stream_connect(EventListener *listener,
        int take_fd,
        const char *address,
        unsigned port,
        void *connection,
        EventStream **ret)
{
        struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        EventStream *stream;
        int one = 1;

        if (inet_pton(AF_INET, address, &where.sin_addr) != 1) {
                (void)close(take_fd);
                return -EINVAL;
        }
        (void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        stream = stream_new(listener, take_fd);
        if (!stream)
                return -ENOMEM;
        stream->connection = connection;
        if (bufferevent_socket_connect(
                    stream->bufferevent, (struct sockaddr *)&where, sizeof(where)) < 0) {
                stream->error = errno;
                event_stream_close(stream);
        }
        *ret = stream;
        return 0;
}

EventListener *event_listener_free(EventListener *listener)
{
        if (!listener)
                return NULL;
        while (listener->streams)
                stream_free(listener->streams);
        evconnlistener_free(listener->listener);
        free(listener);
        return NULL;
}

const uint8_t *event_stream_peek(EventStream *stream, size_t *ret_size)
{
        struct evbuffer *input = bufferevent_get_input(stream->bufferevent);

        *ret_size = evbuffer_get_length(input);
        return evbuffer_pullup(input, -1);
}

void event_stream_take(EventStream *stream, size_t size)
{
        (void)evbuffer_drain(bufferevent_get_input(stream->bufferevent), size);
}

void event_stream_write(EventStream *stream, const void *data, size_t size)
{
        (void)bufferevent_write(stream->bufferevent, data, size);
}

void event_stream_pass(EventStream *from, EventStream *to)
{
        struct evbuffer *output = bufferevent_get_output(to->bufferevent);
        size_t waiting = evbuffer_get_length(output);

        if (waiting < STREAM_OUT_MAX)
                (void)evbuffer_remove_buffer(
                        bufferevent_get_input(from->bufferevent), output, STREAM_OUT_MAX - waiting);
}

int event_stream_error(const EventStream *stream)
{
        return stream->error;
}

void event_stream_close(EventStream *stream)
{
        stream->closing = true;
        if (evbuffer_get_length(bufferevent_get_output(stream->bufferevent)) == 0)
                (void)bufferevent_trigger(stream->bufferevent,
                        EV_WRITE,
                        BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

uid_t event_stream_uid(EventStream *stream)
{
        struct ucred peer = {.uid = (uid_t)-1};
        socklen_t length = sizeof(peer);

        (void)getsockopt(
                bufferevent_getfd(stream->bufferevent), SOL_SOCKET, SO_PEERCRED, &peer, &length);
        return peer.uid;
}
