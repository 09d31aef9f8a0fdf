"""flocker-rehearsal: stacks that come up, stacks that roll back, and templates that are none."""

import contextlib
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import types
import xml.etree.ElementTree as ElementTree

from cloud import PROGRAM, REHEARSAL, rehearse, temporary
from keys import make_keys
from tap import expect, expect_in, main

PLAIN = ("--components=docker,swarm", "--agents=1")
TEMPLATE = pathlib.Path(REHEARSAL).parent.parent / "template/flocker-template"


@contextlib.contextmanager
def setup():
    with temporary() as folder:
        yield types.SimpleNamespace(keys=make_keys(f"{folder}/keys", 9), folder=pathlib.Path(folder))


def events(out):
    """(seconds, status, type, name, reason) of each event."""
    return [(float(found[1]), found[2], found[3], found[4], found[5] or "") for found in
            re.finditer(r"^ *([\d.]+) s  (\S+) +(\S+) +(\S+)(?:  (.*))?$", out, re.M)]


def stem(name):
    return re.sub(r"X[0-9a-f]{8}$", "", name)


def left_behind(folder):
    """Folders and processes of rehearsals whose temporary files lie there."""
    processes = subprocess.run(["pgrep", "-f", f"{folder}/flocker-rehearsal"], capture_output=True, text=True).stdout.split()
    return set(glob.glob(f"{folder}/flocker-rehearsal.*")), set(processes)


def test_every_component_set_and_swarm_mode_comes_up(fixture):
    for words in ((), ("--swarm=classic",), ("--swarm=none",), ("--components=docker,swarm",), ("--components=docker",),
                  ("--components=flocker",), ("--components=docker,swarm", "--swarm=classic"), ("--agents=5",), ("--keep-secrets",)):
        given = f"--keys={fixture.keys}" if "--agents=5" not in words else "--components=docker,swarm"
        done = rehearse(*words, given, "-q")
        expect(done.status, 0, f"{words}: {done.out}{done.err}")
        last = events(done.out)[-1]
        expect((last[1], last[2]), ("CREATE_COMPLETE", "AWS::CloudFormation::Stack"))


def test_the_default_stack_as_people_see_it(fixture):
    picture = fixture.folder / "timeline.svg"
    done = rehearse("--keys=keys", f"--timeline={picture}", cwd=fixture.folder)
    expect((done.status, done.err), (0, ""), done.out)
    complete = [stem(name) for _, status, kind, name, _ in events(done.out) if status == "CREATE_COMPLETE" and kind == "AWS::EC2::Instance"]
    expect(complete, ["ControlNode", "AgentNode1", "AgentNode2", "ClientNode"])
    for output in ("ControlNodeIP", "AgentNode1IP", "AgentNode2IP", "ClientNodeIP", "ClientConfigDockerSwarmHost", "ClientConfigDockerTLS"):
        expect_in(f"\n  {output} ", done.out)
    expect_in("export DOCKER_HOST=tcp://127.", done.out)
    expect_in("note: parameter EC2KeyPair is made up", done.out)
    expect_in("\nCritical path:\n  ", done.out)
    expect_in("private objects deleted from the store", done.out)
    drawn = ElementTree.parse(picture).getroot()
    texts = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("ControlNode", "AgentNode2", "ClientNode"):
        expect(word in texts, True, texts)
    for element in drawn.iter("{http://www.w3.org/2000/svg}text"):
        x, wide = int(element.get("x")), 6.5 * len(element.text)  # of 12 pixels, about
        left = x if element.get("class") != "label-end" else x - wide
        expect((left >= 0, left + wide <= int(drawn.get("width"))), (True, True), f"'{element.text}' is within the picture")
    expect(any(text.startswith("make-flocker-certs ") for text in texts), True)
    expect(any("waited for flocker/nodes/" in text or "waited for docker/" in text for text in texts), True)


def test_a_failure_rolls_back_in_reverse_and_keeps_the_bucket():
    for fault, cause in (("AgentNode1:join-swarm:fail", "join-swarm: cannot run 'join-swarm': --fault makes it fail"),
                         ("ControlNode:make-docker-ca:kill", "make-docker-ca: cannot finish 'make-docker-ca': the worker was ended by signal 9")):
        done = rehearse(*PLAIN, f"--fault={fault}", "-q")
        expect(done.status, 1, done.out)
        told = events(done.out)
        failed = [event for event in told if event[1] == "CREATE_FAILED"]
        expect((len(failed), stem(failed[0][3])), (1, fault.partition(":")[0] + "Condition"))
        expect_in(cause, failed[0][4])
        expect_in("evidence: s3://", failed[0][4])
        made = [name for _, status, kind, name, _ in told if status == "CREATE_IN_PROGRESS" and not kind.endswith("::Stack")]
        gone = [name for _, status, kind, name, _ in told if status in ("DELETE_COMPLETE", "DELETE_SKIPPED")]
        expect(gone, [name for name in reversed(made) if name in gone])
        expect([stem(name) for _, status, _, name, _ in told if status == "DELETE_SKIPPED"].count("ClusterConfig"), 1)
        expect(told[-1][1], "ROLLBACK_COMPLETE")


def test_a_failed_stack_ends_with_its_reason_and_what_is_kept_can_be_looked_at():
    with temporary() as folder:
        done = rehearse(*PLAIN, "--fault=AgentNode1:join-swarm:fail", "-q", "--keep", env={**os.environ, "TMPDIR": folder})
        expect(done.status, 1, done.out)
        end = done.out.partition("ROLLBACK_COMPLETE")[2]
        expect_in("\nFailed:\n  AgentNode1ConditionX", end)
        expect_in("agent 1 (i-", end)
        expect_in("join-swarm: cannot run 'join-swarm'", end)
        expect("Critical path" in end, False, "of a stack that came to nothing")
        kept = pathlib.Path(re.search(r"^Kept: (\S+)", end, re.M)[1])
        expect(sorted(path.name for path in kept.iterdir()), ["AgentNode1", "ClientNode", "ControlNode", "s3"])
        evidence = list(kept.glob("s3/**/status/i-*/evidence.json"))
        expect((len(evidence), evidence[0].stat().st_mode & 0o777), (1, 0o600))
        expect_in("join-swarm", json.loads(evidence[0].read_text())["reason"])
        end = rehearse(*PLAIN, "--fault=AgentNode1:join-swarm:fail", "-q").out.partition("ROLLBACK_COMPLETE")[2]
        expect_in("--keep leaves", end)


def test_a_hanging_node_costs_its_step_and_no_more():
    template = json.loads(subprocess.run([TEMPLATE, "create", *PLAIN], capture_output=True, check=True).stdout)
    text = json.dumps(template).replace("timeout:", "step-timeout: 2s\\ntimeout:")
    with temporary() as folder:
        path = pathlib.Path(folder) / "t.json"
        path.write_text(text)
        began = time.monotonic()
        done = rehearse(path, "--fault=AgentNode1:configure-docker:hang", "-q")
        expect(done.status, 1, done.out)
        expect_in("configure-docker: cannot finish 'configure-docker': it did not end in its time, and was killed", done.out)
        expect(time.monotonic() - began < 6, True)


def test_a_silent_node_costs_the_time_out():
    with temporary() as folder:
        path = pathlib.Path(folder) / "t.json"
        path.write_text(json.dumps({"Resources": {
            "I": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": "ami-1", "UserData": {"Fn::Base64": "#!/bin/true\n"}}},
            "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "C": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "I", "Properties": {"Handle": {"Ref": "H"}, "Timeout": "1"}}}}))
        done = rehearse(path, "-q")
        expect(done.status, 1)
        expect_in("WaitCondition timed out. Received 0 conditions when expecting 1", done.out)
        expect_in("CREATE_FAILED", rehearse(path, "--disable-rollback", "-q").out.splitlines()[-3] + rehearse(path, "--disable-rollback").out)


def test_an_instance_that_flocker_cannot_use_is_named(fixture):
    """The agents' launch template leaves version 1 of the metadata service open: taken away, verify says so."""
    text = subprocess.run([TEMPLATE, "create", "--agents=1"], capture_output=True, text=True, check=True).stdout
    expect('"HttpTokens": "optional"' in text, True)
    path = fixture.folder / "required.json"
    path.write_text(text.replace('"HttpTokens": "optional"', '"HttpTokens": "required"'))
    done = rehearse(path, f"--keys={fixture.keys}", "-q")
    expect(done.status, 1, done.out)
    expect_in("verify: cannot use this instance for Flocker's aws backend: it requires version 2 of the metadata service", done.out)


def test_a_dataset_secret_that_is_none_is_told_of_and_not_quoted(fixture):
    made = json.loads(subprocess.run([TEMPLATE, "create", "--components=flocker", "--agents=1"], capture_output=True, check=True).stdout)
    path = fixture.folder / "secret.json"
    for content, part in (("AKIAIOSFODNN7EXAMPLE", "line 1, column 12: invalid token; the secret is to be a JSON object with "),
                          ('{"access_key_id": "AKIA" "x"}', "line 1, column 28: '}' expected; the secret is to be a JSON object with "),
                          ('{"access_key_id": "AKIAIOSFODNN7"}', "the member 'secret_access_key' is missing")):
        made["Resources"]["DatasetSecret"]["Properties"]["SecretString"] = content
        path.write_text(json.dumps(made))
        done = rehearse(path, f"--keys={fixture.keys}")
        expect(done.status, 1, done.out)
        expect_in("make-flocker-ca: cannot read 'arn:aws:secretsmanager:", done.out)
        expect_in(part, done.out)
        expect("AKIA" in done.out + done.err, False, done.out)


def test_two_stacks_at_once():
    running = [subprocess.Popen([REHEARSAL, *PLAIN, "-q", f"--stack-name=s{n}"], stdout=subprocess.PIPE, text=True) for n in range(3)]
    for process in running:
        out, _ = process.communicate(timeout=50)
        expect(process.returncode, 0, out)


def test_nothing_is_left_however_it_ends():
    with temporary() as folder:
        environment = {**os.environ, "TMPDIR": folder}
        expect(rehearse(*PLAIN, "-q", env=environment).status, 0)
        expect(left_behind(folder), (set(), set()))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen([REHEARSAL, *PLAIN, "-q", "--fault=ControlNode:publish-docker-ca:hang"], stdout=subprocess.PIPE,
                                       text=True, env=environment)
            for line in process.stdout:
                if "ClientNodeCondition" in line:
                    break
            time.sleep(0.3)
            process.send_signal(number)
            process.communicate(timeout=10)
            time.sleep(0.5)
            folders, processes = left_behind(folder)
            expect(processes, set(), f"processes behind signal {number}")
            if number != signal.SIGKILL:  # then nobody was left to take the folder away, but the next one
                expect(folders, set(), f"folders behind signal {number}")
        expect(rehearse(*PLAIN, "-q", env=environment).status, 0)
        expect(left_behind(folder), (set(), set()))


def test_containers_take_root():
    with temporary() as folder:
        os.chmod(folder, 0o755)
        own = [shutil.copy(program, folder) for program in (REHEARSAL, PROGRAM, TEMPLATE)]  # where whoever is not root may go
        found = subprocess.run([own[0], "--machines=nspawn", "--image=/nowhere"], user=65534 if os.geteuid() == 0 else None, capture_output=True,
                               text=True, timeout=20)
    expect((found.returncode, found.stdout), (77, ""), found.stderr)
    expect(found.stderr, "flocker-rehearsal: cannot use --machines=nspawn: containers, their network and their mounts take root\n")


def test_bad_input_is_a_sentence_and_a_code():
    instance = {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": "ami-1"}}
    cases = [
        ({"Resources": {"A": {**instance, "DependsOn": "B"}, "B": {**instance, "DependsOn": "A"}}}, 65, "A -> B -> A"),
        ({"Resources": {"A": {**instance, "Properties": {"ImageId": {"Fn::Jion": ["", []]}}}}}, 65, "did you mean 'Fn::Join'?"),
        ({"Parameters": {"Key": {"Type": "String"}}, "Resources": {"A": instance}}, 64, "Key"),
        ({"Resources": {"A": {**instance, "Properties": {"ImageIdd": "x"}}}}, 65, "ImageId"),
        ({"Resources": {"A": {**instance, "Properties": {"ImageId": {"Ref": "Nobody"}}}}}, 65, "Nobody"),
        ({"Resourcez": {}}, 65, "Resources"),
    ]
    with temporary() as folder:
        path = pathlib.Path(folder) / "t.json"
        for template, status, part in cases:
            path.write_text(json.dumps(template))
            done = rehearse(path)
            expect((done.status, len(done.err.splitlines())), (status, 1), f"{template}: {done.out}{done.err}")
            expect_in(part, done.err)
        path.write_text("Resources:\n\tA: 1\n")
        expect_in("line 2, column 1: a tab cannot be indentation", rehearse(path).err)
    for words, status, part in ((("--fault=Nobody:signal:kill", *PLAIN), 64, "the template has no instance 'Nobody'"),
                                (("--fault=ControlNode:signal:burn", *PLAIN), 64, "there is no kind 'burn' of steps; there are kill, hang, fail"),
                                (("--agents=0",), 64, "--agents"), (("/nonexistent.json",), 66, "/nonexistent.json"), (("sreve",), 64, "did you mean 'serve'?"),
                                (("--parameter=Nothing=1", *PLAIN), 64, "Nothing"),
                                (("--keys=/nonexistent", *PLAIN), 66, "cannot use '--keys=/nonexistent': No such file or directory"),
                                (("--timeline=/nonexistent/t.svg", *PLAIN), 66, "cannot use '--timeline=/nonexistent/t.svg'")):
        done = rehearse(*words)
        expect(done.status, status, f"{words}: {done.out}{done.err}")
        expect_in(part, done.err)


if __name__ == "__main__":
    main(globals())
