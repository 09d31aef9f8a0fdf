/* The checker of templates: whatever stands in one, each finding has a place and a sentence. */

#include "template/check.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(check_report_done) CheckReport report = {};
        _cleanup_(free) char *text = as_text(data, size);
        Error error = ERROR_INIT;

        if (check_template("fuzz", text, size, &report, &error) < 0)
                abort();
        for (size_t i = 0; i < report.count; i++) {
                const CheckFinding *finding = &report.findings[i];

                if (finding->line == 0 || finding->column == 0 || !finding->text[0] ||
                        !text_is_utf8(finding->text, strlen(finding->text)) ||
                        strpbrk(finding->text, "\n\r\x1B"))
                        abort();
        }
        return 0;
}
