"""flocker-template publish, and maps of images by address, against radosgw and moto."""

import base64
import contextlib
import hashlib
import http.server
import json
import ssl
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

from cloud import client
from front import Front
from servers import Moto, Radosgw, free_port, make_certificate
from tap import expect, expect_in, main
from template import created, run, write

TEXT = created()
MAP = {"us-east-1": "ami-0123456789abcdef0", "eu-west-1": "ami-0123456789abcdef1"}


class Servers:
    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.rados = self.stack.enter_context(Radosgw())
        self.moto = self.stack.enter_context(Moto())
        client(self.rados).create_bucket(Bucket="bucket")
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.file = write(self.folder, "flocker.json", TEXT)
        return self

    def __exit__(self, *_):
        self.stack.close()


setup = Servers


def version_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def keys(server, bucket="bucket"):
    return sorted(found["Key"] for found in client(server).list_objects_v2(Bucket=bucket).get("Contents", []))


def anonymous(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_a_version_is_published_for_who_may_read_the_bucket(servers):
    done = run("publish", servers.file, "s3://bucket/private/flocker.json", server=servers.rados)
    expect((done.status, done.err), (0, ""))
    key = f"private/flocker-{version_of(TEXT)}.json"
    found = client(servers.rados).get_object(Bucket="bucket", Key=key)
    expect(found["Body"].read().decode(), TEXT)
    expect(found["ContentType"], "application/json")
    url, link = done.out.splitlines()
    expect(url, f"{servers.rados.endpoint}/bucket/{key}")
    expect(anonymous(url)[0], 403, "without credentials")
    where, _, query = link.partition("#")
    expect(where, "https://us-east-1.console.aws.amazon.com/cloudformation/home?region=us-east-1")
    expect(urllib.parse.parse_qs(query.partition("?")[2]), {"templateURL": [url], "stackName": ["flocker"]})


def test_for_everybody_and_as_the_latest(servers):
    done = run("publish", servers.file, "s3://bucket/a b/ü.template", "--public-read", "--latest", "--as=1.2", "--json",
               "--stack-name=mine", "--region=us-east-1", server=servers.rados)
    expect((done.status, done.err), (0, ""))
    told = json.loads(done.out)
    expect(anonymous(told["url"]), (200, TEXT))
    expect(anonymous(told["latest"]), (200, TEXT))
    expect_in("/bucket/a%20b/%C3%BC-1.2.template", told["url"])
    expect_in("/bucket/a%20b/%C3%BC-latest.template", told["latest"])
    query = urllib.parse.parse_qs(told["quick-create"].partition("#")[2].partition("?")[2])
    expect(query, {"templateURL": [told["latest"]], "stackName": ["mine"]})


def test_a_version_never_changes(servers):
    address = "s3://bucket/once/flocker.json"
    expect(run("publish", servers.file, address, "--as=1", server=servers.moto).status, 0)
    again = run("publish", servers.file, address, "--as=1", server=servers.moto)
    expect(again.status, 0, again.err)
    expect_in("it was there already", again.out)
    other = created("--agents=3")
    done = run("publish", "-", address, "--as=1", "--latest", server=servers.moto, text=other)
    expect((done.status, done.out), (73, ""))
    expect_in("cannot publish 's3://bucket/once/flocker-1.json': it is there with another content; a version never changes", done.err)
    expect([key for key in keys(servers.moto) if key.startswith("once/")], ["once/flocker-1.json"])


def test_the_checksum_goes_with_the_object(servers):
    """radosgw and moto drop the header; what is sent is seen on the way."""
    with Front(servers.rados.endpoint) as front:
        done = run("publish", servers.file, "s3://bucket/sum.json", "--as=1", server=servers.rados, AWS_ENDPOINT_URL=front.endpoint)
    expect(done.status, 0, done.err)
    headers = {name.lower(): value for name, value in front.seen[0][2].items()}
    expect(base64.b64decode(headers["x-amz-checksum-sha256"]), hashlib.sha256(TEXT.encode()).digest())
    expect(headers.get("if-none-match"), "*")
    expect("x-amz-acl" in headers, False, "an ACL unasked")


def test_where_public_access_is_blocked_nothing_is_published(servers):
    before = keys(servers.moto)
    client(servers.moto).put_public_access_block(Bucket="bucket", PublicAccessBlockConfiguration={
        "BlockPublicAcls": False, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})
    done = run("publish", servers.file, "s3://bucket/blocked.json", "--public-read", server=servers.moto)
    client(servers.moto).delete_public_access_block(Bucket="bucket")
    expect((done.status, done.out), (77, ""))
    expect_in("cannot publish for everybody in 's3://bucket', because its public access block has IgnorePublicAcls", done.err)
    expect_in("publish without --public-read", done.err)
    expect(keys(servers.moto), before)


def test_what_everybody_cannot_read_is_taken_back(servers):
    """moto answers nobody without credentials, as an account does that blocks public access."""
    before = keys(servers.moto)
    done = run("publish", servers.file, "s3://bucket/hidden.json", "--public-read", server=servers.moto)
    expect((done.status, done.out), (77, ""))
    expect_in("for everybody: without credentials the answer is ", done.err)
    expect(keys(servers.moto), before)


def test_an_unwritable_bucket(servers):
    read_only = [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "s3:CreateBucket", "iam:*", "sts:*"], "Resource": "*"}]
    with Moto(policy=read_only) as moto:
        done = run("publish", servers.file, "s3://bucket/flocker.json", "--as=1", server=moto)
    expect((done.status, done.out), (77, ""))
    expect_in("cannot upload 's3://bucket/flocker-1.json': 403 AccessDenied", done.err)


def test_an_absent_bucket(servers):
    done = run("publish", servers.file, "s3://nobucket/flocker.json", server=servers.rados)
    expect((done.status, done.out), (66, ""))
    expect_in("404 NoSuchBucket", done.err)
    expect_in("is its name right?", done.err)


def test_what_check_refuses_is_refused_before_anything_is_asked(servers):
    unknown = TEXT.replace('"Ref": "EC2KeyPair"', '"Ref": "EC2KeyPears"')
    for text, sentence in (("", "expected a template"), ("{", "line 2"), ("{}", "Resources"), ('{"Resources": {"A": {}}}', "Type"),
                           (unknown, "EC2KeyPears")):
        done = run("publish", "-", "s3://bucket/bad.json", text=text, server=servers.rados, AWS_ENDPOINT_URL="http://127.0.0.1:1")
        expect((done.status, done.out), (65, ""), text)
        expect_in("cannot publish 'standard input': ", done.err)
        expect_in("which flocker-template check tells; the first is in line ", done.err)
        expect_in(sentence, done.err)
        expect(run("check", "-", text=text).status, 65, text)


def test_bad_words(servers):
    for words, status, sentence in (
            (["s3://bucket"], 64, "cannot use 's3://bucket': expected s3://BUCKET/KEY"),
            (["https://bucket/key"], 64, "expected s3://BUCKET/KEY"),
            (["s3://Bucket/key"], 78, "cannot use the bucket 'Bucket'"),
            (["s3://bucket/../key"], 78, "a segment '.' or '..'"),
            (["s3://bucket/key", "--as=1/2"], 64, "cannot use the version '1/2'"),
            (["s3://bucket/key", "--stack-name=1a"], 64, "cannot use the stack's name '1a'"),
            (["s3://bucket/key", "--region=US East"], 78, "cannot use the region 'US East'"),
            ([], 64, "expected FILE s3://BUCKET/KEY")):
        done = run("publish", servers.file, *words, server=servers.rados)
        expect((done.status, done.out), (status, ""), str(words))
        expect_in(sentence, done.err)
    done = run("publish", servers.file, "s3://bucket/key")
    expect(done.status, 78)
    expect_in("cannot use AWS: no region is known; give --region or set AWS_REGION", done.err)


# --- maps of images by address ---

def test_a_map_from_s3(servers):
    client(servers.rados).put_object(Bucket="bucket", Key="maps/node map.json", Body=json.dumps(MAP))
    done = run("create", "--node-ami-map=s3://bucket/maps/node map.json", server=servers.rados)
    expect((done.status, done.err), (0, ""))
    expect(json.loads(done.out)["Mappings"]["RegionMapNode"], {region: {"AMI": image} for region, image in MAP.items()})
    done = run("create", "--node-ami-map=s3://bucket/maps/none.json", server=servers.rados)
    expect((done.status, done.out), (66, ""))
    expect_in("cannot download 's3://bucket/maps/none.json': 404 NoSuchKey", done.err)


class Pages(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps(MAP).encode()
        status = {"/map.json": 200, "/moved.json": 302}.get(self.path, 404)
        self.send_response(status)
        self.send_header("Location", "/map.json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_map_from_https(servers):
    make_certificate(servers.folder)
    port = free_port()
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Pages) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{servers.folder}/cert.pem", f"{servers.folder}/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url, trust = f"https://127.0.0.1:{port}", {"AWS_CA_BUNDLE": f"{servers.folder}/cert.pem"}
        done = run("create", f"--client-ami-map={url}/map.json", **trust)
        expect((done.status, done.err), (0, ""))
        expect_in("RegionMapClient", json.loads(done.out)["Mappings"])
        for path, sentence in (("/moved.json", "the answer is 302, a redirect, which is not followed"), ("/none", "the answer is 404")):
            done = run("create", f"--client-ami-map={url}{path}", **trust)
            expect((done.status, done.out), (66, ""))
            expect_in(sentence, done.err)
        expect(run("create", f"--client-ami-map={url}/map.json").status, 76, "a certificate that nobody vouches for")
        server.shutdown()
    done = run("create", "--client-ami-map=http://127.0.0.1/map.json")
    expect((done.status, done.out), (64, ""))
    expect_in("expected https://", done.err)


if __name__ == "__main__":
    main(globals())
