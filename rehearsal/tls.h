/* The server's side of TLS, over OpenSSL, for the imitations: files as the real ones read them. */

#pragma once

#include "base/error.h"

#define TLS_NAME_MAX 128U

typedef struct ssl_ctx_st TlsContext; /* OpenSSL's own; counted */
typedef struct ssl_st TlsSession;     /* one connection's */

/* A context that shows `certificate` and demands a client's certificate by `authority`. -ENOENT,
 * -EBADMSG with OpenSSL's words: a file that is missing, damaged, or a key that does not fit. */
int tls_context_new(const char *authority,
        const char *certificate,
        const char *key,
        TlsContext **ret,
        Error *ret_error);
TlsContext *tls_context_free(TlsContext *context);
DEFINE_CLEANUP(TlsContext *, tls_context_free);

TlsSession *tls_session_new(TlsContext *context); /* NULL: no memory */

/* The CN of the peer's certificate into `place`; "": it has none. */
const char *tls_peer_name(TlsSession *session, char place[TLS_NAME_MAX]);
