"""Adds up the JUnit files of meson's test runs; the last line is "N passed, N failed".

usage: summary.py FAILED-BUILDS FILE…

A skipped test is named and counted; where CI=true it counts as failed: there, everything must run.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def main() -> int:
    passed, failed, skipped = 0, int(sys.argv[1]), []
    for path in sys.argv[2:]:
        if not os.path.exists(path):
            continue
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):
            for case in suite.iter("testcase"):
                name = f"{suite.get('name')} {case.get('name')}"
                if case.find("failure") is not None or case.find("error") is not None:
                    failed += 1
                    print(f"failed: {name}")
                elif case.find("skipped") is not None:
                    skipped.append(name)
                else:
                    passed += 1

    for name in skipped:
        print(f"skipped: {name}")
    if skipped and os.environ.get("CI") == "true":
        failed += len(skipped)
        skipped = []
    if passed == 0:
        print("no test was run")
        failed += 1
    print(f"{passed} passed, {failed} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
