"""flocker-template as its user runs it."""

import os
import pathlib
import subprocess
import types

TEMPLATE = os.environ["TEMPLATE"]
RUN_SECONDS = 50


def environment_of(server=None, **variables):
    values = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"}
    if server:
        values |= {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
                   "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": server.region}
        if server.token:
            values["AWS_SESSION_TOKEN"] = server.token
        if server.ca_file:
            values["AWS_CA_BUNDLE"] = server.ca_file
    values |= {name: str(value) for name, value in variables.items()}
    return {name: value for name, value in values.items() if value != ""}


def run(*words, server=None, text=None, folder=None, **variables):
    done = subprocess.run([TEMPLATE, *map(str, words)], input=text, env=environment_of(server, **variables), cwd=folder,
                          capture_output=True, text=True, timeout=RUN_SECONDS)
    return types.SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


def created(*words):
    """A template that `create` prints."""
    done = run("create", "--components=docker,swarm", *words)
    if done.status:
        raise AssertionError(done.err)
    return done.out


def write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    return path
