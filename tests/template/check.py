"""flocker-template check: each rule by a template with its fault and one that is right, ours in every variant, samples of others' manner."""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile

from faults import FAULTS, template
from tap import expect, expect_in, main

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = __import__("os").environ["TEMPLATE"]
EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT = 0, 64, 65, 66


def run(*words, text=None):
    return subprocess.run([PROGRAM, *words], input=text, capture_output=True, text=True, timeout=30)


def check(text, *words):
    return run("check", "-", *words, text=text)


def findings(text):
    done = check(text, "--json")
    found = json.loads(done.stdout)
    errors = any(finding["severity"] == "error" for finding in found)
    expect((done.returncode, done.stderr), (EX_DATAERR if errors else EX_OK, ""), text[:2000])
    return found


def rules():
    return json.loads(run("check", "--list", "--json").stdout)


def test_every_rule_has_a_fault_here():
    expect(sorted(FAULTS), sorted(rule["rule"] for rule in rules()))


def position(text, place):
    before = text[:text.index(place)].split("\n")
    return len(before), len(before[-1]) + 1


def test_every_fault_is_found_where_it_is_and_what_is_right_is_let_be():
    severities = {rule["rule"]: rule["severity"] for rule in rules()}
    wrong = []
    for rule, cases in FAULTS.items():
        for place, sentence, faulty, right in cases:
            text = template(faulty)
            found = [(finding["line"], finding["column"], finding["severity"], finding["text"]) for finding in findings(text) if finding["rule"] == rule]
            if not any(finding[:3] == (*position(text, place), severities[rule]) and sentence in finding[3] for finding in found):
                wrong.append((rule, place, sentence, found))
            wrong += [(rule, "right", finding) for finding in findings(template(right)) if finding["rule"] == rule or finding["severity"] == "error"]
    expect(wrong, [], "\n".join(map(str, wrong)))


if __name__ == "__main__":
    main(globals())
