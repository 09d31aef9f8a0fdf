"""A guest of the newest suite that can be made: its systemd and its journal, its Docker, its cloud-init."""

import contextlib
import json
import re

from machines import Stack
from probe import probe
from tap import expect, main

UNIT = "flocker-bootstrap.service"
DEBIAN_12 = {"systemctl": 252, "docker": 20, "cloud-init": 22}


@contextlib.contextmanager
def setup():
    with Stack("--components=docker,swarm", "--agents=1", suite="newest") as stack:
        yield stack.wait()


def test_it_is_newer_than_debian_12(stack):
    machine = stack["ControlNode"]
    said = {program: machine.run(program, "--version").out.splitlines()[0] for program in DEBIAN_12}
    print("#", machine.run("cat", "/etc/debian_version").out.strip() + ":", "; ".join(said.values()))
    for program, old in DEBIAN_12.items():
        expect(int(re.search(r"\d+", said[program])[0]) > old, True, said[program])


def test_the_stack_comes_up(stack):
    for name in ("ControlNode", "AgentNode1", "ClientNode"):
        machine = stack[name]
        expect("signal             done" in machine.read("var/log/cloud-init-output.log"), True, name)
        expect(machine.run("systemctl", "--failed", "--no-legend").out, "", name)
    info = json.loads(stack["ClientNode"].login("admin", "docker info --format '{{json .}}'").out)
    expect((info["Swarm"]["Nodes"], info["Swarm"]["ControlAvailable"]), (2, True))


def test_its_journal_is_read_as_its_own_journalctl_reads_it(stack):
    agent = stack["AgentNode1"]
    for unit in ("docker.service", UNIT, "cloud-final.service"):
        def both(unit=unit):
            theirs = agent.run("journalctl", "--quiet", "--no-pager", "--unit", unit, "--lines=100", "--output=cat").out
            ours = probe("journal", agent.root, unit, 100, 200000)
            return theirs, ours.outcome, ours.text
        with contextlib.suppress(AssertionError):  # a line may come between the two
            agent.wait(lambda: both()[0] == both()[2], "the same lines", 2)
        theirs, outcome, ours = both()
        expect((outcome, ours, theirs != ""), (0, theirs, True), unit)


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
