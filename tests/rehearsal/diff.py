"""flocker-rehearsal diff: what an update of a stack would replace, stop, change or leave."""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "chain"))

from cloud import REHEARSAL, rehearse  # noqa: E402
from tap import expect, expect_in, main  # noqa: E402

TEMPLATE = pathlib.Path(REHEARSAL).parent.parent / "template/flocker-template"
SERVER = {
    "Parameters": {"Size": {"Type": "String", "Default": "t2.micro"}},
    "Resources": {
        "Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "Launch": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "optional"}}}},
        "Web": {"Type": "AWS::EC2::Instance", "Properties": {
            "ImageId": "ami-0123456789abcdef0", "InstanceType": {"Ref": "Size"}, "UserData": {"Fn::Base64": {"Fn::Sub": "#!/bin/sh\necho ${Data}\n"}},
            "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Launch"}, "Version": {"Fn::GetAtt": ["Launch", "LatestVersionNumber"]}}}},
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "Web", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "60"}},
    },
}


def compare(before, after, *words):
    with tempfile.TemporaryDirectory() as folder:
        for name, template in ("a.json", before), ("b.json", after):
            (pathlib.Path(folder) / name).write_text(template if isinstance(template, str) else json.dumps(template))
        return rehearse("diff", *words, f"{folder}/a.json", f"{folder}/b.json")


def changed(*path, value):
    template = json.loads(json.dumps(SERVER))
    place = template["Resources"]
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return template


def told(after, *words):
    """Verb and name of what is not left, and the last line."""
    found = compare(SERVER, after, *words)
    expect((found.status, found.err), (1, ""), found.out)
    *lines, counts = found.out.splitlines()
    return [(line.split()[0], line.split()[2]) for line in lines], counts


def test_the_same_is_left():
    found = compare(SERVER, SERVER)
    expect((found.status, found.out), (0, "5 left as they are\n"))


def test_what_is_stopped_replaced_changed():
    expect(told(changed("Web", "Properties", "UserData", value={"Fn::Base64": "#!/bin/sh\n"})), ([("stopped", "Web")], "4 left as they are, 1 stopped and started"))
    expect(told(changed("Web", "Properties", "ImageId", value="ami-0fedcba9876543210")), ([("replaced", "Web")], "4 left as they are, 1 replaced"))
    expect(told(changed("Data", "Properties", value={"Tags": [{"Key": "a", "Value": "b"}]})), ([("changed", "Data")], "4 left as they are, 1 changed in place"))
    expect(told(changed("Wait", "Properties", "Timeout", value="90")), ([("refused", "Wait")], "4 left as they are, 1 whose update is refused"))


def test_what_a_change_does_to_those_that_refer_to_it():
    replaced = changed("Data", "Properties", value={"BucketName": "another"})
    expect(told(replaced), ([("replaced", "Data"), ("stopped", "Web")], "3 left as they are, 1 stopped and started, 1 replaced"))
    required = changed("Launch", "Properties", "LaunchTemplateData", "MetadataOptions", "HttpTokens", value="required")
    expect(told(required), ([("changed", "Launch"), ("replaced", "Web")], "3 left as they are, 1 changed in place, 1 replaced"))


def test_what_comes_and_goes():
    more = changed("More", value={"Type": "AWS::S3::Bucket"})
    expect(told(more), ([("added", "More")], "5 left as they are, 1 added"))
    found = compare(more, SERVER)
    expect_in("removed   AWS::S3::Bucket                        More", found.out)
    less = changed("Data", value=None)
    less["Resources"]["Web"]["Properties"]["UserData"] = {"Fn::Base64": "#!/bin/sh\n"}
    expect_in("and kept (DeletionPolicy)", compare(SERVER, less).out)
    expect(told(changed("Data", "Type", value="AWS::SNS::Topic"))[0][0], ("refused", "Data"))


def test_a_parameter_of_both():
    after = changed("Web", "Properties", "InstanceType", value="m4.large")
    expect(told(after)[0], [("stopped", "Web")])
    expect(compare(SERVER, after, "--parameter=Size=m4.large").status, 0)


def test_our_own_template():
    """One more agent is added, and every machine's configuration changes with the number of agents: the machines are made anew under new names."""
    made = [subprocess.run([TEMPLATE, "create", "--components=docker,swarm", f"--agents={n}"], check=True, capture_output=True, text=True).stdout for n in (1, 2)]
    expect(compare(made[0], made[0]).status, 0)
    found = compare(*made)
    expect(found.status, 1)
    for verb, stem in ("added", "AgentNode2X"), ("added", "ControlNodeX"), ("removed", "ControlNodeX"), ("removed", "AgentNode1X"):
        expect(any(line.startswith(verb) and f" {stem}" in line for line in found.out.splitlines()), True, f"{verb} {stem}: {found.out}")
    expect("stopped" in found.out, False, found.out)


def test_bad_input():
    for words, status, sentence in ((("diff",), 64, "cannot compare: expected two templates"), (("diff", "/nonexistent", "/nonexistent"), 66, "'/nonexistent'"),
                                    (("diff", "a", "b", "c"), 64, "c")):
        found = rehearse(*words)
        expect((found.status, found.out), (status, ""), found.err)
        expect_in(sentence, found.err)
    found = compare(SERVER, "Resources: {A: {Type: AWS::CloudFormation::Stack}}")
    expect((found.status, found.out), (65, ""))
    expect_in("A is of type AWS::CloudFormation::Stack, which cannot be done here", found.err)


if __name__ == "__main__":
    main(globals())
