"""The metadata service: version 2 alone, its bad days, and the credentials that come from it."""

import os
import pathlib
import subprocess
import tempfile
import threading

from metadata import Metadata
from probe import EACCES, EHOSTUNREACH, ENOENT, EPROTO, ETIMEDOUT, probe
from servers import free_port
from tap import expect, expect_in, main


def ask(service, *words, **variables):
    endpoint = service if isinstance(service, str) else service.endpoint
    return probe(*words, AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint, **variables)


def test_a_value_is_read_with_a_token():
    with Metadata() as service:
        expect(ask(service, "metadata", "meta-data/instance-id").value, "i-0123456789abcdef0")
        expect([seen[0] for seen in service.seen], ["PUT", "GET"])


def test_the_identity_document():
    with Metadata() as service:
        found = ask(service, "identity")
        expect(found.instance, "i-0123456789abcdef0")
        expect(found.launched, 1795510800 * 1000000)


def test_an_absent_value_is_an_outcome():
    with Metadata() as service:
        expect(ask(service, "metadata", "meta-data/public-ipv4").outcome, 1)


def test_a_proxy_is_never_asked():
    with Metadata() as service:
        found = ask(service, "metadata", "meta-data/instance-id", http_proxy="http://127.0.0.1:1")
        expect(found.value, "i-0123456789abcdef0")


def test_an_expired_token_is_renewed():
    with Metadata() as service:
        service.token_seconds = 0
        done = threading.Timer(0.3, lambda: setattr(service, "token_seconds", 100))
        done.start()
        found = ask(service, "metadata", "meta-data/instance-id")
        done.join()
        expect([seen[0] for seen in service.seen][:4], ["PUT", "GET", "PUT", "GET"])
        expect(found.outcome, EACCES)


def test_401_for_ever_is_final():
    with Metadata() as service:
        service.unauthorized = True
        found = ask(service, "metadata", "meta-data/instance-id")
        expect(found.outcome, EACCES)
        expect_in("401, also with a fresh session token", found.error)


def test_turned_off_is_said():
    with Metadata() as service:
        service.disabled = True
        found = ask(service, "metadata", "meta-data/instance-id")
        expect(found.outcome, EACCES)
        expect_in("403: it is turned off for this instance (HttpEndpoint)", found.error)


def test_a_web_page_is_no_metadata_service():
    with Metadata() as service:
        service.html = True
        found = ask(service, "metadata", "meta-data/instance-id")
        expect(found.outcome, EPROTO)
        expect_in("what answers there is no metadata service", found.error)


def test_a_passing_fault_is_waited_out():
    for status in (500, 503, 429):
        with Metadata() as service:
            service.fail, service.fail_status = 2, status
            expect(ask(service, "metadata", "meta-data/instance-id").outcome, 0, str(status))


def test_a_token_that_is_refused_is_final():
    for status in (400, 401, 404, 405):
        with Metadata() as service:
            service.fail, service.fail_status = 100, status
            found = ask(service, "metadata", "meta-data/instance-id")
            expect((found.outcome, len(service.seen)), (EPROTO, 1), str(status))
            expect_in(f"cannot read a session token from the metadata service at '{service.endpoint}': it answered {status}", found.error)


def test_a_token_that_never_comes_is_explained():
    with Metadata() as service:
        service.hang_token = 20
        found = ask(service, "metadata", "meta-data/instance-id", DEADLINE=2)
        expect(found.outcome, ETIMEDOUT)
        expect_in("HttpPutResponseHopLimit", found.error)


def test_a_service_that_comes_late_is_waited_for():
    port = free_port()
    late = threading.Timer(0.5, lambda: services.append(Metadata(port=port).__enter__()))
    services = []
    late.start()
    try:
        found = ask(f"http://127.0.0.1:{port}", "metadata", "meta-data/instance-id", METADATA_WAIT=20)
        expect(found.outcome, 0)
    finally:
        late.join()
        services[0].__exit__()


def test_nobody_there_is_no_instance():
    found = ask(f"http://127.0.0.1:{free_port()}", "metadata", "meta-data/instance-id")
    expect(found.outcome, EHOSTUNREACH)
    expect_in("is this an EC2 instance, with its metadata service turned on?", found.error)


def test_over_ipv6():
    with Metadata(host="::1") as service:
        expect(ask(service, "metadata", "meta-data/instance-id").outcome, 0)


def test_a_wrong_endpoint_is_named():
    found = ask("ftp://x", "metadata", "meta-data/instance-id")
    expect_in("cannot use AWS_EC2_METADATA_SERVICE_ENDPOINT: cannot use the URL 'ftp://x'", found.error)


def test_credentials_of_the_role():
    with Metadata() as service:
        found = ask(service, "credentials")
        expect(found.id, "ASIATESTTESTTESTTEST")
        expect(found.source, "instance profile role 'node'")


def test_a_role_that_is_late_is_waited_for():
    with Metadata() as service:
        service.role_absent = 3
        expect(ask(service, "credentials").outcome, 0)


def test_no_role_is_said():
    with Metadata() as service:
        service.role_absent = 1000
        found = ask(service, "credentials", DEADLINE=2)
        expect(found.outcome, ENOENT)
        expect_in("the instance has no instance profile", found.error)


def test_a_wrong_clock_is_said():
    for ahead, said in ((200, ""), (7200, "this machine's clock is 1 h 59 min behind the metadata service's"),
                        (-90000, "this machine's clock is 1 d 1 h ahead of the metadata service's")):
        with Metadata() as service, tempfile.TemporaryDirectory() as root:
            service.ahead = ahead
            pathlib.Path(root, "document").write_text('store: "s3://bucket/c"\nagents: 1\ncomponents: [docker, swarm]\n')
            done = subprocess.run([os.environ["PROGRAM"], "--role=control", f"--root={root}", "--dry-run", "--only=read-instance", f"{root}/document"],
                                  env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint}, capture_output=True, text=True, timeout=30)
            expect((done.returncode, "clock" in done.stdout), (0, bool(said)), done.stdout + done.stderr)
            expect_in(said, done.stdout)


def test_a_truncated_document_is_refused():
    with Metadata(values={"dynamic/instance-identity/document": '{"instanceId": "i-0'}) as service:
        found = ask(service, "identity")
        expect(found.outcome, -74)
        expect_in("cannot read 'the instance identity document': line 1", found.error)


if __name__ == "__main__":
    main(globals())
