#include "certs/key.h"

#include "base/text.h"
#include "certs/crypto.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS          4096
#define RSA_BITS_MIN      2048
#define RSA_BITS_MAX      16384 /* a hostile key must not cost minutes */
#define PBKDF2_ITERATIONS 100000

const char *const key_kind_names[] = {
        [KEY_RSA_4096] = "rsa-4096",
        [KEY_ECDSA_P256] = "ecdsa-p256",
        NULL,
};

Key *key_ref(Key *key)
{
        if (key)
                EVP_PKEY_up_ref(key);
        return key;
}

Key *key_free(Key *key)
{
        EVP_PKEY_free(key);
        return NULL;
}

/* OpenSSL asks between candidates for primes whether to go on. */
static int go_on(EVP_PKEY_CTX *context)
{
        atomic_bool *cancelled = EVP_PKEY_CTX_get_app_data(context);

        return !cancelled || !atomic_load_explicit(cancelled, memory_order_relaxed);
}

static EVP_PKEY_CTX *make_context(KeyKind kind)
{
        EVP_PKEY_CTX *context =
                EVP_PKEY_CTX_new_from_name(NULL, kind == KEY_RSA_4096 ? "RSA" : "EC", NULL);

        if (!context || EVP_PKEY_keygen_init(context) <= 0 ||
                (kind == KEY_RSA_4096 &&
                        EVP_PKEY_CTX_set_rsa_keygen_bits(context, RSA_BITS) <= 0) ||
                (kind == KEY_ECDSA_P256 &&
                        EVP_PKEY_CTX_set_group_name(context, "prime256v1") <= 0)) {
                EVP_PKEY_CTX_free(context);
                return NULL;
        }
        return context;
}

int key_make(KeyKind kind, atomic_bool *cancelled, Key **ret, Error *ret_error)
{
        _cleanup_(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = make_context(kind);
        char reason[CRYPTO_REASON_MAX];
        Key *key = NULL;

        if (!context)
                return error_set(ret_error,
                        -EIO,
                        "cannot make an %s key: %s",
                        key_kind_names[kind],
                        crypto_reason(reason));

        EVP_PKEY_CTX_set_app_data(context, cancelled);
        EVP_PKEY_CTX_set_cb(context, go_on);
        if (EVP_PKEY_generate(context, &key) <= 0) {
                if (!go_on(context))
                        return error_set(ret_error,
                                -ECANCELED,
                                "cannot make an %s key: it is wanted no longer",
                                key_kind_names[kind]);
                return error_set(ret_error,
                        -EIO,
                        "cannot make an %s key: %s",
                        key_kind_names[kind],
                        crypto_reason(reason));
        }

        *ret = key;
        return 0;
}

bool key_is(const Key *key, KeyKind kind)
{
        char group[64] = "";

        if (kind == KEY_RSA_4096)
                return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == RSA_BITS;
        return EVP_PKEY_is_a(key, "EC") &&
               EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
               text_equal(group, "prime256v1");
}

const char *key_describe(const Key *key, char ret[KEY_DESCRIPTION_MAX])
{
        char group[32] = "";

        if (EVP_PKEY_is_a(key, "RSA"))
                (void)snprintf(ret, KEY_DESCRIPTION_MAX, "RSA %d", EVP_PKEY_get_bits(key));
        else if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
                (void)snprintf(ret, KEY_DESCRIPTION_MAX, "ECDSA %s", group);
        else
                (void)snprintf(ret,
                        KEY_DESCRIPTION_MAX,
                        "%.32s %d",
                        EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key) : "unknown",
                        EVP_PKEY_get_bits(key));
        return ret;
}

bool key_equal(const Key *a, const Key *b)
{
        return EVP_PKEY_eq(a, b) == 1;
}

static int write_encrypted(BIO *bio, const Key *key, const Secret *passphrase)
{
        _cleanup_(PKCS8_PRIV_KEY_INFO_free) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
        _cleanup_(X509_SIG_free) X509_SIG *encrypted = NULL;

        if (plain)
                encrypted = PKCS8_encrypt(-1, /* PBES2 */
                        EVP_aes_256_cbc(),
                        secret_data(passphrase),
                        (int)secret_size(passphrase),
                        NULL, /* a salt of its own making */
                        0,
                        PBKDF2_ITERATIONS,
                        plain);
        return encrypted && PEM_write_bio_PKCS8(bio, encrypted) == 1 ? 0 : -EIO;
}

static int write_plain(BIO *bio, const Key *key)
{
        return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 ? 0 : -EIO;
}

int key_format(const Key *key, const Secret *passphrase, Secret **ret, Error *ret_error)
{
        _cleanup_(BIO_free_all) BIO *bio = crypto_bio_new();
        char reason[CRYPTO_REASON_MAX];
        int r = -ENOMEM;

        if (bio)
                r = passphrase ? write_encrypted(bio, key, passphrase) : write_plain(bio, key);
        if (r == 0)
                r = crypto_bio_take(bio, ret);
        if (r < 0)
                return error_set(
                        ret_error, r, "cannot write a private key: %s", crypto_reason(reason));
        return 0;
}

typedef struct Asking {
        const Secret *passphrase; /* NULL: none is known */
        bool asked;
} Asking;

static int give_passphrase(char *place, int size, int writing, void *userdata)
{
        Asking *asking = userdata;

        (void)writing;
        asking->asked = true;
        if (!asking->passphrase || secret_size(asking->passphrase) > (size_t)size)
                return -1;
        memcpy(place, secret_data(asking->passphrase), secret_size(asking->passphrase));
        return (int)secret_size(asking->passphrase);
}

static int refuse_key(const char *name, const Asking *asking, Error *ret_error)
{
        char reason[CRYPTO_REASON_MAX];

        (void)crypto_reason(reason);
        if (!asking->asked)
                return error_set(
                        ret_error, -EBADMSG, "cannot read '%s': it is no private key in PEM", name);
        return error_set(ret_error,
                -EKEYREJECTED,
                "cannot read '%s': the key is encrypted, and %s",
                name,
                asking->passphrase ? "the passphrase does not fit" : "no passphrase was given");
}

static int check_size(const char *name, const Key *key, Error *ret_error)
{
        int bits = EVP_PKEY_get_bits(key);

        if (!EVP_PKEY_is_a(key, "RSA") || (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX))
                return 0;
        return error_set(ret_error,
                -EBADMSG,
                "cannot use '%s': an RSA key of %d bits; expected %d to %d",
                name,
                bits,
                RSA_BITS_MIN,
                RSA_BITS_MAX);
}

/* Counted in the text: a second reading would cost as much as the first. */
static bool has_two_keys(const char *pem)
{
        static const char end[] = "PRIVATE KEY-----";
        unsigned begun = 0;

        for (const char *c = strstr(pem, "-----BEGIN "); c; c = strstr(c + 1, "-----BEGIN ")) {
                const char *label = strstr(c, end);

                if (label && !memchr(c, '\n', (size_t)(label - c)))
                        begun++;
        }
        return begun > 1;
}

int key_parse(const char *name,
        const char *pem,
        size_t size,
        const Secret *passphrase,
        Key **ret,
        Error *ret_error)
{
        _cleanup_(BIO_free_all) BIO *bio = NULL;
        _cleanup_(key_free) Key *key = NULL;
        Asking asking = {.passphrase = passphrase};
        int r;

        if (size > KEY_PEM_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot read '%s': a private key has at most %u bytes",
                        name,
                        KEY_PEM_MAX);
        if (size == 0)
                return error_set(ret_error, -EBADMSG, "cannot read '%s': it is empty", name);

        bio = crypto_bio_over(pem, size);
        if (!bio)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asking);
        if (!key)
                return refuse_key(name, &asking, ret_error);

        if (has_two_keys(pem))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': it holds more than one private key",
                        name);

        r = check_size(name, key, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(key);
        return 0;
}
