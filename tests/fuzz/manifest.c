/* Manifests of the cluster store: what is read can be written and read again. */

#include "s3/manifest.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static Manifest manifest, again;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(1U << 20);
        Error error = ERROR_INIT;
        int r;

        r = manifest_parse("fuzz", (const char *)data, size, &manifest, &error);
        refused_well(r, &error);
        if (r == 0 && (manifest_format(&manifest, &text, &error) < 0 ||
                              manifest_parse(
                                      "again", buffer_text(&text), text.size, &again, &error) < 0 ||
                              again.n_objects != manifest.n_objects))
                abort();
        return 0;
}
