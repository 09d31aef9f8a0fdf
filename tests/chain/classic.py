"""Classic Swarm in the rehearsal: who is a member, who comes late, and a manager that dies. Its manager is a stand-in that reads the member file, asks
each engine over TLS, and answers as the real one; the real one is not at hand (docs/rehearsal.md)."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

from cloud import STORE, Serve
from tap import expect, main

WORDS = ("--swarm=classic", "--components=docker,swarm", "--agents=2", "--keep-secrets=true")
SOON = 15  # seconds


def ask(machine, control):
    """What the manager at control says of itself, to this machine's certificate; None: nothing."""
    tls = machine.root / "etc/docker/tls"
    done = subprocess.run(["/usr/bin/curl", "-sS", "--max-time", "5", "--cacert", tls / "ca.pem", "--cert", tls / "cert.pem", "--key", tls / "key.pem",
                           f"https://{control.address}:2376/info"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


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


if __name__ == "__main__":
    main(globals())
