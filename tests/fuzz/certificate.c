/* Certificates as DER, put into PEM here: a fuzzer does not find its way through base64. */

#include "certs/certificate.h"
#include "tests/fuzz/target.h"

static int put_into_pem(const uint8_t *data, size_t size, Buffer *pem)
{
        _cleanup_(free) char *encoded = text_base64(data, size);
        int r = encoded ? buffer_append_text(pem, "-----BEGIN CERTIFICATE-----\n") : -1;

        for (const char *line = encoded; r == 0 && *line; line += strnlen(line, 64))
                r = buffer_append_format(pem, "%.64s\n", line);
        return r < 0 ? r : buffer_append_text(pem, "-----END CERTIFICATE-----\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        _cleanup_(certificate_free) Certificate *certificate = NULL;
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        Error error = ERROR_INIT;
        int r;

        if (put_into_pem(data, size, &pem) < 0)
                return 0;
        r = certificate_parse("fuzz", buffer_text(&pem), pem.size, &certificate, &error);
        refused_well(r, &error);
        if (r == 0)
                r = certificate_examine(certificate, &info, &error);
        refused_well(r, &error);
        for (size_t i = 0; r == 0 && info.names[i]; i++)
                if (strpbrk(info.names[i], "\n\r\x1B"))
                        abort();
        return 0;
}
