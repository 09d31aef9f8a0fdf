"""Real machines whose S3 is a real server, outside their network: radosgw, by the relay on their bridge."""

import contextlib
import hashlib
import os
import pathlib
import re
import time
import types
import unittest.mock

import botocore.config
import botocore.session

from engine import Connection
from machines import Stack, steps_done
from servers import Radosgw, run_aws
from tap import expect, expect_in, main

BUCKET, STORE = "cluster", "172.31.7.3"
UP_SECONDS = 40
LARGE = 48 * 1024 * 1024
GROWTH_MAX = 24 * 1024 * 1024  # of the rehearsal, while it passes twice as much


@contextlib.contextmanager
def setup():
    with Radosgw() as server:
        run_aws(server, "s3api", "create-bucket", "--bucket", BUCKET)
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        with unittest.mock.patch.dict(os.environ, keys), \
                Stack(f"--s3={server.endpoint}/{BUCKET}", "--components=docker,swarm", "--agents=1") as stack:
            yield types.SimpleNamespace(server=server, stack=stack.wait())


def at_relay(server):
    """The server's address, as the machines know it."""
    return server.endpoint.replace("127.0.0.1", STORE)


def presign(server, operation, key):
    """A URL that a machine can ask without credentials."""
    client = botocore.session.get_session().create_client(
        "s3", region_name=server.region, endpoint_url=at_relay(server), aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key, config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    return client.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": key})


def resident(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) * 1024


def test_the_stack_comes_up_soon(fixture):
    when, _ = fixture.stack.wait_line(r" CREATE_COMPLETE +AWS::CloudFormation::Stack ")
    took = when - fixture.stack.lines[0][0]
    expect(took < UP_SECONDS, True, f"{took:.1f} s")


def test_its_objects_are_the_servers(fixture):
    listed = {item["Key"].partition("/")[2] for item in run_aws(fixture.server, "s3api", "list-objects-v2", "--bucket", BUCKET)["Contents"]}
    expect({"docker/ca.pem", "docker/manifest.json"} - listed, set(), listed)
    expect({"docker/ca-key.pem", "swarm/worker.json"} & listed, set(), "private objects that were not purged")
    expect(sum(key.endswith("/signalled.json") for key in listed), 3, listed)


def test_the_machines_are_told_where_it_is_and_nothing_else_leads_out(fixture):
    machine = fixture.stack["AgentNode1"]
    endpoint = f"AWS_ENDPOINT_URL_S3={at_relay(fixture.server)}"
    expect_in(endpoint, machine.read("etc/environment").splitlines())
    expect_in(endpoint, machine.run("systemctl", "show-environment").out.splitlines())
    port = fixture.server.endpoint.rpartition(":")[2]
    refused = machine.run("curl", "-sS", "--max-time", "3", f"http://172.31.7.1:{port}/", status=7)
    expect_in("onnect", refused.out)


def test_a_second_run_by_hand_asks_it_too(fixture):
    for name, role in (("ControlNode", "control"), ("AgentNode1", "agent")):
        machine = fixture.stack[name]
        out = machine.run("flocker-bootstrap", f"--role={role}", environment={"AWS_ENDPOINT_URL_S3": at_relay(fixture.server)}).out
        expect(steps_done(out) - {"read-instance", "verify"}, set(), f"{name}: {out}")


def test_much_passes_both_ways_and_little_waits(fixture):
    """Up and down at once, by two machines, the one slower than the server gives and the other faster than it takes."""
    content = os.urandom(LARGE)
    control, agent = fixture.stack["ControlNode"], fixture.stack["AgentNode1"]
    control.put("run/large", content)
    before = resident(fixture.stack.process)
    up = presign(fixture.server, "put_object", "large")
    control.run("curl", "-sS", "--fail", "--max-time", "50", "--upload-file", "/run/large", up)
    down = agent.start("curl", "-sS", "--fail", "--max-time", "50", "--limit-rate", "8M", "--output", "/run/back",
                       presign(fixture.server, "get_object", "large"))
    again = control.start("curl", "-sS", "--fail", "--max-time", "50", "--upload-file", "/run/large", up)
    largest = before
    while down.poll() is None or again.poll() is None:
        largest = max(largest, resident(fixture.stack.process))
        time.sleep(0.05)
    expect((down.wait(), again.wait()), (0, 0), down.stdout.read() + again.stdout.read())
    expect(largest - before < GROWTH_MAX, True, f"{(largest - before) >> 20} MiB more")
    expect(agent.run("sha256sum", "/run/back").out.split()[0], hashlib.sha256(content).hexdigest())


def test_the_control_socket_says_where_the_store_is(fixture):
    fixture.stack.machines()
    with contextlib.closing(Connection(fixture.stack.control_path)) as connection:
        connection.request("GET", f"/store/{BUCKET}")
        response = connection.getresponse()
        expect((response.status, response.read().decode()), (404, f"the store is at '{fixture.server.endpoint}/{BUCKET}'\n"))


def test_a_server_that_is_gone_is_named(fixture):
    """The last test: nothing is behind the relay any more."""
    fixture.server.process.kill()
    fixture.server.process.wait()
    machine = fixture.stack["AgentNode1"]
    done = machine.run("curl", "-sS", "--max-time", "10", at_relay(fixture.server), status=None)
    expect(done.status in (52, 56), True, f"curl: {done.status} {done.out}")
    address = fixture.server.endpoint.removeprefix("http://")
    _, said = fixture.stack.wait_line(r"^flocker-rehearsal: cannot pass .*", 5)
    expect(said[0], f"flocker-rehearsal: cannot pass a machine's request on to '{address}': Connection refused")


if __name__ == "__main__":
    main(globals())
