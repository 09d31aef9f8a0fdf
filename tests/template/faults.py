"""Small templates, for each rule at least one with its fault and one that is right: (place, sentence, faulty, right).

The finding stands where `place` stands first in the faulty text, and `sentence` is a part of what it says. A right template has no
finding of that rule, and no error."""

import json


def template(text):
    """Resources alone are written without their heading."""
    return "Resources:\n" + text if text.startswith("  ") else text


def instance(*lines, name="Node"):
    head = [f"  {name}:", "    Type: AWS::EC2::Instance", "    Properties:", "      ImageId: ami-0123456789abcdef0"]
    return "\n".join([*head, *("      " + line for line in lines)]) + "\n"


def bucket(*lines, name="Store", above=()):
    head = [f"  {name}:", "    Type: AWS::S3::Bucket", *("    " + line for line in above)]
    return "\n".join([*head, *(["    Properties:"] if lines else []), *("      " + line for line in lines)]) + "\n"


def group(*lines, name="Group"):
    return "\n".join([f"  {name}:", "    Type: AWS::EC2::SecurityGroup", "    Properties:", "      GroupDescription: x",
                      *("      " + line for line in lines)]) + "\n"


TRUST = "{Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: !Sub 'ec2.${AWS::URLSuffix}'}, Action: sts:AssumeRole}]}"


def role(statement, trust=TRUST, version="Version: '2012-10-17', ", more=""):
    return f"""  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {trust}
      Policies:
        - PolicyName: p
          PolicyDocument: {{{version}Statement: [{statement}]}}
{more}"""


def allow(action, resource="!GetAtt Store.Arn", more=""):
    return f"{{Effect: Allow, Action: {action}, Resource: {resource}{more}}}"


def wait(lines="", timeout="600", depends="Node", handle="Handle", name="Wait"):
    return f"""  {name}:
    Type: AWS::CloudFormation::WaitCondition
{f"    DependsOn: {depends}" if depends else "    DependsOn: []"}
    Properties: {{Handle: !Ref {handle}, Timeout: {timeout}{lines}}}
"""


HANDLE = "  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}\n"
SIGNALLER = instance("UserData: {Fn::Base64: !Sub '#! ${Handle}'}")
OURS = "#!/usr/bin/flocker-bootstrap --role=agent"


def ours(*lines):
    return "UserData: {Fn::Base64: !Sub \"" + "\\n".join([OURS, *lines]) + "\"}"


RULE = "{Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !GetAtt Group.GroupId, IpProtocol: tcp, FromPort: %s, ToPort: %s, %s}}"
MEMBER = "SourceSecurityGroupId: !GetAtt Group.GroupId"
IN_GROUP = "NetworkInterfaces: [{DeviceIndex: '0', GroupSet: [!GetAtt Group.GroupId]}]"
KEYED = "BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: 'aws:kms', KMSMasterKeyID: alias/mine}}]}"


def secret(extra=""):
    return f"Parameters:\n  Password: {{Type: String{extra}}}\n"


def many(count):
    return json.dumps({"Resources": {f"B{i}": {"Type": "AWS::S3::Bucket"} for i in range(count)}}, indent=1)


def of_size(size):
    text = json.dumps({"Resources": {"B": {"Type": "AWS::S3::Bucket"}}, "Metadata": {"m": "%s"}})
    return text.replace("%s", "x" * (size - len(text) + 2))


def parameter(text, use="P"):
    return f"Parameters:\n  P: {text}\nResources:\n" + bucket(f"BucketName: !Sub '${{AWS::StackName}}-${{{use}}}'")


def mapped(keys):
    return "Mappings:\n  M: {us-east-1: {AMI: ami-0123456789abcdef0}}\nResources:\n" + bucket(f"BucketName: !FindInMap {keys}")


def conditional(value):
    return ("Parameters:\n  P: {Type: String}\nConditions:\n  C: !Equals [!Ref P, x]\nResources:\n" + bucket(above=["Condition: C"]) +
            bucket(f"Tags: [{{Key: k, Value: {value}}}]", name="Other"))


def lines_of(count):
    return "Fn::Base64: \"#!" + "x" * count + "\""


def grown(length):
    return (f"Parameters:\n  P: {{Type: String, MaxLength: {length}}}\nResources:\n" +
            instance("UserData: {Fn::Base64: !Sub '#!" + "x" * 16000 + "${P}'}"))


def output(attribute, *lines):
    return "Resources:\n" + instance(*lines) + f"Outputs:\n  Address: {{Value: {attribute}}}\n"


def launch(options, *lines, tags=""):
    return f"""  Launch:
    Type: AWS::EC2::LaunchTemplate
    Properties: {{LaunchTemplateData: {{MetadataOptions: {options}}}}}
""" + (instance("LaunchTemplate: {LaunchTemplateId: !Ref Launch, Version: '1'}", *lines))


def policy(statement, above=""):
    return bucket(above=["DeletionPolicy: Retain", "UpdateReplacePolicy: Retain"]) + f"""  Policy:
    Type: AWS::S3::BucketPolicy
{above}    Properties:
      Bucket: !Ref Store
      PolicyDocument: {{Version: '2012-10-17', Statement: [{statement}]}}
"""


DENY = "{Effect: Deny, Principal: '*', Action: 's3:*', Resource: !Sub '${Store.Arn}/*', Condition: {Bool: {aws:SecureTransport: 'false'}}}"
ROOT = "BlockDeviceMappings: [{DeviceName: /dev/sda1, Ebs: {Encrypted: true}}]"

FAULTS = {
    "syntax": [("\tB:", "a tab cannot be indentation", "Resources:\n\tB: x\n", bucket()),
               ("Store: {}", "the key 'Store' stands here again", "Resources:\n  Store: {Type: AWS::S3::Bucket}\n  Store: {}\n", bucket())],
    "template-size": [("{\"Resources", "it has 1048577 bytes; CloudFormation takes 1048576", of_size(1048577), of_size(1048576))],
    "too-many": [("{\n  \"B0\"", "expected at most 500, found 501", many(501), many(500))],
    "shape": [("- P", "Parameters: expected an object", "Parameters:\n  - P\nResources: {B: {Type: AWS::S3::Bucket}}\n", bucket()),
              ("\"Resorces", "unknown key 'Resorces' (did you mean 'Resources'?)", "{\"Resorces\": {}}", bucket()),
              ("{Properties:", "the key 'Type' is missing", "  B: {Properties: {}}\n", bucket()),
              ("DependOn:", "unknown key 'DependOn' (did you mean 'DependsOn'?)", "  B: {Type: AWS::S3::Bucket, DependOn: A}\n  A: {Type: AWS::S3::Bucket}\n",
               "  B: {Type: AWS::S3::Bucket, DependsOn: A}\n  A: {Type: AWS::S3::Bucket}\n")],
    "name": [("my-bucket:", "'my-bucket': expected a name of letters and digits", "  my-bucket: {Type: AWS::S3::Bucket}\n", bucket()),
             ("BBBBBB", "expected a name of 1 to 255", f"  {'B' * 256}: {{Type: AWS::S3::Bucket}}\n", f"  {'B' * 255}: {{Type: AWS::S3::Bucket}}\n"),
             ("P: {Type: AWS::S3::Bucket", "'P' is the name of a parameter already", "Parameters:\n  P: {Type: String}\nResources:\n  P: {Type: AWS::S3::Bucket}\n", bucket())],
    "function": [("!Reff", "unknown function '!Reff' (did you mean '!Ref'?)", bucket("BucketName: !Reff 'AWS::StackName'"), bucket("BucketName: !Ref AWS::StackName")),
                 ("!Join", "Fn::Join: expected [delimiter, list]", bucket("BucketName: !Join ['-']"), bucket("BucketName: !Join ['-', [a, b]]")),
                 ("!Sub", "Fn::Sub: expected ${Name}", bucket("BucketName: !Sub 'a-${x y}'"), bucket("BucketName: !Sub 'a-${AWS::StackName}'"))],
    "unknown-reference": [("!Ref", "'Stroe' is no parameter and no resource of the template (did you mean 'Store'?)",
                           bucket("BucketName: !Ref Stroe"), bucket("BucketName: !Ref AWS::StackName")),
                          ("Q]}", "'Q' is no resource", "  B: {Type: AWS::S3::Bucket, DependsOn: [A, Q]}\n  A: {Type: AWS::S3::Bucket}\n", bucket())],
    "policy-variable": [("!Sub '$", "is written ${!aws:userid}", role(allow("s3:GetObject", "!Sub '${Store.Arn}/${aws:userid}/*'")) + bucket(),
                         role(allow("s3:GetObject", "!Sub '${Store.Arn}/${!aws:userid}/*'")) + bucket())],
    "unknown-attribute": [("!GetAtt", "has no attribute 'Arm' (did you mean 'Arn'?)", bucket() + bucket("Tags: [{Key: k, Value: !GetAtt Store.Arm}]", name="B"),
                           bucket() + bucket("Tags: [{Key: k, Value: !GetAtt Store.Arn}]", name="B"))],
    "cycle": [("A: ", "resources need each other: A -> B -> A", "  A: {Type: AWS::S3::Bucket, DependsOn: B}\n  B: {Type: AWS::S3::Bucket, DependsOn: A}\n",
               "  A: {Type: AWS::S3::Bucket, DependsOn: B}\n  B: {Type: AWS::S3::Bucket}\n"),
              ("C: ", "C -> D -> C", "".join(f"  {a}: {{Type: AWS::S3::Bucket, DependsOn: {b}}}\n" for a, b in ("AB", "BC", "EE", "XX", "CD", "DC")).replace("DependsOn: E", "DependsOn: A").replace("DependsOn: X", "DependsOn: A"),
               bucket())],
    "unknown-property": [("BucketNmae:", "has no property 'BucketNmae' here (did you mean 'BucketName'?)", bucket("BucketNmae: !Ref AWS::StackName"),
                          bucket("BucketName: !Ref AWS::StackName"))],
    "missing-property": [("{VpcId:", "needs the property 'GroupDescription'", "  G:\n    Type: AWS::EC2::SecurityGroup\n    Properties: {VpcId: vpc-0123456789abcdef0}\n", group("VpcId: vpc-0123456789abcdef0"))],
    "property-kind": [("'sure", "EbsOptimized: expected true or false", instance("EbsOptimized: 'sure'"), instance("EbsOptimized: true"))],
    "transform": [("AWS::Serverless-2016-10-31", "macros change this template", "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function}}\n", bucket())],
    "format-version": [("'2011-01-01", "expected 2010-09-09", "AWSTemplateFormatVersion: '2011-01-01'\nResources: {B: {Type: AWS::S3::Bucket}}\n",
                        "AWSTemplateFormatVersion: 2010-09-09\nResources: {B: {Type: AWS::S3::Bucket}}\n")],
    "resource-type": [("B: ", "'AWS:S3:Bucket' is no type of a resource", "  B: {Type: 'AWS:S3:Bucket'}\n", "  B: {Type: Custom::Thing}\n")],
    "other-type": [("B: ", "the properties of AWS::S3::Buckett are not looked at (did you mean 'AWS::S3::Bucket'?)", "  B: {Type: AWS::S3::Buckett}\n", bucket())],
    "language-extension": [("Fn::Length", "needs 'Transform: AWS::LanguageExtensions'", bucket("BucketName: {Fn::Length: [a]}"),
                            "Transform: AWS::LanguageExtensions\nResources:\n  S: {Type: AWS::SecretsManager::Secret, Properties: {SecretString: {Fn::ToJsonString: {a: !Ref AWS::Region}}}}\n"),
                           ("!ToJsonString", "needs", bucket("BucketName: !ToJsonString [a]"), bucket())],
    "group-of-itself": [("Group:", "make them resources of their own", group(f"SecurityGroupIngress: [{{IpProtocol: tcp, FromPort: 22, ToPort: 22, {MEMBER}}}]"),
                         group() + f"  Rule: {RULE % (22, 22, MEMBER)}\n")],
    "short-tags": [("!Sub", "'Fn::Base64: !Sub |'", instance("UserData: !Base64 !Sub '#!'"), instance("UserData: {Fn::Base64: !Sub '#! ${AWS::Region}'}"))],

    "through-s3": [("{\"Resources", "must go to CloudFormation through S3", of_size(51201), of_size(51200))],
    "description-size": [("xxxxxx", "template: its description has 1025 bytes", f"Description: {'x' * 1025}\nResources: {{B: {{Type: AWS::S3::Bucket}}}}\n",
                          f"Description: {'x' * 1024}\nResources: {{B: {{Type: AWS::S3::Bucket}}}}\n"),
                         ("P: ", "takes 4000", parameter(f"{{Type: String, Description: {'x' * 4001}}}"), parameter(f"{{Type: String, Description: {'x' * 4000}}}"))],
    "mapping-size": [("M: ", "M: it has 201 keys", mapped("[M, a0, AMI]").replace("us-east-1: {AMI: ami-0123456789abcdef0}", ", ".join(f"a{i}: {{AMI: x}}" for i in range(201))),
                      mapped("[M, a0, AMI]").replace("us-east-1: {AMI: ami-0123456789abcdef0}", ", ".join(f"a{i}: {{AMI: x}}" for i in range(200))))],
    "parameter-size": [("P: ", "its default has 4097 bytes", parameter(f"{{Type: String, Default: {'x' * 4097}}}"), parameter(f"{{Type: String, Default: {'x' * 4096}}}"))],
    "user-data-size": [("\"#!x", "its user-data has 16385 bytes", instance("UserData: {" + lines_of(16383) + "}"), instance("UserData: {" + lines_of(16382) + "}"))],
    "user-data-may-grow": [("!Sub", "can have 16385 bytes with the longest values", grown(383), grown(382))],
    "role-policies-size": [("Role:", "about ", role(allow("s3:GetObject", "!Sub '${Store.Arn}/" + "x" * 10300 + "'")) + bucket(), role(allow("s3:GetObject")) + bucket())],

    "parameter-type": [("P: ", "'Sting' is no type of a parameter", parameter("{Type: Sting}"), parameter("{Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>}"))],
    "parameter-default": [("P: ", "refuses its own default: expected one of a, b", parameter("{Type: String, AllowedValues: [a, b], Default: c}"),
                           parameter("{Type: String, AllowedValues: [a, b], Default: b}"))],
    "mapping-key": [("us-west-1", "has no key 'us-west-1'", mapped("[M, us-west-1, AMI]"), mapped("[M, us-east-1, AMI]")),
                    ("AIM", "has no second key 'AIM'", mapped("[M, !Ref 'AWS::Region', AIM]"), mapped("[M, !Ref 'AWS::Region', AMI]"))],
    "interface": [("Pe]", "a parameter 'Pe' that the template does not have (did you mean 'P'?)",
                   parameter("{Type: String}") + "Metadata: {AWS::CloudFormation::Interface: {ParameterGroups: [{Label: {default: x}, Parameters: [P, Pe]}]}}\n",
                   parameter("{Type: String}") + "Metadata: {AWS::CloudFormation::Interface: {ParameterGroups: [{Label: {default: x}, Parameters: [P]}]}}\n"),
                  ("Q: {default", "a parameter 'Q'", parameter("{Type: String}") + "Metadata: {AWS::CloudFormation::Interface: {ParameterLabels: {Q: {default: x}}}}\n",
                   parameter("{Type: String}") + "Metadata: {AWS::CloudFormation::Interface: {ParameterLabels: {P: {default: x}}}}\n")],
    "reference-may-fail": [("!Ref Store", "refers to 'Store', which exists only if 'C' holds", conditional("!Ref Store"), conditional("!If [C, !Ref Store, x]"))],
    "sub-missing": [("'in", "'${AWS::Region}' stands here as it is", bucket("Tags: [{Key: k, Value: 'in ${AWS::Region}'}]"),
                     bucket("Tags: [{Key: k, Value: !Sub 'in ${AWS::Region}'}]"))],
    "unused": [("P: ", "parameter P: nothing refers to it", "Parameters:\n  P: {Type: String}\nResources: {B: {Type: AWS::S3::Bucket}}\n", parameter("{Type: String}")),
               ("C: ", "condition C: nothing", "Conditions:\n  C: !Equals [a, !Ref AWS::Region]\nResources: {B: {Type: AWS::S3::Bucket}}\n",
                "Conditions:\n  C: !Equals [a, !Ref AWS::Region]\nResources: {B: {Type: AWS::S3::Bucket, Condition: C}}\n"),
               ("M: ", "mapping M: nothing", "Mappings:\n  M: {a: {b: c}}\nResources: {B: {Type: AWS::S3::Bucket}}\n", mapped("[M, us-east-1, AMI]"))],

    "property-value": [("requird", "HttpTokens: expected one of optional, required, found 'requird'", instance("MetadataOptions: {HttpTokens: requird}"),
                        instance("MetadataOptions: {HttpTokens: required}"))],
    "property-range": [("65}", "HttpPutResponseHopLimit: expected 1 to 64, found 65", launch("{HttpPutResponseHopLimit: 65}"), launch("{HttpPutResponseHopLimit: 64}"))],

    "property-id": [("ami-1", "ImageId: expected an id like ami-0123456789abcdef0, found 'ami-1'", instance().replace("ami-0123456789abcdef0", "ami-1"), instance()),
                    ("my-subnet", "SubnetId: expected an id like subnet-", instance("SubnetId: my-subnet"), instance("SubnetId: subnet-01234567"))],

    "wait-time": [("43201", "expected 1 to 43200 seconds, found '43201'", wait(timeout=43201) + HANDLE + SIGNALLER, wait(timeout=43200) + HANDLE + SIGNALLER)],
    "wait-for-nothing": [("Wait:", "it needs Handle and Timeout, or a CreationPolicy", "  Wait: {Type: AWS::CloudFormation::WaitCondition}\n", wait() + HANDLE + SIGNALLER),
                         ("Wait:", "waits for nothing", "  Wait: {Type: AWS::CloudFormation::WaitCondition}\n",
                          "  Wait: {Type: AWS::CloudFormation::WaitCondition, CreationPolicy: {ResourceSignal: {Count: 1, Timeout: PT5M}}}\n")],
    "wait-before-instance": [("Wait:", "add DependsOn: Node", wait(depends=None) + HANDLE + SIGNALLER, wait() + HANDLE + SIGNALLER)],
    "shared-handle": [("Handle: {Type:", "is the handle of two wait conditions", wait() + wait(name="Again") + HANDLE + SIGNALLER, wait() + HANDLE + SIGNALLER),
                      ("Wait:", "waits for 1 signal, and 2 instances signal", wait(depends="[Node, Two]") + HANDLE + SIGNALLER + SIGNALLER.replace("Node", "Two"),
                       wait(", Count: 2", depends="[Node, Two]") + HANDLE + SIGNALLER + SIGNALLER.replace("Node", "Two"))],
    "unhashed-handle": [("Node:", "end the ids of instance, handle and condition with X and 8 hexadecimal digits", wait() + HANDLE + SIGNALLER,
                         (wait(name="WaitX0123abcd") + HANDLE + SIGNALLER).replace("Node", "NodeX0123abcd").replace("Handle:", "HandleX0123abcd:")
                         .replace("!Ref Handle", "!Ref HandleX0123abcd").replace("${Handle}", "${HandleX0123abcd}").replace("{HandleX0123abcd:", "{Handle:")),
                        ("NodeX0123abce:", "end with different hashes", (wait(name="WaitX0123abcd") + HANDLE + SIGNALLER).replace("Node", "NodeX0123abce"), bucket())],
    "user-data-encoding": [("!Sub", "write Fn::Base64 around it", instance("UserData: !Sub '#! ${AWS::Region}'"), instance("UserData: {Fn::Base64: !Sub '#! ${AWS::Region}'}")),
                           ("'#!/bin/bash", "write Fn::Base64 around it", instance("UserData: '#!/bin/bash'"), instance("UserData: 'IyEvYmluL3NoCg=='"))],
    "user-data-start": [("\"\\n", "user-data must begin with '#!'", instance("UserData: {Fn::Base64: \"\\n#!/bin/bash\"}"), instance("UserData: {Fn::Base64: \"#!/bin/bash\"}")),
                        ("\" #cloud-config", "'#cloud-config'", instance("UserData: {Fn::Base64: \" #cloud-config\"}"), instance("UserData: {Fn::Base64: \"#cloud-config\"}"))],
    "user-data-document": [("!Sub", "line 3, column 1 of it", instance(ours("node: [1", "")), instance(ours("node: 1", "")))],
    "network-twice": [("subnet-0123456789abcdef0", "SubnetId stands beside NetworkInterfaces", instance("SubnetId: subnet-0123456789abcdef0", "NetworkInterfaces: [{DeviceIndex: '0'}]"),
                       instance("NetworkInterfaces: [{DeviceIndex: '0', SubnetId: subnet-0123456789abcdef0}]"))],
    "zone-of-instance": [("!GetAtt", "takes its zone from another instance", instance() + instance("AvailabilityZone: !GetAtt Node.AvailabilityZone", name="B"),
                          instance() + "  V: {Type: AWS::EC2::Volume, Properties: {AvailabilityZone: !GetAtt Node.AvailabilityZone, Size: 1, Encrypted: true}}\n")],
    "public-address": [("!GetAtt", "'Node' may have no public address", output("!GetAtt Node.PublicIp", "SubnetId: subnet-0123456789abcdef0"), output("!GetAtt Node.PublicIp")),
                       ("!GetAtt", "may have no public address", output("!GetAtt Node.PublicIp", "NetworkInterfaces: [{DeviceIndex: '0', AssociatePublicIpAddress: false}]"),
                        output("!GetAtt Node.PublicIp", "NetworkInterfaces: [{DeviceIndex: '0', AssociatePublicIpAddress: true}]"))],

    "metadata-without-token": [("Node:", "set HttpTokens: required", instance(), launch("{HttpTokens: required}")),
                               ("Node:", "of its launch template", launch("{HttpTokens: optional}"), launch("{HttpTokens: optional}", ours("components: [docker, flocker]", "")))],
    "launch-without-token": [("L: ", "answer metadata requests without a token", "  L: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: ami-0123456789abcdef0}}}\n",
                              launch("{HttpTokens: required}"))],
    "metadata-of-instance": [("{HttpTokens:", "set them in a launch template", instance("MetadataOptions: {HttpTokens: required}"), launch("{HttpTokens: required}"))],
    "metadata-tag-key": [("my/key", "the key 'my/key' makes the launch fail", launch("{HttpTokens: required, InstanceMetadataTags: enabled}", "Tags: [{Key: my/key, Value: v}]"),
                          launch("{HttpTokens: required, InstanceMetadataTags: enabled}", "Tags: [{Key: my-key, Value: v}]"))],

    "open-to-the-world": [("0.0.0.0/0", "port 22 is open to the whole internet", group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}]"),
                           "Parameters: {Cidr: {Type: String, Default: 0.0.0.0/0}}\nResources:\n" + group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: !Ref Cidr}]")),
                          ("'::/0", "port 22", group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIpv6: '::/0'}]"), group())],
    "open-web-port": [("0.0.0.0/0", "a web server for the whole internet", group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}]"), group())],
    "ports": [("23,", "FromPort 23 is behind ToPort 22", group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 23, ToPort: 22, CidrIp: 10.0.0.0/8}]"),
               group("SecurityGroupIngress: [{IpProtocol: icmp, FromPort: 8, ToPort: -1, CidrIp: 10.0.0.0/8}]")),
              ("tpc", "expected tcp, udp, icmp", group("SecurityGroupIngress: [{IpProtocol: tpc, FromPort: 22, ToPort: 22, CidrIp: 10.0.0.0/8}]"), group()),
              ("70000", "expected a port up to 65535", group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 70000, ToPort: 70000, CidrIp: 10.0.0.0/8}]"), group())],
    "addresses": [("10.0.0/8", "expected addresses like 10.0.0.0/8, found '10.0.0/8'", group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 10.0.0/8}]"),
                   group("SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 10.0.0.0/8}]"))],
    "group-reference": [("!Ref Group", "write Fn::GetAtt Group.GroupId", group() + f"  Rule: {RULE % (22, 22, MEMBER.replace('GetAtt Group.GroupId', 'Ref Group'))}\n",
                         group("VpcId: vpc-0123456789abcdef0") + instance("SecurityGroupIds: [!Ref Group]")),
                        ("!Ref Group", "use SecurityGroupIds", group("VpcId: vpc-0123456789abcdef0") + instance("SecurityGroups: [!Ref Group]"),
                         group() + instance("SecurityGroups: [!Ref Group]"))],
    "instance-before-rule": [("Node:", "add DependsOn: Rule", group() + f"  Rule: {RULE % (22, 22, MEMBER)}\n" + instance(IN_GROUP),
                              group() + f"  Rule: {RULE % (22, 22, MEMBER)}\n" + instance(IN_GROUP).replace("    Properties", "    DependsOn: Rule\n    Properties"))],
    "member-port": [("Node:", "opens tcp 2377 among members", group() + f"  Rule: {RULE % (2376, 2376, MEMBER)}\n" + instance(IN_GROUP, ours("swarm: builtin", "")),
                     group() + f"  Rule: {RULE % (0, 65535, MEMBER)}\n".replace("tcp", "'-1'") + instance(IN_GROUP, ours("swarm: builtin", ""))),
                    ("Node:", "opens tcp 2376 among members", group() + f"  Rule: {RULE % (2376, 2376, 'CidrIp: !Ref Cidr')}\n" + instance(IN_GROUP, ours("components: [docker]", "")) +
                     "Parameters: {Cidr: {Type: String}}\n", bucket())],

    "policy-grammar": [("Actoin:", "has no 'Actoin'", role("{Effect: Allow, Actoin: s3:GetObject, Resource: !GetAtt Store.Arn}") + bucket(), role(allow("s3:GetObject")) + bucket()),
                       ("{Effect: Allow, Action:", "a statement without Resource", role("{Effect: Allow, Action: s3:GetObject}") + bucket(), role(allow("s3:GetObject")) + bucket()),
                       ("allow", "expected Allow or Deny", role("{Effect: allow, Action: s3:GetObject, Resource: !GetAtt Store.Arn}") + bucket(), role(allow("s3:GetObject")) + bucket()),
                       ("Principal: '", "whose policy it is, is who it is for", role("{Effect: Allow, Principal: '*', Action: s3:GetObject, Resource: !GetAtt Store.Arn}") + bucket(), role(allow("s3:GetObject")) + bucket())],
    "policy-version": [("{Statement:", "set Version: '2012-10-17'", role(allow("s3:GetObject"), version="") + bucket(), role(allow("s3:GetObject")) + bucket())],
    "action-shape": [("GetObject", "'GetObject' is no action", role(allow("GetObject")) + bucket(), role(allow("quantum:Leap")) + bucket())],
    "unknown-action": [("s3:GetObjct", "(did you mean 's3:GetObject'?)", role(allow("s3:GetObjct")) + bucket(), role(allow("[s3:getobject, 's3:Get*', kms:Decrypt]")) + bucket()),
                       ("secretsmanager:ReadSecret", "secretsmanager has no action", role(allow("secretsmanager:ReadSecret")) + bucket(), role(allow("secretsmanager:GetSecretValue")) + bucket())],
    "all-actions": [("'s3:", "'s3:*' allows everything of a service", role(allow("'s3:*'")) + bucket(), role(allow("'s3:Get*'")) + bucket())],
    "all-resources": [("'*'", "name the resources", role(allow("s3:GetObject", "'*'")) + bucket(), role(allow("ec2:DescribeVolumes", "'*'")) + bucket())],
    "all-but": [("s3:PutObject", "Allow with NotAction gives everything else", role("{Effect: Allow, NotAction: s3:PutObject, Resource: !GetAtt Store.Arn}") + bucket(),
                 role("{Effect: Deny, NotAction: s3:PutObject, Resource: !GetAtt Store.Arn}") + bucket())],
    "for-everyone": [("'*'", "everyone, of every account", policy("{Effect: Allow, Principal: '*', Action: s3:GetObject, Resource: !Sub '${Store.Arn}/*'}"), policy(DENY)),
                     ("'*'", "everyone, of every account", role(allow("s3:GetObject"), TRUST.replace("Service: !Sub 'ec2.${AWS::URLSuffix}'", "AWS: '*'")) + bucket(), role(allow("s3:GetObject")) + bucket())],
    "one-ec2": [("ec2.amazonaws.com", "write ec2.${AWS::URLSuffix}", role(allow("s3:GetObject"), TRUST.replace("!Sub 'ec2.${AWS::URLSuffix}'", "ec2.amazonaws.com")) + bucket(), role(allow("s3:GetObject")) + bucket())],
    "fixed-name": [("mine", "with the fixed name 'mine'", bucket("BucketName: mine"), bucket("BucketName: !Sub '${AWS::StackName}-mine'")),
                   ("keys", "with the fixed name 'keys'", "  S: {Type: AWS::SecretsManager::Secret, Properties: {Name: keys}}\n", "  S: {Type: AWS::SecretsManager::Secret}\n")],
    "administrator": [("!Sub 'arn", "AdministratorAccess gives the role the whole account",
                       role(allow("s3:GetObject"), more="      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess']\n") + bucket(),
                       role(allow("s3:GetObject"), more="      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore']\n") + bucket())],
    "key-rights": [("Role:", "lacks kms:GenerateDataKey", role(allow("[s3:PutObject, kms:Decrypt]")) + bucket(KEYED), role(allow("[s3:PutObject, kms:Decrypt, kms:GenerateDataKey]")) + bucket(KEYED)),
                   ("Role:", "lacks kms:Decrypt", role(allow("s3:GetObject")) + bucket(KEYED), role(allow("s3:GetObject")) + bucket())],

    "root-device": [("/dev/xvda1", "'/dev/xvda1' is the root device of no usual image", instance(ROOT.replace("sda1", "xvda1")), instance(ROOT)),
                    ("!Ref", "'/dev/sda' is", "Parameters: {D: {Type: String, Default: /dev/sda}}\nResources:\n" + instance(ROOT.replace("/dev/sda1", "!Ref D")), instance(ROOT))],
    "unencrypted-volume": [("{Encrypted:", "set Encrypted: true", instance(ROOT.replace("true", "false")), instance(ROOT)),
                           ("V: ", "V is not encrypted", "  V: {Type: AWS::EC2::Volume, Properties: {AvailabilityZone: !Ref Z, Size: 1}}\nParameters: {Z: {Type: String}}\n",
                            "  V: {Type: AWS::EC2::Volume, Properties: {AvailabilityZone: !Ref Z, Size: 1, Encrypted: true}}\nParameters: {Z: {Type: String}}\n")],
    "root-volume": [("Node:", "only if the account does so by default", instance(), instance(ROOT))],
    "public-bucket": [("PublicRead", "PublicRead lets everyone read", bucket("AccessControl: PublicRead", "OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}"), bucket("AccessControl: Private"))],
    "bucket-acl": [("LogDeliveryWrite", "a new bucket takes no ACL", bucket("AccessControl: LogDeliveryWrite"), bucket("AccessControl: LogDeliveryWrite", "OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}"))],
    "kept-bucket-policy": [("Policy:\n    Type", "set DeletionPolicy: Retain here, too", policy(DENY), policy(DENY, "    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n"))],
    "kept-half": [("Store:", "set UpdateReplacePolicy: Retain, too", bucket(above=["DeletionPolicy: Retain"]), bucket(above=["DeletionPolicy: Retain", "UpdateReplacePolicy: Delete"]))],
    "instance-before-policy": [("Node:", "add DependsOn: Policy", policy(DENY) + instance("UserData: {Fn::Base64: !Sub '#! ${Store}'}"),
                                policy(DENY) + instance("UserData: {Fn::Base64: !Sub '#! ${Store}'}").replace("    Properties", "    DependsOn: Policy\n    Properties"))],

    "secret-shown": [("Password:", "set NoEcho: true", secret() + "Resources:\n" + bucket("BucketName: !Ref Password"), secret(", NoEcho: true") + "Resources:\n" + bucket("BucketName: !Ref Password"))],
    "secret-default": [("Password:", "has a default", secret(", NoEcho: true, Default: geheim") + "Resources:\n" + bucket("BucketName: !Ref Password"),
                        secret(", NoEcho: true, Default: ''") + "Resources:\n" + bucket("BucketName: !Ref Password"))],
    "secret-in-user-data": [("!Sub", "the secret 'Password' stands in user-data", secret(", NoEcho: true") + "Resources:\n" + instance("UserData: {Fn::Base64: !Sub '#! ${Password}'}"),
                             secret(", NoEcho: true") + "Resources:\n  S: {Type: AWS::SecretsManager::Secret, Properties: {SecretString: !Ref Password}}\n")],
    "secret-in-output": [("!Ref", "stands in an output", secret(", NoEcho: true") + "Resources:\n" + bucket() + "Outputs:\n  O: {Value: !Ref Password}\n",
                          secret(", NoEcho: true") + "Resources:\n" + bucket("BucketName: !Ref Password"))],
    "secret-written-out": [("AKIAIOSFODNN7EXAMPLE", "an access key stands here", bucket("Tags: [{Key: k, Value: AKIAIOSFODNN7EXAMPLE}]"), bucket("Tags: [{Key: k, Value: AKIA-x}]")),
                           ("geheim", "a secret stands in the template", "  S: {Type: AWS::SecretsManager::Secret, Properties: {SecretString: geheim}}\n",
                            "  S: {Type: AWS::SecretsManager::Secret, Properties: {GenerateSecretString: {}}}\n"),
                           ("'#!", "a private key stands here", instance("UserData: {Fn::Base64: '#! -----BEGIN PRIVATE KEY-----'}"), instance("UserData: {Fn::Base64: '#! -----BEGIN PUBLIC KEY-----'}"))],

    "one-partition": [("'arn:aws:s3:::x/y", "'arn:aws:' is one partition's", role(allow("s3:GetObject", "'arn:aws:s3:::x/y'")), role(allow("s3:GetObject", "!Sub 'arn:${AWS::Partition}:s3:::x/y'")))],
    "one-account": [("'123456789012", "123456789012 is one account", role(allow("s3:GetObject"), TRUST.replace("Service: !Sub 'ec2.${AWS::URLSuffix}'", "AWS: '123456789012'")) + bucket(),
                     role(allow("s3:GetObject"), TRUST.replace("Service: !Sub 'ec2.${AWS::URLSuffix}'", "AWS: !Ref AWS::AccountId")) + bucket())],
    "one-region": [("us-east-1a", "us-east-1 is one region", instance("AvailabilityZone: us-east-1a"), instance("AvailabilityZone: !Select [0, !GetAZs '']")),
                   ("'https://s3.eu-west-3.amazonaws.com", "eu-west-3 is one region", bucket("Tags: [{Key: k, Value: 'https://s3.eu-west-3.amazonaws.com'}]"), bucket("Tags: [{Key: k, Value: x}]"))],
}
