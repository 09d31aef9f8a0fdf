"""Files and folders under kills at every system call, and under failures of each one that changes something.

strace's injections: a SIGKILL as a call begins (so the calls before it have happened, and it has not), or an error in its place.
What is then there is the old or the new, whole; and what a kill left beside it, the next run takes away.
"""

import collections
import contextlib
import os
import pathlib
import re
import subprocess
import tempfile

from tap import expect, expect_in, main

WRITER = os.environ["WRITER"]
OLD, NEW, NEXT = "old" * 10000, "new" * 10000, "next" * 10000
CHANGING = ("openat", "write", "fchmod", "fchmodat", "fsync", "rename", "renameat", "renameat2", "unlinkat", "mkdirat", "symlinkat", "getdents64",
            "getrandom")


@contextlib.contextmanager
def place():
    with tempfile.TemporaryDirectory(prefix="flocker-test.") as folder:
        yield pathlib.Path(folder)


def write(folder, *words, inject=None):
    command = [WRITER, *words]
    if inject:
        command = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={inject}", *command]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def calls(prepare, *words):
    """Each system call of an undisturbed run, as (name, how often)."""
    with place() as folder, tempfile.NamedTemporaryFile() as log:
        prepare(folder)
        subprocess.run(["strace", "-qq", "-o", log.name, WRITER, *words], cwd=folder, check=True, timeout=30)
        names = re.findall(r"^(\w+)\(", pathlib.Path(log.name).read_text(), re.MULTILINE)
    return collections.Counter(name for name in names if name not in ("execve", "exit_group"))


def moments(prepare, *words):
    return [(name, n) for name, count in calls(prepare, *words).items() for n in range(1, count + 1)]


def tree(folder):
    """{path: (mode, content)}"""
    return {str(p.relative_to(folder)): (p.stat().st_mode & 0o7777, p.read_text() if p.is_file() else None)
            for p in folder.rglob("*") if not p.is_symlink()}


def names(folder):
    return sorted(os.listdir(folder))


def nothing(_folder):
    pass


def old_file(folder):
    expect(write(folder, "replace", "f", OLD), (0, ""))


def old_folder(folder):
    expect(write(folder, "folder", "d", OLD), (0, ""))


def folder_of(text):
    return {"a": (0o600, text), "sub": (0o750, None), "sub/b": (0o644, text)}


def text_of(folder, name):
    path = folder / name
    return path.read_text() if path.exists() else None


def test_a_kill_leaves_the_old_file_or_the_new():
    seen = collections.Counter()
    for name, n in moments(old_file, "replace", "f", NEW):
        with place() as folder:
            old_file(folder)
            status, _ = write(folder, "replace", "f", NEW, inject=f"{name}:signal=KILL:when={n}")
            expect(status, -9, f"{name} {n}")
            found = text_of(folder, "f")
            expect(found in (OLD, NEW), True, f"{name} {n}")
            expect((folder / "f").stat().st_mode & 0o7777, 0o640, f"{name} {n}")
            seen[found[:3]] += 1
            for left in names(folder):
                os.utime(folder / left, (0, 0))
            expect(write(folder, "replace", "f", NEXT), (0, ""))
            expect((names(folder), text_of(folder, "f")), (["f"], NEXT), f"{name} {n}")
    expect(sorted(seen), ["new", "old"])  # both have been met


def test_a_kill_leaves_no_new_file_or_the_whole():
    seen = set()
    for name, n in moments(nothing, "create", "f", NEW):
        with place() as folder:
            expect(write(folder, "create", "f", NEW, inject=f"{name}:signal=KILL:when={n}")[0], -9, f"{name} {n}")
            found = text_of(folder, "f")
            expect(found in (None, NEW), True, f"{name} {n}")
            seen.add(found)
    expect(seen, {None, NEW})


def check_folder_kills(prepare, *words, before, kept=None):
    seen = set()
    for name, n in moments(prepare, "folder", "d", NEW, *words):
        at = f"{name} {n}"
        with place() as folder:
            prepare(folder)
            expect(write(folder, "folder", "d", NEW, *words, inject=f"{name}:signal=KILL:when={n}")[0], -9, at)
            found = tree(folder / "d")
            expect(found in (before, folder_of(NEW)), True, at)
            seen.add("new" if found == folder_of(NEW) else "old")
            if kept and (folder / kept).exists():
                expect(tree(folder / kept), before, f"{at}: what is kept")
            expect(write(folder, "folder", "d", NEXT), (0, ""), at)
            expect(tree(folder / "d"), folder_of(NEXT), at)
            keeps = kept and found == folder_of(NEW)
            expect(names(folder), ["d", kept] if keeps else ["d"], f"{at}: what is left")
            if keeps:
                expect(tree(folder / kept), before, f"{at}: what is kept in the end")
    expect(seen, {"new", "old"})


def test_a_kill_leaves_the_old_folder_or_the_new():
    check_folder_kills(old_folder, before=folder_of(OLD))


def test_a_kill_leaves_no_new_folder_or_the_whole():
    check_folder_kills(nothing, before={})


def test_a_kill_loses_no_folder_that_is_to_be_kept():
    check_folder_kills(old_folder, "d.backup", before=folder_of(OLD), kept="d.backup")


def check_failures(prepare, *words, target, states):
    """Every call that changes something fails once: a sentence, the old or the new whole, and nothing beside it."""
    failed = 0
    for name, n in moments(prepare, *words):
        if name not in CHANGING:
            continue
        for error in ("ENOSPC", "EIO"):
            at = f"{error} of {name} {n}"
            with place() as folder:
                prepare(folder)
                status, said = write(folder, *words, inject=f"{name}:error={error}:when={n}")
                found = tree(folder / target) if (folder / target).is_dir() else text_of(folder, target)
                expect(found in states, True, f"{at}: {said}")
                if status == 0:  # nothing depended on it
                    expect(found, states[-1], at)
                    continue
                failed += 1
                expect(status, 74, f"{at}: {said}")
                expect_in("cannot ", said)
                expect_in({"ENOSPC": "No space left on device", "EIO": "Input/output error"}[error], said)
                expect(len(said.splitlines()), 1, at)
                left = [other for other in names(folder) if other not in (target, "d.backup")]
                if name != "unlinkat":  # what cannot be taken away stays
                    expect(left, [], f"{at}: what is left")
                expect(write(folder, words[0], target + ".next" if words[0] == "create" else target, NEXT), (0, ""), at)
    expect(failed >= 8, True, f"{failed} failures")


def test_a_failure_writing_a_file_is_said_and_leaves_nothing():
    check_failures(old_file, "replace", "f", NEW, target="f", states=(OLD, NEW))
    check_failures(nothing, "create", "f", NEW, target="f", states=(None, NEW))


def test_a_failure_replacing_a_folder_is_said_and_leaves_nothing():
    check_failures(old_folder, "folder", "d", NEW, target="d", states=(folder_of(OLD), folder_of(NEW)))
    check_failures(old_folder, "folder", "d", NEW, "d.backup", target="d", states=(folder_of(OLD), folder_of(NEW)))
    check_failures(nothing, "folder", "d", NEW, target="d", states=(None, folder_of(NEW)))


def test_a_full_disk_is_said():
    with place() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
        try:
            expect(write(folder, "replace", "f", "x" * 10000), (0, ""))
            expect(write(folder, "replace", "f", "y" * 60000), (74, "cannot write 'f': No space left on device\n"))
            expect((names(folder), text_of(folder, "f")), (["f"], "x" * 10000))
            status, said = write(folder, "folder", "d", "y" * 60000)
            expect((status, said), (74, "cannot write 'a': No space left on device\n"))
            expect(names(folder), ["f"])
        finally:
            subprocess.run(["umount", folder], check=True)


if __name__ == "__main__":
    main(globals())
