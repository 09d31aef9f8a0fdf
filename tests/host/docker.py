"""host/docker against real engines: Debian's dockerd on a unix socket, over TLS, and two of them in a Swarm.

What an engine refuses, and how, stands in refusals.json; here each of them is asked of the real one again.
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import socketserver
import subprocess
import tempfile
import threading
import time

from engine import Engine, Refused, TLS_PORT, host_probe
from probe import EDOM, ENOENT, EPROTO
from tap import expect, expect_in, main

EIO, EAGAIN, ECONNREFUSED, ECONNRESET = -5, -11, -111, -104
INACTIVE, PENDING, ACTIVE = 0, 1, 2
REFUSALS = json.loads((pathlib.Path(__file__).parent / "refusals.json").read_text())
TLS_CONFIG = {"tls": True, "tlsverify": True, "tlscacert": "FOLDER/tls/ca.pem", "tlscert": "FOLDER/tls/cert.pem",
              "tlskey": "FOLDER/tls/key.pem", "labels": ["flocker-node=3"]}
TLS_FLAGS = ["--host", f"tcp://127.0.0.1:{TLS_PORT}"]


def make_certificates(folder, name):
    subprocess.run([os.environ["PROGRAM"], "certs", "create", f"--cluster={name}", "--control=127.0.0.1", "--agents=1",
                    "--components=docker", f"--out={folder}/{name}"], check=True, capture_output=True)
    return folder / name / "docker"


class Fixture:
    def __init__(self, stack):
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.ours, self.foreign = make_certificates(folder, "ours"), make_certificates(folder, "foreign")
        self.manager = stack.enter_context(Engine(TLS_CONFIG, TLS_FLAGS, tls=self.ours / "control"))
        self.other = stack.enter_context(Engine())
        self.manager.connect(self.other)
        self.mixed = folder / "mixed"  # trusts our engine, and shows another authority's certificate
        self.mixed.mkdir()
        for name, source in (("ca.pem", self.ours), ("cert.pem", self.foreign), ("key.pem", self.foreign)):
            (self.mixed / name).write_bytes((source / "client" / name).read_bytes())
        self.bare = folder / "bare"
        self.bare.mkdir()
        (self.bare / "ca.pem").write_bytes((self.ours / "ca.pem").read_bytes())


@contextlib.contextmanager
def setup():
    with contextlib.ExitStack() as stack:
        yield Fixture(stack)


def ask_all(engine, state):
    """Each refusal of that state, of the real engine again."""
    asked = [entry for entry in REFUSALS["engine"]["answers"] if entry["state"] == state]
    for entry in asked:
        status, text = engine.ask(entry["method"], entry["path"], entry.get("body"))
        expect(status, entry["status"], entry["given"])
        message = json.loads(text)["message"] if text.startswith("{") else text.strip()
        if not re.fullmatch(entry["message"], message):
            raise AssertionError(f"{entry['given']}: expected {entry['message']!r}, found {message!r}")
    return len(asked)


def test_an_engine_is_asked_how_it_is(f):
    info = f.manager.probe("info")
    expect(info.outcome, 0, info.error)
    expect((info.swarm, info.node_id, info.swarm_id, info.manager), (INACTIVE, "", "", False))
    expect(info.labels, ["flocker-node=3"])
    expect((info.live_restore, info.classic_nodes), (False, -1))
    expect(info.server_version, json.loads(f.manager.ask("GET", "/version")[1])["Version"])
    expect(f.manager.probe("has-swarm-mode").value, True)


def test_an_engine_outside_of_a_swarm_refuses(f):
    expect(ask_all(f.other, "alone") > 3, True)
    token = f.other.probe("token")
    expect(token.outcome, EDOM)
    expect_in("cannot read the Swarm's token: the Docker engine at '/run/docker.sock' says (503): This node is not a swarm manager", token.error)
    expect(f.other.probe("leave").outcome, 0)


def test_no_engine_there():
    with tempfile.TemporaryDirectory() as folder:
        gone = host_probe("ping", ROOT=folder)
        expect_in("cannot reach the Docker engine at '/run/docker.sock'", gone.error)
        waited = host_probe("wait", ROOT=folder, DEADLINE=1)
        expect(waited.outcome < 0, True)
        expect(400_000 < waited.took < 1_500_000, True, f"took {waited.took}")


def test_an_engine_that_comes_late_is_waited_for():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "run").mkdir()

        def come():
            time.sleep(0.7)
            old_engine(root).serve_forever()

        threading.Thread(target=come, daemon=True).start()
        expect(host_probe("wait", ROOT=root, DEADLINE=10).outcome, 0)


class Tcp(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def old_engine(root, version='{"Version":"1.9.1","ApiVersion":"1.21","GitCommit":"a34a1d5"}', header=None, info=None):
    """Answers as engines before API 1.25 do, and as the classic Swarm manager: no version in /_ping's header."""
    class Handler(http.server.BaseHTTPRequestHandler):
        asked = []

        def do_GET(self):
            self.asked.append(self.path)
            body = (b"OK" if self.path == "/_ping" else version.encode() if self.path == "/version"
                    else json.dumps(info or {"Name": "old", "ServerVersion": "1.9.1"}).encode())
            self.send_response(200)
            if header:
                self.send_header("Api-Version", header)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self):
            return "unix"

        def log_message(self, *_):
            pass

    server = Tcp(str(root / "run/docker.sock"), Handler)
    server.asked = Handler.asked
    return server


@contextlib.contextmanager
def serving(**options):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "run").mkdir()
        server = old_engine(pathlib.Path(folder), **options)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, folder
        server.shutdown()
        server.server_close()


def test_versions_are_negotiated():
    classic = {"Name": "control", "ServerVersion": "swarm/1.2.9", "Labels": None,
               "SystemStatus": [["Role", "primary"], ["\bNodes", "3"], [" a", "10.0.0.1:2375"]]}
    with serving(info=classic) as (server, root):
        info = host_probe("info", ROOT=root)
        expect((info.outcome, info.server_version, info.classic_nodes), (0, "swarm/1.2.9", 3), info.error)
        expect(host_probe("has-swarm-mode", ROOT=root).value, False)
        expect_in("/v1.21/info", server.asked)
    with serving(version='{"ApiVersion":"1.52","MinAPIVersion":"1.44"}', header="1.52") as (server, root):
        expect(host_probe("info", ROOT=root).outcome, 0)
        expect_in("/v1.44/info", server.asked)
    with serving(version='{"ApiVersion":"1.60","MinAPIVersion":"1.50"}', header="1.60") as (server, root):
        expect(host_probe("info", ROOT=root).outcome, 0)
        expect_in("/v1.50/info", server.asked)
    with serving(version='{"ApiVersion":"1.18"}') as (_, root):
        old = host_probe("info", ROOT=root)
        expect(old.outcome, EPROTO)
        expect_in("its API is older than 1.21", old.error)
    for odd in ("[]", "{}", "", '{"ApiVersion":7}', '{"ApiVersion":"2.1"}'):
        with serving(version=odd) as (_, root):
            expect(host_probe("info", ROOT=root).outcome, EPROTO, odd)


def test_answers_that_make_no_sense(_=None):
    for info in ([1], "text", 7):
        with serving(header="1.41", info=info) as (_, root):
            odd = host_probe("info", ROOT=root)
            expect(odd.outcome, EPROTO)
            expect_in("no JSON object", odd.error)
    with serving(header="1.41", info={"Labels": [1, None, "a=b"], "Swarm": {"LocalNodeState": "new"}, "SystemStatus": [7, []]}) as (_, root):
        expect(host_probe("info", ROOT=root).labels, ["a=b"])


def test_tls_with_the_right_certificates(f):
    info = f.manager.probe_tls(f.ours / "client", "info")
    expect((info.outcome, info.labels), (0, ["flocker-node=3"]), info.error)


def until_told(f, tls, tries=40):
    """An engine that hangs up at once may not be heard: that it was heard once is what is wanted."""
    for _ in range(tries):
        answer = f.manager.probe_tls(tls, "ping")
        if answer.outcome != ECONNRESET:
            return answer
        expect_in("if it does so again: the engine's certificate and ours must be of the same Docker CA", answer.error)
    raise AssertionError(f"not told within {tries} tries: {answer.error}")


def test_tls_refusals_say_what_to_look_at(f):
    by_name = {entry["given"]: entry for entry in REFUSALS["engine"]["tls"]}
    for given, tls in (("a client without a certificate", f.bare), ("a client of a foreign CA", f.mixed)):
        refused = until_told(f, tls)
        expect(refused.outcome, EPROTO, given)
        expect_in(f"alert {by_name[given]['alert']}", refused.error)
        expect_in("must be of the same Docker CA", refused.error)
    wrong_server = f.manager.probe_tls(f.foreign / "client", "ping")
    expect(wrong_server.outcome, EPROTO)
    expect_in("certificate problem", wrong_server.error)
    expect(f.manager.probe_tls(f.ours / "client", "ping", address="127.0.0.1:2377").outcome, ECONNREFUSED)


def test_a_swarm_of_two(f):
    expect(f.manager.probe("init", f.manager.address).outcome, 0)
    token = f.manager.probe("token").token
    expect(token.startswith("SWMTKN-1-"), True)

    joined = f.other.probe("join", f.other.address, f"{f.manager.address}:2377", JOIN_TOKEN=token)
    expect(joined.outcome, 0, joined.error)
    info = f.other.probe("info")
    expect((info.swarm, info.manager, info.node_address), (ACTIVE, False, f.other.address))
    nodes = f.manager.probe("nodes")
    expect((nodes.known, nodes.ready), (2, 2))

    expect(ask_all(f.manager, "manager") > 1, True)
    expect(ask_all(f.other, "worker") > 1, True)
    again = f.other.probe("join", f.other.address, f"{f.manager.address}:2377", JOIN_TOKEN=token)
    expect(again.outcome, EDOM)
    expect_in("already part of a swarm", again.error)
    expect(f.other.probe("leave").outcome, 0)
    expect(f.other.probe("info").swarm, INACTIVE)


def test_joins_that_are_refused(f):
    manager = f"{f.manager.address}:2377"
    token = f.manager.probe("token").token
    wrong_ca = f"{token[:58]}{'z' if token[58] != 'z' else 'y'}{token[59:]}"
    wrong_secret = token[:-5] + "aaaaa"
    for given, bad in (("a token that is none", "garbage"), ("a token of another CA", wrong_ca), ("a token with a wrong secret", wrong_secret)):
        entry = next(e for e in REFUSALS["engine"]["joins"] if e["given"] == given)
        refused = f.other.probe("join", f.other.address, manager, JOIN_TOKEN=bad)
        expect(refused.outcome, EDOM, f"{given}: {refused.error}")
        found = re.search(r" says \((\d+)\): (.*)$", refused.error)
        expect(int(found[1]), entry["status"], given)
        if not re.fullmatch(entry["message"], found[2]):
            raise AssertionError(f"{given}: expected {entry['message']!r}, found {found[2]!r}")
        expect_in(f"cannot join the Swarm of '{manager}'", refused.error)
        expect(bad in refused.error, False, "the token is in the sentence")
    expect(f.other.probe("info").swarm, INACTIVE)


def test_a_manager_that_is_away_may_come(f):
    nobody = f.other.probe("join", f.other.address, f"{f.manager.address}:2399", JOIN_TOKEN=f.manager.probe("token").token)
    expect(nobody.outcome, EAGAIN, nobody.error)
    expect_in("connection refused", nobody.error)


def test_a_silent_manager_leaves_the_engine_ready_for_another_try(f):
    token = f.manager.probe("token").token
    silent = f.other.probe("join", f.other.address, f"{f.manager.address[:-1]}77:2377", JOIN_TOKEN=token, DEADLINE=40)
    expect(silent.outcome, EAGAIN, silent.error)
    expect_in("Timeout was reached before node joined", silent.error)
    expect(f.other.probe("info").swarm, INACTIVE)
    joined = f.other.probe("join", f.other.address, f"{f.manager.address}:2377", JOIN_TOKEN=token)
    expect(joined.outcome, 0, joined.error)
    expect(f.other.probe("leave").outcome, 0)


def test_containers(f):
    engine = f.other
    missing = engine.probe("run", "manager", "nosuch:1", "a")
    expect(missing.outcome, ENOENT)
    expect_in("No such image: nosuch:1; put the image into the machine image", missing.error)
    engine.load("probe:1", os.environ["HOST_PROBE"])

    expect(engine.probe("is-running", "manager").value, False)
    expect(engine.probe("run", "manager", "probe:1", "/host-probe", "wait").outcome, 0)
    first = json.loads(engine.ask("GET", "/containers/manager/json")[1])
    expect((first["HostConfig"]["NetworkMode"], first["HostConfig"]["RestartPolicy"]["Name"]), ("host", "always"))
    expect(engine.probe("is-running", "manager").value, True)
    expect(engine.probe("run", "manager", "probe:1", "/host-probe", "wait").outcome, 0)
    expect(json.loads(engine.ask("GET", "/containers/manager/json")[1])["Id"], first["Id"], "one that runs is left as it is")
    expect(engine.probe("remove", "manager").outcome, 0)
    expect(engine.probe("remove", "manager").outcome, 0)
    expect(engine.probe("is-running", "manager").value, False)


def test_a_container_that_ends_says_why(f):
    engine = f.other
    engine.load("probe:2", os.environ["HOST_PROBE"])
    command = {"Image": "probe:2", "Cmd": ["/host-probe", "merge", "1", "/nosuch"], "HostConfig": {"NetworkMode": "host"}}
    for tty in (False, True):
        expect(engine.ask("POST", "/containers/create?name=short", command | {"Tty": tty})[0], 201)
        expect(engine.ask("POST", "/containers/short/start")[0], 204)
        expect(engine.ask("POST", "/containers/short/wait")[0], 200)
        ended = engine.probe("is-running", "short")
        expect(ended.outcome, EIO)
        expect_in("cannot use the container 'short': it ended with status 1; it said: {", ended.error)
        expect_in("cannot open '/nosuch'" if "cannot open" in ended.error else "'/nosuch'", ended.error)
        expect(engine.probe("run", "short", "probe:2", "/host-probe", "wait").outcome, 0, "it is made anew")
        expect(engine.probe("is-running", "short").value, True)
        expect(engine.probe("remove", "short").outcome, 0)


def test_a_container_that_restarts_over_and_over_does_not_run(f):
    engine = f.other
    engine.load("probe:3", os.environ["HOST_PROBE"])
    expect(engine.probe("run", "loop", "probe:3", "/host-probe", "nonsense").outcome, 0)
    end = time.monotonic() + 20
    while not (seen := engine.probe("is-running", "loop")).outcome:
        expect(time.monotonic() < end, True, "it was taken to run")
        time.sleep(0.1)
    expect(seen.outcome, EIO)
    expect_in("ended with status 1; it said: ", seen.error)
    expect(engine.probe("remove", "loop").outcome, 0)


def test_configurations_that_an_engine_refuses(f):
    for entry in REFUSALS["engine"]["configurations"]:
        try:
            with Engine(entry["config"], entry.get("flags", []), tls=f.ours / "control"):
                raise AssertionError(f"{entry['given']}: the engine came up")
        except Refused as refused:
            if not re.fullmatch(entry["says"], str(refused)):
                raise AssertionError(f"{entry['given']}: expected {entry['says']!r}, found {str(refused)!r}") from None


def test_an_engine_with_live_restore_makes_no_swarm():
    with Engine({"live-restore": True}) as engine:
        expect(engine.probe("info").live_restore, True)
        expect(ask_all(engine, "live-restore"), 1)
        refused = engine.probe("init", "127.0.0.1")
        expect(refused.outcome, EIO)
        expect_in("live-restore", refused.error)


def test_plain_http_on_the_tls_port(f):
    script = ("import http.client as h; c = h.HTTPConnection('127.0.0.1', %d, timeout=5); c.request('GET', '/info');"
              "r = c.getresponse(); print(r.status, r.read().decode().strip())" % TLS_PORT)
    said = subprocess.run(["nsenter", "--net", "--target", str(f.manager.pid), "/usr/bin/python3", "-c", script],
                          capture_output=True, text=True, check=True).stdout.strip()
    entry = next(e for e in REFUSALS["engine"]["tls"] if e["given"] == "plain HTTP")
    expect(said, f"{entry['status']} {entry['says']}")


if __name__ == "__main__":
    main(globals())
