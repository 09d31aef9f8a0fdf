/* A certificate and its key: what is made, written and read together. */

#pragma once

#include "certs/certificate.h"

typedef struct Pair {
        Certificate *certificate;
        Key *key; /* NULL: only the certificate is at hand */
} Pair;

static inline void pair_done(Pair *pair)
{
        pair->certificate = certificate_free(pair->certificate);
        pair->key = key_free(pair->key);
}
DEFINE_CLEANUP_IN_PLACE(Pair, pair_done);
