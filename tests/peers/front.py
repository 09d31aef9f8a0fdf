"""A proxy in front of a real server that does what services do on a bad day.

    with Front(server.endpoint) as front:
        front.fail("GET", "/bucket/key", status=503, code="SlowDown", times=2)

Rules are matched in order, by method and by a part of the target; each is spent after `times` requests. The
requests that came are in front.seen, as (method, target, headers). Where the server is reached otherwise than by an http:// address, `upstream`
makes a connection to it; with `tls`, an ssl.SSLContext, the proxy itself speaks TLS.
"""

import http.client
import http.server
import socket
import struct
import threading
import time
import urllib.parse


class Rule:
    def __init__(self, method, part, times, act):
        self.method, self.part, self.times, self.act = method, part, times, act

    def fits(self, method, target):
        return self.times > 0 and self.method in (method, "*") and self.part in target


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body, head=False):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = dict((n.lower(), v) for n, v in headers).get("content-length") if head else None
        self.send_header("Content-Length", length if length is not None else str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def handle_any(self):
        front = self.server.front
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        front.seen.append((self.command, self.path, dict(self.headers)))
        rule = front.take(self.command, self.path)
        if rule:
            return rule.act(self, body)
        return self.forward(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

    def ask(self, body):
        connection = self.server.front.connect()
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body if body else None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def forward(self, body, change=lambda status, headers, content: (status, headers, content)):
        status, headers, content = change(*self.ask(body))
        self.answer(status, headers, content, head=self.command == "HEAD")

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.wfile = self.rfile = open("/dev/null", "r+b")


class Front:
    def __init__(self, upstream, address=("127.0.0.1", 0), tls=None):
        self.upstream, self.address, self.tls = upstream, address, tls
        self.rules, self.seen = [], []
        self.lock = threading.Lock()

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(self.address, Handler)
        if self.tls:  # the handshake is the connection's thread's
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.daemon_threads = True
        self.server.front = self
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def connect(self):
        if callable(self.upstream):
            return self.upstream()
        to = urllib.parse.urlsplit(self.upstream)
        return http.client.HTTPConnection(to.hostname, to.port, timeout=30)

    def clear(self):
        self.rules.clear()
        self.seen.clear()

    def take(self, method, target):
        with self.lock:
            for rule in self.rules:
                if rule.fits(method, target):
                    rule.times -= 1
                    return rule
        return None

    def add(self, method, part, act, times=1):
        self.rules.append(Rule(method, part, times, act))

    def fail(self, method, part, status, code="", times=1, headers=(), extra=""):
        text = f"<Error><Code>{code}</Code><Message>said the test</Message>{extra}<RequestId>REQ1</RequestId></Error>"
        body = text.encode() if code else b""
        self.add(method, part, lambda h, b: h.answer(status, list(headers), body, head=h.command == "HEAD"), times)

    def reset(self, method, part, times=1):
        self.add(method, part, lambda h, b: h.reset(), times)

    def hang(self, method, part, seconds, times=1):
        self.add(method, part, lambda h, b: (time.sleep(seconds), h.reset()), times)

    def corrupt(self, method, part, times=1):
        def flip(status, headers, content):
            return status, headers, bytes([content[0] ^ 1]) + content[1:] if content else content
        self.add(method, part, lambda h, b: h.forward(b, flip), times)

    def truncate(self, method, part, times=1):
        def act(handler, body):
            status, headers, content = handler.ask(body)
            handler.send_response_only(status)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content[: len(content) // 2])
            handler.wfile.flush()
            handler.reset()
        self.add(method, part, act, times)

    def endless(self, method, part, times=1):
        def act(handler, _body):
            handler.send_response_only(200)
            handler.end_headers()
            handler.close_connection = True
            for _ in range(100000):
                try:
                    handler.wfile.write(b"x" * 65536)
                except OSError:
                    return
        self.add(method, part, act, times)

    def drip(self, method, part, seconds, times=1):
        def act(handler, _body):
            handler.send_response_only(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            for _ in range(int(seconds * 10)):
                try:
                    handler.wfile.write(b"x")
                    handler.wfile.flush()
                except OSError:
                    return
                time.sleep(0.1)
            handler.reset()
        self.add(method, part, act, times)
