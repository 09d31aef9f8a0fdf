"""A test file is functions called test_…; this runs them in order and prints TAP.

    from tap import main, expect

    def test_something(): ...

    if __name__ == "__main__":
        main(globals())

A test fails by an exception; each has TEST_SECONDS to end. What setup() returns is given to each test that
takes an argument; it is a context manager, entered once.
"""

import contextlib
import inspect
import signal
import sys
import traceback

TEST_SECONDS = 60


class TooLate(Exception):
    pass


def expect(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what or 'value'}: expected {wanted!r}, found {found!r}")


def expect_in(part, whole, what=""):
    if part not in whole:
        raise AssertionError(f"{what or 'text'}: expected {part!r} in {whole!r}")


def _ring(_signal, _frame):
    raise TooLate(f"not done after {TEST_SECONDS} s")


def main(names):
    tests = [value for name, value in names.items() if name.startswith("test_") and callable(value)]
    setup = names.get("setup", contextlib.nullcontext)
    signal.signal(signal.SIGALRM, _ring)
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    with setup() as fixture:
        for number, test in enumerate(tests, 1):
            label = test.__name__[len("test_"):].replace("_", " ")
            signal.alarm(TEST_SECONDS)
            try:
                test(fixture) if inspect.signature(test).parameters else test()
                print(f"ok {number} - {label}", flush=True)
            except Exception:  # whatever it is, it is this test's failure
                failed += 1
                print(f"not ok {number} - {label}")
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
            finally:
                signal.alarm(0)
    sys.exit(1 if failed else 0)
