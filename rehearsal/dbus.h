/* A message bus of one service, on a unix socket: the D-Bus wire, as much of it as a client of
 * systemd needs.
 *
 * Authentication is EXTERNAL, descriptors are not passed, messages are little-endian (what sd-bus
 * sends on every machine that this runs on) and at most DBUS_MESSAGE_MAX bytes. The bus answers for
 * itself (Hello, AddMatch, GetNameOwner, …); all other calls are the handler's.
 *
 * Source: D-Bus Specification.
 */

#pragma once

#include "base/buffer.h"
#include "rehearsal/event.h"

#define DBUS_MESSAGE_MAX   (1024U * 1024U)
#define DBUS_NAME_MAX      256U
#define DBUS_SIGNATURE_MAX 256U

typedef enum DbusType {
        DBUS_METHOD_CALL = 1,
        DBUS_METHOD_RETURN = 2,
        DBUS_ERROR = 3,
        DBUS_SIGNAL = 4,
} DbusType;

typedef struct DbusMessage {
        uint8_t type; /* DbusType */
        uint8_t flags;
        uint32_t serial;
        uint32_t reply_serial;
        char path[DBUS_NAME_MAX]; /* each "" where the message has none */
        char interface[DBUS_NAME_MAX];
        char member[DBUS_NAME_MAX];
        char destination[DBUS_NAME_MAX];
        char signature[DBUS_SIGNATURE_MAX];
        const uint8_t *body; /* borrowed */
        size_t body_size;
} DbusMessage;

/* Reads one message off the bytes at `data`. 0: *ret_size is its length; -EAGAIN: more is needed;
 * -EBADMSG: it is none. */
int dbus_parse(const uint8_t *data, size_t size, DbusMessage *ret, size_t *ret_size);

/* --- bodies --- */

typedef struct DbusReader {
        const uint8_t *data;
        size_t size, at;
} DbusReader;

DbusReader dbus_reader(const DbusMessage *message);
/* -EBADMSG: it is not there, or runs over the end. Texts are borrowed. */
int dbus_read_uint32(DbusReader *reader, uint32_t *ret);
int dbus_read_text(DbusReader *reader, const char **ret); /* s, o */
/* An array of texts of at most `max`; *ret_count of them. */
int dbus_read_texts(DbusReader *reader, const char **ret, size_t max, size_t *ret_count);

/* A body in the making; what cannot be added (no memory) makes it broken, which dbus_reply() sees.
 */
typedef struct DbusBody {
        Buffer data;
        char signature[DBUS_SIGNATURE_MAX];
        bool broken;
} DbusBody;

#define DBUS_BODY_INIT ((DbusBody){.data = BUFFER_INIT(DBUS_MESSAGE_MAX)})
void dbus_body_done(DbusBody *body);
DEFINE_CLEANUP_IN_PLACE(DbusBody, dbus_body_done);

/* Of the body's own signature: set it first ("a(usssoo)"), then append in its order. */
void dbus_append_byte(DbusBody *body, uint8_t value);
void dbus_append_uint32(DbusBody *body, uint32_t value); /* also booleans */
void dbus_append_uint64(DbusBody *body, uint64_t value);
void dbus_append_text(DbusBody *body, const char *text);      /* s, o */
void dbus_append_signature(DbusBody *body, const char *text); /* g */
void dbus_align(DbusBody *body, size_t alignment);            /* structs, dict entries: 8 */
/* An array whose elements are aligned to `alignment`; gives a mark for its end. */
size_t dbus_begin_array(DbusBody *body, size_t alignment);
void dbus_end_array(DbusBody *body, size_t mark);

/* --- the bus --- */

typedef struct DbusBus DbusBus;
typedef struct DbusPeer DbusPeer;

typedef void (*DbusHandler)(DbusPeer *peer, const DbusMessage *call, void *userdata);

/* `name` is the one service's well-known name. */
int dbus_bus_new(EventLoop *loop,
        const char *path,
        const char *name,
        DbusHandler handler,
        void *userdata,
        DbusBus **ret,
        Error *ret_error);
DbusBus *dbus_bus_free(DbusBus *bus);
DEFINE_CLEANUP(DbusBus *, dbus_bus_free);

/* The answer to a call, of the service. `body` NULL: empty. */
void dbus_reply(DbusPeer *peer, const DbusMessage *call, const DbusBody *body);
void dbus_reply_error(DbusPeer *peer, const DbusMessage *call, const char *name, const char *text);

/* To everyone on the bus. */
void dbus_emit(DbusBus *bus,
        const char *path,
        const char *interface,
        const char *member,
        const DbusBody *body);
