"""flocker-template images all, stage by stage; and the stamp that a template of it asks of machines."""

import json
import pathlib
import shutil

from chain import Serve
from cloud import client
from images import SHA256, Setting
from tap import expect, expect_in, main
from template import run

STAGES = ["base.json", "docker.json", "flocker.json", "published.json", "template.json"]


class All(Setting):
    def __enter__(self):
        super().__enter__()
        self.results = self.folder / "flocker-images"
        return self

    def all(self, *words, address="s3://bucket/flocker.json", **more):
        flocker = {"FLOCKER_VERSION": "1.15.0", "FLOCKER_SOURCE": self.package, "FLOCKER_SHA256": SHA256}
        (self.folder / "log").unlink(missing_ok=True)
        return run("images", "all", f"--package={self.package}", f"--packer={self.packer}", *words, address, server=self.moto,
                   folder=self.folder, **self.variables(**flocker | more))

    def stages(self):
        return sorted(path.name for path in self.results.glob("*.json") if path.name != "inputs.json")

    def clear(self):
        shutil.rmtree(self.results, ignore_errors=True)


setup = All


def test_from_base_to_published_going_on_where_it_stopped(setting):
    done = setting.all(HOW="late")
    expect((done.status, done.out), (69, ""), done.err)
    expect(setting.stages(), ["base.json"])
    done = setting.all()
    expect(done.status, 0, done.err)
    expect_in("base: is there: flocker-images/base.json", done.err)
    expect(setting.stages(), STAGES)
    template = json.loads((setting.results / "template.json").read_text())
    expect(template["Mappings"]["RegionMapNode"]["us-west-1"], {"AMI": setting.image, "RootDeviceName": "/dev/sda1"})
    expect_in('image-version: \\"0.1.0\\"', json.dumps(template["Resources"]))
    told = json.loads(done.out)
    key = told["url"].rpartition("/")[2]
    expect(client(setting.moto).get_object(Bucket="bucket", Key=key)["Body"].read().decode(), (setting.results / "template.json").read_text())
    again = setting.all()
    expect((again.status, again.out), (0, done.out))
    expect((setting.folder / "log").exists(), False, "Packer was started")
    for name in STAGES:
        expect_in(f"{name.removesuffix('.json')}: is there", again.err)


def test_each_lost_result_is_made_anew(setting):
    setting.all()
    (setting.results / "flocker.json").unlink()
    (setting.results / "published.json").unlink()
    done = setting.all()
    expect(done.status, 0, done.err)
    expect_in("STEP='flocker'", (setting.results / "flocker/provisioning/settings").read_text())
    expect_in("docker: is there", done.err)
    expect_in("flocker: done", done.err)
    (setting.results / "docker.json").write_text("{")
    done = setting.all()
    expect((done.status, done.out), (65, ""))
    expect_in("cannot read 'flocker-images/docker.json'", done.err)
    setting.clear()


def test_other_inputs_are_another_folder_s(setting):
    setting.all()
    for words, more, what in ((["--agents=3"], {}, "--agents was '2' then, and is '3' now"),
                              ([], {"DOCKER_VERSION": "28"}, "DOCKER_VERSION was '20.10' then, and is '28' now")):
        done = setting.all(*words, **more)
        expect((done.status, done.out), (73, ""), done.err)
        expect_in(f"cannot go on with what 'flocker-images/inputs.json' tells of: {what}; take another --folder", done.err)
    setting.clear()


def test_without_flocker_there_is_one_step(setting):
    done = setting.all("--components=docker,swarm", "--latest", FLOCKER_VERSION="")
    expect(done.status, 0, done.err)
    expect(setting.stages(), [name for name in STAGES if name != "flocker.json"])
    expect_in("flocker-latest.json", json.loads(done.out)["latest"])
    setting.clear()


def test_a_bucket_that_is_not_there_costs_the_last_stage_alone(setting):
    done = setting.all(address="s3://later/flocker.json")
    expect((done.status, done.out), (66, ""), done.err)
    expect_in("404 NoSuchBucket", done.err)
    expect(setting.stages(), [name for name in STAGES if name != "published.json"])
    client(setting.moto).create_bucket(Bucket="later")
    done = setting.all(address="s3://later/flocker.json")
    expect(done.status, 0, done.err)
    expect((setting.folder / "log").exists(), False, "Packer was started")
    setting.clear()


def test_what_is_missing_is_named_before_anything_is_paid_for(setting):
    for words, more, status, sentence in (
            ([], {"FLOCKER_SHA256": ""}, 78, "cannot use FLOCKER_SOURCE without FLOCKER_SHA256"),
            ([], {"FLOCKER_VERSION": ""}, 78, "cannot build step flocker without the environment's FLOCKER_VERSION"),
            (["--components=swarm"], {}, 78, "swarm needs docker"),
            (["--build-region=moon"], {}, 78, "cannot use the region 'moon'"),
            (["--agents=0"], {}, 64, "--agents"),
            (["--folder=/proc/x"], {}, 66, "cannot make the folder '/proc/x'")):
        done = setting.all(*words, **more)
        expect((done.status, done.out), (status, ""), done.err)
        expect_in(sentence, done.err)
        expect((setting.folder / "log").exists() or setting.results.exists(), False, "something was begun")
    done = setting.all(address="https://bucket/key")
    expect((done.status, done.out), (64, ""))
    expect_in("expected s3://BUCKET/KEY", done.err)


# --- the stamp ---

def test_a_machine_of_another_image_says_so():
    with Serve(1) as cloud:
        machine = cloud.machines[0]
        words = ("--agents=1", "--components=docker,swarm", "--swarm=builtin", "--image-version=1.2", "--until=read-instance")
        found = machine.run("control", *words)
        expect(found.status, 78, found.out)
        expect_in("read-instance: cannot use this machine image: version 1.2 is asked for, and it has no stamp "
                  "(/usr/lib/flocker-bootstrap/image.json); give the template the images that were built for it", found.out)
        stamp = pathlib.Path(machine.root) / "usr/lib/flocker-bootstrap/image.json"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text('{"version": "1.1"}')
        found = machine.run("control", *words)
        expect(found.status, 78, found.out)
        expect_in("read-instance: cannot use this machine image: version 1.2 is asked for, its stamp says 1.1; ", found.out)
        stamp.write_text('{"version": "1.2"}')
        found = machine.run("control", *words)
        expect(found.status, 0, found.out)


def test_the_template_s_option():
    done = run("create", "--image-version=1.2")
    resources = json.loads(done.out)["Resources"]
    expect([name for name, resource in resources.items() if resource["Type"] == "AWS::EC2::Instance" and 'image-version: "1.2"\n'
            not in resource["Properties"]["UserData"]["Fn::Base64"]["Fn::Sub"]], [])
    done = run("create", "--image-version=1 2")
    expect((done.status, done.out), (64, ""))
    expect_in("cannot use --image-version='1 2'", done.err)


if __name__ == "__main__":
    main(globals())
