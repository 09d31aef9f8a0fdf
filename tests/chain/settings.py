"""Where settings come from, and what is said of those that cannot be: `flocker-bootstrap config`, by hand."""

import base64
import concurrent.futures
import contextlib
import email.mime.multipart
import email.mime.text
import gzip
import pathlib
import re
import signal
import socket
import subprocess
import time
import types

from cloud import PROGRAM, temporary
from metadata import Metadata
from servers import free_port
from tap import expect, expect_in, main

DOCUMENT = """#!/usr/bin/flocker-bootstrap --role=agent
store: "s3://bucket/a/b"
node: 2
agents: 3
components: [docker, swarm]
signal: "https://cloudformation-waitcondition-us-east-1.s3.amazonaws.com/x?X-Amz-Signature=secret"
"""


@contextlib.contextmanager
def setup():
    with temporary() as folder:
        yield types.SimpleNamespace(folder=pathlib.Path(folder))


def config(fixture, command, content, *words):
    path = fixture.folder / "document"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = subprocess.run([PROGRAM, "config", command, *words, str(path)], capture_output=True, text=True, timeout=20,
                          env={"AWS_EC2_METADATA_DISABLED": "true"})
    return types.SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


def dump(fixture, content, *words):
    done = config(fixture, "dump", content, *words)
    expect(done.status, 0, done.err)
    return {line.partition(":")[0]: tuple(part.strip() for part in line.partition(":")[2].rsplit("#", 1)) for line in done.out.splitlines()}


def test_each_value_with_its_source(fixture):
    found = dump(fixture, DOCUMENT, "--node=1", "--swarm=none")
    expect((found["role"], found["node"], found["store"], found["swarm"], found["timeout"]),
           (("agent", "document"), ("1", "command line"), ('"s3://bucket/a/b"', "document"), ("none", "command line"), ("600s", "default")))


def test_secrets_are_never_shown(fixture):
    done = config(fixture, "dump", DOCUMENT + "dataset: {backend: aws, secret_access_key: hidden}\n")
    expect(("Signature" in done.out, "hidden" in done.out, done.out.count("[redacted]")), (False, False, 2), done.out)


def pack_mime(document, encoding=None):
    message = email.mime.multipart.MIMEMultipart()
    message.attach(email.mime.text.MIMEText("#cloud-config\npackages: []\n", "cloud-config"))
    part = email.mime.text.MIMEText("", "x-shellscript")
    if encoding == "base64":
        part.set_payload(base64.encodebytes(document.encode()).decode())
        part.replace_header("Content-Transfer-Encoding", "base64") if "Content-Transfer-Encoding" in part else part.add_header("Content-Transfer-Encoding", "base64")
    else:
        part.set_payload(document)
    message.attach(part)
    return message.as_bytes()


def test_user_data_of_every_kind_holds_the_document(fixture):
    kinds = {
        "plain": DOCUMENT.encode(), "gzip": gzip.compress(DOCUMENT.encode()), "mime": pack_mime(DOCUMENT),
        "mime, base64": pack_mime(DOCUMENT, "base64"), "mime, gzipped": gzip.compress(pack_mime(DOCUMENT)),
    }
    for kind, content in kinds.items():
        expect(dump(fixture, content)["node"], ("2", "document"), kind)


def test_what_cannot_be_is_named_with_its_place(fixture):
    cases = [
        (DOCUMENT + "nodes: 1\n", 65, "line 7, column 1: unknown key 'nodes' (did you mean 'node'?)"),
        (DOCUMENT.replace("node: 2", "node: two"), 65, "line 3, column 7: node: expected a whole number from 0 to 1000, found 'two'"),
        (DOCUMENT.replace("node: 2", "node: 4"), 78, "cannot use node 4 (from the document): agents count from 1 to 3"),
        (DOCUMENT.replace("node: 2", "node: 1001"), 65, "expected a whole number from 0 to 1000, found '1001'"),
        (DOCUMENT.replace("node: 2", "\tnode: 2"), 65, "line 3, column 1: a tab cannot be indentation; use spaces"),
        (DOCUMENT.replace('store: "s3://bucket/a/b"\n', ""), 78, "cannot begin without 'store' (s3://bucket/prefix): give --store=…"),
        (DOCUMENT.replace("s3://", "https://"), 78, "expected s3://BUCKET"),
        (DOCUMENT.replace("[docker, swarm]", "[docker, swam]"), 65, "expected a list of flocker, docker, swarm, found 'swam'"),
        (DOCUMENT.replace("[docker, swarm]", "[swarm]"), 78, "swarm needs docker"),
        (DOCUMENT.replace("--role=agent", "--role=worker"), 65, "line 1: there is no role 'worker'; expected control, agent or client"),
        (DOCUMENT + "role: control\n", 65, "line 7, column 7: role: the first line says agent, this says control"),
        (DOCUMENT + "timeout: 600\n", 65, "timeout"),
        (DOCUMENT.replace("--role=agent", "--role=control"), 78, "cannot use node 2 (from the document): control is node 0"),
        (DOCUMENT.replace("--role=agent", "--role=client"), 78, "a client has no number"),
        ("store: [", 65, "line 2, column 1"),
    ]
    for content, status, part in cases:
        done = config(fixture, "check", content)
        expect((done.status, len(done.err.splitlines())), (status, 1), f"{part}: {done.err}")
        expect_in(part, done.err)


def test_the_command_line_is_answered_before_anything_is_asked(fixture):
    for words, part in ((("--role=worker",), "cannot use '--role=worker': expected one of control, agent, client"),
                        (("--node=x",), "cannot use '--node=x': expected a whole number from 0 to 1000"),
                        (("--timeout=5s",), "cannot use '--timeout=5s': expected a time from"),
                        (("--components=docker,x",), "'x' is none; expected a list of flocker, docker, swarm"),
                        (("--signal=https://x",), "signal")):
        done = config(fixture, "check", DOCUMENT, *words)
        expect(done.status in (64, 78), True, done.err)
        expect_in(part, done.err)


def test_a_role_that_is_not_the_machines_is_refused(fixture):
    path = fixture.folder / "own"
    path.write_text(DOCUMENT)
    done = subprocess.run([PROGRAM, "--role=control", f"--root={fixture.folder}", "--node=0", str(path)], capture_output=True, text=True,
                          timeout=20, env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9", "PATH": "/bin"}, stdin=subprocess.DEVNULL)
    expect(done.returncode, 64, "nothing is asked before, nor signalled")
    done = config(fixture, "check", DOCUMENT, "--role=control", "--node=0")
    expect(done.status, 64)
    expect_in("cannot become control: this instance's own document says agent; --force-role does it all the same", done.err)


def said_without_metadata(fixture, port, *words):
    """What the program says within 5 s to its standard output and error, and when it said the first of it, of an address that stays silent."""
    process = subprocess.Popen([PROGRAM, *words, f"--root={fixture.folder}"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                               env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}/"})
    began = time.monotonic()
    line = process.stdout.readline()
    first = time.monotonic() - began
    time.sleep(max(0, 5 - first))
    process.send_signal(signal.SIGINT)
    return line + process.communicate(timeout=10)[0], first


def dump_on_an_instance(tags, *words, document=DOCUMENT):
    """`config dump` where the metadata service shows these tags: (status, {setting: (value, source)}, what it said)."""
    values = {"user-data": document, "meta-data/tags/instance": "\n".join(tags)}
    with Metadata(values | {f"meta-data/tags/instance/{name}": value for name, value in tags.items()}) as service:
        done = subprocess.run([PROGRAM, "config", "dump", *words], capture_output=True, text=True, timeout=20,
                              env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint})
    found = {line.partition(":")[0]: tuple(part.strip() for part in line.partition(":")[2].rsplit("#", 1)) for line in done.stdout.splitlines()}
    return done.returncode, found, done.stderr


def test_tags_are_settings_behind_the_command_line_and_the_document():
    tags = {"Name": "a node", "flocker:node": "3", "flocker:swarm": "none", "flocker:timeout": "900s", "flocker:colour": "red", "other:agents": "9"}
    status, found, said = dump_on_an_instance(tags)
    expect(status, 0, said)
    expect([found[name] for name in ("node", "swarm", "timeout", "agents")],
           [("2", "document"), ("none", "tag"), ("900s", "tag"), ("3", "document")])
    status, found, said = dump_on_an_instance(tags, "--swarm=builtin", "--node=1")
    expect((status, found["swarm"], found["node"], found["timeout"]), (0, ("builtin", "command line"), ("1", "command line"), ("900s", "tag")), said)
    _, alone, said = dump_on_an_instance({"flocker:role": "client", "flocker:store": "s3://bucket/a", "flocker:agents": "2"}, document="#cloud-config\n")
    expect((alone["role"], alone["agents"], alone["store"]), (("client", "tag"), ("2", "tag"), ('"s3://bucket/a"', "tag")), said)


def test_a_tag_that_cannot_be_is_named():
    status, _, said = dump_on_an_instance({"flocker:node": "two"}, document=DOCUMENT.replace("node: 2\n", ""))
    expect((status in (65, 78), len(said.splitlines())), (True, 1), said)
    expect_in("flocker:node=two", said)


def test_who_waits_for_metadata_says_so_once(fixture):
    """Nobody there, and somebody who takes connections and says nothing."""
    run = ("--role=agent", "--node=1")
    with socket.create_server(("127.0.0.1", 0)) as silent, concurrent.futures.ThreadPoolExecutor() as pool:
        cases = [(free_port(), run, "5 min"), (free_port(), (*run, "--json"), "5 min"), (silent.getsockname()[1], run, "5 min"),
                 (free_port(), (*run, "--timeout=60s"), "2[789] s"), (free_port(), ("renew",), "5 min"), (free_port(), ("members", "follow"), "5 min")]
        for (port, words, span), (said, first) in zip(cases, pool.map(lambda case: said_without_metadata(fixture, case[0], *case[1]), cases)):
            expect(0.9 < first < 3, True, f"{first:.2f} s {said}")
            expect(len(re.findall("waits for the metadata service", said)), 1, said)
            found = re.search(rf"waits for the metadata service at http://127.0.0.1:{port} until (\d\d:\d\d:\d\d) UTC \({span}\); elsewhere than on EC2 "
                              "name one in AWS_EC2_METADATA_SERVICE_ENDPOINT; 'flocker-bootstrap config check FILE' judges a document without one", said)
            expect(bool(found), True, said)
            if words[0] in ("renew", "members"):
                expect_in(f"flocker-bootstrap {' '.join(words)}: waits for", said)
            ends = [time.strftime("%H:%M", time.gmtime(time.time() - ago + (300 if span == "5 min" else 30))) for ago in (5, 8)]
            expect(found.group(1)[:5] in ends, True, f"{found.group(1)} {ends}")


if __name__ == "__main__":
    main(globals())
