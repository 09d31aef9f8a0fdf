/* SHA-256 and its HMAC (FIPS 180-4, RFC 2104), over OpenSSL's libcrypto. */

#pragma once

#include "base/error.h"

#define DIGEST_SHA256_SIZE 32U
#define DIGEST_SHA256_HEX  (2U * DIGEST_SHA256_SIZE + 1U) /* with the NUL */

typedef struct Digest {
        uint8_t bytes[DIGEST_SHA256_SIZE];
} Digest;

/* For main, before anything else of OpenSSL: the host's configuration (openssl.cnf, $OPENSSL_CONF)
 * is never loaded, as it may name modules that a static program cannot load. */
void digest_init(void);

/* Cannot fail but by lack of memory: -ENOMEM. */
int digest_sha256(const void *data, size_t size, Digest *ret);
int digest_hmac_sha256(
        const void *key, size_t key_size, const void *data, size_t size, Digest *ret);

/* As S3 and manifests spell it: lower-case hexadecimal. */
void digest_format(const Digest *digest, char ret[DIGEST_SHA256_HEX]);

/* As the x-amz-checksum-sha256 header spells it: base64; a heap string, NULL when memory is out. */
char *digest_base64(const Digest *digest);
