"""What `create` prints comes up in the rehearsal: each kind of template, and each size. `run.py hundred` is the biggest alone."""

import contextlib
import pathlib
import sys
import types

import tap
from keys import make_keys
from stacks import events, rehearse, temporary
from tap import expect, expect_in, main
from variants import VARIANTS, create, of_type, stem, text_of

HUNDRED = "hundred" in sys.argv
BIG = {"twenty-agents"}
PLAIN = "--components=docker,swarm"
KEYS = 8  # more agents have no Flocker here: its keys would take longer than all that is tried


@contextlib.contextmanager
def setup():
    with temporary() as folder:
        folder = pathlib.Path(folder)
        yield types.SimpleNamespace(folder=folder, keys=make_keys(folder / "keys", KEYS))


def bring_up(fixture, name, *words, seconds=55):
    path = fixture.folder / f"{name}.json"
    path.write_text(text_of(*words))
    nodes = [stem(one) for one in of_type(create(*words), "EC2::Instance")]
    done = rehearse(path, "-q", f"--keys={fixture.keys}", "--parameter=PublicAddresses=false", seconds=seconds)
    expect((done.status, done.err), (0, ""), f"{name}: {done.out[-3000:]}")
    told = events(done.out)
    expect(told[-1][:2], ("CREATE_COMPLETE", "AWS::CloudFormation::Stack"), name)
    signalled = {stem(one) for status, kind, one, _ in told if (status, kind) == ("CREATE_COMPLETE", "AWS::CloudFormation::WaitCondition")}
    expect(signalled, {f"{node}Condition" for node in nodes}, name)
    expect_in(f"\n  {nodes[-1]}IP ", done.out)
    return told


def bring_up_part(fixture, part):
    for name in [one for one in VARIANTS if one not in BIG][part::3]:
        bring_up(fixture, name, *VARIANTS[name])


if HUNDRED:
    tap.TEST_SECONDS = 270  # machines that have little else to do take a tenth of that

    def test_a_hundred_agents(fixture):
        bring_up(fixture, "hundred", "--agents=100", PLAIN, seconds=240)
else:
    def test_each_kind_of_template_comes_up(fixture):
        bring_up_part(fixture, 0)

    def test_so_do_others(fixture):
        bring_up_part(fixture, 1)

    def test_and_the_rest(fixture):
        bring_up_part(fixture, 2)

    def test_in_the_old_order_nobody_begins_before_those_it_waits_for(fixture):
        told = bring_up(fixture, "ordered", "--ordered", "--agents=2")
        order = [stem(name) for status, kind, name, _ in told if (status == "CREATE_IN_PROGRESS" and kind.endswith("::Instance")) or (
            status == "CREATE_COMPLETE" and kind.endswith("::WaitCondition"))]
        expect((order[:2], order[-2:]), (["ControlNode", "ControlNodeCondition"], ["ClientNode", "ClientNodeCondition"]))

    def test_twenty_agents(fixture):
        bring_up(fixture, "twenty", "--agents=20", PLAIN)


if __name__ == "__main__":
    main(globals())
