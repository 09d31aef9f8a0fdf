"""Templates of others, in the manner of the public samples: they run, or are refused with a sentence; and what stands in a rehearsal's way."""

import glob
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "chain"))

from cloud import REHEARSAL, rehearse  # noqa: E402
from tap import expect, expect_in, main  # noqa: E402

HERE = pathlib.Path(__file__).parent / "templates"


def outputs(found):
    return dict(line.split(maxsplit=1) for line in found.out.partition("Outputs:\n")[2].partition("\n\n")[0].splitlines())


def test_a_server_with_a_script_and_two_signals():
    found = rehearse(HERE / "server.yaml")
    expect(found.status, 0, found.out + found.err)
    expect_in("Web          hello from b in us-east-1, names x-y", found.out)
    told = outputs(found)
    expect(json.loads(told["Said"]), {"one": "d-one", "two": "d-two"})
    expect((told["Cidr"], told["Zone"], "Prod" in told), ("10.0.0.0/24", "us-east-1a", False))
    bucket, arn = told["What"].split()
    expect(arn, f"arn:aws:s3:::{bucket}")
    expect("OnlyProd" in found.out, False, "a resource whose condition does not hold")


def test_conditions_choose():
    found = rehearse("--parameter=Env=prod", HERE / "server.yaml")
    expect(found.status, 0, found.out + found.err)
    expect_in("onlyprod", outputs(found)["Prod"])


def test_a_count_that_is_not_reached():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write((HERE / "server.yaml").read_text().replace('Count: "2"', 'Count: "3"').replace('Timeout: "20"', 'Timeout: "4"'))
        file.flush()
        found = rehearse(file.name)
    expect(found.status, 1)
    expect_in("Wait  WaitCondition timed out. Received 2 conditions when expecting 3", found.out)


def test_a_bucket():
    found = rehearse("--stack-name=blog", HERE / "bucket.yaml")
    expect((found.status, outputs(found)), (0, {"Name": "blog-site-123456789012"}), found.out)
    found = rehearse("--parameter=Stage=live", HERE / "bucket.yaml")
    expect(sorted(outputs(found)), ["Logs", "Name"])
    found = rehearse("--parameter=Stage=no", HERE / "bucket.yaml")
    expect_in("Stage", found.err)
    expect_in("dev", found.err)


def test_a_script_that_fails():
    found = rehearse(HERE / "failing.yaml")
    expect(found.status, 1)
    expect_in("Wait  WaitCondition received failed message: 'line 4 failed' for uniqueId: server", found.out)
    expect_in("ROLLBACK_COMPLETE", found.out)


def refuse(text, sentence, status=65):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "t.yaml"
        path.write_text(text)
        found = rehearse(path)
        expect((found.status, "IN_PROGRESS" in found.out), (status, False), found.out + found.err)
        expect_in(sentence, found.err)
        expect(found.err.count("\n"), 1, found.err)


def resource(kind, properties="{}"):
    return f"Resources:\n  A: {{Type: '{kind}', Properties: {properties}}}\n"


def test_what_needs_more_than_this_cloud_is_refused_by_name():
    refuse(resource("AWS::S3::Bucket", "{BucketName: !ImportValue other}"), "!ImportValue cannot be done here: it needs another stack's exports")
    refuse(resource("AWS::CloudFormation::Stack"), "line 2, column 3: A is of type AWS::CloudFormation::Stack, which cannot be done here: a nested stack is")
    for kind in "Custom::Thing", "AWS::CloudFormation::CustomResource":
        refuse(resource(kind), f"A is of type {kind}, which cannot be done here: a custom resource is made by a function")
    refuse(resource("AWS::CloudFormation::Macro"), "A is of type AWS::CloudFormation::Macro, which cannot be done here: macros are CloudFormation's own")
    refuse(resource("Org::Net::Vpc::MODULE"), "A is of type Org::Net::Vpc::MODULE, which cannot be done here: modules are in an account's registry")
    refuse("Transform: AWS::Serverless-2016-10-31\n" + resource("AWS::S3::Bucket"), "Transform cannot be done here")
    refuse(resource("AWS::S3::Bucket", "{'Fn::Transform': {Name: AWS::Include}}"), "Fn::Transform cannot be done here: macros are CloudFormation's own")


def test_an_export_that_nothing_imports_is_told_and_no_hindrance():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(resource("AWS::S3::Bucket") + "Outputs: {O: {Value: x, Export: {Name: !Sub '${AWS::StackName}-y'}}}\n")
        file.flush()
        found = rehearse(file.name)
    expect(found.status, 0, found.err)
    expect_in("(exported as 'flocker-y', which nothing imports here)", found.out)


def test_an_export_that_is_none_is_refused():
    refuse(resource("AWS::S3::Bucket") + "Outputs: {O: {Value: x, Export: y}}\n", "Export: expected an object")
    refuse(resource("AWS::S3::Bucket") + "Outputs: {O: {Value: x, Export: {Nmae: y}}}\n", "unknown key 'Nmae' (did you mean 'Name'?)")


def test_a_type_that_is_not_known_is_taken_to_be_there():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(resource("AWS::SNS::Topic"))
        file.flush()
        found = rehearse(file.name)
    expect(found.status, 0, found.err)
    expect_in("note: A is of type AWS::SNS::Topic, which a rehearsal does not know: it is taken to be there", found.out)


def test_limits():
    bucket = {"B": {"Type": "AWS::S3::Bucket"}}
    for template, sentence in (
            ({"Resources": {f"B{n}": bucket["B"] for n in range(501)}}, "Resources: expected at most 500, found 501"),
            ({"Resources": bucket, "Parameters": {f"P{n}": {"Type": "String", "Default": ""} for n in range(201)}}, "Parameters: expected at most 200, found 201"),
            ({"Resources": bucket, "Outputs": {f"O{n}": {"Value": "x"} for n in range(201)}}, "Outputs: expected at most 200, found 201"),
            ({"Resources": {"B" * 256: bucket["B"]}}, "expected a name of 1 to 255 letters and digits"),
            ({"Resources": bucket, "Metadata": {"x": ["y" * 1000] * 1100}}, "it has more than 1048576 bytes")):
        refuse(json.dumps(template), sentence)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"Resources": {"I": {"Type": "AWS::EC2::Instance", "Properties": {
            "ImageId": "ami-0123456789abcdef0", "UserData": {"Fn::Base64": "#!/bin/sh\n" + "#" * 16384}}}}}, file)
        file.flush()
        found = rehearse(file.name)
    expect_in("I  UserData has 16394 bytes, and an instance takes 16384 at most", found.out)


def alone(kind, script, seconds=55):
    """In a namespace of its own: what is taken or full there is so for nobody else."""
    return subprocess.run(["/usr/bin/unshare", kind, "/bin/sh", "-c", script], capture_output=True, text=True, timeout=seconds)


def test_a_port_that_is_taken():
    listen = ("import socket, subprocess, sys; s = socket.create_server(('0.0.0.0', 2376)); "
              f"sys.exit(subprocess.run(['{REHEARSAL}', '-q', '--components=docker,swarm']).returncode)")
    found = alone("-n", f'/sbin/ip link set lo up && exec /usr/bin/python3 -c "{listen}"')
    expect(found.returncode, 1, found.stderr)
    expect_in("configure-docker: cannot restart 'docker.service': its job ended as 'failed' (result exit-code, status 1)", found.stdout)
    expect_in("ROLLBACK_COMPLETE", found.stdout)


def test_no_space_left():
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="s") as folder:
        found = alone("-m", f"mount -t tmpfs -o size=64k none {folder} && TMPDIR={folder} {REHEARSAL} -q --components=docker,swarm; echo left: $(ls {folder})")
    expect_in("CREATE_FAILED        AWS::EC2::Instance", found.stdout)
    expect(bool(re.search(r"cannot write '[\w./-]+': No space left on device", found.stdout)), True, found.stdout)
    expect(found.stdout.splitlines()[-1], "left:", found.stdout)


def test_nothing_is_left_behind():
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="l") as folder:
        for words in [HERE / "failing.yaml"], ["--fault=none:x:kill"], [HERE / "absent.yaml"]:
            rehearse(*words, env={"TMPDIR": folder, "PATH": "/usr/bin:/bin"})
            expect(glob.glob(folder + "/*"), [], str(words))


if __name__ == "__main__":
    main(globals())
