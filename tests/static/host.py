"""What the programs open at run time: nothing of the host's libc, OpenSSL or locales, whatever the environment says."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from tap import expect, expect_in, main

PROGRAM = os.environ["PROGRAM"]
PROBE = os.environ["PROBE"]

# Files of the host that a static program must not touch, whether they are there or not.
FOREIGN = re.compile(r"\.so\b|nsswitch|gconv|locale|openssl\.cnf|hostile|host\.conf|ld\.so|/etc/(passwd|group)\b|\.netrc|\.curlrc")

OPENSSL_CONFIGURATION = """openssl_conf = all
[all]
providers = providers
[providers]
hostile = hostile
default = hostile
[hostile]
module = {folder}/hostile.so
activate = 1
"""


@contextlib.contextmanager
def setup():
    """A folder with an OpenSSL configuration that asks for a module, and a key and certificate for localhost."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "hostile.cnf").write_text(OPENSSL_CONFIGURATION.format(folder=folder))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
                        "-out", folder / "cert.pem"], check=True, capture_output=True)
        yield folder


def hostile(folder):
    return {"PATH": os.environ["PATH"], "OPENSSL_CONF": f"{folder}/hostile.cnf", "OPENSSL_MODULES": str(folder), "OPENSSL_ENGINES": str(folder),
            "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "de", "GCONV_PATH": str(folder), "LOCPATH": str(folder),
            "NLSPATH": str(folder), "LD_PRELOAD": f"{folder}/hostile.so", "LD_LIBRARY_PATH": str(folder), "HOME": str(folder),
            "HOSTALIASES": f"{folder}/hostile.hosts", "RES_OPTIONS": "timeout:1", "AWS_CA_BUNDLE": f"{folder}/cert.pem"}


def opened(folder, *words):
    """(what WORDS printed, the files that it named to the kernel)."""
    trace = folder / "trace"
    # strace itself is no static program: only what it starts gets the hostile environment.
    settings = [word for name, value in hostile(folder).items() for word in ("-E", f"{name}={value}")]
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=%file", "-e", "signal=none", *settings, "-o", trace, *words],
                          capture_output=True, text=True)
    # The static C library asks the kernel for the program's own name; that names nothing of the host.
    calls = [line for line in trace.read_text().splitlines() if "execve(" not in line and 'readlink("/proc/self/exe"' not in line]
    return done, [name for line in calls for name in re.findall(r'"([^"]+)"', line)]


def expect_nothing_foreign(names, folder):
    own = {str(folder / "cert.pem")}
    expect([name for name in names if FOREIGN.search(name) and name not in own], [])


def test_the_rule_can_fail(folder):
    # An ordinary program opens what ours must not: the trace and the pattern see it.
    _, names = opened(folder, "/usr/bin/openssl", "version", "-d")
    for part in ("hostile.cnf", "libcrypto.so", "hostile.so"):
        expect(any(part in name and FOREIGN.search(name) for name in names), True, part)


def test_version_names_no_file(folder):
    done, names = opened(folder, PROGRAM, "--version")
    expect((done.returncode, names), (0, []))


def test_certs_create_show_verify(folder):
    made = folder / "set"
    for words in (["create", "--cluster=c", "--control=host.example", "--agents=1", "--components=docker", f"--out={made}"],
                  ["show", str(made)], ["verify", str(made)]):
        done, names = opened(folder, PROGRAM, "certs", *words)
        expect((words[0], done.returncode), (words[0], 0), done.stderr)
        expect(any(str(made) in name for name in names), True, "the trace saw the set")
        expect_nothing_foreign(names, folder)


def test_a_name_that_is_looked_up(folder):
    # ".invalid" exists nowhere (RFC 6761, 6.4); c-ares' own files are all that is read.
    done, names = opened(folder, PROBE, "http", "http://name.invalid:1/")
    expect_in("Could not resolve host", json.loads(done.stdout)["error"])
    expect(sorted({"/etc/resolv.conf", "/etc/hosts"} - set(names)), [])
    expect_nothing_foreign(names, folder)


@contextlib.contextmanager
def tls_server(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", folder / "cert.pem", "-key", folder / "key.pem",
                               "-www", "-quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def test_a_request_over_tls(folder):
    with tls_server(folder) as port:
        done, names = opened(folder, PROBE, "http", f"https://localhost:{port}/")
    expect(json.loads(done.stdout).get("status"), 200, done.stdout)
    expect_in(str(folder / "cert.pem"), names)
    expect_nothing_foreign(names, folder)


if __name__ == "__main__":
    main(globals())
