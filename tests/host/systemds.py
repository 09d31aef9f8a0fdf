"""Journals that the journalds of four suites wrote, judged by their journalctls; damage of every kind is named."""

import contextlib
import json
import lzma
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

from probe import probe
from tap import expect, expect_in, main

HERE = pathlib.Path(__file__).parent / "journals"
MACHINE = "0123456789abcdef0123456789abcdef"
UNIT = "talker.service"


@contextlib.contextmanager
def machine(**files):
    """A root folder whose journal folder holds the named fixtures: name=fixture."""
    with tempfile.TemporaryDirectory(prefix="flocker-test.") as root:
        folder = pathlib.Path(root, "var/log/journal", MACHINE)
        folder.mkdir(parents=True)
        for name, fixture in files.items():
            content = lzma.decompress((HERE / f"{fixture}.journal.xz").read_bytes())
            (folder / f"{name}.journal").write_bytes(content)
        yield root, folder


def read(root, unit=UNIT, lines=20, size=200000):
    found = probe("journal", root, unit, lines, size)
    return found.outcome, found.text, found.error


def judged(folder, lines=20, unit=UNIT):
    done = subprocess.run(["journalctl", "-q", "-D", folder, "-u", unit, "-n", str(lines), "-o", "cat"], capture_output=True, timeout=30,
                          check=True)
    return done.stdout.decode()


def test_journald_of_every_suite_is_read_as_its_own_journalctl_reads_it():
    for suite, text in (("bookworm", "talker"), ("noble", "talker-noble"), ("trixie", "talker"), ("sid", "talker-sid")):
        with machine(system=f"journald-{suite}") as (root, _):
            expect(read(root), (0, (HERE / f"{text}.txt").read_text(), ""), suite)


def test_every_compression_and_hash_is_read():
    for kind in ("lz4", "xz", "none", "plain-hash"):
        with machine(system=kind) as (root, folder):
            expect(read(root), (0, (HERE / "talker.txt").read_text(), ""), kind)
            expect(read(root, lines=1000), (0, judged(folder, 1000), ""), kind)


def test_any_number_of_any_units_lines_is_as_journalctl_says():
    with machine(system="journald-bookworm") as (root, folder):
        for unit in (UNIT, "systemd-journald.service", "dbus.service", "init.scope", "multi-user.target", "absent.service"):
            for lines in (1, 2, 7, 500):
                expect(read(root, unit=unit, lines=lines), (0, judged(folder, lines, unit), ""), f"{lines} of {unit}")


def test_several_files_are_one_journal_in_the_order_of_time():
    with machine(**{"system": "journald-trixie", "user-1000": "journald-bookworm", "system@1": "journald-noble"}) as (root, folder):
        for lines in (5, 20, 30, 100):
            expect(read(root, lines=lines), (0, judged(folder, lines), ""), str(lines))


def test_bytes_are_bounded_and_the_newest_stay():
    with machine(system="journald-trixie") as (root, _):
        expect(read(root, size=80), (0, "Failed to start talker.service - Talks.\n", ""))
        expect(read(root, size=10), (0, "Failed…\n", ""))
        expect(read(root, size=0), (0, "", ""))


def damage(path, kind):
    content = bytearray(path.read_bytes())
    if kind == "empty":
        content = b""
    elif kind == "cut off":
        content = content[: len(content) // 2]
    elif kind == "noise":
        content = os.urandom(len(content) // 16)
    elif kind == "of the future":
        content[12] |= 0x80  # an incompatible flag that no systemd has yet
    elif kind == "overwritten":
        content[3750000:3770000] = os.urandom(20000)
    elif kind == "without its hash table":
        offset, size = struct.unpack_from("<QQ", content, 104)
        content[offset : offset + size] = bytes(size)
    path.write_bytes(content)


EACCES, EBADMSG, EPROTONOSUPPORT = -13, -74, -93
CAUSES = {
    "empty": (EBADMSG, "it is no journal file, or cut short"),
    "cut off": (EBADMSG, "it is no journal file, or cut short"),
    "noise": (EBADMSG, "it is corrupted"),
    "of the future": (EPROTONOSUPPORT, "it was written by a newer systemd, in a format this program does not know"),
    "overwritten": (EBADMSG, "it is corrupted"),
    "without its hash table": (EBADMSG, "it is corrupted"),
}


def test_a_file_that_cannot_be_read_is_named():
    for kind, (code, cause) in CAUSES.items():
        with machine(system="journald-bookworm") as (root, folder):
            damage(folder / "system.journal", kind)
            expect(read(root), (code, "", f"cannot read the journal '{folder}/system.journal': {cause}"), kind)


def test_beside_one_that_can_be_read_it_is_named_too():
    for kind, (code, cause) in CAUSES.items():
        with machine(**{"system": "journald-bookworm", "system@1": "lz4"}) as (root, folder):
            damage(folder / "system.journal", kind)
            expect(read(root), (code, (HERE / "talker.txt").read_text(), f"cannot read the journal '{folder}/system.journal': {cause}"), kind)


def as_nobody(root):
    """The probe, copied to where nobody may run it."""
    program = shutil.copy(os.environ["PROBE"], root)
    done = subprocess.run([program, "journal", root, UNIT, "5", "1000"], capture_output=True, user=65534, group=65534, extra_groups=[],
                          timeout=30, check=False)
    found = json.loads(done.stdout)
    return found["outcome"], found["text"], found["error"]


def test_what_one_may_not_read_is_named():
    with machine(system="lz4") as (root, folder):
        pathlib.Path(root).chmod(0o755)
        (folder / "system.journal").chmod(0o600)
        expect(as_nobody(root), (EACCES, "", f"cannot read the journal '{folder}/system.journal': Permission denied"))
        folder.chmod(0o700)
        expect(as_nobody(root), (EACCES, "", f"cannot read the journal '{folder}': Permission denied"))


def test_no_pipe_hangs_it():
    with machine() as (root, folder):
        os.mkfifo(folder / "system.journal")
        (folder / "user-1.journal").symlink_to("nowhere")
        expect(read(root), (EBADMSG, "", f"cannot read the journal '{folder}/system.journal': it is not a regular file"))
        (folder / "other.journal").mkdir()
        expect_in(", and 1 more cannot be read", read(root)[2])


def test_a_growing_journal_is_read_while_it_is_written():
    with machine() as (root, folder):
        entries = "".join(f"__REALTIME_TIMESTAMP={n}000000\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID={MACHINE}\n_SYSTEMD_UNIT={UNIT}\nMESSAGE=m{n}\n\n"
                          for n in range(1, 2000))
        writer = subprocess.Popen(["/lib/systemd/systemd-journal-remote", "-o", str(folder / "system.journal"), "-"],
                                  stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            half = len(entries) // 2
            writer.stdin.write(entries[:half].encode())
            writer.stdin.flush()
            seen = [read(root)[0] for _ in range(20)]
            writer.stdin.write(entries[half:].encode())
        finally:
            writer.stdin.close()
            writer.wait(30)
        expect(set(seen) <= {0, -2}, True, str(seen))
        expect(read(root, lines=3), (0, "m1997\nm1998\nm1999\n", ""))


if __name__ == "__main__":
    main(globals())
