"""What a boot finds done: nothing is done again, in no time to speak of. Times are those of the processor: others may work here too."""

import json
import resource
import time

from cloud import Serve
from tap import expect, main

PLAIN = ("--components=docker,swarm", "--agents=1")
ROLES = (("control", ()), ("agent", ("--node=1",)), ("client", ("--keep-secrets=true",)))
MOST_SECONDS = 0.05


def spent():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_boot_with_nothing_to_do_takes_less_than_50_ms():
    with Serve(3) as cloud:
        for machine, (role, words) in zip(cloud.machines, ROLES):
            expect(machine.run(role, *PLAIN, *words).status, 0)
        for machine, (role, words) in zip(cloud.machines, ROLES):
            before, found = machine.tree(), []
            for _ in range(7):
                cpu, wall = spent(), time.monotonic()
                done = machine.run(role, *PLAIN, *words, "--at-boot")
                found.append((spent() - cpu, time.monotonic() - wall))
                expect((done.status, set(done.done) <= {"read-instance", "verify", "purge-secrets"}), (0, True), done.out)
            expect(machine.tree() == before, True, f"what {role} changed")
            cpu, wall = min(one for one, _ in found), min(one for _, one in found)
            print(f"# {role}: {cpu * 1000:.0f} ms of the processor, {wall * 1000:.0f} ms on the clock, the best of {len(found)}")
            expect(cpu < MOST_SECONDS, True, f"{role}: {cpu * 1000:.0f} ms")


def test_a_changed_setting_runs_what_it_changes():
    """Another label of the engine: its configuration, and nothing of the certificates or the Swarm."""
    with Serve(2) as cloud:
        control, agent = cloud.machines
        expect(control.run("control", *PLAIN, "--keep-secrets=true").status, 0)
        expect(agent.run("agent", "--components=docker,swarm", "--agents=2", "--node=1").status, 0)
        before = agent.tree()
        done = agent.run("agent", "--components=docker,swarm", "--agents=2", "--node=2", "--at-boot")
        expect((done.status, [one for one in done.done if one not in ("read-instance", "verify")]), (0, ["configure-docker"]), done.out)
        after = agent.tree()
        changed = sorted(name for name in after if after[name] != before.get(name))
        expect("etc/docker/daemon.json" in changed and not [name for name in changed if "tls" in name], True, changed)
        expect(json.loads(agent.read("etc/docker/daemon.json"))["labels"], ["flocker-node=2"])


if __name__ == "__main__":
    main(globals())
