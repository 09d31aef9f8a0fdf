"""What a machine tells the client: its name servers as a boot rewrites them, the authorities it trusts, where its metadata is.

All in a network and a mount namespace of the test's own.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from metadata import Metadata
from probe import ETIMEDOUT, probe
from servers import make_certificate
from tap import expect, expect_in, main

PROBE = os.environ["PROBE"]
INSTANCE = "i-0123456789abcdef0"
IPV4, IPV6 = "169.254.169.254", "fd00:ec2::254"

# net/trust.c, by the distributions' own packages (ca-certificates, ca-certificates-mozilla).
PLACES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/ssl/ca-bundle.pem", "/var/lib/ca-certificates/ca-bundle.pem", "/etc/ssl/cert.pem")


@contextlib.contextmanager
def setup():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (f"{IPV4}/32", f"{IPV6}/128"):
        subprocess.run(["ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else [])], check=True)
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


def names(place, address):
    """A name server on `place`, for whom every name has this address; one that says nothing where that is None."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((place, 53))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                query, peer = server.recvfrom(512)
                end = query.index(b"\0", 12) + 5
                found = query[end - 4:end - 2] == b"\0\1"
                answer = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 1, 4) + socket.inet_aton(address) if found else b""
                server.sendto(query[:2] + b"\x81\x80\0\1" + struct.pack(">H", found) + b"\0\0\0\0" + query[12:end] + answer, peer)

    if address:
        threading.Thread(target=serve, daemon=True).start()
    return server


def test_name_servers_that_a_boot_rewrites_are_read_anew(folder):
    """The first ones do not answer: the look-up after the next asks those that stand there by then."""
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.9\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf")], check=True)
    with names("127.0.0.8", "127.0.0.1"), Metadata() as service:
        later = threading.Timer(1.5, lambda: resolv.write_text("nameserver 127.0.0.8\n"))
        later.start()
        found = probe("metadata", "meta-data/instance-id", METADATA_WAIT=20,
                      AWS_EC2_METADATA_SERVICE_ENDPOINT=f"http://metadata.example:{service.port}")
        later.join()
        expect(found.outcome, 0, found.error)
        expect(found.value, INSTANCE)


def test_a_name_server_that_is_silent_is_named(folder):
    (folder / "resolv.conf").write_text("nameserver 127.0.0.7\n")
    with names("127.0.0.7", None):
        found = probe("http", "http://metadata.example/", DEADLINE=1)
        expect(found.outcome, ETIMEDOUT)
        expect_in("no name server of /etc/resolv.conf told the host's address before the deadline", found.error)


def test_hosts_that_a_boot_rewrites_are_read_anew(folder):
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    with Metadata() as service:
        later = threading.Timer(1.5, lambda: hosts.write_text("127.0.0.1 metadata.example\n"))
        later.start()
        found = probe("metadata", "meta-data/instance-id", METADATA_WAIT=20,
                      AWS_EC2_METADATA_SERVICE_ENDPOINT=f"http://metadata.example:{service.port}")
        later.join()
        expect(found.outcome, 0, found.error)


def silent(address):
    """Takes connections on the metadata service's port, and says nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 80))
    listener.listen(8)
    return listener


def test_both_addresses_of_the_metadata_service_are_raced():
    for there, hung in ((IPV4, None), (IPV6, None), (IPV4, IPV6), (IPV6, IPV4)):
        listener = silent(hung) if hung else None
        with Metadata(host=there, port=80) as service:
            found = probe("metadata", "meta-data/instance-id")
            expect((found.outcome, len(service.seen)), (0, 2), f"{there}, {hung} is silent: {found.error}")
        if listener:
            listener.close()


def test_ipv4_wins_where_both_answer():
    with Metadata(host=IPV4, port=80) as four, Metadata(host=IPV6, port=80) as six:
        expect(probe("metadata", "meta-data/instance-id").outcome, 0)
        expect((len(four.seen), len(six.seen)), (2, 0))


@contextlib.contextmanager
def tls_server(folder):
    make_certificate(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", folder / "cert.pem", "-key", folder / "key.pem",
                               "-www", "-quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        subprocess.run(["sh", "-c", f"until ss -ltn | grep -q :{port}; do sleep 0.05; done"], check=True, timeout=20)
        yield f"https://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(10)


def machine(folder, *places, certificate):
    """A root folder that has the probe, and the certificate at these places."""
    root = pathlib.Path(tempfile.mkdtemp(dir=folder))
    shutil.copy(PROBE, root / "probe")
    for place in places:
        (root / place[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(certificate, root / place[1:])
    return root


def ask(root, url, **variables):
    done = subprocess.run(["/usr/sbin/chroot", root, "/probe", "http", url], env=variables, capture_output=True, text=True, timeout=30)
    return done.stdout


def test_authorities_are_found_where_each_distribution_keeps_them(folder):
    with tls_server(folder) as url:
        other = folder / "other"
        other.mkdir()
        make_certificate(other)
        for place in PLACES:
            expect_in('"status":200', ask(machine(folder, place, certificate=folder / "cert.pem"), url), place)
        root = machine(folder, certificate=folder / "cert.pem")
        expect_in("cannot find the authorities that this machine trusts: install ca-certificates", ask(root, url))
        root = machine(folder, *PLACES, certificate=other / "cert.pem")
        shutil.copy(folder / "cert.pem", root / "right.pem")
        shutil.copy(other / "cert.pem", root / "wrong.pem")
        expect_in("self-signed certificate", ask(root, url))
        expect_in('"status":200', ask(root, url, SSL_CERT_FILE="/right.pem"))
        expect_in('"status":200', ask(root, url, AWS_CA_BUNDLE="/right.pem", SSL_CERT_FILE="/wrong.pem"))
        expect_in("self-signed certificate", ask(root, url, AWS_CA_BUNDLE="/wrong.pem", SSL_CERT_FILE="/right.pem"))
        expect_in("cannot read '/none.pem', which SSL_CERT_FILE names", ask(root, url, SSL_CERT_FILE="/none.pem"))
        (root / "folder").mkdir()
        (root / "empty.pem").touch()
        for spoilt in ("/folder", "/empty.pem", "/probe"):
            expect_in(spoilt, ask(root, url, AWS_CA_BUNDLE=spoilt), "the sentence names the file")


if __name__ == "__main__":
    if not os.environ.get("OWN_NAMESPACES"):
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--", sys.executable, *sys.argv], os.environ | {"OWN_NAMESPACES": "1"})
    main(globals())
