"""The rules of the house that a machine can check: layers, names, sizes, calls. Each is shown to be able to fail.

A rule takes a tree ({path: text}) and gives complaints, "file:line: what".
"""

import pathlib
import re
import subprocess

from tap import expect, main

ROOT = pathlib.Path(__file__).parent.parent.parent

# Which folder may include which.
LAYERS = {
    "base": {"base"},
    "net": {"base", "net"},
    "aws": {"base", "net", "aws"},
    "s3": {"base", "net", "aws", "s3"},
    "certs": {"base", "certs"},
    "host": {"base", "net", "host"},
    "roles": {"base", "aws", "s3", "certs", "host", "roles"},
    "agent": {"base", "net", "aws", "s3", "certs", "host", "roles", "agent"},
    "cfn": {"base", "cfn"},
    "template": {"base", "net", "aws", "s3", "cfn", "template"},
    "rehearsal": {"base", "net", "cfn", "rehearsal"},
}

# Which file may include a third party's header; a folder that ends in / stands for all of its files.
THIRD_PARTIES = {
    "curl/": ["net/http.c"],
    "ares.h": ["net/resolver.c"],
    "yaml.h": ["base/yaml.c"],
    "jansson.h": ["base/json.c"],
    "expat.h": ["base/xml.c"],
    "openssl/": ["certs/", "base/digest.c"],
    "systemd/sd-journal.h": ["base/log.c", "host/journal.c"],
    "systemd/sd-bus.h": ["host/systemd.c"],
    "event2/": ["rehearsal/event.c"],
}

BANNED = ("sprintf vsprintf strcpy strcat gets system popen strtok atoi atol setenv putenv getpwnam getpwuid getgrnam getaddrinfo "
          "gethostbyname dlopen localtime setlocale rand srand mktemp tmpnam alloca").split()

FILE_LINES, FUNCTION_LINES, COLUMNS = 700, 80, 110


def sources(tree):
    return {path: text for path, text in tree.items() if path.endswith((".c", ".h")) and path.split("/")[0] in LAYERS}


def lines_of(tree):
    for path, text in tree.items():
        for number, line in enumerate(text.splitlines(), 1):
            yield path, number, line


def rule_layers(tree):
    for path, number, line in lines_of(sources(tree)):
        found = re.match(r'#include "([^"]+)"', line)
        if found and "/" not in found[1]:
            yield f"{path}:{number}: include \"{found[1]}\" by its folder"
        elif found and found[1].split("/")[0] not in LAYERS[path.split("/")[0]]:
            yield f"{path}:{number}: {path.split('/')[0]}/ may not include {found[1]}"


def rule_third_parties(tree):
    for path, number, line in lines_of(sources(tree)):
        found = re.match(r"#include <([^>]+)>", line)
        for header, places in THIRD_PARTIES.items():
            if found and found[1].startswith(header) and not any(path == p or (p.endswith("/") and path.startswith(p)) for p in places):
                yield f"{path}:{number}: <{found[1]}> is for {', '.join(places)}"


def rule_banned_calls(tree):
    pattern = re.compile(r"(?<![\w>.])(" + "|".join(BANNED) + r")\s*\(")
    for path, number, line in lines_of(sources(tree)):
        found = pattern.search(re.sub(r'"(\\.|[^"\\])*"', '""', line))
        if found and not line.lstrip().startswith(("*", "/*")):
            yield f"{path}:{number}: {found[1]}() is not for this house"


def rule_unfinished(tree):
    for path, number, line in lines_of(tree):
        if path != "tests/lint/tree.py" and re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line.replace(".XXXXXX", "")):
            yield f"{path}:{number}: unfinished work"


def rule_sizes(tree):
    for path, text in sources(tree).items():
        count = text.count("\n")
        if count > FILE_LINES:
            yield f"{path}:{count}: more than {FILE_LINES} lines"
        began = None
        for number, line in enumerate(text.splitlines(), 1):
            if line == "{":
                began = number
            elif line == "}" and began:
                if number - began > FUNCTION_LINES:
                    yield f"{path}:{began}: a function of {number - began} lines"
                began = None
            if len(line) > COLUMNS:
                yield f"{path}:{number}: {len(line)} columns"


RULES = {
    rule_layers: {"net/a.c": '#include "s3/store.h"\n'},
    rule_third_parties: {"s3/a.c": "#include <curl/curl.h>\n"},
    rule_banned_calls: {"base/a.c": "int f(void) { return system(x); }\n"},
    rule_unfinished: {"docs/a.md": "TODO: more\n"},
    rule_sizes: {"base/a.c": "int f(void)\n{\n" + "        x();\n" * 100 + "}\n"},
}


def tracked():
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                           check=True).stdout.decode().split("\0")
    tree = {}
    for name in filter(None, names):
        try:
            tree[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    return tree


def test_every_rule_can_fail():
    for rule, wrong in RULES.items():
        expect(len(list(rule(wrong))) > 0, True, rule.__name__)


def test_the_tree_keeps_every_rule():
    tree = tracked()
    complaints = [complaint for rule in RULES for complaint in rule(tree)]
    expect(complaints, [])


def test_the_code_is_formatted():
    files = [name for name in tracked() if name.endswith((".c", ".h"))]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True)
    expect((done.returncode, done.stderr[:2000]), (0, ""))


def test_scripts_are_clean():
    tree = tracked()
    scripts = [name for name, text in tree.items() if text.startswith("#!/bin/bash")]
    done = subprocess.run(["shellcheck", *scripts], cwd=ROOT, capture_output=True, text=True)
    expect((done.returncode, done.stdout), (0, ""))
    for name, text in tree.items():
        if name.endswith(".py"):
            compile(text, name, "exec")


if __name__ == "__main__":
    main(globals())
