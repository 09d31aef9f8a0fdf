/* Whether a bucket lets objects be read by everybody. */

#pragma once

#include "s3/object.h"

/* What keeps an object's public-read ACL from being given or from working, in words that follow
 * "because " ("its public access block has BlockPublicAcls"); NULL: nothing that can be seen. What
 * may not be asked, or is not known to the server, counts as nothing. The account's own block is
 * not seen here: whoever has published looks, without credentials, whether it can be read.
 *
 * Source: Amazon S3 User Guide, "Blocking public access", "Controlling ownership of objects". */
const char *s3_public_obstacle(S3Bucket *bucket, Usec deadline);
