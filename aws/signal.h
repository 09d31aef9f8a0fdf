/* The signal that a CloudFormation wait condition waits for.
 *
 * A PUT to the handle's presigned URL, byte for byte as it was given, with an empty Content-Type
 * and no header of ours beyond it: the URL is signed over Content-Type and every x-amz-* header.
 * The body is
 * {"Status", "Reason", "UniqueId", "Data"}. The same UniqueId again counts as the same signal, so a
 * retry is safe. Source: CloudFormation User Guide, "Create wait conditions in a CloudFormation
 * template".
 *
 * The URL is a capability: whoever has it can signal. It never stands in a sentence beyond its
 * host.
 */

#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "net/http.h"

#define SIGNAL_BODY_MAX   4096U /* bytes of JSON; reason and data are cut to fit */
#define SIGNAL_REASON_MAX 1024U
#define SIGNAL_DATA_MAX   2048U
#define SIGNAL_ID_MAX     64U

typedef enum SignalStatus {
        SIGNAL_SUCCESS,
        SIGNAL_FAILURE,
} SignalStatus;

typedef struct Signal {
        SignalStatus status;
        const char *unique_id; /* the instance's id */
        const char *reason;    /* UTF-8; cut at a character's boundary */
        const char *data;      /* likewise */
} Signal;

typedef enum SignalOutcome {
        SIGNAL_SENT = 0,
        SIGNAL_REFUSED = 1, /* for good: the stack has finished, the URL has expired, or a VPC
                             * endpoint's policy is in the way. A note, no error */
} SignalOutcome;

/* The handle's URL is one that can be used? -EDOM, without showing it. */
int signal_check_handle(const Secret *handle, Error *ret_error);

/* Appends the JSON; pure. What is not UTF-8 becomes '?'. */
int signal_format(const Signal *signal, Buffer *ret, Error *ret_error);

/* Sends it, and sends it again to the deadline while the service does not answer, or answers 5xx,
 * 429 or a code of passing trouble (RequestTimeout, SlowDown). On SIGNAL_REFUSED *ret_error says
 * what the service said, and what may be the cause. -ETIMEDOUT and the errors of http_perform: the
 * deadline came. */
int signal_send(HttpClient *http,
        const Clock *clock,
        const Random *random,
        const Secret *handle,
        const Signal *signal,
        Usec deadline,
        Error *ret_error);
