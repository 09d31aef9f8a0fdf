/* The shared files of the AWS tools: ~/.aws/credentials and ~/.aws/config.
 *
 * Format: SDKs and Tools Reference Guide, "Shared config and credentials files". Sections are
 * [name] in the credentials file, [default] and [profile name] in the config file; keys are
 * case-insensitive; nested values (indented) are skipped.
 */

#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>

#define PROFILE_FILE_MAX (256U * 1024U) /* bytes */

typedef struct AwsProfile {
        char *access_key_id; /* NULL: not there */
        Secret *secret_access_key;
        Secret *session_token;
        char *unsupported; /* a key that names a way to get credentials that is not ours; NULL: none
                            */
        bool unsupported_first; /* AWS's tools would take that way even where there are keys */
        bool found;             /* the section is there */
} AwsProfile;

void aws_profile_done(AwsProfile *profile);
DEFINE_CLEANUP_IN_PLACE(AwsProfile, aws_profile_done);

/* Adds what the section says to *profile; what is there already stays. `config` tells the spelling
 * of sections. `path` is for sentences. -EBADMSG with file and line. */
int aws_profile_parse(const char *path,
        const char *text,
        const char *name,
        bool config,
        AwsProfile *profile,
        Error *ret_error);
