/* A fuzz target without a fuzzer: each file that is named is given to it once. */

#include "base/file.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char *argv[])
{
        for (int i = 1; i < argc; i++) {
                _cleanup_(buffer_done) Buffer buffer = BUFFER_INIT(2U * 1024U * 1024U);
                Error error = ERROR_INIT;

                if (file_read(AT_FDCWD, argv[i], 1024U * 1024U, &buffer, &error) < 0) {
                        (void)fprintf(stderr, "%s\n", error.text);
                        return 1;
                }
                (void)LLVMFuzzerTestOneInput((const uint8_t *)buffer_text(&buffer), buffer.size);
        }
        printf("%d inputs\n", argc - 1);
        return argc > 1 ? 0 : 1;
}
