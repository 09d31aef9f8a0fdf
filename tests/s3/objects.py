"""Objects of S3 against radosgw and moto, which refuse what we would not notice ourselves."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import types

from front import Front
from probe import DENIED, EBADMSG, ECONNRESET, EDOM, EFBIG, EHOSTUNREACH, EXISTS, NOT_FOUND, NOT_MODIFIED, OK, REFUSED, probe
from servers import Moto, Radosgw, run_aws
from tap import expect, expect_in, main

KEYS = ["plain", "a/b c+d", "ü/漢字", "%3A=&?~%", "tilde~*'()!", "//double", "trailing/", "semi;colon,comma@at"]


@contextlib.contextmanager
def setup():
    with Radosgw() as radosgw, Moto() as moto, tempfile.TemporaryDirectory() as scratch:
        run_aws(radosgw, "s3api", "create-bucket", "--bucket", "bucket")
        with Front(radosgw.endpoint) as front:
            through = types.SimpleNamespace(**vars(radosgw) | {"endpoint": front.endpoint, "region": "us-east-1",
                                                               "token": None, "ca_file": None,
                                                               "access_key": radosgw.access_key,
                                                               "secret_key": radosgw.secret_key})
            yield types.SimpleNamespace(radosgw=radosgw, moto=moto, front=front, through=through,
                                        scratch=pathlib.Path(scratch))


def write(peers, content, name="data"):
    path = peers.scratch / name
    path.write_bytes(content)
    return path


def put(peers, server, key, content=b"content", condition="any", **variables):
    return probe("put", "bucket", key, write(peers, content), condition, server=server, **variables)


def get(peers, server, key, etag="-", **variables):
    path = peers.scratch / "got"
    path.unlink(missing_ok=True)
    found = probe("get", "bucket", key, path, etag, server=server, **variables)
    found.content = path.read_bytes() if path.exists() else None
    return found


def test_odd_keys_go_there_and_back(peers):
    # Not moto: it takes no signature for the right one whose key or query is percent-encoded, botocore's neither.
    for server in (peers.radosgw,):
        for key in KEYS:
            expect(put(peers, server, key, key.encode()).outcome, OK, f"put {key!r} to {type(server).__name__}")
            expect(get(peers, server, key).content, key.encode(), f"get {key!r}")


def test_awscli_reads_what_we_wrote(peers):
    for key in KEYS:
        path = peers.scratch / "by-aws"
        run_aws(peers.radosgw, "s3api", "get-object", "--bucket", "bucket", "--key", key, str(path))
        expect(path.read_bytes(), key.encode(), key)


def test_we_read_what_awscli_wrote(peers):
    path = write(peers, bytes(range(256)) * 100, "binary")
    for server, key in (peers.radosgw, "by aws/ü"), (peers.moto, "by-aws/u"):
        run_aws(server, "s3api", "put-object", "--bucket", "bucket", "--key", key, "--body", str(path))
        expect(get(peers, server, key).content, path.read_bytes())


def test_a_listing_has_every_key(peers):
    found = probe("list", "bucket", "", server=peers.radosgw)
    expect(set(found.keys) >= set(KEYS), True, f"keys: {found.keys}")
    expect(probe("list", "bucket", "ü/", server=peers.radosgw).keys, ["ü/漢字"])
    expect(probe("list", "bucket", "a/b c+", server=peers.radosgw).keys, ["a/b c+d"])
    expect(probe("list", "bucket", "", server=peers.moto).outcome, OK)


def test_pages_are_followed(peers):
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: run_many(peers.radosgw, n), range(0, 1100, 100)))
    found = probe("list", "bucket", "many/", server=peers.radosgw)
    expect(len(found.keys), 1100, "keys")


def run_many(server, first):
    import botocore.session
    client = botocore.session.get_session().create_client(
        "s3", region_name="us-east-1", endpoint_url=server.endpoint, aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key, aws_session_token=server.token)
    for n in range(first, first + 100):
        client.put_object(Bucket="bucket", Key=f"many/{n:04}+ü", Body=b"")


def test_an_empty_object_is_an_object(peers):
    for server in peers.radosgw, peers.moto:
        expect(put(peers, server, "empty", b"").outcome, OK)
        expect(get(peers, server, "empty").content, b"")
        expect(probe("head", "bucket", "empty", server=server).size, 0)


def test_an_absent_key_is_an_outcome(peers):
    for server in peers.radosgw, peers.moto:
        expect(get(peers, server, "absent").outcome, NOT_FOUND)
        expect(probe("head", "bucket", "absent", server=server).outcome, NOT_FOUND)
        expect(probe("delete", "bucket", "absent", server=server).outcome, OK)


def test_what_is_deleted_is_gone(peers):
    for server in peers.radosgw, peers.moto:
        put(peers, server, "short-lived")
        expect(probe("delete", "bucket", "short-lived", server=server).outcome, OK)
        expect(get(peers, server, "short-lived").outcome, NOT_FOUND)


def test_an_unchanged_object_is_not_sent_again(peers):
    for server in peers.radosgw, peers.moto:
        etag = put(peers, server, "same").etag
        expect(get(peers, server, "same", etag).outcome, NOT_MODIFIED)
        expect(get(peers, server, "same", '"other"').outcome, OK)


def test_a_conditional_write_is_lost_by_the_second(peers):
    expect(put(peers, peers.moto, "once", b"first", "absent").outcome, OK)
    second = put(peers, peers.moto, "once", b"second", "absent")
    expect(second.outcome, EXISTS)
    expect_in("cannot upload 's3://bucket/once': 412 PreconditionFailed", second.error)
    expect(get(peers, peers.moto, "once").content, b"first")


def test_compare_and_swap(peers):
    # Neither server knows If-Match on a PUT: that we ask is shown, and that we understand the answer.
    peers.front.clear()
    expect(put(peers, peers.through, "swap", b"one", '"an-etag"').outcome, OK)
    expect(peers.front.seen[0][2]["If-Match"], '"an-etag"')
    peers.front.fail("PUT", "/bucket/swap", 412, "PreconditionFailed")
    expect(put(peers, peers.through, "swap", b"two", '"an-etag"').outcome, EXISTS)


def test_a_conflict_of_writers_is_tried_again(peers):
    peers.front.clear()
    peers.front.fail("PUT", "/bucket/swap", 409, "ConditionalRequestConflict")
    expect(put(peers, peers.through, "swap", b"one", "absent").outcome, OK)


def test_a_wrong_secret_is_refused(peers):
    for server in peers.radosgw, peers.moto:
        found = get(peers, server, "plain", AWS_SECRET_ACCESS_KEY="wrong")
        expect(found.outcome, REFUSED)
        expect(found.code, "SignatureDoesNotMatch")
        expect_in("cannot download 's3://bucket/plain': 403 SignatureDoesNotMatch", found.error)


def test_an_unknown_key_is_refused(peers):
    for server in peers.radosgw, peers.moto:
        found = get(peers, server, "plain", AWS_ACCESS_KEY_ID="AKIANOBODY")
        expect(found.outcome, REFUSED)
        expect(found.code, "InvalidAccessKeyId")


def test_a_session_token_is_needed_where_one_was_given(peers):
    expect(put(peers, peers.moto, "plain").outcome, OK)
    expect(get(peers, peers.moto, "plain", AWS_SESSION_TOKEN="").outcome != OK, True, "without the token")


def test_a_body_that_differs_from_its_hash_is_refused_by_the_server(peers):
    peers.front.clear()
    def spoil(handler, body):
        handler.forward(bytes([body[0] ^ 1]) + body[1:])
    peers.front.add("PUT", "/bucket/spoiled", spoil)
    found = put(peers, peers.through, "spoiled")
    expect(found.outcome, REFUSED)
    expect(get(peers, peers.radosgw, "spoiled").outcome, NOT_FOUND)


def test_a_spoiled_answer_is_noticed(peers):
    peers.front.clear()
    expect(put(peers, peers.through, "sums", b"what was meant").outcome, OK)
    import base64, hashlib
    checksum = base64.b64encode(hashlib.sha256(b"what was meant").digest()).decode()
    def flip(status, headers, content):
        headers = [h for h in headers if h[0].lower() != "x-amz-checksum-sha256"]
        return status, headers + [("x-amz-checksum-sha256", checksum)], b"W" + content[1:]
    peers.front.add("GET", "/bucket/sums", lambda h, b: h.forward(b, flip))
    found = get(peers, peers.through, "sums")
    expect(found.outcome, EBADMSG)
    expect_in("its content differs from its checksum (expected SHA-256", found.error)
    expect(found.content, None)


def test_we_ask_for_the_checksum_and_send_ours(peers):
    peers.front.clear()
    put(peers, peers.through, "sums", b"abc")
    get(peers, peers.through, "sums")
    headers = {name.lower(): value for name, value in peers.front.seen[0][2].items()}
    expect(headers["x-amz-checksum-sha256"], "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
    expect(headers["x-amz-content-sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    expect("expect" in headers, False, "Expect header")
    expect({n.lower(): v for n, v in peers.front.seen[1][2].items()}["x-amz-checksum-mode"], "ENABLED")


def test_throttling_is_waited_out(peers):
    peers.front.clear()
    put(peers, peers.radosgw, "busy")
    peers.front.fail("GET", "/bucket/busy", 503, "SlowDown", times=1)
    peers.front.fail("GET", "/bucket/busy", 500, "InternalError", times=1)
    expect(get(peers, peers.through, "busy").outcome, OK)
    expect(len(peers.front.seen), 3, "tries")


def test_three_tries_are_the_end(peers):
    peers.front.clear()
    peers.front.fail("GET", "/bucket/busy", 500, "InternalError", times=9)
    found = get(peers, peers.through, "busy")
    expect(found.outcome, REFUSED)
    expect(len(peers.front.seen), 3, "tries")
    expect_in("500 InternalError: said the test (request REQ1)", found.error)


def test_retry_after_is_honoured(peers):
    import time
    peers.front.clear()
    peers.front.fail("GET", "/bucket/busy", 500, "InternalError", headers=[("x-amz-retry-after", "700")])
    began = time.monotonic()
    expect(get(peers, peers.through, "busy").outcome, OK)
    expect(0.7 <= time.monotonic() - began < 3, True, "waited as asked")


def test_a_reset_connection_is_tried_again(peers):
    peers.front.clear()
    peers.front.reset("GET", "/bucket/busy", times=2)
    expect(get(peers, peers.through, "busy").outcome, OK)
    peers.front.reset("GET", "/bucket/busy", times=9)
    found = get(peers, peers.through, "busy")
    expect(found.outcome, ECONNRESET)
    expect_in("cannot download 's3://bucket/busy': cannot GET", found.error)


def test_a_truncated_answer_is_tried_again(peers):
    peers.front.clear()
    peers.front.truncate("GET", "/bucket/busy")
    expect(get(peers, peers.through, "busy").content, b"content")


def test_an_endless_answer_is_cut(peers):
    peers.front.clear()
    peers.front.endless("GET", "/bucket/busy")
    found = get(peers, peers.through, "busy")
    expect(found.outcome, EFBIG)
    expect_in("the answer has more than 1000000 bytes", found.error)


def shift_date(handler, body, seconds):
    """The server's clock is ahead: it refuses what is signed for our time, and says its own."""
    import datetime, email.utils
    signed = datetime.datetime.strptime(handler.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    now = datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)
    date = [("Date", email.utils.format_datetime(now.replace(tzinfo=datetime.timezone.utc), usegmt=True))]
    if abs((now - signed).total_seconds()) > 600:
        text = b"<Error><Code>RequestTimeTooSkewed</Code><Message>skewed</Message></Error>"
        handler.answer(403, date, text)
    else:
        handler.answer(200, date, b"right time")


def test_a_wrong_clock_is_corrected_once(peers):
    peers.front.clear()
    peers.front.add("GET", "/bucket/late", lambda h, b: shift_date(h, b, 7200), times=5)
    found = get(peers, peers.through, "late")
    expect(found.outcome, OK)
    expect(len(peers.front.seen), 2, "tries")
    expect(abs(found.skew_seconds - 7200) < 5, True, "skew")


def test_radosgw_itself_is_convinced_by_the_correction(peers):
    for error in (7200, -7200):
        peers.front.clear()
        content = f"written {error} s off".encode()
        found = put(peers, peers.through, "off", content, CLOCK_ERROR=error)
        expect(found.outcome, OK, found.error)
        expect(len(peers.front.seen), 2, "tries: refused, then signed for the server's time")
        expect(abs(found.skew_seconds + error) < 5, True, f"skew {found.skew_seconds}")
        expect(get(peers, peers.radosgw, "off").content, content)


def test_a_clock_within_radosgws_patience_is_left_alone(peers):
    peers.front.clear()
    expect(get(peers, peers.through, "off", CLOCK_ERROR=200).outcome, OK)
    expect(len(peers.front.seen), 1, "tries")


def test_a_correction_that_does_not_convince_is_the_last(peers):
    # Its answers seem two hours old to us; what we sign for that time it refuses as stale.
    peers.front.clear()
    peers.front.fail("GET", "/bucket/busy", 403, "RequestTimeTooSkewed", headers=[("Date", "Mon, 01 Jun 2026 00:00:00 GMT")])
    found = get(peers, peers.through, "busy")
    expect(found.outcome, REFUSED)
    expect(found.code, "RequestTimeTooSkewed")


def test_a_bucket_elsewhere_is_followed_once(peers):
    for status, code, extra, headers in (
            (301, "PermanentRedirect", "", [("x-amz-bucket-region", "eu-west-1")]),
            (307, "TemporaryRedirect", "", [("x-amz-bucket-region", "eu-west-1")]),
            (400, "IllegalLocationConstraintException", "", [("x-amz-bucket-region", "eu-west-1")]),
            (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", [])):
        peers.front.clear()
        peers.front.fail("GET", "/bucket/busy", status, code, headers=headers, extra=extra)
        expect(get(peers, peers.through, "busy").outcome, OK, str(status))
        expect_in("/eu-west-1/s3/", peers.front.seen[1][2]["Authorization"], "signed anew")


def test_a_bucket_that_stays_elsewhere_is_said_to_be(peers):
    peers.front.clear()
    peers.front.fail("GET", "/bucket/busy", 301, "PermanentRedirect", times=9, headers=[("x-amz-bucket-region", "eu-west-1")])
    found = get(peers, peers.through, "busy")
    expect(found.outcome, REFUSED)
    expect(len(peers.front.seen), 2, "tries")
    expect_in("; the bucket is in region eu-west-1", found.error)


def test_where_the_answer_does_not_say_the_buckets_head_does(peers):
    peers.front.clear()
    peers.front.fail("GET", "/bucket/busy", 301, "PermanentRedirect")
    peers.front.fail("HEAD", "/bucket", 403, headers=[("x-amz-bucket-region", "ap-southeast-2")])
    expect(get(peers, peers.through, "busy").outcome, OK)
    expect([seen[0] for seen in peers.front.seen], ["GET", "HEAD", "GET"])


def test_an_absent_bucket_is_named(peers):
    for server in peers.radosgw, peers.moto:
        found = probe("get", "no-such-bucket", "k", peers.scratch / "x", "-", server=server)
        expect(found.outcome, REFUSED)
        expect(found.code, "NoSuchBucket")
        expect_in("; is its name right?", found.error)


def test_nobody_there(peers):
    nobody = types.SimpleNamespace(**vars(peers.through) | {"endpoint": "http://127.0.0.1:1"})
    found = get(peers, nobody, "k")
    expect(found.outcome, -111)
    expect_in("cannot download 's3://bucket/k': cannot GET 'http://127.0.0.1:1/bucket/k'", found.error)
    unnamed = types.SimpleNamespace(**vars(peers.through) | {"endpoint": "http://nosuch.invalid"})
    expect(get(peers, unnamed, "k").outcome, EHOSTUNREACH)


def test_the_buckets_owner_is_said_and_checked(peers):
    peers.front.clear()
    put(peers, peers.through, "owned", BUCKET_OWNER="123456789012")
    get(peers, peers.through, "owned", BUCKET_OWNER="123456789012")
    for _, _, headers in peers.front.seen:
        expect(headers["x-amz-expected-bucket-owner"], "123456789012")
        expect_in("x-amz-expected-bucket-owner", headers["Authorization"], "what is signed")


def test_s3cmd_reads_what_we_wrote_and_we_what_it_wrote(peers):
    host = peers.radosgw.endpoint.removeprefix("http://")
    (peers.scratch / "s3cfg").write_text(
        f"[default]\naccess_key = {peers.radosgw.access_key}\nsecret_key = {peers.radosgw.secret_key}\n"
        f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\nbucket_location = us-east-1\n")

    def s3cmd(*words):
        return subprocess.run(["/usr/bin/s3cmd", "-c", peers.scratch / "s3cfg", *words], capture_output=True, check=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}, timeout=60)

    for key in ("by us/ü+%", "漢字&=?"):
        put(peers, peers.radosgw, key, key.encode())
        expect(s3cmd("get", "--force", f"s3://bucket/{key}", "-").stdout, key.encode())
        s3cmd("put", write(peers, b"by s3cmd"), f"s3://bucket/{key}")
        expect(get(peers, peers.radosgw, key).content, b"by s3cmd")


def test_keys_that_cannot_be_signed_are_refused(peers):
    for key in ("a/../b", ".", "x/./y"):
        expect(get(peers, peers.radosgw, key).outcome, EDOM)


def test_over_tls(peers):
    with Moto(tls=True) as moto:
        expect(put(peers, moto, "tls").outcome, OK)
        expect(get(peers, moto, "tls").content, b"content")
        found = get(peers, moto, "tls", AWS_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt")
        expect(found.outcome, -71)
        expect_in("self-signed certificate", found.error)
        found = get(peers, moto, "tls", AWS_CA_BUNDLE="/nonexistent")
        expect_in("cannot read '/nonexistent', which AWS_CA_BUNDLE names", found.error)


def test_rights_are_told_from_absence(peers):
    policy = [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::bucket/allowed/*"}]
    with Moto(policy=policy) as moto:
        expect(get(peers, moto, "denied/x").outcome, DENIED)
        expect_in("403 AccessDenied", get(peers, moto, "denied/x").error)
        expect(probe("list", "bucket", "", server=moto).outcome, DENIED)


if __name__ == "__main__":
    main(globals())
