"""The roles, step by step, on machines of the embedded cloud: happy, again, dry, late, killed, failing."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import types

import yaml

from cloud import PROGRAM, STORE, Serve, finish, temporary
from handle import Handle
from keys import make_keys
from tap import expect, expect_in, main

PLAIN = ("--components=docker,swarm", "--agents=1")
CONTROL = ["read-instance", "make-docker-ca", "publish-docker-ca", "mint-docker-cert", "configure-docker", "start-swarm",
           "make-flocker-ca", "make-flocker-certs", "publish-flocker", "install-flocker", "start-flocker", "verify", "signal"]
AGENT = ["read-instance", "fetch-docker-ca", "mint-docker-cert", "configure-docker", "join-swarm", "fetch-flocker",
         "install-flocker", "start-flocker", "verify", "signal"]
CLIENT = ["read-instance", "fetch-docker-ca", "mint-client-cert", "fetch-flocker", "install-client", "verify",
          "purge-secrets", "signal"]
DATASET = "dataset: {backend: loopback, root_path: /var/lib/flocker/loopback}\n"


@contextlib.contextmanager
def setup():
    with temporary() as folder:
        yield types.SimpleNamespace(keys=make_keys(f"{folder}/keys", 9), folder=pathlib.Path(folder))


def plain_chain(cloud):
    control, agent, client = cloud.machines[:3]
    for machine, role, words in ((control, "control", ()), (agent, "agent", ("--node=1",)), (client, "client", ("--keep-secrets=true",))):
        found = machine.run(role, *PLAIN, *words)
        expect(found.status, 0, found.out)


def write_document(fixture, role, name, **more):
    """A document that asks for everything, for a cluster of one agent."""
    text = f"#!/usr/bin/flocker-bootstrap --role={role}\nstore: {STORE}\nagents: {more.pop('agents', 1)}\nkeep-secrets: true\n"
    if role == "control":
        text += DATASET
    text += "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in more.items())
    path = fixture.folder / name
    path.write_text(text)
    return path


def test_each_step_once_and_never_again():
    with Serve(3) as cloud:
        plain_chain(cloud)
        trees = [machine.tree() for machine in cloud.machines]
        for machine, role, words in zip(cloud.machines, ("control", "agent", "client"), ((), ("--node=1",), ("--keep-secrets=true",))):
            found = machine.run(role, *PLAIN, *words)
            expect(found.status, 0, found.out)
            expect(set(found.done) <= {"read-instance", "verify", "purge-secrets"}, True, found.out)
        expect([machine.tree() for machine in cloud.machines] == trees, True, "what a second run changed")


def test_all_of_it_with_flocker(fixture):
    with Serve(3) as cloud:
        documents = [write_document(fixture, role, f"{role}.yml", **more)
                     for role, more in (("control", {}), ("agent", {"node": 1}), ("client", {}))]
        for machine, role, document, steps in zip(cloud.machines, ("control", "agent", "client"), documents, (CONTROL, AGENT, CLIENT)):
            found = finish(machine.start(f"--role={role}", *([f"--keys={fixture.keys}"] if role == "control" else []), document=document))
            expect(found.status, 0, found.out)
            expect([e["step"] for e in machine.journal() if e["event"] == "started"], steps)
        agent = cloud.machines[1]
        expect(sorted(path.name for path in (agent.root / "etc/flocker").iterdir()),
               ["agent.yml", "cluster.crt", "node.crt", "node.key", "plugin.crt", "plugin.key"])
        expect({path.stat().st_mode & 0o777 for path in (agent.root / "etc/flocker").iterdir()}, {0o600})
        expect((agent.root / "etc/flocker").stat().st_mode & 0o777, 0o700)
        expect([path.name for path in cloud.machines[0].root.rglob("cluster.key")] != [], True)
        expect([key for key in cloud.keys() if "cluster.key" in key], [], "the cluster CA's key in the store")
        done = subprocess.run([PROGRAM, "certs", "verify", str(agent.root / "etc/flocker")], capture_output=True, text=True)
        expect((done.returncode, done.stdout), (0, "3 certificates, 0 faults\n"))
        for home in ("root", "home/ubuntu"):
            expect(ask_flocker(cloud.machines[2], home), 1)


def ask_flocker(client, home):
    """As flockerctl does it, with nothing but what a login gives: how many nodes the control service has."""
    script = (f". {client.root}/etc/profile.d/flocker-bootstrap.sh; cd $FLOCKER_CERTS_PATH; stat -c %a user1.key >&2; exec curl -s --cacert cluster.crt "
              "--cert $FLOCKER_USER.crt --key $FLOCKER_USER.key --connect-to control-service:4523:$FLOCKER_CONTROL_SERVICE:4523 https://control-service:4523/v1/state/nodes")
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(client.root / home)})
    expect((done.returncode, done.stderr), (0, "600\n"), "exit status of curl, mode of the key")
    return len(json.loads(done.stdout))


def test_a_dry_run_says_all_and_changes_nothing():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        before = control.tree()
        found = control.run("control", *PLAIN, "--dry-run")
        expect(found.status, 0, found.out)
        for what in ("make the Docker CA of 'flocker'", "publish docker/ca.pem", "mint a certificate for " + control.address,
                     "write /etc/docker/daemon.json: {", "restart docker.service", "make a Swarm at " + control.address, "signal nobody"):
            expect_in(what, found.out)
        expect(control.tree() == before, True, "what a dry run changed")
        expect(cloud.keys(), [])


def test_a_classic_manager_is_started_once():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        words = ("--swarm=classic", *PLAIN)
        for done in (True, False):
            found = control.run("control", *words)
            expect((found.status, "start-swarm" in found.done), (0, done), found.out)
        expect(control.read("var/lib/flocker-bootstrap/swarm/members"), f"{control.address}:2375\n")


def test_only_from_until():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        found = control.run("control", *PLAIN, "--only=verify")
        expect(found.status, 66, found.out)
        expect_in("verify: cannot open 'etc/docker/tls/ca.pem': No such file or directory; mint-docker-cert makes it", found.out)
        found = control.run("control", *PLAIN, "--until=publish-docker-ca")
        expect((found.status, found.done[-1]), (0, "publish-docker-ca"), found.out)
        expect((control.root / "etc/docker/tls").exists(), False)
        found = control.run("control", *PLAIN, "--only=mint-docker-cert")
        expect((found.status, found.done), (0, ["read-instance", "mint-docker-cert"]), found.out)
        found = control.run("control", *PLAIN, "--from=configure-docker")
        expect((found.status, found.done), (0, ["read-instance", "configure-docker", "start-swarm", "verify", "signal"]), found.out)
        found = control.run("control", *PLAIN, "--only=mint-docker-crt")
        expect(found.status, 64)
        expect_in("there is no such step (did you mean 'mint-docker-cert'?); the role's steps are read-instance, make-docker-ca", found.out)


def test_the_journal_is_printed_as_it_is_written():
    """--json: one object a line, the same in the file; a step that was killed or hung has failed there too."""
    with Serve(1) as cloud:
        control = cloud.machines[0]
        found = control.run("control", *PLAIN, "--json", "--dry-run")
        lines = [json.loads(line) for line in found.out.splitlines()]
        expect((found.status, [one["what"] for one in lines if one["event"] == "would" and one["step"] == "publish-docker-ca"]),
               (0, ["publish docker/ca.pem, docker/ca-key.pem and docker/manifest.json"]), found.out)
        for words, error in (((), None), (("--fault=verify:kill",), "cannot finish 'verify': the worker was ended by signal 9")):
            found = control.run("control", *PLAIN, "--json", *words)
            printed = [line for line in found.out.splitlines() if line.startswith("{")]
            expect([json.loads(line) for line in printed], control.journal())
            last = control.journal()[-1]
            if error:
                expect((last["step"], last["event"], last["instance"][:2]), ("verify", "failed", "i-"))
                expect_in(error, last["error"])
            else:
                expect((last["step"], last["event"]), ("signal", "done"))


def shape(cloud, machine):
    """What a role leaves: its files with their modes, and the store's objects; without what a failure adds, and what is random in names."""
    files = {name: mode for name, (mode, _) in machine.tree().items()}
    objects = {re.sub(r"i-[0-9a-f]{17}", "INSTANCE", key) for key in cloud.keys() if not key.endswith("evidence.json")}
    return files, objects


ROLES = {"control": CONTROL, "agent": AGENT, "client": CLIENT}


def run_roles(fixture, cloud, until, killed_at=()):
    """All roles up to one, which is killed at each of the steps before it is run; (its machine, its command line, its last run)."""
    for machine, role in zip(cloud.machines, ROLES):
        document = write_document(fixture, role, f"{role}.yml", **({"node": 1} if role == "agent" else {}))
        words = [f"--role={role}"] + ([f"--keys={fixture.keys}"] if role == "control" else [])
        for step in killed_at if role == until else ():
            found = finish(machine.start(*words, f"--fault={step}:kill", document=document))
            expect(found.status, 70, f"{role} killed at {step}: {found.out}")
            expect_in(f"cannot finish '{step}': the worker was ended by signal 9", found.out)
        found = finish(machine.start(*words, document=document))
        expect(found.status, 0, f"{role}: {found.out}")
        if role == until:
            return machine, lambda: finish(machine.start(*words, document=document))


def check_kills(fixture, role):
    """The state behind them is that of an undisturbed run: the same files, and the same objects in the store."""
    with Serve(3) as cloud:
        wanted = shape(cloud, run_roles(fixture, cloud, role)[0])
    with Serve(3) as cloud:
        machine, run_again = run_roles(fixture, cloud, role, ROLES[role])
        expect(shape(cloud, machine), wanted, f"what {role} leaves behind kills")
        again = run_again()
        expect((again.status, set(again.done) <= {"read-instance", "verify", "purge-secrets"}), (0, True), again.out)


def test_a_control_that_was_killed_at_each_step_is_as_any_other(fixture):
    check_kills(fixture, "control")


def test_an_agent_that_was_killed_at_each_step_is_as_any_other(fixture):
    check_kills(fixture, "agent")


def test_a_client_that_was_killed_at_each_step_is_as_any_other(fixture):
    check_kills(fixture, "client")


def test_a_kill_of_everything_is_mended_too(fixture):
    """Parent and worker at once, at odd moments, as a power cut would."""
    with Serve(2) as cloud:
        control = cloud.machines[0]
        document = write_document(fixture, "control", "cut.yml")
        words = ["--role=control", f"--keys={fixture.keys}"]
        for milliseconds in (5, 10, 15, 20, 30, 40, 60, 80, 110, 150, 200, 260):
            process = control.start(*words, document=document)
            time.sleep(milliseconds / 1000)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.communicate()
        found = finish(control.start(*words, document=document))
        expect(found.status, 0, found.out)
        found = finish(cloud.machines[1].start("--role=agent", document=write_document(fixture, "agent", "a.yml", node=1)))
        expect(found.status, 0, found.out)


def test_a_set_whose_removal_was_cut_short_has_left_already(fixture):
    """It is taken off the disk, file by file, when it is in the store, or control's own in /etc/flocker."""
    with Serve(1) as cloud:
        control = cloud.machines[0]
        words = ["--agents=1", f"--keys={fixture.keys}"]
        document = write_document(fixture, "control", "short.yml")
        expect(finish(control.start("--role=control", *words, document=document)).status, 0)
        bundles = control.root / "var/lib/flocker-bootstrap/bundles"
        rests = [bundles / "flocker/nodes/1/node.key", bundles / "control/control-service.key"]
        for rest in rests:
            rest.parent.mkdir(0o700, parents=True)
            rest.write_text("what is left of it")
        published = cloud.aws("s3", "cp", f"{STORE}/flocker/nodes/1/node.key", "-")
        found = finish(control.start("--role=control", *words, document=document))
        expect((found.status, [rest.parent.exists() for rest in rests]), (0, [False, False]), found.out)
        expect(cloud.aws("s3", "cp", f"{STORE}/flocker/nodes/1/node.key", "-"), published)


def test_control_may_boot_last():
    with Serve(3) as cloud:
        control, agent, client = cloud.machines
        early = [agent.start("--role=agent", f"--store={STORE}", "--node=1", *PLAIN), client.start("--role=client", f"--store={STORE}", *PLAIN)]
        time.sleep(1.5)
        expect([process.poll() for process in early], [None, None])
        expect(control.run("control", *PLAIN).status, 0)
        for process in early:
            found = finish(process)
            expect(found.status, 0, found.out)
        expect([key for key in cloud.keys() if key.endswith(".key") or "ca-key" in key or "worker" in key], [], "what the client left")


def test_two_starters_are_one():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        found = [finish(process) for process in [control.start("--role=control", f"--store={STORE}", *PLAIN) for _ in range(3)]]
        expect([one.status for one in found], [0, 0, 0], "\n".join(one.out for one in found))
        expect(sum("make-docker-ca" in one.done for one in found), 1)
        expect(sum("another run is under way: waiting for it" in one.out for one in found) >= 1, True)


def test_a_store_that_another_control_has_filled():
    with Serve(2) as cloud:
        expect(cloud.machines[0].run("control", *PLAIN).status, 0)
        before = cloud.keys()
        found = cloud.machines[1].run("control", *PLAIN)
        expect(found.status, 73, found.out)
        expect_in("publish-docker-ca: cannot publish", found.out)
        expect(cloud.keys(), sorted(before + [key for key in cloud.keys() if key.endswith("evidence.json")]))


def test_more_agents_later(fixture):
    with Serve(3) as cloud:
        control = cloud.machines[0]
        words = ["--role=control", f"--keys={fixture.keys}"]
        expect(finish(control.start(*words, document=write_document(fixture, "control", "one.yml"))).status, 0)
        first = [key for key in cloud.keys() if "nodes/1/" in key]
        ca = control.read("etc/flocker/cluster.crt")
        found = finish(control.start(*words, document=write_document(fixture, "control", "two.yml", agents=2)))
        expect(found.status, 0, found.out)
        expect(("make-flocker-certs" in found.done, "make-flocker-ca" in found.done), (True, False), found.out)
        expect(control.read("etc/flocker/cluster.crt"), ca)
        expect([key for key in cloud.keys() if "nodes/1/" in key], first)
        expect(len([key for key in cloud.keys() if "nodes/2/" in key]), 5)
        for number in (1, 2):
            found = finish(cloud.machines[number].start("--role=agent", document=write_document(
                fixture, "agent", f"agent{number}.yml", node=number, agents=2)))
            expect(found.status, 0, found.out)


def test_failures_are_told_within_a_second(fixture):
    """FAILURE at the handle, with step and cause, however the worker fails."""
    for kind, cause in (("fail", "cannot run 'configure-docker': --fault makes it fail"),
                        ("kill", "cannot finish 'configure-docker': the worker was ended by signal 9"),
                        ("hang", "cannot finish 'configure-docker': it did not end in its time, and was killed")):
        with Serve(1) as cloud, Handle() as handle:
            control = cloud.machines[0]
            document = write_document(fixture, "control", "fail.yml", signal=json.dumps(handle.url_v4()), step_timeout="2s",
                                      components="[docker, swarm]")
            began = time.time()
            found = finish(control.start("--role=control", f"--fault=configure-docker:{kind}", document=document))
            expect(found.status != 0, True, found.out)
            signal = next(iter(handle.signals.values()))
            expect(signal["Status"], "FAILURE")
            expect_in(f"configure-docker: {cause}", signal["Reason"])
            expect_in("control (i-", signal["Reason"])
            expect_in(f"evidence: {STORE}/status/i-", signal["Reason"])
            expect(found.out.count(cause), 1, "how often stdout says it")
            final = began + 2.3 if kind == "hang" else max(event["usec"] for event in control.journal()) / 1e6
            late = handle.times[0] - final
            expect(late < 1, True, f"{kind}: {late:.2f} s behind the error")


def test_evidence_tells_much_and_no_secret(fixture):
    with Serve(1) as cloud, Handle() as handle:
        control = cloud.machines[0]
        document = write_document(fixture, "control", "evidence.yml", signal=json.dumps(handle.url_v4()), components="[docker, swarm]")
        finish(control.start("--role=control", "--fault=verify:fail", document=document))
        name = [key for key in cloud.keys() if key.endswith("evidence.json")][0]
        text = cloud.aws("s3", "cp", f"{STORE}/{name}", "-")
        evidence = json.loads(text)
        expect(evidence["machine"]["role"], "control")
        expect_in("verify: cannot run 'verify'", evidence["reason"])
        expect(any(json.loads(line)["step"] == "start-swarm" for line in evidence["journal"]), True)
        expect({unit["name"] for unit in evidence["units"]} >= {"docker.service", "containerd.service"}, True)
        expect({one["path"] for one in evidence["certificates"]} >= {"etc/docker/tls/cert.pem"}, True)
        expect_in("flocker-node=0", evidence["files"]["etc/docker/daemon.json"])
        for secret in ("PRIVATE KEY", "SWMTKN-", "X-Amz-Signature=0", handle.url_v4().partition("?")[2]):
            expect(secret in text, False, f"{secret} in the evidence")


def test_the_engine_is_put_back_when_it_does_not_come_up():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        was = json.dumps({"debug": True, "no-such-directive": 1})
        (control.root / "etc/docker/daemon.json").write_text(was)
        found = control.run("control", *PLAIN, "--swarm=builtin")
        expect(found.status != 0, True)
        expect_in("configure-docker: cannot restart 'docker.service': its job ended as 'failed' (result exit-code, status 1); it said: "
                  "dockerd: unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any configuration option: no-such-directive", found.out)
        expect_in("the engine's configuration was put back as it was", found.out)
        expect_in("not all is as it was before configure-docker: with its former configuration too: cannot restart 'docker.service'", found.out)
        expect(control.read("etc/docker/daemon.json"), was)
        expect((control.root / "etc/systemd/system/docker.service.d/flocker-bootstrap.conf").exists(), False)


def test_what_was_kept_of_an_engine_and_is_half_removed_is_not_put_back():
    """A kill while it was removed, behind a start that was well."""
    with Serve(1) as cloud:
        control = cloud.machines[0]
        kept = control.root / "var/lib/flocker-bootstrap/docker-before"
        kept.mkdir(0o700, parents=True)
        (kept / "drop-in.conf").write_text("[Service]\n")
        was = '{"no-such-directive": 1}'
        (control.root / "etc/docker/daemon.json").write_text(was)
        found = control.run("control", *PLAIN, "--swarm=builtin")
        expect_in("the engine's configuration was put back as it was", found.out)
        expect((control.read("etc/docker/daemon.json"), kept.exists()), (was, False))
        expect((control.root / "etc/systemd/system/docker.service.d/flocker-bootstrap.conf").exists(), False)


def test_what_stands_in_daemon_json_stays_or_is_named():
    with Serve(2) as cloud:
        control, other = cloud.machines
        (control.root / "etc/docker/daemon.json").write_text('{"log-driver": "journald", "labels": ["zone=a"]}')
        expect(control.run("control", *PLAIN).status, 0)
        found = json.loads(control.read("etc/docker/daemon.json"))
        expect((found["log-driver"], found["labels"]), ("journald", ["zone=a", "flocker-node=0"]))
        before = '{"live-restore": true}'
        (other.root / "etc/docker/daemon.json").write_text(before)
        found = other.run("agent", "--node=1", *PLAIN)
        expect_in("cannot use '/etc/docker/daemon.json': its live-restore is true, and the engine's swarm mode forbids that", found.out)
        expect((found.status, other.read("etc/docker/daemon.json")), (78, before))


def test_docker_waiting_for_cloud_init_is_named_at_once():
    with Serve(1) as cloud:
        control = cloud.machines[0]
        unit = control.root / "usr/lib/systemd/system/docker.service"
        unit.write_text(unit.read_text().replace("After=", "After=cloud-init.target "))
        began = time.monotonic()
        found = control.run("control", *PLAIN)
        expect(time.monotonic() - began < 5, True)
        expect_in("cannot restart 'docker.service' from within cloud-init: its job would wait for this very process "
                  "(docker.service -> cloud-init.target -> cloud-final.service); run this as its own unit", found.out)


def test_people_on_the_client_have_nothing_to_set_up():
    with Serve(3) as cloud:
        plain_chain(cloud)
        client = cloud.machines[2]
        for home in ("root", "home/ubuntu"):
            done = subprocess.run(["/usr/bin/docker", "--config", str(client.root / home / ".docker"), "info", "--format",
                                   "{{.Swarm.LocalNodeState}} {{.Swarm.Nodes}}"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
            expect((done.returncode, done.stdout.strip()), (0, "active 2"), done.stderr)
            expect((client.root / home / ".docker/key.pem").stat().st_mode & 0o777, 0o600)
        bare = client.root / "bare"
        (bare / "contexts").mkdir(parents=True)
        done = subprocess.run(["/usr/bin/docker", "--config", str(bare), "--tls", "-H", f"tcp://{cloud.machines[0].address}:2376", "info"],
                              capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(bare)})
        expect(done.returncode != 0, True, "without a certificate")


def test_a_client_asks_which_swarm_it_is():
    """By default no machine's settings say so: those with an engine ask their own, the client asks control's port."""
    with Serve(3) as cloud:
        control, agent, client = cloud.machines
        for machine, role, words in ((control, "control", ("--swarm=classic",)), (agent, "agent", ("--node=1", "--swarm=classic")), (client, "client", ())):
            if role == "client":  # the follower's unit has no document here
                expect(finish(control.start("members", "follow", "--once", "--role=control", f"--store={STORE}")).out, "2 members in /var/lib/flocker-bootstrap/swarm/members\n")
            found = machine.run(role, *PLAIN, *words)
            expect(found.status, 0, found.out)


def give_certificate(cloud, machine, names, days):
    """A certificate for Docker by the cluster's CA, in the place of the machine's own; made by openssl."""
    tls, ca = machine.root / "etc/docker/tls", cloud.machines[0].root / "var/lib/flocker-bootstrap/docker-ca"
    with temporary() as folder:
        (pathlib.Path(folder) / "ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=clientAuth,serverAuth\n")
        for line in (f"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout {tls}/key.pem -out {folder}/csr",
                     f"x509 -req -in {folder}/csr -CA {ca}/ca.pem -CAkey {ca}/ca-key.pem -set_serial 7 -days {days} -extfile {folder}/ext -out {tls}/cert.pem"):
            subprocess.run(["openssl", *line.split()], check=True, capture_output=True)


def names_in(machine):
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(machine.root / "etc/docker/tls/cert.pem")],
                          check=True, capture_output=True, text=True).stdout
    return text.splitlines()[1].strip().replace("IP Address:", "IP:").replace(", ", ",")


def test_a_certificate_is_minted_anew_where_the_cas_key_is_at_hand():
    """For a changed address, and before it ends: control has the key, an agent finds it in the store or says where help is."""
    with Serve(3) as cloud:
        control, agent, client = cloud.machines
        for machine, role, words in ((control, "control", ()), (agent, "agent", ("--node=1",)), (client, "client", ())):
            expect(machine.run(role, *PLAIN, *words).status, 0)
        before, fewer = names_in(agent), ",".join(name for name in names_in(agent).split(",") if name.startswith("IP:"))
        for names, days in (("IP:192.0.2.1", 300), (names_in(control), 10)):
            give_certificate(cloud, control, names, days)
            found = control.run("control", *PLAIN)
            expect((found.status, "mint-docker-cert" in found.done, "configure-docker" in found.done), (0, True, True), found.out)
            expect_in(control.address, names_in(control))
        for names, days, part in ((before, 10, "ends soon (9 days left), and the Docker CA's key is not in the store"), (fewer, 300, "does not cover ")):
            give_certificate(cloud, agent, names, days)
            found = agent.run("agent", "--node=1", *PLAIN)
            expect((found.status, "mint-docker-cert" in found.done), (0, False), found.out)
            expect_in(part, found.out)
        expect(control.run("control", *PLAIN, "--only=publish-docker-ca", "--again").status, 0)
        found = agent.run("agent", "--node=1", *PLAIN)
        expect((found.status, "mint-docker-cert" in found.done, names_in(agent)), (0, True, before), found.out)


def agent_yml(fixture, control, dataset, *words):
    document = fixture.folder / "dataset.yml"
    document.write_text("#!/usr/bin/flocker-bootstrap --role=control\n" + (f"dataset: {dataset}\n" if dataset else ""))
    shutil.rmtree(control.root / "var/lib/flocker-bootstrap/flocker-ca", ignore_errors=True)
    return finish(control.start("--role=control", f"--store={STORE}", "--agents=1", f"--keys={fixture.keys}", "--only=make-flocker-ca", *words, document=document))


def test_agent_yml_is_what_the_backend_wants(fixture):
    with Serve(1) as cloud:
        control = cloud.machines[0]
        service = {"hostname": control.address, "port": 4524}
        for dataset, wanted in (
                ("{backend: loopback, root_path: /srv/loop, compute_instance_id: 'x: y'}",
                 {"backend": "loopback", "root_path": "/srv/loop", "compute_instance_id": "x: y"}),
                ("{backend: openstack, region: DFW, auth_plugin: rackspace, verify: false, retries: 3, tags: [a, 'b\"c']}",
                 {"backend": "openstack", "region": "DFW", "auth_plugin": "rackspace", "verify": False, "retries": 3, "tags": ["a", 'b"c']}),
                ("{backend: aws, access_key_id: AK, secret_access_key: '0123'}",
                 {"backend": "aws", "access_key_id": "AK", "secret_access_key": "0123", "region": "us-east-1", "zone": "us-east-1a"})):
            found = agent_yml(fixture, control, dataset)
            expect(found.status, 0, found.out)
            text = control.read("var/lib/flocker-bootstrap/flocker-ca/agent.yml")
            expect(yaml.safe_load(text), {"version": 1, "control-service": service, "dataset": wanted}, text)
        for dataset, words, status, part in (
                ("", (), 78, "the aws backend needs access_key_id and secret_access_key; give them in 'dataset', or name a Secrets Manager secret"),
                ("{region: x}", (), 65, "dataset: expected a backend"),
                ("", ("--dataset-secret=nobody",), 77, "cannot fetch the secret 'nobody'")):
            found = agent_yml(fixture, control, dataset, *words)
            expect(found.status, status, found.out)
            expect_in(part, found.out)
            expect((control.root / "var/lib/flocker-bootstrap/flocker-ca").exists(), False)


def test_another_handle_alone_is_signalled_and_nothing_else_is_done(fixture):
    """A stack that was made anew over the same machine: all is as it was but for whom to tell."""
    with Serve(1) as cloud, Handle() as handle:
        (machine,) = cloud.machines
        told, trees, stores = [], [], []
        for seconds in (3600, 3600, 1800):
            document = write_document(fixture, "control", "handle.yml", signal=json.dumps(handle.url_v4(seconds)), components="[docker, swarm]")
            if len(told) == 1:  # the same bytes once more
                document = fixture.folder / "first.yml"
            found = machine.run("control", document=document)
            expect(found.status, 0, found.out)
            document.rename(fixture.folder / "first.yml")
            told.append((len(handle.times), found.done))
            trees.append({name: content for name, content in machine.tree().items() if not name.endswith("state.json")})
            stores.append([line for line in cloud.aws("s3api", "list-objects-v2", "--bucket=rehearsal", "--query=Contents[].[Key,ETag,LastModified]",
                                                      "--output=text").splitlines() if "/status/" not in line])
        expect([times for times, _ in told], [1, 1, 2])
        expect(set(told[1][1]) <= {"read-instance", "verify"}, True, str(told[1][1]))
        expect(set(told[2][1]) - {"read-instance", "verify"}, {"publish-docker-ca", "signal"}, "the store is asked whether its CA is this machine's")
        expect((stores[1] == stores[0], stores[2] == stores[0]), (True, True), "the store's objects")
        expect((trees[1] == trees[0], trees[2] == trees[0]), (True, True), "files of the machine")
        state = json.loads(machine.read("var/lib/flocker-bootstrap/state.json"))
        expect((state["signalled"], state["complete"]), (True, True))


def test_an_image_of_a_machine_does_not_carry_its_identity():
    """Its certificates, its keys, its Swarm: all of the machine that the image was made of."""
    with Serve(2) as cloud:
        first, second = cloud.machines
        expect(first.run("control", *PLAIN).status, 0)
        second.run("control", *PLAIN, store="s3://rehearsal/another")
        state = second.root / "var/lib/flocker-bootstrap/state.json"
        imaged = json.loads(state.read_text())
        state.write_text(json.dumps({**imaged, "instance": "i-0123456789abcdef0"}))
        keys = [(second.root / name).read_bytes() for name in ("etc/docker/tls/key.pem", "var/lib/flocker-bootstrap/docker-ca/ca-key.pem")]
        found = second.run("control", *PLAIN, store="s3://rehearsal/third")
        expect(found.status, 0, found.out)
        expect_in("this machine was made of an image of i-0123456789abcdef0", found.out)
        expect([one for one in ("make-docker-ca", "mint-docker-cert", "start-swarm", "signal") if one not in found.done], [], found.out)
        expect([one.read_bytes() in keys for one in (second.root / "etc/docker/tls/key.pem", second.root / "var/lib/flocker-bootstrap/docker-ca/ca-key.pem")],
               [False, False])
        expect(json.loads(state.read_text())["worker"] != imaged["worker"], True, "the Swarm is another one")


if __name__ == "__main__":
    main(globals())
