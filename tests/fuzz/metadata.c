/* Answers of the metadata service: the identity document, a role's credentials. */

#include "aws/credentials.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(metadata_identity_done) MetadataIdentity identity = {};
        _cleanup_(aws_credentials_done) AwsCredentials credentials = {};
        Error error = ERROR_INIT;

        refused_well(metadata_identity_parse((const char *)data, size, &identity, &error), &error);
        refused_well(
                aws_credentials_parse_role("role", (const char *)data, size, &credentials, &error),
                &error);
        return 0;
}
