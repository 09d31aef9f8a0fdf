"""Requests as they stand, by nobody's library, and botocore's signatures for them."""

import contextlib
import http.client
import json
import types
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions


def refusal(call, **arguments):
    """Status and code of what must fail."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    raise AssertionError(f"{arguments}: expected a refusal")


def send(url, method, target, body=b"", headers=None):
    """A request as it stands, by nobody's library: status, headers, body."""
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    with contextlib.closing(connection):
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": address.netloc, "Content-Length": str(len(body))} | (headers or {})).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return types.SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())


def sign(server, method, target, body=b"", headers=None, secret=None, service="s3", region="us-east-1", signer=None, at=None, access_key=None):
    """The headers of a request that botocore has signed."""
    request = botocore.awsrequest.AWSRequest(method, server.endpoint + target, data=body, headers=headers or {})
    keys = botocore.credentials.Credentials(access_key or server.access_key, secret or server.secret_key, server.token or None)
    signing = (signer or botocore.auth.S3SigV4Auth)(keys, service, region)
    if at:
        request.context["timestamp"] = at
    signing.add_auth(request)
    return dict(request.headers)


def code_of(answer):
    text = answer.body.decode()
    return answer.status, text.partition("<Code>")[2].partition("</Code>")[0] or json.loads(text or "{}").get("__type", "")
