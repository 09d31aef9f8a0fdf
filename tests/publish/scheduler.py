"""The guide's new table of steps, as a patch: it applies, builds without a warning, and its role runs dry."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import tap
from tap import expect, expect_in, main

tap.TEST_SECONDS = 280
ROOT = pathlib.Path(__file__).parent.parent.parent


def copy_tree(folder):
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def test_the_new_role_runs():
    with tempfile.TemporaryDirectory() as place:
        tree = pathlib.Path(place) / "tree"
        copy_tree(tree)
        done = subprocess.run(["patch", "-p1", "--fuzz=0", "-i", ROOT / "docs/adding-a-scheduler.patch"], cwd=tree, capture_output=True, text=True)
        expect(done.returncode, 0, done.stdout + done.stderr)
        for line in (["meson", "setup", "build", "-Dwerror=true"], ["ninja", "-C", "build", "agent/flocker-bootstrap"]):
            done = subprocess.run(line, cwd=tree, capture_output=True, text=True)
            expect(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        os.environ["PROGRAM"] = str(tree / "build/agent/flocker-bootstrap")
        from chain import Serve  # what it runs is in the environment
        with Serve(2) as cloud:
            control, node = cloud.machines
            expect(control.run("control", "--agents=1", "--components=docker,swarm", "--swarm=builtin").status, 0)
            found = node.run("nomad", "--components=docker,swarm", "--node=1", "--agents=1", "--dry-run")
            expect(found.status, 0, found.out)
            expect_in("start-nomad", found.out)
            expect_in("would write /etc/nomad.d/flocker-bootstrap.hcl, enable and restart nomad.service", found.out)


if __name__ == "__main__":
    main(globals())
