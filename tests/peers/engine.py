"""Real Docker engines (Debian's dockerd), each in namespaces of its own, so that nothing of them stays behind.

    with Engine() as engine, Engine() as other:
        engine.connect(other)       # a cable: engine.address, other.address
        engine.probe("info")        # the host layer, through the engine's unix socket

An engine that does not come up raises Refused with what it said.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from probe import finish
from servers import die_with_parent

START_SECONDS = 30
TLS_PORT = 2376


class Refused(Exception):
    pass


class Connection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=40)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def answer_of(connection, method, path, body=None):
    """The status and the body as the engine sends them."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body)
    connection.request(method, path, data, {"Content-Type": "application/x-tar" if isinstance(body, bytes) else "application/json"})
    response = connection.getresponse()
    return response.status, response.read().decode("utf-8", "replace")


def host_probe(*words, **variables):
    environment = {"PATH": "/usr/bin:/bin"} | {name: str(value) for name, value in variables.items()}
    prefix = environment.pop("PREFIX", "").split()
    return finish(subprocess.Popen([*prefix, os.environ["HOST_PROBE"], *map(str, words)], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


class Engine:
    networks = 0

    def __init__(self, config="{}", flags=(), tls=None):
        self.config = config if isinstance(config, str) else json.dumps(config)
        self.flags, self.tls = list(flags), tls
        self.process = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="engine."))
        self.root = self.folder / "machine"
        (self.root / "run").mkdir(parents=True)
        if self.tls:
            shutil.copytree(self.tls, self.folder / "tls")
        (self.folder / "daemon.json").write_text(self.config.replace("FOLDER", str(self.folder)))
        self.log = self.folder / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
                 "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                 "/usr/sbin/dockerd", "--config-file", self.folder / "daemon.json", "--data-root", self.folder / "data",
                 "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid", "--bridge=none", "--iptables=false",
                 "--ip-masq=false", "--ip-forward=false", "--host", f"unix://{self.root}/run/docker.sock",
                 *[flag.replace("FOLDER", str(self.folder)) for flag in self.flags]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Refused(self.said())
            with contextlib.suppress(OSError):
                if self.ask("GET", "/_ping")[0] == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the engine did not come up: {self.log.read_text()[-500:]}")

    def said(self):
        """What the engine said as it gave up."""
        lines = [line for line in self.log.read_text().splitlines() if not line.startswith("time=")]
        return "\n".join(lines).replace(str(self.folder), "FOLDER")

    @property
    def pid(self):
        """dockerd's own, as we see it."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def ask(self, method, path, body=None):
        connection = Connection(self.root / "run/docker.sock")
        try:
            return answer_of(connection, method, path, body)
        finally:
            connection.close()

    def probe(self, *words, **variables):
        return host_probe(*words, **({"ROOT": self.root} | variables))

    def probe_tls(self, tls, *words, address=f"127.0.0.1:{TLS_PORT}", **variables):
        """From within the engine's network."""
        return host_probe(*words, ENGINE=address, TLS=tls, PREFIX=f"nsenter --net --target {self.pid}", **variables)

    def connect(self, other):
        """A network of the two alone."""
        Engine.networks += 1
        ends = [(self, f"hv{os.getpid() % 100000}a", 1), (other, f"hv{os.getpid() % 100000}b", 2)]
        subprocess.run(["ip", "link", "add", ends[0][1], "netns", str(self.pid), "type", "veth",
                        "peer", "name", ends[1][1], "netns", str(other.pid)], check=True)
        for engine, device, number in ends:
            engine.address = f"10.9.{Engine.networks}.{number}"
            for words in (["addr", "add", f"{engine.address}/24", "dev", device], ["link", "set", device, "up"]):
                subprocess.run(["nsenter", "--net", "--target", str(engine.pid), "ip", *words], check=True)

    def load(self, name, program):
        """An image of a static program alone."""
        archive = subprocess.run(["tar", "-C", pathlib.Path(program).parent, "-c", pathlib.Path(program).name],
                                 check=True, capture_output=True).stdout
        repository, tag = name.split(":")
        status, text = self.ask("POST", f"/images/create?fromSrc=-&repo={repository}&tag={tag}", archive)
        if status != 200 or "error" in text:
            raise AssertionError(f"cannot load {name}: {status} {text}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                os.kill(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(8)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
