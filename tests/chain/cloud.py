"""The embedded cloud for tests: `flocker-rehearsal serve`, and flocker-bootstrap run by hand on its machines."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import types

from servers import die_with_parent

PROGRAM, REHEARSAL = os.environ["PROGRAM"], os.environ["REHEARSAL"]
STORE = "s3://rehearsal/cluster"
METADATA = "AWS_EC2_METADATA_SERVICE_ENDPOINT"  # awscli insists on a slash at its end
RUN_SECONDS = 50


class Machine:
    def __init__(self, name, address, environment, root):
        self.name, self.address, self.root = name, address, pathlib.Path(root)
        self.environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment}

    def start(self, *words, document=None, **environment):
        line = [PROGRAM, *map(str, words), f"--root={self.root}", *([document] if document else [])]
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**self.environment, **environment}, start_new_session=True, preexec_fn=die_with_parent)

    def run(self, role, *words, store=STORE, **options):
        return finish(self.start(f"--role={role}", f"--store={store}", *words, **options))

    def read(self, path):
        return (self.root / path).read_text()

    def journal(self):
        """The steps' journal, of the last run."""
        events = [json.loads(line) for line in self.read("var/lib/flocker-bootstrap/journal.jsonl").splitlines()]
        return [event for event in events if event["run"] == events[-1]["run"]]

    def tree(self):
        """Everything that a run may change, as {path: (mode, content)}; what runs of itself is left out."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.is_file() and not path.is_symlink() and not name.startswith(("var/log/", "run/")) and not name.endswith(
                    ("journal.jsonl", "/lock")):
                found[name] = (path.stat().st_mode & 0o777, path.read_bytes())
        return found


def finish(process, seconds=RUN_SECONDS):
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        raise AssertionError(f"not done after {seconds} s: {out}")
    return types.SimpleNamespace(status=process.returncode, out=out, done=re.findall(r"^(\S+) +done in", out, re.M),
                                 skipped=re.findall(r"^(\S+) +is done already", out, re.M))


def wait_for_engine(path):
    """A machine that is printed may be booting still."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return
        time.sleep(0.01)
    raise RuntimeError(f"no engine at {path}")


class Serve:
    """The cloud with its machines, until the block ends."""

    def __init__(self, machines=2):
        self.count = machines

    def __enter__(self):
        self.process = subprocess.Popen([REHEARSAL, "serve", f"--machines={self.count}"], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        self.machines = []
        text = ""
        while "Ctrl-C ends it." not in text:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"flocker-rehearsal serve ended: {text}")
            text += line
        for name, address, metadata, services, root in re.findall(
                r"^# (\S+), (\S+)\nexport AWS_EC2_METADATA_SERVICE_ENDPOINT=(\S+) AWS_ENDPOINT_URL=(\S+)\n\S+ --root=(\S+)", text, re.M):
            self.machines.append(Machine(name, address, {
                METADATA: metadata, "AWS_ENDPOINT_URL": services}, root))
        for machine in self.machines:
            wait_for_engine(machine.root / "run/docker.sock")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        self.process.stdout.close()

    def aws(self, *words):
        """Debian's awscli with an instance's credentials."""
        machine = self.machines[0]
        done = subprocess.run(["/usr/bin/aws", "--region", "us-east-1", "--endpoint-url", machine.environment["AWS_ENDPOINT_URL"], *words],
                              env={**machine.environment, "HOME": "/nonexistent", METADATA: machine.environment[METADATA] + "/"}, capture_output=True, text=True, timeout=30)
        if done.returncode:
            raise AssertionError(f"aws {' '.join(words)}: {done.stderr}")
        return done.stdout

    def keys(self):
        """The keys in the store."""
        listed = self.aws("s3api", "list-objects-v2", "--bucket", "rehearsal", "--prefix", "cluster/")
        return [item["Key"].partition("/")[2] for item in (json.loads(listed) if listed.strip() else {}).get("Contents", [])]


def rehearse(*words, seconds=55, **options):
    done = subprocess.run([REHEARSAL, *map(str, words)], capture_output=True, text=True, timeout=seconds, **options)
    return types.SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


def temporary():
    return tempfile.TemporaryDirectory(prefix="chain-")
