"""One script of requests, put to the rehearsal's S3, to radosgw and to moto; what differs is explained in docs/conformance.md, whose table
this test makes (`conformance.py --write`) and holds."""

import contextlib
import datetime
import hashlib
import types
import unittest.mock

from botocore.exceptions import ClientError

from cloud import Cloud, client
from documents import hold
from servers import Moto, Radosgw, run_aws
from tap import expect, main
from wire import send, sign

PART = 5 * 1024 * 1024
ETAG = f'"{hashlib.md5(b"content").hexdigest()}"'

# Why an answer is not the one of the others, by request. What is not here is held to be alike.
SIGNED_QUERY = "moto's check of signatures breaks on requests that are signed in their query."
ENCODED = "moto refuses right signatures of encoded keys and queries."
REASONS = {
    "put, body of another hash": "moto does not look at it.",
    "put, Content-MD5 of another body": "moto does not look at it.",
    "put, x-amz-checksum-sha256 of another body": "neither looks at it.",
    "put, if nothing is there, on what is there": "radosgw 18 does not know conditional writes, and overwrites. The cluster store lives by the refusal.",
    "put, if the ETag is another": "neither knows the condition, which S3 has since November 2024.",
    "get, a range": "radosgw's dbstore gives the object's beginning under the name of the range.",
    "get, nothing signed": "moto refuses it without a code.",
    "get, a date an hour old": "moto does not look at the date.",
    "presigned URL, get": SIGNED_QUERY,
    "presigned URL, put": SIGNED_QUERY,
    "presigned URL, its lifetime changed": SIGNED_QUERY,
    "presigned URL, for another method": SIGNED_QUERY,
    "presigned URL of version 2": "S3 takes it for buckets older than June 2020 only, and the rehearsal's are new. " + SIGNED_QUERY,
    "key with blanks, plus, percent, other letters": ENCODED,
    "list, pages of 2 of 5": ENCODED,
    "list, folders": ENCODED,
    "in parts, out of order": "radosgw and moto look at the parts' sizes first, or at nothing else.",
    "in parts, given up, then completed": "each has its own way not to find it; S3 says NoSuchUpload.",
    "copy": "the rehearsal refuses what no machine of a cluster asks for.",
}


def told(answer):
    """Status and code of an answer off the wire."""
    code = answer.body.decode(errors="replace").partition("<Code>")[2].partition("</Code>")[0]
    return f"{answer.status} {code}".strip()


def call(function, **arguments):
    """What botocore's call comes to: a status, a code, and what `read` makes of the answer."""
    read = arguments.pop("read", lambda answer: "")
    try:
        answer = function(Bucket="bucket", **arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {code if code != str(status) else ''}".strip()
    return f"{answer['ResponseMetadata']['HTTPStatusCode']} {read(answer)}".strip()


# Each makes a request that is put to a peer later.

def sdk(operation, **arguments):
    return lambda peer: call(getattr(peer.s3, operation), **arguments)


def wire(method, target, body=b"", headers=None, signed_body=None, **signing):
    def ask_peer(peer):
        signed = sign(peer.server, method, target, body if signed_body is None else signed_body, headers, **signing)
        return told(send(peer.server.endpoint, method, target, body, signed))
    return ask_peer


def by_url(method, operation, key, body=b"", change=("", ""), version="s3v4", **options):
    def ask_peer(peer):
        url = client(peer.server, signature_version=version).generate_presigned_url(operation, {"Bucket": "bucket", "Key": key}, **options)
        return told(send(peer.server.endpoint, method, url[len(peer.server.endpoint):].replace(*change), body))
    return ask_peer


def in_parts(key, order, etags=None, body=b"small"):
    def ask_peer(peer):
        upload = peer.s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
        found = {number: peer.s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"] for number in (1, 2)}
        return call(peer.s3.complete_multipart_upload, Key=key, UploadId=upload,
                    MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etags or found[number]} for number in order]})
    return ask_peer


# --- the script ---

def keep_metadata(peer):
    peer.s3.put_object(Bucket="bucket", Key="meta", Body=b"", Metadata={"made-by": "tests"})
    return call(peer.s3.head_object, Key="meta", read=lambda found: str(found["Metadata"]))


def ask_late(peer):
    with unittest.mock.patch("botocore.auth.datetime") as clock:
        clock.datetime.utcnow.return_value = datetime.datetime.utcnow() - datetime.timedelta(hours=1)
        signed = sign(peer.server, "GET", "/bucket/a")
    return told(send(peer.server.endpoint, "GET", "/bucket/a", headers=signed))


def use_odd_key(peer):
    key = "a b+c%20/ü"
    peer.s3.put_object(Bucket="bucket", Key=key, Body=b"odd")
    return call(peer.s3.get_object, Key=key, read=lambda found: found["Body"].read().decode())


def list_pages(peer):
    for number in range(5):
        peer.s3.put_object(Bucket="bucket", Key=f"page/{number}", Body=b"")
    pages = list(peer.s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="page/", PaginationConfig={"PageSize": 2}))
    return f"{[len(page['Contents']) for page in pages]}"


def list_folders(peer):
    for key in "tree/a", "tree/b/1", "tree/b/2":
        peer.s3.put_object(Bucket="bucket", Key=key, Body=b"")
    return call(peer.s3.list_objects_v2, Prefix="tree/", Delimiter="/",
                read=lambda found: f"{[one['Key'] for one in found['Contents']]} {[one['Prefix'] for one in found['CommonPrefixes']]}")


def put_in_parts(peer):
    upload = peer.s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
    parts = [{"PartNumber": number, "ETag": peer.s3.upload_part(Bucket="bucket", Key="parts", UploadId=upload, PartNumber=number, Body=body)["ETag"]}
             for number, body in ((1, b"x" * PART), (2, b"y"))]
    peer.s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    return call(peer.s3.head_object, Key="parts", read=lambda found: f"{found['ContentLength']} {found['ETag'].strip(chr(34))[-2:]}")


def complete_given_up(peer):
    upload = peer.s3.create_multipart_upload(Bucket="bucket", Key="up")["UploadId"]
    peer.s3.abort_multipart_upload(Bucket="bucket", Key="up", UploadId=upload)
    return call(peer.s3.complete_multipart_upload, Key="up", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"0"'}]})


# In this order: what one has put the next may get.
SCRIPT = {
    "put": sdk("put_object", Key="a", Body=b"content", read=lambda found: found["ETag"] == ETAG and "ETag is the MD5"),
    "put, body of another hash": wire("PUT", "/bucket/hash", b"CONTENT", signed_body=b"content"),
    "put, Content-MD5 of another body": wire("PUT", "/bucket/md5", b"content", {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}),
    "put, x-amz-checksum-sha256 of another body": wire(
        "PUT", "/bucket/sum", b"content", {"x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}),
    "put, if nothing is there": wire("PUT", "/bucket/once", b"1", {"If-None-Match": "*"}),
    "put, if nothing is there, on what is there": wire("PUT", "/bucket/once", b"2", {"If-None-Match": "*"}),
    "put, if the ETag is another": wire("PUT", "/bucket/once", b"3", {"If-Match": '"0123"'}),
    "put, into a bucket that is not there": wire("PUT", "/nobucket/a", b"1"),
    "get": sdk("get_object", Key="a", read=lambda found: found["Body"].read().decode()),
    "get, if the ETag is still this one": sdk("get_object", Key="a", IfNoneMatch=ETAG),
    "get, if the ETag is another": sdk("get_object", Key="a", IfMatch='"0123"'),
    "get, a range": sdk(
        "get_object", Key="a", Range="bytes=1-3", read=lambda found: f"{found['Body'].read().decode()} {found['ContentRange']}"),
    "get, a range behind the end": sdk("get_object", Key="a", Range="bytes=9-"),
    "get, a key that is not there": sdk("get_object", Key="absent"),
    "head": sdk("head_object", Key="a", read=lambda found: found["ContentLength"]),
    "head, a key that is not there": sdk("head_object", Key="absent"),
    "metadata of the user": keep_metadata,
    "get, wrong secret": wire("GET", "/bucket/a", secret="x" * 40),
    "get, unknown access key": wire("GET", "/bucket/a", access_key="AKIAAAAAAAAAAAAAAAAA"),
    "get, nothing signed": lambda peer: told(send(peer.server.endpoint, "GET", "/bucket/a")),
    "get, signed for another key": lambda peer: told(
        send(peer.server.endpoint, "GET", "/bucket/a", headers=sign(peer.server, "GET", "/bucket/b"))),
    "get, a date an hour old": ask_late,
    "presigned URL, get": by_url("GET", "get_object", "a"),
    "presigned URL, put": by_url("PUT", "put_object", "by-url", body=b"by nobody"),
    "presigned URL, its lifetime changed": by_url("GET", "get_object", "a", change=("Expires=60", "Expires=61"), ExpiresIn=60),
    "presigned URL, for another method": by_url("PUT", "get_object", "a"),
    "presigned URL of version 2": by_url("GET", "get_object", "a", version="s3"),
    "key with blanks, plus, percent, other letters": use_odd_key,
    "list, pages of 2 of 5": list_pages,
    "list, folders": list_folders,
    "list, a bucket that is not there": wire("GET", "/nobucket?list-type=2"),
    "in parts, 5 MiB and 1 byte": put_in_parts,
    "in parts, the first too small": in_parts("small", (1, 2)),
    "in parts, out of order": in_parts("order", (2, 1), body=b"x" * PART),
    "in parts, an ETag of no part": in_parts("etag", (1,), '"00000000000000000000000000000000"'),
    "in parts, given up, then completed": complete_given_up,
    "copy": sdk("copy_object", Key="copied", CopySource="bucket/a"),
    "delete": sdk("delete_object", Key="a"),
    "delete, a key that is not there": sdk("delete_object", Key="absent"),
    "delete, two at once": sdk(
        "delete_objects", Delete={"Objects": [{"Key": "page/0"}, {"Key": "absent"}]},
        read=lambda found: f"{sorted(one['Key'] for one in found['Deleted'])}"),
    "versioning, of a bucket that has none": sdk("get_bucket_versioning", read=lambda found: str(found.get("Status"))),
}


# --- the table ---

@contextlib.contextmanager
def setup():
    with Cloud() as cloud, Moto() as moto, Radosgw() as radosgw:
        run_aws(radosgw, "s3api", "create-bucket", "--bucket", "bucket")
        yield {name: types.SimpleNamespace(server=server, s3=client(server))
               for name, server in (("rehearsal", cloud), ("radosgw", radosgw), ("moto", moto))}


def ask(function, peer):
    try:
        return function(peer)
    except ClientError as error:  # on the way to the request that counts
        return f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']} before"


def write_table(answers):
    """Markdown: a row for each request; what they agree on once."""
    lines = ["| request | rehearsal | radosgw 18.2 | moto 5.1 |", "|---|---|---|---|"]
    for name, found in answers.items():
        ours, *others = found.values()
        lines.append(f"| {name} | {ours} | " + " | ".join("the same" if one == ours else one for one in others) + " |")
    lines += ["", "Why they differ:", ""]
    lines += [f"- {name}: {REASONS.get(name, 'NOT EXPLAINED')}" for name, found in answers.items() if len(set(found.values())) > 1]
    return lines


def test_the_same_requests(peers):
    answers = {name: {server: ask(function, peer) for server, peer in peers.items()} for name, function in SCRIPT.items()}
    hold("conformance.md", "requests", write_table(answers))
    differing = {name for name, found in answers.items() if len(set(found.values())) > 1}
    expect(differing, set(REASONS), "which differ, and which are explained")


if __name__ == "__main__":
    main(globals())
