"""What a real engine and a real systemd answer (recorded in tests/host, and asked of them again by `docker` and `machines-refusals`), asked of the
rehearsal's."""

import json
import re

from cloud import Serve
from engine import Connection, answer_of, host_probe
from recorded import ENGINE, UNITS, Host, compare_engine, differences
from tap import expect, main


def ask(machine, method, path, body=None):
    connection = Connection(machine.root / "run/docker.sock")
    try:
        return answer_of(connection, method, path, body)
    finally:
        connection.close()


def test_each_answer_of_the_real_engine():
    with Serve(4) as cloud:
        alone, manager, worker, careful = cloud.machines
        expect(ask(manager, "POST", "/swarm/init", {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": manager.address})[0], 200)
        token = json.loads(ask(manager, "GET", "/swarm")[1])["JoinTokens"]["Worker"]
        join = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": worker.address, "RemoteAddrs": [f"{manager.address}:2377"]}
        expect(ask(worker, "POST", "/swarm/join", {**join, "JoinToken": token})[0], 200)
        machines = {"alone": alone, "manager": manager, "worker": worker}
        asked = [entry for entry in ENGINE["answers"] if entry["state"] in machines]
        expect(len(asked) > 12, True)
        for entry in asked:
            compare_engine(entry, *ask(machines[entry["state"]], entry["method"], entry["path"], entry.get("body")))
        bad = {"a token that is none": "garbage", "a token with a wrong secret": token[:-5] + "aaaaa"}
        for entry in ENGINE["joins"]:
            if entry["given"] in bad:
                compare_engine(entry, *ask(careful, "POST", "/swarm/join", {**join, "JoinToken": bad[entry["given"]]}))
            elif entry["given"] == "a manager that nobody is":
                compare_engine(entry, *ask(careful, "POST", "/swarm/join", {**join, "JoinToken": token, "RemoteAddrs": [f"{manager.address}:2399"]}))


def test_live_restore_and_what_keeps_an_engine_from_starting():
    """By way of the units: what the real one says as it gives up stands in the unit's log."""
    says = {entry["given"]: entry["says"] for entry in ENGINE["configurations"]}
    with Serve(1) as cloud:
        machine = cloud.machines[0]
        for given in ("a key that there is not", "hosts here and on the command line"):
            config = next(entry["config"] for entry in ENGINE["configurations"] if entry["given"] == given)
            (machine.root / "etc/docker/daemon.json").write_text(config)
            found = machine.run("control", "--components=docker", "--swarm=none", "--agents=1", "--only=configure-docker")
            expect(found.status != 0, True)
            if given == "a key that there is not":  # hosts are merged away, and then the engine has nothing to say of them
                wanted = says[given].replace("FOLDER", "/etc/docker")
                last = machine.read("var/log/units/docker.service.log").splitlines()
                if not any(re.search(wanted, line) for line in last):
                    raise AssertionError(f"expected {wanted!r} in {last!r}")


def test_each_answer_of_the_real_systemd():
    with Serve(1) as cloud:
        root = cloud.machines[0].root
        host = Host(root, lambda *words: host_probe(*words, ROOT=root))
        expect(len(UNITS["cases"]) > 25, True)
        said = [line for case in UNITS["cases"] for line in differences(case, host)]
        if said:
            raise AssertionError("\n".join(said))


if __name__ == "__main__":
    main(globals())
