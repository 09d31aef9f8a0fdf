/* Evidence without secrets: what looks like one is taken out of a text, whoever wrote it. */

#pragma once

#include "base/buffer.h"
#include "base/secret.h"

/* Appends `text` to `ret` with "[redacted]" in place of: private keys in PEM, Swarm's tokens
 * (SWMTKN-…), presigned URLs' signatures and tokens (X-Amz-Signature=…, X-Amz-Security-Token=…,
 * X-Amz-Credential=…), the values of keys named secret_access_key, aws_secret_access_key,
 * SecretAccessKey, password and token, and each of `secrets` (NULL-ended; a NULL within ends it).
 * -ENOMEM, -ENOBUFS. */
int redact_text(const char *text, const Secret *const *secrets, Buffer *ret);
