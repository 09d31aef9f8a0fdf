#include "base/digest.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void digest_init(void)
{
        (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

int digest_sha256(const void *data, size_t size, Digest *ret)
{
        return EVP_Digest(data, size, ret->bytes, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

int digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, Digest *ret)
{
        if (!HMAC(EVP_sha256(), key, (int)key_size, data, size, ret->bytes, NULL))
                return -ENOMEM;
        return 0;
}

void digest_format(const Digest *digest, char ret[DIGEST_SHA256_HEX])
{
        text_hex(digest->bytes, sizeof(digest->bytes), ret);
}

char *digest_base64(const Digest *digest)
{
        return text_base64(digest->bytes, sizeof(digest->bytes));
}
