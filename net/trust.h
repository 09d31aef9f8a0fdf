/* Where this machine keeps the certificate authorities it trusts. */

#pragma once

#include "base/error.h"

/* The first that is a readable file: $AWS_CA_BUNDLE, $SSL_CERT_FILE (a variable that names a
 * file that is not there is an error, not a fall-through), then the places of Debian and Ubuntu,
 * Fedora and Amazon Linux, SUSE, Alpine. -ENOENT with the list of what was tried. `ret` is a heap
 * string. */
int trust_find(char **ret, Error *ret_error);
