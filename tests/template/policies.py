"""Each right that the template gives is needed: without it the stack fails, or its failure cannot be told.

Every statement of every role, and every object path of those with several, is taken out of a template that is rehearsed then.
These stacks run at once, beside one that lacks nothing: they do little but wait for what they may not have.
"""

import contextlib
import copy
import json
import pathlib
import re
import subprocess
import types

from keys import make_keys
from servers import die_with_parent
from stacks import REHEARSAL, events, temporary
from tap import expect, expect_in, main
from variants import create, of_type

KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b"
SECONDS = 18  # of the wait conditions: what may not be had is waited for to the deadline
NOTHING = "nothing"
EVIDENCE = "ClientRole.TellStatus"

@contextlib.contextmanager
def setup():
    with temporary() as folder:
        yield types.SimpleNamespace(keys=make_keys(f"{folder}/keys", 6), folder=pathlib.Path(folder))


def statements_of(role):
    return role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]


def plain(statement):
    return statement["Fn::If"][1] if "Fn::If" in statement else statement


def without_statement(template, role, index):
    changed = copy.deepcopy(template)
    del statements_of(changed["Resources"][role])[index]
    return changed


def without_path(template, role, index, path):
    changed = copy.deepcopy(template)
    del plain(statements_of(changed["Resources"][role])[index])["Resource"][path]
    return changed


def holes(template):
    """(what is missing, template) for each statement, and each path of those with several."""
    for role, definition in of_type(template, "IAM::Role").items():
        for index, statement in enumerate(map(plain, statements_of(definition))):
            name = f"{role}.{statement['Sid']}"
            yield name, without_statement(template, role, index)
            paths = statement["Resource"] if isinstance(statement["Resource"], list) else []
            for place, one in enumerate(paths):
                if len(paths) > 1:
                    yield f"{name} {one['Fn::Sub'].partition('/')[2].partition('/')[2]}", without_path(template, role, index, place)


class Running:
    def __init__(self, fixture, name, template, *words):
        path = fixture.folder / f"{re.sub('[^A-Za-z.]', '_', name)}.json"
        path.write_text(json.dumps(template))
        self.process = subprocess.Popen([REHEARSAL, "-q", f"--parameter=StoreKey={KEY}", f"--keys={fixture.keys}", *words, path],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)

    def finish(self):
        self.out, _ = self.process.communicate(timeout=55)
        self.status = self.process.returncode
        self.reasons = [reason for status, kind, _, reason in events(self.out) if status == "CREATE_FAILED" and kind.endswith("::WaitCondition")]
        return self


def shorten(template):
    template = copy.deepcopy(template)
    template["Parameters"]["Timeout"].update(MinValue=1, Default=str(SECONDS))
    return template


def run_all(fixture, cases, *words):
    running = {name: Running(fixture, name, template, *words) for name, template in cases}
    return {name: one.finish() for name, one in running.items()}


def expect_all_needed(fixture, *words):
    template = shorten(create("--agents=1", *words))
    cases = [(name, changed) for name, changed in holes(template) if not name.startswith(EVIDENCE)]
    expect(len(cases) > 15, True, "rights that are tried")
    found = run_all(fixture, [*cases, (NOTHING, template)])
    expect(found[NOTHING].status, 0, found.pop(NOTHING).out)
    expect([name for name, one in found.items() if one.status != 1 or not one.reasons], [], "rights that are of no use")
    return found


def test_builtin_swarm_needs_each_right(fixture):
    """Who is told of first is chance, as all give up at the same time; but nobody waits for the client."""
    found = expect_all_needed(fixture, "--swarm=builtin")
    for name, part in (("ClientRole.PurgeSecrets flocker/nodes/*.key", "/flocker/nodes/1/node.key': 403 AccessDenied"),
                       ("ClientRole.ListStore", "cannot list 's3://")):
        expect_in(part, "\n".join(found[name].reasons), name)


def test_classic_swarm_needs_each_right(fixture):
    expect_all_needed(fixture, "--swarm=classic")


def test_evidence_needs_its_right(fixture):
    """The client's last word is its own: nobody waits for it, but a failure's evidence lies there."""
    template = shorten(create("--agents=1", "--components=docker,swarm"))
    cases = [case for case in holes(template) if case[0].startswith(EVIDENCE)]
    expect(len(cases), 1)
    found = run_all(fixture, [*cases, (NOTHING, template)], "--fault=ClientNode:verify:fail")
    expect_in("evidence: s3://", found[NOTHING].reasons[0])
    expect_in("evidence not stored", found[cases[0][0]].reasons[0])


def test_what_the_bucket_denies_is_denied(fixture):
    """Its policy is asked too: turned round, it lets nobody in who comes by TLS, as all do."""
    template = shorten(create("--agents=1", "--components=docker,swarm"))
    template["Resources"]["ClusterConfigPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"] = "true"
    found = run_all(fixture, [(NOTHING, template)])[NOTHING]
    expect((found.status, "403 AccessDenied" in found.reasons[0]), (1, True), found.out)


def test_a_policy_that_iam_would_not_take_is_named(fixture):
    template = create("--agents=1", "--components=docker,swarm")
    statements_of(template["Resources"]["AgentRole"])[0]["Effect"] = "Alow"
    found = run_all(fixture, [(NOTHING, template)])[NOTHING]
    expect(found.status, 1)
    expect_in("AgentRole  cannot use 'ClusterStore: Statement[0]': Effect: expected Allow or Deny", found.out)


if __name__ == "__main__":
    main(globals())
