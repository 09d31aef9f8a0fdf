"""Nothing in our sources stands in the way of arm64: clang checks each of them for that machine, warnings being errors.

The C library's headers are arm64's own (libc6-dev-arm64-cross); those of the other libraries are this
machine's, which differ in nothing that matters to a check of syntax and types.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import tempfile

from tap import expect, expect_in, main

SOURCE = pathlib.Path(__file__).parent.parent.parent
BUILD = pathlib.Path(os.environ["BUILD"])
KEPT = ("-D", "-W", "-isystem", "-std=")  # of an ordinary compilation; what optimizes or hardens has no say in syntax
LEFT = ("-D_FORTIFY_SOURCE", "-Winvalid-pch", "-Wl,")


def arguments():
    """The ordinary build's own options, {source file: [option…]}, of what is ours and goes into programs."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if file.relative_to(SOURCE).parts[0] == "tests":
            continue
        words = entry["command"].replace("'", "").split()
        yield file, [word for word in words if word.startswith(KEPT) and not word.startswith(LEFT)]


def check(file, options):
    triple = subprocess.run(["cc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    return subprocess.run(["clang", "--target=aarch64-linux-gnu", "-fsyntax-only", "-nostdlibinc", *options, "-Werror",
                           "-Wno-unknown-warning-option", "-I", SOURCE, "-isystem", "/usr/aarch64-linux-gnu/include",
                           "-idirafter", "/usr/include", "-idirafter", f"/usr/include/{triple}", file],
                          capture_output=True, text=True)


def test_the_check_can_fail():
    with tempfile.TemporaryDirectory() as folder:
        for name, text, complaint in (("intel.c", "unsigned long long f(void);\nunsigned long long f(void)\n{\n"
                                       "        return __builtin_ia32_rdtsc();\n}\n", "ia32_rdtsc"),
                                      ("sign.c", "#include <limits.h>\n_Static_assert(CHAR_MIN < 0, \"char\");\n", "char")):
            file = pathlib.Path(folder) / name
            file.write_text(text)
            done = check(file, [])
            expect(done.returncode != 0, True, name)
            expect_in(complaint, done.stderr)


def test_every_source_compiles_for_arm64():
    work = list(arguments())
    expect({"base", "net", "certs", "agent"} <= {file.parent.name for file, _ in work}, True, "sources of every layer")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda entry: check(*entry), work))
    print(f"# {len(work)} files")
    expect("".join(result.stderr for result in done), "")
    expect([result.returncode for result in done if result.returncode], [])


if __name__ == "__main__":
    main(globals())
