"""The cluster store against moto, which refuses lost conditional writes, and radosgw."""

import contextlib
import os
import pathlib
import signal
import tempfile
import threading
import time
import types

from front import Front
from probe import DENIED, EBADMSG, ETIMEDOUT, OK, REFUSED, STORE_TAKEN, finish, probe, start
from servers import Moto, Radosgw, run_aws
from tap import expect, expect_in, main

SET = ["docker/ca.pem=CERTIFICATE", "docker/ca-key.pem=KEY"]
counter = iter(range(1000))


@contextlib.contextmanager
def setup():
    with Moto() as moto, Front(moto.endpoint) as front:
        through = types.SimpleNamespace(endpoint=front.endpoint, region="us-east-1", token=moto.token, ca_file=None,
                                        access_key=moto.access_key, secret_key=moto.secret_key)
        yield types.SimpleNamespace(moto=moto, front=front, through=through)


def new_store():
    return f"s3://bucket/cluster-{next(counter)}"


def publish(peers, store, writer="i-1", mode="new", objects=SET, server=None, **variables):
    return probe("publish", store, writer, mode, *objects, server=server or peers.moto, **variables)


def wait(peers, store, seconds=5, server=None, **variables):
    return probe("wait", store, seconds, server=server or peers.moto, **variables)


def test_a_set_goes_through_the_store(peers):
    store = new_store()
    expect(publish(peers, store).outcome, OK)
    found = wait(peers, store)
    expect(found.objects, {"docker/ca.pem": "CERTIFICATE", "docker/ca-key.pem": "KEY"})
    expect(found.writer, "i-1")


def test_the_manifest_is_written_last(peers):
    peers.front.clear()
    publish(peers, new_store(), server=peers.through)
    names = [target.rsplit("/", 1)[1] for method, target, _ in peers.front.seen if method == "PUT"]
    expect(names, ["ca.pem", "ca-key.pem", "manifest.json"])


def test_every_write_is_conditional(peers):
    peers.front.clear()
    publish(peers, new_store(), server=peers.through)
    expect([h.get("If-None-Match") for m, _, h in peers.front.seen if m == "PUT"], ["*", "*", "*"])


def test_two_control_nodes_cannot_both_publish(peers):
    store = new_store()
    expect(publish(peers, store, "i-first").outcome, OK)
    second = publish(peers, store, "i-second", objects=["docker/ca.pem=OTHER", "docker/ca-key.pem=OTHERS"])
    expect(second.outcome, STORE_TAKEN)
    expect_in("another is there, published by 'i-first' of cluster 'prod'", second.error)
    expect(wait(peers, store).objects["docker/ca.pem"], "CERTIFICATE")


def test_two_that_race_have_one_winner(peers):
    for _ in range(5):
        store = new_store()
        racers = [start("publish", store, f"i-{n}", "new", f"docker/ca.pem=C{n}", f"docker/ca-key.pem=K{n}",
                        server=peers.moto) for n in range(2)]
        outcomes = sorted(finish(racer).outcome for racer in racers)
        expect(outcomes, [OK, STORE_TAKEN])
        found = wait(peers, store).objects
        expect(found["docker/ca.pem"][1], found["docker/ca-key.pem"][1], "an unmixed set")


def test_the_same_again_is_no_conflict(peers):
    store = new_store()
    expect(publish(peers, store).outcome, OK)
    expect(publish(peers, store).outcome, OK)


def test_killed_between_any_two_requests_a_second_run_completes_it(peers):
    for survivor in range(3):
        store = new_store()
        peers.front.clear()
        wanted = ("ca.pem", "ca-key.pem", "manifest.json")[survivor]
        peers.front.hang("PUT", f"{store[12:]}/docker/{wanted}", 30)
        running = start("publish", store, "i-1", "new", *SET, server=peers.through)
        end = time.monotonic() + 10
        while not any(wanted in target for _, target, _ in peers.front.seen) and time.monotonic() < end:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        expect(wait(peers, store, 0).outcome, ETIMEDOUT, f"nothing before {wanted}")
        expect(publish(peers, store).outcome, OK, f"completed after a kill at {wanted}")
        expect(wait(peers, store).objects["docker/ca-key.pem"], "KEY")


def test_killed_after_any_request_a_second_run_completes_it(peers):
    # The server has done what was asked, and the writer never heard of it.
    for wanted in ("ca.pem", "ca-key.pem", "manifest.json"):
        store = new_store()
        peers.front.clear()
        done = threading.Event()
        def swallow(handler, body, done=done):
            handler.ask(body)
            done.set()
            time.sleep(10)
            handler.reset()
        peers.front.add("PUT", f"{store[12:]}/docker/{wanted}", swallow)
        running = start("publish", store, "i-1", "new", *SET, server=peers.through)
        expect(done.wait(10), True, f"the write of {wanted}")
        running.send_signal(signal.SIGKILL)
        running.communicate()
        expect(publish(peers, store).outcome, OK, f"completed after a kill behind {wanted}")
        expect(wait(peers, store).objects["docker/ca-key.pem"], "KEY")


def test_an_answer_that_is_lost_is_no_conflict_with_oneself(peers):
    store = new_store()
    peers.front.clear()
    for wanted in ("ca.pem", "manifest.json"):
        peers.front.add("PUT", wanted, lambda h, b: (h.ask(b), h.reset()))
    expect(publish(peers, store, server=peers.through).outcome, OK)
    expect(wait(peers, store).writer, "i-1")


def test_a_replacement_replaces(peers):
    store = new_store()
    publish(peers, store)
    renewed = ["docker/ca.pem=RENEWED", "docker/ca-key.pem=KEY"]
    expect(publish(peers, store, objects=renewed).outcome, STORE_TAKEN)
    expect(publish(peers, store, mode="replace", objects=renewed).outcome, OK)
    expect(wait(peers, store).objects["docker/ca.pem"], "RENEWED")


def test_a_reader_waits_for_the_writer(peers):
    store = new_store()
    reader = start("wait", store, 20, server=peers.moto)
    time.sleep(1.5)
    began = time.monotonic()
    publish(peers, store)
    expect(finish(reader).outcome, OK)
    expect(time.monotonic() - began < 2, True, "seen soon")


def test_a_deadline_says_what_was_waited_for(peers):
    store = new_store()
    found = wait(peers, store, 2)
    expect(found.outcome, ETIMEDOUT)
    expect_in(f"cannot go on without '{store}/docker/manifest.json': not there after 1.", found.error)
    expect_in("its writer has not published it", found.error)


def test_an_object_that_differs_is_named(peers):
    store = new_store()
    publish(peers, store)
    path = f"/tmp/flocker-store-{os.getpid()}"
    pathlib.Path(path).write_text("SPOILED")
    try:
        run_aws(peers.moto, "s3api", "put-object", "--bucket", "bucket", "--key", f"{store[12:]}/docker/ca-key.pem", "--body", path)
    finally:
        os.unlink(path)
    found = wait(peers, store)
    expect(found.outcome, EBADMSG)
    expect_in("cannot use 'docker/ca-key.pem': it differs from what 'docker/manifest.json' says: expected 3 bytes", found.error)
    expect("SPOILED" in found.error, False, "the content in the sentence")


def test_an_object_that_is_missing_is_named(peers):
    store = new_store()
    publish(peers, store)
    run_aws(peers.moto, "s3api", "delete-object", "--bucket", "bucket", "--key", f"{store[12:]}/docker/ca.pem")
    found = wait(peers, store)
    expect(found.outcome, EBADMSG)
    expect_in("it names 'docker/ca.pem', which is not there", found.error)


def test_a_manifest_that_is_none_is_final(peers):
    store = new_store()
    peers.front.clear()
    peers.front.add("GET", "manifest.json", lambda h, b: h.answer(200, [], b"<html>hello</html>"), times=9)
    found = wait(peers, store, 20, server=peers.through)
    expect(found.outcome, EBADMSG)
    expect_in("cannot read 'docker/manifest.json': line 1", found.error)


def test_no_such_bucket_is_final_at_once(peers):
    began = time.monotonic()
    found = wait(peers, "s3://no-such-bucket/x", 30)
    expect(found.outcome, REFUSED)
    expect_in("NoSuchBucket", found.error)
    expect(time.monotonic() - began < 3, True, "at once")


def test_a_denial_without_the_right_to_list_may_be_an_absence(peers):
    with Moto(policy=[{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/other/*"}]) as moto:
        found = wait(peers, "s3://bucket/x", 2, server=moto)
        expect(found.outcome, ETIMEDOUT)
        expect_in("either its writer has not published it, or this machine may not read it", found.error)
        expect_in("403 AccessDenied", found.error)


def test_a_passing_fault_does_not_end_the_waiting(peers):
    store = new_store()
    publish(peers, store)
    peers.front.clear()
    peers.front.reset("GET", "manifest.json", times=4)
    peers.front.fail("GET", "manifest.json", 503, "SlowDown", times=1)
    expect(wait(peers, store, 30, server=peers.through).outcome, OK)


def test_a_write_outlasts_a_bad_network(peers):
    store = new_store()
    peers.front.clear()
    peers.front.reset("PUT", "ca.pem", times=7)
    expect(publish(peers, store, server=peers.through).outcome, OK)


def test_an_object_without_a_manifest_is_waited_for(peers):
    store = new_store()
    reader = start("wait-object", store, "swarm/worker.json", 20, server=peers.moto)
    time.sleep(1)
    publish(peers, store, objects=['swarm/worker.json={"token": "t"}'])
    found = finish(reader)
    expect((found.outcome, found.content), (OK, '{"token": "t"}'))
    found = probe("wait-object", store, "swarm/nothing.json", 1, server=peers.moto)
    expect(found.outcome, ETIMEDOUT)
    expect_in("/swarm/nothing.json': not there after", found.error)


# Purging is tried on radosgw alone: moto takes no signature for the right one whose query has "%2F" in it.

def test_what_was_purged_is_said_to_be(peers):
    with Radosgw() as radosgw:
        run_aws(radosgw, "s3api", "create-bucket", "--bucket", "bucket")
        publish(peers, "s3://bucket/p", server=radosgw)
        expect(probe("purge", "s3://bucket/p", server=radosgw).deleted, 1)
        expect_in("which is not there; the client's last step deletes private objects, unless keep-secrets",
                  wait(peers, "s3://bucket/p", server=radosgw).error)


def test_purging_deletes_what_is_older_than_versioning(peers):
    with Radosgw() as radosgw:
        run_aws(radosgw, "s3api", "create-bucket", "--bucket", "bucket")
        publish(peers, "s3://bucket/n", server=radosgw)
        run_aws(radosgw, "s3api", "put-bucket-versioning", "--bucket", "bucket", "--versioning-configuration", "Status=Enabled")
        found = probe("purge", "s3://bucket/n", server=radosgw)
        expect(found.outcome, OK, found.error)
        found = run_aws(radosgw, "s3api", "list-object-versions", "--bucket", "bucket", "--prefix", "n/docker/ca-key.pem") or {}
        expect(found.get("Versions"), None, "what is left of the key")


def test_purging_leaves_what_is_public(peers):
    with Radosgw() as radosgw:
        run_aws(radosgw, "s3api", "create-bucket", "--bucket", "bucket")
        publish(peers, "s3://bucket/x", objects=SET + ["flocker/nodes/1/node.key=K", "flocker/cluster.crt=C"], server=radosgw)
        publish(peers, "s3://bucket/x0", server=radosgw)
        expect(probe("purge", "s3://bucket/x", server=radosgw).deleted, 2)
        left = probe("list", "bucket", "x/", server=radosgw).keys
        expect(sorted(left), ["x/docker/ca.pem", "x/docker/manifest.json", "x/flocker/cluster.crt"])
        expect(wait(peers, "s3://bucket/x0", server=radosgw).outcome, OK, "the neighbour")


def test_purging_deletes_every_version(peers):
    with Radosgw() as radosgw:
        run_aws(radosgw, "s3api", "create-bucket", "--bucket", "bucket")
        run_aws(radosgw, "s3api", "put-bucket-versioning", "--bucket", "bucket", "--versioning-configuration", "Status=Enabled")
        publish(peers, "s3://bucket/v", server=radosgw)
        publish(peers, "s3://bucket/v", mode="replace", objects=["docker/ca.pem=C", "docker/ca-key.pem=SECOND"], server=radosgw)
        expect(probe("purge", "s3://bucket/v", server=radosgw).outcome, OK)
        found = run_aws(radosgw, "s3api", "list-object-versions", "--bucket", "bucket", "--prefix", "v/docker/ca-key.pem") or {}
        expect([found.get("Versions"), found.get("DeleteMarkers")], [None, None], "what is left of the key")


if __name__ == "__main__":
    main(globals())
