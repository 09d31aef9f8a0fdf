"""Classic Swarm in the rehearsal: who is a member, who comes late, and a manager that dies. Its manager is a stand-in that reads the member file, asks
each engine over TLS, and answers as the real one; where CLASSIC_SWARM names the real one (swarm 1.2.9), that is run beside it (docs/rehearsal.md)."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from cloud import STORE, Serve
from servers import die_with_parent
from tap import expect, main

WORDS = ("--swarm=classic", "--components=docker,swarm", "--agents=2", "--keep-secrets=true")
SOON = 15  # seconds


def fetch(machine, url, seconds=5):
    """curl with this machine's certificate."""
    tls = machine.root / "etc/docker/tls"
    return subprocess.run(["/usr/bin/curl", "-sSi", "--max-time", str(seconds), "--cacert", tls / "ca.pem", "--cert", tls / "cert.pem", "--key", tls / "key.pem", url],
                          capture_output=True, text=True)


def body(done):
    return json.loads(done.stdout.partition("\n\n")[2]) if done.returncode == 0 else None


def ask(machine, control, port=2376):
    """What the manager at control says of itself, to this machine's certificate; None: nothing."""
    return body(fetch(machine, f"https://{control.address}:{port}/info"))


def count(machine, control):
    info = ask(machine, control)
    return int(next(value for name, value in info["SystemStatus"] if name.endswith("Nodes"))) if info else None


def wait_for(what, wanted, find):
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        found = find()
        if found == wanted:
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: expected {wanted!r} within {SOON} s, found {found!r}")


@contextlib.contextmanager
def follower(control):
    """What flocker-bootstrap-members.service runs."""
    process = control.start("members", "follow", "--role=control", f"--store={STORE}", "--agents=2")
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


def members(control):
    return sorted(control.read("var/lib/flocker-bootstrap/swarm/members").split())


def join(cloud, node):
    found = cloud.machines[node].run("agent", *WORDS, f"--node={node}")
    expect(found.status, 0, found.out)


def find_manager(control):
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[1:3] == [b"as", b"swarm"] and f"--root={control.root}".encode() in words:
                return int(path.parent.name)
    return None


def test_agents_that_come_late_appear_by_themselves():
    with Serve(3) as cloud:
        control = cloud.machines[0]
        found = control.run("control", *WORDS)
        expect(found.status, 0, found.out)
        with follower(control):
            expect(members(control), [f"{control.address}:2375"])
            for node in 1, 2:
                join(cloud, node)
                wanted = sorted(f"{machine.address}:2375" for machine in cloud.machines[: node + 1])
                wait_for("the member file", wanted, lambda: members(control))
                wait_for("engines of the manager", node + 1, lambda: count(cloud.machines[node], control))


def test_a_manager_that_dies_comes_back_with_its_members():
    with Serve(2) as cloud:
        control = cloud.machines[0]
        expect(control.run("control", *WORDS).status, 0)
        with follower(control):
            join(cloud, 1)
            wait_for("engines of the manager", 2, lambda: count(control, control))
            before = find_manager(control)
            os.kill(before, signal.SIGKILL)
            wait_for("another manager", True, lambda: find_manager(control) not in (None, before))
            wait_for("engines of the manager", 2, lambda: count(control, control))
        found = control.run("control", *WORDS)
        expect((found.status, found.done), (0, ["read-instance", "verify"]), found.out)


def test_a_follower_that_was_away_makes_good():
    with Serve(2) as cloud:
        control = cloud.machines[0]
        expect(control.run("control", *WORDS).status, 0)
        join(cloud, 1)  # nobody follows
        expect(members(control), [f"{control.address}:2375"])
        with follower(control):
            wait_for("the member file", sorted(f"{machine.address}:2375" for machine in cloud.machines), lambda: members(control))


def test_the_manager_asks_for_the_clusters_certificate():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        expect(control.run("control", *WORDS).status, 0)
        wait_for("the manager", 1, lambda: count(control, control))
        done = subprocess.run(["/usr/bin/curl", "-sSk", "--max-time", "5", f"https://{control.address}:2376/info"], capture_output=True, text=True)
        expect(done.returncode != 0, True, "without a certificate")


def test_an_engine_has_what_the_real_manager_asks_for():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        expect(control.run("control", *WORDS).status, 0)
        engine = f"https://{control.address}:2375"
        heard = fetch(control, f"{engine}/v1.24/events", seconds=1)
        expect(heard.returncode, 28, "curl's time-out: the stream stays open")
        expect(heard.stdout.splitlines()[0], "HTTP/1.1 200 OK")
        listed = body(fetch(control, f"{engine}/v1.24/containers/json?all=1"))
        expect([(one["Names"], one["Image"], one["State"]) for one in listed], [(["/swarm-manager"], "swarm:1.2.9", "running")])
        found = body(fetch(control, f"{engine}/v1.24/containers/{listed[0]['Id']}/json"))
        expect((found["Config"]["Image"], found["State"]["Running"]), ("swarm:1.2.9", True))
        expect([image["RepoTags"] for image in body(fetch(control, f"{engine}/v1.24/images/json"))], [["swarm:1.2.9"]])


@contextlib.contextmanager
def real_manager(control):
    """The real one with the role's own words but for its port, which is yielded."""
    tls, port = control.root / "etc/docker/tls", 12376
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([os.environ["CLASSIC_SWARM"], "manage", "--heartbeat=2s", "--tlsverify", f"--tlscacert={tls}/ca.pem", f"--tlscert={tls}/cert.pem",
                                    f"--tlskey={tls}/key.pem", "-H", f"tcp://{control.address}:{port}",
                                    f"file://{control.root}/var/lib/flocker-bootstrap/swarm/members"], stdout=log, stderr=log, preexec_fn=die_with_parent)
        try:
            yield port
        except AssertionError as error:
            log.seek(0)
            raise AssertionError(f"{error}\n{log.read()}") from error
        finally:
            process.terminate()
            process.wait(10)


def states(info):
    return [value for name, value in (info or {"SystemStatus": []})["SystemStatus"] if name.endswith("Status")]


def labels(info):
    return sorted(re.search(r"flocker-node=(\d+)", value)[1] for name, value in info["SystemStatus"] if name.endswith("Labels"))


if "CLASSIC_SWARM" in os.environ:
    def test_the_real_manager_finds_every_engine_healthy():
        with Serve(3) as cloud:
            control = cloud.machines[0]
            expect(control.run("control", *WORDS).status, 0)
            with follower(control), real_manager(control) as port:
                wait_for("engines of the real manager", ["Healthy"], lambda: states(ask(control, control, port)))
                for node in 1, 2:
                    join(cloud, node)
                    wait_for("engines of the real manager", ["Healthy"] * (node + 1), lambda: states(ask(control, control, port)))
                expect(labels(ask(control, control, port)), ["0", "1", "2"])


if __name__ == "__main__":
    main(globals())
