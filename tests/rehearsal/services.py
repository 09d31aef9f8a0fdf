"""The embedded cloud before the clients of others: botocore, awscli, s3cmd, curl; and before our own."""

import base64
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
import types
import urllib.parse

from cloud import Cloud, client
from probe import DENIED, EXISTS, NOT_FOUND, NOT_MODIFIED, OK, REFUSED, probe
from servers import run_aws
from tap import expect, expect_in, main
from wire import code_of, refusal, send, sign

KEYS = ["plain", "a/b c+d", "ü/漢字", "%3A=&?~%", "tilde~*'()!", "//double", "trailing/", "semi;colon,comma@at", "<&>\"'", "a=b", "a-b"]
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@contextlib.contextmanager
def setup():
    with Cloud() as cloud, tempfile.TemporaryDirectory() as scratch:
        yield types.SimpleNamespace(cloud=cloud, s3=client(cloud), scratch=pathlib.Path(scratch))


# --- objects ---

def test_odd_keys_go_there_and_back(peers):
    for key in KEYS:
        peers.s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
        expect(peers.s3.get_object(Bucket="bucket", Key=key)["Body"].read(), key.encode(), key)
        expect(peers.s3.head_object(Bucket="bucket", Key=key)["ContentLength"], len(key.encode()), key)
    found = peers.s3.list_objects_v2(Bucket="bucket")
    expect([one["Key"] for one in found["Contents"]], sorted(KEYS, key=str.encode))
    for key in KEYS:
        expect([one["Key"] for one in peers.s3.list_objects_v2(Bucket="bucket", Prefix=key)["Contents"]], [key])
        peers.s3.delete_object(Bucket="bucket", Key=key)
    expect(peers.s3.list_objects_v2(Bucket="bucket").get("KeyCount"), 0)


def test_an_object_is_described(peers):
    body = b"content"
    put = peers.s3.put_object(Bucket="bucket", Key="described", Body=body, ContentType="text/plain")
    expect(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
    for found in peers.s3.get_object(Bucket="bucket", Key="described"), peers.s3.head_object(Bucket="bucket", Key="described"):
        expect(found["ETag"], put["ETag"])
        expect(found["ContentType"], "text/plain")
        expect(found["ContentLength"], 7)
        expect(abs((datetime.datetime.now(datetime.timezone.utc) - found["LastModified"]).total_seconds()) < 5, True, "age")
        expect(len(found["ResponseMetadata"]["RequestId"]), 16)
        expect_in("GMT", found["ResponseMetadata"]["HTTPHeaders"]["date"])
    listed = peers.s3.list_objects_v2(Bucket="bucket", Prefix="described")["Contents"][0]
    expect((listed["ETag"], listed["Size"]), (put["ETag"], 7))


def test_a_part_is_given(peers):
    peers.s3.put_object(Bucket="bucket", Key="ten", Body=b"0123456789")
    for words, wanted, where in (("2-4", b"234", "bytes 2-4/10"), ("7-", b"789", "bytes 7-9/10"), ("-3", b"789", "bytes 7-9/10"),
                                 ("0-99", b"0123456789", "bytes 0-9/10")):
        found = peers.s3.get_object(Bucket="bucket", Key="ten", Range="bytes=" + words)
        expect((found["Body"].read(), found["ContentRange"]), (wanted, where), words)
        expect(found["ResponseMetadata"]["HTTPStatusCode"], 206)
    expect(refusal(peers.s3.get_object, Bucket="bucket", Key="ten", Range="bytes=10-"), (416, "InvalidRange"))
    expect(peers.s3.get_object(Bucket="bucket", Key="ten", Range="bytes=5-2")["Body"].read(), b"0123456789")


def test_checksums_are_kept_and_checked(peers):
    right = base64.b64encode(hashlib.sha256(b"content").digest()).decode()
    put = peers.s3.put_object(Bucket="bucket", Key="sum", Body=b"content", ChecksumSHA256=right)
    expect(put["ChecksumSHA256"], right)
    expect(peers.s3.get_object(Bucket="bucket", Key="sum", ChecksumMode="ENABLED")["ChecksumSHA256"], right)
    expect(peers.s3.head_object(Bucket="bucket", Key="sum", ChecksumMode="ENABLED")["ChecksumSHA256"], right)
    expect("ChecksumSHA256" in peers.s3.get_object(Bucket="bucket", Key="sum"), False)
    expect(refusal(peers.s3.put_object, Bucket="bucket", Key="sum", Body=b"other", ChecksumSHA256=right), (400, "BadDigest"))
    expect(refusal(peers.s3.put_object, Bucket="bucket", Key="sum", Body=b"x", ChecksumSHA256="AAAA"), (400, "InvalidRequest"))
    wrong = base64.b64encode(hashlib.md5(b"content").digest()).decode()
    expect(refusal(peers.s3.put_object, Bucket="bucket", Key="sum", Body=b"other", ContentMD5=wrong), (400, "BadDigest"))
    expect(peers.s3.get_object(Bucket="bucket", Key="sum")["Body"].read(), b"content")


def test_conditions_of_reading(peers):
    etag = peers.s3.put_object(Bucket="bucket", Key="cond", Body=b"1")["ETag"]
    expect(refusal(peers.s3.get_object, Bucket="bucket", Key="cond", IfNoneMatch=etag), (304, "304"))
    expect(refusal(peers.s3.head_object, Bucket="bucket", Key="cond", IfNoneMatch=etag), (304, "304"))
    expect(peers.s3.get_object(Bucket="bucket", Key="cond", IfNoneMatch='"other"')["Body"].read(), b"1")
    expect(peers.s3.get_object(Bucket="bucket", Key="cond", IfMatch=etag)["Body"].read(), b"1")
    expect(refusal(peers.s3.get_object, Bucket="bucket", Key="cond", IfMatch='"other"'), (412, "PreconditionFailed"))


def put_if(peers, key, body=b"", **headers):
    return send(peers.cloud.endpoint, "PUT", f"/bucket/{key}", body, sign(peers.cloud, "PUT", f"/bucket/{key}", body, headers))


def test_conditions_of_writing(peers):
    expect(put_if(peers, "once", b"1", **{"If-None-Match": "*"}).status, 200)
    expect(code_of(put_if(peers, "once", b"2", **{"If-None-Match": "*"})), (412, "PreconditionFailed"))
    etag = peers.s3.head_object(Bucket="bucket", Key="once")["ETag"]
    expect(put_if(peers, "once", b"3", **{"If-Match": etag}).status, 200)
    expect(code_of(put_if(peers, "once", b"4", **{"If-Match": etag})), (412, "PreconditionFailed"))
    expect(code_of(put_if(peers, "never", b"5", **{"If-Match": etag})), (404, "NoSuchKey"))
    expect(code_of(put_if(peers, "once", b"6", **{"If-None-Match": etag})), (501, "NotImplemented"))
    expect(peers.s3.get_object(Bucket="bucket", Key="once")["Body"].read(), b"3")


def test_what_is_not_there(peers):
    expect(refusal(peers.s3.get_object, Bucket="bucket", Key="absent"), (404, "NoSuchKey"))
    expect(refusal(peers.s3.head_object, Bucket="bucket", Key="absent"), (404, "404"))
    expect(refusal(peers.s3.get_object, Bucket="nothing", Key="absent"), (404, "NoSuchBucket"))
    expect(refusal(peers.s3.head_bucket, Bucket="nothing"), (404, "404"))
    peers.s3.head_bucket(Bucket="bucket")
    peers.s3.delete_object(Bucket="bucket", Key="absent")


def test_what_is_not_served_is_refused_and_changes_nothing(peers):
    peers.s3.put_object(Bucket="bucket", Key="kept", Body=b"kept")
    expect(refusal(peers.s3.copy_object, Bucket="bucket", Key="kept", CopySource="bucket/cond"), (501, "NotImplemented"))
    expect(refusal(peers.s3.upload_part, Bucket="bucket", Key="kept", PartNumber=1, UploadId="x", Body=b"y"), (404, "NoSuchUpload"))
    expect(refusal(peers.s3.put_object_acl, Bucket="bucket", Key="kept", ACL="private"), (501, "NotImplemented"))
    expect(refusal(peers.s3.delete_object_tagging, Bucket="bucket", Key="kept"), (501, "NotImplemented"))
    expect(refusal(peers.s3.get_bucket_acl, Bucket="bucket"), (501, "NotImplemented"))
    expect(peers.s3.get_object(Bucket="bucket", Key="kept")["Body"].read(), b"kept")


def test_names_have_a_length(peers):
    peers.s3.put_object(Bucket="bucket", Key="k" * 1024, Body=b"")
    peers.s3.delete_object(Bucket="bucket", Key="k" * 1024)
    expect(refusal(peers.s3.put_object, Bucket="bucket", Key="k" * 1025, Body=b""), (400, "KeyTooLongError"))
    expect(code_of(put_if(peers, "a%00b")), (400, "InvalidURI"))


# --- listings ---

def test_pages(peers):
    for n in range(25):
        peers.s3.put_object(Bucket="bucket", Key=f"page/{n:02}+ü", Body=b"")
    wanted = [f"page/{n:02}+ü" for n in range(25)]
    for operation, content in ("list_objects_v2", "Contents"), ("list_objects", "Contents"), ("list_object_versions", "Versions"):
        pages = list(peers.s3.get_paginator(operation).paginate(Bucket="bucket", Prefix="page/", PaginationConfig={"PageSize": 10}))
        expect([one["Key"] for page in pages for one in page[content]], wanted, operation)
        expect(len(pages), 3, operation)
        expect([page["IsTruncated"] for page in pages], [True, True, False], operation)
    found = peers.s3.list_objects_v2(Bucket="bucket", Prefix="page/", StartAfter="page/22+ü")
    expect([one["Key"] for one in found["Contents"]], wanted[23:])
    expect(peers.s3.list_objects_v2(Bucket="bucket", MaxKeys=0)["KeyCount"], 0)
    expect(refusal(peers.s3.list_objects_v2, Bucket="bucket", MaxKeys=-1), (400, "InvalidArgument"))


def test_folders(peers):
    for key in "tree/a", "tree/b/1", "tree/b/2", "tree/b ü/3", "tree/c":
        peers.s3.put_object(Bucket="bucket", Key=key, Body=b"")
    for operation in "list_objects_v2", "list_objects":
        pages = list(peers.s3.get_paginator(operation).paginate(Bucket="bucket", Prefix="tree/", Delimiter="/", PaginationConfig={"PageSize": 2}))
        expect([one["Key"] for page in pages for one in page.get("Contents", [])], ["tree/a", "tree/c"], operation)
        expect([one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])], ["tree/b ü/", "tree/b/"], operation)
        expect(len(pages), 2, operation)


def test_many_are_deleted_at_once(peers):
    for n in range(3):
        peers.s3.put_object(Bucket="bucket", Key=f"many/{n}&", Body=b"")
    found = peers.s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": f"many/{n}&"} for n in range(4)]})
    expect([one["Key"] for one in found["Deleted"]], [f"many/{n}&" for n in range(4)])
    expect(peers.s3.list_objects_v2(Bucket="bucket", Prefix="many/")["KeyCount"], 0)


def test_the_bucket_tells_about_itself(peers):
    expect(peers.s3.get_bucket_versioning(Bucket="bucket").get("Status"), None)
    expect(peers.s3.get_bucket_location(Bucket="bucket")["LocationConstraint"], None)
    expect(peers.s3.head_bucket(Bucket="bucket")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"], "us-east-1")
    expect([one["Name"] for one in peers.s3.list_buckets()["Buckets"]], ["bucket"])
    expect(refusal(peers.s3.head_bucket, Bucket="bucket", ExpectedBucketOwner="999999999999"), (403, "403"))
    peers.s3.head_bucket(Bucket="bucket", ExpectedBucketOwner="123456789012")


# --- who ---

def test_signatures(peers):
    cloud, target = peers.cloud, "/bucket/signed"
    now = datetime.datetime.utcnow()

    def put(headers, body=b"content"):
        return code_of(send(cloud.endpoint, "PUT", target, body, headers))

    good = sign(cloud, "PUT", target, b"content")
    expect(put(good)[0], 200)
    expect(put({}), (403, "AccessDenied"), "anonymous")
    expect(put(good, b"CONTENT"), (400, "XAmzContentSHA256Mismatch"), "another body")
    expect(put(sign(cloud, "PUT", target, b"content", secret="x" * 40)), (403, "SignatureDoesNotMatch"), "wrong secret")
    expect(put(sign(cloud, "PUT", target, b"content", access_key="AKIAAAAAAAAAAAAAAAAA")), (403, "InvalidAccessKeyId"))
    expect(put(good | {"X-Amz-Date": now.strftime("%Y%m%dT000000Z")})[0], 403, "another date")
    expect(put(sign(cloud, "PUT", target, b"content", region="eu-west-1")), (400, "AuthorizationHeaderMalformed"), "region")
    expect(put(sign(cloud, "PUT", target, b"content", service="ec2")), (400, "AuthorizationHeaderMalformed"), "service")
    expect(put(good | {"x-amz-meta-more": "1"}), (403, "AccessDenied"), "a header that is not signed")
    expect(put(good | {"x-amz-security-token": "x"})[0] >= 400, True, "a token that is not signed")
    expect(put({k: v for k, v in good.items() if k.lower() != "x-amz-content-sha256"})[0] >= 400, True, "no hash")
    expect(put(good | {"Authorization": "AWS4-HMAC-SHA256 nonsense"}), (400, "AuthorizationHeaderMalformed"))
    expect(put(good | {"Authorization": "AWS AKIA:x"}), (400, "InvalidRequest"), "version 2")
    expect(code_of(send(cloud.endpoint, "PUT", "/bucket/other", b"content", good)), (403, "SignatureDoesNotMatch"), "another key")
    expect(code_of(send(cloud.endpoint, "DELETE", target, b"content", good)), (403, "SignatureDoesNotMatch"), "another method")
    expect(peers.s3.get_object(Bucket="bucket", Key="signed")["Body"].read(), b"content")


def test_the_refusal_of_a_signature_shows_what_was_signed(peers):
    answer = send(peers.cloud.endpoint, "GET", "/bucket/x?b=2&a=1", headers=sign(peers.cloud, "GET", "/bucket/x?b=2&a=1", secret="x"))
    expect_in("<StringToSign>AWS4-HMAC-SHA256\n", answer.body.decode())
    expect_in("<CanonicalRequest>GET\n/bucket/x\na=1&amp;b=2\n", answer.body.decode())
    expect_in("<AWSAccessKeyId>" + peers.cloud.access_key, answer.body.decode())


def test_the_clock_is_checked(peers):
    for seconds, outcome in (800, OK), (-800, OK), (1000, REFUSED), (-1000, REFUSED):
        with tempfile.NamedTemporaryFile() as file:
            # Our client corrects its clock by the answer's Date, so it gets through; botocore does not.
            expect(probe("put", "bucket", "clock", file.name, "any", server=peers.cloud, CLOCK_ERROR=seconds).outcome, OK, f"{seconds} s")
        at = datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)
        found = code_of(send_at(peers.cloud, at))
        expect(found, (200, "") if outcome == OK else (403, "RequestTimeTooSkewed"), f"{seconds} s")


def send_at(cloud, when):
    import unittest.mock
    with unittest.mock.patch("botocore.auth.datetime") as clock:
        clock.datetime.utcnow.return_value = when
        headers = sign(cloud, "GET", "/bucket?versioning")
    answer = send(cloud.endpoint, "GET", "/bucket?versioning", headers=headers)
    if answer.status == 200:
        answer.body = b""
    return answer


def test_odd_queries_are_signed_alike(peers):
    # botocore, whose canonical request is an independent one.
    for query in ("list-type=2&prefix=a%20b", "prefix=&list-type=2", "list-type=2&prefix=%C3%BC%2F", "list-type=2&prefix=a&prefix-x=b",
                  "list-type=2&delimiter=%2F&prefix=%2B%26%3D", "versions", "location="):
        answer = send(peers.cloud.endpoint, "GET", "/bucket?" + query, headers=sign(peers.cloud, "GET", "/bucket?" + query))
        expect(answer.status, 501 if "prefix-x" in query else 200, f"{query}: {answer.body}")


def test_presigned_urls(peers):
    peers.s3.put_object(Bucket="bucket", Key="pre signed", Body=b"content")
    url = peers.s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "pre signed"}, ExpiresIn=60)
    target = url[len(peers.cloud.endpoint):]
    modern = client(peers.cloud, signature_version="s3v4").generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "pre signed"}, ExpiresIn=60)
    target = modern[len(peers.cloud.endpoint):]
    expect(send(peers.cloud.endpoint, "GET", target).body, b"content")
    expect(code_of(send(peers.cloud.endpoint, "PUT", target)), (403, "SignatureDoesNotMatch"))
    expect(code_of(send(peers.cloud.endpoint, "GET", target.replace("Expires=60", "Expires=61"))), (403, "SignatureDoesNotMatch"))
    expect(code_of(send(peers.cloud.endpoint, "GET", target[:-1] + ("0" if target[-1] != "0" else "1"))), (403, "SignatureDoesNotMatch"))
    expect(code_of(send(peers.cloud.endpoint, "GET", target, headers={"x-amz-meta-a": "b"})), (403, "AccessDenied"))
    expect(code_of(send(peers.cloud.endpoint, "GET", target.replace("Expires=60", "Expires=700000"))), (400, "AuthorizationQueryParametersError"))
    brief = client(peers.cloud, signature_version="s3v4").generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "pre signed"}, ExpiresIn=1)
    time.sleep(2.1)
    expect(code_of(send(peers.cloud.endpoint, "GET", brief[len(peers.cloud.endpoint):])), (403, "AccessDenied"), "expired")
    put = client(peers.cloud, signature_version="s3v4").generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "put"}, ExpiresIn=60)
    expect(send(peers.cloud.endpoint, "PUT", put[len(peers.cloud.endpoint):], b"by nobody").status, 200)
    expect(peers.s3.get_object(Bucket="bucket", Key="put")["Body"].read(), b"by nobody")


def test_tokens(peers):
    role = peers.cloud.role(ALL)
    expect(role.access_key[:4], "ASIA")
    client(role).head_bucket(Bucket="bucket")
    bare = types.SimpleNamespace(**vars(role) | {"token": ""})
    expect(refusal(client(bare).list_objects_v2, Bucket="bucket"), (403, "InvalidAccessKeyId"))
    wrong = types.SimpleNamespace(**vars(role) | {"token": "x"})
    expect(refusal(client(wrong).list_objects_v2, Bucket="bucket"), (400, "InvalidToken"))
    late = peers.cloud.role(ALL, seconds=0)
    expect(refusal(client(late).list_objects_v2, Bucket="bucket"), (400, "ExpiredToken"))


# --- what they may ---

def test_rights(peers):
    peers.s3.put_object(Bucket="bucket", Key="docker/ca.pem", Body=b"ca")
    peers.s3.put_object(Bucket="bucket", Key="docker/ca-key.pem", Body=b"key")
    reader = client(peers.cloud.role({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/docker/*"},
                                     {"Effect": "Deny", "Action": "s3:*", "Resource": "*-key.pem"}))
    expect(reader.get_object(Bucket="bucket", Key="docker/ca.pem")["Body"].read(), b"ca")
    denied = (403, "AccessDenied")
    expect(refusal(reader.get_object, Bucket="bucket", Key="docker/ca-key.pem"), denied)
    expect(refusal(reader.get_object, Bucket="bucket", Key="flocker/x"), denied)
    expect(refusal(reader.put_object, Bucket="bucket", Key="docker/ca.pem", Body=b"x"), denied)
    expect(refusal(reader.delete_object, Bucket="bucket", Key="docker/ca.pem"), denied)
    expect(refusal(reader.list_objects_v2, Bucket="bucket"), denied)
    expect(refusal(reader.list_object_versions, Bucket="bucket"), denied)
    expect(refusal(reader.head_bucket, Bucket="bucket"), (403, "403"))
    expect(reader.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "docker/ca.pem"}]})["Errors"][0]["Code"], "AccessDenied")


def test_a_missing_key_is_404_only_for_who_may_list(peers):
    get = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    lists = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"}
    limited = lists | {"Condition": {"StringLike": {"s3:prefix": "docker/*"}}}
    expect(refusal(client(peers.cloud.role(get)).get_object, Bucket="bucket", Key="docker/no"), (403, "AccessDenied"))
    expect(refusal(client(peers.cloud.role(get)).head_object, Bucket="bucket", Key="docker/no"), (403, "403"))
    expect(refusal(client(peers.cloud.role(get, lists)).get_object, Bucket="bucket", Key="docker/no"), (404, "NoSuchKey"))
    half = client(peers.cloud.role(get, limited))
    expect(refusal(half.get_object, Bucket="bucket", Key="docker/no"), (403, "AccessDenied"))
    expect(half.list_objects_v2(Bucket="bucket", Prefix="docker/")["KeyCount"] > 0, True)
    expect(refusal(half.list_objects_v2, Bucket="bucket", Prefix="flocker/"), (403, "AccessDenied"))
    expect(refusal(half.list_objects_v2, Bucket="bucket"), (403, "AccessDenied"))


def test_secrets(peers):
    secrets = client(peers.cloud, "secretsmanager")
    found = secrets.get_secret_value(SecretId=peers.cloud.secret)
    expect((found["SecretString"], found["ARN"], found["Name"]), ('{"a":"b"}', peers.cloud.secret, "dataset"))
    expect(secrets.get_secret_value(SecretId="dataset")["SecretString"], '{"a":"b"}')
    expect(refusal(secrets.get_secret_value, SecretId="none"), (400, "ResourceNotFoundException"))
    expect(refusal(secrets.list_secrets), (400, "UnknownOperationException"))
    role = peers.cloud.role({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": peers.cloud.secret})
    expect(client(role, "secretsmanager").get_secret_value(SecretId="dataset")["SecretString"], '{"a":"b"}')
    expect(refusal(client(peers.cloud.role({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}), "secretsmanager").get_secret_value,
                   SecretId=peers.cloud.secret), (400, "AccessDeniedException"))
    wrong = types.SimpleNamespace(endpoint=peers.cloud.endpoint, region="us-east-1", access_key=peers.cloud.access_key, secret_key="x", token="")
    expect(refusal(client(wrong, "secretsmanager").get_secret_value, SecretId="dataset"), (400, "InvalidSignatureException"))
    wrong.access_key = "AKIAAAAAAAAAAAAAAAAA"
    expect(refusal(client(wrong, "secretsmanager").get_secret_value, SecretId="dataset"), (400, "UnrecognizedClientException"))


# --- by the tools of people ---

def test_awscli(peers):
    path = peers.scratch / "up"
    path.write_bytes(os.urandom(100_000))
    run_aws(peers.cloud, "s3", "cp", "--quiet", str(path), "s3://bucket/cli/a b")
    run_aws(peers.cloud, "s3", "cp", "--quiet", "s3://bucket/cli/a b", str(peers.scratch / "down"))
    expect((peers.scratch / "down").read_bytes(), path.read_bytes())
    expect(run_aws(peers.cloud, "s3api", "list-objects-v2", "--bucket", "bucket", "--prefix", "cli/")["Contents"][0]["Key"], "cli/a b")
    run_aws(peers.cloud, "s3", "rm", "--quiet", "--recursive", "s3://bucket/cli/")
    expect(peers.s3.list_objects_v2(Bucket="bucket", Prefix="cli/")["KeyCount"], 0)


def s3cmd(server, *words):
    address = urllib.parse.urlsplit(server.endpoint).netloc
    return subprocess.run(
        ["/usr/bin/s3cmd", "-c", "/dev/null", "--no-ssl", f"--host={address}", f"--host-bucket={address}", f"--access_key={server.access_key}",
         f"--secret_key={server.secret_key}", *(["--access_token=" + server.token] if server.token else []), "--no-progress", *map(str, words)],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=50)


def test_s3cmd(peers):
    path = peers.scratch / "by-s3cmd"
    path.write_bytes(os.urandom(20_000))
    for words in ("put", path, "s3://bucket/cmd/one"), ("get", "--force", "s3://bucket/cmd/one", peers.scratch / "got"):
        done = s3cmd(peers.cloud, *words)
        expect(done.returncode, 0, done.stderr)
        expect("WARNING" in done.stderr, False, done.stderr)
    expect((peers.scratch / "got").read_bytes(), path.read_bytes())
    expect_in("s3://bucket/cmd/one", s3cmd(peers.cloud, "ls", "--recursive", "s3://bucket/cmd/").stdout)
    expect_in("s3://bucket/cmd/", s3cmd(peers.cloud, "ls", "s3://bucket/c").stdout)
    done = s3cmd(peers.cloud, "del", "--recursive", "--force", "s3://bucket/cmd/")
    expect(done.returncode, 0, done.stderr)
    expect(peers.s3.list_objects_v2(Bucket="bucket", Prefix="cmd/")["KeyCount"], 0)
    wrong = types.SimpleNamespace(**vars(peers.cloud) | {"endpoint": peers.cloud.endpoint, "secret_key": "x" * 40})
    expect_in("SignatureDoesNotMatch", s3cmd(wrong, "ls", "s3://bucket").stderr)


def test_curl(peers):
    def curl(*words):
        return subprocess.run(["/usr/bin/curl", "-sS", "--max-time", "10", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                               f"{peers.cloud.access_key}:{peers.cloud.secret_key}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", *words],
                              capture_output=True, text=True, timeout=20)
    peers.s3.put_object(Bucket="bucket", Key="for-curl", Body=b"content")
    expect(curl(peers.cloud.endpoint + "/bucket/for-curl").stdout, "content")
    # HEAD has no body; a second request on the connection finds its own answer.
    done = curl("-I", peers.cloud.endpoint + "/bucket/for-curl", peers.cloud.endpoint + "/bucket/absent", peers.cloud.endpoint + "/bucket/for-curl")
    expect([line.split()[1] for line in done.stdout.splitlines() if line.startswith("HTTP/")], ["200", "404", "200"], done.stderr)
    expect_in("Content-Length: 7", done.stdout)


def test_our_own_client(peers):
    path = peers.scratch / "own"
    path.write_bytes(b"content")
    for key in KEYS:
        expect(probe("put", "bucket", key, path, "any", server=peers.cloud).outcome, OK, key)
    expect(probe("put", "bucket", "plain", path, "absent", server=peers.cloud).outcome, EXISTS)
    expect(set(KEYS) - set(probe("list", "bucket", "", server=peers.cloud).keys), set())
    etag = peers.s3.head_object(Bucket="bucket", Key="plain")["ETag"]
    expect(probe("get", "bucket", "plain", peers.scratch / "back", etag, server=peers.cloud).outcome, NOT_MODIFIED)
    expect(probe("get", "bucket", "plain", peers.scratch / "back", "-", server=peers.cloud).outcome, OK)
    expect(probe("get", "bucket", "absent", peers.scratch / "back", "-", server=peers.cloud).outcome, NOT_FOUND)
    expect(probe("delete", "bucket", "plain", server=peers.cloud).outcome, OK)
    role = peers.cloud.role({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    expect(probe("get", "bucket", "plain", peers.scratch / "back", "-", server=role).outcome, DENIED)


# --- handles ---

def signal(peers, url=None, body=None, method="PUT", headers=None, **members):
    body = body if body is not None else json.dumps({"Status": "SUCCESS", "Reason": "r", "UniqueId": "i-1", "Data": "d"} | members).encode()
    return send(peers.cloud.endpoint, method, (url or peers.cloud.handle)[len(peers.cloud.endpoint):], body, {"Content-Type": ""} | (headers or {}))


def test_signals(peers):
    expect(signal(peers).status, 200)
    expect(peers.cloud.read(), {"success": True, "reason": "r", "id": "i-1", "data": "d"})
    expect(signal(peers).status, 200)  # again: taken, and not told
    for body in b"", b"{}", b"\xff", b'{"Status":"SUCCESS"}', b'{"Status":"DONE","UniqueId":"i-9"}', b"[" * 5000, \
            json.dumps({"Status": "SUCCESS", "UniqueId": "i-8", "Data": "x" * 4096}).encode():
        expect(signal(peers, body=body).status, 200)  # S3 keeps it; CloudFormation makes nothing of it
    expect(signal(peers, headers={"Content-Type": "application/x-www-form-urlencoded"}).status, 403)
    expect(signal(peers, headers={"x-amz-meta-a": "b"}).status, 403)
    expect(signal(peers, method="GET").status, 403)
    expect(signal(peers, url=peers.cloud.handle[:-1]).status, 403)
    expect(signal(peers, url=peers.cloud.handle.replace("HandleX1", "HandleX2")).status, 403)
    expect(signal(peers, Status="FAILURE", UniqueId="i-2", Reason="ü").status, 200)
    expect(peers.cloud.read(), {"success": False, "reason": "ü", "id": "i-2", "data": "d"})


def test_many_instances_signal_one_handle(peers):
    for n in range(100):
        signal(peers, UniqueId=f"many-{n}")
        expect(peers.cloud.read()["id"], f"many-{n}")
    expect(signal(peers, UniqueId="many-99").status, 200)
    signal(peers, UniqueId="last")
    expect(peers.cloud.read()["id"], "last")


def test_our_own_signal(peers):
    expect(probe("signal", "SUCCESS", "i-3", "fine", WAIT_HANDLE=peers.cloud.handle).outcome, 0)
    expect(peers.cloud.read()["id"], "i-3")


def test_each_part_of_the_handles_url_is_signed(peers):
    expect(signal(peers, UniqueId="i-5").status, 200)
    expect(peers.cloud.read()["id"], "i-5")
    for old, new in ("Expires=86400", "Expires=86401"), ("SignedHeaders=host", "SignedHeaders=host%3Bdate"), ("&X-Amz-Date=2", "&X-Amz-Date=1"), \
            ("X-Amz-Algorithm=AWS4", "X-Amz-Algorithm=AWS3"), ("us-east-1%2F", "eu-west-1%2F"), ("&X-Amz-Expires=86400", ""):
        expect_in(old, peers.cloud.handle)
        expect(signal(peers, url=peers.cloud.handle.replace(old, new), UniqueId="i-6").status in (400, 403), True, old)
    expect(signal(peers, headers={"Host": "other.example"}, UniqueId="i-6").status, 403)


# --- metadata ---

def token_of(url, ttl="60"):
    return send(url, "PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": ttl}).body.decode()


def test_metadata_tokens(peers):
    url, header = peers.cloud.metadata, "X-aws-ec2-metadata-token"
    ttl = "X-aws-ec2-metadata-token-ttl-seconds"
    expect(send(url, "GET", "/latest/meta-data/instance-id").status, 401)
    expect(send(url, "GET", "/latest/meta-data/instance-id", headers={header: "x"}).status, 401)
    expect(send(url, "GET", "/latest/meta-data/instance-id", headers={header: ""}).status, 401)
    for bad in {}, {ttl: "0"}, {ttl: "21601"}, {ttl: "x"}, {ttl: ""}:
        expect(send(url, "PUT", "/latest/api/token", headers=bad).status, 400, bad)
    expect(send(url, "PUT", "/latest/api/token", headers={ttl: "60", "X-Forwarded-For": "1.2.3.4"}).status, 403)
    expect(send(url, "GET", "/latest/api/token").status, 405)
    given = send(url, "PUT", "/latest/api/token", headers={ttl: "21600"})
    expect((given.status, given.headers[ttl]), (200, "21600"))
    expect(send(url, "GET", "/latest/meta-data/instance-id", headers={header: given.body.decode()}).body, b"i-0123456789abcdef0")
    brief = token_of(url, "1")
    expect(send(url, "GET", "/latest/meta-data/instance-id", headers={header: brief}).status, 200)
    time.sleep(1.1)
    expect(send(url, "GET", "/latest/meta-data/instance-id", headers={header: brief}).status, 401)
    expect(send(peers.cloud.optional, "GET", "/latest/meta-data/instance-id").status, 200)
    expect(send(peers.cloud.optional, "GET", "/latest/meta-data/instance-id", headers={header: "x"}).status, 401)


def test_metadata_values(peers):
    url = peers.cloud.metadata
    headers = {"X-aws-ec2-metadata-token": token_of(url)}

    def get(path):
        answer = send(url, "GET", path, headers=headers)
        return answer.body.decode() if answer.status == 200 else answer.status

    for path, wanted in (("instance-id", "i-0123456789abcdef0"), ("local-ipv4", "127.0.0.1"), ("placement/region", "us-east-1"),
                         ("placement/availability-zone", "us-east-1a"), ("instance-type", "m3.large"), ("ami-id", "ami-0123456789abcdef0"),
                         ("services/domain", "amazonaws.com"), ("services/partition", "aws"), ("hostname", "ip-127-0-0-1.ec2.internal"),
                         ("local-hostname", "ip-127-0-0-1.ec2.internal"), ("iam/security-credentials/", "node"),
                         ("iam/security-credentials", "node"), ("iam/security-credentials/none", 404), ("tags/instance/Name", 404),
                         ("public-ipv4", 404), ("nothing", 404)):
        expect(get("/latest/meta-data/" + path), wanted, path)
    expect_in("02:", get("/latest/meta-data/mac"))
    expect_in("\nlocal-ipv4\n", get("/latest/meta-data/"))
    expect(json.loads(get("/latest/meta-data/iam/info"))["InstanceProfileArn"], "arn:aws:iam::123456789012:instance-profile/node")
    expect(get("/latest/user-data"), '#!/usr/bin/flocker-bootstrap --role=agent\ncluster: "käse"\n')
    document = json.loads(get("/latest/dynamic/instance-identity/document"))
    expect((document["pendingTime"], document["region"], document["instanceId"]), ("2026-11-24T09:05:00Z", "us-east-1", "i-0123456789abcdef0"))
    keys = json.loads(get("/latest/meta-data/iam/security-credentials/node"))
    server = types.SimpleNamespace(endpoint=peers.cloud.endpoint, region="us-east-1", access_key=keys["AccessKeyId"],
                                   secret_key=keys["SecretAccessKey"], token=keys["Token"])
    client(server).head_bucket(Bucket="bucket")


def test_keys_of_an_instance_are_renewed_before_they_expire(peers):
    url = peers.cloud.metadata_of(ALL, seconds=4)
    headers = {"X-aws-ec2-metadata-token": token_of(url)}

    def keys():
        return json.loads(send(url, "GET", "/latest/meta-data/iam/security-credentials/node", headers=headers).body)["AccessKeyId"]
    first = keys()
    expect(keys(), first)
    time.sleep(2.5)
    expect(keys() == first, False, "the same keys")


def test_our_own_client_with_an_instances_keys(peers):
    url = peers.cloud.metadata_of({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"})
    own = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_ENDPOINT_URL": peers.cloud.endpoint}
    found = probe("list", "bucket", "", **own)
    expect(found.outcome, OK, found.error)
    expect(probe("head", "bucket", "plain", **own).outcome, DENIED)
    expect(probe("identity", **own).outcome, OK)


# --- the end ---

def test_a_closed_handle_refuses(peers):
    peers.cloud.ask("close")
    expect(code_of(signal(peers, UniqueId="late")), (403, "AccessDenied"))
    found = probe("signal", "SUCCESS", "i-4", "late", WAIT_HANDLE=peers.cloud.handle)
    expect(found.outcome, 1, found.error)


if __name__ == "__main__":
    main(globals())
