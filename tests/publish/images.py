"""flocker-template images build: Debian's Packer, and a stand-in that says what amazon-ebs says where a cloud would be needed."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from cloud import client
from latest import SeededMoto
from servers import die_with_parent
from tap import expect, expect_in, main
from template import TEMPLATE, environment_of, run, write

BASE = "ami-0123456789abcdef0"
DOCKER = {"DOCKER_VERSION": "20.10"}
SHA256 = "0" * 64

# What Packer's amazon-ebs builder says (its messages: hashicorp/packer-plugin-amazon), the images being those of $IMAGES.
PACKER = r"""#!/bin/bash
say() { printf '1,,ui,%s,%s\n' "$1" "$2"; }
[ "$1" = version ] && { echo "Packer v${VERSION:-1.8.1}"; exit; }
echo "$PWD $*" >"$LOG"
cp packer.json "$LOG.json"
say say '==> amazon-ebs: Creating temporary keypair: packer_1'
say say '==> amazon-ebs: Creating temporary security group for this instance: packer_2'
say message '    amazon-ebs: Instance ID: i-0123'
say message '    amazon-ebs: hello%!(PACKER_COMMA) world'
case "${HOW:-well}" in
killed) kill -9 $$ ;;
plugin) sleep 50 & echo $! >"$LOG.plugin" ;; # it holds standard output, and outlives us
interrupted)
    trap 'say error "Cancelling build after receiving interrupt"; say say "==> amazon-ebs: Terminating the source AWS instance..."
        printf "1,amazon-ebs,error,Cancelled\n"; exit 1' INT
    while :; do sleep 0.05; done ;;
stubborn) trap '' INT; while :; do sleep 0.05; done ;;
late)
    say message '    amazon-ebs: AMI: ami-0123456789abcdef9'
    say message '    amazon-ebs: Copying to: eu-west-1'
    say say '==> amazon-ebs: Terminating the source AWS instance...'
    say say '==> amazon-ebs: Deleting temporary security group...'
    say say '==> amazon-ebs: Deleting temporary keypair...'
    printf '1,amazon-ebs,error,1 error(s) occurred:\\n\\n* Error Copying AMI to region (eu-west-1)%%!(PACKER_COMMA) quota\n'
    exit 1 ;;
esac
say say '==> amazon-ebs: Terminating the source AWS instance...'
printf '1,amazon-ebs,artifact,0,id,%s\n' "${IMAGES//,/%!(PACKER_COMMA)}"
"""


class Setting:
    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.moto = self.stack.enter_context(SeededMoto())
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.package = write(self.folder, "bootstrap.deb", "the package")
        self.packer = write(self.folder, "packer", PACKER)
        self.packer.chmod(0o755)
        ec2 = client(self.moto, "ec2")
        self.image = ec2.describe_images()["Images"][0]["ImageId"]
        return self

    def __exit__(self, *_):
        self.stack.close()

    def variables(self, **more):
        return DOCKER | {"LOG": self.folder / "log", "IMAGES": f"us-west-1:{self.image}"} | more

    def build(self, *words, step="docker", packer=None, **more):
        return run("images", "build", *([f"--step={step}"] if step else []), f"--package={self.package}",
                   f"--packer={packer or self.packer}", *words, server=self.moto, folder=self.folder, **self.variables(**more))

    def recipe(self):
        return json.loads((self.folder / "log.json").read_text())


setup = Setting


def test_a_map_with_root_devices_sorted(setting):
    other = "ami-0123456789abcdef1"
    done = setting.build("--regions=eu-west-1,ap-south-1",
                         IMAGES=f"us-west-1:{setting.image},eu-west-1:{other},ap-south-1:{other}")
    expect(done.status, 0, done.err)
    found = json.loads(done.out)
    expect(list(found), ["ap-south-1", "eu-west-1", "us-west-1"])
    expect(found["us-west-1"], {"AMI": setting.image, "RootDeviceName": "/dev/sda1"})
    expect_in("    amazon-ebs: hello, world\n", done.err)
    builder, = setting.recipe()["builders"]
    expect((builder["region"], builder["source_ami"], builder["ami_regions"], builder["ssh_username"], builder["temporary_key_pair_type"]),
           ("us-west-1", BASE, ["ap-south-1", "eu-west-1"], "ubuntu", "ed25519"))
    expect((setting.folder / "log").read_text(), f"{setting.folder}/flocker-image-docker build -machine-readable packer.json\n")


def test_old_spellings(setting):
    done = setting.build("--template=docker", "--build_region=eu-west-1", "--source_ami=ami-01234567", step=None,
                         IMAGES=f"eu-west-1:{setting.image}")
    expect(done.status, 0, done.err)
    builder, = setting.recipe()["builders"]
    expect((builder["region"], builder["source_ami"]), ("eu-west-1", "ami-01234567"))
    done = setting.build("--copy_to_all_regions", IMAGES=f"us-west-1:{setting.image}")
    expect(len(setting.recipe()["builders"][0]["ami_regions"]) > 10, True)
    expect((done.status, done.out), (76, ""), "regions without an image")
    expect_in("cannot map the images: Packer ended well and named none in ", done.err)


def test_the_second_step_takes_the_first_one_s_map(setting):
    source = write(setting.folder, "flocker.tar", "packages")
    flocker = {"FLOCKER_VERSION": "1.15.0", "FLOCKER_SOURCE": source, "FLOCKER_SHA256": SHA256}
    first = setting.build()
    done = setting.build(f"--source-ami-map-body={first.out}", step="flocker", **flocker)
    expect(done.status, 0, done.err)
    recipe = setting.recipe()
    expect(recipe["builders"][0]["source_ami"], setting.image)
    expect_in({"type": "file", "source": str(source), "destination": "/tmp/flocker-image/flocker"}, recipe["provisioners"])
    expect((setting.folder / "flocker-image-flocker/provisioning/settings").read_text(),
           f"STEP='flocker'\nIMAGE_VERSION='0.1.0'\nFLOCKER_VERSION='1.15.0'\nFLOCKER_SOURCE='{source}'\nFLOCKER_SHA256='{SHA256}'\n")
    client(setting.moto).put_object(Bucket="bucket", Key="docker.json", Body=first.out)
    done = setting.build("--source_ami_map_url=s3://bucket/docker.json", step="flocker", **flocker)
    expect(done.status, 0, done.err)


def test_what_is_asked_for_is_named(setting):
    swarm = {"SWARM_VERSION": "1.2.9"}
    for words, more, status, sentence in (
            ([], {"DOCKER_VERSION": ""}, 78, "cannot build step docker without the environment's DOCKER_VERSION: the version of Docker"),
            ([], {"DOCKER_VERSION": "20'; reboot"}, 78, "cannot use DOCKER_VERSION='20'; reboot': expected a version like 1.2.3"),
            ([], swarm, 78, "without SWARM_SOURCE and SWARM_SHA256: no archive holds classic Swarm any more"),
            ([], swarm | {"SWARM_SOURCE": "https://x/y"}, 78, "cannot use SWARM_SOURCE without SWARM_SHA256: the file's SHA-256"),
            ([], swarm | {"SWARM_SHA256": SHA256}, 78, "cannot use SWARM_SHA256 without SWARM_SOURCE"),
            ([], swarm | {"SWARM_SOURCE": "https://x/y", "SWARM_SHA256": "12"}, 78, "cannot use SWARM_SHA256='12': expected 64 hexadecimal"),
            ([], swarm | {"SWARM_SOURCE": "http://x/y", "SWARM_SHA256": SHA256}, 78, "expected a file or https://"),
            ([], swarm | {"SWARM_SOURCE": "/nowhere", "SWARM_SHA256": SHA256}, 66, "cannot use SWARM_SOURCE='/nowhere': No such file"),
            (["--template=flocker"], {}, 64, "cannot use both --step=docker and --template=flocker"),
            (["--regions=eu-west-1", "--copy-to-all-regions"], {}, 64, "cannot use both --regions and --copy-to-all-regions"),
            (["--regions=nowhere"], {}, 78, "cannot use the region 'nowhere'"),
            (["--build-region=moon"], {}, 78, "cannot use the region 'moon'"),
            (["--source-ami=nope"], {}, 64, "cannot use the source image 'nope': expected an id like ami-0123456789abcdef0"),
            (["--source-ami-map-body={"], {}, 65, "--source-ami-map-body"),
            (['--source-ami-map-body={"us-west-1": "nope"}'], {}, 65, "us-west-1: expected the id of an image"),
            (['--source-ami-map-body={"eu-west-1": "ami-01234567"}'], {}, 78,
             "cannot build in us-west-1: the map of source images lacks this region (its first is eu-west-1)"),
            (["--source-ami=ami-01234567", '--source-ami-map-body={"eu-west-1": "ami-01234567"}'], {}, 64, "cannot use more than one of"),
            (["--image-version=1/2"], {}, 64, "cannot use the image's version '1/2'"),
            (["--package=/nowhere.deb"], {}, 64, "cannot use '--package' twice"),
            (["--timeout=5"], {}, 64, "--timeout")):
        (setting.folder / "log").unlink(missing_ok=True)
        done = setting.build(*words, **more)
        expect((done.status, done.out), (status, ""), f"{words} {more}: {done.err}")
        expect_in(sentence, done.err)
        expect((setting.folder / "log").exists(), False, "Packer was started")
    done = run("images", "build", "--step=docker", "--package=/nowhere.deb", **DOCKER)
    expect_in("cannot use the package '/nowhere.deb' of flocker-bootstrap: No such file", done.err)
    expect_in("cannot go without '--package=FILE'", run("images", "build", "--step=docker").err)
    expect_in("cannot go without '--step=STEP'", setting.build(step=None).err)
    done = setting.build(step="flocker", FLOCKER_VERSION="1", FLOCKER_SOURCE=setting.package, FLOCKER_SHA256=SHA256)
    expect_in("cannot build step flocker without the image of step docker: give --source-ami-map-body", done.err)


def test_packer_absent_or_too_old(setting):
    done = setting.build(packer="/nowhere/packer")
    expect((done.status, done.out), (66, ""))
    expect_in("cannot run '/nowhere/packer': there is no such program; install Packer 1.8.1 or newer, or name it with --packer=FILE", done.err)
    done = setting.build(packer="no-such-packer")
    expect_in("cannot run 'no-such-packer': it is in no folder of PATH; install", done.err)
    done = setting.build(packer="packer")  # Debian's
    expect((done.status, done.out), (78, ""))
    expect_in("cannot use Packer 1.6.6 for AWS: it signs with SHA-1, which a current sshd refuses; expected 1.8.1 or newer", done.err)
    done = setting.build(packer="/bin/true")
    expect_in("cannot use '/bin/true': it does not say a version as Packer does", done.err)


def test_a_failure_says_where_why_and_what_is_left(setting):
    done = setting.build("--regions=eu-west-1", HOW="late")
    expect((done.status, done.out), (69, ""))
    *_, image, copy, sentence = done.err.splitlines()
    expect(sentence, "flocker-template images build: cannot build the image of step docker in us-west-1: "
           "Error Copying AMI to region (eu-west-1), quota")
    expect_in("left behind in us-west-1: image ami-0123456789abcdef9: aws ec2 deregister-image --region us-west-1", image)
    expect_in("left behind in eu-west-1: perhaps a copy in eu-west-1: aws ec2 describe-images --region eu-west-1 --owners self "
              "--filters Name=name,Values=flocker-docker-0.1.0-", copy)


def test_a_packer_that_is_killed_leaves_all(setting):
    done = setting.build(HOW="killed")
    expect((done.status, done.out), (69, ""))
    for part in ("instance i-0123: aws ec2 terminate-instances --region us-west-1 --instance-ids i-0123",
                 "key pair packer_1: aws ec2 delete-key-pair --region us-west-1 --key-name packer_1",
                 "security group packer_2, once the instance is gone: aws ec2 delete-security-group",
                 "Packer ended with status 137"):
        expect_in(part, done.err)


def interrupt(setting, how, *signals):
    process = subprocess.Popen([TEMPLATE, "images", "build", "--step=docker", f"--package={setting.package}", f"--packer={setting.packer}"],
                               env=environment_of(setting.moto, **setting.variables(HOW=how)), cwd=setting.folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    while "hello" not in process.stderr.readline():
        pass
    for number in signals:
        process.send_signal(number)
        time.sleep(0.3)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_an_interrupt_is_passed_on_once(setting):
    status, out, err = interrupt(setting, "interrupted", signal.SIGINT)
    expect((status, out), (75, ""), err)
    expect_in("Packer is asked to end, and removes what it has made", err)
    expect_in("cannot build the image of step docker in us-west-1: interrupted", err)
    expect("i-0123: aws" in err, False, "the instance is gone")
    expect_in("key pair packer_1: aws ec2 delete-key-pair", err)
    status, out, err = interrupt(setting, "stubborn", signal.SIGTERM, signal.SIGINT)
    expect((status, out), (75, ""), err)
    expect_in("instance i-0123: aws ec2 terminate-instances", err)


def test_a_plugin_that_outlives_packer_is_not_waited_for(setting):
    began = time.monotonic()
    done = setting.build(HOW="plugin")
    expect((done.status, json.loads(done.out)["us-west-1"]["AMI"]), (0, setting.image), done.err)
    expect(time.monotonic() - began < 30, True, "it was waited for")
    state = pathlib.Path(f"/proc/{(setting.folder / 'log.plugin').read_text().strip()}/stat")
    expect(state.exists() and state.read_text().split()[2] != "Z", False, "it still runs")


def test_what_takes_too_long_is_ended(setting):
    done = setting.build("--timeout=1s", HOW="interrupted")
    expect((done.status, done.out), (75, ""))
    expect_in("in us-west-1: it took longer than --timeout allows", done.err)


def test_the_recipe_alone(setting):
    done = setting.build("--write-only", "--folder=recipe", "--distribution=debian-12", "--build-region=us-east-1", packer="/nowhere")
    expect((done.status, done.out), (0, ""), done.err)
    names = sorted(str(path.relative_to(setting.folder / "recipe")) for path in (setting.folder / "recipe").rglob("*") if path.is_file())
    expect(names, ["packer.json", "provisioning/check", "provisioning/clean", "provisioning/install", "provisioning/settings"])
    done = subprocess.run(["packer", "validate", "-syntax-only", "packer.json"], cwd=setting.folder / "recipe", capture_output=True, text=True,
                          env=environment_of(CHECKPOINT_DISABLE="1", HOME=setting.folder))
    expect(done.returncode, 0, done.stdout + done.stderr)


def test_debian_s_packer_validates_all_of_it(setting):
    """Its amazon-ebs knows every key but those that are newer than it."""
    setting.build("--write-only", "--folder=validated")
    path = setting.folder / "validated/packer.json"
    recipe = json.loads(path.read_text())
    for builder in recipe["builders"]:
        del builder["temporary_key_pair_type"], builder["metadata_options"]
        builder["access_key"], builder["secret_key"] = "AKIAIOSFODNN7EXAMPLE", "x"
    path.write_text(json.dumps(recipe))
    done = subprocess.run(["packer", "validate", "packer.json"], cwd=path.parent, capture_output=True, text=True,
                          env=environment_of(CHECKPOINT_DISABLE="1", HOME=setting.folder))
    expect(done.returncode, 0, done.stdout + done.stderr)


def test_builders_that_are_none(setting):
    for text, sentence in (("{}", "expected a list of Packer's builders"), ("[", "line 1"), ("[]", "expected a list")):
        builders = write(setting.folder, "builders.json", text)
        done = setting.build(f"--builders={builders}", packer="packer")
        expect((done.status, done.out), (65, ""), text)
        expect_in(sentence, done.err)
    builders = write(setting.folder, "builders.json", '[{"type": "nope"}]')
    done = setting.build(f"--builders={builders}", packer="packer")
    expect((done.status, done.out), (69, ""))
    expect_in('Failed to initialize build "nope"; newer Packers have builders as plugins: packer plugins install', done.err)


if __name__ == "__main__":
    main(globals())
