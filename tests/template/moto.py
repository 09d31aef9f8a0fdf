"""What `create` prints, made into a stack by moto's CloudFormation, which others wrote: outputs, resources, and what became of them.

Kinds of resource that moto does not make are named here: a newer moto that makes them fails this test, and has to be looked at.
"""

import base64
import contextlib
import types

import botocore.config
import botocore.session

from servers import Moto
from tap import expect, expect_in, main
from variants import VARIANTS, create, of_type, stem, text_of

# Of moto's own list of images.
IMAGES = {"NodeImage": "ami-12c6146b", "ClientImage": "ami-1e749f67"}
VALUES = {"EC2KeyPair": "key", "AmazonAccessKeyID": "AKIAIOSFODNN7EXAMPLE", "AmazonSecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE=",
          "AdministratorsCidr": "203.0.113.0/24", **{name: f"/images/{name}" for name in IMAGES}}


class Services:
    def __init__(self, server):
        self.server, self.session, self.clients = server, botocore.session.Session(), {}

    def __getattr__(self, name):
        if name not in self.clients:
            self.clients[name] = self.session.create_client(
                name, region_name=self.server.region, endpoint_url=self.server.endpoint, aws_access_key_id=self.server.access_key,
                aws_secret_access_key=self.server.secret_key, aws_session_token=self.server.token,
                config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=50, s3={"addressing_style": "path"}))
        return self.clients[name]


@contextlib.contextmanager
def setup():
    with Moto() as moto:
        aws = Services(moto)
        aws.ec2.create_key_pair(KeyName="key")
        for name, image in IMAGES.items():
            aws.ssm.put_parameter(Name=VALUES[name], Type="String", Value=image)
        subnet = aws.ec2.describe_subnets()["Subnets"][0]
        yield types.SimpleNamespace(aws=aws, values={**VALUES, "Vpc": subnet["VpcId"], "Subnet": subnet["SubnetId"]})


def text_for_moto(*words):
    """moto asks the Systems Manager also for the default of a parameter that is given, and only AWS knows ours."""
    return text_of(*words).replace("/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id", VALUES["NodeImage"])


def make(fixture, name, *words, **values):
    given = {**fixture.values, **values}
    template = create(*words)
    fixture.aws.cloudformation.create_stack(
        StackName=name, TemplateBody=text_for_moto(*words), Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": given[key]} for key in template["Parameters"] if key in given])
    stack, = fixture.aws.cloudformation.describe_stacks(StackName=name)["Stacks"]
    resources = fixture.aws.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return template, stack, {one["LogicalResourceId"]: one for one in resources}


# What moto's CloudFormation leaves out, with a warning.
LEFT_OUT = {"AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle", "AWS::S3::BucketPolicy", "AWS::SecretsManager::Secret"}


def check(name, template, stack, resources):
    expect(stack["StackStatus"], "CREATE_COMPLETE", name)
    expect({one["OutputKey"] for one in stack["Outputs"]}, set(template["Outputs"]), name)
    expect({one["ResourceType"] for logical, one in resources.items() if logical in template["Resources"]},
           {one["Type"] for one in template["Resources"].values()} - LEFT_OUT, name)
    for logical, one in template["Resources"].items():
        if one["Type"] not in LEFT_OUT:
            expect(resources[logical]["ResourceStatus"], "CREATE_COMPLETE", f"{name}: {logical}")


def make_part(fixture, part):
    for name in list(VARIANTS)[part::2]:
        check(name, *make(fixture, name, *VARIANTS[name]))


def test_each_variant_becomes_a_stack(fixture):
    make_part(fixture, 0)


def test_and_the_others(fixture):
    make_part(fixture, 1)


def find_instances(fixture, resources):
    wanted = {one["PhysicalResourceId"]: stem(name) for name, one in resources.items() if one["ResourceType"] == "AWS::EC2::Instance"}
    found = fixture.aws.ec2.describe_instances(InstanceIds=list(wanted))["Reservations"]
    return {wanted[one["InstanceId"]]: one for reservation in found for one in reservation["Instances"]}


def test_machines_are_what_the_template_says(fixture):
    template, stack, resources = make(fixture, "machines", "--agents=1", RootVolumeSize="30")
    instances = find_instances(fixture, resources)
    expect(sorted(instances), ["AgentNode1", "ClientNode", "ControlNode"])
    bucket = resources["ClusterConfig"]["PhysicalResourceId"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    for name, one in instances.items():
        kind = name.replace("Node", "").rstrip("1")
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        expect((tags["Name"], one["KeyName"]), (f"machines {name}", "key"), name)
        expect_in(resources[f"{kind}Profile"]["PhysicalResourceId"], one["IamInstanceProfile"]["Arn"], name)
        expect(one["ImageId"], IMAGES["ClientImage" if kind == "Client" else "NodeImage"])
        expect(outputs[f"{name}IP"], one["PublicIpAddress"])
        data = fixture.aws.ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="userData")["UserData"]["Value"]
        text = base64.b64decode(data).decode()
        expect_in(f"#!/usr/bin/flocker-bootstrap --role={kind.lower()}\ncluster: \"machines\"\nstore: \"s3://{bucket}/", text)
        expect_in("\ntimeout: 600s\n", text)
        volume = fixture.aws.ec2.describe_volumes(VolumeIds=[one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
        expect((volume["Encrypted"], volume["Size"], one["BlockDeviceMappings"][0]["DeviceName"]), (True, 30, "/dev/sda1"), name)
    expect(outputs["ClientConfigDockerSwarmHost"], f"export DOCKER_HOST=tcp://{instances['ControlNode']['PublicIpAddress']}:2376")


def test_without_public_addresses_the_outputs_are_private(fixture):
    _, stack, resources = make(fixture, "private", "--agents=1", "--components=docker", PublicAddresses="false")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    for name, one in find_instances(fixture, resources).items():
        expect(outputs[f"{name}IP"], one["PrivateIpAddress"])
    expect_in(outputs["ControlNodeIP"], outputs["ClientConfigDockerSwarmHost"])


def test_launch_templates_ask_for_tokens(fixture):
    _, _, resources = make(fixture, "launch", "--agents=1")
    for name, tokens in (("NodeLaunchTemplate", "required"), ("AgentLaunchTemplate", "optional")):
        version, = fixture.aws.ec2.describe_launch_template_versions(
            LaunchTemplateId=resources[name]["PhysicalResourceId"])["LaunchTemplateVersions"]
        options = version["LaunchTemplateData"]["MetadataOptions"]
        expect((options["HttpTokens"], options["HttpPutResponseHopLimit"]), (tokens, 1), name)


def test_ports_are_open_for_members_and_administrators_alone(fixture):
    _, _, resources = make(fixture, "ports", "--agents=1", "--components=docker,swarm", "--swarm=builtin")
    group, = fixture.aws.ec2.describe_security_groups(GroupIds=[resources["InstanceSecurityGroup"]["PhysicalResourceId"]])["SecurityGroups"]
    found = {}
    for rule in group["IpPermissions"]:
        expect(rule["FromPort"], rule["ToPort"])
        for source in [one["CidrIp"] for one in rule["IpRanges"]] + ["group" if one["GroupId"] == group["GroupId"] else one["GroupId"]
                                                                     for one in rule["UserIdGroupPairs"]]:
            found.setdefault(source, set()).add((rule["IpProtocol"], rule["FromPort"]))
    expect(found, {"203.0.113.0/24": {("tcp", 22), ("tcp", 2376)},
                   "group": {("tcp", 2376), ("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789)}})


def test_roles_and_the_bucket(fixture):
    _, _, resources = make(fixture, "rights", "--agents=1", "--components=docker")
    bucket = resources["ClusterConfig"]["PhysicalResourceId"]
    rule, = fixture.aws.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    expect(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
    role = resources["AgentRole"]["PhysicalResourceId"]
    expect(fixture.aws.iam.list_role_policies(RoleName=role)["PolicyNames"], ["ClusterStore"])
    trust = fixture.aws.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    expect(trust["Principal"], {"Service": "ec2.amazonaws.com"})


if __name__ == "__main__":
    main(globals())
