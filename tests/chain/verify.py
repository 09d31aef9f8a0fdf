"""The client's verify, where control's engine and Flocker's control service answer through proxies that fail: what passes is asked
again, what is final is said at once."""

import contextlib
import http.client
import json
import pathlib
import ssl
import subprocess
import time
import types

from cloud import STORE, Serve, temporary
from engine import TLS_PORT, Connection
from front import Front
from keys import make_keys
from tap import expect, expect_in, main

FLOCKER_PORT = 4523
WORDS = ("--agents=1", "--swarm=builtin", "--keep-secrets=true")
AT_ONCE = 4  # seconds; asking again for as long as nodes are waited for takes a minute


def mint(folder, authority, address):
    """A certificate of the cluster's Docker CA, for an address of the test's."""
    (folder / "names").write_text(f"subjectAltName=IP:{address}\n")
    for words in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=front",
                   "-keyout", folder / "key.pem", "-out", folder / "request.pem"],
                  ["x509", "-req", "-in", folder / "request.pem", "-CA", authority / "ca.pem", "-CAkey", authority / "ca-key.pem",
                   "-set_serial", "99", "-days", "1", "-extfile", folder / "names", "-out", folder / "cert.pem"]):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    return serve_with(folder / "cert.pem", folder / "key.pem")


def serve_with(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def as_user(home, address):
    """A connection to the real control service, with the certificate that the client was given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(home / "cluster.crt")
    context.load_cert_chain(home / "user1.crt", home / "user1.key")
    return http.client.HTTPSConnection(address, FLOCKER_PORT, timeout=30, context=context)


def move_control(cloud, folder, address):
    """Who reads the members of the cluster finds control at this address."""
    for key in [key for key in cloud.keys() if key.endswith("/signalled.json")]:
        path = folder / "signalled.json"
        cloud.aws("s3", "cp", "--quiet", f"{STORE}/{key}", str(path))
        told = json.loads(path.read_text())
        if told["role"] == "control":
            path.write_text(json.dumps(told | {"address": address}))
            cloud.aws("s3", "cp", "--quiet", str(path), f"{STORE}/{key}")


@contextlib.contextmanager
def setup():
    """A cluster that is up, but for its client's last steps; in front of its control two proxies."""
    with temporary() as name, Serve(3) as cloud:
        folder, (control, agent, client) = pathlib.Path(name), cloud.machines
        dataset = folder / "control.yml"
        dataset.write_text(f"#!/usr/bin/flocker-bootstrap --role=control\nstore: {STORE}\n"
                           "dataset: {backend: loopback, root_path: /srv/loop}\n")
        for machine, role, words in ((control, "control", (f"--keys={make_keys(folder / 'keys', 5)}",)), (agent, "agent", ("--node=1",)),
                                     (client, "client", ("--until=install-client",))):
            found = machine.run(role, *WORDS, *words, document=dataset if role == "control" else None)
            expect(found.status, 0, found.out)
        address = control.address.rpartition(".")[0] + ".250"
        move_control(cloud, folder, address)
        flocker, home = control.root / "etc/flocker", client.root / "root/.flocker"
        with Front(lambda: Connection(control.root / "run/docker.sock"), (address, TLS_PORT),
                   mint(folder, control.root / "var/lib/flocker-bootstrap/docker-ca", address)) as engine, \
                Front(lambda: as_user(home, control.address), (address, FLOCKER_PORT),
                      serve_with(flocker / "control-service.crt", flocker / "control-service.key")) as service:
            yield types.SimpleNamespace(client=client, engine=engine, service=service)


def verify(fixture):
    began = time.monotonic()
    found = fixture.client.run("client", *WORDS, "--only=verify")
    return found, time.monotonic() - began


def refuse(front, part, status, message, times):
    front.add("GET", part, lambda handler, _: handler.answer(status, [], json.dumps({"message": message}).encode()), times)


@contextlib.contextmanager
def afresh(fixture):
    for front in fixture.engine, fixture.service:
        front.clear()
    yield fixture.engine, fixture.service


def count(front, part):
    return sum(part in target for _, target, _ in front.seen)


def test_nothing_fails_and_each_is_asked_once(fixture):
    with afresh(fixture) as (engine, service):
        found, _ = verify(fixture)
        expect((found.status, found.done), (0, ["read-instance", "verify"]), found.out)
        expect((count(engine, "/nodes"), count(service, "/v1/state/nodes")), (1, 1))


def test_what_passes_is_asked_again(fixture):
    with afresh(fixture) as (engine, service):
        refuse(engine, "/_ping", 503, "not now", 1)
        engine.reset("GET", "/_ping")
        refuse(engine, "/nodes", 503, "rpc error: code = Unavailable", 1)
        engine.reset("GET", "/nodes")
        refuse(service, "/v1/state/nodes", 500, "not now", 1)
        service.reset("GET", "/v1/state/nodes")
        found, _ = verify(fixture)
        expect((found.status, found.done), (0, ["read-instance", "verify"]), found.out)
        expect((count(engine, "/_ping"), count(engine, "/nodes"), count(service, "/v1/state/nodes")), (3, 3, 3))


def test_an_engine_that_refuses_is_final(fixture):
    for part, status, message in (("/_ping", 403, "authorization denied by plugin"), ("/nodes", 403, "authorization denied by plugin"),
                                  ("/nodes", 503, "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.")):
        with afresh(fixture) as (engine, _):
            refuse(engine, part, status, message, 99)
            found, took = verify(fixture)
            expect((found.status != 0, took < AT_ONCE, count(engine, part)), (True, True, 1), f"{took:.1f} s {found.out}")
            expect_in(f"says ({status}): {message}", found.out)


def test_an_engine_that_is_silent_is_not_waited_for(fixture):
    with afresh(fixture) as (engine, _):
        engine.hang("GET", "/_ping", 99)
        found, took = verify(fixture)
        expect((found.status != 0, took < 15), (True, True), f"{took:.1f} s {found.out}")
        expect_in("the connection stands, but no whole answer came before the deadline", found.out)


def test_a_control_service_that_refuses_is_final(fixture):
    with afresh(fixture) as (_, service):
        refuse(service, "/v1/state/nodes", 403, "the client's certificate is none of a user", 99)
        found, took = verify(fixture)
        expect((found.status != 0, took < AT_ONCE, count(service, "/v1/state/nodes")), (True, True, 1), f"{took:.1f} s {found.out}")
        expect_in("/v1/state/nodes': it answers 403: ", found.out)


if __name__ == "__main__":
    main(globals())
