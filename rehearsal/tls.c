#include "rehearsal/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

static int refuse(const char *path, Error *ret_error)
{
        char words[256];
        unsigned long code = ERR_peek_error();

        ERR_error_string_n(code, words, sizeof(words));
        ERR_clear_error();
        return error_set(ret_error, -EBADMSG, "cannot use '%s': %s", path, words);
}

int tls_context_new(const char *authority,
        const char *certificate,
        const char *key,
        TlsContext **ret,
        Error *ret_error)
{
        _cleanup_(tls_context_free) TlsContext *context = SSL_CTX_new(TLS_server_method());

        if (!context)
                return error_set(ret_error, -ENOMEM, "cannot make a TLS context: %m");
        if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
                SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
                return refuse(certificate, ret_error);
        if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
                SSL_CTX_check_private_key(context) != 1)
                return refuse(key, ret_error);
        if (SSL_CTX_load_verify_locations(context, authority, NULL) != 1)
                return refuse(authority, ret_error);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        *ret = TAKE_PTR(context);
        return 0;
}

TlsContext *tls_context_free(TlsContext *context)
{
        SSL_CTX_free(context);
        return NULL;
}

TlsSession *tls_session_new(TlsContext *context)
{
        return SSL_new(context);
}

const char *tls_peer_name(TlsSession *session, char place[TLS_NAME_MAX])
{
        X509 *certificate = session ? SSL_get1_peer_certificate(session) : NULL;

        place[0] = '\0';
        if (certificate)
                (void)X509_NAME_get_text_by_NID(
                        X509_get_subject_name(certificate), NID_commonName, place, TLS_NAME_MAX);
        X509_free(certificate);
        return place;
}
