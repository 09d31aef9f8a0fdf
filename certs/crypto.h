/* What the files of certs/ share of OpenSSL: its cleanup, and its errors as a phrase. This header
 * stays within certs/: the layers above see Key and Certificate as opaque. */

#pragma once

#include "base/macro.h"
#include "base/secret.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

DEFINE_CLEANUP(BIO *, BIO_free_all);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);
DEFINE_CLEANUP(GENERAL_NAME *, GENERAL_NAME_free);
DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free);
DEFINE_CLEANUP(PKCS8_PRIV_KEY_INFO *, PKCS8_PRIV_KEY_INFO_free);
DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free);
DEFINE_CLEANUP(X509_NAME *, X509_NAME_free);
DEFINE_CLEANUP(X509_SIG *, X509_SIG_free);
DEFINE_CLEANUP(X509_STORE *, X509_STORE_free);
DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free);

#define CRYPTO_REASON_MAX 160U

/* The newest of OpenSSL's queued errors in words, "an error without a name" if there is none;
 * empties the queue. */
const char *crypto_reason(char place[CRYPTO_REASON_MAX]);

/* A memory BIO whose memory is cleansed; NULL when memory is out. */
BIO *crypto_bio_new(void);

/* Reads `size` bytes that stay the caller's. NULL when memory is out, or over INT_MAX. */
BIO *crypto_bio_over(const void *data, size_t size);

/* What was written into `bio`, as a Secret. */
int crypto_bio_take(BIO *bio, Secret **ret);
