"""What tests/run counts: programs that end badly in every way known, run by meson itself."""

import os
import pathlib
import subprocess
import tempfile

from tap import expect, expect_in, main

SUMMARY = pathlib.Path(__file__).parent.parent / "summary.py"

# How each program ends, and the sentence about it (None: nothing to say).
PROGRAMS = {
    "good": ("echo 1..2; echo ok 1 a; echo ok 2 b", None),
    "wrong": ("echo 1..2; echo ok 1 a; echo not ok 2 b; exit 1", "failed: run: unit / wrong: 2 b"),
    "crash": ("echo 1..2; echo ok 1 a; kill -SEGV $$", "failed: run: unit / crash: ERROR, exit status -11"),
    "leak": ("echo 1..1; echo ok 1 a; exit 23", "failed: run: unit / leak: ERROR, exit status 23"),
    "hang": ("echo 1..2; echo ok 1 a; sleep 60", "failed: run: unit / hang: TIMEOUT, exit status -15"),
    "short": ("echo 1..3; echo ok 1 a", "failed: run: unit / short: ERROR, exit status 0"),
    "skip": (r"echo 1..2; echo ok 1 a; echo ok 2 b \# SKIP no reason", "skipped: run: unit / skip: 2 b"),
}


def run_meson(folder):
    """Leaves FOLDER/run.json and FOLDER/run.xml, of a project with one test for each program."""
    tests = [f"test({name!r}, sh, args: ['-c', {script!r}], protocol: 'tap', suite: 'unit', timeout: 1)"
             for name, (script, _) in PROGRAMS.items()]
    tests += ["test('status', sh, args: ['-c', 'exit 3'])", "test('fine', sh, args: ['-c', 'exit 0'], suite: 'unit')",
              "test('good', sh, args: ['-c', 'echo 1..1; echo not ok 1 c; exit 1'], protocol: 'tap', suite: 'other')",  # a name twice
              "test('late', sh, args: ['-c', 'sleep 60'], timeout: 1)"]
    (folder / "meson.build").write_text("\n".join(["project('p')", "sh = find_program('sh')", *tests]) + "\n")
    subprocess.run(["meson", "setup", "b"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["meson", "test", "-C", "b"], cwd=folder, capture_output=True)
    for log, name in (("testlog.json", "run.json"), ("testlog.junit.xml", "run.xml")):
        (folder / "b/meson-logs" / log).rename(folder / name)


def summary(*words, ci="false"):
    return subprocess.run(["/usr/bin/python3", SUMMARY, *map(str, words)], capture_output=True, text=True,
                          env={**os.environ, "CI": ci})


def test_every_bad_end_is_counted():
    with tempfile.TemporaryDirectory() as folder:
        run_meson(pathlib.Path(folder))
        done = summary(0, f"{folder}/run")
        for _, sentence in PROGRAMS.values():
            expect_in(sentence or "", done.stdout)
        for sentence in ("failed: run: p / status: FAIL, exit status 3", "failed: run: other / good: 1 c", "failed: run: p / late: TIMEOUT, exit status -15"):
            expect_in(sentence, done.stdout)
        expect(("unit / good" in done.stdout, "unit / fine" in done.stdout), (False, False))
        expect((done.stdout.splitlines()[-1], done.returncode), ("9 passed, 8 failed, 1 skipped", 1))
        expect(summary(0, f"{folder}/run", ci="true").stdout.splitlines()[-1], "9 passed, 9 failed")


def test_a_run_that_is_not_there_has_failed():
    done = summary(0, "/nonexistent/gcc")
    expect_in("failed: gcc: meson ran no test of it", done.stdout)
    expect(done.returncode, 1)


def test_a_build_that_failed_is_counted():
    expect(summary(2).stdout.splitlines()[-1], "0 passed, 3 failed")


if __name__ == "__main__":
    main(globals())
