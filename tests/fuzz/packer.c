/* What Packer, its plugins and the machine that it provisions say. */

#include "template/packer-output.h"
#include "tests/fuzz/target.h"

static void check_said(const char *text, void *userdata)
{
        (void)userdata;
        if (!text_is_utf8(text, strlen(text)) || strpbrk(text, "\n\r\x1B"))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(free) char *text = as_text(data, size);
        PackerOutput output = {.say = check_said};
        char *line, *end;

        for (line = text; line; line = end) {
                Error error = ERROR_INIT;

                end = strchr(line, '\n');
                if (end)
                        *end++ = '\0';
                refused_well(packer_output_read(&output, line, &error), &error);
        }
        refused_well(output.error.text[0] ? -1 : 0, &output.error);
        for (size_t i = 0; i < output.n_left; i++) {
                _cleanup_(free) char *remedy =
                        packer_output_remedy(&output.left[i], "us-west-1", "flocker");

                if (!remedy)
                        abort();
        }
        return 0;
}
