"""A wait condition handle: S3 as a presigned PUT sees it, in signature versions 2 and 4, verified byte for byte.

What is refused here is what S3 refuses: a changed byte of the URL, a Content-Type or x-amz-* header that was not
signed, a signature that has expired. The body must be the JSON that CloudFormation expects.
"""

import base64
import calendar
import email.utils
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse

ACCESS_KEY = "AKIAHANDLEHANDLE0000"
SECRET = "handle/secret+"
FIELDS = {"Status", "Reason", "UniqueId", "Data"}


def sign_v4(method, host, path, query, when, region="us-east-1"):
    """The signature of a presigned URL (Amazon S3 API Reference, "Authenticating requests: query parameters")."""
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    pairs = sorted((k, v) for k, v in query if k != "X-Amz-Signature")
    canonical = "\n".join([
        method, path, "&".join(f"{urllib.parse.quote(k, '-_.~')}={urllib.parse.quote(v, '-_.~')}" for k, v in pairs),
        f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in (when[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def sign_v2(method, path, content_type, expires, amz_headers):
    amz = "".join(f"{k}:{v}\n" for k, v in sorted(amz_headers))
    text = f"{method}\n\n{content_type}\n{expires}\n{amz}{path}"
    return base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, code="", message=""):
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>R1</RequestId></Error>" if code else ""
        self.send_response_only(status)
        self.send_header("Date", email.utils.formatdate(usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def verify(self):
        """None, or the refusal as (status, code, message)."""
        path, _, text = self.path.removeprefix(f"http://{self.headers['Host']}").partition("?")  # whole where we are a proxy
        query = [tuple(urllib.parse.unquote(x) for x in part.partition("=")[::2]) for part in text.split("&")]
        given = dict(query)
        amz = [(k.lower(), v) for k, v in self.headers.items() if k.lower().startswith("x-amz-")]
        wrong = (403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        if "X-Amz-Signature" in given:
            if amz or self.headers.get("Content-Type"):
                return 403, "AccessDenied", "There were headers present in the request which were not signed"
            when = given["X-Amz-Date"]
            ends = calendar.timegm(time.strptime(when, "%Y%m%dT%H%M%SZ")) + int(given["X-Amz-Expires"])
            signature = sign_v4("PUT", self.headers["Host"], path, query, when)
            if not hmac.compare_digest(signature, given["X-Amz-Signature"]):
                return wrong
        else:
            ends = int(given.get("Expires", 0))
            signature = sign_v2("PUT", path, self.headers.get("Content-Type") or "", given.get("Expires"), amz)
            if not hmac.compare_digest(signature, given.get("Signature", "")):
                return wrong
        return (403, "AccessDenied", "Request has expired") if ends < time.time() else None

    def do_PUT(self):
        service = self.server.service
        service.tries += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if service.busy > 0:
            service.busy -= 1
            return self.answer(503, "SlowDown", "Please reduce your request rate")
        if service.denied:
            return self.answer(403, "AccessDenied", "Access Denied")
        refusal = self.verify()
        if refusal:
            return self.answer(*refusal)
        if service.finished:
            return self.answer(403, "AccessDenied", "Stack is in a state that takes no signals")
        signal = json.loads(body.decode("utf-8", "strict"))
        if set(signal) - FIELDS or len(body) > 4096 or signal["Status"] not in ("SUCCESS", "FAILURE"):
            return self.answer(400, "MalformedSignal")
        service.times.append(time.time())
        service.signals.setdefault(signal["UniqueId"], signal)  # the same id again is a retransmission
        return self.answer(200)

    def do_POST(self):
        self.answer(405)

    do_GET = do_POST


class Handle:
    def __enter__(self):
        self.signals, self.times, self.tries, self.busy, self.finished, self.denied = {}, [], 0, 0, False, False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.service = self
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # CloudFormation's handles look like this: an encoded ARN in the path, odd characters in the query.
    path = "/arn%3Aaws%3Acloudformation%3Aus-east-1%3A123456789012%3Astack/prod/6d/ControlNodeHandle"

    def url_v2(self, seconds=3600):
        expires = str(int(time.time()) + seconds)
        signature = urllib.parse.quote(sign_v2("PUT", self.path, "", expires, []), safe="")
        return f"http://{self.host}{self.path}?AWSAccessKeyId={ACCESS_KEY}&Expires={expires}&Signature={signature}"

    def url_v4(self, seconds=3600, host=None):
        host = host or self.host
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        query = [("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Date", when), ("X-Amz-SignedHeaders", "host"),
                 ("X-Amz-Expires", str(seconds)),
                 ("X-Amz-Credential", f"{ACCESS_KEY}/{when[:8]}/us-east-1/s3/aws4_request")]
        query.append(("X-Amz-Signature", sign_v4("PUT", host, self.path, query, when)))
        return f"http://{host}{self.path}?" + "&".join(f"{k}={urllib.parse.quote(v, safe='-_.~')}" for k, v in query)
