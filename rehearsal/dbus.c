#include "rehearsal/dbus.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LITTLE_ENDIAN_MARK 'l'
#define PROTOCOL_VERSION   1
#define NO_REPLY_EXPECTED  0x1
#define HEADER_FIXED       16U /* bytes: up to the fields' array's length */
#define LINE_MAX_BYTES     1024U
#define SERVICE_PEER       ":1.0"
#define BUS_NAME           "org.freedesktop.DBus"
#define GUID               "0123456789abcdef0123456789abcdef"

/* Header fields' codes. */
enum { PATH = 1, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE };

struct DbusBus {
        EventListener *listener;
        char name[DBUS_NAME_MAX];
        DbusHandler handler;
        void *userdata;
        DbusPeer *peers;
        unsigned count; /* of names that were given */
        uint32_t serial;
};

struct DbusPeer {
        DbusBus *bus;
        DbusPeer *next;
        EventStream *stream;
        bool begun; /* authentication is over */
        bool greeted;
        char name[32];
};

/* --- reading --- */

static uint32_t get_uint32(const uint8_t *data)
{
        return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
               (uint32_t)data[3] << 24;
}

static size_t align(size_t at, size_t alignment)
{
        return (at + alignment - 1) / alignment * alignment;
}

int dbus_read_uint32(DbusReader *reader, uint32_t *ret)
{
        size_t at = align(reader->at, 4);

        if (at > reader->size || reader->size - at < 4)
                return -EBADMSG;
        *ret = get_uint32(reader->data + at);
        reader->at = at + 4;
        return 0;
}

int dbus_read_text(DbusReader *reader, const char **ret)
{
        uint32_t length;
        const char *text;

        if (dbus_read_uint32(reader, &length) < 0 || reader->size - reader->at <= length)
                return -EBADMSG;
        text = (const char *)reader->data + reader->at;
        if (memchr(text, '\0', (size_t)length + 1) != text + length)
                return -EBADMSG;
        reader->at += (size_t)length + 1;
        *ret = text;
        return 0;
}

static int read_signature(DbusReader *reader, const char **ret)
{
        size_t length;
        const char *text;

        if (reader->at >= reader->size)
                return -EBADMSG;
        length = reader->data[reader->at];
        text = (const char *)reader->data + reader->at + 1;
        if (reader->size - reader->at - 1 <= length ||
                memchr(text, '\0', length + 1) != text + length)
                return -EBADMSG;
        reader->at += length + 2;
        *ret = text;
        return 0;
}

int dbus_read_texts(DbusReader *reader, const char **ret, size_t max, size_t *ret_count)
{
        uint32_t length;
        size_t end, count = 0;

        if (dbus_read_uint32(reader, &length) < 0 || reader->size - reader->at < length)
                return -EBADMSG;
        end = reader->at + length;
        while (reader->at < end)
                if (count >= max || dbus_read_text(reader, &ret[count++]) < 0)
                        return -EBADMSG;
        *ret_count = count;
        return reader->at == end ? 0 : -EBADMSG;
}

DbusReader dbus_reader(const DbusMessage *message)
{
        return (DbusReader){.data = message->body, .size = message->body_size};
}

static int take_field(uint8_t code, const char *type, DbusReader *reader, DbusMessage *ret)
{
        const char *text;
        char *place;
        size_t size = DBUS_NAME_MAX;

        if (text_equal(type, "u")) {
                uint32_t number;

                if (dbus_read_uint32(reader, &number) < 0)
                        return -EBADMSG;
                if (code == REPLY_SERIAL)
                        ret->reply_serial = number;
                return 0;
        }
        if (text_equal(type, "g") ? read_signature(reader, &text) < 0
                                  : (!text_equal(type, "s") && !text_equal(type, "o")) ||
                                            dbus_read_text(reader, &text) < 0)
                return -EBADMSG;
        switch (code) {
        case PATH:
                place = ret->path;
                break;
        case INTERFACE:
                place = ret->interface;
                break;
        case MEMBER:
                place = ret->member;
                break;
        case DESTINATION:
                place = ret->destination;
                break;
        case SIGNATURE:
                place = ret->signature;
                size = DBUS_SIGNATURE_MAX;
                break;
        default:
                return 0;
        }
        return text_put(place, size, text) < 0 ? -EBADMSG : 0;
}

static int read_fields(DbusReader *reader, DbusMessage *ret)
{
        while (reader->at < reader->size) {
                const char *type;
                uint8_t code;

                reader->at = align(reader->at, 8);
                if (reader->at >= reader->size)
                        return -EBADMSG;
                code = reader->data[reader->at++];
                if (read_signature(reader, &type) < 0 || take_field(code, type, reader, ret) < 0)
                        return -EBADMSG;
        }
        return 0;
}

int dbus_parse(const uint8_t *data, size_t size, DbusMessage *ret, size_t *ret_size)
{
        DbusMessage message = {};
        size_t fields, body, head;
        DbusReader reader;

        if (size < HEADER_FIXED)
                return -EAGAIN;
        fields = get_uint32(data + 12);
        body = get_uint32(data + 4);
        if (data[0] != LITTLE_ENDIAN_MARK || data[3] != PROTOCOL_VERSION ||
                fields > DBUS_MESSAGE_MAX || body > DBUS_MESSAGE_MAX)
                return -EBADMSG;
        head = align(HEADER_FIXED + fields, 8);
        if (size < head + body)
                return -EAGAIN;

        message.type = data[1];
        message.flags = data[2];
        message.serial = get_uint32(data + 8);
        message.body = data + head;
        message.body_size = body;
        reader = (DbusReader){.data = data, .size = HEADER_FIXED + fields, .at = HEADER_FIXED};
        if (read_fields(&reader, &message) < 0)
                return -EBADMSG;
        *ret = message;
        *ret_size = head + body;
        return 0;
}

/* --- writing --- */

void dbus_body_done(DbusBody *body)
{
        buffer_done(&body->data);
}

void dbus_align(DbusBody *body, size_t alignment)
{
        static const uint8_t zeros[8];
        size_t missing = align(body->data.size, alignment) - body->data.size;

        body->broken |= missing > 0 && buffer_append(&body->data, zeros, missing) < 0;
}

void dbus_append_byte(DbusBody *body, uint8_t value)
{
        body->broken |= buffer_append(&body->data, &value, 1) < 0;
}

void dbus_append_uint32(DbusBody *body, uint32_t value)
{
        uint8_t bytes[] = {(uint8_t)value,
                (uint8_t)(value >> 8),
                (uint8_t)(value >> 16),
                (uint8_t)(value >> 24)};

        dbus_align(body, 4);
        body->broken |= buffer_append(&body->data, bytes, sizeof(bytes)) < 0;
}

void dbus_append_uint64(DbusBody *body, uint64_t value)
{
        dbus_align(body, 8);
        dbus_append_uint32(body, (uint32_t)value);
        dbus_append_uint32(body, (uint32_t)(value >> 32));
}

void dbus_append_text(DbusBody *body, const char *text)
{
        dbus_append_uint32(body, (uint32_t)strlen(text));
        body->broken |= buffer_append(&body->data, text, strlen(text) + 1) < 0;
}

void dbus_append_signature(DbusBody *body, const char *text)
{
        dbus_append_byte(body, (uint8_t)strlen(text));
        body->broken |= buffer_append(&body->data, text, strlen(text) + 1) < 0;
}

static void put_uint32(DbusBody *body, size_t at, uint32_t value)
{
        for (size_t i = 0; i < 4 && !body->broken; i++)
                body->data.data[at + i] = (char)(value >> (8 * i));
}

/* The mark is where the array's length stands; the elements begin behind padding, which does not
 * count. */
size_t dbus_begin_array(DbusBody *body, size_t alignment)
{
        size_t mark;

        dbus_append_uint32(body, (uint32_t)alignment);
        mark = body->data.size - 4;
        dbus_align(body, alignment);
        return mark;
}

void dbus_end_array(DbusBody *body, size_t mark)
{
        size_t alignment;

        if (body->broken)
                return;
        alignment = get_uint32((const uint8_t *)body->data.data + mark);
        put_uint32(body, mark, (uint32_t)(body->data.size - align(mark + 4, alignment)));
}

static void append_field(DbusBody *head, uint8_t code, const char *type, const char *text)
{
        if (text_is_empty(text))
                return;
        dbus_align(head, 8);
        dbus_append_byte(head, code);
        dbus_append_signature(head, type);
        if (text_equal(type, "g"))
                dbus_append_signature(head, text);
        else
                dbus_append_text(head, text);
}

/* What is sent: the header's variable parts. */
typedef struct Outgoing {
        DbusType type;
        uint32_t reply_serial; /* 0: none */
        const char *path, *interface, *member, *error, *destination, *sender;
        const DbusBody *body; /* NULL: empty */
} Outgoing;

static void send_message(DbusPeer *peer, const Outgoing *outgoing)
{
        _cleanup_(dbus_body_done) DbusBody head = DBUS_BODY_INIT;
        size_t body_size = outgoing->body ? outgoing->body->data.size : 0, mark;

        dbus_append_byte(&head, LITTLE_ENDIAN_MARK);
        dbus_append_byte(&head, (uint8_t)outgoing->type);
        dbus_append_byte(&head, NO_REPLY_EXPECTED);
        dbus_append_byte(&head, PROTOCOL_VERSION);
        dbus_append_uint32(&head, (uint32_t)body_size);
        dbus_append_uint32(&head, ++peer->bus->serial);
        mark = dbus_begin_array(&head, 8);
        append_field(&head, PATH, "o", outgoing->path);
        append_field(&head, INTERFACE, "s", outgoing->interface);
        append_field(&head, MEMBER, "s", outgoing->member);
        append_field(&head, ERROR_NAME, "s", outgoing->error);
        if (outgoing->reply_serial > 0) {
                dbus_align(&head, 8);
                dbus_append_byte(&head, REPLY_SERIAL);
                dbus_append_signature(&head, "u");
                dbus_append_uint32(&head, outgoing->reply_serial);
        }
        append_field(&head, DESTINATION, "s", outgoing->destination);
        append_field(&head, SENDER, "s", outgoing->sender);
        if (outgoing->body)
                append_field(&head, SIGNATURE, "g", outgoing->body->signature);
        dbus_end_array(&head, mark);
        dbus_align(&head, 8);
        if (head.broken || (outgoing->body && outgoing->body->broken)) {
                event_stream_close(peer->stream);
                return;
        }
        event_stream_write(peer->stream, buffer_text(&head.data), head.data.size);
        if (body_size > 0)
                event_stream_write(peer->stream, outgoing->body->data.data, body_size);
}

static void answer(DbusPeer *peer,
        const DbusMessage *call,
        const char *sender,
        const char *error,
        const DbusBody *body)
{
        Outgoing outgoing = {
                .type = error ? DBUS_ERROR : DBUS_METHOD_RETURN,
                .reply_serial = call->serial,
                .error = error,
                .destination = peer->name,
                .sender = sender,
                .body = body,
        };

        if (!(call->flags & NO_REPLY_EXPECTED))
                send_message(peer, &outgoing);
}

void dbus_reply(DbusPeer *peer, const DbusMessage *call, const DbusBody *body)
{
        answer(peer, call, SERVICE_PEER, NULL, body);
}

static void answer_error(DbusPeer *peer,
        const DbusMessage *call,
        const char *sender,
        const char *name,
        const char *text)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;

        (void)text_put(body.signature, sizeof(body.signature), "s");
        dbus_append_text(&body, text);
        answer(peer, call, sender, name, &body);
}

void dbus_reply_error(DbusPeer *peer, const DbusMessage *call, const char *name, const char *text)
{
        answer_error(peer, call, SERVICE_PEER, name, text);
}

void dbus_emit(DbusBus *bus,
        const char *path,
        const char *interface,
        const char *member,
        const DbusBody *body)
{
        Outgoing outgoing = {
                .type = DBUS_SIGNAL,
                .path = path,
                .interface = interface,
                .member = member,
                .sender = SERVICE_PEER,
                .body = body,
        };

        for (DbusPeer *peer = bus->peers; peer; peer = peer->next)
                if (peer->greeted)
                        send_message(peer, &outgoing);
}

/* --- the bus itself --- */

static void answer_text(DbusPeer *peer, const DbusMessage *call, const char *text)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;

        (void)text_put(body.signature, sizeof(body.signature), "s");
        dbus_append_text(&body, text);
        answer(peer, call, BUS_NAME, NULL, &body);
}

static void answer_bool(DbusPeer *peer, const DbusMessage *call, bool value)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;

        (void)text_put(body.signature, sizeof(body.signature), "b");
        dbus_append_uint32(&body, value);
        answer(peer, call, BUS_NAME, NULL, &body);
}

static void answer_owner(DbusPeer *peer, const DbusMessage *call, bool name)
{
        DbusReader reader = dbus_reader(call);
        const char *asked = "";
        bool known;

        (void)dbus_read_text(&reader, &asked);
        known = text_equal(asked, peer->bus->name) || text_equal(asked, BUS_NAME);
        if (!name)
                answer_bool(peer, call, known);
        else if (known)
                answer_text(peer, call, text_equal(asked, BUS_NAME) ? BUS_NAME : SERVICE_PEER);
        else
                answer_error(peer,
                        call,
                        BUS_NAME,
                        BUS_NAME ".Error.NameHasNoOwner",
                        "Could not get owner of name: no such name");
}

static void greet(DbusPeer *peer, const DbusMessage *call)
{
        (void)snprintf(peer->name, sizeof(peer->name), ":1.%u", ++peer->bus->count);
        peer->greeted = true;
        answer_text(peer, call, peer->name);
}

static void serve_bus(DbusPeer *peer, const DbusMessage *call)
{
        if (text_equal(call->member, "Hello"))
                greet(peer, call);
        else if (text_equal(call->member, "AddMatch") || text_equal(call->member, "RemoveMatch"))
                answer(peer, call, BUS_NAME, NULL, NULL);
        else if (text_equal(call->member, "GetNameOwner"))
                answer_owner(peer, call, true);
        else if (text_equal(call->member, "NameHasOwner"))
                answer_owner(peer, call, false);
        else if (text_equal(call->member, "GetId"))
                answer_text(peer, call, GUID);
        else
                answer_error(peer,
                        call,
                        BUS_NAME,
                        BUS_NAME ".Error.UnknownMethod",
                        "this bus does not know the method");
}

static void dispatch(DbusPeer *peer, const DbusMessage *message)
{
        DbusBus *bus = peer->bus;

        if (message->type != DBUS_METHOD_CALL)
                return;
        if (text_equal(message->destination, BUS_NAME))
                serve_bus(peer, message);
        else if (text_equal(message->destination, bus->name) ||
                 text_equal(message->destination, SERVICE_PEER))
                bus->handler(peer, message, bus->userdata);
        else
                answer_error(peer,
                        message,
                        BUS_NAME,
                        BUS_NAME ".Error.ServiceUnknown",
                        "The name is not activatable");
}

/* One line of the authentication; what it answers. NULL: it has ended. */
static const char *answer_line(const DbusPeer *peer, const char *line)
{
        (void)peer;
        if (text_equal(line, "AUTH EXTERNAL"))
                return "DATA\r\n";
        if (text_starts(line, "AUTH EXTERNAL ") || text_starts(line, "DATA"))
                return "OK " GUID "\r\n";
        if (text_equal(line, "BEGIN"))
                return NULL;
        if (text_starts(line, "AUTH"))
                return "REJECTED EXTERNAL\r\n";
        return "ERROR\r\n"; /* NEGOTIATE_UNIX_FD among them: no descriptors are passed */
}

/* Takes one line; false: none is there yet. */
static bool authenticate(DbusPeer *peer)
{
        size_t size;
        const uint8_t *data = event_stream_peek(peer->stream, &size);
        const uint8_t *start = data, *end;
        char line[LINE_MAX_BYTES];
        const char *reply;

        if (size > 0 && *start == '\0') /* the first byte of all */
                start++;
        end = size > 0 ? memmem(start, size - (size_t)(start - data), "\r\n", 2) : NULL;
        if (!end) {
                if (size > LINE_MAX_BYTES)
                        event_stream_close(peer->stream);
                return false;
        }
        (void)snprintf(line, sizeof(line), "%.*s", (int)(end - start), (const char *)start);
        event_stream_take(peer->stream, (size_t)(end - data) + 2);
        reply = answer_line(peer, line);
        if (reply)
                event_stream_write(peer->stream, reply, strlen(reply));
        peer->begun = !reply;
        return true;
}

static void on_readable(EventStream *stream, void *connection)
{
        DbusPeer *peer = connection;
        DbusMessage message;
        size_t size, used;
        int r;

        while (!peer->begun)
                if (!authenticate(peer))
                        return;
        for (;;) {
                const uint8_t *data = event_stream_peek(stream, &size);

                r = dbus_parse(data, size, &message, &used);
                if (r < 0)
                        break;
                dispatch(peer, &message);
                event_stream_take(stream, used);
        }
        if (r == -EBADMSG)
                event_stream_close(stream);
}

static void *on_accepted(EventStream *stream, void *userdata)
{
        DbusBus *bus = userdata;
        DbusPeer *peer = calloc(1, sizeof(*peer));

        if (!peer)
                abort(); /* a rehearsal without memory has nothing to show */
        *peer = (DbusPeer){.bus = bus, .stream = stream, .next = bus->peers};
        bus->peers = peer;
        return peer;
}

static void on_closed(EventStream *stream, void *connection)
{
        DbusPeer *peer = connection, **place = &peer->bus->peers;

        (void)stream;
        while (*place != peer)
                place = &(*place)->next;
        *place = peer->next;
        free(peer);
}

int dbus_bus_new(EventLoop *loop,
        const char *path,
        const char *name,
        DbusHandler handler,
        void *userdata,
        DbusBus **ret,
        Error *ret_error)
{
        static const EventStreamHandler streams = {
                .accepted = on_accepted, .readable = on_readable, .closed = on_closed};
        DbusBus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return error_set(ret_error, -ENOMEM, "cannot make a bus: %m");
        bus->handler = handler;
        bus->userdata = userdata;
        (void)text_put(bus->name, sizeof(bus->name), name);
        r = event_listen_unix(loop, path, &streams, bus, &bus->listener, ret_error);
        if (r < 0) {
                free(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

DbusBus *dbus_bus_free(DbusBus *bus)
{
        if (!bus)
                return NULL;
        (void)event_listener_free(bus->listener);
        free(bus);
        return NULL;
}
