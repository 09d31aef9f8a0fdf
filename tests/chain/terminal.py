"""What a person at a terminal sees of a run: the line of a step while it runs, and what stands there afterwards."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time

from cloud import PROGRAM, STORE, Serve
from servers import die_with_parent
from tap import expect, expect_in, main

WORDS = (f"--store={STORE}", "--agents=1", "--components=docker,swarm", "--swarm=builtin")
CLEAR = "\r\x1b[K"
SECONDS = 40


class Terminal:
    """The program, with a terminal for its standard output and error; `seen` is all that has come there."""

    def __init__(self, machine, *words):
        self.seen = ""
        self.fd, inner = pty.openpty()
        self.process = subprocess.Popen([PROGRAM, *words, f"--root={machine.root}"], stdin=subprocess.DEVNULL, stdout=inner, stderr=inner,
                                        env={**machine.environment, "TERM": "xterm"}, start_new_session=True, preexec_fn=die_with_parent)
        os.close(inner)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)

    def read(self, until=None, seconds=SECONDS):
        """What is there when `until` is seen; without it, at the end."""
        end = time.monotonic() + seconds
        while not (until and until in self.seen):
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"not within {seconds} s: {until!r}: {self.seen!r}")
            piece = b""
            with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
                piece = os.read(self.fd, 65536)
            if not piece:
                if until:
                    raise AssertionError(f"ended before {until!r}: {self.seen!r}")
                break
            self.seen += piece.decode()
        return self.seen

    def status(self):
        return self.process.wait(SECONDS)


def screen(text):
    """The lines that are left to see, as a terminal makes them of the bytes: carriage return, erase to the end, colours."""
    lines = [""]
    column = 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            lines.append("")
        elif part == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not part.startswith("\x1b"):
            lines[-1] = lines[-1][:column] + part + lines[-1][column + len(part):]
            column += len(part)
    return [line.rstrip() for line in lines]


def settle(line):
    return re.sub(r"\d+(\.\d+)? m?s$", "TIME", line)


def test_a_step_that_runs_stands_there_with_dots_and_then_with_its_time():
    with Serve(1) as cloud, Terminal(cloud.machines[0], "--role=control", *WORDS) as terminal:
        seen = terminal.read()
        expect(terminal.status(), 0, seen)
        for step in ("read-instance", "make-docker-ca", "configure-docker", "verify"):
            expect_in(f"{step:<18} ...{CLEAR}", seen)
        expect("..." in "".join(screen(seen)), False, "what has ended is not shown as running")
        expect([settle(line) for line in screen(seen)[:5]],
               [f"{step:<18} done in TIME" for step in ("read-instance", "make-docker-ca", "publish-docker-ca", "mint-docker-cert", "configure-docker")])
        expect(screen(seen)[-1], "", "the cursor is left at the beginning of a line")


def test_who_waits_is_told_for_what_and_an_interrupt_leaves_a_sentence():
    with Serve(1) as cloud, Terminal(cloud.machines[0], "--role=agent", "--node=1", *WORDS) as terminal:
        terminal.read(until="waits for")
        expect_in(f"{'fetch-docker-ca':<18} waits for docker/manifest.json", screen(terminal.seen))
        terminal.process.send_signal(signal.SIGINT)
        seen = terminal.read()
        expect(terminal.status() != 0, True)
        lines = [line for line in screen(seen) if line]
        expect(len([line for line in lines if line.endswith("fetch-docker-ca: cannot finish 'fetch-docker-ca': it was interrupted")]), 1, str(lines))
        expect(any("..." in line for line in lines), False, str(lines))


def test_a_failure_stands_in_the_place_of_the_running_step_and_is_in_colour():
    with Serve(1) as cloud, Terminal(cloud.machines[0], "--role=control", "--store=s3://nobodys-bucket/x", *WORDS[1:]) as terminal:
        seen = terminal.read()
        expect(terminal.status() != 0, True, seen)
        failed = [line for line in screen(seen) if "nobodys-bucket" in line and "failed: " in line]
        expect(len(failed), 1, seen)
        evidence = [line for line in screen(seen) if "evidence" in line]
        expect(len(evidence), 1, seen)
        expect_in("evidence not stored: cannot upload 's3://nobodys-bucket/x/status/i-", evidence[0])
        expect(screen(seen)[-2:], [evidence[0], ""], "nothing stands behind it")
        expect(bool(re.search(r"\x1b\[[0-9;]*m[^\n]*error", seen)), True, repr(seen))
        expect(bool(re.search(r"^\S+ +\.\.\.", "\n".join(screen(seen)), re.M)), False, str(screen(seen)))


def test_no_terminal_no_control_characters():
    with Serve(1) as cloud:
        found = cloud.machines[0].run("control", *WORDS[1:])
        expect(("\x1b" in found.out, "\r" in found.out, "..." in found.out), (False, False, False), repr(found.out))


if __name__ == "__main__":
    main(globals())
