#include "certs/certificate.h"

#include "base/random.h"
#include "base/text.h"
#include "certs/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <string.h>

#define SERIAL_SIZE 16U
#define DNS_MAX     253U
#define LABEL_MAX   63U
#define AUTH_LEVEL  2 /* 112 bits: RSA from 2048, SHA-2; what today's OpenSSL and Go take in TLS */

Certificate *certificate_ref(Certificate *certificate)
{
        if (certificate)
                X509_up_ref(certificate);
        return certificate;
}

Certificate *certificate_free(Certificate *certificate)
{
        X509_free(certificate);
        return NULL;
}

static size_t count_characters(const char *utf8)
{
        size_t count = 0;

        for (; *utf8; utf8++)
                count += (*utf8 & 0xC0) != 0x80;
        return count;
}

int certificate_check_subject(const char *text, Error *ret_error)
{
        size_t length = strlen(text), count = count_characters(text);
        bool printable = text_is_utf8(text, length);

        for (size_t i = 0; i < length; i++)
                printable &= (unsigned char)text[i] >= 0x20 && text[i] != 0x7F;
        if (count >= 1 && count <= CERTIFICATE_CN_MAX && printable)
                return 0;
        return error_set(ret_error,
                -EINVAL,
                "cannot certify '%s': a subject's names have 1 to %u characters of UTF-8, and no "
                "control characters",
                text,
                CERTIFICATE_CN_MAX);
}

static int add_name_entry(X509_NAME *name, const char *field, const char *text)
{
        const unsigned char *bytes = (const unsigned char *)text;

        return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes, -1, -1, 0) == 1
                       ? 0
                       : -EINVAL;
}

static int set_subject(X509 *x509, const CertificateRequest *request, Error *ret_error)
{
        _cleanup_(X509_NAME_free) X509_NAME *name = X509_NAME_new();
        const char *unit = request->organizational_unit;
        int r;

        if (!name)
                return -ENOMEM;
        r = certificate_check_subject(request->common_name, ret_error);
        if (r == 0 && unit)
                r = certificate_check_subject(unit, ret_error);
        if (r == 0)
                r = add_name_entry(name, "CN", request->common_name);
        if (r == 0 && unit)
                r = add_name_entry(name, "OU", unit);
        if (r < 0)
                return r;
        return X509_set_subject_name(x509, name) == 1 ? 0 : -ENOMEM;
}

static int set_serial(X509 *x509, Error *ret_error)
{
        unsigned char bytes[SERIAL_SIZE];
        BIGNUM *number;
        int r;

        r = random_get_bytes(bytes, sizeof(bytes), ret_error);
        if (r < 0)
                return r;
        bytes[0] |= 0x40; /* never zero, and of one length */
        bytes[0] &= 0x7F; /* positive without a further octet */

        number = BN_bin2bn(bytes, sizeof(bytes), NULL);
        r = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) ? 0 : -ENOMEM;
        BN_free(number);
        return r;
}

int certificate_check_clock(Usec wall, Error *ret_error)
{
        char time[CLOCK_UTC_MAX];

        if (wall >= PROFILE_WALL_MIN)
                return 0;
        clock_format_utc(wall, time);
        return error_set(ret_error,
                -EDOM,
                "cannot certify anything at %s: this machine's clock is wrong; set it",
                time);
}

static int set_validity(X509 *x509, Usec wall, int64_t seconds)
{
        time_t begin = (time_t)(wall / USEC_PER_SEC) - PROFILE_BACKDATE_SECONDS;

        if (!ASN1_TIME_set(X509_getm_notBefore(x509), begin) ||
                !ASN1_TIME_set(X509_getm_notAfter(x509), begin + seconds))
                return -ENOMEM;
        return 0;
}

static bool is_label(const char *label, size_t length)
{
        static const char taken[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

        return length > 0 && length <= LABEL_MAX && strspn(label, taken) >= length &&
               label[0] != '-' && label[length - 1] != '-';
}

/* RFC 1123, 2.1: the last label is not all digits, so that a mistyped address is no name. */
static bool is_dns_name(const char *text)
{
        const char *label = text;
        size_t length;

        if (strlen(text) > DNS_MAX)
                return false;
        for (;; label += length + 1) {
                length = strcspn(label, ".");
                if (!is_label(label, length))
                        return false;
                if (label[length] == '\0')
                        return strspn(label, "0123456789") < length;
        }
}

static bool is_address(const char *text)
{
        unsigned char bytes[16];

        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

int certificate_check_name(const char *name, Error *ret_error)
{
        if (is_address(name) || is_dns_name(name))
                return 0;
        return error_set(ret_error,
                -EINVAL,
                "cannot certify the name '%.80s': expected an IP address or a DNS name",
                name);
}

/* A name that has been checked, as GeneralName has it (RFC 5280, 4.2.1.6). NULL: memory is out. */
static GENERAL_NAME *make_general_name(const char *text)
{
        _cleanup_(GENERAL_NAME_free) GENERAL_NAME *name = GENERAL_NAME_new();
        bool v4, address;
        unsigned char bytes[16];
        ASN1_STRING *value;

        v4 = inet_pton(AF_INET, text, bytes) == 1;
        address = v4 || inet_pton(AF_INET6, text, bytes) == 1;
        if (!name)
                return NULL;

        value = address ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
        if (!value || !ASN1_STRING_set(value,
                              address ? (const void *)bytes : text,
                              !address ? (int)strlen(text)
                              : v4     ? 4
                                       : 16)) {
                ASN1_STRING_free(value);
                return NULL;
        }
        GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, value);
        return TAKE_PTR(name);
}

static int add_alternative_names(X509 *x509, const CertificateRequest *request, Error *ret_error)
{
        _cleanup_(GENERAL_NAMES_free) GENERAL_NAMES *names = GENERAL_NAMES_new();

        if (!names)
                return -ENOMEM;

        for (size_t i = 0; request->names && request->names[i]; i++) {
                GENERAL_NAME *name;
                int r;

                if (i >= CERTIFICATE_NAMES_MAX)
                        return error_set(ret_error,
                                -EINVAL,
                                "cannot certify the name '%.80s': a certificate has at most %u",
                                request->names[i],
                                CERTIFICATE_NAMES_MAX);
                r = certificate_check_name(request->names[i], ret_error);
                if (r < 0)
                        return r;
                name = make_general_name(request->names[i]);
                if (!name)
                        return -ENOMEM;
                if (!sk_GENERAL_NAME_push(names, name)) {
                        GENERAL_NAME_free(name);
                        return -ENOMEM;
                }
        }
        return X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1
                       ? 0
                       : -EIO;
}

static int add_extension(X509 *x509,
        const ProfileExtension *extension,
        const CertificateRequest *request,
        Error *ret_error)
{
        _cleanup_(X509_EXTENSION_free) X509_EXTENSION *made = NULL;
        const char *value = extension->value;
        char text[128];
        X509V3_CTX context;

        if (!value)
                return add_alternative_names(x509, request, ret_error);
        if (extension->rsa_value && EVP_PKEY_is_a(request->key, "RSA"))
                value = extension->rsa_value;

        X509V3_set_ctx(&context,
                request->issuer ? (X509 *)(uintptr_t)request->issuer : x509,
                x509,
                NULL,
                NULL,
                0);
        (void)snprintf(text, sizeof(text), "%s%s", extension->critical ? "critical," : "", value);
        made = X509V3_EXT_nconf_nid(NULL, &context, extension->nid, text);
        return made && X509_add_ext(x509, made, -1) == 1 ? 0 : -EIO;
}

static int fill(X509 *x509, const CertificateRequest *request, Error *ret_error)
{
        const Profile *profile = &profiles[request->profile];
        const X509_NAME *issuer;
        int r;

        r = X509_set_version(x509, X509_VERSION_3) == 1 ? 0 : -ENOMEM;
        if (r == 0)
                r = set_serial(x509, ret_error);
        if (r == 0)
                r = set_subject(x509, request, ret_error);
        if (r == 0)
                r = set_validity(x509, request->wall, (int64_t)profile->days * 24 * 3600);
        if (r < 0)
                return r;

        issuer = X509_get_subject_name(request->issuer ? request->issuer : x509);
        if (X509_set_issuer_name(x509, issuer) != 1 ||
                X509_set_pubkey(x509, (EVP_PKEY *)(uintptr_t)request->key) != 1)
                return -ENOMEM;

        for (size_t i = 0; i < PROFILE_EXTENSIONS_MAX && profile->extensions[i].nid; i++) {
                r = add_extension(x509, &profile->extensions[i], request, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int sign(X509 *x509, const Key *key)
{
        return X509_sign(x509, (EVP_PKEY *)(uintptr_t)key, EVP_sha256()) > 0 ? 0 : -EIO;
}

int certificate_make(const CertificateRequest *request, Certificate **ret, Error *ret_error)
{
        _cleanup_(X509_free) X509 *x509 = X509_new();
        char reason[CRYPTO_REASON_MAX];
        Error error = ERROR_INIT;
        int r;

        r = certificate_check_clock(request->wall, &error);
        if (r == 0)
                r = x509 ? fill(x509, request, &error) : -ENOMEM;
        if (r == 0)
                r = sign(x509, request->issuer ? request->issuer_key : request->key);
        if (r < 0)
                return error_set(ret_error,
                        r,
                        "%s%s%s%s",
                        error.text[0] ? error.text : "cannot make the certificate '",
                        error.text[0] ? "" : request->common_name,
                        error.text[0] ? "" : "': ",
                        error.text[0] ? "" : crypto_reason(reason));

        *ret = TAKE_PTR(x509);
        return 0;
}

int certificate_renew(const Certificate *certificate,
        const Certificate *issuer,
        const Key *issuer_key,
        Usec wall,
        Certificate **ret,
        Error *ret_error)
{
        _cleanup_(X509_free) X509 *x509 = X509_dup(certificate);
        char reason[CRYPTO_REASON_MAX];
        int days = 0, seconds = 0, r;

        r = certificate_check_clock(wall, ret_error);
        if (r < 0)
                return r;
        r = -ENOMEM;
        if (x509 && ASN1_TIME_diff(&days,
                            &seconds,
                            X509_get0_notBefore(certificate),
                            X509_get0_notAfter(certificate)))
                r = set_serial(x509, ret_error);
        if (r == 0)
                r = set_validity(x509, wall, (int64_t)days * 24 * 3600 + seconds);
        if (r == 0 && X509_set_issuer_name(x509, X509_get_subject_name(issuer)) != 1)
                r = -ENOMEM;
        if (r == 0)
                r = sign(x509, issuer_key);
        if (r < 0)
                return error_set(
                        ret_error, r, "cannot renew a certificate: %s", crypto_reason(reason));

        *ret = TAKE_PTR(x509);
        return 0;
}

int certificate_format(const Certificate *certificate, Buffer *buffer, Error *ret_error)
{
        _cleanup_(BIO_free_all) BIO *bio = crypto_bio_new();
        char reason[CRYPTO_REASON_MAX], *pem;
        long size;

        if (!bio || PEM_write_bio_X509(bio, certificate) != 1)
                return error_set(ret_error,
                        -ENOMEM,
                        "cannot write a certificate: %s",
                        crypto_reason(reason));
        size = BIO_get_mem_data(bio, &pem);
        if (size < 0 || buffer_append(buffer, pem, (size_t)size) < 0)
                return error_set(ret_error, -ENOMEM, "cannot write a certificate: %m");
        return 0;
}

int certificate_parse(
        const char *name, const char *pem, size_t size, Certificate **ret, Error *ret_error)
{
        _cleanup_(BIO_free_all) BIO *bio = NULL;
        _cleanup_(X509_free) X509 *x509 = NULL, *second = NULL;
        char reason[CRYPTO_REASON_MAX];

        if (size > CERTIFICATE_PEM_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot read '%s': a certificate has at most %u bytes",
                        name,
                        CERTIFICATE_PEM_MAX);
        if (size == 0)
                return error_set(ret_error, -EBADMSG, "cannot read '%s': it is empty", name);

        bio = crypto_bio_over(pem, size);
        if (!bio)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!x509)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': it is no certificate in PEM (%s)",
                        name,
                        crypto_reason(reason));
        second = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        (void)crypto_reason(reason);
        if (second)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': it holds more than one certificate",
                        name);

        *ret = TAKE_PTR(x509);
        return 0;
}

Key *certificate_key(const Certificate *certificate)
{
        return X509_get_pubkey((X509 *)(uintptr_t)certificate);
}

int64_t certificate_days_left(Usec not_after, Usec wall)
{
        if (not_after >= wall)
                return (int64_t)((not_after - wall) / USEC_PER_DAY);
        return -(int64_t)((wall - not_after) / USEC_PER_DAY) - 1;
}

int certificate_check_issued(
        const Certificate *certificate, const Certificate *issuer, Error *ret_error)
{
        _cleanup_(EVP_PKEY_free) EVP_PKEY *key = certificate_key(issuer);

        if (X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) != 0)
                return error_set(ret_error, -EKEYREJECTED, "it names another issuer");
        if (!key || X509_verify((X509 *)(uintptr_t)certificate, key) != 1) {
                (void)crypto_reason((char[CRYPTO_REASON_MAX]){});
                return error_set(
                        ret_error, -EKEYREJECTED, "its signature is not by that authority's key");
        }
        return 0;
}

int certificate_verify(const Certificate *certificate,
        const Certificate *authority,
        bool strict,
        Usec wall,
        Error *ret_error)
{
        _cleanup_(X509_STORE_CTX_free) X509_STORE_CTX *context = X509_STORE_CTX_new();
        _cleanup_(X509_STORE_free) X509_STORE *store = X509_STORE_new();
        int r;

        if (!context || !store || X509_STORE_add_cert(store, (X509 *)(uintptr_t)authority) != 1 ||
                X509_STORE_CTX_init(context, store, (X509 *)(uintptr_t)certificate, NULL) != 1)
                return error_set(ret_error, -ENOMEM, "%m");

        X509_VERIFY_PARAM_set_time(
                X509_STORE_CTX_get0_param(context), (time_t)(wall / USEC_PER_SEC));
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(context), AUTH_LEVEL);
        if (strict)
                X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);

        r = X509_verify_cert(context);
        if (r != 1)
                r = error_set(ret_error,
                        -EKEYREJECTED,
                        "%s",
                        X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
        else
                r = 0;
        (void)crypto_reason((char[CRYPTO_REASON_MAX]){});
        return r;
}
