"""A role whose worker is killed at the n-th rename, exchange or removal of a file, for each n: the run behind it is well, and leaves the
files of an undisturbed one."""

import re
import subprocess
import types

from cloud import PROGRAM, Serve, finish
from roles import ROLES, setup, write_document  # noqa: F401 (setup is found by its name)
from tap import expect, main

RUN_SECONDS = 50
LEFTOVER = re.compile(r"/\.[^/]*~$")  # a file in the making, which the next one of its name takes away


def launch(fixture, cloud, last, cut=()):
    """All roles up to the last, which is cut; its machine, its run, and how to do that again."""
    for machine, role in zip(cloud.machines, ROLES):
        document = write_document(fixture, role, f"{role}.yml", **({"node": 1} if role == "agent" else {}))
        words = [f"--role={role}", *([f"--keys={fixture.keys}"] if role == "control" else [])]
        if role != last:
            found = finish(machine.start(*words, document=document))
            expect(found.status, 0, found.out)
            continue
        done = subprocess.run([*cut, PROGRAM, *words, f"--root={machine.root}", document], env=machine.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS)
        return types.SimpleNamespace(machine=machine, status=done.returncode, out=done.stdout,
                                     again=lambda: finish(machine.start(*words, document=document)))


def files(machine):
    return {name: mode for name, (mode, _) in machine.tree().items() if not LEFTOVER.search(name)}


def cut_at_each(fixture, role, call):
    with Serve(3) as cloud:
        run = launch(fixture, cloud, role)
        expect(run.status, 0, run.out)
        wanted = files(run.machine)
    for number in range(1, 100):
        with Serve(3) as cloud:
            run = launch(fixture, cloud, role, ["/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                                                "-e", f"inject={call}:signal=KILL:when={number}"])
            if run.status == 0:
                expect(number > 1, True, f"{role} calls {call}")
                return
            again = run.again()
            where = f"{role} killed at {call} {number}, which said:\n{run.out}\nand then:\n{again.out}"
            expect(again.status, 0, where)
            expect(files(run.machine), wanted, where)
    raise AssertionError(f"{role} calls {call} for ever")


CALLS = {"renameat": "rename", "renameat2": "exchange_of_folders", "unlinkat": "removal"}


def make_test(role, call):
    def test(fixture):
        cut_at_each(fixture, role, call)
    test.__name__ = f"test_{role}_cut_at_each_{CALLS[call]}"
    return test


for one in [(role, call) for role in ROLES for call in CALLS if (role, call) != ("client", "unlinkat")]:  # the client removes nothing
    made = make_test(*one)
    globals()[made.__name__] = made


if __name__ == "__main__":
    main(globals())
