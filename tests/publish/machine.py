"""A machine that an image is made of: a systemd-nspawn container over the folder of tests/publish/prepare, with sshd on loopback
of a network namespace of its own. What is written in it goes with it."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from servers import die_with_parent

HERE = pathlib.Path(__file__).parent
START_SECONDS = 40


def base_root():
    subprocess.run([HERE / "prepare"], check=True, stdout=subprocess.DEVNULL)
    return subprocess.run([HERE / "prepare", "--print-root"], check=True, capture_output=True, text=True).stdout.strip()


def control_groups(name):
    """A group of our own in each hierarchy that is mounted: nspawn shares its caller's."""
    mounts = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, behind = line.partition(" - ")
        kind, _, options = behind.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            for option in [""] if kind == "cgroup2" else options.split(","):
                mounts[option] = before.split()[3:5]
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        root, point = mounts.get(controllers.split(",")[0], (None, None))
        if point:
            own = own.removeprefix(root.rstrip("/")) if own.startswith(root) else "/"
            yield pathlib.Path(point + own.rstrip("/")), pathlib.Path(point + own.rstrip("/")) / name


class Machine:
    def __init__(self):
        self.base = base_root()
        self.name = f"image{os.getpid()}"
        self.process = None
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def begin(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="image."))
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        for name in ("root", "upper", "work", "docker", "containerd"):
            (self.folder / name).mkdir()
        self.root = self.folder / "root"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={self.base},upperdir={self.folder}/upper,workdir={self.folder}/work", self.root], check=True)
        self.stack.callback(subprocess.run, ["umount", "--lazy", self.root])
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.stack.callback(subprocess.run, ["ip", "netns", "delete", self.name])
        self.execute("ip", "link", "set", "lo", "up", outside=True)
        self.make_keys()
        self.boot()
        self.wait()

    def make_keys(self):
        """An ed25519 key: Debian's Packer signs RSA ones with SHA-1 alone, which sshd does not take."""
        self.key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        self.make_keys_known()
        (self.root / "etc/hostname").write_text("builder\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 builder\n")

    def make_keys_known(self):
        """What cloud-init does at a first boot, and cleaning takes away: ours, and the machine's own."""
        script = ("id admin >/dev/null 2>&1 || useradd --create-home --shell /bin/bash admin; "
                  "echo 'admin ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-cloud-init-users; "
                  "mkdir -p -m 700 /home/admin/.ssh; cat >/home/admin/.ssh/authorized_keys; chown -R admin: /home/admin/.ssh")
        subprocess.run(["chroot", self.root, "/bin/bash", "-c", script], input=(self.folder / "key.pub").read_text(), text=True, check=True)
        subprocess.run(["ssh-keygen", "-q", "-A", "-f", self.root], check=True, stdout=subprocess.DEVNULL)

    def boot(self):
        groups = list(control_groups(self.name))
        for parent, group in groups:
            group.mkdir(exist_ok=True)
            for value in ("cpuset.cpus", "cpuset.mems"):
                with contextlib.suppress(OSError):
                    (group / value).write_text((parent / value).read_text())
        self.stack.callback(self.leave_groups, [group for _, group in groups])

        def enter():
            die_with_parent()
            for _, group in groups:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        self.console = self.folder / "console"
        with open(self.console, "w") as console:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--register=no", "--keep-unit", "-M", self.name, "-D", self.root,
                 f"--network-namespace-path=/run/netns/{self.name}", "--capability=all",
                 "--system-call-filter=add_key keyctl bpf perf_event_open", f"--bind={self.folder}/docker:/var/lib/docker",
                 f"--bind={self.folder}/containerd:/var/lib/containerd", "--resolv-conf=off", "--boot", "--console=pipe"],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_TMPFS_TMP": "0",
                     "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=enter)
        self.stack.callback(self.end)

    def wait(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            if self.ssh("true").returncode == 0:
                return
            time.sleep(0.2)
        raise AssertionError(f"the machine did not come up: {self.console.read_text()[-2000:]}")

    def execute(self, *words, outside=False, **options):
        """A program in the machine's network; `outside` of the machine itself."""
        line = ["ip", "netns", "exec", self.name, *map(str, words)]
        return subprocess.run(line, check=True, **options) if outside else subprocess.run(line, capture_output=True, text=True, **options)

    def ssh(self, *words):
        return self.execute("ssh", "-i", self.key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2", "admin@127.0.0.1", *words, timeout=60)

    def inside(self, *words):
        """In the machine, by way of its init's namespaces: also once no key lets anybody in."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return subprocess.run(["nsenter", "--all", "--target", children[0], *words], capture_output=True, text=True, timeout=60)

    def builders(self):
        """Packer's builder that makes no machine, and comes into this one."""
        return [{"type": "null", "name": "machine", "ssh_host": "127.0.0.1", "ssh_username": "admin",
                 "ssh_private_key_file": str(self.key), "ssh_timeout": "30s"}]

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @staticmethod
    def leave_groups(groups):
        end = time.monotonic() + 5
        for group in groups:
            for below in [*sorted(group.rglob("*/"), reverse=True), group]:
                while below.is_dir() and time.monotonic() < end:
                    try:
                        below.rmdir()
                    except OSError:
                        time.sleep(0.05)
