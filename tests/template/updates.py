"""Updates of a stack in the rehearsal, as CloudFormation does them: what is changed, restarted, replaced, and taken back."""

import contextlib
import json
import pathlib
import re
import shutil
import types

from keys import make_keys
from stacks import events, rehearse, temporary
from tap import expect, expect_in, main
from variants import IMAGES, MAPS, create, of_type, stem

PLAIN = ("--components=docker,swarm", "--agents=1")
INSTANCE, CONDITION = "AWS::EC2::Instance", "AWS::CloudFormation::WaitCondition"
STACK = "AWS::CloudFormation::Stack"


@contextlib.contextmanager
def setup():
    with temporary() as folder:
        yield types.SimpleNamespace(folder=pathlib.Path(folder), keys=make_keys(f"{folder}/keys", 12))


def update(fixture, before, after, *words):
    paths = []
    for name, template in (("before", before), ("after", after)):
        paths.append(fixture.folder / f"{name}.json")
        paths[-1].write_text(json.dumps(template))
    done = rehearse(*words, paths[0], f"--update={paths[1]}")
    whole = events(done.out)
    begin = next((n for n, event in enumerate(whole) if event[0] == "UPDATE_IN_PROGRESS"), len(whole))
    done.events = whole[begin:]
    return done


def told(done, status, kind):
    return [stem(name) for found, a_kind, name, _ in done.events if (found, a_kind) == (status, kind)]


def last(done):
    return done.events[-1][:2] if done.events else None


def with_user_data(template, change):
    """The trap: other user-data under the same logical ids."""
    template = json.loads(json.dumps(template))
    for one in of_type(template, "EC2::Instance").values():
        data = one["Properties"]["UserData"]["Fn::Base64"]
        data["Fn::Sub"] = change(data["Fn::Sub"])
    return template


def test_a_changed_configuration_replaces_every_machine(fixture):
    done = update(fixture, create("--agents=2"), create("--agents=1"), f"--keys={fixture.keys}", "-q")
    expect((done.status, last(done)), (0, ("UPDATE_COMPLETE", STACK)), done.out)
    expect(told(done, "CREATE_COMPLETE", INSTANCE), ["ControlNode", "AgentNode1", "ClientNode"])
    expect(told(done, "CREATE_COMPLETE", CONDITION)[-1], "ClientNodeCondition", "whose cluster was verified")
    expect(told(done, "DELETE_COMPLETE", INSTANCE), ["ClientNode", "AgentNode2", "AgentNode1", "ControlNode"])
    statuses = [status for status, *_ in done.events]
    expect(statuses.index("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < statuses.index("DELETE_IN_PROGRESS"), True, "nothing goes before all is well")
    expect("AgentNode2IP" in done.out.partition("Outputs:")[2], False)
    expect([event for event in done.events if event[2] == "ClusterConfig" and event[0].startswith("DELETE")], [], "the bucket stays")


def test_changed_user_data_alone_is_a_restart_that_nobody_runs(fixture):
    before = create(*PLAIN)
    after = with_user_data(before, lambda text: text.replace("swarm: auto", "swarm: none"))
    done = update(fixture, before, after, "--keep")
    kept = pathlib.Path(re.search(r"^Kept: (\S+)", done.out, re.M)[1])
    try:
        expect((done.status, last(done)), (0, ("UPDATE_COMPLETE", STACK)), done.out)
        expect(told(done, "UPDATE_COMPLETE", INSTANCE), ["ControlNode", "AgentNode1", "ClientNode"])
        expect_in("AgentNode1 is stopped and started; cloud-init does not run its user-data again", done.out)
        after_update = done.out.partition("UPDATE_IN_PROGRESS")[2].partition("Outputs:")[0]
        expect(re.findall(r"^ +(?:ControlNode|AgentNode1|ClientNode) +\S+ .*$", after_update, re.M), [], "steps")
        log = (kept / "AgentNode1/var/log/cloud-init-output.log").read_text()
        expect(len(re.findall(r"^join-swarm +done", log, re.M)), 1, "the swarm that the new document does not want is still joined")
    finally:
        shutil.rmtree(kept)


def test_an_update_that_fails_is_taken_back(fixture):
    before, after = create(*PLAIN), create(*PLAIN, "--revision=2")
    agent = next(name for name in of_type(after, "EC2::Instance") if name.startswith("Agent"))
    done = update(fixture, before, after, f"--fault={agent}:join-swarm:fail", "-q")
    expect((done.status, last(done)), (1, ("UPDATE_ROLLBACK_COMPLETE", STACK)), done.out)
    failed, = [event for event in done.events if event[0] == "CREATE_FAILED"]
    expect_in("join-swarm: cannot run 'join-swarm': --fault makes it fail", failed[3])
    deleted = {name for status, kind, name, _ in done.events if status == "DELETE_COMPLETE" and kind == INSTANCE}
    expect(deleted, set(of_type(after, "EC2::Instance")), "the new ones go, the old ones stay")
    statuses = [status for status, kind, *_ in done.events if kind == STACK]
    expect(statuses, ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    roles = [status for status, _, name, _ in done.events if name == "AgentRole"]
    expect(roles, ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"] * 2, "its rights are those of before")


def test_where_secrets_are_kept_a_client_is_replaced_alone(fixture):
    words = (*PLAIN, "--keep-secrets")
    other = f"--client-ami-map-body={json.dumps({**IMAGES, 'us-east-1': 'ami-0fedcba9876543210'})}"
    done = update(fixture, create(*words, *MAPS), create(*words, MAPS[0], other), "-q")
    expect((done.status, last(done)), (0, ("UPDATE_COMPLETE", STACK)), done.out)
    expect((told(done, "CREATE_COMPLETE", INSTANCE), told(done, "DELETE_COMPLETE", INSTANCE)), (["ClientNode"], ["ClientNode"]))
    expect(told(done, "UPDATE_COMPLETE", INSTANCE), [])


def test_another_time_out_alone_is_refused_as_cloudformation_refuses_it(fixture):
    before, after = create(*PLAIN), create(*PLAIN)
    after = json.loads(json.dumps(after))
    after["Parameters"]["Timeout"]["Default"] = "700"
    done = update(fixture, before, after, "-q")
    expect((done.status, last(done)), (1, ("UPDATE_ROLLBACK_COMPLETE", STACK)), done.out)
    expect_in("Update to resource type AWS::CloudFormation::WaitCondition is not supported.", done.out)
    again = update(fixture, before, {**create(*PLAIN, "--revision=2"), "Parameters": after["Parameters"]}, "-q")
    expect(again.status, 0, "with new machines it can be changed")


def test_what_cannot_be_changed_is_made_anew_under_its_name(fixture):
    def template(image, version):
        return {"Resources": {
            "Launch": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"KeyName": version}}},
            "One": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": image}},
            "Two": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": "ami-1", "LaunchTemplate": {
                "LaunchTemplateId": {"Ref": "Launch"}, "Version": {"Fn::GetAtt": ["Launch", "LatestVersionNumber"]}}}},
            "Three": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": "ami-1", "Tags": [{"Key": "a", "Value": image}]}}}}

    done = update(fixture, template("ami-1", "a"), template("ami-2", "b"), "-q")
    expect((done.status, last(done)), (0, ("UPDATE_COMPLETE", STACK)), done.out)
    expect([name for status, _, name, reason in done.events if status == "UPDATE_IN_PROGRESS" and "creation of a new physical resource" in reason],
           ["One", "Two"], "an image, and by its version a launch template")
    expect(sorted(told(done, "UPDATE_COMPLETE", INSTANCE)), ["One", "Three", "Two"])
    expect(sorted(told(done, "DELETE_COMPLETE", INSTANCE)), ["One", "Two"])


def test_an_update_that_cannot_be_is_a_sentence_and_changes_nothing(fixture):
    before = create(*PLAIN)
    after = json.loads(json.dumps(before))
    after["Resources"]["IngressSsh"] = {"Type": "AWS::S3::Bucket"}
    done = update(fixture, before, after, "-q")
    expect((done.status, len(done.err.splitlines())), (65, 1), done.err)
    expect_in("cannot update 'IngressSsh': it is of type AWS::EC2::SecurityGroupIngress, and an update cannot make it AWS::S3::Bucket", done.err)
    expect(done.events, [])
    (fixture.folder / "none.json").write_text("{")
    done = rehearse(*PLAIN, f"--update={fixture.folder}/none.json", "-q")
    expect((done.status, "CREATE_IN_PROGRESS" in done.out, len(done.err.splitlines())), (65, False, 1), done.err)
    done = rehearse(*PLAIN, "--update=/nonexistent.json", "-q")
    expect((done.status, "/nonexistent.json" in done.err), (66, True))


if __name__ == "__main__":
    main(globals())
