/* Private keys: made, read and written. Opaque to all but certs/. */

#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <stdatomic.h>
#include <stdbool.h>

#define KEY_PEM_MAX (64U * 1024U) /* bytes of one key's PEM */

typedef struct evp_pkey_st Key; /* OpenSSL's own; counted */

typedef enum KeyKind {
        KEY_RSA_4096,   /* Flocker: nothing else is accepted there */
        KEY_ECDSA_P256, /* Docker's default */
        _KEY_KINDS,
} KeyKind;

/* "rsa-4096", "ecdsa-p256", NULL-ended: an option's choices, by KeyKind. */
extern const char *const key_kind_names[];

Key *key_ref(Key *key);
Key *key_free(Key *key); /* NULL is allowed; OpenSSL cleanses; returns NULL */
DEFINE_CLEANUP(Key *, key_free);

/* Makes a key; an RSA key takes about a second of one core, with a wide spread. `cancelled` (NULL:
 * never) ends it within milliseconds: -ECANCELED. */
int key_make(KeyKind kind, atomic_bool *cancelled, Key **ret, Error *ret_error);

bool key_is(const Key *key, KeyKind kind);

/* "RSA 4096", "ECDSA prime256v1": for people; `ret` holds KEY_DESCRIPTION_MAX bytes. */
#define KEY_DESCRIPTION_MAX 64U
const char *key_describe(const Key *key, char ret[KEY_DESCRIPTION_MAX]);

/* The same public key? */
bool key_equal(const Key *a, const Key *b);

/* PKCS#8 PEM (RFC 5958, RFC 7468): plain, as pyOpenSSL writes and reads it; or, with a passphrase,
 * under PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256 (RFC 8018). */
int key_format(const Key *key, const Secret *passphrase, Secret **ret, Error *ret_error);

/* Any PEM of a private key; `pem` ends in a NUL. `name` is for the sentence. -EBADMSG: it is none,
 * more than one, too short for use (RSA below 2048 bits), or damaged; -EKEYREJECTED: it is
 * encrypted and the passphrase is missing or wrong; -EFBIG over KEY_PEM_MAX. */
int key_parse(const char *name,
        const char *pem,
        size_t size,
        const Secret *passphrase,
        Key **ret,
        Error *ret_error);
