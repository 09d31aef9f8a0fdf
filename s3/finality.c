#include "s3/finality.h"

#include "base/macro.h"
#include "base/text.h"

#define SECRET_PATIENCE (15 * USEC_PER_SEC)
#define RIGHTS_PATIENCE (60 * USEC_PER_SEC)

static bool is_denial(const AwsFault *fault)
{
        return fault->status == 403 && (!fault->code[0] || text_equal(fault->code, "AccessDenied"));
}

static bool is_wrong_secret(const AwsFault *fault)
{
        return text_equal(fault->code, "InvalidAccessKeyId") ||
               text_equal(fault->code, "SignatureDoesNotMatch") ||
               text_equal(fault->code, "InvalidToken");
}

static bool is_absence(const AwsFault *fault)
{
        return fault->status == 404 && !text_equal(fault->code, "NoSuchBucket");
}

Usec s3_final_after(S3Operation operation, const AwsFault *fault, bool listable)
{
        AwsFaultKind kind = aws_fault_kind(fault);

        if (is_wrong_secret(fault))
                return SECRET_PATIENCE;
        if (is_denial(fault))
                return operation == S3_READ && !listable ? USEC_INFINITY : RIGHTS_PATIENCE;
        if (operation == S3_READ && is_absence(fault))
                return USEC_INFINITY;
        if (kind == AWS_FAULT_EXPIRED_TOKEN)
                return RIGHTS_PATIENCE;
        if (kind == AWS_FAULT_TRANSIENT || kind == AWS_FAULT_THROTTLED)
                return USEC_INFINITY;
        return 0;
}
