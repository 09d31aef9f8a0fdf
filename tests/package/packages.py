"""The Debian packages: built twice, judged by lintian, and in a container with systemd installed, booted, upgraded, removed and purged."""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import types

import tap
from container import Container
from metadata import Metadata
from tap import expect, expect_in, main

tap.TEST_SECONDS = 300  # xz and lintian take their time where others work too

TOP = pathlib.Path(__file__).parent.parent.parent
BUILD = pathlib.Path(os.environ["REHEARSAL"]).parent.parent
UNITS = ["flocker-bootstrap.service", "flocker-bootstrap-members.service", "flocker-bootstrap-renew.service", "flocker-bootstrap-renew.timer"]
DATE = "1764000000"  # of all builds here, whatever is committed meanwhile
STATE = "var/lib/flocker-bootstrap"
FOLLOWER_DROP_IN = "/etc/systemd/system/flocker-bootstrap-members.service.d"

# What installing anything leaves in a Debian, and what a running systemd writes.
OTHERS = ("var/lib/dpkg/", "var/lib/apt/", "var/cache/", "var/log/", "var/tmp/", "tmp/", "run/", "root/", "etc/machine-id", "var/lib/systemd/",
          "etc/.pwd.lock", "var/lib/private", "dev/", "etc/mtab", "etc/resolv.conf", "var/lib/dbus/", "etc/hostname")


def pack(folder):
    done = subprocess.run([TOP / "packaging/deb", f"--programs={BUILD}", f"--out={folder}"], capture_output=True, text=True, timeout=250,
                          env={**os.environ, "SOURCE_DATE_EPOCH": DATE})
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return {path.name.split("_")[0]: path for path in map(pathlib.Path, done.stdout.split())}


def make_older(package, folder):
    """The same package as an older version of it."""
    tree = folder / "older"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 0.0.1", control.read_text(), flags=re.M))
    older = folder / "older.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, older], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return older


@contextlib.contextmanager
def setup():
    with tempfile.TemporaryDirectory(prefix="packages-") as name, Container() as machine:
        folder = pathlib.Path(name)
        packages = pack(folder / "new")
        older = make_older(packages["flocker-bootstrap"], folder)
        for source, target in ((older, "older"), (packages["flocker-bootstrap"], "new"), (packages["flocker-bootstrap-tools"], "tools")):
            shutil.copy(source, machine.root / f"root/{target}.deb")
        machine.start()
        machine.run("systemctl", "stop", "man-db.timer", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer")
        yield types.SimpleNamespace(folder=folder, packages=packages, machine=machine, before=machine.tree())


def show(machine, unit, *names):
    text = machine.run("systemctl", "show", unit, *[f"--property={name}" for name in names])
    found = dict(line.split("=", 1) for line in text.splitlines())
    return tuple(found[name] for name in names)


def wait_until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, True, f"in time: {what}")
        time.sleep(0.05)


def point_at(machine, metadata):
    """The units' environment: this test's metadata service, in place of the link-local one."""
    (machine.root / "etc/default/flocker-bootstrap").write_text(f"AWS_EC2_METADATA_SERVICE_ENDPOINT={metadata}\n")


def test_the_same_bytes_again(fixture):
    os.makedirs(fixture.folder / "elsewhere")
    with_umask = ["bash", "-c", 'umask 027; exec "$@"', "bash"]
    done = subprocess.run([*with_umask, TOP / "packaging/deb", f"--programs={BUILD}", f"--out={fixture.folder}/again"], capture_output=True, text=True,
                          env={**os.environ, "SOURCE_DATE_EPOCH": DATE, "TMPDIR": str(fixture.folder / "elsewhere"), "TZ": "Asia/Tokyo", "LC_ALL": "C"}, timeout=250)
    expect(done.returncode, 0, done.stderr)
    for path in map(pathlib.Path, done.stdout.split()):
        first = fixture.packages[path.name.split("_")[0]]
        expect(hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(first.read_bytes()).hexdigest(), path.name)


def test_lintian_has_nothing_to_say(fixture):
    done = subprocess.run(["lintian", "--fail-on=error,warning", *fixture.packages.values()], capture_output=True, text=True, timeout=100)
    expect((done.returncode, done.stdout), (0, ""))


def test_the_program_is_stripped_and_alone(fixture):
    for package, programs in (("flocker-bootstrap", ["flocker-bootstrap"]), ("flocker-bootstrap-tools", ["flocker-rehearsal", "flocker-template"])):
        listed = subprocess.run(["dpkg-deb", "--contents", fixture.packages[package]], capture_output=True, text=True, check=True).stdout
        expect(sorted(re.findall(r"usr/bin/(\S+)$", listed, re.M)), programs)
        expect(set(re.findall(r"^\S+ (\S+)", listed, re.M)), {"root/root"})
        expect(set(re.findall(r"^-(\S+) ", listed, re.M)), {"rwxr-xr-x", "rw-r--r--"})
    machine = fixture.machine
    machine.run("dpkg-deb", "--extract", "/root/new.deb", "/tmp/look")
    symbols = subprocess.run(["readelf", "--symbols", "--program-headers", "--wide", machine.root / "tmp/look/usr/bin/flocker-bootstrap"],
                             capture_output=True, text=True, check=True).stdout
    expect(("'.symtab'" in symbols, "INTERP" in symbols), (False, False))
    machine.run("rm", "-r", "/tmp/look")


def test_what_an_installation_does(fixture):
    """The older one first: the next test upgrades it."""
    machine = fixture.machine
    machine.run("dpkg", "--install", "/root/older.deb")
    expect([machine.run("systemctl", "is-enabled", unit, check=False).strip() for unit in UNITS], ["enabled", "disabled", "static", "enabled"])
    expect([show(machine, unit, "ActiveState")[0] for unit in UNITS], ["inactive", "inactive", "inactive", "active"])
    expect(machine.run("systemd-analyze", "verify", *UNITS), "")
    expect(machine.run("systemctl", "show", "--property=After", "--value", "multi-user.target").find("flocker-bootstrap.service"), -1)
    expect_in("is a comment to YAML", " ".join(machine.run("man", "flocker-bootstrap.yaml").split()))
    expect_in("bring a machine into its", machine.run("man", "8", "flocker-bootstrap"))
    loaded = "source /usr/share/bash-completion/bash_completion; _completion_loader flocker-bootstrap; complete -p flocker-bootstrap"
    expect_in("complete -F _flocker_bootstrap flocker-bootstrap", machine.run("bash", "-c", loaded))
    expect(machine.run("flocker-bootstrap", "--version").split()[0], "flocker-bootstrap")


def test_an_upgrade_keeps_what_is_there(fixture):
    """State, a unit that the owner has disabled, a follower that runs; the run at boot is not repeated."""
    machine = fixture.machine
    (machine.root / STATE).mkdir(mode=0o700)
    (machine.root / STATE / "state.json").write_text("{}")
    (machine.root / FOLLOWER_DROP_IN.lstrip("/")).mkdir()
    (machine.root / FOLLOWER_DROP_IN.lstrip("/") / "test.conf").write_text("[Service]\nType=simple\nWatchdogSec=0\nExecStart=\nExecStart=/bin/sleep 600\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "disable", "--now", "flocker-bootstrap-renew.timer")
    machine.run("systemctl", "enable", "--now", "flocker-bootstrap-members.service")
    first = show(machine, "flocker-bootstrap-members.service", "MainPID", "ActiveState")
    expect(first[1], "active")
    machine.run("dpkg", "--install", "/root/new.deb")
    expect(machine.run("dpkg-query", "--show", "--showformat=${Status}", "flocker-bootstrap"), "install ok installed")
    expect((machine.root / STATE / "state.json").read_text(), "{}")
    expect(machine.run("systemctl", "is-enabled", "flocker-bootstrap-renew.timer", check=False).strip(), "disabled")
    pid, state = show(machine, "flocker-bootstrap-members.service", "MainPID", "ActiveState")
    expect((pid != first[0], state), (True, "active"), "the follower runs anew")
    expect(show(machine, "flocker-bootstrap.service", "ActiveState", "ExecMainStartTimestamp"), ("inactive", ""))
    machine.run("systemctl", "enable", "--now", "flocker-bootstrap-renew.timer")


def test_a_machine_that_is_told_no_role(fixture):
    with Metadata(values={"user-data": "#!/bin/sh\necho hello\n"}) as metadata:
        point_at(fixture.machine, metadata.endpoint)
        fixture.machine.run("systemctl", "start", "flocker-bootstrap.service")
        expect(show(fixture.machine, "flocker-bootstrap.service", "ActiveState", "SubState", "Result"), ("active", "exited", "success"))
        expect_in("nothing to do: neither user-data nor tags name a role", fixture.machine.run("journalctl", "--unit=flocker-bootstrap", "--output=cat"))
        fixture.machine.run("systemctl", "stop", "flocker-bootstrap.service")


def test_what_is_final_is_not_tried_again(fixture):
    """The reason is in the journal, under the unit; nothing waits for a new start."""
    document = "#!/usr/bin/flocker-bootstrap --role=agent\nstore: s3://bucket/a\nnode: two\n"
    with Metadata(values={"user-data": document}) as metadata:
        point_at(fixture.machine, metadata.endpoint)
        fixture.machine.run("systemctl", "start", "flocker-bootstrap.service", check=False)
        expect(show(fixture.machine, "flocker-bootstrap.service", "ActiveState", "Result", "ExecMainStatus", "NRestarts"),
               ("failed", "exit-code", "65", "0"))
        expect_in("line 3, column 7: node: expected a whole number from 0 to 1000, found 'two'",
                  fixture.machine.run("journalctl", "--unit=flocker-bootstrap", "--output=cat"))
        fixture.machine.run("systemctl", "reset-failed", "flocker-bootstrap.service")


def test_a_run_that_hangs_is_seen_and_begun_anew(fixture):
    """Stopped while it waits for another machine's work, with a watchdog of 2 s; before that, and once it is done, silence is no hanging."""
    machine = fixture.machine
    inside = "/run/systemd/system/flocker-bootstrap.service.d"
    machine.run("mkdir", "-p", inside)
    machine.run("sh", "-c", f"printf '[Service]\\nWatchdogSec=2s\\nRestartSec=1s\\n' >{inside}/watchdog.conf; systemctl daemon-reload")
    document = "#!/usr/bin/flocker-bootstrap --role=agent\nstore: s3://bucket/a\nnode: 1\nagents: 1\n"
    with Metadata(values={"user-data": "#cloud-config\n"}) as metadata:
        point_at(machine, metadata.endpoint)
        machine.run("systemctl", "start", "flocker-bootstrap.service")
        time.sleep(3)
        expect(show(machine, "flocker-bootstrap.service", "ActiveState", "Result"), ("active", "success"))
        machine.run("systemctl", "stop", "flocker-bootstrap.service")
        metadata.values["user-data"] = document
        point_at(machine, f"{metadata.endpoint}\nAWS_ENDPOINT_URL=http://127.0.0.1:9")
        steps = machine.root / STATE / "journal.jsonl"
        (machine.root / STATE / "state.json").unlink()  # the upgrade's was none
        machine.run("systemctl", "start", "--no-block", "flocker-bootstrap.service")
        wait_until(lambda: steps.exists() and "fetch-docker-ca" in steps.read_text(), "the step that waits")
        time.sleep(3)
        pid, state = show(machine, "flocker-bootstrap.service", "MainPID", "ActiveState")
        expect((pid != "0", state), (True, "activating"))
        machine.run("sh", "-c", f"kill -STOP {pid}")
        wait_until(lambda: show(machine, "flocker-bootstrap.service", "NRestarts")[0] != "0", "a new start")
        expect_in("Watchdog timeout", machine.run("journalctl", "--unit=flocker-bootstrap", "--output=cat"))
        machine.run("systemctl", "stop", "flocker-bootstrap.service")
    machine.run("sh", "-c", f"rm -r {inside}; systemctl daemon-reload; systemctl reset-failed flocker-bootstrap.service")


def test_a_boot_ahead_of_its_metadata(fixture):
    """As on an instance: enabled, it starts with the machine, and the metadata service comes later. What may help is tried again."""
    machine = fixture.machine
    with Metadata() as metadata:
        pass  # a port that is free
    point_at(machine, metadata.endpoint)
    machine.stop()
    machine.start(wait_for=("multi-user.target",))
    time.sleep(1.5)
    expect(show(machine, "flocker-bootstrap.service", "ActiveState")[0], "activating")
    with Metadata(port=metadata.port) as late:
        began = time.monotonic()
        wait_until(lambda: show(machine, "flocker-bootstrap.service", "ActiveState")[0] == "active", "the run at boot")
        expect(time.monotonic() - began < 5, True, f"{time.monotonic() - began:.1f} s")
        expect(len(late.seen) > 0, True)
    expect(machine.run("systemctl", "--failed", "--no-legend", "--plain"), "")


def test_renewal_without_a_role_to_renew_for(fixture):
    """state.json is there, and user-data says nothing: a setting is missing, and that is said."""
    with Metadata() as metadata:
        point_at(fixture.machine, metadata.endpoint)
        fixture.machine.run("systemctl", "start", "flocker-bootstrap-renew.service", check=False)
        expect(show(fixture.machine, "flocker-bootstrap-renew.service", "Result", "ExecMainStatus"), ("exit-code", "78"))
        fixture.machine.run("systemctl", "reset-failed", "flocker-bootstrap-renew.service")


def test_the_tools_beside_it(fixture):
    machine = fixture.machine
    machine.run("dpkg", "--install", "/root/tools.deb")
    expect(machine.run("flocker-template", "create", "--agents=1")[:1], "{")
    done = machine.run("flocker-rehearsal", "--agents=1", "--components=docker,swarm", "--quiet")
    expect_in("CREATE_COMPLETE      AWS::CloudFormation::Stack             flocker", done)
    machine.run("man", "flocker-rehearsal")
    expect_in("dependency problems prevent removal", machine.run("dpkg", "--remove", "flocker-bootstrap", check=False))
    machine.run("dpkg", "--purge", "flocker-bootstrap-tools")


def test_a_removal_stops_it_and_keeps_its_state(fixture):
    machine = fixture.machine
    machine.run("dpkg", "--remove", "flocker-bootstrap")
    expect([show(machine, unit, "ActiveState", "LoadState") for unit in UNITS], [("inactive", "not-found")] * len(UNITS))
    expect((machine.root / STATE / "state.json").exists(), True)
    expect("flocker" in machine.run("systemctl", "list-units", "--all", "--no-legend", "--state=active"), False)


def test_a_purge_leaves_nothing(fixture):
    machine = fixture.machine
    machine.run("dpkg", "--purge", "flocker-bootstrap")
    shutil.rmtree(machine.root / FOLLOWER_DROP_IN.lstrip("/"))
    (machine.root / "etc/default/flocker-bootstrap").unlink()  # these two are the test's own
    left = {name for name in machine.tree() - fixture.before if not (name + "/").startswith(OTHERS) or ("flocker" in name and not name.startswith("var/cache/man/"))}
    expect(sorted(left), [])
    expect(sorted(name for name in fixture.before - machine.tree() if not (name + "/").startswith(OTHERS)), [])
    expect(machine.run("dpkg-query", "--show", "flocker-bootstrap", check=False).count("no packages found"), 1)


if __name__ == "__main__":
    main(globals())
