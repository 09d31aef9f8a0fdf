"""clang-tidy over every source file, on all cores; a file that has not changed since it passed is passed over."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess

from tap import expect, main
import tap

ROOT = pathlib.Path(__file__).parent.parent.parent
BUILD = pathlib.Path(os.environ["BUILD"])
tap.TEST_SECONDS = 1700  # of two cores, which other tests may share

HEADERS = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(ROOT.glob("*/*.h"))) + (ROOT / ".clang-tidy").read_bytes()).digest()


def check(file):
    mark = BUILD / "tidy" / hashlib.sha256(HEADERS + file.read_bytes()).hexdigest()
    if mark.exists():
        return ""
    done = subprocess.run(["clang-tidy", "--quiet", "-p", BUILD, "--extra-arg=-Wno-unknown-warning-option", file], capture_output=True, text=True)
    if done.returncode:
        return done.stdout
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    return ""


def test_clang_tidy_has_nothing_to_say():
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    files = {(BUILD / c["file"]).resolve() for c in commands if "/unit/" not in c["file"] and "/fuzz/" not in c["file"]}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(check, sorted(files)) if text]
    expect("\n".join(complaints), "")


if __name__ == "__main__":
    main(globals())
