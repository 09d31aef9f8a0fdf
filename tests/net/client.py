"""HTTP: connections, bounds, deadlines, proxies, TLS; each against a server that is not ours."""

import contextlib
import http.server
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import threading
import time

from front import Front
from probe import ECONNREFUSED, ECONNRESET, EFBIG, EHOSTUNREACH, EPROTO, ETIMEDOUT, probe
from servers import die_with_parent, free_port, make_certificate
from tap import expect, expect_in, main


@contextlib.contextmanager
def openssl_server(folder, *words):
    port = free_port()
    process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet",
                                "-cert", f"{folder}/cert.pem", "-key", f"{folder}/key.pem", *words],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                               preexec_fn=die_with_parent)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"proxy")

    def do_CONNECT(self):
        self.server.seen.append(self.path)
        self.send_error(403)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def web():
    with Front("http://127.0.0.1:1") as front:
        front.add("GET", "/ok", lambda h, b: h.answer(200, [], b"hello"), times=10**6)
        yield front


def test_an_answer_of_any_status_is_an_answer():
    with web() as front:
        found = probe("http", front.endpoint + "/ok")
        expect((found.outcome, found.status, found.body), (0, 200, "hello"))
        front.fail("GET", "/teapot", 418)
        expect(probe("http", front.endpoint + "/teapot").status, 418)


def test_a_redirect_is_not_followed():
    with web() as front:
        front.fail("GET", "/moved", 302, headers=[("Location", front.endpoint + "/ok")])
        expect(probe("http", front.endpoint + "/moved").status, 302)
        expect(len(front.seen), 1)


def test_names_of_etc_hosts_resolve():
    with web() as front:
        port = front.server.server_port
        expect(probe("http", f"http://localhost:{port}/ok").outcome, 0)


def test_the_causes_of_failure_are_told_apart():
    with web() as front:
        front.reset("GET", "/reset")
        front.endless("GET", "/endless")
        front.truncate = None
        expect(probe("http", front.endpoint + "/reset").outcome, ECONNRESET)
        expect(probe("http", front.endpoint + "/endless").outcome, EFBIG)
        expect(probe("http", f"http://127.0.0.1:{free_port()}/").outcome, ECONNREFUSED)
        expect(probe("http", "http://nosuch.invalid/").outcome, EHOSTUNREACH)
        expect(probe("http", front.endpoint.replace("http:", "https:") + "/ok").outcome, EPROTO)


def test_a_slow_answer_meets_the_deadline():
    with web() as front:
        front.drip("GET", "/slow", 10)
        began = time.monotonic()
        found = probe("http", front.endpoint + "/slow?secret=1", DEADLINE=1)
        expect(found.outcome, ETIMEDOUT)
        expect(time.monotonic() - began < 2, True, "in time")
        expect_in("cannot GET '" + front.endpoint + "/slow': the connection stands, but no whole answer came before the deadline", found.error)


def test_a_silent_server_meets_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = probe("http", f"http://127.0.0.1:{silent.getsockname()[1]}/", DEADLINE=1)
        expect(found.outcome, ETIMEDOUT)


def test_a_proxy_is_used_where_one_is_named():
    with web() as front, proxy() as server:
        address = f"http://127.0.0.1:{server.server_port}"
        expect(probe("http", front.endpoint + "/ok", http_proxy=address).body, "proxy")
        expect(probe("http", front.endpoint + "/ok", http_proxy=address, no_proxy="127.0.0.0/8").body, "hello")
        expect(probe("http", front.endpoint + "/ok", http_proxy=address, no_proxy="*").body, "hello")
        expect(probe("http", "https://example.test/", https_proxy=address).outcome != 0, True)
        expect_in("example.test:443", server.seen)
        expect(probe("http", front.endpoint + "/ok", HTTP_PROXY=address).body, "hello", "in capitals never")


def test_tls_is_verified():
    with tempfile.TemporaryDirectory() as folder:
        make_certificate(folder)
        with openssl_server(folder) as url:
            expect(probe("http", url + "/", SSL_CERT_FILE=f"{folder}/cert.pem").status, 200)
            found = probe("http", url + "/", SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
            expect(found.outcome, EPROTO)
            expect_in("self-signed certificate", found.error)
            found = probe("http", url.replace("127.0.0.1", "localhost.localdomain") + "/", SSL_CERT_FILE=f"{folder}/cert.pem")
            expect(found.outcome != 0, True, "another name")


def test_another_hosts_certificate_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        make_certificate(folder, name="10.1.2.3")
        with openssl_server(folder) as url:
            found = probe("http", url + "/", SSL_CERT_FILE=f"{folder}/cert.pem")
            expect(found.outcome, EPROTO)
            expect_in("127.0.0.1", found.error)


def test_old_tls_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        make_certificate(folder)
        with openssl_server(folder, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") as url:
            expect(probe("http", url + "/", SSL_CERT_FILE=f"{folder}/cert.pem").outcome, EPROTO)
        with openssl_server(folder, "-tls1_2") as url:
            expect(probe("http", url + "/", SSL_CERT_FILE=f"{folder}/cert.pem").outcome, 0)


@contextlib.contextmanager
def hanging_up(reset):
    """Takes a client's hello and hangs up, with a reset or without."""
    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                tries.append(connection.recv(4096))
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

    tries = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", tries


def test_a_handshake_that_breaks_is_a_broken_connection():
    for reset in (True, False):
        with hanging_up(reset) as (url, tries):
            found = probe("http", url + "/", SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
            expect(found.outcome, ECONNRESET, found.error)
            found = probe("head", "bucket", "key", AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="AKIA",
                          AWS_SECRET_ACCESS_KEY="s", SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
            expect(found.outcome, ECONNRESET, found.error)
            expect(len(tries), 1 + 3, "one, and three of a request to S3")


def test_nothing_of_the_hosts_libc_or_openssl_is_loaded():
    with tempfile.TemporaryDirectory() as folder:
        make_certificate(folder)
        with openssl_server(folder) as url:
            trace = pathlib.Path(folder) / "trace"
            subprocess.run(["strace", "-f", "-e", "trace=open,openat", "-o", trace, os.environ["PROBE"], "http",
                            url.replace("127.0.0.1", "localhost") + "/"], capture_output=True, timeout=30,
                           env={"SSL_CERT_FILE": f"{folder}/cert.pem", "OPENSSL_CONF": f"{folder}/hostile.cnf"})
            opened = trace.read_text()
            for part in (".so", "nsswitch", "gconv", "locale", ".cnf", "/etc/passwd"):
                expect(part in opened, False, f"{part} opened")


def test_a_name_is_looked_up_by_the_hosts_files():
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace"
        subprocess.run(["strace", "-f", "-e", "trace=open,openat", "-o", trace, os.environ["PROBE"], "http",
                        "http://nosuch.invalid/"], capture_output=True, timeout=30, env={})
        opened = trace.read_text()
        expect_in("/etc/hosts", opened)
        expect_in("/etc/resolv.conf", opened)
        for part in (".so", "nsswitch", "gconv", "locale"):
            expect(part in opened, False, f"{part} opened")


if __name__ == "__main__":
    main(globals())
