/* X.509 certificates: made by a profile, read, written, and looked at. Opaque to all but certs/. */

#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "certs/profile.h"

#define CERTIFICATE_PEM_MAX     (256U * 1024U) /* bytes of one file */
#define CERTIFICATE_NAMES_MAX   64U
#define CERTIFICATE_CN_MAX      64U /* characters: RFC 5280, ub-common-name */
#define CERTIFICATE_FINGERPRINT 96U /* "AB:CD:…" of SHA-256, and a NUL */

typedef struct x509_st Certificate; /* OpenSSL's own; counted */

Certificate *certificate_ref(Certificate *certificate);
Certificate *certificate_free(Certificate *certificate); /* NULL is allowed; returns NULL */
DEFINE_CLEANUP(Certificate *, certificate_free);

typedef struct CertificateRequest {
        ProfileId profile;
        const char *common_name;
        const char *organizational_unit; /* NULL: none */
        const char *const
                *names; /* of the SAN, NULL-ended: addresses (v4, v6) and DNS names; NULL: none */
        const Key *key; /* whose public part is certified */
        const Certificate *issuer; /* NULL: self-issued */
        const Key *issuer_key;     /* NULL with issuer NULL */
        Usec wall;                 /* now; validity starts an hour before it */
} CertificateRequest;

/* What certificate_make() asks of names, for those who want to know before a key is made: an IP
 * address or a DNS name for the SAN (RFC 1123, 2.1); 1 to 64 printable characters of UTF-8 for the
 * subject. -EINVAL. */
int certificate_check_name(const char *name, Error *ret_error);
int certificate_check_subject(const char *text, Error *ret_error);

/* And of the clock: -EDOM where it says a time before this program was written. */
int certificate_check_clock(Usec wall, Error *ret_error);

/* X.509 v3, sha256WithRSAEncryption or ecdsa-with-SHA256, a serial of 128 random bits (positive),
 * times in whole seconds (UTCTime before 2050: RFC 5280, 4.1.2.5). -EINVAL: a name that is none, or
 * a subject that is too long; -EDOM: the clock. */
int certificate_make(const CertificateRequest *request, Certificate **ret, Error *ret_error);

/* The same subject, key, names and extensions, as long a validity from `wall` on, a new serial. */
int certificate_renew(const Certificate *certificate,
        const Certificate *issuer,
        const Key *issuer_key,
        Usec wall,
        Certificate **ret,
        Error *ret_error);

/* Appends the PEM. */
int certificate_format(const Certificate *certificate, Buffer *buffer, Error *ret_error);

/* The one certificate of a PEM text. -EBADMSG: none, damaged, or more than one; -EFBIG. */
int certificate_parse(
        const char *name, const char *pem, size_t size, Certificate **ret, Error *ret_error);

/* What stands in a certificate, for people and judges. Heap strings. */
typedef struct CertificateInfo {
        char *subject; /* "CN=…, OU=…" (RFC 2253's escapes, in the order of the file) */
        char *issuer;
        char *common_name;                      /* "": none */
        char *organizational_unit;              /* "": none */
        char *names[CERTIFICATE_NAMES_MAX + 1]; /* of the SAN: "DNS:a", "IP:10.0.0.1"; NULL-ended */
        char *usages; /* "clientAuth, serverAuth" and the like; "": no such extension */
        char *serial; /* hexadecimal */
        char key[KEY_DESCRIPTION_MAX];
        char fingerprint[CERTIFICATE_FINGERPRINT];
        Usec not_before, not_after; /* wall; 0 before 1970 */
        bool authority;             /* basicConstraints CA:TRUE */
        bool has_usage;             /* extendedKeyUsage is there */
        bool server_auth;           /* extendedKeyUsage names it, or is not there */
        bool client_auth;           /* likewise */
        bool self_issued;
} CertificateInfo;

int certificate_examine(const Certificate *certificate, CertificateInfo *ret, Error *ret_error);
void certificate_info_done(CertificateInfo *info);
DEFINE_CLEANUP_IN_PLACE(CertificateInfo, certificate_info_done);

/* The public key, counted for the caller; NULL if it cannot be read. */
Key *certificate_key(const Certificate *certificate);

/* Days from `wall` until it ends, rounded down; negative once it has. */
int64_t certificate_days_left(Usec not_after, Usec wall);

/* Does the key sign for this certificate's subject, and the issuer's name fit? 0, or -EKEYREJECTED
 * with the sentence's cause alone (no "cannot"): "its signature is not by …". */
int certificate_check_issued(
        const Certificate *certificate, const Certificate *issuer, Error *ret_error);

/* Verifies the chain as OpenSSL does at the time `wall`; strict is `openssl verify -x509_strict`.
 * Keys and signatures of less than 112 bits (RSA 1024, SHA-1) are refused: `-auth_level 2`.
 * -EKEYREJECTED with OpenSSL's own words. */
int certificate_verify(const Certificate *certificate,
        const Certificate *authority,
        bool strict,
        Usec wall,
        Error *ret_error);
