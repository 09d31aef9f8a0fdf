"""flocker-template check: each rule by a template with its fault and one that is right, ours in every variant, samples of others' manner."""

import itertools
import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import yaml

from faults import FAULTS, HANDLE, SIGNALLER, bucket, instance, template, wait
from tap import expect, expect_in, main
from variants import SETS, TEMPLATE, VARIANTS, text_of

HERE = pathlib.Path(__file__).parent
GUIDE = HERE.parents[1] / "docs/check.md"
WRITE = "--write" in sys.argv
EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT = 0, 64, 65, 66


def run(*words, text=None):
    return subprocess.run([TEMPLATE, *words], input=text, capture_output=True, text=True, timeout=30)


def check(text, *words):
    return run("check", "-", *words, text=text)


def findings(text):
    done = check(text, "--json")
    found = json.loads(done.stdout)
    errors = any(finding["severity"] == "error" for finding in found)
    expect((done.returncode, done.stderr), (EX_DATAERR if errors else EX_OK, ""), text[:2000])
    return found


def rules():
    return json.loads(run("check", "--list", "--json").stdout)


def test_every_rule_has_a_fault_here():
    expect(sorted(FAULTS), sorted(rule["rule"] for rule in rules()))


def position(text, place):
    before = text[:text.index(place)].split("\n")
    return len(before), len(before[-1]) + 1


def test_every_fault_is_found_where_it_is_and_what_is_right_is_let_be():
    severities = {rule["rule"]: rule["severity"] for rule in rules()}
    wrong = []
    for rule, cases in FAULTS.items():
        for place, sentence, faulty, right in cases:
            text = template(faulty)
            found = [(finding["line"], finding["column"], finding["severity"], finding["text"]) for finding in findings(text) if finding["rule"] == rule]
            if not any(finding[:3] == (*position(text, place), severities[rule]) and sentence in finding[3] for finding in found):
                wrong.append((rule, place, sentence, found))
            wrong += [(rule, "right", finding) for finding in findings(template(right)) if finding["rule"] == rule or finding["severity"] == "error"]
    expect(wrong, [], "\n".join(map(str, wrong)))


def test_nothing_is_said_of_what_create_prints():
    for name, words in VARIANTS.items():
        text = text_of(*words)
        done = check(text, "--strict")
        if len(text.encode()) <= 51200:
            expect((done.returncode, done.stdout, done.stderr), (EX_OK, "", ""), name)
        else:
            expect((done.returncode, done.stdout.count("\n"), done.stderr), (EX_OK, 1, "1 note\n"), name)
            expect_in("[through-s3]", done.stdout, name)


def test_nor_of_any_mode_with_any_components_and_options():
    options = ("--ordered", "--keep-secrets", "--metadata-tags", "--subnet")
    for components, mode in itertools.product(SETS, ("auto", "builtin", "classic", "none")):
        if "swarm" not in components and mode != "none":
            continue
        for words in ((), options, *((option,) for option in options)):
            words = (f"--components={components}", f"--swarm={mode}", "--agents=1", *words)
            done = check(text_of(*words), "--strict")
            expect((done.returncode, done.stdout, done.stderr), (EX_OK, "", ""), str(words))


def test_of_a_hundred_agents_that_it_must_go_through_s3():
    for mode in ("auto", "classic"):
        text = text_of("--agents=100", f"--swarm={mode}")
        done = check(text, "--strict")
        expect((done.returncode, done.stderr), (EX_OK, "1 note\n"))
        expect(done.stdout, f"standard input:1:1: note: it has {len(text.encode())} bytes and must go to CloudFormation through S3: "
               "a request takes 51200 [through-s3]\n")


def test_edits_of_ours_are_found():
    """What people change in what create printed, and do not see."""
    ours = text_of("--components=docker,swarm", "--swarm=builtin", "--agents=1", "--metadata-tags")
    edits = {
        "instance-before-rule": ('"IngressSwarmManager",', ""),
        "member-port": ('"FromPort": 7946', '"FromPort": 7947'),
        "wait-before-instance": (re.search(r'"DependsOn": "AgentNode1X\w+",', ours)[0], ""),
        "unhashed-handle": (re.search(r"AgentNode1X\w+", ours)[0], "AgentNode1"),
        "metadata-without-token": ('"HttpTokens": "required"', '"HttpTokens": "optional"'),
        "metadata-tag-key": ('"Key": "Name"', '"Key": "my name"'),
        "unencrypted-volume": ('"Encrypted": true', '"Encrypted": false'),
        "key-rights": ('"kms:GenerateDataKey"', '"kms:DescribeKey"'),
        "unknown-action": ('"s3:ListBucket"', '"s3:ListObjects"'),
        "open-to-the-world": ('"CidrIp": {\n          "Ref": "AdministratorsCidr"\n        }', '"CidrIp": "0.0.0.0/0"'),
        "user-data-document": ("\\nswarm: builtin", "\\n\\tswarm: builtin"),
        "instance-before-policy": ('"ClusterConfigPolicy",', ""),
    }
    for rule, (before, after) in edits.items():
        expect_in(before, ours, rule)
        expect_in(rule, {finding["rule"] for finding in findings(ours.replace(before, after))}, rule)


def test_samples_of_others_have_no_errors():
    """Warnings are held: each is one that a reviewer would have, too."""
    wanted = {
        "autoscaling.json": ["metadata-without-token", "one-ec2", "one-partition", "all-actions", "all-resources"],
        "functions.yaml": ["metadata-without-token"] * 4,
        "lamp.yaml": ["metadata-without-token", "secret-in-output"],
        "serverless.yaml": ["shape", "unknown-reference"],
        "vpc.yaml": [],
        "website.yaml": ["for-everyone", "one-partition"],
    }
    found = {path.name: findings(path.read_text()) for path in sorted((HERE / "samples").iterdir())}
    expect({name: [one for one in some if one["severity"] == "error"] for name, some in found.items()}, {name: [] for name in wanted})
    expect({name: [one["rule"] for one in some if one["severity"] == "warning"] for name, some in found.items()}, wanted)


def test_all_is_found_at_once_in_the_order_of_the_text():
    text = ("Parameters:\n  P: {Type: Sting}\nConditions:\n  C: !Equals [!Ref Q, x]\nResources:\n  my-name: {Type: AWS::S3::Bucket}\n" +
            bucket("BucketNmae: !Reff x", "AccelerateConfiguration: !Ref Nothing") + instance("ImageIdd: x", "EbsOptimized: maybe", name="A").replace(
                "    Properties", "    DependsOn: [A, Z]\n    Properties") + "Outputs:\n  O: {Value: !GetAtt Store.Arm}\n  R: {Vlaue: x}\nExtra: 1\n")
    found = [(one["line"], one["rule"]) for one in findings(text) if one["severity"] == "error"]
    expect(found, [(2, "parameter-type"), (4, "unknown-reference"), (6, "name"), (10, "unknown-property"), (10, "function"), (11, "unknown-reference"),
                   (12, "cycle"), (14, "unknown-reference"), (17, "unknown-property"), (18, "property-kind"), (20, "unknown-attribute"),
                   (21, "shape"), (21, "shape"), (22, "shape")])


def test_json_and_yaml_of_one_template_are_judged_alike():
    text = template(FAULTS["missing-property"][0][2])
    as_json = json.dumps(yaml.safe_load(text))
    expect([one["rule"] for one in findings(as_json)], [one["rule"] for one in findings(text)])


def test_how_it_ends():
    warning, error = template(bucket(above=["DeletionPolicy: Retain"])), template(bucket("BucketNmae: x"))
    expect((check(warning).returncode, check(warning, "--strict").returncode, check(error).returncode), (EX_OK, EX_DATAERR, EX_DATAERR))
    for words, status, said in ((("check",), EX_USAGE, "expected FILE…, or '-' for standard input"),
                                (("check", "--jsno", "x"), EX_USAGE, "there is no such option"),
                                (("check", "/nowhere"), EX_NOINPUT, "cannot open '/nowhere'")):
        done = run(*words)
        expect((done.returncode, done.stdout), (status, ""), str(words))
        expect_in(said, done.stderr)


def test_one_file_that_cannot_be_read_does_not_hide_the_others():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "t.yaml"
        path.write_text(template(bucket("BucketNmae: x")))
        done = run("check", "/nowhere", str(path), str(path))
        expect(done.returncode, EX_NOINPUT)
        expect(done.stdout, f"{path}:5:7: error: Store: AWS::S3::Bucket has no property 'BucketNmae' here (did you mean 'BucketName'?) [unknown-property]\n" * 2)
        expect_in("2 errors", done.stderr)


def test_what_is_no_template():
    for text, place, rule in (("", (1, 1), "shape"), ("[]", (1, 1), "shape"), ("{", (2, 1), "syntax"), ("\0", (1, 1), "syntax"), ("a: b: c", (1, 5), "syntax"),
                              ("Resources: {}", (1, 12), "shape"), ("Resources: &a [*a]", (1, 16), "syntax")):
        found = findings(text)
        expect([(one["line"], one["column"], one["rule"]) for one in found][:1], [(*place, rule)], repr(text))
        expect({one["severity"] for one in found}, {"error"})
    done = subprocess.run([TEMPLATE, "check", "-"], input=b"Resources:\n  B: {Type: \xff}\n", capture_output=True)
    expect((done.returncode, done.stdout.decode()), (EX_DATAERR, "standard input:2:13: error: invalid leading UTF-8 octet [syntax]\n"))


def test_a_hundred_agents_take_less_than_50_ms():
    """Of CPU, in one run of many: others use this machine's caches, too."""
    text, times = text_of("--agents=100"), []
    while len(times) < 40 and min(times, default=1) > 0.05:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        check(text)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    if min(times) > 0.05:
        raise AssertionError(f"CPU seconds: {times}")


def test_the_guide_s_transcript():
    """`check.py --write` writes it anew."""
    head, command, tail = GUIDE.read_text().partition("    $ flocker-template check cluster.yaml\n")
    shown, end, tail = tail.partition("\n\nEach finding is one line:")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "cluster.yaml").write_text(template(wait(depends=None) + HANDLE + SIGNALLER + "      InstanceTyp: t3.small\n"))
        done = subprocess.run([TEMPLATE, "check", "cluster.yaml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wanted = "\n".join("    " + line for line in done.stdout.splitlines())
    if WRITE:
        GUIDE.write_text(head + command + wanted + end + tail)
        shown = wanted
    expect(shown, wanted)


def guide():
    """The part of docs/check.md that is made of the rules' table."""
    lines = []
    for title, some in itertools.groupby(rules(), key=lambda rule: rule["group"]):
        lines += [f"### {title}", "", "| rule | | finds | source |", "|---|---|---|---|"]
        lines += [f"| `{rule['rule']}` | {rule['severity']} | {rule['finds']} | {rule['source']} |" for rule in some] + [""]
    return "\n".join(lines)


def test_the_guide_has_every_rule():
    """`check.py --write` writes it anew."""
    head, mark, tail = GUIDE.read_text().partition("<!-- made of `flocker-template check --list` -->\n\n")
    expect(bool(mark), True, "the mark")
    if WRITE:
        GUIDE.write_text(head + mark + guide())
        tail = guide()
    expect(tail, guide())


if __name__ == "__main__":
    main(globals())
