/* User-data: gzip, MIME, and the document within, read into settings. */

#include "agent/document.h"
#include "agent/settings.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(DOCUMENT_SIZE_MAX);
        _cleanup_(settings_book_done) SettingsBook book = {};
        Error error = ERROR_INIT;
        int r = document_find("fuzz", (const char *)data, size, &text, &error);

        if (r < 0)
                refused_well(r, &error);
        if (r != DOCUMENT_FOUND)
                return 0;
        r = settings_begin(&book, &error);
        if (r == 0)
                r = settings_read_document(&book, "fuzz", buffer_text(&text), text.size, &error);
        if (r == 0)
                r = settings_check(&book, &error);
        refused_well(r, &error);
        return 0;
}
