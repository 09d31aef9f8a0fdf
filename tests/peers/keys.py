"""Many RSA-4096 keys in little time: each is of two primes out of a few. Such keys share factors and protect nothing, but cost who uses them the same."""

import base64
import itertools
import os
import pathlib
import subprocess
import textwrap

EXPONENT = 65537


def make_primes(count):
    """Of 2048 bits, the upper two of which are set; one less than each has no factor in common with EXPONENT. As many at a time as there are processors."""
    primes = []
    while len(primes) < count:
        children = [subprocess.Popen(["openssl", "prime", "-generate", "-bits", "2048"], stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())]
        primes += [prime for prime in (int(child.communicate()[0]) for child in children) if prime % EXPONENT != 1]
    return primes


def encode_length(length):
    if length < 128:
        return bytes([length])
    raw = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(raw)]) + raw


def encode_integer(number):
    raw = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + encode_length(len(raw)) + raw


def format_key(p, q):
    """RSAPrivateKey as PEM: RFC 8017, A.1.2."""
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    body = b"".join(map(encode_integer, (0, p * q, EXPONENT, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))))
    text = base64.b64encode(b"\x30" + encode_length(len(body)) + body).decode()
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *textwrap.wrap(text, 64), "-----END RSA PRIVATE KEY-----", ""])


def make_keys(folder, count):
    """PEM files below `folder`, which is made."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    few = next(n for n in itertools.count(2) if n * (n - 1) // 2 >= count)
    pairs = itertools.combinations(make_primes(few), 2)
    for number, (p, q) in enumerate(itertools.islice(pairs, count)):
        (folder / f"{number}.pem").write_text(format_key(max(p, q), min(p, q)))
    return folder
