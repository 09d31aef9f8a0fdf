"""Real machines for tests: a stack that flocker-rehearsal brings up as nspawn containers, held until the block ends.

    with Stack("--components=docker,swarm") as stack:
        stack.wait()                                   # to the stack's end
        stack["ClientNode"].run("docker", "info")

A block that fails shows each machine's console, cloud-init's log and journal, behind what the rehearsal said.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import types

import tap
from engine import Connection
from servers import die_with_parent
from tap import expect, expect_in

HERE = pathlib.Path(__file__).parent
TOP = HERE.parent.parent
BUILD = pathlib.Path(os.environ["REHEARSAL"]).parent.parent
PROGRAM, REHEARSAL = os.environ["PROGRAM"], os.environ["REHEARSAL"]
TEMPLATE = BUILD / "template/flocker-template"
UP_SECONDS, RUN_SECONDS, END_SECONDS = 200, 60, 30
SHOWN_LINES = 60
UNIT = "flocker-bootstrap.service"  # of each boot
ALWAYS = {"read-instance", "verify", "purge-secrets"}  # what is asked each time; with keep-secrets nothing is purged

tap.TEST_SECONDS = 300  # a machine boots in seconds, on a machine that does nothing else


def image(suite="bookworm"):
    """The root file system of a machine, made once."""
    subprocess.run([HERE / "prepare", suite], check=True, stdout=sys.stderr)
    return subprocess.run([HERE / "prepare", "--print-root", suite], check=True, capture_output=True, text=True).stdout.strip()


def program_layer(root):
    """What a machine image of ours has over Debian: the package, installed, and the stand-ins of Flocker's services. Made once."""
    digest = hashlib.sha256(root.encode())
    for path in [PROGRAM, REHEARSAL, TEMPLATE, *sorted(p for p in (TOP / "packaging").rglob("*") if p.is_file())]:
        digest.update(pathlib.Path(path).read_bytes())
    layer = BUILD / f"machine-layers/{pathlib.Path(root).name}-{digest.hexdigest()[:12]}"
    layer.parent.mkdir(exist_ok=True)
    with open(layer.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.exists():
            make_layer(root, layer)
    return layer


def make_layer(root, layer):
    for old in layer.parent.glob(f"{pathlib.Path(root).name}-*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix="machine-layer.", dir=layer.parent) as folder:
        work = pathlib.Path(folder)
        for name in ("deb", "upper", "work", "root"):
            (work / name).mkdir()
        subprocess.run([TOP / "packaging/deb", f"--programs={BUILD}", f"--out={work}/deb"], check=True, stdout=subprocess.DEVNULL)
        (package,) = (work / "deb").glob("flocker-bootstrap_*.deb")
        shutil.copy(package, work / "upper/package.deb")
        stand_in = work / "upper/usr/lib/flocker-rehearsal"
        stand_in.mkdir(parents=True)
        shutil.copy(REHEARSAL, stand_in)
        os.chmod(work / "upper", 0o755)
        subprocess.run(["unshare", "--mount", "sh", "-ec",
                        'mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$1/root"\n'
                        'chroot "$1/root" dpkg --install /package.deb >&2\n'
                        'rm "$1/root/package.deb"', root, work], check=True)
        (work / "upper").rename(layer)


def unit(text, name="early"):
    """A unit that runs in front of cloud-init's last stage, as files of a layer."""
    return {f"etc/systemd/system/{name}.service": text,
            f"etc/systemd/system/cloud-final.service.d/{name}.conf": f"[Unit]\nWants={name}.service\nAfter={name}.service\n"}


def files_layer(folder, files):
    """A folder with these files ({path: text; a Path: that program; False: what the image has there is hidden}), to be laid over an image."""
    for path, text in files.items():
        place = pathlib.Path(folder) / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if text is False:
            os.mknod(place, stat.S_IFCHR)  # overlayfs's whiteout
        elif isinstance(text, pathlib.Path):
            shutil.copy(text, place)
            place.chmod(0o755)
        else:
            place.write_text(text)
            place.chmod(0o755 if text.startswith("#!") else 0o644)
    for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    return folder


def steps_done(out):
    """The steps that a run says it has done, not found done."""
    return set(re.findall(r"^(\S+) +done in", out, re.M))


def template_of(*words, nodes=None, timeout=None):
    """What flocker-template create prints, with these nodes alone, and a time-out as short as CloudFormation allows."""
    template = json.loads(subprocess.run([TEMPLATE, "create", *words], check=True, capture_output=True, text=True).stdout)
    for part in ("Resources", "Outputs") if nodes else ():
        for name in [name for name in template[part] if re.match(r"(Control|Agent|Client)Node", name) or part == "Outputs"]:
            if not name.startswith(nodes) or (part == "Outputs" and not name.endswith("IP")):
                del template[part][name]
    if timeout:
        template["Parameters"]["Timeout"].update(Default=str(timeout), MinValue=1)
    return template


class Machine:
    def __init__(self, stack, found):
        self.stack, self.name, self.id, self.address = stack, found["name"], found["id"], found["address"]
        self.leader, self.root, self.console = found["leader"], pathlib.Path(found["root"]), pathlib.Path(found["console"])
        self.user_data = found["userData"]

    def start(self, *words, **options):
        """A process in the machine, as the journal's lines and cloud-init's scripts see it: no HOME."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                       "AWS_ENDPOINT_URL": self.services, **options.pop("environment", {})}
        return subprocess.Popen(["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
                                 "--", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=environment, preexec_fn=die_with_parent, **options)

    def run(self, *words, status=0, seconds=RUN_SECONDS, **options):
        """What it prints; its exit status must be the given one (None: any)."""
        process = self.start(*words, **options)
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            raise AssertionError(f"{self.name}: {shlex.join(map(str, words))}: not done after {seconds} s: {out}") from None
        if status is not None and process.returncode != status:
            raise AssertionError(f"{self.name}: {shlex.join(map(str, words))}: expected status {status}, found {process.returncode}: {out}")
        return types.SimpleNamespace(out=out, status=process.returncode)

    def put(self, path, content):
        """A file into the running machine."""
        place = pathlib.Path(f"/proc/{self.leader}/root", path.lstrip("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def login(self, user, line, **options):
        """A command line in a login shell of `user`'s, where profile files count."""
        return self.run("su", "-", user, "-c", line, **options)

    @property
    def services(self):
        return re.search(r"AWS_ENDPOINT_URL=(\S+)", (self.root / "etc/environment").read_text())[1]

    def read(self, path):
        """A file of the machine's, as it is: also when it does not run."""
        place = self.root / path.lstrip("/")
        return place.read_text(errors="replace") if place.exists() else ""

    def steps(self):
        """The journal of steps, of each run: [[event, …], …]."""
        runs = {}
        for line in self.read("var/lib/flocker-bootstrap/journal.jsonl").splitlines():
            event = json.loads(line)
            runs.setdefault(event["run"], []).append(event)
        return list(runs.values())

    def shown_console(self):
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", self.console.read_text(errors="replace"))

    def journal(self, *words):
        """Its journal, by this machine's journalctl: it may be dead."""
        return subprocess.run(["journalctl", "--quiet", "--no-pager", "--directory", self.root / "var/log/journal", *words],
                              capture_output=True, text=True, timeout=20, check=False).stdout

    def wait(self, question, what, seconds=RUN_SECONDS):
        """Asks until it is answered with something true."""
        end = time.monotonic() + seconds
        while not (answer := question()):
            if time.monotonic() > end:
                raise AssertionError(f"{self.name}: not within {seconds} s: {what}")
            time.sleep(0.1)
        return answer


class Stack:
    def __init__(self, *words, suite="bookworm", layers=None, template=None):
        self.words, self.suite, self.layers, self.template = list(words), suite, layers or {}, template
        self.lines, self.process = [], None

    def __enter__(self):
        self.closing = contextlib.ExitStack()
        try:
            self.open()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def open(self):
        root = image(self.suite)
        scratch = pathlib.Path(self.closing.enter_context(tempfile.TemporaryDirectory(prefix="e2e.")))
        words = [REHEARSAL, "--machines=nspawn", f"--image={program_layer(root)}:{root}", "--hold", *self.words]
        for node, files in self.layers.items():
            words.append(f"--layer={node}:{files_layer(scratch / 'layers' / node.replace('*', 'all'), files)}")
        if self.template is not None:
            (scratch / "template.json").write_text(json.dumps(self.template))
            words.append(scratch / "template.json")
        self.began = time.monotonic()
        self.process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env={**os.environ, "TMPDIR": str(scratch)} if len(str(scratch)) < 30 else None, preexec_fn=die_with_parent)
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        self.folder = scratch
        self.control_path = None

    def listen(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append((time.time(), line.rstrip("\n")))
                self.changed.notify_all()
        with self.changed:
            self.lines.append((time.time(), None))
            self.changed.notify_all()

    @property
    def out(self):
        return "\n".join(line for _, line in self.lines if line is not None)

    def wait_line(self, pattern, seconds=UP_SECONDS):
        """(when, match) of the first line that has the pattern."""
        seen, end = 0, time.monotonic() + seconds
        with self.changed:
            while True:
                for when, line in self.lines[seen:]:
                    if line is None:
                        raise AssertionError(f"flocker-rehearsal ended before {pattern!r} was seen: {self.out[-3000:]}")
                    if found := re.search(pattern, line):
                        return when, found
                seen = len(self.lines)
                if not self.changed.wait(max(0, end - time.monotonic())):
                    raise AssertionError(f"not within {seconds} s: {pattern!r}: {self.out[-3000:]}")

    def wait(self, seconds=UP_SECONDS, status="CREATE_COMPLETE"):
        """To the stack's end, which is to be of that status."""
        self.wait_line(r"^Held: ", seconds)
        expect_in(f" {status} ", re.findall(r"^.* AWS::CloudFormation::Stack .*$", self.out, re.M)[-1], "the stack's last event")
        return self

    def ask(self, method, path, body=None):
        """The control socket's answer."""
        if not self.control_path:
            (self.control_path,) = self.folder.glob("flocker-rehearsal.*/control")
        connection = Connection(self.control_path)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read().decode()
            expect(response.status, 200, f"{method} {path}: {text}")
            return text
        finally:
            connection.close()

    def machines(self):
        return {found["name"]: Machine(self, found) for found in json.loads(self.ask("GET", "/machines"))}

    def __getitem__(self, name):
        return self.machines()[name]

    def remains(self, name):
        """What is left of a machine that a rollback has taken away: its files."""
        (folder,) = self.folder.glob("flocker-rehearsal.*")
        return Machine(self, {"name": name, "id": None, "address": None, "leader": 0, "root": folder / name, "console": folder / f"{name}.console",
                              "userData": ""})

    def bucket(self):
        return re.search(r'store: "s3://([^"/]+)', next(iter(self.machines().values())).user_data)[1]

    def keys(self):
        return self.ask("GET", f"/store/{self.bucket()}").split()

    def __exit__(self, kind, _error, _trace):
        if self.process:
            if kind:
                self.show()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.closing.close()

    def show(self):
        """For whoever has to find out what went wrong."""
        print("# the rehearsal said:", *self.out.splitlines()[-SHOWN_LINES:], sep="\n#   ")
        with contextlib.suppress(Exception):
            for name in sorted(path.stem for path in self.folder.glob("flocker-rehearsal.*/*.console")):
                machine = self.remains(name)
                for title, text in (("console", machine.shown_console()), ("cloud-init-output.log", machine.read("var/log/cloud-init-output.log")),
                                    ("journal", machine.journal("--lines", str(SHOWN_LINES), "--output=short-precise"))):
                    print(f"# {machine.name}, {title}:", *text.splitlines()[-SHOWN_LINES:], sep="\n#   ", flush=True)

    def stop(self, machine):
        self.ask("POST", f"/machines/{machine.name}/stop")
        machine.wait(lambda: self[machine.name].leader == 0, "powered off")

    def boot(self, machine):
        """Starts it; what it is then, once its boot has ended."""
        self.ask("POST", f"/machines/{machine.name}/start")
        return self.booted(machine)

    def booted(self, machine, seconds=RUN_SECONDS):
        """Asks for it anew each time: while a container is made, its leader is for a moment another process."""
        def up():
            now = self[machine.name]
            if not now.leader:
                return None
            state = now.run("systemctl", "is-system-running", "--wait", status=None, seconds=seconds).out.strip()
            return now if state in ("running", "degraded") else None
        return machine.wait(up, "booted", seconds)


def last_run(machine):
    """{step: how it ended} of the last run."""
    return {event["step"]: event["event"] for event in machine.steps()[-1] if "step" in event}


def done_last(machine):
    return {step for step, event in last_run(machine).items() if event == "done"} - ALWAYS


def settled(stack, machine):
    """As it is once its unit has run."""
    machine.wait(lambda: machine.run("systemctl", "is-active", UNIT, status=None).out.strip() in ("active", "failed"), "the unit's run")
    expect(machine.run("systemctl", "is-active", UNIT, status=None).out.strip(), "active", machine.run("journalctl", "--unit", UNIT, "--lines=30").out)
    return machine
