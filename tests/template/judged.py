"""The same faulty templates before `check` and before the ecosystem's offline validator, where both have a rule: neither lets pass what the
other refuses. And what `check` calls right, the validator does not refuse."""

import contextlib

from faults import FAULTS, template
from tap import expect, main
from validator import judge

# Ours, and the validator's that say the same.
COUNTERPARTS = {
    "syntax": {"F1101", "F0000"},
    "too-many": {"F0007"},
    "shape": {"E2001", "E3001", "F0005"},
    "name": {"F0006", "F3007"},
    "function": {"W1103", "F1018"},
    "unknown-reference": {"F1020", "E3005"},
    "policy-variable": {"F1018"},
    "unknown-attribute": {"E9004"},
    "cycle": {"F3004"},
    "unknown-property": {"F3002"},
    "missing-property": {"F3003"},
    "property-kind": {"F3012"},
    "format-version": {"F0002"},
    "other-type": {"F3006"},
    "language-extension": {"F1030", "F1031"},
    "group-of-itself": {"F3004"},
    "short-tags": {"F1101"},
    "description-size": {"F0011"},
    "mapping-size": {"F0050"},
    "parameter-type": {"F2002"},
    "parameter-default": {"F2012"},
    "reference-may-fail": {"W1001"},
    "sub-missing": {"E1029"},
    "unused": {"W2001", "W8001", "W7001"},
    "property-value": {"W3030"},
    "property-id": {"E1152", "E1154"},
    "group-reference": {"E1041"},
    "wait-time": {"F3034"},
    "network-twice": {"F3020"},
    "open-to-the-world": {"W2508"},
    "ports": {"E9002", "W3687"},
    "policy-grammar": {"E3510"},
    "bucket-acl": {"E3045"},
    "kept-half": {"W3011"},
    "secret-shown": {"W2509"},
    "one-region": {"W3010"},
}

# What the validator lets pass: a name of 256 characters, Fn::Join with one argument, a parameter's description of 4001, port 70000, a group's id
# among names, a region in a URL.
MISSED = {("name", 1), ("function", 1), ("description-size", 1), ("ports", 2), ("group-reference", 1), ("one-region", 1)}

# Where it is right by ours and not by its: a parameter whose default is 0.0.0.0/0 is its user's to narrow.
OTHERWISE = {("open-to-the-world", 0)}

CHUNK = 80  # templates that one call of the validator has time for; its start alone takes seconds
LARGE = 30_000  # bytes: it takes seconds for one; of those the faulty alone are judged


def cases():
    for rule, some in FAULTS.items():
        for number, (_, _, faulty, right) in enumerate(some):
            yield rule, number, template(faulty), template(right)


@contextlib.contextmanager
def setup():
    """{text of a template: what the validator says of it}"""
    faulty = {text for rule, _, text, _ in cases() if rule in COUNTERPARTS}
    texts = sorted(faulty | {text for _, _, _, text in cases() if len(text) < LARGE})
    found = {}
    for first in range(0, len(texts), CHUNK):
        chunk = dict(enumerate(texts[first:first + CHUNK]))
        found |= {chunk[number]: said for number, said in judge(chunk, 140).items()}
    yield found


def ids(found, text):
    return {one["ruleId"] for one in found.get(text, ())}


def test_both_find_the_same_faults(found):
    passed = {(rule, number) for rule, number, faulty, _ in cases() if rule in COUNTERPARTS and not ids(found, faulty) & COUNTERPARTS[rule]}
    expect(passed, MISSED)


def test_both_let_pass_what_is_right(found):
    told = {(rule, number) for rule, number, _, right in cases() if ids(found, right) & COUNTERPARTS.get(rule, set())}
    expect(told, OTHERWISE)


def test_the_validator_refuses_nothing_that_is_right(found):
    refused = [(rule, number, one) for rule, number, _, right in cases() for one in found.get(right, ()) if one["severity"] in ("ERROR", "FATAL")]
    expect(refused, [])


if __name__ == "__main__":
    main(globals())
