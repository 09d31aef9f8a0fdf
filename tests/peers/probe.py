"""Runs tests/programs/probe; what came of it is an object: .outcome, .error, .code, and what the command gives."""

import json
import os
import subprocess
import types

# s3/object.h, s3/store.h, aws/session.h, aws/metadata.h, aws/signal.h
OK, NOT_FOUND, NOT_MODIFIED, EXISTS, DENIED, REFUSED = range(6)
STORE_TAKEN = 65
ENOENT, EACCES, EBADMSG, EFBIG, EPROTO = -2, -13, -74, -27, -71
EDOM, ETIMEDOUT, ECONNREFUSED, ECONNRESET, EHOSTUNREACH = -33, -110, -111, -104, -113


def environment_of(server=None, **variables):
    values = {"PATH": "/usr/bin:/bin"}
    if server:
        values |= {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
                   "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": server.region}
        if server.token:
            values["AWS_SESSION_TOKEN"] = server.token
        if server.ca_file:
            values["AWS_CA_BUNDLE"] = server.ca_file
    values |= {name: str(value) for name, value in variables.items() if value is not None}
    return {name: value for name, value in values.items() if value != ""}


def start(*words, server=None, **variables):
    return subprocess.Popen([os.environ["PROBE"], *map(str, words)], env=environment_of(server, **variables),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, seconds=50):
    out, err = process.communicate(timeout=seconds)
    if not out:
        raise AssertionError(f"the probe ended with {process.returncode} and said {err!r}")
    return types.SimpleNamespace(**json.loads(out))


def probe(*words, server=None, **variables):
    return finish(start(*words, server=server, **variables))
