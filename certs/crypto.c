#include "certs/crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>

const char *crypto_reason(char place[CRYPTO_REASON_MAX])
{
        unsigned long error = ERR_peek_last_error();
        const char *reason = error ? ERR_reason_error_string(error) : NULL;

        (void)snprintf(place, CRYPTO_REASON_MAX, "%s", reason ? reason : "an error without a name");
        ERR_clear_error();
        return place;
}

BIO *crypto_bio_new(void)
{
        return BIO_new(BIO_s_secmem());
}

BIO *crypto_bio_over(const void *data, size_t size)
{
        return size > INT_MAX ? NULL : BIO_new_mem_buf(data, (int)size);
}

int crypto_bio_take(BIO *bio, Secret **ret)
{
        char *data;
        long size = BIO_get_mem_data(bio, &data);

        return size < 0 ? -ENOMEM : secret_new(data, (size_t)size, ret);
}
