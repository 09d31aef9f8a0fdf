"""EC2's instance metadata service, version 2 only, after the EC2 User Guide. Strict.

    with Metadata(values={...}) as service: service.endpoint

Faults are attributes that tests set: disabled (403), unauthorized (401 for ever), html, role_absent (404, so
many times), fail (fail_status, so many times), hang_token, ahead. By hand: python3 metadata.py --port 1338
"""

import argparse
import datetime
import email.utils
import http.server
import json
import secrets
import socket
import threading
import time

IDENTITY = {
    "accountId": "123456789012", "architecture": "x86_64", "availabilityZone": "us-east-1a",
    "imageId": "ami-0123456789abcdef0", "instanceId": "i-0123456789abcdef0", "instanceType": "m3.large",
    "pendingTime": "2026-11-24T09:00:00Z", "privateIp": "10.0.0.10", "region": "us-east-1", "version": "2017-09-30",
}


def utc(seconds_from_now=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, text="", kind="text/plain"):
        body = text.encode()
        self.send_response_only(status)
        self.send_header("Date", email.utils.formatdate(time.time() + self.server.service.ahead, usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def blocked(self):
        service = self.server.service
        service.seen.append((self.command, self.path, dict(self.headers)))
        if service.html:
            self.answer(200, "<html><body>Welcome to the proxy</body></html>", "text/html")
        elif service.disabled:
            self.answer(403)
        elif service.fail > 0:
            service.fail -= 1
            self.answer(service.fail_status)
        else:
            return False
        return True

    def do_PUT(self):
        service = self.server.service
        if service.hang_token:
            time.sleep(service.hang_token)
            self.close_connection = True
            return
        if self.blocked():
            return
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token":
            self.answer(404)
        elif "X-Forwarded-For" in self.headers:
            self.answer(403)
        elif not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            self.answer(400)
        else:
            token = secrets.token_urlsafe(40)
            service.tokens[token] = time.monotonic() + min(int(ttl), service.token_seconds)
            self.answer(200, token)

    def do_GET(self):
        service = self.server.service
        if self.blocked():
            return
        ends = service.tokens.get(self.headers.get("X-aws-ec2-metadata-token", ""), 0)
        if service.unauthorized or ends < time.monotonic():
            self.answer(401)
            return
        path = self.path.removeprefix("/latest/")
        if path.startswith("meta-data/iam/security-credentials/") and service.role_absent > 0:
            service.role_absent -= 1
            self.answer(404)
            return
        value = service.values.get(path)
        if callable(value):
            value = value()
        if value is None:
            self.answer(404)
        else:
            self.answer(200, value)


class Metadata:
    def __init__(self, values=None, host="127.0.0.1", port=0, credentials=None, role_seconds=3600):
        self.host, self.port = host, port
        self.tokens, self.seen = {}, []
        self.token_seconds = 21600
        self.html = self.disabled = self.unauthorized = False
        self.fail_status = 500
        self.ahead = 0  # seconds, of its clock
        self.fail = self.role_absent = self.hang_token = 0
        keys = credentials or ("ASIATESTTESTTESTTEST", "role+secret/", "role-token")

        def role():
            return json.dumps({"Code": "Success", "LastUpdated": utc(), "Type": "AWS-HMAC", "AccessKeyId": keys[0],
                               "SecretAccessKey": keys[1], "Token": keys[2], "Expiration": utc(role_seconds)})

        self.values = {
            "meta-data/instance-id": IDENTITY["instanceId"],
            "meta-data/local-ipv4": IDENTITY["privateIp"],
            "meta-data/placement/availability-zone": IDENTITY["availabilityZone"],
            "meta-data/placement/region": IDENTITY["region"],
            "meta-data/services/domain": "amazonaws.com",
            "meta-data/services/partition": "aws",
            "meta-data/iam/security-credentials/": "node",
            "meta-data/iam/security-credentials/node": role,
            "dynamic/instance-identity/document": json.dumps(IDENTITY, indent=2),
            **(values or {}),
        }

    def __enter__(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        kind = type("Listener", (http.server.ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
        self.server = kind((self.host, self.port), Handler)
        self.server.service = self
        self.port = self.server.server_port
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.endpoint = f"http://{shown}:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="an instance metadata service on loopback")
    parser.add_argument("--port", type=int, default=1338)
    with Metadata(port=parser.parse_args().port) as running:
        print(f"AWS_EC2_METADATA_SERVICE_ENDPOINT={running.endpoint}", flush=True)
        while True:
            time.sleep(3600)
