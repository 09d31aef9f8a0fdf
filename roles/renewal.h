/* Renews this machine's Docker certificate, on control and agents the engine's, on the client that
 * of its users: a new key, certified by the cluster's Docker CA.
 *
 * A certificate is due at a moment of its own between 50 and 80 % of its life, which its
 * fingerprint decides: machines that were made together do not restart their engines together, and
 * looking twice finds the same. One that lacks a name of this machine is due at once.
 */

#pragma once

#include "certs/certificate.h"
#include "roles/role.h"

typedef enum RenewalOutcome {
        RENEWAL_DONE = 0,
        RENEWAL_NOT_DUE = 1,
        RENEWAL_IMPOSSIBLE, /* the Docker CA's key is not at hand */
} RenewalOutcome;

typedef struct Renewal {
        const char *path;    /* of the certificate, below the root; static */
        Usec due;            /* wall */
        int64_t days;        /* that the old one has left; negative once it has ended */
        char uncovered[256]; /* the first name that it lacks; "": none */
        Error why;           /* of RENEWAL_IMPOSSIBLE */
} Renewal;

/* When a certificate is to be renewed. Pure. */
int renewal_due(const CertificateInfo *info, Usec *ret);

/* Renews it if it is due, or in any case (`now`). The engine is restarted once the new certificate
 * has been proven; where it does not come up with it, the old one is put back, and that is the
 * failure. A RenewalOutcome, or a negative errno: -ENOENT without a certificate of this machine's
 * own; -EKEYREJECTED where the CA in the store is not its issuer. In a dry run nothing is changed.
 * *ret is filled in each case in which there is a certificate. */
int renewal_run(Role *role, bool now, Renewal *ret, Error *ret_error);
