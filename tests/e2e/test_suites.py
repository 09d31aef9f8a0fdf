"""A guest of the newest suite that has been released: its systemd, its Docker, its cloud-init."""

import contextlib
import json

from machines import Stack
from tap import expect, main

SUITE = "trixie"
UNIT = "flocker-bootstrap.service"


@contextlib.contextmanager
def setup():
    with Stack("--components=docker,swarm", "--agents=1", suite=SUITE) as stack:
        yield stack.wait()


def test_the_stack_comes_up(stack):
    for name in ("ControlNode", "AgentNode1", "ClientNode"):
        machine = stack[name]
        expect(f"VERSION_CODENAME={SUITE}" in machine.run("cat", "/etc/os-release").out, True, name)
        expect("signal             done" in machine.read("var/log/cloud-init-output.log"), True, name)
    info = json.loads(stack["ClientNode"].login("admin", "docker info --format '{{json .}}'").out)
    expect((info["Swarm"]["Nodes"], info["Swarm"]["ControlAvailable"]), (2, True))
    expect(int(info["ServerVersion"].split(".")[0]) >= 26, True, info["ServerVersion"])


def test_a_reboot_finds_all_done(stack):
    before = stack["AgentNode1"]
    before.start("systemctl", "reboot")
    before.wait(lambda: stack["AgentNode1"].leader not in (0, before.leader), "rebooted")
    agent = stack.booted(stack["AgentNode1"])
    agent.wait(lambda: agent.run("systemctl", "is-active", UNIT, status=None).out.strip() == "active", "the unit's run")
    ended = {event["step"]: event["event"] for event in agent.steps()[-1] if "step" in event}
    expect({step for step, event in ended.items() if event == "done"}, {"read-instance", "verify"}, str(ended))
    client = stack["ClientNode"]
    client.wait(lambda: client.login("root", "docker node ls --format '{{.Status}}'").out.split() == ["Ready", "Ready"], "both nodes")


if __name__ == "__main__":
    main(globals())
