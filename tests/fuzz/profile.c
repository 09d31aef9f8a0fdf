/* The shared files of the AWS tools. */

#include "aws/profile.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(free) char *text = as_text(data, size);

        for (int config = 0; config < 2; config++) {
                _cleanup_(aws_profile_done) AwsProfile profile = {};
                Error error = ERROR_INIT;

                refused_well(aws_profile_parse("fuzz", text, "default", config, &profile, &error),
                        &error);
        }
        return 0;
}
