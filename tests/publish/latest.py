"""flocker-template images latest, against moto, whose Systems Manager holds what Canonical's and Debian's would."""

import json

from front import Front
from servers import Moto
from tap import expect, expect_in, main
from template import run, write

UBUNTU, DEBIAN = "ami-0123456789abcdef0", "ami-0123456789abcdef1"

# moto's server, after its parameters are as AWS has them; PutParameter refuses names that begin with /aws.
SEED = f"""
import sys, time
from moto.ssm import models

load = models.ParameterDict._check_loading_status

def check_loading_status(self, key):
    load(self, key)
    found = {{
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id": "{UBUNTU}",
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id": "{UBUNTU}",
        "/aws/service/debian/release/12/latest/amd64": "{DEBIAN}",
        "/aws/service/debian/release/13/latest/arm64": "no image",
    }}.get(key)
    if found and self.region_name != "eu-north-1" and not dict.get(self, key):
        dict.__setitem__(self, key, [models.Parameter(
            account_id=self.account_id, name=key, value=found, parameter_type="String", description="", allowed_pattern=None,
            keyid=None, last_modified_date=time.time(), version=1, data_type="text")])

models.ParameterDict._check_loading_status = check_loading_status
from moto.server import main
main(sys.argv[1:])
"""


class SeededMoto(Moto):
    def start(self, *words, **options):
        write(self.scratch, "server.py", SEED)
        super().start("/usr/bin/python3", self.inside / "server.py", *words[1:], **options)


setup = SeededMoto


def latest(moto, *words, **variables):
    return run("images", "latest", *words, server=moto, **variables)


def test_of_one_region_with_the_root_device(moto):
    done = latest(moto, "--distribution=ubuntu-24.04", "--provider=aws")
    expect((done.status, done.err), (0, ""))
    expect(json.loads(done.out), {"us-east-1": {"AMI": UBUNTU, "RootDeviceName": "/dev/sda1"}})
    done = latest(moto, "--distribution=debian-12", "--region=eu-west-1")
    expect(json.loads(done.out), {"eu-west-1": {"AMI": DEBIAN, "RootDeviceName": "/dev/xvda"}})
    done = latest(moto, "--distribution=ubuntu-22.04", "--arch=arm64")
    expect(json.loads(done.out)["us-east-1"]["AMI"], UBUNTU, done.err)


def test_the_map_is_one_that_create_takes(moto):
    done = latest(moto, "--region=us-west-2,ap-south-1")
    template = run("create", f"--node-ami-map-body={done.out}")
    expect(template.status, 0, template.err)
    expect(list(json.loads(template.out)["Mappings"]["RegionMapNode"]), ["ap-south-1", "us-west-2"])
    expect(json.loads(template.out)["Mappings"]["RegionMapNode"]["us-west-2"], {"AMI": UBUNTU, "RootDeviceName": "/dev/sda1"})


def test_of_all_regions_of_the_account(moto):
    done = latest(moto, "--all-regions")
    expect(done.status, 0, done.err)
    found = json.loads(done.out)
    expect(("us-east-1" in found, "sa-east-1" in found, len(found) > 10), (True, True, True))
    expect(list(found), sorted(found), "in order")
    expect("eu-north-1" in found, False)
    expect_in("note: left out: cannot find the newest ubuntu-24.04 for amd64 in eu-north-1", done.err)


def test_where_regions_cannot_be_asked_for_a_list_of_ours_stands_in(moto):
    with Front(moto.endpoint) as front:
        front.add("POST", "/", lambda h, b: h.answer(403, [], b"<R><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></R>"))
        done = latest(moto, "--all-regions", AWS_ENDPOINT_URL=front.endpoint)
    expect(done.status, 0, done.err)
    expect_in("note: cannot call ec2:DescribeRegions: 403 UnauthorizedOperation", done.err)
    expect_in("the 17 regions that every account of partition aws has are taken", done.err)
    expect(len(json.loads(done.out)), 16)


def test_what_there_is_not(moto):
    for words, status, sentence in (
            (["--region=eu-north-1"], 66, "cannot find the newest ubuntu-24.04 for amd64 in eu-north-1 (/aws/service/canonical/ubuntu"),
            (["--distribution=debian-13", "--arch=arm64"], 76, "expected an image in /aws/service/debian/release/13/latest/arm64, found 'no image'"),
            (["--distribution=slackware"], 64, "ubuntu-24.04"),
            (["--provider=azure"], 64, "aws"),
            (["--region=us-east-1,us-east-1"], 64, "cannot use the region us-east-1 twice"),
            (["--region=nowhere"], 78, "cannot use the region 'nowhere'"),
            (["--region=us-east-1", "--all-regions"], 64, "cannot use both --region and --all-regions"),
            (["--frob"], 64, "cannot use '--frob'")):
        done = latest(moto, *words)
        expect((done.status, done.out), (status, ""), f"{words}: {done.err}")
        expect_in(sentence, done.err)


def test_without_credentials_or_region(moto):
    done = run("images", "latest", "--region=us-east-1", AWS_ENDPOINT_URL=moto.endpoint)
    expect((done.status, done.out), (66, ""), done.err)
    expect_in("credentials", done.err)
    expect_in("no region is known", run("images", "latest").err)


if __name__ == "__main__":
    main(globals())
