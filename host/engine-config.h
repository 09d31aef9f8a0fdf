/* How this machine's Docker engine is told what to do: daemon.json, merged, and a drop-in of its
 * unit.
 *
 * With `hosts` in daemon.json the unit's command line must have no -H (moby#25471), so the drop-in
 * is the unit's own ExecStart= less that. With docker.socket active, hosts must hold fd://.
 */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

#define ENGINE_CONFIG_MAX (256U * 1024U) /* bytes of daemon.json */

typedef struct EngineConfig {
        unsigned port;           /* TCP, always with TLS */
        bool socket_activated;   /* docker.socket is active: fd:// in place of the unix socket */
        const char *tls;         /* the folder of ca.pem, cert.pem, key.pem: "/etc/docker/tls" */
        const char *label;       /* "flocker-node"; its value */
        const char *label_value; /* NULL: no label */
        bool swarm_mode;         /* live-restore forbids it */
} EngineConfig;

/* The text of daemon.json as it is to be: `text` (size 0: there is none) with our keys set; other
 * keys, and other labels, stay. -EBADMSG: it is no JSON object, with the position; -EDOM: a key of
 * it stands against what is wanted, named with what was found (live-restore with swarm mode; tls or
 * tlsverify switched off, other certificates, other hosts: those would be someone else's decision).
 */
int engine_config_merge(const char *name,
        const char *text,
        size_t size,
        const EngineConfig *config,
        Buffer *ret,
        Error *ret_error);

/* The drop-in's text for an ExecStart= of these arguments (NULL-ended), quoted as
 * systemd.service(5) reads it. */
int engine_config_drop_in(const char *const *arguments, Buffer *ret, Error *ret_error);
