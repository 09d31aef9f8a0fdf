"""`flocker-bootstrap certs`, judged by openssl, by GnuTLS's certtool, and by handshakes after Flocker's rules."""

import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import types

from servers import die_with_parent, free_port
from tap import expect, expect_in, main

PROGRAM = os.environ["PROGRAM"]


def run(*words, text=None, **environment):
    done = subprocess.run([PROGRAM, "certs", *map(str, words)], capture_output=True, text=True, timeout=100, input=text,
                          env=environment)
    return types.SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


def tool(*words, wanted=0, text=None):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60, input=text)
    if wanted is not None and (done.returncode == 0) != (wanted == 0):
        raise AssertionError(f"{' '.join(map(str, words))}: {done.returncode} {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout + done.stderr


@contextlib.contextmanager
def setup():
    """One set for 2 agents, made once: its keys serve the tests that need sets of their own."""
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        made = run("create", "--cluster=prod", "--control=10.0.0.1", "--agents=2", f"--out={top}/set")
        expect((made.status, made.err.count("made ")), (0, 10), made.err)
        (top / "keys").mkdir()
        for number, path in enumerate(sorted(list(top.glob("set/**/*.key")) + list(top.glob("set/**/*key.pem")))):
            shutil.copy(path, top / "keys" / f"{number:02}.pem")
        nodes = {n: next(p.stem for p in (top / f"set/flocker/nodes/{n}").glob("*.crt") if p.stem != "plugin") for n in (1, 2)}
        yield types.SimpleNamespace(top=top, set=top / "set", flocker=top / "set/flocker", docker=top / "set/docker",
                                    keys=top / "keys", nodes=nodes, made=made, count=iter(range(1000)))


def another(fixture, *words):
    """A further set from the same keys: quick."""
    out = fixture.top / f"set-{next(fixture.count)}"
    made = run("create", "--cluster=prod", "--control=10.0.0.1", "--agents=2", f"--out={out}", f"--keys={fixture.keys}", *words)
    expect(made.status, 0, made.err)
    return out


def text_of(path):
    return tool("openssl", "x509", "-in", path, "-noout", "-text", "-nameopt", "RFC2253")


def test_the_files_are_those_of_flocker_ca_and_docker(f):
    found = {str(p.relative_to(f.set)) for p in f.set.rglob("*") if p.is_file()}
    wanted = {"flocker/cluster.crt", "flocker/cluster.key", "flocker/control-10.0.0.1.crt", "flocker/control-10.0.0.1.key",
              "flocker/user1.crt", "flocker/user1.key", "docker/ca.pem", "docker/ca-key.pem"}
    for n, uuid in f.nodes.items():
        wanted |= {f"flocker/nodes/{n}/{name}.{kind}" for name in (uuid, "plugin") for kind in ("crt", "key")}
    for role in ("control", "client"):
        wanted |= {f"docker/{role}/{name}.pem" for name in ("ca", "cert", "key")}
    expect(found, wanted)
    expect({oct(p.stat().st_mode & 0o7777) for p in f.set.rglob("*") if p.is_file()}, {"0o600"})
    expect({oct(p.stat().st_mode & 0o7777) for p in [f.set, *f.set.rglob("*")] if p.is_dir()}, {"0o700"})


def test_openssl_verifies_every_chain(f):
    ca = f.flocker / "cluster.crt"
    for path in [ca, f.flocker / "control-10.0.0.1.crt", f.flocker / "user1.crt"]:
        tool("openssl", "verify", "-CAfile", ca, path)
    for n, uuid in f.nodes.items():
        tool("openssl", "verify", "-CAfile", ca, f.flocker / f"nodes/{n}/{uuid}.crt", f.flocker / f"nodes/{n}/plugin.crt")
    for role in ("control", "client"):
        tool("openssl", "verify", "-x509_strict", "-CAfile", f.docker / "ca.pem", f.docker / role / "cert.pem")
    tool("openssl", "verify", "-x509_strict", "-CAfile", f.docker / "ca.pem", f.docker / "ca.pem")
    tool("openssl", "verify", "-purpose", "sslserver", "-verify_ip", "10.0.0.1", "-CAfile", f.docker / "ca.pem", f.docker / "control/cert.pem")
    tool("openssl", "verify", "-purpose", "sslserver", "-CAfile", ca, f.flocker / "user1.crt", wanted=1)
    tool("openssl", "verify", "-purpose", "sslserver", "-CAfile", f.docker / "ca.pem", f.docker / "client/cert.pem", wanted=1)


def test_gnutls_verifies_every_chain(f):
    for ca, leaf in ((f.flocker / "cluster.crt", f.flocker / "control-10.0.0.1.crt"),
                     (f.flocker / "cluster.crt", f.flocker / f"nodes/1/{f.nodes[1]}.crt"),
                     (f.docker / "ca.pem", f.docker / "control/cert.pem"), (f.docker / "ca.pem", f.docker / "client/cert.pem")):
        chain = leaf.read_text() + ca.read_text()
        expect_in("Chain verification output: Verified.", tool("certtool", "--verify-chain", text=chain))
        expect_in("Chain verification output: Verified.", tool("certtool", "--verify", "--load-ca-certificate", ca, "--infile", leaf))


def test_the_profiles_of_flocker(f):
    ca, control = text_of(f.flocker / "cluster.crt"), text_of(f.flocker / "control-10.0.0.1.crt")
    node, user = text_of(f.flocker / f"nodes/1/{f.nodes[1]}.crt"), text_of(f.flocker / "user1.crt")
    uuid = re.search(r"Subject: OU=([0-9a-f-]{36}),CN=prod", ca).group(1)
    expect([line.strip() for line in ca.splitlines() if line.strip().startswith("X509v3") and line.strip()[-1] in ":l" and "extensions" not in line],
           ["X509v3 Basic Constraints: critical", "X509v3 Key Usage: critical", "X509v3 Subject Key Identifier:", "X509v3 Authority Key Identifier:"])
    for part in ("CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Version: 3", "Public-Key: (4096 bit)", "sha256WithRSAEncryption"):
        expect_in(part, ca)
    expect_in(f"Subject: OU={uuid},CN=control-service", control)
    expect_in("DNS:control-service, IP Address:10.0.0.1", control)
    expect_in(f"Subject: OU={uuid},CN=node-{f.nodes[1]}", node)
    expect("X509v3" in node, False, "extensions of a node's certificate")
    expect_in("Version: 3", node)
    expect_in(f"Subject: OU={uuid},CN=user-user1", user)
    expect_in("TLS Web Client Authentication", user)
    expect_in(f"CN=user-plugin", text_of(f.flocker / "nodes/1/plugin.crt"))


def test_the_profiles_of_docker(f):
    control, client = text_of(f.docker / "control/cert.pem"), text_of(f.docker / "client/cert.pem")
    expect_in("IP Address:10.0.0.1, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:localhost", control)
    expect_in("TLS Web Client Authentication, TLS Web Server Authentication", control)
    expect_in("prime256v1", control)
    expect_in("CA:FALSE", control)
    expect("Server Authentication" in client, False)


def test_dates_and_serials(f):
    now = time.time()
    for path, days in ((f.flocker / "cluster.crt", 7300), (f.flocker / "user1.crt", 7300), (f.docker / "ca.pem", 3650), (f.docker / "client/cert.pem", 365)):
        found = json.loads(run("show", "--json", path).out)[0]
        begin, end = (time.mktime(time.strptime(found[k], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone for k in ("not_before", "not_after"))
        expect(abs(now - 3600 - begin) < 120, True, "an hour back")
        expect(end - begin, days * 86400)
        expect(len(found["serial"]), 32)
    serials = {found["serial"] for found in json.loads(run("show", "--json", f.set).out)}
    expect(len(serials), 10, "different serials")
    expect_in("UTCTIME", tool("openssl", "asn1parse", "-in", f.flocker / "cluster.crt"))


def test_keys_are_pkcs8_and_fit(f):
    for key in f.set.rglob("*"):
        if key.name.endswith("key.pem") or key.suffix == ".key":
            expect(key.read_text().splitlines()[0], "-----BEGIN PRIVATE KEY-----")
            tool("openssl", "pkey", "-in", key, "-check", "-noout")


def test_show_agrees_with_openssl(f):
    path = f.docker / "control/cert.pem"
    found = json.loads(run("show", "--json", path).out)[0]
    expect_in(found["fingerprint_sha256"], tool("openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"))
    expect_in(found["serial"], tool("openssl", "x509", "-in", path, "-noout", "-serial"))
    expect(found["names"], ["IP:10.0.0.1", "IP:127.0.0.1", "IP:::1", "DNS:localhost"])
    person = run("show", "-", text=path.read_text()).out
    expect_in("kind         Docker engine", person)
    expect_in("(364 days left)", person)


@contextlib.contextmanager
def tls_server(certificate, key, ca):
    port = free_port()
    process = subprocess.Popen(["openssl", "s_server", "-accept", str(port), "-cert", certificate, "-key", key, "-CAfile", ca,
                                "-Verify", "1", "-verify_return_error", "-www", "-naccept", "20"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def shake(port, ca, *words):
    return tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca, "-verify_return_error", "-ign_eof", *words,
                wanted=None, text="GET / HTTP/1.0\r\n\r\n")


def test_handshakes_after_flockers_rules(f):
    ca, one = f.flocker / "cluster.crt", f.flocker / f"nodes/1/{f.nodes[1]}"
    with tls_server(f.flocker / "control-10.0.0.1.crt", f.flocker / "control-10.0.0.1.key", ca) as port:
        node = shake(port, ca, "-verify_hostname", "control-service", "-cert", f"{one}.crt", "-key", f"{one}.key")
        expect_in("HTTP/1.0 200 ok", node)
        expect_in("HTTP/1.0 200 ok", shake(port, ca, "-verify_hostname", "control-service", "-cert", f.flocker / "user1.crt", "-key", f.flocker / "user1.key"))
        expect("200 ok" in shake(port, ca, "-verify_hostname", "another", "-cert", f"{one}.crt", "-key", f"{one}.key"), False)
        expect("200 ok" in shake(port, ca), False, "without a certificate")
        expect("200 ok" in shake(port, ca, "-cert", f.docker / "client/cert.pem", "-key", f.docker / "client/key.pem"), False, "of another authority")
    with tls_server(f.flocker / "user1.crt", f.flocker / "user1.key", ca) as port:
        expect("200 ok" in shake(port, ca, "-cert", f"{one}.crt", "-key", f"{one}.key"), False, "a user as a server")


def test_handshakes_of_docker(f):
    ca = f.docker / "ca.pem"
    with tls_server(f.docker / "control/cert.pem", f.docker / "control/key.pem", ca) as port:
        client = ("-cert", f.docker / "client/cert.pem", "-key", f.docker / "client/key.pem")
        expect_in("200 ok", shake(port, ca, "-verify_ip", "10.0.0.1", *client))
        expect_in("200 ok", shake(port, ca, "-verify_hostname", "localhost", *client))
        expect("200 ok" in shake(port, ca, "-verify_ip", "10.0.0.2", *client), False)


def test_a_good_set_has_no_fault(f):
    done = run("verify", f.set)
    expect((done.status, done.out), (0, "12 certificates, 0 faults\n"))
    expect(json.loads(run("verify", "--json", f.set).out), {"certificates": 12, "faults": []})


def test_installed_folders_are_understood(f):
    etc = f.top / "etc-flocker"
    etc.mkdir(mode=0o700)
    for name, source in (("cluster.crt", "cluster.crt"), ("node.crt", f"nodes/1/{f.nodes[1]}.crt"), ("node.key", f"nodes/1/{f.nodes[1]}.key"),
                         ("plugin.crt", "nodes/1/plugin.crt"), ("plugin.key", "nodes/1/plugin.key")):
        shutil.copy(f.flocker / source, etc / name)
    expect(run("verify", etc).out, "3 certificates, 0 faults\n")
    expect(run("verify", f.docker / "client").out, "2 certificates, 0 faults\n")


def fault(f, change, *sentences, words=()):
    copy = f.top / f"bad-{next(f.count)}"
    shutil.copytree(f.set, copy)
    change(copy)
    done = run("verify", copy, *words)
    expect(done.status, 65, done.out + done.err)
    for sentence in sentences:
        expect_in(sentence, done.out)


def test_each_fault_is_named(f):
    fault(f, lambda c: shutil.copy(c / "flocker/user1.key", c / "flocker/cluster.key"), "cluster.key' is not this certificate's")
    fault(f, lambda c: (c / "flocker/user1.key").unlink(), "user1.crt: its private key is not beside it")
    fault(f, lambda c: os.chmod(c / "docker/ca-key.pem", 0o644), "ca-key.pem: mode 0644 lets others at a private key; chmod 0600 it")
    fault(f, lambda c: (c / "docker/ca-key.pem").write_text("nonsense"), "it is no private key in PEM")
    fault(f, lambda c: None, "it expired at 2027-", "renew it with 'certs renew'", words=("--at=2030-01-01T00:00:00Z",))
    fault(f, lambda c: None, "it is not valid before", words=("--at=2020-01-01T00:00:00Z",))


def faults(folder):
    """What verify finds: (the path below the folder, the sentence without that path) of each."""
    done = run("verify", "--json", folder)
    found = json.loads(done.out)["faults"]
    expect(done.status, 65 if found else 0, done.err)
    return [(str(pathlib.Path(one["path"]).relative_to(folder)), one["fault"]) for one in found]


def test_a_file_that_cannot_be_read_is_one_fault_among_others(f):
    copy = f.top / "damaged"
    shutil.copytree(f.set, copy)
    (copy / "flocker/user1.crt").write_text("nonsense")
    (copy / "docker/client/cert.pem").write_bytes((f.docker / "client/cert.pem").read_bytes()[:300])
    os.chmod(copy / "docker/ca-key.pem", 0o644)
    found = faults(copy)
    expect([path for path, _ in found], ["docker/client/cert.pem", "flocker/user1.crt", "docker/ca.pem"], found)
    expect_in("it is no certificate in PEM (bad end line); put the right one there, with its key, or make it anew", found[0][1])
    expect_in("\n10 certificates, 3 faults\n", run("verify", copy).out)
    expect_in("it is no certificate in PEM", run("verify", copy / "flocker/user1.crt").out)


def test_a_damaged_authority_is_one_fault(f):
    copy = f.top / "damaged-authority"
    shutil.copytree(f.set, copy)
    (copy / "flocker/cluster.crt").write_text("")
    found = faults(copy)
    expect([path for path, _ in found], ["flocker/cluster.crt"], found)


def test_what_a_set_lacks_is_named(f):
    def lost(*paths):
        copy = f.top / f"lost-{next(f.count)}"
        shutil.copytree(f.set, copy)
        for path in paths:
            shutil.rmtree(copy / path) if (copy / path).is_dir() else (copy / path).unlink()
        return [(path, sentence) for path, sentence in faults(copy) if "missing" in sentence]

    node, what = f.nodes[1], "is missing; put it back, with its key, or make a new set with 'certs create'"
    for gone, path, name in ((("flocker/nodes/1/plugin.crt", "flocker/nodes/1/plugin.key"), "flocker/nodes/1", "plugin.crt"),
                             ((f"flocker/nodes/1/{node}.crt", f"flocker/nodes/1/{node}.key"), "flocker/nodes/1", "<uuid>.crt"),
                             (("flocker/cluster.crt",), "flocker", "cluster.crt"),
                             (("flocker/control-10.0.0.1.crt", "flocker/control-10.0.0.1.key"), "flocker", "control-<host>.crt"),
                             (("flocker/user1.crt", "flocker/user1.key"), "flocker", "<user>.crt"),
                             (("flocker/nodes",), "flocker", "nodes/"),
                             (("flocker/nodes/1",), "flocker/nodes", "1/"),
                             (("docker/ca.pem",), "docker", "ca.pem"),
                             (("docker/client/ca.pem",), "docker/client", "ca.pem"),
                             (("docker/control/cert.pem",), "docker/control", "cert.pem"),
                             (("docker/client",), "docker", "client/"),
                             (("docker/control",), "docker", "control/")):
        found = lost(*gone)
        expect([one for one, _ in found], [path], f"{gone} {found}")
        expect_in(f"{path}: {name} {what}", found[0][1])
    found = lost("flocker/nodes/2/plugin.crt", "flocker/nodes/2/plugin.key", f"flocker/nodes/2/{f.nodes[2]}.crt", f"flocker/nodes/2/{f.nodes[2]}.key")
    expect([path for path, _ in found], ["flocker/nodes/2"] * 2, found)


def test_what_an_installed_folder_lacks_is_named(f):
    etc = f.top / "etc-lacking"
    etc.mkdir(mode=0o700)
    shutil.copy(f.flocker / "cluster.crt", etc / "cluster.crt")
    for kind in ("crt", "key"):
        shutil.copy(f.flocker / f"nodes/1/{f.nodes[1]}.{kind}", etc / f"node.{kind}")
    expect_in("plugin.crt is missing", faults(etc)[0][1])
    for kind in ("crt", "key"):
        (etc / f"node.{kind}").unlink()
        shutil.copy(f.flocker / f"nodes/1/plugin.{kind}", etc)
    expect_in("node.crt is missing", faults(etc)[0][1])
    for kind in ("crt", "key"):
        shutil.copy(f.flocker / f"control-10.0.0.1.{kind}", etc / f"control-service.{kind}")
    expect(faults(etc), [], "a control service needs no node's certificate")


def test_a_certificate_of_another_cluster_is_named(f):
    other = another(f)
    fault(f, lambda c: shutil.copy(other / "flocker/control-10.0.0.1.crt", c / "flocker/control-10.0.0.1.crt"),
          "control-10.0.0.1.crt: no authority of this set issued it", "is it of another cluster?")
    expect_in("made.crt: its cluster is 6ba7b810-9dad-41d1-80b4-00c04fd430c8, its authority's",
              make_bad(f, "extendedKeyUsage=clientAuth", "/CN=user-x/OU=6ba7b810-9dad-41d1-80b4-00c04fd430c8"))
    own = f.top / "own"
    own.mkdir(mode=0o700)
    tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=stranger", "-keyout", own / "x.key", "-out", own / "x.crt")
    fault(f, lambda c: shutil.copy(f.docker / "control/cert.pem", c / "flocker/user1.crt"), "the key in")
    shutil.copy(f.docker / "client/cert.pem", own / "cert.pem")
    done = run("verify", own)
    expect_in("no authority of this set issued it (it says 'CN=prod, OU=docker'); is it of another cluster?", done.out)


def make_bad(f, extensions, subject="/CN=user-x/OU=", authority="flocker"):
    """A leaf that openssl signs with our authority, with extensions that ours would not have."""
    copy = f.top / f"made-{next(f.count)}"
    shutil.copytree(f.set, copy)
    ca, key = (("flocker/cluster.crt", "flocker/cluster.key") if authority == "flocker" else ("docker/ca.pem", "docker/ca-key.pem"))
    uuid = re.search(r"OU=([0-9a-f-]{36})", text_of(f.flocker / "cluster.crt")).group(1)
    if subject.endswith("OU="):
        subject += uuid
    (copy / "ext").write_text(extensions)
    tool("openssl", "req", "-new", "-key", f.flocker / "user1.key", "-subj", subject, "-out", copy / "csr")
    tool("openssl", "x509", "-req", "-in", copy / "csr", "-CA", copy / ca, "-CAkey", copy / key, "-set_serial", "0x1234", "-days", "10",
         "-extfile", copy / "ext", "-out", copy / "flocker/made.crt")
    shutil.copy(f.flocker / "user1.key", copy / "flocker/made.key")
    done = run("verify", copy)
    expect(done.status, 65, done.out)
    return done.out


def test_wrong_usages_are_named(f):
    expect_in("a user's certificate could serve as a server's", make_bad(f, "extendedKeyUsage=clientAuth,serverAuth"))
    expect_in("its alternative names lack DNS:control-service", make_bad(f, "subjectAltName=DNS:other", "/CN=control-service/OU="))
    expect_in("Docker takes no name from the CN", make_bad(f, "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth,serverAuth", "/CN=10.0.0.1", "docker"))
    expect_in("is no certificate of a Flocker or Docker cluster", make_bad(f, "extendedKeyUsage=clientAuth", "/CN=somebody/OU="))


def test_a_name_is_shown_whole(f):
    """A NUL does not end it, and no control character reaches the terminal."""
    folder = f.top / "nul"
    folder.mkdir()
    name = b"control-service\0.evil\x1b[31m"
    san = ":".join(f"{byte:02x}" for byte in bytes([0x30, len(name) + 2, 0x82, len(name)]) + name)
    tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "a.key", "-out", folder / "a.crt",
         "-subj", "/CN=control-service/OU=11111111-2222-3333-4444-555555555555",
         "-addext", f"subjectAltName=DER:{san}", "-addext", "basicConstraints=CA:FALSE")
    expect(json.loads(run("show", "--json", folder / "a.crt").out)[0]["names"],
           ["DNS:control-service\\00.evil\\1B[31m"])
    expect_in("its alternative names lack DNS:control-service", run("verify", folder).out)


def test_renewing_renews_what_is_due_and_nothing_else(f):
    copy = another(f)
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    done = run("renew", copy)
    expect(done.out, "0 renewed, 12 not due, 0 cannot be renewed here\n")
    done = run("renew", copy, "--before=366d", "--dry-run")
    expect_in("2 would be renewed, 10 not due", done.out)
    expect({p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}, before)
    done = run("renew", copy, "--before=366d")
    expect(done.status, 0, done.out + done.err)
    changed = {str(p.relative_to(copy)) for p, content in before.items() if p.read_bytes() != content}
    expect(changed, {"docker/control/cert.pem", "docker/client/cert.pem"})
    expect(run("verify", copy).status, 0)
    new, old = (json.loads(run("show", "--json", s / "docker/control/cert.pem").out)[0] for s in (copy, f.set))
    expect(new["serial"] != old["serial"], True)
    expect((new["names"], new["usages"], new["kind"]), (old["names"], old["usages"], old["kind"]))
    tool("openssl", "verify", "-x509_strict", "-CAfile", copy / "docker/ca.pem", copy / "docker/control/cert.pem")


def test_without_the_authoritys_key_renewing_says_where_to_go(f):
    done = run("renew", f.docker / "client", "--before=366d")
    expect(done.status, 69)
    expect_in("client/cert.pem: 364 days left; cannot renew it here: the key of", done.out)
    expect_in("is not beside it; run this where it is", done.out)
    done = run("renew", f.set, "--before=18446744073709551615us", "--dry-run")
    expect_in(" 0 not due", done.out)
    done = run("renew", f.set, "--before=4000d")
    expect_in("it is an authority; make a new set with 'certs create'", done.out)


def test_an_authoritys_key_under_a_passphrase(f):
    phrase = f.top / "phrase"
    phrase.write_text("correct horse\nsecond line\n")
    out = another(f, f"--ca-passphrase-file={phrase}")
    for path in (out / "docker/ca-key.pem", out / "flocker/cluster.key"):
        expect(path.read_text().splitlines()[0], "-----BEGIN ENCRYPTED PRIVATE KEY-----")
        shown = tool("openssl", "asn1parse", "-in", path)
        expect_in("aes-256-cbc", shown)
        tool("openssl", "pkey", "-in", path, "-noout", "-passin", "pass:correct horse")
        tool("openssl", "pkey", "-in", path, "-noout", "-passin", "pass:wrong", wanted=1)
    expect(run("verify", out, f"--ca-passphrase-file={phrase}").status, 0)
    expect_in("the key is encrypted, and no passphrase was given", run("verify", out).out)
    phrase.write_text("wrong one\n")
    expect_in("the passphrase does not fit", run("verify", out, f"--ca-passphrase-file={phrase}").out)


def test_given_keys_are_used_once(f):
    out = another(f)
    used = [tool("openssl", "pkey", "-in", p, "-pubout") for p in out.rglob("*") if p.suffix == ".key" or p.name.endswith("key.pem")]
    expect(len(set(used)), 10)
    few = f.top / "few"
    few.mkdir()
    shutil.copy(sorted(f.keys.iterdir())[0], few)
    def attempt(keys):
        return run("create", "--cluster=c", "--control=h", "--agents=1", f"--out={f.top}/never", f"--keys={keys}")
    done = attempt(few)
    expect((done.status, (f.top / "never").exists()), (66, False))
    expect_in(f"cannot use the keys in '{few}': ", done.err)
    twice = f.top / "twice"
    shutil.copytree(f.keys, twice)
    shutil.copy(twice / "00.pem", twice / "000.pem")
    expect_in("it is the same key as", attempt(twice).err)
    (twice / "000.pem").write_text((f.keys / "00.pem").read_text() + (f.keys / "01.pem").read_text())
    expect_in("000.pem': it holds more than one private key", attempt(twice).err)
    (twice / "000.pem").write_text("junk")
    expect_in("000.pem': it is no private key in PEM", attempt(twice).err)
    tool("openssl", "genrsa", "-out", twice / "000.pem", "2048")
    expect_in("its key is RSA 2048; expected RSA 4096 or ECDSA prime256v1", attempt(twice).err)


def test_an_existing_set_is_never_overwritten(f):
    before = {p: p.read_bytes() for p in f.set.rglob("*") if p.is_file()}
    done = run("create", "--cluster=c", "--control=h", "--agents=0", f"--out={f.set}", f"--keys={f.keys}")
    expect(done.status, 73)
    expect_in(f"cannot make '{f.set}': it is there and not empty", done.err)
    expect({p: p.read_bytes() for p in f.set.rglob("*") if p.is_file()}, before)


def test_a_killed_create_leaves_nothing_but_its_staging(f):
    out = f.top / "killed"
    process = subprocess.Popen([PROGRAM, "certs", "create", "--cluster=c", "--control=h", "--agents=9", f"--out={out}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    process.kill()
    process.wait()
    expect(out.exists(), False)
    done = run("create", "--cluster=c", "--control=h", "--agents=0", f"--out={out}", f"--keys={f.keys}")
    expect(done.status, 0, done.err)
    expect([p.name for p in f.top.iterdir() if p.name.startswith(".killed")], [])


def test_a_terminal_sees_one_line_grow(f):
    out = f.top / "on-terminal"
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, "certs", "create", "--cluster=c", "--control=h", "--agents=0", f"--out={out}", f"--keys={f.keys}"],
                               stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: the other end has been closed
        while part := os.read(ours, 4096):
            seen += part
    os.close(ours)
    expect(process.wait(20), 0)
    lines = seen.split(b"\r\x1b[K")
    expect((len(lines), lines[0], lines[-1], seen.count(b"\n")), (8, b"", b"", 0), seen)
    expect(all(re.match(rb"key \d of 6 after [\d.]+ m?s: (docker|flocker)/", line) for line in lines[1:-1]), True, seen)


def test_an_interrupted_create_leaves_nothing(f):
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        out = f.top / f"interrupted-{sent}"
        process = subprocess.Popen([PROGRAM, "certs", "create", "--cluster=c", "--control=h", "--agents=9", f"--out={out}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not list(f.top.glob(f".{out.name}.*/docker/client/key.pem")):
            time.sleep(0.02)
        process.send_signal(sent)
        printed, said = process.communicate(timeout=20)
        expect((process.returncode, printed), (-sent, ""), said)
        expect(said.splitlines()[-1], f"flocker-bootstrap certs create: cannot make '{out}': interrupted; nothing of it is left")
        expect([p.name for p in f.top.iterdir() if out.name in p.name], [])


def test_a_hangup_that_is_ignored_interrupts_nothing(f):
    out = f.top / "nohup"
    done = subprocess.run(["sh", "-c", f"trap '' HUP; {PROGRAM} certs create --cluster=c --control=h --agents=0 --components=flocker --out={out} & "
                           "sleep 0.2; kill -HUP $!; wait $!"], capture_output=True, text=True, timeout=50)
    expect((done.returncode, out.exists()), (0, True), done.stderr)


def test_components_and_key_kinds(f):
    out = f.top / "docker-only"
    done = run("create", "--cluster=c", "--control=host.example", "--agents=0", f"--out={out}", "--components=docker", "--docker-key=rsa-4096", f"--keys={f.keys}")
    expect(done.status, 0, done.err)
    expect((out / "flocker").exists(), False)
    shown = text_of(out / "control/cert.pem" if (out / "control").exists() else out / "docker/control/cert.pem")
    for part in ("4096 bit", "DNS:host.example", "Digital Signature, Key Encipherment"):
        expect_in(part, shown)


def test_hostile_files_are_named_and_nothing_hangs(f):
    bad = f.top / "hostile"
    bad.mkdir()
    good = (f.docker / "ca.pem").read_bytes()
    for content, sentence in ((b"", "it is empty"), (b"\0\1\2" * 100, "it is no certificate in PEM"), (good[:300], "it is no certificate in PEM"),
                              (good + good, "it holds more than one certificate"), (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it is no certificate in PEM"),
                              (b"x" * 300000, "it has more than 262144 bytes"), (good[:200] + b"!" + good[201:], "it is no certificate in PEM")):
        (bad / "x.pem").write_bytes(content)
        judged, shown = run("verify", bad), run("show", bad)
        expect((judged.status, judged.err, shown.status), (65, "", 65), judged.out + shown.err)
        for told in (judged.out, shown.err):
            expect_in("x.pem", told)
            expect_in(sentence, told)
        expect_in("\n0 certificates, 1 fault\n", judged.out)
    (bad / "x.pem").unlink()
    os.mkfifo(bad / "x.pem")
    expect_in("expected a regular file", run("show", bad).err)
    expect_in("No such file or directory", run("show", f.top / "absent").err)
    (bad / "x.pem").unlink()
    expect_in("cannot find a certificate in", run("show", bad).err)


def test_wrong_words_are_named(f):
    for words, status, sentence in ((("create",), 64, "cannot go without '--cluster=NAME'"), (("crate",), 64, "did you mean 'create'?"), ((), 64, "expected a command"),
                                    (("show",), 64, "expected FILE|DIR…, and got 0"), (("verify", "a", "b"), 64, "expected DIR, and got 2"),
                                    (("renew", "x", "--before=soon"), 64, "expected a time like 90s, 12h or 30d"),
                                    (("create", "--cluster=c", "--control=a/b", "--agents=1", "--out=x"), 64, "expected an IP address or a DNS name"),
                                    (("create", "--cluster=c", "--control=a b", "--agents=0", f"--out={f.top}/y", f"--keys={f.keys}"), 64, "cannot certify the name 'a b'"),
                                    (("create", "--cluster=" + "c" * 65, "--control=h", "--agents=0", f"--out={f.top}/y", f"--keys={f.keys}"), 64, "a subject's names have 1 to 64 characters"),
                                    (("create", "--cluster=c", "--control=h", "--agents=0", "--out=/nonexistent/x", f"--keys={f.keys}"), 66, "cannot open folder '/nonexistent'"),
                                    (("verify", f.set, "--at=tomorrow"), 64, "expected a time like 2027")):
        done = run(*words)
        expect(done.status, status, f"{words} {done.err}")
        sentences = [line for line in done.err.splitlines() if not line.startswith("made ")]
        expect(len(sentences), 1, done.err)
        expect_in(sentence, sentences[0])
    expect((f.top / "y").exists(), False)


def test_a_full_disk_leaves_nothing(f):
    mounted = f.top / "small"
    mounted.mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=12k none {mounted} && "
                           f"{PROGRAM} certs create --cluster=c --control=h --agents=2 --out={mounted}/out --keys={f.keys}; echo $?; ls -A {mounted}"],
                          capture_output=True, text=True, timeout=60)
    expect(done.stdout, "74\n", done.stderr)
    expect_in("No space left on device", done.stderr)


def test_the_hosts_openssl_configuration_is_not_read(f):
    hostile = f.top / "hostile.cnf"
    hostile.write_text("openssl_conf = x\n[x]\nproviders = p\n[p]\nevil = e\n[e]\nactivate = 1\nmodule = /nonexistent.so\n")
    trace = f.top / "trace"
    done = subprocess.run(["strace", "-f", "-e", "trace=open,openat", "-o", trace, PROGRAM, "certs", "verify", f.docker / "client"],
                          capture_output=True, text=True, timeout=60, env={"OPENSSL_CONF": str(hostile)})
    expect(done.returncode, 0, done.stderr)
    for part in (".cnf", ".so", "nsswitch", "gconv", "locale"):
        expect(part in trace.read_text(), False, f"{part} opened")


if __name__ == "__main__":
    main(globals())
