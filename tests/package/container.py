"""A small Debian of its own: a copy of the folder that tests/package/prepare made, as a container with systemd as init."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from servers import die_with_parent

HERE = pathlib.Path(__file__).parent
CGROUPS = pathlib.Path("/sys/fs/cgroup")
BOOT_SECONDS = 40


def prepared_root():
    return pathlib.Path(subprocess.run([HERE / "prepare", "--print-root"], check=True, capture_output=True, text=True).stdout.strip())


class Cgroups:
    """A cgroup of the container's own in each hierarchy: its systemd takes the one it finds itself in for its root."""

    def __init__(self, name):
        tops = [CGROUPS] if (CGROUPS / "cgroup.procs").exists() else sorted(path for path in CGROUPS.iterdir() if path.is_dir())
        self.folders = [self.own(top) / name for top in tops]

    @staticmethod
    def own(top):
        """The caller's own cgroup in a hierarchy, which is not always the hierarchy's root."""
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if top.name in controllers.removeprefix("name=").split(",") or (not controllers and top in (CGROUPS, CGROUPS / "unified")):
                return top / path.lstrip("/")
        return top

    def make(self):
        for folder in self.folders:
            folder.mkdir()
            for knob in ("cpuset.cpus", "cpuset.mems"):
                if (folder / knob).exists() and not (folder / knob).read_text().strip():
                    (folder / knob).write_text((folder.parent / knob).read_text())

    def enter(self):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                for _ in range(50):
                    try:
                        os.rmdir(path)
                        break
                    except OSError:
                        time.sleep(0.02)


class Container:
    """A copy of the prepared folder; start() boots it, and the end of the block ends it."""

    def __init__(self):
        self.process = self.cgroups = self.leader = None

    def __enter__(self):
        source = prepared_root()
        self.folder = tempfile.mkdtemp(prefix="machine-", dir=source.parent)
        self.root = pathlib.Path(self.folder) / "root"
        subprocess.run(["cp", "-a", source, self.root], check=True)
        (self.root / "etc/machine-id").write_text("uninitialized\n")
        (self.root / "etc/systemd/system/systemd-networkd.service").symlink_to("/dev/null")  # the network is the test's own
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, wait_for=()):
        """Until it has booted; or, where that takes what the test has yet to do, until these units are active."""
        self.cgroups = Cgroups(f"flocker-package-{os.getpid()}")
        self.cgroups.make()

        def enter():
            die_with_parent()
            self.cgroups.enter()

        self.log = open(f"{self.folder}/console", "ab")
        self.process = subprocess.Popen(
            ["/usr/bin/systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--machine=package-test", f"--directory={self.root}",
             "--resolv-conf=off", "--capability=all", "--boot", "--console=pipe"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=enter,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_TMPFS_TMP": "0"})
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            self.leader = children[0] if children else None
            if self.leader and self.is_up(wait_for):
                return self
            time.sleep(0.1)
        raise RuntimeError(f"the container does not boot: {self.console()[-2000:]}")

    def is_up(self, units):
        if units:
            return set(self.run("systemctl", "is-active", *units, check=False).split()) == {"active"}
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.cgroups:
            self.cgroups.remove()
            self.log.close()
        self.process = self.cgroups = self.leader = None

    def console(self):
        return pathlib.Path(f"{self.folder}/console").read_text(errors="replace")

    def run(self, *words, check=True):
        """A command within: in the booted container, else in its folder. Its output."""
        way = ["nsenter", "--target", self.leader, "--all", "--"] if self.leader else ["chroot", str(self.root)]
        done = subprocess.run([*way, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "TERM": "dumb"})
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def tree(self):
        """Everything that stands in the folder, without what a running system writes by itself."""
        names = subprocess.run(["find", ".", "-xdev", "-printf", "%P\\n"], cwd=self.root, capture_output=True, text=True, check=True).stdout
        return set(names.splitlines())
