"""What becomes of a cluster's machines: reboots, changed user-data and addresses, images, replacements, newcomers."""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from machines import UNIT, Stack, done_last, last_run, settled, steps_done
from tap import expect, expect_in, main

NODES = ("ControlNode", "AgentNode1", "AgentNode2", "ClientNode")


@contextlib.contextmanager
def setup():
    with tempfile.TemporaryDirectory(prefix="image.") as image:
        pathlib.Path(image).chmod(0o755)
        with Stack("--components=docker,swarm", "--keep-secrets", f"--layer=Copy:{image}") as stack:
            stack.image = pathlib.Path(image)
            yield stack.wait()


def nodes(client):
    """{address: label} of the Swarm's nodes that are ready."""
    listed = client.login("root", "docker node inspect $(docker node ls --quiet)").out
    return {node["Status"]["Addr"]: (node["Description"]["Engine"].get("Labels") or {}).get("flocker-node")
            for node in json.loads(listed) if node["Status"]["State"] == "ready"}


def wait_for_nodes(stack, wanted):
    client = stack["ClientNode"]
    try:
        client.wait(lambda: nodes(client) == wanted, "the nodes", 60)
    except AssertionError:
        expect(nodes(client), wanted, "the Swarm's ready nodes")


def everybody(stack):
    return {stack[name].address: label for name, label in (("ControlNode", "0"), ("AgentNode1", "1"), ("AgentNode2", "2"))}


def restart(machine):
    machine.run("systemctl", "reset-failed")  # of its starts: systemd lets a few pass
    machine.run("systemctl", "restart", UNIT)


def test_every_machine_reboots_in_any_order_and_the_cluster_is_back(stack):
    runs = {name: len(settled(stack, stack[name]).steps()) for name in NODES}
    for name in ("AgentNode2", "ControlNode", "ClientNode", "AgentNode1"):
        before = stack[name]
        before.start("systemctl", "reboot")
        before.wait(lambda: stack[name].leader not in (0, before.leader), "rebooted")
    for name in NODES:
        machine = settled(stack, stack.booted(stack[name]))
        expect(done_last(machine), set(), f"{name}: a new bootstrap")
        expect(len(machine.steps()), runs[name] + 1, f"{name}: runs")
    wait_for_nodes(stack, everybody(stack))
    expect("SUCCESS" in stack.out, False)


def test_changed_user_data_runs_the_steps_that_it_changes(stack):
    agent = stack["AgentNode1"]
    stack.stop(agent)
    stack.ask("PUT", "/machines/AgentNode1/user-data", agent.user_data + "docker-key: rsa-4096\n")
    agent = settled(stack, stack.boot(agent))
    done = done_last(agent)
    expect(("mint-docker-cert" in done, "join-swarm" in done), (True, False), str(last_run(agent)))
    shown = agent.run("flocker-bootstrap", "certs", "show", "--json", "/etc/docker/tls/cert.pem").out
    expect_in("4096", shown)
    wait_for_nodes(stack, everybody(stack))
    restart(agent)
    expect(done_last(agent), set(), "the same again is nothing new")


def test_a_changed_address_mints_a_new_docker_certificate(stack):
    agent = stack["AgentNode2"]
    stack.stop(agent)
    stack.ask("PUT", "/machines/AgentNode2/address", "172.31.7.77")
    agent = settled(stack, stack.boot(agent))
    expect(agent.address, "172.31.7.77")
    expect("mint-docker-cert" in done_last(agent), True, str(last_run(agent)))
    with tempfile.NamedTemporaryFile() as pem:
        pathlib.Path(pem.name).write_text(agent.read("etc/docker/tls/cert.pem"))
        names = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", pem.name], check=True, capture_output=True, text=True).stdout
    expect_in("IP Address:172.31.7.77", names)
    wait_for_nodes(stack, everybody(stack))
    client = stack["ClientNode"]
    right = client.run("docker", "--host", "tcp://172.31.7.77:2376", "--tlsverify", "--tlscacert", "/root/.docker/ca.pem", "--tlscert",
                       "/root/.docker/cert.pem", "--tlskey", "/root/.docker/key.pem", "version", "--format", "{{.Server.Version}}")
    expect(bool(re.match(r"\d+\.", right.out)), True, right.out)


def test_a_replaced_agent_joins_under_the_same_number(stack):
    old = stack["AgentNode2"]
    stack.ask("DELETE", "/machines/AgentNode2")
    stack.ask("POST", "/machines/AgentNode2?like=AgentNode1", old.user_data)
    new = settled(stack, stack.booted(stack["AgentNode2"]))
    expect(new.id != old.id, True)
    said = new.read("var/log/cloud-init-output.log")
    expect({"join-swarm", "mint-docker-cert"} <= steps_done(said), True, said)
    wait_for_nodes(stack, everybody(stack))


def test_a_later_agent_joins_too(stack):
    control, agent = stack["ControlNode"], stack["AgentNode1"]
    more = re.sub(r"^agents: .*$", "agents: 3", agent.user_data, flags=re.M)
    stack.ask("PUT", "/machines/ControlNode/user-data", re.sub(r"^agents: .*$", "agents: 3", control.user_data, flags=re.M))
    restart(control)
    stack.ask("POST", "/machines/AgentNode3?like=AgentNode1", re.sub(r"^node: .*$", "node: 3", more, flags=re.M))
    new = settled(stack, stack.booted(stack["AgentNode3"]))
    wait_for_nodes(stack, {**everybody(stack), new.address: "3"})


def test_an_image_of_a_machine_does_not_carry_its_identity_over(stack):
    """Copy starts from what AgentNode1 has written, as number 4: everything of its own is made anew."""
    agent = stack["AgentNode1"]
    subprocess.run(["cp", "--archive", f"{agent.root}/.", stack.image], check=True)
    for name in ("var/log/journal", "var/lib/cloud", "etc/machine-id"):  # what is cleaned before an image is made (cloud-init clean)
        place = stack.image / name
        (shutil.rmtree if place.is_dir() and not place.is_symlink() else pathlib.Path.unlink)(place, **({} if place.is_dir() else {"missing_ok": True}))
    document = re.sub(r"^agents: .*$", "agents: 4", re.sub(r"^node: .*$", "node: 4", agent.user_data, flags=re.M), flags=re.M)
    stack.ask("POST", "/machines/Copy?like=AgentNode1", document)
    copy = settled(stack, stack.booted(stack["Copy"]))
    said = copy.read("var/log/cloud-init-output.log")
    expect({"mint-docker-cert", "join-swarm"} <= steps_done(said), True, said)
    expect(copy.read("etc/docker/tls/key.pem") != agent.read("etc/docker/tls/key.pem"), True, "the key is its own")
    expect(nodes(stack["ClientNode"])[copy.address], "4")


if __name__ == "__main__":
    main(globals())
