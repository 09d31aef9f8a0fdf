/* certificate_examine: what stands in a certificate, as text. */

#include "base/text.h"
#include "certs/certificate.h"
#include "certs/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        uint32_t flag;
        const char *name;
} key_usages[] =
        {
                {KU_DIGITAL_SIGNATURE, "digitalSignature"},
                {KU_NON_REPUDIATION, "nonRepudiation"},
                {KU_KEY_ENCIPHERMENT, "keyEncipherment"},
                {KU_DATA_ENCIPHERMENT, "dataEncipherment"},
                {KU_KEY_AGREEMENT, "keyAgreement"},
                {KU_KEY_CERT_SIGN, "keyCertSign"},
                {KU_CRL_SIGN, "cRLSign"},
},
  extended_usages[] = {
          {XKU_SSL_CLIENT, "clientAuth"},
          {XKU_SSL_SERVER, "serverAuth"},
          {XKU_SMIME, "emailProtection"},
          {XKU_CODE_SIGN, "codeSigning"},
          {XKU_TIMESTAMP, "timeStamping"},
          {XKU_OCSP_SIGN, "OCSPSigning"},
          {XKU_ANYEKU, "anyExtendedKeyUsage"},
};

void certificate_info_done(CertificateInfo *info)
{
        free(info->subject);
        free(info->issuer);
        free(info->common_name);
        free(info->organizational_unit);
        for (size_t i = 0; i < CERTIFICATE_NAMES_MAX; i++)
                free(info->names[i]);
        free(info->usages);
        free(info->serial);
        *info = (CertificateInfo){};
}

static char *name_text(const X509_NAME *name)
{
        _cleanup_(BIO_free_all) BIO *bio = crypto_bio_new();
        unsigned long flags = (XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ & ~ASN1_STRFLGS_ESC_MSB);
        char *data;
        long size;

        if (!bio || X509_NAME_print_ex(bio, name, 0, flags) < 0)
                return NULL;
        size = BIO_get_mem_data(bio, &data);
        return size < 0 ? NULL : text_copy_part(data ? data : "", (size_t)size);
}

/* Behind `prefix`, the bytes with what does not print as \XX: a NUL must not end a name before its
 * end (CVE-2009-2408), and an escape sequence not reach a terminal. NULL when memory is out. */
static char *readable(const char *prefix, const unsigned char *bytes, size_t size, bool utf8)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(strlen(prefix) + 3 * size);
        int r = buffer_append_text(&text, prefix);

        for (size_t i = 0; i < size && r == 0; i++)
                if (bytes[i] < 0x20 || bytes[i] == 0x7F || (bytes[i] >= 0x80 && !utf8))
                        r = buffer_append_format(&text, "\\%02X", bytes[i]);
                else
                        r = buffer_append(&text, &bytes[i], 1);
        return r < 0 ? NULL : buffer_take(&text, NULL);
}

/* The first entry of that kind, "" for none; NULL when memory is out. */
static char *name_part(const X509_NAME *name, int nid)
{
        int index = X509_NAME_get_index_by_NID(name, nid, -1), length;
        unsigned char *utf8;
        char *text;

        if (index < 0)
                return text_copy("");
        length = ASN1_STRING_to_UTF8(
                &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
        if (length < 0)
                return text_copy("");
        text = readable("", utf8, (size_t)length, true);
        OPENSSL_free(utf8);
        return text;
}

static char *general_name_text(const GENERAL_NAME *name)
{
        char address[INET6_ADDRSTRLEN] = "?";
        const ASN1_STRING *value;
        int kind;

        value = GENERAL_NAME_get0_value(name, &kind);
        if (kind == GEN_DNS)
                return readable("DNS:",
                        ASN1_STRING_get0_data(value),
                        (size_t)ASN1_STRING_length(value),
                        false);
        if (kind != GEN_IPADD)
                return text_copy("another kind of name");

        if (ASN1_STRING_length(value) == 4)
                (void)inet_ntop(AF_INET, ASN1_STRING_get0_data(value), address, sizeof(address));
        else if (ASN1_STRING_length(value) == 16)
                (void)inet_ntop(AF_INET6, ASN1_STRING_get0_data(value), address, sizeof(address));
        return text_format("IP:%s", address);
}

static int read_names(const X509 *x509, CertificateInfo *info)
{
        _cleanup_(GENERAL_NAMES_free) GENERAL_NAMES *names =
                X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

        for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < (int)CERTIFICATE_NAMES_MAX; i++) {
                info->names[i] = general_name_text(sk_GENERAL_NAME_value(names, i));
                if (!info->names[i])
                        return -ENOMEM;
        }
        return 0;
}

static int append_usage(Buffer *buffer, const char *name)
{
        return buffer_append_format(buffer, "%s%s", buffer->size > 0 ? ", " : "", name);
}

static int read_usages(X509 *x509, CertificateInfo *info)
{
        uint32_t usage = X509_get_key_usage(x509), extended = X509_get_extended_key_usage(x509);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(1024);
        int r = 0;

        info->has_usage = extended != UINT32_MAX;
        info->client_auth = !info->has_usage || extended & XKU_SSL_CLIENT;
        info->server_auth = !info->has_usage || extended & XKU_SSL_SERVER;

        for (size_t i = 0; i < ELEMENTS(key_usages) && usage != UINT32_MAX && r == 0; i++)
                if (usage & key_usages[i].flag)
                        r = append_usage(&text, key_usages[i].name);
        for (size_t i = 0; i < ELEMENTS(extended_usages) && info->has_usage && r == 0; i++)
                if (extended & extended_usages[i].flag)
                        r = append_usage(&text, extended_usages[i].name);

        info->usages = buffer_take(&text, NULL);
        return info->usages ? r : -ENOMEM;
}

static Usec read_time(const ASN1_TIME *time)
{
        struct tm parts;
        time_t seconds;

        if (ASN1_TIME_to_tm(time, &parts) != 1)
                return 0;
        seconds = timegm(&parts);
        return seconds < 0 ? 0 : (Usec)seconds * USEC_PER_SEC;
}

static int read_fingerprint(const X509 *x509, CertificateInfo *info)
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size;
        char *p = info->fingerprint;

        if (X509_digest(x509, EVP_sha256(), digest, &size) != 1 || size != 32)
                return -ENOMEM;
        for (unsigned i = 0; i < size; i++)
                p += snprintf(p, 4, "%s%02X", i > 0 ? ":" : "", digest[i]);
        return 0;
}

static char *serial_text(const X509 *x509)
{
        BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
        char *hex = number ? BN_bn2hex(number) : NULL;
        char *text = hex ? text_copy(hex) : NULL;

        OPENSSL_free(hex);
        BN_free(number);
        return text;
}

static void read_key(const X509 *x509, CertificateInfo *info)
{
        const EVP_PKEY *key = X509_get0_pubkey(x509);

        if (key)
                (void)key_describe(key, info->key);
        else
                (void)text_put(info->key, sizeof(info->key), "unreadable");
}

int certificate_examine(const Certificate *certificate, CertificateInfo *ret, Error *ret_error)
{
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        X509 *x509 = (X509 *)(uintptr_t)certificate; /* OpenSSL caches extensions in it */
        const X509_NAME *subject = X509_get_subject_name(x509);
        int r;

        info.subject = name_text(subject);
        info.issuer = name_text(X509_get_issuer_name(x509));
        info.common_name = name_part(subject, NID_commonName);
        info.organizational_unit = name_part(subject, NID_organizationalUnitName);
        info.serial = serial_text(x509);
        info.not_before = read_time(X509_get0_notBefore(x509));
        info.not_after = read_time(X509_get0_notAfter(x509));
        info.authority = X509_get_extension_flags(x509) & EXFLAG_CA;
        info.self_issued = X509_NAME_cmp(subject, X509_get_issuer_name(x509)) == 0;
        read_key(x509, &info);

        r = read_names(x509, &info);
        if (r == 0)
                r = read_usages(x509, &info);
        if (r == 0)
                r = read_fingerprint(x509, &info);
        (void)crypto_reason((char[CRYPTO_REASON_MAX]){});
        if (r < 0 || !info.subject || !info.issuer || !info.common_name ||
                !info.organizational_unit || !info.serial)
                return error_set(ret_error, -ENOMEM, "cannot examine a certificate: %m");

        *ret = info;
        info = (CertificateInfo){};
        return 0;
}
