"""Sets that look right and are not: what openssl signed, moved or weakened, and names that cannot be certified."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import types

from tap import expect, expect_in, main

PROGRAM = os.environ["PROGRAM"]


def run(*words):
    done = subprocess.run([PROGRAM, "certs", *map(str, words)], capture_output=True, text=True, timeout=100)
    return types.SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60, check=True).stdout


@contextlib.contextmanager
def setup():
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        made = run("create", "--cluster=prod", "--control=10.0.0.1", "--agents=1", f"--out={top}/set")
        expect(made.status, 0, made.err)
        (top / "keys").mkdir()
        for number, path in enumerate([*top.glob("set/**/*.key"), *top.glob("set/**/*key.pem")]):
            shutil.copy(path, top / "keys" / f"{number:02}.pem")
        node = next(p for p in (top / "set/flocker/nodes/1").glob("*.crt") if p.stem != "plugin").relative_to(top / "set")
        unit = re.search(r"OU ?= ?([0-9a-f-]{36})", openssl("x509", "-in", top / "set/flocker/cluster.crt", "-noout", "-subject")).group(1)
        yield types.SimpleNamespace(top=top, set=top / "set", keys=top / "keys", node=node, unit=unit, count=iter(range(1000)))


def copy_of(f):
    copy = f.top / f"copy-{next(f.count)}"
    shutil.copytree(f.set, copy)
    return copy


def judged(folder, *sentences):
    """As many faults as sentences, and no other."""
    done = run("verify", folder)
    expect(done.status, 65 if sentences else 0, done.out + done.err)
    expect(len(done.out.splitlines()), len(sentences) + 1, done.out)
    for sentence in sentences:
        expect_in(sentence, done.out)


def put(source, target):
    """A certificate with its key."""
    shutil.copy(source, target)
    if target.suffix == ".crt":
        shutil.copy(source.with_suffix(".key"), target.with_suffix(".key"))
    else:
        shutil.copy(source.with_name("key.pem"), target.with_name("key.pem"))


def sign(f, copy, target, subject, *words):
    """A Docker leaf by openssl, from the client's key."""
    key = f.set / "docker/client/key.pem"
    openssl("req", "-new", "-key", key, "-subj", subject, "-out", f.top / "csr")
    (f.top / "ext").write_text("extendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n"
                               "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
    openssl("x509", "-req", *words, "-in", f.top / "csr", "-CA", f.set / "docker/ca.pem", "-CAkey", f.set / "docker/ca-key.pem",
            "-set_serial", "0x1234", "-days", "9", "-extfile", f.top / "ext", "-out", copy / target)


def test_a_leaf_that_signed_itself_is_no_authority(f):
    copy = copy_of(f)
    openssl("req", "-x509", "-key", f.set / "flocker/user1.key", "-days", "9", "-subj", f"/CN=control-service/OU={f.unit}",
            "-addext", "subjectAltName=DNS:control-service,IP:10.0.0.1", "-addext", "basicConstraints=CA:FALSE",
            "-out", copy / "flocker/control-10.0.0.1.crt")
    shutil.copy(f.set / "flocker/user1.key", copy / "flocker/control-10.0.0.1.key")
    judged(copy, "control-10.0.0.1.crt: it signed itself, and is no authority")


def test_an_authority_that_only_names_itself(f):
    """Its issuer is called as it is, and is another key."""
    copy = copy_of(f)
    sign_with = f.set / "flocker/user1.key"
    openssl("req", "-new", "-key", f.set / "docker/ca-key.pem", "-subj", "/CN=prod/OU=docker", "-out", f.top / "csr")
    openssl("req", "-x509", "-key", sign_with, "-subj", "/CN=prod/OU=docker", "-days", "9", "-out", f.top / "other.pem")
    (f.top / "ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n")
    openssl("x509", "-req", "-in", f.top / "csr", "-CA", f.top / "other.pem", "-CAkey", sign_with, "-set_serial", "0x12", "-days", "9",
            "-extfile", f.top / "ext", "-out", copy / "docker/ca.pem")
    expect_in("docker/ca.pem: it names itself as its authority, and its signature is not by that authority's key", run("verify", copy).out)


def test_certificates_in_each_others_places(f):
    etc = f.top / "etc-flocker"
    etc.mkdir(mode=0o700)
    shutil.copy(f.set / "flocker/cluster.crt", etc)
    put(f.set / f.node, etc / "node.crt")
    put(f.set / "flocker/nodes/1/plugin.crt", etc / "plugin.crt")
    put(f.set / "flocker/control-10.0.0.1.crt", etc / "control-service.crt")
    judged(etc)
    put(f.set / "flocker/user1.crt", etc / "node.crt")
    put(f.set / f.node, etc / "plugin.crt")
    put(f.set / f.node, etc / "control-service.crt")
    judged(etc, "node.crt: it is a certificate of kind flocker-user ('CN=user-user1,", "plugin.crt: it is a certificate of kind flocker-node",
           "control-service.crt: it is a certificate of kind flocker-node")


def test_a_client_in_the_place_of_an_engine(f):
    copy = copy_of(f)
    put(f.set / "docker/client/cert.pem", copy / "docker/control/cert.pem")
    judged(copy, "docker/control/cert.pem: it is a certificate of kind docker-client ('CN=client') in the place of one of kind docker-node")


def test_a_cluster_has_one_authority_of_a_kind(f):
    """Another cluster's client, with its own authority beside it, is whole in itself, and no engine takes it."""
    copy, other = copy_of(f), f.top / "other"
    expect(run("create", "--cluster=other", "--control=h", "--agents=0", "--components=docker", f"--out={other}").status, 0)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(other / "docker/client" / name, copy / "docker/client" / name)
    judged(copy, f"docker/client/ca.pem: it is another authority than {copy}/docker/ca.pem; a cluster has one")
    openssl("x509", "-in", f.set / "docker/ca.pem", "-signkey", f.set / "docker/ca-key.pem", "-days", "9", "-clrext", "-extfile", extensions(f),
            "-out", copy / "docker/client/ca.pem")
    for name in ("cert.pem", "key.pem"):
        shutil.copy(f.set / "docker/client" / name, copy / "docker/client" / name)
    judged(copy)  # the same key, certified anew


def extensions(f):
    path = f.top / "ca-ext"
    path.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    return path


def test_a_file_named_after_another_node(f):
    copy = copy_of(f)
    (copy / f.node).unlink()
    (copy / f.node).with_suffix(".key").unlink()
    name = "6ba7b810-9dad-41d1-80b4-00c04fd430c8.crt"
    put(f.set / f.node, copy / "flocker/nodes/1" / name)
    judged(copy, f"{name}: it is of another node ('CN=node-{f.node.stem},")


def test_weak_keys_and_signatures(f):
    copy = copy_of(f)
    sign(f, copy, "docker/client/cert.pem", "/CN=client", "-sha256")
    judged(copy)
    sign(f, copy, "docker/client/cert.pem", "/CN=client", "-sha1")
    judged(copy, "docker/client/cert.pem: OpenSSL refuses it")
    expect_in("too weak", run("verify", copy).out)
    weak = f.top / "weak"
    weak.mkdir()
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", f.top / "weak.key", "-subj", "/CN=x", "-days", "9", "-out", weak / "ca.pem")
    judged(weak, "ca.pem: OpenSSL refuses it")
    expect_in("key too weak", run("verify", weak).out)


def test_an_encrypted_key_has_a_remedy(f):
    copy = copy_of(f)
    for path in ("docker/ca-key.pem", "docker/client/key.pem"):
        openssl("pkcs8", "-topk8", "-in", f.set / path, "-passout", "pass:a secret", "-out", copy / path)
        os.chmod(copy / path, 0o600)
    judged(copy, "docker/ca-key.pem': the key is encrypted, and no passphrase was given; name the passphrase's file with --ca-passphrase-file",
           "docker/client/key.pem': the key is encrypted, and no passphrase was given; Flocker and Docker read plain keys alone")


def test_a_sentence_names_the_folder(f):
    copy = copy_of(f)
    (copy / "docker/client/cert.pem").write_bytes(b"x" * 300000)
    expect_in(f"in '{copy}/docker/client': cannot read 'cert.pem'", run("verify", copy).out)


def test_any_span_before_the_end(f):
    """Beyond what a number of microseconds since 1970 holds, all is due."""
    for before in ("10000000w", "30500000w"):
        expect_in("6 would be renewed, 0 not due, 4 cannot be renewed here", run("renew", "--dry-run", f"--before={before}", f.set).out)


def test_renewing_keeps_the_mode(f):
    copy = copy_of(f)
    path = copy / "docker/client/cert.pem"
    os.chmod(path, 0o644)
    before = path.read_bytes()
    expect(run("renew", "--before=366d", copy).status, 0)
    expect((path.read_bytes() != before, oct(path.stat().st_mode & 0o7777)), (True, "0o644"))
    expect(oct((copy / "docker/control/cert.pem").stat().st_mode & 0o7777), "0o600")
    judged(copy)


def create(f, *, cluster="c", control="h", user="user1", keys=True):
    out = f.top / f"out-{next(f.count)}"
    words = [f"--keys={f.keys}"] if keys else []
    return out, run("create", f"--cluster={cluster}", f"--control={control}", f"--user={user}", "--agents=0", f"--out={out}", *words)


def test_names_are_refused_before_a_key_is_made(f):
    for words, sentence in (({"control": "a..b"}, "cannot certify the name 'a..b': expected an IP address or a DNS name"),
                            ({"control": "10.0.0.300"}, "cannot certify the name '10.0.0.300'"), ({"control": "-a"}, "cannot certify the name '-a'"),
                            ({"control": "a" * 64}, "cannot certify the name"), ({"control": "h."}, "cannot certify the name"),
                            ({"cluster": "a\nb"}, "cannot certify 'a b': a subject's names have"), ({"cluster": "é" * 65}, "1 to 64 characters"),
                            ({"user": "\x1b[31m"}, "no control characters"), ({"user": "control-h"}, "not 'cluster' and not 'control-…'")):
        out, done = create(f, **words, keys=False)
        expect((done.status, out.exists()), (64, False), f"{words} {done.err}")
        expect(len(done.err.splitlines()), 1, done.err)
        expect_in(sentence, done.err)


def test_a_sentence_of_a_full_disk_names_the_set(f):
    small = f.top / "small"
    small.mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o nr_inodes=12 none {small}; {PROGRAM} certs create --cluster=c "
                           f"--control=h --agents=0 --components=docker --out={small}/out; echo $?; ls -A {small}"], capture_output=True, text=True)
    expect(done.stdout, "74\n")
    expect_in(f"in '{small}/out': cannot write 'docker/", done.stderr)
    expect_in("No space left on device", done.stderr)


def test_a_key_is_said_to_be_one(f):
    for key in ("docker/client/key.pem", "flocker/user1.key"):
        done = run("show", f.set / key)
        expect((done.status, done.err.count("\n")), (65, 1), done.err)
        expect_in(f"cannot use '{f.set}/{key}': it is a private key; name its certificate", done.err)


def test_long_and_foreign_names_are_taken(f):
    long = "a" * 60 + "." + "b" * 60
    out, done = create(f, control=long, cluster="é" * 64)
    expect(done.status, 0, done.err)
    judged(out)
    shown = openssl("x509", "-in", out / "docker/control/cert.pem", "-noout", "-text")
    expect_in(f"DNS:{long}", shown)
    openssl("verify", "-x509_strict", "-verify_hostname", long, "-CAfile", out / "docker/ca.pem", out / "docker/control/cert.pem")


if __name__ == "__main__":
    main(globals())
