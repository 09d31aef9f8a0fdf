"""The rehearsal's S3 before the clients that people have: s3cmd, awscli, rclone, boto3, each of Debian's package; awscli before its metadata
service and Secrets Manager. What they did is the table of docs/conformance.md (`clients.py --write`)."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import types
import urllib.parse

import boto3
import boto3.exceptions
import botocore.config

from cloud import Cloud, client
from documents import hold
from front import Front
from servers import run_aws
from tap import expect, expect_in, main
from wire import send

BIG = 20 * 1024 * 1024 + 1
DEEDS = ["put and get", "list", "delete", "20 MiB in parts", "presigned URL", "wrong secret", "a body changed on its way"]


@contextlib.contextmanager
def setup():
    with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
        yield types.SimpleNamespace(cloud=cloud, s3=client(cloud), folder=pathlib.Path(folder), found={})


class Refused(Exception):
    """A client's own words for that it was refused."""


def run(words, **environment):
    done = subprocess.run(list(map(str, words)), env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **environment},
                          capture_output=True, text=True, timeout=50)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


class S3cmd:
    def __init__(self, server):
        self.server = server

    def run(self, *words):
        address = urllib.parse.urlsplit(self.server.endpoint).netloc
        return run(["/usr/bin/s3cmd", "-c", "/dev/null", "--no-ssl", f"--host={address}", f"--host-bucket={address}", "--no-progress",
                    f"--access_key={self.server.access_key}", f"--secret_key={self.server.secret_key}", *words])

    def put(self, path, key):
        self.run("put", path, f"s3://bucket/{key}")

    def get(self, key, path):
        self.run("get", "--force", f"s3://bucket/{key}", path)

    def list(self, prefix):
        return re.findall(r"s3://bucket/(.+)", self.run("ls", "--recursive", f"s3://bucket/{prefix}"))

    def delete(self, key):
        self.run("del", f"s3://bucket/{key}")

    def presign(self, key):
        return self.run("signurl", f"s3://bucket/{key}", "+60").strip()


class Awscli:
    def __init__(self, server):
        self.server = server

    def run(self, *words):
        return run(["/usr/bin/aws", "--region", "us-east-1", "--endpoint-url", self.server.endpoint, *words], AWS_MAX_ATTEMPTS="1",
                   AWS_ACCESS_KEY_ID=self.server.access_key, AWS_SECRET_ACCESS_KEY=self.server.secret_key)

    def put(self, path, key):
        self.run("s3", "cp", "--only-show-errors", path, f"s3://bucket/{key}")

    def get(self, key, path):
        self.run("s3", "cp", "--only-show-errors", f"s3://bucket/{key}", path)

    def list(self, prefix):
        return [line.split(maxsplit=3)[3] for line in self.run("s3", "ls", "--recursive", f"s3://bucket/{prefix}").splitlines()]

    def delete(self, key):
        self.run("s3", "rm", "--only-show-errors", f"s3://bucket/{key}")

    def presign(self, key):
        return self.run("s3", "presign", f"s3://bucket/{key}").strip()


class Rclone:
    def __init__(self, server):
        self.server = server

    def run(self, *words):
        return run(["/usr/bin/rclone", "--config=/dev/null", "--retries=1", "--low-level-retries=1", "--s3-no-check-bucket", "--s3-upload-cutoff=8M", *words],
                   RCLONE_S3_PROVIDER="Other", RCLONE_S3_REGION="us-east-1", RCLONE_S3_ENDPOINT=self.server.endpoint,
                   RCLONE_S3_ACCESS_KEY_ID=self.server.access_key, RCLONE_S3_SECRET_ACCESS_KEY=self.server.secret_key)

    def put(self, path, key):
        self.run("copyto", path, f":s3:bucket/{key}")

    def get(self, key, path):
        self.run("copyto", f":s3:bucket/{key}", path)

    def list(self, prefix):
        return [prefix + line for line in self.run("lsf", "--recursive", "--files-only", f":s3:bucket/{prefix}").splitlines()]

    def delete(self, key):
        self.run("deletefile", f":s3:bucket/{key}")

    def presign(self, key):
        return self.run("link", "--expire=60s", f":s3:bucket/{key}").strip()


class Boto3:
    def __init__(self, server):
        config = botocore.config.Config(retries={"max_attempts": 0}, signature_version="s3v4", s3={"addressing_style": "path"})
        self.s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=server.endpoint, aws_access_key_id=server.access_key,
                               aws_secret_access_key=server.secret_key, config=config)

    def put(self, path, key):
        try:
            self.s3.upload_file(str(path), "bucket", key)
        except boto3.exceptions.S3UploadFailedError as error:
            raise Refused(str(error)) from error

    def get(self, key, path):
        self.s3.download_file("bucket", key, str(path))

    def list(self, prefix):
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])]

    def delete(self, key):
        self.s3.delete_object(Bucket="bucket", Key=key)

    def presign(self, key):
        return self.s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key}, ExpiresIn=60)


CLIENTS = {"s3cmd": S3cmd, "awscli": Awscli, "rclone": Rclone, "boto3": Boto3}


def made(peers, size):
    path = peers.folder / f"{size}"
    path.write_bytes(os.urandom(size))
    return path


def there_and_back(peers, tool, path, key):
    down = peers.folder / "down"
    tool.put(path, key)
    tool.get(key, down)
    expect(down.read_bytes() == path.read_bytes(), True, f"{key} is what was put")


def refusal_of(tool, path, key):
    """The code of S3 that the client shows."""
    try:
        tool.put(path, key)
    except Refused as error:
        return re.search(r"SignatureDoesNotMatch|XAmzContentSHA256Mismatch|BadDigest|Forbidden", str(error)).group(0)
    raise AssertionError("expected a refusal")


def flip(handler, body):
    handler.forward(bytes([body[0] ^ 1]) + body[1:])


def deeds_of(peers, name):
    cloud, tool, folder = peers.cloud, CLIENTS[name](peers.cloud), f"by-{name}/"
    found, small = {}, made(peers, 20_000)
    there_and_back(peers, tool, small, folder + "one")
    there_and_back(peers, tool, small, folder + "a b")
    found["put and get"] = "works"
    expect(tool.list(folder), [folder + "a b", folder + "one"], "what is listed")
    found["list"] = "works"
    tool.delete(folder + "a b")
    expect(tool.list(folder), [folder + "one"], "what is left")
    found["delete"] = "works"
    there_and_back(peers, tool, made(peers, BIG), folder + "big")
    etag = peers.s3.head_object(Bucket="bucket", Key=folder + "big")["ETag"]
    found["20 MiB in parts"] = f"works, {etag.strip(chr(34)).partition('-')[2]} parts"
    url = tool.presign(folder + "one")
    status = send(cloud.endpoint, "GET", url[url.index("/bucket/"):]).status
    found["presigned URL"] = "works" if status == 200 else f"refused: {status}"
    found["wrong secret"] = refusal_of(CLIENTS[name](types.SimpleNamespace(endpoint=cloud.endpoint, access_key=cloud.access_key, secret_key="x" * 40)),
                                       small, folder + "wrong")
    with Front(cloud.endpoint) as front:
        front.add("PUT", "changed", flip, times=9)
        found["a body changed on its way"] = refusal_of(CLIENTS[name](types.SimpleNamespace(
            endpoint=front.endpoint, access_key=cloud.access_key, secret_key=cloud.secret_key)), small, folder + "changed")
    expect(tool.list(folder), [folder + "big", folder + "one"], "nothing that was refused is there")
    return found


def test_s3cmd(peers):
    peers.found["s3cmd"] = deeds_of(peers, "s3cmd")


def test_awscli(peers):
    peers.found["awscli"] = deeds_of(peers, "awscli")


def test_rclone(peers):
    peers.found["rclone"] = deeds_of(peers, "rclone")


def test_boto3(peers):
    peers.found["boto3"] = deeds_of(peers, "boto3")


def test_the_table_of_them(peers):
    lines = ["| | " + " | ".join(CLIENTS) + " |", "|---" * (len(CLIENTS) + 1) + "|"]
    lines += [f"| {deed} | " + " | ".join(peers.found[name][deed] for name in CLIENTS) + " |" for deed in DEEDS]
    hold("conformance.md", "clients", lines)


def test_an_upload_that_was_given_up_leaves_nothing(peers):
    for name, tool in ("s3cmd", S3cmd(peers.cloud)), ("awscli", Awscli(peers.cloud)):
        upload = peers.s3.create_multipart_upload(Bucket="bucket", Key="half")["UploadId"]
        peers.s3.upload_part(Bucket="bucket", Key="half", UploadId=upload, PartNumber=1, Body=b"x")
        expect([one["UploadId"] for one in peers.s3.list_multipart_uploads(Bucket="bucket")["Uploads"]], [upload])
        expect([one["Size"] for one in peers.s3.list_parts(Bucket="bucket", Key="half", UploadId=upload)["Parts"]], [1])
        if name == "s3cmd":
            tool.run("abortmp", "s3://bucket/half", upload)
        else:
            tool.run("s3api", "abort-multipart-upload", "--bucket", "bucket", "--key", "half", "--upload-id", upload)
        expect(peers.s3.list_multipart_uploads(Bucket="bucket").get("Uploads"), None)
        expect("half" in tool.list(""), False)


def test_awscli_finds_an_instances_credentials(peers):
    environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": peers.cloud.metadata_of(
        {"Effect": "Allow", "Action": ["s3:ListBucket", "secretsmanager:GetSecretValue"], "Resource": ["arn:aws:s3:::bucket", peers.cloud.secret]}) + "/"}
    aws = ["/usr/bin/aws", "--region", "us-east-1", "--endpoint-url", peers.cloud.endpoint]
    expect_in("iam-role", run(["/usr/bin/aws", "configure", "list"], **environment))
    run([*aws, "s3", "ls", "s3://bucket/"], **environment)
    found = json.loads(run([*aws, "secretsmanager", "get-secret-value", "--secret-id", "dataset"], **environment))
    expect((found["ARN"], found["SecretString"]), (peers.cloud.secret, '{"a":"b"}'))
    try:
        run([*aws, "s3", "cp", "--only-show-errors", "s3://bucket/by-boto3/one", "/dev/null"], **environment)
    except Refused as error:
        expect_in("Forbidden", str(error))
    else:
        raise AssertionError("it may list, and not read")


def test_awscli_and_secrets(peers):
    found = run_aws(peers.cloud, "secretsmanager", "get-secret-value", "--secret-id", peers.cloud.secret)
    expect(found["Name"], "dataset")
    for server, secret, code in ((peers.cloud, "none", "ResourceNotFoundException"), (types.SimpleNamespace(**vars(peers.cloud) | {
            "region": "us-east-1", "ca_file": None, "secret_key": "x" * 40}), "dataset", "InvalidSignatureException")):
        try:
            run_aws(server, "secretsmanager", "get-secret-value", "--secret-id", secret)
        except RuntimeError as error:
            expect_in(code, str(error))
        else:
            raise AssertionError(f"expected {code}")


if __name__ == "__main__":
    main(globals())
