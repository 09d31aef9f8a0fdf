/* Why a service of AWS refused, read from its answer; and what to do about it. Pure. */

#pragma once

#include "net/response.h"

typedef struct AwsFault {
        unsigned status;      /* of HTTP; 0: no answer came */
        char code[128];       /* "NoSuchKey", "AccessDenied"; "": the answer named none */
        char message[512];    /* cut */
        char request_id[128]; /* "": none */
        char region[64];      /* the bucket's, where the answer names it */
} AwsFault;

typedef enum AwsFaultKind {
        AWS_FAULT_FINAL,
        AWS_FAULT_TRANSIENT,
        AWS_FAULT_THROTTLED,
        AWS_FAULT_SKEWED,        /* perhaps: compare the clocks */
        AWS_FAULT_EXPIRED_TOKEN, /* fetch the credentials anew, once */
} AwsFaultKind;

/* Reads an error answer: S3's XML, the Query protocol's, JSON's {"__type", "message"}, and headers.
 * What cannot be read leaves its field empty: an error of an error helps nobody. */
void aws_fault_read(const HttpResponse *response, AwsFault *ret);

/* By status and code, as the SDKs' standard mode (SDKs and Tools Reference Guide, "Retry
 * behavior"). */
AwsFaultKind aws_fault_kind(const AwsFault *fault);

/* "403 AccessDenied: … (request 4F…)" into `place`. */
#define AWS_FAULT_TEXT_MAX 900U
const char *aws_fault_format(const AwsFault *fault, char place[AWS_FAULT_TEXT_MAX]);
