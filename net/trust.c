#include "net/trust.h"

#include "base/buffer.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The environment first, as the AWS tools and OpenSSL name it. */
static const char *const variables[] = {"AWS_CA_BUNDLE", "SSL_CERT_FILE"};

static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, Amazon Linux, RHEL */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* older ones of these */
        "/etc/ssl/ca-bundle.pem",                            /* SUSE */
        "/var/lib/ca-certificates/ca-bundle.pem", /* SUSE, where the one above links to */
        "/etc/ssl/cert.pem",                      /* Alpine without the package */
};

static int take(const char *path, char **ret, Error *ret_error)
{
        *ret = text_copy(path);
        return *ret ? 0 : error_set(ret_error, -ENOMEM, "cannot find trusted authorities: %m");
}

int trust_find(char **ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer tried = BUFFER_INIT(1024);

        for (size_t i = 0; i < ELEMENTS(variables); i++) {
                const char *path = getenv(variables[i]);

                if (text_is_empty(path))
                        continue;
                if (access(path, R_OK) < 0)
                        return error_set(ret_error,
                                -errno,
                                "cannot read '%s', which %s names as the trusted authorities: %m",
                                path,
                                variables[i]);
                return take(path, ret, ret_error);
        }

        for (size_t i = 0; i < ELEMENTS(places); i++) {
                if (access(places[i], R_OK) == 0)
                        return take(places[i], ret, ret_error);
                (void)buffer_append_format(&tried, "%s%s", i > 0 ? ", " : "", places[i]);
        }
        return error_set(ret_error,
                -ENOENT,
                "cannot find the authorities that this machine trusts: install ca-certificates, or "
                "name a PEM file in AWS_CA_BUNDLE (tried %s)",
                buffer_text(&tried));
}
