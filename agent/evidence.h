/* What a failed machine leaves behind of itself, as rollback destroys it: one JSON object for the
 * store. Without secrets.
 *
 *         {"version": 1, "reason": …, "machine": {…}, "versions": {…}, "journal": [the lines of the
 *          last run], "units": [{"name", "state", "result", "lines"}], "certificates": [{"path",
 *          "subject", "issuer", "names", "until", "fingerprint"}], "files": {path: text}}
 */

#pragma once

#include "aws/metadata.h"
#include "roles/settings.h"

#define EVIDENCE_MAX (512U * 1024U) /* bytes */

typedef struct EvidenceOptions {
        const Settings *settings;         /* whose secrets are taken out */
        const MetadataIdentity *identity; /* NULL: not known */
        const char *root;
        int root_fd;
        const char *reason;
        Usec deadline; /* of clock_system: what is not found by then is left out */
} EvidenceOptions;

/* Appends it to `ret`. What cannot be read is left out with a word why; -ENOMEM, -ENOBUFS. */
int evidence_collect(const EvidenceOptions *options, Buffer *ret, Error *ret_error);
