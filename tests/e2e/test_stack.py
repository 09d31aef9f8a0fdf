"""The default stack on real machines: systemd, dockerd, cloud-init, Debian's Docker command line; Flocker's services by TLS peers."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile

from machines import PROGRAM, Stack, steps_done
from tap import expect, expect_in, main

NODES = ("ControlNode", "AgentNode1", "AgentNode2", "ClientNode")
IMAGE = "probe:1"


@contextlib.contextmanager
def setup():
    with Stack("--keep-secrets") as stack:
        yield stack.wait()


def ready_nodes(client):
    """{host name: status} of the Swarm, as the client's docker sees it."""
    listed = client.login("root", "docker node ls --format '{{.Hostname}} {{.Status}}'").out
    return dict(line.split() for line in listed.splitlines())


def test_cloud_init_runs_the_user_data_and_its_log_tells_the_story(stack):
    for name in NODES:
        machine = stack[name]
        expect_in("status: done", machine.run("cloud-init", "status", "--wait").out, name)
        said = machine.read("var/log/cloud-init-output.log")
        for step in ("read-instance +done in", "verify +done in", "signal +done in"):
            expect(bool(re.search(step, said)), True, f"{name}: {step} in {said}")
        expect(machine.read(f"var/lib/cloud/instances/{machine.id}/scripts/part-001").splitlines()[0],
               f"#!/usr/bin/flocker-bootstrap --role={re.match('[a-z]+', name.lower().replace('node', ' '))[0]}")
        expect(machine.run("systemctl", "--failed", "--no-legend").out, "", name)


def test_the_client_types_docker_info_as_root_and_as_the_login_user(stack):
    client, control = stack["ClientNode"], stack["ControlNode"]
    for user in ("root", "admin"):
        info = json.loads(client.login(user, "docker info --format '{{json .}}'").out)
        expect((info["Swarm"]["LocalNodeState"], info["Swarm"]["ControlAvailable"], info["Swarm"]["Nodes"]), ("active", True, 3), user)
        expect(info["Swarm"]["NodeAddr"], control.address)
    for address in re.findall(r"tcp://(\S+)", client.login("root", "docker context ls").out):
        expect(address, f"{control.address}:2376")


def expired_certificate(control, folder):
    """One of the cluster's own CA, which ended yesterday."""
    authority = control.root / "var/lib/flocker-bootstrap/docker-ca"
    config = folder / "ca.cnf"
    config.write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={folder}/index\nnew_certs_dir={folder}\nserial={folder}/serial\n"
                      "default_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nextendedKeyUsage=clientAuth\n")
    (folder / "index").touch()
    (folder / "serial").write_text("1000\n")
    for words in (["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=client", "-keyout", folder / "key.pem", "-out", folder / "request"],
                  ["ca", "-batch", "-notext", "-config", config, "-cert", authority / "ca.pem", "-keyfile", authority / "ca-key.pem", "-in", folder / "request",
                   "-out", folder / "cert.pem", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    return folder


def test_who_has_no_certificate_of_this_cluster_is_refused(stack):
    client, control = stack["ClientNode"], stack["ControlNode"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "expired").mkdir()
        subprocess.run([PROGRAM, "certs", "create", "--cluster=other", "--control=10.0.0.1", "--agents=1", "--components=docker",
                        f"--out={folder}/other"], check=True, capture_output=True)
        pairs = {"another": folder / "other/docker/client", "expired": expired_certificate(control, folder / "expired")}
        for given, pair in pairs.items():
            client.put(f"run/{given}/cert.pem", (pair / "cert.pem").read_bytes())
            client.put(f"run/{given}/key.pem", (pair / "key.pem").read_bytes())
        for given in ("none", *pairs):
            words = ["docker", "--host", f"tcp://{control.address}:2376", "--tlsverify", "--tlscacert", "/root/.docker/ca.pem"]
            if given != "none":
                words += ["--tlscert", f"/run/{given}/cert.pem", "--tlskey", f"/run/{given}/key.pem"]
            refused = client.run(*words, "version", "--format", "{{.Server.Version}}", status=1, environment={"DOCKER_CONFIG": "/nonexistent"})
            expect(bool(re.search("bad certificate|certificate required|expired certificate|unknown certificate authority", refused.out)), True,
                   f"{given}: {refused.out}")
        right = client.run(*words[:6], "--tlscert", "/root/.docker/cert.pem", "--tlskey", "/root/.docker/key.pem", "version", "--format",
                           "{{.Server.Version}}")
        expect(bool(re.match(r"\d+\.\d+", right.out)), True, right.out)


def test_a_service_is_placed_by_its_nodes_label(stack):
    client = stack["ClientNode"]
    expect(sorted(ready_nodes(client).values()), ["Ready"] * 3)
    probe = pathlib.Path(os.environ["HOST_PROBE"])
    archive = subprocess.run(["tar", "-C", probe.parent, "-c", probe.name], check=True, capture_output=True).stdout
    for number, name in ((1, "AgentNode1"), (2, "AgentNode2")):
        machine = stack[name]
        machine.put("run/probe.tar", archive)
        machine.run("docker", "import", "/run/probe.tar", IMAGE)
        client.login("root", f"docker service create --detach --no-resolve-image --name on{number} --constraint engine.labels.flocker-node=={number} "
                     f"{IMAGE} /host-probe wait")
        machine.wait(lambda: "host-probe" in machine.run("docker", "ps", "--format", "{{.Command}}").out, f"service on{number}")
        wanted = [machine.run("hostname").out.strip(), "Running"]  # which the manager hears a moment later
        placed = f"docker service ps on{number} --format '{{{{.Node}}}} {{{{.CurrentState}}}}'"
        client.wait(lambda: client.login("root", placed).out.split()[:2] == wanted, f"{wanted} of service on{number}")
        client.login("root", f"docker service rm on{number}")


def test_units_are_enabled_and_run_as_flockers_installer_has_them(stack):
    wanted = {"ControlNode": {"flocker-control"}, "AgentNode1": {"flocker-dataset-agent", "flocker-docker-plugin"},
              "AgentNode2": {"flocker-dataset-agent", "flocker-docker-plugin"}, "ClientNode": set()}
    every = ("flocker-control", "flocker-dataset-agent", "flocker-docker-plugin", "flocker-container-agent")
    for name, units in wanted.items():
        for unit in every:
            found = stack[name].run("systemctl", "show", f"{unit}.service", "--property=UnitFileState,ActiveState", "--value").out.split()
            expect(sorted(found), sorted(["active", "enabled"] if unit in units else ["inactive", "disabled"]), f"{name}: {unit}")


def test_flocker_knows_its_nodes_and_asks_who_one_is(stack):
    client, control = stack["ClientNode"], stack["ControlNode"]
    url = f"https://{control.address}:4523/v1/state/nodes"
    authority = "/root/.flocker/cluster.crt"
    known = ["--cacert", authority, "--connect-to", f"control-service:4523:{control.address}:4523"]
    user = ["--cert", "/root/.flocker/user1.crt", "--key", "/root/.flocker/user1.key"]
    answer = client.run("curl", "--silent", "--fail", *known, *user, "https://control-service:4523/v1/state/nodes").out
    expect(len(json.loads(answer)), 2, answer)
    expect(client.run("curl", "--silent", "--show-error", *known, "https://control-service:4523/v1/state/nodes", status=None).status != 0, True)
    expect_in("no alternative certificate subject name", client.run("curl", "--silent", "--show-error", "--cacert", authority, *user,
              url.replace(control.address, "localhost"), "--connect-to", f"localhost:4523:{control.address}:4523", status=60).out)
    agent = stack["AgentNode1"]
    node = ["--cert", "/etc/flocker/node.crt", "--key", "/etc/flocker/node.key"]
    expect_in("expected user-", agent.run("curl", "--silent", "--cacert", "/etc/flocker/cluster.crt", *known[2:], *node, "https://control-service:4523/v1/version").out)


def test_a_second_run_by_hand_changes_nothing_and_says_so(stack):
    for name, role in (("ControlNode", "control"), ("AgentNode1", "agent"), ("ClientNode", "client")):
        machine = stack[name]
        before = machine.run("sh", "-c", "find /etc /root /home -xdev -type f -newermt '1 second ago' | wc -l; "
                             "find /etc /root /home -xdev -type f | sort | xargs sha256sum").out.splitlines()[1:]
        out = machine.run("flocker-bootstrap", f"--role={role}").out
        expect(steps_done(out) - {"read-instance", "verify", "purge-secrets"}, set(), f"{name}: {out}")
        expect(machine.run("sh", "-c", "find /etc /root /home -xdev -type f | sort | xargs sha256sum").out.splitlines(), before, name)


if __name__ == "__main__":
    main(globals())
