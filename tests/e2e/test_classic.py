"""A classic Swarm on real machines: engines that listen with TLS, its manager in a container that dockerd keeps, agents that come late.

    CLASSIC_SWARM=PROGRAM meson test -C build/gcc machines-classic

runs the real manager, a static program of docker-archive/classicswarm 1.2.9. Without it a stand-in has the image's place: it wants the same command line,
reads the same member file and asks each engine over TLS, but it places no containers.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess

from machines import Stack, unit
from tap import expect, expect_in, main

REAL = os.environ.get("CLASSIC_SWARM")
STAND_IN = "/usr/lib/flocker-rehearsal/flocker-rehearsal"  # in every image of these tests
PLACE = "usr/lib/swarm/swarm"
IMAGE = "probe:1"
BROKEN_OFF = (35, 55, 56)  # curl: in the handshake, or, as TLS 1.3 has it, at the first thing sent or read; nobody there would be 7


def image_of_swarm():
    """What puts swarm:1.2.9 into the machine's Docker in front of user-data, as files of a layer: an image of AWS has it from the start."""
    entry = [f"/{pathlib.Path(PLACE).name}"] if REAL else [f"/{pathlib.Path(STAND_IN).name}", "as", "swarm", "--root=", "--address=0.0.0.0", "--"]
    program = pathlib.Path(f"/{PLACE}" if REAL else STAND_IN)
    script = f"#!/bin/sh -e\ntar -C {program.parent} -c {program.name} | docker import --change 'ENTRYPOINT {json.dumps(entry)}' - swarm:1.2.9\n"
    files = unit("[Unit]\nAfter=docker.service\nRequires=docker.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/lib/swarm/import\n",
                 "swarm-image")
    return {**files, "usr/lib/swarm/import": script, **({PLACE: pathlib.Path(REAL)} if REAL else {})}


@contextlib.contextmanager
def setup():
    with Stack("--swarm=classic", "--components=docker,swarm", "--agents=1", "--keep-secrets", layers={"ControlNode": image_of_swarm()}) as stack:
        yield stack.wait()


def manager_status(stack):
    """What the manager says of its engines, over TLS, to the client's certificate: [[name, value], …]."""
    client, control = stack["ClientNode"], stack["ControlNode"]
    tls = ["--cacert", "/root/.docker/ca.pem", "--cert", "/root/.docker/cert.pem", "--key", "/root/.docker/key.pem"]
    asked = client.run("curl", "--silent", "--show-error", "--max-time", 10, *tls, f"https://{control.address}:2376/info", status=None)
    return json.loads(asked.out)["SystemStatus"] if asked.status == 0 else []


def healthy(stack):
    """How many engines have answered the manager. The stand-in counts no others; the real one says of each how it is."""
    status = manager_status(stack)
    if REAL:
        return sum(name.endswith("Status") and value == "Healthy" for name, value in status)
    return sum(int(value) for name, value in status if name.endswith("Nodes"))


def wait_healthy(stack, wanted):
    stack["ClientNode"].wait(lambda: healthy(stack) == wanted, f"{wanted} engines of the manager", 90)


def members(stack):
    return sorted(stack["ControlNode"].read("var/lib/flocker-bootstrap/swarm/members").split())


def test_the_manager_lists_the_engines_over_tls(stack):
    client = stack["ClientNode"]
    expect(members(stack), sorted(f"{stack[name].address}:2375" for name in ("ControlNode", "AgentNode1")))
    wait_healthy(stack, 2)
    for user in ("root", "admin"):
        expect_in("swarm/1.2.9", client.login(user, "docker info --format '{{.ServerVersion}}'").out, user)


def test_the_container_runs_as_the_role_has_it(stack):
    inspected = json.loads(stack["ControlNode"].run("docker", "inspect", "swarm-manager").out)[0]
    command = inspected["Config"]["Cmd"]
    expect((command[0], command[-1]), ("manage", "file:///members/members"))
    expect("--tlsverify" in command, True, command)
    expect((inspected["HostConfig"]["RestartPolicy"]["Name"], inspected["HostConfig"]["NetworkMode"], inspected["State"]["Running"]), ("always", "host", True))


def test_who_has_no_certificate_is_refused_by_manager_and_engines(stack):
    client = stack["ClientNode"]
    for name, port in (("ControlNode", 2376), ("ControlNode", 2375), ("AgentNode1", 2375)):
        refused = client.run("curl", "--silent", "--show-error", "--insecure", "--max-time", 10, f"https://{stack[name].address}:{port}/info", status=None)
        expect(refused.status in BROKEN_OFF, True, f"{name}:{port}: {refused.status}: {refused.out}")


def test_an_agent_that_comes_later_appears_by_itself(stack):
    document = stack["AgentNode1"].user_data
    for key, number in (("agents", 2), ("node", 2)):
        document = re.sub(rf"^{key}: .*$", f"{key}: {number}", document, flags=re.M)
    stack.ask("POST", "/machines/AgentNode2?like=AgentNode1", document)
    late = stack.booted(stack["AgentNode2"])
    late.wait(lambda: "signal " in late.read("var/log/cloud-init-output.log"), "its last step")
    wait_healthy(stack, 3)
    expect(members(stack), sorted(f"{stack[name].address}:2375" for name in ("ControlNode", "AgentNode1", "AgentNode2")))


if REAL:
    def test_a_constraint_places_the_container(stack):
        probe = pathlib.Path(os.environ["HOST_PROBE"])
        archive = subprocess.run(["tar", "-C", probe.parent, "-c", probe.name], check=True, capture_output=True).stdout
        for number in (1, 2):
            machine = stack[f"AgentNode{number}"]
            machine.put("run/probe.tar", archive)
            machine.run("docker", "import", "/run/probe.tar", IMAGE)
        for number in (1, 2):
            machine, other = stack[f"AgentNode{number}"], stack[f"AgentNode{3 - number}"]
            stack["ClientNode"].login("admin", f"docker run --detach --name on{number} --env constraint:flocker-node=={number} {IMAGE} /host-probe wait")
            expect((f"on{number}" in machine.run("docker", "ps", "--format", "{{.Names}}").out,
                    f"on{number}" in other.run("docker", "ps", "--format", "{{.Names}}").out), (True, False))
        listed = stack["ClientNode"].login("root", "docker ps --format '{{.Names}}'").out
        for number in (1, 2):  # by the manager: MACHINE/CONTAINER
            expect(bool(re.search(rf"^\S+/on{number}$", listed, re.M)), True, listed)


def test_a_control_that_reboots_has_its_manager_and_members_again(stack):
    before = stack["ControlNode"]
    before.start("systemctl", "reboot")
    before.wait(lambda: stack["ControlNode"].leader not in (0, before.leader), "rebooted")
    stack.booted(stack["ControlNode"])
    wait_healthy(stack, 3)


if __name__ == "__main__":
    main(globals())
