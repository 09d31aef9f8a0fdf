"""What the rehearsal's systemd and engine imitate, asked of the real ones: a machine's systemd and its dockerd, by way of the host layer.

`tests/e2e/record-refusals` writes what this systemd says into the list of units' cases.
"""

import contextlib
import json
import os
import pathlib
import shutil
import types

from engine import Connection, answer_of
from machines import Stack
from recorded import ENGINE, UNITS, Host, compare_engine, differences
from tap import expect, main

TEMPLATE = {"Resources": {"Machine": {"Type": "AWS::EC2::Instance", "Properties": {
    "ImageId": "ami-00000001", "UserData": {"Fn::Base64": "#!/bin/true\n"}}}}}


def probe_of(machine):
    """host-probe on the machine, which is the machine's own root."""
    program = pathlib.Path(f"/proc/{machine.leader}/root/usr/local/bin/host-probe")
    shutil.copy(os.environ["HOST_PROBE"], program)
    return lambda *words: types.SimpleNamespace(**json.loads(machine.run("host-probe", *words, status=None).out))


@contextlib.contextmanager
def setup():
    with Stack(template=TEMPLATE) as stack:
        stack.wait()
        yield stack.booted(stack["Machine"])


def host_of(machine):
    return Host(f"/proc/{machine.leader}/root", probe_of(machine))


def test_what_a_real_systemd_answers_is_what_was_recorded(machine):
    host = host_of(machine)
    said = [line for case in UNITS["cases"] for line in differences(case, host)]
    if said:
        raise AssertionError("\n".join(said))


def test_what_a_real_engine_answers_is_what_was_recorded(machine):
    states = {"alone": None, "manager": {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "127.0.0.1"}}
    for state, init in states.items():
        connection = Connection(f"/proc/{machine.leader}/root/run/docker.sock")
        try:
            if init:
                expect(answer_of(connection, "POST", "/swarm/init", init)[0], 200)
            asked = [entry for entry in ENGINE["answers"] if entry["state"] == state]
            expect(len(asked) > 2, True)
            for entry in asked:
                compare_engine(entry, *answer_of(connection, entry["method"], entry["path"], entry.get("body")))
        finally:
            connection.close()


if __name__ == "__main__":
    main(globals())
