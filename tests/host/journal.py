"""Journals that real systemds wrote: Debian 12's (252) and trixie's (257), in every compression. machines-suites reads that of the newest suite."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import types

from probe import probe
from servers import peers_root
from tap import expect, expect_in, main

EACCES, EBADMSG, ENOENT, EPROTONOSUPPORT, ETIMEDOUT = -13, -74, -2, -93, -110
LONG = "".join(chr(97 + n * n % 26) for n in range(3000))  # long enough to be compressed
WRITERS = {
    "252": {},
    "252 not compact": {"SYSTEMD_JOURNAL_COMPACT": "0"},
    "252 unkeyed": {"SYSTEMD_JOURNAL_KEYED_HASH": "0"},
    "newest": {},
    "newest not compact": {"SYSTEMD_JOURNAL_COMPACT": "0"},
    "newest lz4": {"SYSTEMD_JOURNAL_COMPRESS": "LZ4"},
    "newest xz": {"SYSTEMD_JOURNAL_COMPRESS": "XZ"},
}


def entry(number, message, **fields):
    moment = 1795521600000000 + number * 1000000
    lines = [f"__REALTIME_TIMESTAMP={moment}", f"__MONOTONIC_TIMESTAMP={number * 1000000 + 1}", "_BOOT_ID=" + "ab" * 16,
             "_MACHINE_ID=" + "cd" * 16, f"MESSAGE={message}", *(f"{k}={v}" for k, v in fields.items())]
    return "\n".join(lines) + "\n\n"


EXPORT = "".join([
    *(entry(n, f"line {n}", _SYSTEMD_UNIT="docker.service") for n in range(40)),
    entry(41, "of another", _SYSTEMD_UNIT="ssh.service"),
    entry(42, "Started Docker.", _PID="1", UNIT="docker.service"),
    entry(43, LONG, _SYSTEMD_UNIT="docker.service"),
    entry(44, "dumped core", _UID="0", OBJECT_SYSTEMD_UNIT="docker.service"),
    entry(45, "forged", _UID="1000", UNIT="docker.service", OBJECT_SYSTEMD_UNIT="docker.service"),
])


def write(folder, name, environment):
    """systemd-journal-remote makes the same files as journald; the newest runs in its own suite's folder."""
    place = folder / name / "var/log/journal" / ("cd" * 16)
    place.mkdir(parents=True)
    inside = name.startswith("newest")
    if inside:
        root = peers_root()
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="journal-", dir=root / "tmp"))
        command = ["/usr/sbin/chroot", root, "/usr/lib/systemd/systemd-journal-remote", "-o", f"/tmp/{scratch.name}/system.journal", "-"]
    else:
        scratch = place
        command = ["/usr/lib/systemd/systemd-journal-remote", "-o", place / "system.journal", "-"]
    subprocess.run(list(map(str, command)), input=EXPORT, text=True, check=True, capture_output=True, env={"PATH": "/usr/bin", **environment})
    if inside:
        shutil.copy(scratch / "system.journal", place)
        shutil.rmtree(scratch)
    return folder / name


@contextlib.contextmanager
def setup():
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        roots = {name: write(top, name, environment) for name, environment in WRITERS.items()}
        yield types.SimpleNamespace(top=top, roots=roots)


def read(root, unit="docker.service", lines=4, **variables):
    return probe("journal", root, unit, lines, **variables)


def test_the_last_lines_of_every_kind_of_journal(f):
    for name, root in f.roots.items():
        found = read(root)
        expect((found.outcome, found.text), (0, f"line 39\nStarted Docker.\n{LONG}\ndumped core\n"), name)


def test_the_kinds_are_really_different(f):
    flags = {name: (root / "var/log/journal" / ("cd" * 16) / "system.journal").read_bytes()[12] for name, root in f.roots.items()}
    expect(len(set(flags.values())) >= 5, True, f"incompatible flags: {flags}")


def test_journalctl_agrees(f):
    for name in ("252", "252 not compact"):
        theirs = subprocess.run(["journalctl", "-D", f.roots[name] / "var/log/journal", "-u", "docker.service", "-n", "20", "-o", "cat", "--no-pager",
                                 "-a"], capture_output=True, text=True, check=True).stdout
        expect(read(f.roots[name], lines=20).text, theirs)


def test_a_unit_that_said_nothing(f):
    found = read(f.roots["252"], unit="nobody.service")
    expect((found.outcome, found.text), (0, ""))


def test_all_lines_are_there(f):
    expect(read(f.roots["252"], lines=1000).text.count("\n"), 43)


def spoil(f, name, change):
    root = f.top / name
    shutil.copytree(f.roots["252"], root)
    path = root / "var/log/journal" / ("cd" * 16) / "system.journal"
    change(path)
    return root, path


def test_a_file_that_cannot_be_read_is_named(f):
    def set_flag(path):
        with open(path, "r+b") as file:
            file.seek(12)
            file.write(b"\x80")
    root, path = spoil(f, "future", set_flag)
    found = read(root)
    expect(found.outcome, EPROTONOSUPPORT)
    expect(found.error, f"cannot read the journal '{path}': it was written by a newer systemd, in a format this program does not know")
    root, path = spoil(f, "short", lambda p: os.truncate(p, 10))
    expect_in(f"cannot read the journal '{path}': it is no journal file, or cut short", read(root).error)
    root, path = spoil(f, "junk", lambda p: p.write_bytes(b"junk" * 1000))
    expect(read(root).outcome, EBADMSG)
    root, path = spoil(f, "torn", lambda p: os.truncate(p, 300))
    expect(read(root).outcome < 0, True, "torn")
    expect_in(str(path), read(root).error)


def test_the_other_files_are_read_all_the_same(f):
    root = f.top / "mixed"
    shutil.copytree(f.roots["252"], root)
    (root / "var/log/journal" / ("cd" * 16) / "user-1000.journal").write_bytes(b"junk" * 1000)
    found = read(root, lines=1)
    expect((found.outcome, found.text), (EBADMSG, "dumped core\n"))
    expect_in("user-1000.journal", found.error)


def test_no_journal_is_no_empty_journal(f):
    (f.top / "none/var/log/journal").mkdir(parents=True)
    for name in ("none", "absent"):
        found = read(f.top / name)
        expect(found.outcome, ENOENT)
        expect_in("cannot find a journal below", found.error)


if __name__ == "__main__":
    main(globals())
