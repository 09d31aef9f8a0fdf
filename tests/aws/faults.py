"""Which refusals are tried again, and how: as AWS's own tools have it, here botocore's standard mode."""

import pathlib
import re

from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from probe import probe
from tap import expect, main

# The SDKs' clock skew corrections, of which botocore has none (SDKs and Tools Reference Guide; smithy's CLOCK_SKEW_ERROR_CODES).
SKEWED = ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure")
FINAL = ("AccessDenied", "NoSuchBucket", "NoSuchKey", "InvalidAccessKeyId", "InvalidRequest", "ValidationException", "UnrecognizedClientException",
         "AccessDeniedException", "ResourceNotFoundException", "EntityTooLarge", "NotImplemented", "BadDigest", "XAmzContentSHA256Mismatch")


def kind(status, code=""):
    return probe("fault", status, code).kind


def test_transient_codes_and_statuses():
    codes = TransientRetryableChecker._TRANSIENT_ERROR_CODES
    expect(len(codes) > 2, True, "botocore's list has been found")
    for code in codes:
        expect(kind(400, code), "transient", code)
    for status in TransientRetryableChecker._TRANSIENT_STATUS_CODES:
        expect((kind(status), kind(status, "InternalError")), ("transient", "transient"), str(status))


def test_throttling_codes():
    codes = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - set(TransientRetryableChecker._TRANSIENT_ERROR_CODES)
    expect(len(codes) > 12, True, "botocore's list has been found")
    for code in codes:
        expect((kind(400, code), kind(503, code)), ("throttled", "throttled"), code)
    expect(kind(429), "throttled")


def test_no_other_code_is_tried_again():
    for code in FINAL:
        for status in (400, 403, 404):
            expect(kind(status, code), "final", f"{status} {code}")


def test_every_code_of_our_table_is_one_of_these():
    """Of S3's own two, conflicts of writers, the API reference says to try again."""
    known = {*TransientRetryableChecker._TRANSIENT_ERROR_CODES, *ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *SKEWED,
             "ConditionalRequestConflict", "OperationAborted", "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
    source = (pathlib.Path(__file__).parents[2] / "aws/fault.c").read_text()
    ours = set(re.findall(r'\{"(\w+)", AWS_FAULT_\w+\}', source))
    expect(ours, known)


def test_codes_of_a_wrong_clock():
    for code in SKEWED:
        expect(kind(403, code), "skewed", code)
    expect(kind(403), "skewed", "the answer to a HEAD")


if __name__ == "__main__":
    main(globals())
