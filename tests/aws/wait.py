"""The signal of a wait condition, to a handle that verifies presigned URLs as S3 does."""

import os
import subprocess
import time

from handle import Handle
from probe import EDOM, ETIMEDOUT, probe
from tap import expect, expect_in, main

REFUSED = 1
setup = Handle


def signal(url, status="SUCCESS", reason="done", unique_id="i-1", **variables):
    return probe("signal", status, unique_id, reason, WAIT_HANDLE=url, **variables)


def fresh(handle):
    handle.signals, handle.tries, handle.busy, handle.finished, handle.denied = {}, 0, 0, False, False


def test_both_kinds_of_signature_hold(handle):
    for make in handle.url_v2, handle.url_v4:
        fresh(handle)
        expect(signal(make()).outcome, 0, make.__name__)
        expect(handle.signals["i-1"]["Status"], "SUCCESS")


def test_curl_agrees_that_the_judge_is_right(handle):
    for make in handle.url_v2, handle.url_v4:
        for words, wanted in ((["-H", "Content-Type:"], "200"), (["-H", "Content-Type: text/plain"], "403"),
                              (["-H", "Content-Type:", "-H", "x-amz-acl: private"], "403")):
            found = subprocess.run(["/usr/bin/curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", *words, "-d",
                                    '{"Status":"SUCCESS","Reason":"r","UniqueId":"c","Data":"d"}', make()],
                                   capture_output=True, text=True, timeout=20).stdout
            expect(found, wanted, f"{make.__name__} {words}")


def test_a_failure_has_its_reason(handle):
    fresh(handle)
    expect(signal(handle.url_v4(), "FAILURE", "mint-docker-cert: no 'ü'").outcome, 0)
    expect(handle.signals["i-1"]["Reason"], "mint-docker-cert: no 'ü'")


def test_the_same_id_counts_once(handle):
    fresh(handle)
    signal(handle.url_v4(), reason="first")
    signal(handle.url_v4(), "FAILURE", "second")
    expect(handle.signals["i-1"]["Reason"], "first")


def test_a_busy_service_is_tried_again(handle):
    fresh(handle)
    handle.busy = 3
    expect(signal(handle.url_v4()).outcome, 0)
    expect(handle.tries, 4)


def test_a_service_that_stays_busy_ends_at_the_deadline(handle):
    fresh(handle)
    handle.busy = 10**6
    found = signal(handle.url_v4(), DEADLINE=3)
    expect(found.outcome, ETIMEDOUT)
    expect_in("503 SlowDown", found.error)


def test_a_finished_stack_is_a_note(handle):
    fresh(handle)
    handle.finished = True
    found = signal(handle.url_v4())
    expect(found.outcome, REFUSED)
    expect(handle.tries, 1)
    expect_in("cannot signal the wait condition at '127.0.0.1': 403 AccessDenied", found.error)


def test_an_expired_url_is_refused_for_good(handle):
    fresh(handle)
    found = signal(handle.url_v4(seconds=-10))
    expect(found.outcome, REFUSED)
    expect_in("403 AccessDenied: Request has expired (request R1): it came too late", found.error)
    expect("VPC" in found.error, False, found.error)


def test_a_refusal_names_both_causes_and_the_bucket(handle):
    """A finished stack and an endpoint's policy that denies the bucket read the same."""
    bucket = "cloudformation-waitcondition-eu-west-1"
    fresh(handle)
    for host, words in ((f"{bucket}.s3.amazonaws.com", f"denies s3:PutObject to the bucket '{bucket}'"),
                        ("handles.example", "denies s3:PutObject to the handle's bucket")):
        url = handle.url_v4(host=host)
        handle.denied = False
        expect(signal(url, http_proxy=f"http://{handle.host}").outcome, 0, host)
        handle.denied = True
        found = signal(url, http_proxy=f"http://{handle.host}")
        expect(found.outcome, REFUSED)
        expect_in(f"at '{host}': 403 AccessDenied: Access Denied (request R1): the stack has finished or wants no signal any more, or the "
                  f"policy of a VPC endpoint for S3 {words}", found.error)
        for part in ("Signature", "stack/prod", "arn"):
            expect(part in found.error, False, f"{part} in {found.error!r}")


def test_a_changed_byte_is_refused(handle):
    fresh(handle)
    expect(signal(handle.url_v4().replace("prod", "Prod")).outcome, REFUSED)
    expect(signal(handle.url_v2().replace("prod", "Prod")).outcome, REFUSED)


def test_the_url_is_never_shown(handle):
    for url in (handle.url_v4(), "http://127.0.0.1:1/path?X-Amz-Signature=sesame", "nonsense?sesame"):
        handle.finished = True
        found = signal(url, DEADLINE=1)
        for part in ("Signature", "sesame", "stack/prod", "nonsense"):
            expect(part in found.error, False, f"{part} in {found.error!r}")


def test_what_is_no_url_is_refused(handle):
    found = signal("nonsense")
    expect(found.outcome, EDOM)
    expect_in("cannot use the wait condition handle: expected the https:// URL", found.error)


if __name__ == "__main__":
    main(globals())
