"""Real S3 servers, from the folder that tests/peers/prepare makes: radosgw and moto, each a context manager.

Neither is strict on everything: radosgw refuses bodies that differ from their hash and stale dates, moto
refuses lost conditional writes and enforces IAM policies and session tokens. A client is tested against both.
"""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

from tap import die_with_parent

HERE = pathlib.Path(__file__).parent
START_SECONDS = 30


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]


def peers_root():
    subprocess.run([HERE / "prepare"], check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(
        subprocess.run([HERE / "prepare", "--print-root"], check=True, capture_output=True, text=True).stdout.strip()
    )


def run_aws(server, *words, **options):
    """Debian's awscli against a server; its output as JSON, or None."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": server.region,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if getattr(server, "token", None):
        environment["AWS_SESSION_TOKEN"] = server.token
    if server.ca_file:
        environment["AWS_CA_BUNDLE"] = server.ca_file
    done = subprocess.run(
        ["/usr/bin/aws", "--endpoint-url", server.endpoint, *words],
        env=environment, capture_output=True, text=True, timeout=60, **options,
    )
    if done.returncode:
        raise RuntimeError(f"aws {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else None


def make_certificate(folder, name="127.0.0.1"):
    """A self-signed certificate for a server on loopback."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=peer", "-addext", f"subjectAltName=IP:{name},DNS:localhost",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, capture_output=True,
    )


class Server:
    """A process in the peers' folder, on a free port of loopback, that ends with us."""

    region = "us-east-1"
    access_key = "AKIATESTTESTTESTTEST"
    secret_key = "secret/of+the=tests"
    ca_file = None
    token = None

    def __init__(self):
        self.root = peers_root()
        self.scratch = None
        self.process = None
        self.endpoint = None

    def run_inside(self, *words, seconds=30):
        return subprocess.run(["/usr/sbin/chroot", self.root, *map(str, words)], capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"})

    def start(self, *words, environment=None):
        log = open(self.scratch / "log", "w")
        self.process = subprocess.Popen(
            ["/usr/sbin/chroot", str(self.root), *map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", **(environment or {})},
            preexec_fn=die_with_parent,
        )

    def wait_ready(self, port):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} did not start: {(self.scratch / 'log').read_text()[-2000:]}")

    def __enter__(self):
        # Inside the folder, under the same name: what the server is told and what we see are one.
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="peer-", dir=self.root / "tmp"))
        self.inside = pathlib.Path("/") / self.scratch.relative_to(self.root)
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)


class Radosgw(Server):
    def create_user(self, options):
        """radosgw-admin now and then hangs on its way out (one run in some tens), its work done or not: tried again, and a
        user that is there already is what was wanted."""
        said = ""
        for _ in range(4):
            try:
                done = self.run_inside("radosgw-admin", *options, "user", "create", "--uid=tests", "--display-name=tests",
                                       f"--access-key={self.access_key}", f"--secret-key={self.secret_key}", seconds=5)
            except subprocess.TimeoutExpired:
                continue
            if done.returncode in (0, errno.EEXIST):
                return
            said = done.stderr[-2000:]
        raise RuntimeError(f"radosgw-admin does not create a user: {said or 'it hangs'}")

    def begin(self):
        port = free_port()
        (self.scratch / "ceph.conf").write_text(
            "[global]\n"
            f"dbstore_db_dir = {self.inside}\n"
            f"dbstore_config_uri = file://{self.inside}/config.db\n"
            f"log_file = {self.inside}/rgw.log\nrun_dir = {self.inside}\nrgw_data = {self.inside}\nadmin_socket =\n"
        )
        options = ["-c", self.inside / "ceph.conf", "-n", "client.rgw.a", "--no-mon-config",
                   "--rgw_backend_store=dbstore", "--rgw_config_store=dbstore"]
        self.create_user(options)
        self.start("radosgw", "-f", *options, "--rgw_frontends", f"beast endpoint=127.0.0.1:{port} tcp_nodelay=1")  # else a kept connection costs 40 ms a GET
        self.endpoint = f"http://127.0.0.1:{port}"
        self.wait_ready(port)


class Moto(Server):
    """moto with a role that may do what `policy` says; signatures are checked once it is made."""

    access_key = "AKIAIOSFODNN7EXAMPLE"
    secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    def __init__(self, tls=False, buckets=("bucket",), policy=None):
        super().__init__()
        self.tls = tls
        self.buckets = buckets
        self.policy = policy or [{"Effect": "Allow", "Action": "*", "Resource": "*"}]

    def begin(self):
        port = free_port()
        words = ["moto_server", "-H", "127.0.0.1", "-p", port]
        if self.tls:
            make_certificate(self.scratch)
            words += ["-c", self.inside / "cert.pem", "-k", self.inside / "key.pem"]
            self.ca_file = str(self.scratch / "cert.pem")
        free = 3 + len(self.buckets) # the calls below
        self.start(*words, environment={"INITIAL_NO_AUTH_ACTION_COUNT": str(free)})
        self.endpoint = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"
        self.wait_ready(port)
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        role = run_aws(self, "iam", "create-role", "--role-name", "node",
                       "--assume-role-policy-document", json.dumps(trust))["Role"]["Arn"]
        run_aws(self, "iam", "put-role-policy", "--role-name", "node", "--policy-name", "p", "--policy-document",
                json.dumps({"Version": "2012-10-17", "Statement": self.policy}))
        for bucket in self.buckets:
            name, _, region = bucket.partition("@")
            extra = ["--create-bucket-configuration", f"LocationConstraint={region}"] if region else []
            run_aws(self, "s3api", "create-bucket", "--bucket", name, *extra)
        found = run_aws(self, "sts", "assume-role", "--role-arn", role, "--role-session-name", "i-0123")["Credentials"]
        self.access_key, self.secret_key = found["AccessKeyId"], found["SecretAccessKey"]
        self.token = found["SessionToken"]
