"""The provisioning, run for real: Debian's Packer comes by SSH into a container with systemd, and makes an image of it."""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile

import tap
from machine import Machine
from servers import die_with_parent
from tap import expect, expect_in, main
from template import TEMPLATE, environment_of, write

tap.TEST_SECONDS = 240
ROOT = pathlib.Path(__file__).parent.parent.parent
DOCKER = {"DOCKER_VERSION": "20.10"}


def make_deb(folder, name, version, files):
    tree = pathlib.Path(folder) / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@t>\nDescription: t\n")
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
        (tree / path).chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", "-Znone", "--root-owner-group", tree, f"{folder}/{name}.deb"], check=True, capture_output=True)


class Setting:
    """The machine, our package, and stand-ins for the software that nobody can fetch any more."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.machine = self.stack.enter_context(Machine())
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        subprocess.run([ROOT / "packaging/deb", f"--out={self.folder}", f"--programs={os.environ['BUILD']}"], check=True, capture_output=True)
        self.package, = self.folder.glob("flocker-bootstrap_*.deb")
        self.builders = write(self.folder, "builders.json", json.dumps(self.machine.builders()))
        self.swarm = write(self.folder, "swarm.c", "int main(void) { return 0; }").with_suffix("")
        subprocess.run(["gcc", "-static", "-o", self.swarm, self.swarm.with_suffix(".c")], check=True)
        make_deb(self.folder, "clusterhq-python-flocker", "1.15.0-1", {})
        make_deb(self.folder, "clusterhq-flocker-node", "1.15.0-1",
                 {f"usr/sbin/flocker-{name}": "#!/bin/sh\n" for name in ("control", "dataset-agent", "docker-plugin")})
        self.flocker = self.folder / "flocker.tar"
        subprocess.run(["tar", "-C", self.folder, "-cf", self.flocker, "clusterhq-python-flocker.deb", "clusterhq-flocker-node.deb"], check=True)
        return self

    def __exit__(self, *_):
        self.stack.close()

    def line(self, step):
        self.machine.make_keys_known()
        return ["ip", "netns", "exec", self.machine.name, TEMPLATE, "images", "build", f"--step={step}", f"--package={self.package}",
                f"--builders={self.builders}", f"--folder={self.folder}/{step}"]

    def start(self, step, **variables):
        return subprocess.Popen(self.line(step), env=environment_of(HOME=self.folder, **variables) | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    def build(self, step, **variables):
        process = self.start(step, **variables)
        out, err = process.communicate(timeout=200)
        return process.returncode, out, err

    def inside(self, script):
        done = self.machine.inside("/bin/bash", "-c", script)
        expect(done.returncode, 0, done.stderr)
        return done.stdout


setup = Setting


def source(name, path, version, sha256=None):
    return {f"{name}_VERSION": version, f"{name}_SOURCE": path,
            f"{name}_SHA256": sha256 or hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}


def test_what_cannot_be_had_is_named(setting):
    status, out, err = setting.build("docker", DOCKER_VERSION="1.9")
    expect((status, out), (69, ""), err)
    expect_in("cannot build the image of step docker: install: cannot find Docker 1.9: this distribution's archive has 20.10.24+dfsg1", err)
    expect_in("name one of them, or DOCKER_SOURCE and DOCKER_SHA256", err)
    status, out, err = setting.build("flocker", **source("FLOCKER", setting.flocker, "1.15.0"))
    expect((status, out), (69, ""), err)
    expect_in("install: cannot install Flocker: this is no image of step docker", err)


def test_an_interrupt_ends_packer(setting):
    process = setting.start("docker", **DOCKER)
    while "Uploading" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=150)
    expect((process.returncode, out), (75, ""), err)
    expect_in("Cancelling build after receiving interrupt", err)
    expect_in("cannot build the image of step docker: interrupted", err)
    expect("install: this is image" in err, False, "it went on to the end")


def test_step_docker_with_classic_swarm(setting):
    status, out, err = setting.build("docker", **DOCKER, **source("SWARM", setting.swarm, "1.2.9", "0" * 64))
    expect((status, out), (69, ""))
    expect_in(f"install: cannot use {setting.swarm}: expected the SHA-256 {'0' * 64}, found ", err)

    # Traces of a life before: none may be in the image.
    setting.inside("mkdir -p /etc/flocker /var/lib/flocker-bootstrap /root/.docker /var/lib/cloud/instances/i-1 && "
                   "touch /etc/flocker/node.key /var/lib/flocker-bootstrap/state.json /root/.docker/key.pem")
    status, out, err = setting.build("docker", **DOCKER, **source("SWARM", setting.swarm, "1.2.9"))
    expect((status, out), (0, ""), err)
    expect_in("check: image 0.1.0 of step docker is clean, and user-data runs in it", err)
    stamp = json.loads(setting.inside("cat /usr/lib/flocker-bootstrap/image.json"))
    expect((stamp["version"], stamp["step"], stamp["docker"][:5], stamp["swarm"], stamp["flocker"], stamp["flocker-bootstrap"]),
           ("0.1.0", "docker", "20.10", "1.2.9", "", "0.1.0"))
    expect(setting.inside("ls -d /etc/flocker /etc/docker/key.json /etc/hostname /etc/ssh/ssh_host_* /var/lib/cloud /root/.docker "
                          "/home/admin/.ssh/authorized_keys /tmp/flocker-image 2>/dev/null || true; wc -c </etc/machine-id; hostname; cat /etc/hosts"),
           "0\nlocalhost\n127.0.0.1 localhost\n")


def test_step_flocker_on_top_and_again(setting):
    status, out, err = setting.build("flocker", **source("FLOCKER", setting.flocker, "1.14"))
    expect((status, out), (69, ""), err)
    expect_in("install: cannot use this Flocker: expected clusterhq-flocker-node 1.14, found 1.15.0-1", err)
    for _ in range(2):
        status, out, err = setting.build("flocker", **source("FLOCKER", setting.flocker, "1.15.0"))
        expect((status, out), (0, ""), err)
        expect_in("check: image 0.1.0 of step flocker is clean, and user-data runs in it", err)
    stamp = json.loads(setting.inside("cat /usr/lib/flocker-bootstrap/image.json"))
    expect((stamp["step"], stamp["docker"][:5], stamp["swarm"], stamp["flocker"]), ("flocker", "20.10", "1.2.9", "1.15.0-1"))
    images = setting.inside("systemctl start docker && docker images --format '{{.Repository}}:{{.Tag}}'; systemctl stop docker docker.socket")
    expect(images, "swarm:1.2.9\n")


def test_the_check_finds_what_stays(setting):
    """Each fault by itself; the last run's provisioning is the maintainer's copy."""
    recipe = setting.folder / "flocker/provisioning"
    for name in ("clean", "check", "settings"):
        (setting.machine.root / "root" / name).write_text((recipe / name).read_text())
    setting.inside("bash /root/clean")
    for spoil, mend, sentence in (
            ("touch /etc/hostname", "rm /etc/hostname", "/etc/hostname must not stay in an image"),
            ("touch /etc/ssh/ssh_host_rsa_key", "rm /etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key must not stay"),
            ("mkdir -p /etc/flocker", "rmdir /etc/flocker", "/etc/flocker must not stay"),
            ("echo 1 >/etc/machine-id", ": >/etc/machine-id", "/etc/machine-id is not empty"),
            ("mkdir -p /root/.docker", "rmdir /root/.docker", "/root/.docker must not stay"),
            ("chmod -x /usr/bin/flocker-bootstrap", "chmod +x /usr/bin/flocker-bootstrap", "user-data does not run from /var/lib/cloud"),
            ("systemctl disable -q flocker-bootstrap", "systemctl enable -q flocker-bootstrap", "flocker-bootstrap.service is not enabled"),
            ("sed -i s/0.1.0/0.0.9/ /usr/lib/flocker-bootstrap/image.json", "sed -i s/0.0.9/0.1.0/ /usr/lib/flocker-bootstrap/image.json",
             "image.json does not say version 0.1.0"),
            ("mv /usr/sbin/flocker-control /root", "mv /root/flocker-control /usr/sbin", "flocker-control is not installed")):
        setting.inside(spoil)
        done = setting.machine.inside("/bin/bash", "/root/check")
        setting.inside(mend)
        expect(done.returncode, 1, spoil)
        expect_in(sentence, done.stderr)
    done = setting.machine.inside("/bin/bash", "/root/check")
    expect((done.returncode, done.stdout), (0, "check: image 0.1.0 of step flocker is clean, and user-data runs in it\n"), done.stderr)


if __name__ == "__main__":
    main(globals())
