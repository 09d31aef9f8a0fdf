"""A bad day of each kind: what the stack's event then says, and how soon. The table of docs/troubleshooting.md is made of this
(`faults.py --write`), and held by it."""

import concurrent.futures
import contextlib
import json
import pathlib
import re
import subprocess
import types

from cloud import REHEARSAL, Serve, rehearse, temporary
from documents import hold
from keys import make_keys
from tap import expect, expect_in, main

TEMPLATE = pathlib.Path(REHEARSAL).parent.parent / "template/flocker-template"
AT_ONCE, STEP, HALF, DEADLINE, TIMEOUT = "at once", "at the step's time-out", "at half the stack's time-out", "at the deadline", "at the stack's time-out"
# Seconds. Control's deadline, the first, is a tenth of the time-out before it, from a launch whose time is told in whole seconds. A retry's
# wait that would end behind a deadline is not begun, and the longest is one of 2 s: retry_policy_request's second when throttled, the cap of
# metadata and secrets.
STACK_TIME, STEP_TIME, LONGEST_WAIT, LAUNCH_ROUNDED = 60, 6, 2, 1
SPANS = {AT_ONCE: (0, 15), STEP: (STEP_TIME - LONGEST_WAIT, 25), HALF: (STACK_TIME / 2 - LONGEST_WAIT, 45),
         DEADLINE: (STACK_TIME * 0.9 - LONGEST_WAIT - LAUNCH_ROUNDED, STACK_TIME), TIMEOUT: (STACK_TIME, STACK_TIME + 6)}

# The fault, when the stack knows, a symptom for a person, a remedy.
FAILURES = [
    ("ControlNode:configure-docker:kill", AT_ONCE, "the program is killed", "memory, mostly: a larger instance type; `dmesg` of the kept machine says who was killed"),
    ("ControlNode:configure-docker:hang", STEP, "a step does not end", "the evidence holds the journal of the unit the step waits for; run the step by hand with `--only=STEP`"),
    ("ControlNode:configure-docker:fail", AT_ONCE, "a step fails", "the sentence says what and why; after mending, run the program again: it goes on where it stopped"),
    ("s3:docker/ca.pem:refuse", STEP, "S3 takes no connection", "the route to S3: endpoint, proxy, security group, network ACL"),
    ("s3:docker/ca.pem:reset", STEP, "connections to S3 break", "a proxy or firewall on the way; retried until then"),
    ("s3:docker/ca.pem:hang", STEP, "S3 does not answer", "a proxy or firewall on the way; retried until then"),
    ("s3:docker/ca.pem:fail", STEP, "S3 has a fault of its own", "AWS's health page; then the stack again"),
    ("s3:docker/ca.pem:status=503", STEP, "S3 is overloaded", "AWS's health page; then the stack again"),
    ("s3:docker/ca.pem:throttle", STEP, "S3 asks for fewer requests", "other users of the bucket's prefix; then the stack again"),
    ("s3:docker/ca.pem:deny", STEP, "the role may not write", "the role's policy, the bucket's policy, its key's policy"),
    ("s3:GET:deny", DEADLINE, "the role may not read", "the role's policy; with s3:ListBucket the two causes are told apart"),
    ("s3:*:expire", STEP, "the instance's credentials have expired", "the instance profile and its role are still there? then the stack again"),
    ("s3:docker/manifest.json:stale", DEADLINE, "what was written is not seen", "did control publish it? its events and its console say"),
    ("s3:docker/manifest.json:truncate", DEADLINE, "answers of S3 are cut short", "a proxy on the way"),
    ("s3:docker/ca.pem:corrupt", AT_ONCE, "an object is not what was written", "who else writes into the store? delete the store's prefix, and the stack again"),
    ("s3:swarm/worker.json:stale", DEADLINE, "one agent does not see what it waits for", "the agent's event is the first; the client, which waits for it, gives up a little later"),
    ("secrets:*:deny", DEADLINE, "the role may not read the dataset's secret", "the role's policy, the secret's own, and its key's"),
    ("secrets:*:status=503", DEADLINE, "Secrets Manager is overloaded", "AWS's health page; then the stack again"),
    ("metadata:*:refuse", HALF, "no metadata service", "HttpEndpoint of the instance's metadata options; a firewall on the machine"),
    ("metadata:*:hang", HALF, "the metadata token does not come", "HttpPutResponseHopLimit, where the program runs in a container"),
    ("metadata:document:corrupt", AT_ONCE, "metadata are damaged", "what stands between machine and metadata service: there should be nothing"),
    ("metadata:document:deny", AT_ONCE, "metadata are forbidden", "HttpEndpoint; a proxy that adds X-Forwarded-For"),
    ("metadata:security-credentials:expire", AT_ONCE, "no credentials from metadata", "the instance profile: is it attached, has it a role?"),
    ("signal:*:refuse", TIMEOUT, "the stack cannot be told", "the route to S3; a VPC endpoint must allow cloudformation-waitcondition-REGION. The reason is on the console and in the journal"),
]
# What passes of itself: the stack comes up all the same.
RECOVERIES = [
    ("s3:docker/ca.pem:slow:2", "S3 is slow"),
    ("s3:docker/ca.pem:reset:2", "a connection or two is reset"),
    ("s3:docker/ca.pem:corrupt:1", "S3's answer is damaged once"),
    ("s3:*:throttle:5", "S3 asks for fewer requests, then is content"),
    ("s3:*:skew", "the machine's clock is an hour off: it is corrected by the answers' date"),
    ("s3:docker/manifest.json:stale:3", "what was written is seen late"),
    ("secrets:*:throttle:5", "Secrets Manager asks for fewer requests, then is content"),
    ("secrets:*:reset:4", "connections to Secrets Manager break"),
    ("metadata:*:status=503:3", "the metadata service is late"),
    ("metadata:*:skew", "the machine's clock is an hour off: it is said, as its certificates bear it"),
    ("metadata:document:truncate:1", "metadata are cut short once"),
    ("signal:*:throttle:2", "the handle is slow to take the signal"),
]


def settle(text):
    """Without what differs from run to run."""
    for pattern, word in ((r"^(control|agent 1|client) \([^)]*\)", "MACHINE"), (r"s3://flocker-clusterconfig-\w+/\w+/", "STORE/"),
                          (r"http://127\.[\d.]+:\d+/flocker-clusterconfig-\w+/\w+/", "S3/"), (r"http://127\.[\d.]+:\d+", "http://ADDRESS"),
                          (r"127\.\d+\.\d+\.\d+", "ADDRESS"), (r"i-0[0-9a-f]{16}", "INSTANCE"), (r"\(request [0-9A-F]{16}\)", "(request ID)"),
                          (r"\b\d+(\.\d+)? m?s\b", "TIME"), (r"port \d+", "port N"), (r"[\w+/]{43}=", "HASH"),
                          (r"(line \d+), column \d+: .*", r"\1: …"),
                          (r"[\w-]+: cannot \w+ 'STORE/[^']+': (?=cannot read meta-data/iam/)", "STEP: ")):  # of who is the first to need them
        text = re.sub(pattern, word, text)
    return text


def strike(words, fault):
    found = rehearse(f"--parameter=Timeout={STACK_TIME}", f"--fault={fault}", *words, seconds=100)
    failed = re.search(r"^ *([\d.]+) s  CREATE_FAILED +AWS::CloudFormation::WaitCondition +\S+  (.*)", found.out, re.M)
    return types.SimpleNamespace(out=found.out + found.err, status=found.status, at=failed and float(failed[1]), reason=failed and failed[2])


def write_template(path, components):
    made = json.loads(subprocess.run([TEMPLATE, "create", f"--components={components}", "--agents=1"], check=True, capture_output=True).stdout)
    made["Parameters"]["Timeout"]["MinValue"] = 5
    path.write_text(json.dumps(made).replace("\\nsignal: ", f"\\nstep-timeout: {STEP_TIME}s\\nsignal: "))
    return path


@contextlib.contextmanager
def setup():
    """All of them, some at a time: most of them do nothing but wait. Who asks for a secret is Flocker's aws backend."""
    with temporary() as folder, concurrent.futures.ThreadPoolExecutor(10) as pool:
        plain = [write_template(pathlib.Path(folder) / "plain.json", "docker,swarm")]
        flocker = [write_template(pathlib.Path(folder) / "flocker.json", "flocker"), f"--keys={make_keys(f'{folder}/keys', 5)}"]
        long = [one[0] for one in FAILURES if one[1] in (HALF, DEADLINE, TIMEOUT)]
        faults = long + [one[0] for one in FAILURES + RECOVERIES if one[0] not in long]
        results = {fault: pool.submit(strike, flocker if fault.startswith("secrets:") else plain, fault) for fault in faults}
        concurrent.futures.wait(results.values())
        yield results


def read_reason(found):
    """As the event has it; where it cannot have one, as the machine prints it."""
    told = re.search(r"received failed message: '(.*)' for uniqueId", found.reason)
    if told:
        return re.sub(r"; evidence(: | not stored).*", "", settle(told[1]))
    return settle(re.search(r"^ +ControlNode +error: .*?(cannot signal .*)", found.out, re.M)[1])


def make_test(fault, when):
    def test(results):
        found = results[fault].result()
        expect(found.status, 1, found.out)
        low, high = SPANS[when]
        expect(low <= found.at <= high, True, f"known after {found.at} s, {when}: {found.reason}")
        expect_in("ROLLBACK_COMPLETE", found.out)
        if when != TIMEOUT:
            expect_in("received failed message", found.reason)
        expect(len(read_reason(found)) > 20, True, found.reason)
    return test


def make_recovery(fault):
    def test(results):
        found = results[fault].result()
        expect(found.status, 0, found.out)
        expect("struck nothing" in found.out, False, found.out)
    return test


def name_test(fault):
    return "test_" + re.sub(r"\W+", "_", fault.replace("*", "all"))


for one, test in [(one[0], make_test(*one[:2])) for one in FAILURES] + [(one[0], make_recovery(one[0])) for one in RECOVERIES]:
    test.__name__ = name_test(one)
    globals()[test.__name__] = test


def test_the_table_of_them(results):
    lines = ["| fault of the rehearsal | symptom | known | reason as printed | remedy |", "|---|---|---|---|---|"]
    for fault, when, symptom, remedy in FAILURES:
        reason = read_reason(results[fault].result()).replace("|", "\\|")
        lines.append(f"| `{fault}` | {symptom} | {when} | {reason} | {remedy} |")
    hold("troubleshooting.md", "failures", lines)
    hold("troubleshooting.md", "recoveries", ["| fault of the rehearsal | what passes |", "|---|---|"] + [
        f"| `{fault}` | {symptom} |" for fault, symptom in RECOVERIES])


def test_who_knows_the_reason_is_heard_before_who_waits_for_it(results):
    reason = results["s3:swarm/worker.json:stale"].result().reason
    expect_in("received failed message: 'agent 1 (i-", reason)
    expect_in("join-swarm: cannot go on without 's3://", reason)


def test_a_clock_that_is_off_is_said(results):
    said = re.findall(r"^ +(\w+) +this machine's clock is (?:59 min 59 s|1 h) behind the metadata service's: others may take its certificates for not valid yet",
                      results["metadata:*:skew"].result().out, re.M)
    expect(sorted(said), ["AgentNode1", "ClientNode", "ControlNode"])


def test_each_kind_that_there_is_has_been_struck(results):
    told = [rehearse(f"--fault={where}:x:boom", "--components=docker").err for where in ("ControlNode", "s3", "secrets", "signal", "metadata")]
    there = {kind.partition("=")[0] for text in told for kind in re.findall(r"[a-z]+(?:=\w+)?", text.partition("there are ")[2])}
    expect({re.split("[:=]", one[0])[2] for one in FAILURES + RECOVERIES}, there)


def test_many_in_a_file(results):
    with temporary() as folder:
        path = pathlib.Path(folder) / "faults"
        path.write_text("# a bad day\n\ns3:docker/ca.pem:reset:1  # once\nControlNode:verify:fail\nsecrets:*:deny\n")
        found = rehearse("--components=docker,swarm", "--agents=1", "--quiet", f"--faults={path}")
        expect(found.status, 1, found.out)
        expect_in("verify: cannot run 'verify': --fault makes it fail", found.out)
        expect_in("note: --fault=secrets:*:deny struck nothing: no request matched", found.out)
        path.write_text("\ns3:x:boom\n")
        refused = rehearse(f"--faults={path}")
        expect_in(f"{path}:2: cannot use '--fault=s3:x:boom': there is no kind 'boom' of s3; there are ", refused.err)


def test_what_is_no_fault(results):
    for fault, sentence in (
            ("nothing", "expected NODE:STEP:KIND or SERVICE:MATCH:KIND[:TIMES], where SERVICE is s3, secrets, signal or metadata"),
            ("s3::reset", "expected NODE:STEP:KIND or SERVICE:MATCH:KIND[:TIMES], where SERVICE is s3, secrets, signal or metadata"),
            ("AgentNode9:verify:kill", "the template has no instance 'AgentNode9', and the services are s3, secrets, signal and metadata"),
            ("AgentNode1:make-docker-ca:kill", "'AgentNode1' is a machine of role agent, which has no step 'make-docker-ca'; its steps are read-instance "),
            ("AgentNode1:verify:reset", "there is no kind 'reset' of steps; there are kill, hang, fail"),
            ("signal:*:stale", "there is no kind 'stale' of signal; there are hang, fail, refuse, "),
            ("s3:*:status=200", "expected a status from 400 to 599, found '200'"),
            ("s3:*:reset:0", "there is no kind '0' of s3")):
        found = rehearse("--components=docker,swarm", f"--fault={fault}")
        expect((found.status, "CREATE" in found.out), (64, False), found.out)
        expect_in(f"flocker-rehearsal: cannot use '--fault={fault}': {sentence}", found.err)
        expect(found.err.count("\n"), 1, found.err)


def test_the_steps_that_a_fault_can_name_are_the_programs(results):
    """The rehearsal shares no code with the program: that its list is the program's own is shown here."""
    with Serve(1) as cloud:
        for node, role in ("ControlNode", "control"), ("AgentNode1", "agent"), ("ClientNode", "client"):
            told = rehearse(f"--fault={node}:x:kill").err.partition("its steps are ")[2].split()
            own = cloud.machines[0].run(role, "--only=x", "--agents=1", *(["--node=1"] if role == "agent" else [])).out.partition("the role's steps are ")[2]
            expect((len(told) > 5, own.replace(",", "").split()), (True, told), role)


if __name__ == "__main__":
    main(globals())
