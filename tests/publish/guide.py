"""The maintainers' guide: each transcript in it is made anew and compared. `guide.py --write` writes them; look at the difference then."""

import contextlib
import difflib
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from chain import PROGRAM, REHEARSAL, Serve
from cloud import client
from images import PACKER
from latest import SeededMoto
from tap import expect, main
from template import TEMPLATE, environment_of, write

GUIDE = pathlib.Path(__file__).parent.parent.parent / "docs/maintaining.md"
WRITE = "--write" in sys.argv
BLOCK = re.compile(r"<!-- transcript: (\S+) -->\n((?:    .*\n|\n(?=    ))+)")
HEADINGS = ("Architecture", "How CloudFormation works here", "Publishing", "Building images", "Inputs", "Why S3 is waited for",
            "What happens when a stack fails", "How Flocker, Docker and Swarm are configured", "Debugging a failed stack",
            "Debugging a failed node", "Adding a scheduler")
USER_DATA = """#!/usr/bin/flocker-bootstrap --role=control
cluster: "flocker"
store: "s3://rehearsal/cluster"
node: 0
agents: 1
components: [docker, swarm]
swarm: builtin
"""


class Setting:
    """A maintainer's folder: the programs, Packer's stand-in, what is built from; and an instance."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.moto = self.stack.enter_context(SeededMoto(buckets=("flocker-templates",)))
        self.machine = self.stack.enter_context(Serve(1)).machines[0]
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.programs = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        for name, text in (("flocker-bootstrap_0.1.0_amd64.deb", "the package\n"), ("flocker-1.15.0.tar", "packages\n"), ("user-data.txt", USER_DATA)):
            write(self.folder, name, text)
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.machine.environment.items() if name.startswith("AWS_"))
        for name, text in (
                ("packer", PACKER), ("flocker-template", f'#!/bin/bash\nexec {TEMPLATE} "$@"\n'), ("flocker-rehearsal", f'#!/bin/bash\nexec {REHEARSAL} "$@"\n'),
                ("flocker-bootstrap", "#!/bin/bash\nroot=--root=" + str(self.machine.root) + '\n[ "$1" = config ] && root=\n'
                 f"exec env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_EC2_METADATA_DISABLED {settings} "
                 f'{PROGRAM} "$@" $root\n')):
            write(self.programs, name, text).chmod(0o755)
        self.image = client(self.moto, "ec2").describe_images()["Images"][0]["ImageId"]
        return self

    def __exit__(self, *_):
        self.stack.close()

    def run(self, name, commands):
        """The commands in one shell, and what each prints behind it."""
        regions = ",".join(f"{region}:{self.image}" for region in ("us-west-1", "eu-west-1"))
        variables = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": self.folder, "LOG": self.programs / "log", "DOCKER_VERSION": "27.5",
                     "FLOCKER_VERSION": "1.15.0", "FLOCKER_SOURCE": "flocker-1.15.0.tar", "FLOCKER_SHA256": "0" * 64,
                     "IMAGES": regions if name == "failure" else regions.split(",")[0], "HOW": "late" if name == "failure" else "well"}
        script = "\n".join(f"printf '%s\\n' {shlex.quote('    $ ' + command)}\n{{ {command}\n}} 2>&1 | sed 's/^/    /'" if not command.startswith("export ")
                           else f"printf '%s\\n' {shlex.quote('    $ ' + command)}\n{command}" for command in commands)
        done = subprocess.run(["/bin/bash", "-c", script], cwd=self.folder, env=environment_of(self.moto, **variables), capture_output=True,
                              text=True, timeout=55)
        expect((done.returncode, done.stderr), (0, ""), name)
        return self.settle(done.stdout)

    def settle(self, text):
        port = self.moto.endpoint.rpartition(":")[2]
        for pattern, word in ((rf"http://127.0.0.1:{port}", "https://s3.us-east-1.amazonaws.com"),
                              (rf"http%3A%2F%2F127.0.0.1%3A{port}", "https%3A%2F%2Fs3.us-east-1.amazonaws.com"),
                              (re.escape(str(self.machine.root)), ""), (re.escape(str(self.folder)) + "/", ""), (r"flocker-docker-0\.1\.0-\d{14}", "flocker-docker-0.1.0-20261125221500"),
                              (r"127\.\d+\.\d+\.\d+", "10.0.0.5"), (r"i-0[0-9a-f]{16}", "i-0123456789abcdef0"), (r"^    +\d+\.\d{3} s", "       0.4 s"),
                              (r"(?<=in )\d+(\.\d+)? m?s\b", "3 ms"), (r"(?<=X)[0-9a-f]{8}\b", "4f2a90c1"), (r"flocker-[0-9a-f]{12}(?=\.json)", "flocker-3f2a90c1d5e6"),
                              (r"all-[0-9a-f]{12}(?=\.json)", "all-7b0c11a2e9f4"), (r"(?<=clusterconfig)\S*?(?=/status)", "/ee19d637"),
                              (r"(?<=10\.0\.0\.5 and )[^\s,]+", "ip-10-0-0-5"), (r"[ \t]+$", "")):
            text = re.sub(pattern, word, text, flags=re.M)
        return text


setup = Setting


def test_each_transcript_is_what_the_programs_say(setting):
    text, found = GUIDE.read_text(), []

    def again(match):
        found.append(match[1])
        commands = [line[6:] for line in match[2].splitlines() if line.startswith("    $ ")]
        return f"<!-- transcript: {match[1]} -->\n{setting.run(match[1], commands)}"

    made = BLOCK.sub(again, text)
    if WRITE:
        GUIDE.write_text(made)
    difference = "" if WRITE else "\n".join(difflib.unified_diff(text.splitlines(), made.splitlines(), "written", "made", lineterm="", n=1))
    expect(difference, "", "the guide, which --write writes anew")
    expect(found, ["create", "publish", "latest", "build", "failure", "all", "rollback", "dry-run", "node"])


def test_every_heading_is_answered():
    text = GUIDE.read_text()
    found = re.findall(r"^## (.*)\n\n((?:(?!## ).*\n)+)", text, re.M)
    expect([heading for heading, _ in found], list(HEADINGS))
    for heading, answer in found:
        expect(len(answer.split()) > 40, True, heading)


def test_what_it_points_at_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text()) + re.findall(r"`((?:tests|template|s3|packaging)/[\w/.-]+)`", GUIDE.read_text()):
        place = (GUIDE.parent / target) if (GUIDE.parent / target).exists() else GUIDE.parent.parent / target
        expect(place.exists(), True, target)


if __name__ == "__main__":
    main(globals())
