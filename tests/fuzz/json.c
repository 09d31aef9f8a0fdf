/* JSON: what is read can be written and read again. */

#include "base/json.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(json_free) Json *json = NULL, *again = NULL;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(64U * 1024U * 1024U);
        Error error = ERROR_INIT;
        int r;

        r = json_parse("fuzz", (const char *)data, size, &json, &error);
        refused_well(r, &error);
        if (r == 0 && json_format(json, JSON_ONE_LINE, &text) == 0 &&
                json_parse("again", buffer_text(&text), text.size, &again, &error) < 0)
                abort();
        return 0;
}
