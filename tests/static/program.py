"""The program as a file and as a process: static, hardened, small, quick, the same from everywhere."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from tap import expect, expect_in, main

PROGRAM = os.environ["PROGRAM"]
PROBE = os.environ["PROBE"]  # has every library in it, also those that no command of PROGRAM needs yet
SOURCE = pathlib.Path(__file__).parent.parent.parent


def readelf(program, *words):
    return subprocess.run(["readelf", "--wide", *words, program], capture_output=True, text=True, check=True).stdout


def test_no_interpreter_and_no_library():
    for program in (PROGRAM, PROBE):
        expect("INTERP" in readelf(program, "--program-headers"), False)
        expect("NEEDED" in readelf(program, "--dynamic"), False)


def test_position_independent():
    for program in (PROGRAM, PROBE):
        expect_in("DYN (Position-Independent Executable file)", readelf(program, "--file-header"))


def test_relro_and_no_executable_stack():
    for program in (PROGRAM, PROBE):
        headers = readelf(program, "--program-headers")
        expect_in("GNU_RELRO", headers)
        expect_in("GNU_STACK", headers)  # without one the stack is executable
        expect(re.search(r"GNU_STACK.*RWE", headers), None)
        expect(re.search(r"LOAD.* RWE ", headers), None)
        expect_in("NOW", readelf(program, "--dynamic"))


def test_stack_protector_and_fortify():
    for program in (PROGRAM, PROBE):
        symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
        expect_in("__stack_chk_fail", symbols)
        for checked in ("__snprintf_chk", "__memcpy_chk", "__vsnprintf_chk"):
            expect_in(checked, symbols)


def test_stripped_under_8_mb():
    with tempfile.TemporaryDirectory() as folder:
        for program in (PROGRAM, PROBE):
            subprocess.run(["strip", "-o", f"{folder}/p", program], check=True)
            size = os.path.getsize(f"{folder}/p")
            print(f"# {os.path.basename(program)}: {size / 1e6:.1f} MB")
            expect(size < 8_000_000, True, f"{size} bytes")


def seconds(*words):
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def test_version_in_under_5_ms():
    # Python's own fork and exec count too: so does `true`, measured beside it.
    ours, theirs = [], []
    for _ in range(50):
        ours.append(seconds(PROGRAM, "--version"))
        theirs.append(seconds("/bin/true"))
    more = statistics.median(ours) - statistics.median(theirs)
    print(f"# {statistics.median(ours) * 1000:.1f} ms, true {statistics.median(theirs) * 1000:.1f} ms")
    expect(more < 0.005, True, f"{more} s more than true")


def test_it_runs_where_there_is_nothing():
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PROGRAM, f"{folder}/p")
        done = subprocess.run(["chroot", folder, "/p", "--version"], capture_output=True, text=True)
        expect((done.returncode, done.stdout[:18]), (0, "flocker-bootstrap "))
        done = subprocess.run(["chroot", folder, "/p", "certs", "create", "--cluster=c", "--control=h", "--agents=0", "--out=/set",
                               "--components=docker"], capture_output=True, text=True)
        expect(done.returncode, 0, done.stderr)


def test_our_code_calls_nothing_that_loads_from_the_host():
    build = pathlib.Path(PROGRAM).parent.parent
    banned = {"getaddrinfo", "getnameinfo", "gethostbyname", "getpwnam", "getpwuid", "getpwnam_r", "getpwuid_r", "getgrnam", "getgrgid",
              "getgrnam_r", "getgrgid_r", "getgrouplist", "initgroups", "dlopen", "iconv_open", "setlocale", "newlocale", "system",
              "popen", "wordexp", "OPENSSL_config", "CONF_modules_load_file"}
    archives = sorted(build.glob("*/lib*.a"))
    expect([name for name in ("base", "net", "certs") if build / name / f"lib{name}.a" not in archives], [])
    for archive in archives:
        symbols = subprocess.run(["nm", "--undefined-only", archive], capture_output=True, text=True, check=True, cwd=build).stdout
        found = {line.split()[-1] for line in symbols.splitlines() if " U " in line} & banned
        expect(found, set(), archive.name)


def test_standard_output_that_is_full_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "--version"], stdout=full, stderr=subprocess.PIPE, text=True)
    expect(done.returncode, 74)
    expect_in("cannot write to standard output: No space left on device", done.stderr)


def build(folder, name):
    """Builds the same sources again below `folder`; the build's own folder, whose name debugging information has."""
    tree = pathlib.Path(folder) / "tree"
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=SOURCE, capture_output=True, check=True).stdout.decode().split("\0")
    for file in filter(None, files):
        if (SOURCE / file).is_file():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCE / file, tree / file)
    for command in (["meson", "setup", name], ["ninja", "-C", name, "agent/flocker-bootstrap"]):
        subprocess.run(command, cwd=tree, check=True, capture_output=True)
    return tree / name


def strip(program, to):
    subprocess.run(["strip", "-o", to, program], check=True)
    return pathlib.Path(to).read_bytes()


def test_a_build_in_another_folder_is_the_same():
    here = pathlib.Path(PROGRAM).parent.parent
    with tempfile.TemporaryDirectory(prefix="a-longer-name-") as folder:
        there = build(folder, f"build/{here.name}")
        objects = [path.relative_to(there) for path in sorted(there.rglob("*.c.o"))]
        expect([str(name) for name in objects if (here / name).read_bytes() != (there / name).read_bytes()], [], "objects that differ")
        expect(strip(PROGRAM, f"{folder}/a") == strip(there / "agent/flocker-bootstrap", f"{folder}/b"), True, "the same bytes")


if __name__ == "__main__":
    main(globals())
