"""No function of ours has the name of one in a static library: the linker would give the library ours without a word."""

import os
import pathlib
import subprocess

from tap import expect, main

ROOT = pathlib.Path(__file__).parent.parent.parent
BUILD = pathlib.Path(os.environ["BUILD"])
DEBIAN = pathlib.Path("/usr/lib") / subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()


def symbols(files):
    out = subprocess.run(["nm", "-g", "--defined-only", *map(str, files)], capture_output=True, text=True).stdout
    return {line.split()[2] for line in out.splitlines() if len(line.split()) == 3}


def test_ours_and_theirs_are_apart():
    prefix = subprocess.run([ROOT / "packaging/prepare", "--print-prefix"], capture_output=True, text=True, check=True).stdout.strip()
    theirs = symbols([*pathlib.Path(prefix, "lib").glob("*.a"), *(DEBIAN / f"lib{name}.a" for name in (
        "crypto", "ssl", "yaml", "jansson", "expat", "event_core", "event_extra", "z", "cares"))])
    ours = symbols(path for path in BUILD.glob("*/lib*.a.p/*.o"))
    expect(("sd_bus_open_system" in theirs, "http_perform" in ours), (True, True), "what is there to compare")
    expect(sorted(ours & theirs), [])


if __name__ == "__main__":
    main(globals())
