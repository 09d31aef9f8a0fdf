"""Adds up the results of meson's test runs; the last line is "N passed, N failed".

usage: summary.py FAILED-BUILDS RUN…

A RUN stands for two files of one run of meson: RUN.json (testlog.json: how each program ended) and
RUN.xml (testlog.junit.xml: its test cases). The cases alone do not tell the truth: a program that
crashes, times out, stops short of its plan or leaks after its last "ok" has no case that failed, so a
program that ended badly without one counts as a failure of its own.

A skipped test is named and counted; where CI=true it counts as failed: there, everything must run.
"""

import collections
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

REASON_LINES = 60
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
ENDINGS = {"OK": PASSED, "EXPECTEDFAIL": PASSED, "SKIP": SKIPPED}


def cases_of(path):
    """{program: [(case, outcome)]} of the programs that report cases, by their whole names ("project:suite / name")."""
    cases = collections.defaultdict(list)
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        _, dot, program = suite.get("name").partition(".")
        if not dot:
            continue  # the suite of those that report none
        for case in suite.iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            skipped = case.find("skipped") is not None
            cases[program].append((case.get("name"), FAILED if bad else SKIPPED if skipped else PASSED))
    return cases


def endings_of(path):
    """(program, how meson says it ended, its exit status or None)."""
    with open(path, encoding="utf-8") as log:
        for line in log:
            run = json.loads(line)
            yield run["name"], run["result"], run.get("returncode")


def reasons_of(path):
    """What the failed programs said of it: their TAP diagnostics."""
    with open(path, encoding="utf-8") as log:
        for line in log:
            run = json.loads(line)
            if ENDINGS.get(run["result"], FAILED) == FAILED:
                said = [text for text in run.get("stdout", "").splitlines() if text.startswith(("not ok", "#"))]
                yield from said[-REASON_LINES:]


def outcomes_of(run):
    """(name, outcome) of every test case, and of every program that ended otherwise than its cases say."""
    cases = cases_of(run + ".xml")
    for program, ending, status in endings_of(run + ".json"):
        outcome = ENDINGS.get(ending, FAILED)
        shown = program.partition(":")[2] or program
        for case, result in cases[program]:
            yield f"{shown}: {case}", result
        told = any(result == FAILED for _, result in cases[program])
        if not cases[program] or (outcome == FAILED and not told):
            yield shown + (f": {ending}, exit status {status}" if outcome == FAILED else ""), outcome


def main() -> int:
    count = collections.Counter({FAILED: int(sys.argv[1])})
    named = []
    for run in sys.argv[2:]:
        if not os.path.exists(run + ".xml") or not os.path.exists(run + ".json"):
            count[FAILED] += 1
            named.append(f"failed: {os.path.basename(run)}: meson ran no test of it")
            continue
        for name, outcome in outcomes_of(run):
            count[outcome] += 1
            if outcome != PASSED:
                named.append(f"{outcome}: {os.path.basename(run)}: {name}")
        named += reasons_of(run + ".json")

    print(*named, sep="\n")
    if os.environ.get("CI") == "true":
        count[FAILED] += count.pop(SKIPPED, 0)
    if count[PASSED] == 0:
        print("no test has passed")
        count[FAILED] += 1
    skipped = f", {count[SKIPPED]} skipped" if count[SKIPPED] else ""
    print(f"{count[PASSED]} passed, {count[FAILED]} failed{skipped}")
    return 1 if count[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
