"""A machine that fails says so within a second, whatever fails with it; and tells nobody a secret."""

import contextlib
import json
import os
import pathlib
import re
import selectors
import signal
import socket
import subprocess
import threading
import time
import types

from cloud import METADATA, STORE, Serve, finish, temporary
from handle import Handle
from keys import make_keys
from tap import expect, expect_in, main

PROMISE = 1.0  # seconds from an error that is final to its signal


@contextlib.contextmanager
def setup():
    with temporary() as folder:
        yield types.SimpleNamespace(keys=make_keys(f"{folder}/keys", 5), folder=pathlib.Path(folder))


class Wire:
    """A TCP connection's way to another port, that can fall silent: nothing is refused, nothing is answered."""

    def __init__(self, url):
        scheme, _, rest = url.partition("://")
        host, _, port = rest.rstrip("/").partition(":")
        self.target, self.silent = (host, int(port)), False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.carry, args=(self.listener.accept()[0],), daemon=True).start()

    def carry(self, near):
        with contextlib.suppress(OSError), near, socket.create_connection(self.target) as far, selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    while self.silent:
                        time.sleep(0.01)
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    key.data.sendall(data)


@contextlib.contextmanager
def silent_bus(machine):
    """In systemd's place somebody who takes every connection and says nothing."""
    path = machine.root / "run/dbus/system_bus_socket"
    path.rename(path.with_suffix(".kept"))
    folder = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        listener.listen(8)
        try:
            yield
        finally:
            path.unlink()
            path.with_suffix(".kept").rename(path)
            os.close(folder)


def write_document(fixture, handle, **more):
    lines = {"components": "[docker, swarm]", "agents": 1, "signal": json.dumps(handle if isinstance(handle, str) else handle.url_v4()), **more}
    path = fixture.folder / "document.yml"
    path.write_text("#!/usr/bin/flocker-bootstrap --role=control\n" + f"store: {STORE}\n" + "".join(
        f"{key.replace('_', '-')}: {value}\n" for key, value in lines.items()))
    return path


def wait_until(what, found, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"not within {seconds} s: {what}")


def find_stopped_worker(process):
    """The child that --fault=STEP:hang has stopped."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next((int(child) for child in children
                 if pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "T"), None)


def hang(control, step, document, **environment):
    process = control.start("--role=control", f"--fault={step}:hang", document=document, **environment)
    return process, wait_until(f"{step} has begun", lambda: find_stopped_worker(process))


def expect_promise(handle, final, what):
    signal_of = wait_until("a signal", lambda: list(handle.signals.values()))[0]
    expect(signal_of["Status"], "FAILURE")
    late = handle.times[0] - final
    expect(late < PROMISE, True, f"{what}: {late:.2f} s behind the error")
    return signal_of["Reason"]


def test_a_worker_that_dies_of_itself_is_told_of(fixture):
    for number, words in ((signal.SIGSEGV, "signal 11 (Segmentation fault)"), (signal.SIGABRT, "signal 6 (Aborted)"),
                          (signal.SIGKILL, "signal 9 (Killed: memory may have run out; see dmesg)")):
        with Serve(1) as cloud, Handle() as handle:
            process, worker = hang(cloud.machines[0], "configure-docker", write_document(fixture, handle))
            final = time.time()
            os.kill(worker, number)
            with contextlib.suppress(ProcessLookupError):  # SIGKILL needs no more
                os.kill(worker, signal.SIGCONT)
            reason = expect_promise(handle, final, words)
            expect_in(f"configure-docker: cannot finish 'configure-docker': the worker was ended by {words}", reason)
            found = finish(process)
            expect((found.status, found.out.count(words)), (70, 1), found.out)


def test_a_run_that_is_told_to_end_tells_why(fixture):
    for number, words in ((signal.SIGTERM, "it was told to end (SIGTERM)"), (signal.SIGINT, "it was interrupted")):
        with Serve(1) as cloud, Handle() as handle:
            process, _ = hang(cloud.machines[0], "start-swarm", write_document(fixture, handle))
            final = time.time()
            os.kill(process.pid, number)
            expect_in(f"start-swarm: cannot finish 'start-swarm': {words}", expect_promise(handle, final, words))
            expect(finish(process).status != 0, True)


def test_nothing_that_is_silent_keeps_the_sentence_back(fixture):
    """The store, metadata and systemd take connections and say nothing more: the signal leaves all the same, and the evidence when they are back."""
    with Serve(1) as cloud, Handle() as handle:
        control = cloud.machines[0]
        wires = {name: Wire(control.environment[name]) for name in (METADATA, "AWS_ENDPOINT_URL")}
        process, worker = hang(control, "configure-docker", write_document(fixture, handle), **{name: wire.url for name, wire in wires.items()})
        with silent_bus(control):
            for wire in wires.values():
                wire.silent = True
            final = time.time()
            os.kill(worker, signal.SIGKILL)
            reason = expect_promise(handle, final, "all silent")
            expect_in("; evidence not stored", reason)
            for wire in wires.values():
                wire.silent = False
            found = finish(process)
        expect_in(f"evidence: {STORE}/status/i-", found.out)
        evidence = json.loads(cloud.aws("s3", "cp", f"{STORE}/{next(key for key in cloud.keys() if key.endswith('evidence.json'))}", "-"))
        expect_in("the worker was ended by signal 9", evidence["reason"])


def test_who_asks_twice_need_not_wait_for_a_handle_that_is_silent(fixture):
    with Serve(1) as cloud, Handle() as handle:
        wire = Wire(f"http://{handle.host}")
        wire.silent = True
        process, worker = hang(cloud.machines[0], "start-swarm", write_document(fixture, handle.url_v4().replace(f"http://{handle.host}", wire.url)))
        os.kill(worker, signal.SIGKILL)
        wait_until("the evidence", lambda: [key for key in cloud.keys() if key.endswith("evidence.json")])
        began = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        finish(process)
        expect(time.monotonic() - began < 2, True, "how long it took to end")


class Notified:
    """A unit's notification socket, and what came over it."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.said = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):
            while True:
                self.said += [(time.monotonic(), line) for line in self.socket.recv(4096).decode().splitlines()]

    def close(self):
        self.socket.close()
        os.unlink(self.path)

    def lines(self, start):
        return [line for _, line in self.said if line.startswith(start)]


def test_a_unit_says_how_it_is_and_that_it_lives(fixture):
    notified = Notified(fixture.folder)
    unit = {"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "400000"}
    with Serve(2) as cloud, contextlib.closing(notified):
        control, agent = cloud.machines
        process = agent.start("--role=agent", f"--store={STORE}", "--node=1", "--agents=1", "--components=docker,swarm", **unit)
        wait_until("the agent waits", lambda: "STATUS=fetch-docker-ca" in notified.lines("STATUS="))
        second = agent.start("--role=agent", f"--store={STORE}", "--node=1", "--agents=1", "--components=docker,swarm", **unit)
        before = len(notified.lines("WATCHDOG=1"))
        time.sleep(2)
        expect(notified.lines("READY=1"), [])
        found = len(notified.lines("WATCHDOG=1")) - before
        expect(found >= 5, True, f"{found} signs of life in 2 s, for a watchdog of 0.4 s")
        expect(control.run("control", "--agents=1", "--components=docker,swarm").status, 0)
        for one in (process, second):
            done = finish(one)
            expect(done.status, 0, done.out)
        wait_until("both are ready", lambda: len(notified.lines("READY=1")) == 2)
        expect([line for line in ("STATUS=join-swarm", "STATUS=signal") if line not in notified.lines("STATUS=")], [])


def test_a_watchdog_leaves_the_time_to_tell(fixture):
    """While the handle does not answer nothing is wrong with the program; each sign of life allows what follows it."""
    notified = Notified(fixture.folder)
    with Serve(1) as cloud, Handle() as handle, contextlib.closing(notified):
        wire = Wire(f"http://{handle.host}")
        wire.silent = True
        document = write_document(fixture, handle.url_v4().replace(f"http://{handle.host}", wire.url))
        process, worker = hang(cloud.machines[0], "start-swarm", document, NOTIFY_SOCKET=notified.path, WATCHDOG_USEC="400000")
        os.kill(worker, signal.SIGKILL)
        time.sleep(2)
        wire.silent = False
        finish(process)
        allowed, last = 0.4, notified.said[0][0]
        for at, line in [*notified.said, (time.monotonic(), "WATCHDOG=1")]:
            expect(at - last < allowed, True, f"{at - last:.1f} s without a sign of life, where {allowed:.1f} s were allowed")
            if line.startswith("WATCHDOG_USEC="):
                allowed = int(line.partition("=")[2]) / 1e6
            if line.startswith("WATCHDOG"):
                last = at


def find_secrets(store, machines, handle):
    """Everything that must not be told, as texts that would be found: keys by a line of their middle."""
    secrets = {"the handle": handle.url_v4().partition("?")[2], "the dataset's key": "wJalrXUtnFEMI", "credentials": None}
    for machine in machines:
        for path in machine.root.rglob("*key*"):
            text = path.read_text(errors="replace") if path.is_file() else ""
            if "PRIVATE KEY-----" in text:
                secrets[str(path.relative_to(machine.root.parent))] = text.splitlines()[2]
    secrets["the join token"] = json.loads((store / "swarm/worker.json").read_text())["token"].rpartition("-")[2]
    code = "import botocore.session as s;c=s.Session().get_credentials();print(c.secret_key, c.token)"
    told = subprocess.run(["/usr/bin/python3", "-c", code], check=True, capture_output=True, text=True,
                          env={"HOME": "/nonexistent", METADATA: machines[0].environment[METADATA] + "/"}).stdout
    secrets["credentials"], secrets["a token"] = told.split()
    return secrets


def watch_command_lines(stop, seen):
    while not stop.is_set():
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                seen.add(path.read_bytes())
        time.sleep(0.05)


def test_no_secret_is_told_anywhere(fixture):
    """Three roles, whole and again failing at their ends: what they print, log and store, and the command lines beside them."""
    with Serve(3) as cloud, Handle() as handle:
        told, seen, stop = [], set(), threading.Event()
        threading.Thread(target=watch_command_lines, args=(stop, seen), daemon=True).start()
        for number, role in enumerate(("control", "agent", "client")):
            more = {"components": "[flocker, docker, swarm]", "keep_secrets": "true", "step_timeout": "20s"}
            if role == "control":
                more["dataset"] = "{backend: aws, access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}"
            if role == "agent":
                more["node"] = 1
            path = write_document(fixture, handle, **more)
            path.write_text(path.read_text().replace("--role=control", f"--role={role}"))
            words = [f"--role={role}"] + ([f"--keys={fixture.keys}"] if role == "control" else [])
            for extra in ([], ["--fault=verify:fail"], ["--again", "--dry-run", "--json"]):
                found = finish(cloud.machines[number].start(*words, *extra, document=path))
                told.append((f"{role} {extra}", found.out))
                if not extra:
                    expect(found.status, 0, found.out)
        stop.set()
        for machine in cloud.machines:
            told += [(str(path), path.read_text(errors="replace")) for path in machine.root.rglob("*")
                     if path.is_file() and ("/var/log/" in str(path) or path.name in ("journal.jsonl", "state.json", "daemon.json", "instance.json"))]
        store = fixture.folder / "store"
        cloud.aws("s3", "cp", "--recursive", "--quiet", f"{STORE}/", str(store))
        told += [(str(path), path.read_text()) for path in store.glob("status/*/*")]
        told += [("a command line", line.decode(errors="replace")) for line in seen]
        told += [("a signal", json.dumps(one)) for one in handle.signals.values()]
        secrets = find_secrets(store, cloud.machines, handle)
        expect(len(secrets) > 10, True, secrets.keys())
        expect(sum(name.endswith("evidence.json") for name, _ in told), 3)
        leaks = [f"{secret} in {name}" for name, text in told for secret, value in secrets.items() if value in text]
        expect(leaks, [])
        expect(re.search("PRIVATE KEY|SWMTKN-", "".join(text for _, text in told)), None)


if __name__ == "__main__":
    main(globals())
