"""A test file is functions called test_…; this runs them in order and prints TAP.

    from tap import main, expect

    def test_something(): ...

    if __name__ == "__main__":
        main(globals())

A test fails by an exception; each has TEST_SECONDS to end. What setup() returns is given to each test that
takes an argument; it is a context manager, entered once.

`main(globals(), at_once=3)`: up to three tests at a time, each in a process of its own, of a file whose tests
share nothing and mostly wait. They begin in their order, so the longest stand first. `FILE --only=test_something`
runs that one alone.
"""

import concurrent.futures
import contextlib
import ctypes
import inspect
import signal
import subprocess
import sys
import time
import traceback

TEST_SECONDS = 60
TOLD_SECONDS = 1  # what takes longer says so
ONLY = "--only="
PR_SET_PDEATHSIG = 1


class TooLate(Exception):
    pass


def expect(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what or 'value'}: expected {wanted!r}, found {found!r}")


def expect_in(part, whole, what=""):
    if part not in whole:
        raise AssertionError(f"{what or 'text'}: expected {part!r} in {whole!r}")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ring(_signal, _frame):
    raise TooLate(f"not done after {TEST_SECONDS} s")


def _label(test):
    return test.__name__[len("test_"):].replace("_", " ")


def _run_in_order(tests, setup):
    """How many have failed."""
    failed = 0
    signal.signal(signal.SIGALRM, _ring)
    print(f"1..{len(tests)}", flush=True)
    with setup() as fixture:
        for number, test in enumerate(tests, 1):
            began = time.monotonic()
            signal.alarm(TEST_SECONDS)
            try:
                test(fixture) if inspect.signature(test).parameters else test()
                print(f"ok {number} - {_label(test)}", flush=True)
            except Exception:  # whatever it is, it is this test's failure
                failed += 1
                print(f"not ok {number} - {_label(test)}")
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
            finally:
                signal.alarm(0)
            if time.monotonic() - began >= TOLD_SECONDS:
                print(f"# {time.monotonic() - began:.1f} s", flush=True)
    return failed


def _run_alone(test):
    return subprocess.run([sys.executable, sys.argv[0], ONLY + test.__name__], stdout=subprocess.PIPE, text=True, check=False,
                          preexec_fn=die_with_parent)


def _run_at_once(tests, count):
    """How many have failed; what each has said is shown in their order."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for number, (test, done) in enumerate(zip(tests, pool.map(_run_alone, tests)), 1):
            said = [line for line in done.stdout.splitlines() if not line.startswith(("1..", "ok ", "not ok "))]
            failed += done.returncode != 0
            if done.returncode not in (0, 1):
                said.append(f"# it ended with status {done.returncode}")
            print(f"{'not ok' if done.returncode else 'ok'} {number} - {_label(test)}", *said, sep="\n", flush=True)
    return failed


def main(names, at_once=1):
    only = [word[len(ONLY):] for word in sys.argv[1:] if word.startswith(ONLY)]
    tests = [value for name, value in names.items() if name.startswith("test_") and callable(value) and (not only or name in only)]
    if not tests:
        sys.exit(f"{sys.argv[0]}: no such test: {', '.join(only)}")
    if at_once > 1 and not only:
        failed = _run_at_once(tests, at_once)
    else:
        failed = _run_in_order(tests, names.get("setup", contextlib.nullcontext))
    sys.exit(1 if failed else 0)
