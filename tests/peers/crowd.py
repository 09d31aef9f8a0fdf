"""A template of more agents than `flocker-template create` makes: the rest share one wait condition, as 500 resources is what CloudFormation takes."""

import copy
import json
import os
import re
import subprocess

CREATED_MAX = 100  # create's own bound


def user_data(instance):
    return instance["Properties"]["UserData"]["Fn::Base64"]


def make_template(agents, *words):
    """What create prints for CREATED_MAX agents, with AgentNode101 and so on besides, which signal to one handle."""
    created = min(agents, CREATED_MAX)
    text = subprocess.run([os.environ["TEMPLATE"], "create", f"--agents={created}", *words], capture_output=True, text=True, check=True).stdout
    template = json.loads(text)
    resources = template["Resources"]
    if agents > created:
        for resource in resources.values():
            if resource["Type"] == "AWS::EC2::Instance":
                data = user_data(resource)
                data["Fn::Sub"] = re.sub(rf"^agents: {created}$", f"agents: {agents}", data["Fn::Sub"], flags=re.M)
        add_agents(resources, created, agents)
    return json.dumps(template)


def add_agents(resources, created, agents):
    pattern = next(name for name in resources if re.fullmatch(rf"AgentNode{created}X[0-9a-f]+", name))
    condition = next(name for name in resources if name.startswith(f"AgentNode{created}Condition"))
    more = [f"AgentNode{number}" for number in range(created + 1, agents + 1)]
    for name in more:
        resources[name] = agent = copy.deepcopy(resources[pattern])
        data = user_data(agent)
        data["Fn::Sub"] = re.sub(rf"^node: {created}$", f"node: {name[len('AgentNode'):]}", data["Fn::Sub"], flags=re.M)
        data["Fn::Sub"] = re.sub(r"^signal: .*$", 'signal: "${MoreAgentsHandle}"', data["Fn::Sub"], flags=re.M)
        agent["Properties"]["Tags"] = [{"Key": "Name", "Value": {"Fn::Sub": "${AWS::StackName} " + name}}]
    resources["MoreAgentsHandle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    resources["MoreAgentsCondition"] = {
        "Type": "AWS::CloudFormation::WaitCondition", "DependsOn": more,
        "Properties": {**resources[condition]["Properties"], "Handle": {"Ref": "MoreAgentsHandle"}, "Count": len(more)}}
