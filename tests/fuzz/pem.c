/* PEM files: certificates and keys. */

#include "certs/set.h"
#include "tests/fuzz/target.h"

static void ignore(const char *path, const char *sentence, void *userdata)
{
        (void)path;
        (void)userdata;
        if (!sentence[0])
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(certificate_set_done) CertificateSet set = {};
        _cleanup_(key_free) Key *key = NULL;
        _cleanup_(free) char *text = as_text(data, size);
        Error error = ERROR_INIT;
        int r;

        refused_well(key_parse("fuzz", text, size, NULL, &key, &error), &error);
        r = certificate_set_load_pem("fuzz", text, size, &set, &error);
        refused_well(r, &error);
        if (r == 0)
                (void)certificate_set_judge(&set, 1795521600 * USEC_PER_SEC, ignore, NULL);
        return 0;
}
