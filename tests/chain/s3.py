"""--s3: stacks whose S3 is a server that we did not write; what it refuses, and what cannot be had of it."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import types

from cloud import REHEARSAL, rehearse, temporary
from keys import make_keys
from servers import Moto, Radosgw, free_port, run_aws
from tap import expect, expect_in, main

PLAIN = ("--components=docker,swarm", "-q")
TEMPLATE = pathlib.Path(REHEARSAL).parent.parent / "template/flocker-template"


@contextlib.contextmanager
def setup():
    with Radosgw() as radosgw, Moto(buckets=("plain", "whole", "used")) as moto, temporary() as folder:
        yield types.SimpleNamespace(radosgw=radosgw, moto=moto, keys=make_keys(f"{folder}/keys", 5), folder=pathlib.Path(folder))


def environment(server, **changes):
    """That of a person with the server's credentials; None takes one away."""
    variables = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
                 "AWS_SESSION_TOKEN": server.token} | changes
    return {name: value for name, value in variables.items() if value is not None}


def on(server, bucket, *words, **changes):
    return rehearse(f"--s3={server.endpoint}/{bucket}", *words, env=environment(server, **changes))


def keys_in(server, bucket):
    """The keys below the cluster's prefix, as awscli lists them."""
    listed = run_aws(server, "s3api", "list-objects-v2", "--bucket", bucket) or {}
    return {item["Key"].partition("/")[2] for item in listed.get("Contents", [])}


def make_bucket(server, name):
    run_aws(server, "s3api", "create-bucket", "--bucket", name)
    return name


def without_client(fixture, *words, change=lambda text: text):
    """What flocker-template create prints, less the client's machine: a file."""
    template = json.loads(subprocess.run([TEMPLATE, "create", "--keep-secrets", *words], check=True, capture_output=True, text=True).stdout)
    template["Resources"] = {name: resource for name, resource in template["Resources"].items() if not name.startswith("ClientNode")}
    del template["Outputs"]
    path = fixture.folder / "template.json"
    path.write_text(change(json.dumps(template)))
    return path


def expect_complete(done):
    expect((done.status, done.err), (0, ""), done.out)
    expect_in(" CREATE_COMPLETE      AWS::CloudFormation::Stack ", done.out)
    expect_in("note: S3 is the server of --s3", done.out)


def test_a_stack_on_radosgw(fixture):
    bucket = make_bucket(fixture.radosgw, "plain")
    done = on(fixture.radosgw, bucket, *PLAIN, "--agents=2")
    expect_complete(done)
    found = keys_in(fixture.radosgw, bucket)
    expect({"docker/ca.pem", "docker/manifest.json"} - found, set(), found)
    expect({"docker/ca-key.pem", "swarm/worker.json"} & found, set(), "private objects that were not purged")
    expect(sum(key.endswith("/signalled.json") for key in found), 4, found)


def test_a_whole_stack_on_radosgw(fixture):
    bucket = make_bucket(fixture.radosgw, "whole")
    expect_complete(on(fixture.radosgw, bucket, "-q", f"--keys={fixture.keys}", "--agents=1", "--keep-secrets"))
    found = keys_in(fixture.radosgw, bucket)
    expect({"docker/ca-key.pem", "swarm/worker.json", "flocker/cluster.crt", "flocker/agent.yml", "flocker/nodes/1/node.key"} - found, set(), found)


def test_stacks_on_moto(fixture):
    """Without a client, which lists the store: moto takes no signature for the right one whose query has "%2F" in it."""
    expect_complete(on(fixture.moto, "plain", without_client(fixture, "--components=docker,swarm", "--agents=2"), "-q"))
    found = keys_in(fixture.moto, "plain")
    expect({"docker/ca.pem", "docker/ca-key.pem", "swarm/worker.json"} - found, set(), found)
    expect_complete(on(fixture.moto, "whole", without_client(fixture, "--agents=1"), "-q", f"--keys={fixture.keys}"))
    expect({"flocker/cluster.crt", "flocker/nodes/1/node.key"} - keys_in(fixture.moto, "whole"), set())


def test_a_bucket_that_is_used_is_said_to_be(fixture):
    """By moto, which refuses to write what is there: the store of an earlier stack is not overwritten."""
    path = without_client(fixture, "--components=docker,swarm", "--agents=1")
    expect("is not empty" in on(fixture.moto, "used", path, "-q").out, False)
    before = keys_in(fixture.moto, "used")
    done = on(fixture.moto, "used", path, "-q")
    expect_in("note: its bucket is not empty", done.out)
    expect(done.status, 1, done.out)
    expect(before - keys_in(fixture.moto, "used"), set())


def test_what_the_server_refuses_is_in_the_event(fixture):
    """Who may list and no more: the stack fails with the server's reason, and its bucket stays. Nothing tells the keys."""
    policy = [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}]
    with Moto(policy=policy) as moto, temporary() as folder:
        path = without_client(fixture, "--components=docker,swarm", "--agents=1", change=lambda text: text.replace("timeout:", "step-timeout: 3s\\ntimeout:"))
        done = on(moto, "bucket", path, "--keep", TMPDIR=folder)
        expect(done.status, 1, done.out)
        failed = re.search(r"CREATE_FAILED .*", done.out)[0]
        expect_in("publish-docker-ca: cannot upload 's3://bucket/", failed)
        expect_in("403 AccessDenied", failed)
        expect(bool(re.search(r"DELETE_SKIPPED +AWS::S3::Bucket +\S+  It was there before the stack, and stays", done.out)), True, done.out)
        expect_in(f"; the store is at {moto.endpoint}/bucket)", done.out)
        told = done.out + done.err + "".join(path.read_text(errors="replace") for path in pathlib.Path(folder).rglob("*")
                                             if path.is_file() and not path.is_symlink())
        expect([what for what in (moto.secret_key, moto.token) if what in told], [])
        expect(keys_in(moto, "bucket"), set(), "the bucket is there")


def refuse(*words, env):
    done = rehearse(*PLAIN, "--agents=1", *words, env=env)
    expect(len(done.err.splitlines()), 1, done.out + done.err)
    expect("CREATE_IN_PROGRESS" in done.out, False, "before anything is made")
    return done.status, done.err.strip().removeprefix("flocker-rehearsal: ")


def test_what_is_no_such_url_is_refused(fixture):
    env = environment(fixture.radosgw)
    for url, cause in (("https://127.0.0.1:1/bucket", "expected http: machines in a network of their own find it at another address than its certificate is of"),
                       ("http://s3.example:80/bucket", "expected an IPv4 address as its host"),
                       ("http://[::1]:80/bucket", "expected an IPv4 address as its host"),
                       ("http://127.0.0.1:80", "expected a bucket: http://ADDRESS:PORT/BUCKET"),
                       ("http://127.0.0.1:80/", "expected a bucket: http://ADDRESS:PORT/BUCKET"),
                       ("http://127.0.0.1:80/bucket/prefix", "expected the name of a bucket, and nothing else, behind the first slash"),
                       ("http://127.0.0.1:80/bucket?a=b", "expected the name of a bucket, and nothing else, behind the first slash"),
                       ("http://127.0.0.1:80/Bu", "expected the name of a bucket, and nothing else, behind the first slash")):
        expect(refuse(f"--s3={url}", env=env), (64, f"cannot use '--s3={url}': {cause}"))
    for url, cause in (("127.0.0.1:80/bucket", "expected http:// or https://"), ("ftp://127.0.0.1/bucket", "expected http:// or https://"),
                       ("http://127.0.0.1:99999/bucket", "its port is no number from 1 to 65535")):
        expect(refuse(f"--s3={url}", env=env), (64, f"cannot use --s3: cannot use the URL '{url}': {cause}"))


def test_credentials_are_needed(fixture):
    url = f"{fixture.radosgw.endpoint}/plain"
    for missing in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
        for nothing in None, "":
            expect(refuse(f"--s3={url}", env=environment(fixture.radosgw, **{missing: nothing})),
                   (64, f"cannot use '--s3={url}' without credentials: {missing} is not set"))
    status, said = refuse(f"--s3={url}", env=environment(fixture.radosgw, AWS_SECRET_ACCESS_KEY="a\nb"))
    expect((status, said), (64, f"cannot use '--s3={url}' with the credentials of the environment: one is too long, or has characters that no key has"))


def test_faults_of_s3_and_two_buckets_are_refused(fixture):
    env, url = environment(fixture.radosgw), f"{fixture.radosgw.endpoint}/plain"
    expect(refuse(f"--s3={url}", "--fault=s3:ca.pem:reset", env=env),
           (64, "cannot use '--fault=s3:ca.pem:reset' with --s3: faults strike the embedded S3 alone"))
    path = fixture.folder / "two.json"
    path.write_text(json.dumps({"Resources": {"One": {"Type": "AWS::S3::Bucket"}, "Two": {"Type": "AWS::S3::Bucket"}}}))
    done = rehearse(path, f"--s3={url}", env=env)
    expect((done.status, done.err), (64, f"flocker-rehearsal: cannot use '--s3={url}' with two buckets, One and Two: it names one\n"))


def test_other_faults_strike(fixture):
    done = on(fixture.radosgw, make_bucket(fixture.radosgw, "faults"), *PLAIN, "--agents=1", "--fault=metadata:*:status=503:3")
    expect_complete(done)


def test_a_server_that_is_none_is_named_at_once(fixture):
    for server, bucket, changes, status, cause in (
            (fixture.radosgw, "absent", {}, 66, "the server says 404 NoSuchBucket"),
            (fixture.moto, "absent", {}, 66, "the server says 404 NoSuchBucket: The specified bucket does not exist"),
            (fixture.radosgw, "plain", {"AWS_SECRET_ACCESS_KEY": "wrong"}, 77, "the server says 403 SignatureDoesNotMatch"),
            (fixture.moto, "plain", {"AWS_SECRET_ACCESS_KEY": "wrong"}, 77, "the server says 403 SignatureDoesNotMatch"),
            (fixture.radosgw, "plain", {"AWS_ACCESS_KEY_ID": "nobody"}, 77, "the server says 403 InvalidAccessKeyId"),
            (fixture.moto, "plain", {"AWS_SESSION_TOKEN": None}, 77, "the server says 403 ")):
        url = f"{server.endpoint}/{bucket}"
        found, said = refuse(f"--s3={url}", env=environment(server, **changes))
        expect((found, said.startswith(f"cannot use '--s3={url}': {cause}")), (status, True), said)
    url = f"http://127.0.0.1:{free_port()}/plain"
    status, said = refuse(f"--s3={url}", env=environment(fixture.radosgw))
    expect((status, said.startswith(f"cannot use '--s3={url}': cannot GET '{url}")), (69, True), said)
    expect_in("connect", said)


def test_what_speaks_no_s3_is_named(fixture):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>x</html>\n")
        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/plain"
        expect(refuse(f"--s3={url}", env=environment(fixture.radosgw)), (76, f"cannot use '--s3={url}': what answers there (status 200) is no S3"))


def test_serve_does_without(fixture):
    done = rehearse("serve", "--s3=http://127.0.0.1:1/bucket")
    expect(done.status, 64)
    expect_in("--s3", done.err)


if __name__ == "__main__":
    main(globals())
