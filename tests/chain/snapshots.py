"""What people read, held: help, dry runs, reasons, events. `snapshots.py --write` writes them anew; look at the difference then."""

import json
import pathlib
import re
import subprocess
import sys

from cloud import PROGRAM, REHEARSAL, Serve, rehearse, temporary
from tap import expect, main

HERE = pathlib.Path(__file__).parent / "snapshots"
TEMPLATE = pathlib.Path(REHEARSAL).parent.parent / "template/flocker-template"
WRITE = "--write" in sys.argv


def settle(text, root=""):
    """Without what differs from run to run: addresses, ids, times, digests."""
    for pattern, word in ((re.escape(str(root)) or "(?!)", "ROOT"), (r"127\.\d+\.\d+\.\d+", "ADDRESS"), (r"i-0[0-9a-f]{16}", "INSTANCE"),
                          (r"(?<= )\d+(\.\d+)? m?s\b", "TIME"), (r"^ +\d+\.\d{3} s", " TIME", ), (r"X[0-9a-f]{8}\b", ""),
                          (r"-[0-9a-f]{12}\b", "-ID"), (r"/tmp/\S*flocker-rehearsal\.\w+", "FOLDER"), (r"(?<=localhost and )\S+|(?<=ADDRESS and )[^,\s]+", "HOST")):
        text = re.sub(pattern, word, text, flags=re.M)
    return text


def hold(name, text):
    path = HERE / f"{name}.txt"
    if WRITE:
        HERE.mkdir(exist_ok=True)
        path.write_text(text)
    expect(text.splitlines(), path.read_text().splitlines(), name)


def test_help():
    for name, words in (("bootstrap", [PROGRAM, "--help"]), ("bootstrap-run", [PROGRAM, "run", "--help"]), ("bootstrap-renew", [PROGRAM, "renew", "--help"]),
                        ("rehearsal", [REHEARSAL, "run", "--help"]),
                        ("rehearsal-serve", [REHEARSAL, "serve", "--help"]), ("template-create", [TEMPLATE, "create", "--help"])):
        hold(f"help-{name}", subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def test_a_dry_run_of_each_role():
    with Serve(1) as cloud:
        machine = cloud.machines[0]
        for role, words in (("control", ()), ("agent", ("--node=1",)), ("client", ())):
            found = machine.run(role, "--agents=1", "--swarm=builtin", "--dry-run", *words)
            hold(f"dry-run-{role}", settle(found.out, machine.root))


def test_a_run_and_the_same_again():
    with Serve(1) as cloud:
        machine = cloud.machines[0]
        for name in ("first", "second"):
            found = machine.run("control", "--agents=1", "--components=docker,swarm", "--swarm=builtin")
            hold(f"control-{name}-run", settle(found.out, machine.root))


def test_the_events_of_a_failure():
    template = {"Resources": {
        "Store": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Node": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": "ami-1", "UserData": {"Fn::Base64": {"Fn::Sub":
            "#!/usr/bin/flocker-bootstrap --role=worker\nstore: \"s3://${Store}/x\"\nsignal: \"${Handle}\"\n"}}}},
        "Condition": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "Node", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 2}}}}
    with temporary() as folder:
        path = pathlib.Path(folder) / "t.json"
        path.write_text(json.dumps(template))
        found = rehearse(path, "-q")
        hold("events-of-a-failure", settle(found.out))


if __name__ == "__main__":
    main(globals())
