#include "rehearsal/relay.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Relay {
        const Network *network;
        EventListener *listener;
        char *server;
        unsigned port;
        unsigned connections;
        bool told; /* that the server was out of reach */
};

/* A machine's connection and its other half. */
typedef struct Pair {
        Relay *relay;
        EventStream *near, *far; /* NULL: it has ended */
} Pair;

static EventStream *find_other(const Pair *pair, const EventStream *stream)
{
        return stream == pair->near ? pair->far : pair->near;
}

/* A machine that keeps asking meets the same again: once is enough. */
static void tell(Relay *relay, int error)
{
        if (!relay->told)
                (void)fprintf(stderr,
                        "flocker-rehearsal: cannot pass a machine's request on to '%s:%u': %s\n",
                        relay->server,
                        relay->port,
                        strerrordesc_np(error));
        relay->told = true;
}

static int connect_far(Relay *relay, Pair *pair)
{
        int fd, r;

        if (relay->connections >= RELAY_CONNECTIONS_MAX)
                return -EMFILE;
        r = network_socket_outside(relay->network, &fd);
        return r < 0 ? r
                     : event_stream_connect(
                               relay->listener, fd, relay->server, relay->port, pair, &pair->far);
}

static void *on_accepted(EventStream *stream, void *userdata)
{
        Relay *relay = userdata;
        Pair *pair = calloc(1, sizeof(*pair));
        int r;

        if (!pair)
                abort(); /* a rehearsal without memory has nothing to show */
        *pair = (Pair){.relay = relay, .near = stream};
        r = connect_far(relay, pair);
        if (r < 0) {
                tell(relay, -r);
                free(pair);
                event_stream_close(stream);
                return NULL;
        }
        relay->connections++;
        return pair;
}

static void on_readable(EventStream *stream, void *connection)
{
        EventStream *other = find_other(connection, stream);

        if (other)
                event_stream_pass(stream, other);
}

static void on_drained(EventStream *stream, void *connection)
{
        EventStream *other = find_other(connection, stream);

        if (other)
                event_stream_pass(other, stream);
}

/* What it has still brought goes to the other half, whose end is behind that. */
static void on_closed(EventStream *stream, void *connection)
{
        Pair *pair = connection;
        EventStream *other;
        const uint8_t *rest;
        size_t size;

        if (!pair)
                return;
        other = find_other(pair, stream);
        if (stream == pair->far && event_stream_error(stream))
                tell(pair->relay, event_stream_error(stream));
        if (!other) {
                pair->relay->connections--;
                free(pair);
                return;
        }
        *(stream == pair->near ? &pair->near : &pair->far) = NULL;
        rest = event_stream_peek(stream, &size);
        if (size > 0)
                event_stream_write(other, rest, size);
        event_stream_close(other);
}

int relay_new(EventLoop *loop,
        const Network *network,
        const char *address,
        const char *server,
        unsigned port,
        Relay **ret,
        Error *ret_error)
{
        static const EventStreamHandler handler = {
                .accepted = on_accepted,
                .readable = on_readable,
                .drained = on_drained,
                .closed = on_closed,
        };
        _cleanup_(relay_free) Relay *relay = calloc(1, sizeof(*relay));
        int r;

        if (relay)
                *relay = (Relay){.network = network, .server = text_copy(server), .port = port};
        if (!relay || !relay->server)
                return error_set(ret_error, -ENOMEM, "cannot listen on '%s': %m", address);
        r = event_listen_tcp(loop, address, port, &handler, relay, &relay->listener, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(relay);
        return 0;
}

Relay *relay_free(Relay *relay)
{
        if (!relay)
                return NULL;
        relay->listener = event_listener_free(relay->listener);
        free(relay->server);
        free(relay);
        return NULL;
}
