"""`flocker-bootstrap renew`, and a boot with a certificate that lacks something: certificates aged by openssl, engines of the embedded cloud."""

import pathlib
import re
import subprocess
import time

from cloud import PROGRAM, STORE, Serve, temporary
from tap import expect, expect_in, main

PLAIN = ("--components=docker,swarm", "--agents=1")
ENGINE, CLIENT = "etc/docker/tls", "var/lib/flocker-bootstrap/client-tls"
CA_KEY = "docker/ca-key.pem"


def openssl(*words, **options):
    done = subprocess.run(["/usr/bin/openssl", *map(str, words)], capture_output=True, text=True, **options)
    if done.returncode:
        raise AssertionError(f"openssl {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def day(offset):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset * 86400))


def age(cloud, machine, passed, left, folder=ENGINE, without=None):
    """The machine's certificate again, for the same key and names, as if it had been made `passed` days ago; `without` a name."""
    authority = cloud.machines[0].root / "var/lib/flocker-bootstrap/docker-ca"
    cert, key = machine.root / folder / "cert.pem", machine.root / folder / "key.pem"
    names = re.findall(r"DNS:[^,\s]+|IP Address:[^,\s]+", openssl("x509", "-in", cert, "-noout", "-ext", "subjectAltName")) if folder == ENGINE else []
    names = [name.replace("IP Address", "IP") for name in names if not without or without not in name]
    with temporary() as scratch:
        config = pathlib.Path(scratch, "ca.conf")
        config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={scratch}/index\nnew_certs_dir={scratch}\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
            "[p]\ncommonName=supplied\norganizationalUnitName=optional\n[e]\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\n"
            + (f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={','.join(names)}\n" if names else "extendedKeyUsage=clientAuth\n"))
        pathlib.Path(scratch, "index").touch()
        openssl("x509", "-x509toreq", "-in", cert, "-key", key, "-out", f"{scratch}/csr")
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions", "e", "-cert", authority / "ca.pem", "-keyfile", authority / "ca-key.pem",
                "-startdate", day(-passed), "-enddate", day(left), "-in", f"{scratch}/csr", "-out", cert)


def fingerprint(path):
    return openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256").strip()


def served(machine, port=2376):
    """The certificate that the engine shows to who comes."""
    tls = machine.root / ENGINE
    shown = openssl("s_client", "-connect", f"{machine.address}:{port}", "-CAfile", tls / "ca.pem", "-cert", tls / "cert.pem", "-key", tls / "key.pem",
                    input="")
    return openssl("x509", "-noout", "-fingerprint", "-sha256", input=shown).strip()


def words_of(role):
    return {"control": (), "agent": ("--node=1",), "client": ()}[role]


def chain(cloud, *more):
    for machine, role in zip(cloud.machines, ("control", "agent", "client")):
        found = machine.run(role, *PLAIN, *words_of(role), *more)
        expect(found.status, 0, found.out)
    return cloud.machines[:3]


def renew(machine, role, *more):
    line = [PROGRAM, "renew", f"--role={role}", f"--store={STORE}", *PLAIN, *words_of(role), f"--root={machine.root}", *more]
    done = subprocess.run(line, capture_output=True, text=True, env=machine.environment, timeout=50)
    done.out = done.stdout + done.stderr
    return done


def test_what_is_not_due_is_left_alone():
    with Serve(3) as cloud:
        for machine, role in zip(chain(cloud), ("control", "agent", "client")):
            before = machine.tree()
            done = renew(machine, role)
            expect(done.returncode, 0, done.out)
            expect(bool(re.fullmatch(r"'/\S+/cert.pem' has 364 days left; it is to be renewed from 20\d\d-\d\d-\d\d on\n", done.out)), True, done.out)
            expect(machine.tree() == before, True, "what it changed")


def test_the_moment_is_each_certificate_s_own():
    """Between 50 and 80 % of the life, spread, and the same each time."""
    with Serve(1) as cloud:
        control = cloud.machines[0]
        found = set()
        expect(control.run("control", *PLAIN, "--until=mint-docker-cert").status, 0)
        for _ in range(6):
            expect(control.run("control", *PLAIN, "--again", "--only=mint-docker-cert").status, 0)
            said = {re.search(r"from (\S+) on", renew(control, "control").out)[1] for _ in range(2)}
            expect(len(said), 1)
            found |= said
        days = [(time.mktime(time.strptime(one, "%Y-%m-%d")) - time.time()) / 86400 for one in found]
        expect((min(days) > 180, max(days) < 293, len(found) > 1), (True, True, True), sorted(found))


def test_control_and_agent_renew_and_their_engines_serve_it():
    with Serve(3) as cloud:
        for machine, role in zip(chain(cloud, "--keep-secrets=true")[:2], ("control", "agent")):
            age(cloud, machine, 330, 35)
            key = machine.read(f"{ENGINE}/key.pem")
            dry = machine.tree()
            done = renew(machine, role, "--dry-run")
            expect((done.returncode, "would renew '/etc/docker/tls/cert.pem', and restart docker.service" in done.out), (0, True), done.out)
            expect(machine.tree() == dry, True, "what a dry run changed")
            done = renew(machine, role)
            expect((done.returncode, done.out), (0, "renewed '/etc/docker/tls/cert.pem': the old one has 34 days left\n"))
            expect(machine.read(f"{ENGINE}/key.pem") != key, True, "a key of its own")
            expect(served(machine), fingerprint(machine.root / ENGINE / "cert.pem"))
            judged = subprocess.run([PROGRAM, "certs", "verify", machine.root / ENGINE], capture_output=True, text=True)
            expect(judged.stdout, "2 certificates, 0 faults\n", judged.stdout)
            expect(renew(machine, role).out[:44], "'/etc/docker/tls/cert.pem' has 364 days left")
            again = machine.run(role, *PLAIN, *words_of(role))
            expect((again.status, set(again.done) <= {"read-instance", "verify"}), (0, True), again.out)


def test_the_client_s_people_get_the_new_one():
    with Serve(3) as cloud:
        client = chain(cloud, "--keep-secrets=true")[2]
        age(cloud, client, 330, 35, CLIENT)
        done = renew(client, "client")
        expect((done.returncode, done.out), (0, "renewed '/var/lib/flocker-bootstrap/client-tls/cert.pem': the old one has 34 days left\n"))
        new = client.read(f"{CLIENT}/cert.pem")
        for home in ("root", "home/ubuntu"):
            expect([path.read_text() == new for path in (client.root / home / ".docker").rglob("cert.pem")], [True, True], home)
            seen = subprocess.run(["/usr/bin/docker", "--config", str(client.root / home / ".docker"), "info", "--format", "{{.Swarm.Nodes}}"],
                                  capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
            expect((seen.returncode, seen.stdout.strip()), (0, "2"), seen.stderr)


def test_where_the_key_is_gone_it_says_what_to_do_and_that_works():
    with Serve(3) as cloud:
        control, agent, client = chain(cloud)
        expect(CA_KEY in cloud.keys(), False)
        age(cloud, agent, 330, 35)
        before = agent.tree()
        done = renew(agent, "agent")
        expect(done.returncode, 69, done.out)
        expect_in("warning: '/etc/docker/tls/cert.pem' has 34 days left and cannot be renewed while the Docker CA's key is only on control", done.out)
        expect(agent.tree() == before, True, "what it changed")
        steps = re.findall(r"'flocker-bootstrap ([^']*)'", done.out)
        expect(steps, ["run --only=publish-docker-ca --again", "renew", "run --only=purge-secrets"])
        found = control.run("control", *PLAIN, *steps[0].split()[1:])
        expect((found.status, CA_KEY in cloud.keys()), (0, True), found.out)
        done = renew(agent, "agent")
        expect((done.returncode, served(agent)), (0, fingerprint(agent.root / ENGINE / "cert.pem")), done.out)
        found = client.run("client", *PLAIN, *steps[2].split()[1:])
        expect((found.status, CA_KEY in cloud.keys()), (0, False), found.out)
        age(cloud, agent, 400, -1)
        done = renew(agent, "agent")
        expect(done.returncode, 65, done.out)
        expect_in("cert.pem' has ended and cannot be renewed", done.out)


def test_another_cluster_s_authority_renews_nothing():
    with Serve(3) as cloud:
        control, agent, _ = chain(cloud, "--keep-secrets=true")
        age(cloud, agent, 330, 35)
        before = agent.tree()
        with temporary() as scratch:
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=flocker/OU=docker", "-days", "9",
                    "-keyout", f"{scratch}/key", "-out", f"{scratch}/cert")
            for name, target in (("key", "ca-key.pem"), ("cert", "ca.pem")):
                (control.root / "var/lib/flocker-bootstrap/docker-ca" / target).write_bytes(pathlib.Path(scratch, name).read_bytes())
            cloud.aws("s3", "rm", "--recursive", f"{STORE}/docker")
            expect(control.run("control", *PLAIN, "--only=publish-docker-ca", "--again").status, 0)
        done = renew(agent, "agent")
        expect(done.returncode, 65, done.out)
        expect_in("cannot renew '/etc/docker/tls/cert.pem' by the Docker CA at hand: ", done.out)
        expect_in("is it another cluster's?", done.out)
        expect(agent.tree() == before, True, "what it changed")


def test_the_old_one_is_put_back_if_the_engine_does_not_come_up():
    with Serve(3) as cloud:
        control = chain(cloud)[0]
        age(cloud, control, 330, 35)
        old = {name: control.read(f"{ENGINE}/{name}.pem") for name in ("ca", "cert", "key")}
        config = control.root / "etc/docker/daemon.json"
        config.write_text(config.read_text().replace("{", '{"no-such-directive": 1,', 1))
        done = renew(control, "control")
        expect(done.returncode, 74, done.out)
        expect_in("cannot restart 'docker.service': its job ended as 'failed'", done.out)
        expect({name: control.read(f"{ENGINE}/{name}.pem") for name in old}, old)
        expect((control.root / ENGINE / "key.pem").stat().st_mode & 0o777, 0o600)


def test_a_machine_that_was_not_bootstrapped():
    with Serve(1) as cloud:
        done = renew(cloud.machines[0], "control")
        expect(done.returncode, 66)
        expect_in("cannot renew: this machine has not been bootstrapped", done.out)


def test_a_boot_with_an_address_that_the_certificate_lacks():
    """With the authority's key it is minted anew; without, the members' private addresses serve, and someone is told."""
    for kept in ("true", "false"):
        with Serve(3) as cloud:
            control, agent, _ = chain(cloud, f"--keep-secrets={kept}")
            for machine, role, can in ((control, "control", True), (agent, "agent", kept == "true")):
                age(cloud, machine, 10, 355, without="ec2.internal")
                found = machine.run(role, *PLAIN, *words_of(role))
                expect(found.status, 0, found.out)
                expect("mint-docker-cert" in found.done, can, found.out)
                if not can:
                    expect_in(f"does not cover ip-{machine.address.replace('.', '-')}.ec2.internal (354 days left), and the Docker CA's key is not "
                              "in the store: 'flocker-bootstrap renew' says", found.out)
                expect(served(machine) == fingerprint(machine.root / ENGINE / "cert.pem"), can)


if __name__ == "__main__":
    main(globals())
