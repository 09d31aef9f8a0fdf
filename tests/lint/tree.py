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
    "openssl/": ["certs/", "base/digest.c", "rehearsal/etag.c", "rehearsal/tls.c"],
    "systemd/sd-journal.h": ["base/log.c", "host/journal.c"],
    "systemd/sd-bus.h": ["host/systemd.c"],
    "zlib.h": ["base/gzip.c"],
    "systemd/sd-daemon.h": ["host/systemd-notify.c"],
    "event2/": ["rehearsal/event.c", "rehearsal/http-server.c"],
}

# Calls that overflow, that start a shell, or that make a static program load what its host has (nss, gconv, locales).
BANNED = ("sprintf vsprintf strcpy stpcpy strcat strncpy strncat gets scanf sscanf strtok strtok_r atoi atol atoll alloca "
          "system popen execlp execvp rand srand random mktemp tmpnam tempnam setenv putenv unsetenv "
          "getpwnam getpwnam_r getpwuid getpwuid_r getpwent getgrnam getgrnam_r getgrgid getgrgid_r getgrouplist initgroups "
          "getaddrinfo getnameinfo gethostbyname gethostbyaddr getservbyname res_query res_search "
          "dlopen dlsym iconv_open setlocale newlocale localtime localtime_r ctime ctime_r mktime tzset").split()

# A public function's name holds its header's name as words; where the module's word is another, it stands here.
MODULE_WORDS = {
    "agent/settings.h": ["settings_"],
    "aws/endpoint.h": ["aws_partition_", "aws_region_"],
    "aws/service.h": ["aws_call_"],
    "aws/session.h": ["aws_perform"],
    "base/clock.h": ["usec_"],
    "base/macro.h": ["free_p", "close_p"],
    "host/users.h": ["user_"],
    "rehearsal/cloud-parts.h": ["cloud_"],
    "rehearsal/engine-parts.h": ["engine_"],
    "rehearsal/http-server.h": ["http_server_", "http_call_"],
    "rehearsal/stack-parts.h": ["stack_"],
    "rehearsal/systemd-parts.h": ["systemd_"],
    "agent/settings-table.h": ["settings_"],
    "roles/files.h": ["pair_text_"],
    "roles/settings.h": ["settings_", "role_kind_"],
    "s3/address.h": ["s3_"],
    "s3/finality.h": ["s3_final_after"],
    "s3/object.h": ["s3_"],
    "s3/request.h": ["s3_"],
    "roles/steps.h": ["step_"],
    "s3/store-parts.h": ["store_"],
    "template/check-parts.h": ["check_"],
    "template/stack-parts.h": ["stack_"],
}

FILE_LINES, FUNCTION_LINES, COLUMNS = 600, 60, 110

# Those that are one thing, and longer; none is added without a reason.
LONG_FILES, LONG_LINES = ("host/systemd.c", "net/http.c", "rehearsal/dbus.c", "rehearsal/instance.c", "rehearsal/signature.c"), 700


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
        count, most = text.count("\n"), LONG_LINES if path in LONG_FILES else FILE_LINES
        if count > most:
            yield f"{path}:{count}: more than {most} lines"
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


def without_comments(text):
    """Comments and preprocessor lines become as many empty lines."""
    pattern = r"/\*[\s\S]*?\*/|^[ \t]*#(?:.*\\\n)*.*"
    return re.sub(pattern, lambda found: "\n" * found[0].count("\n"), text, flags=re.M)


def rule_names(tree):
    for path, text in sources(tree).items():
        if not path.endswith(".h"):
            continue
        blank = without_comments(text)
        words = MODULE_WORDS.get(path, []) + [pathlib.PurePath(path).stem.replace("-", "_")]
        for found in re.finditer(r"^(?!static|typedef|DEFINE_)[A-Za-z_][\w \t*]*\b([a-z_0-9]+)\(", blank, re.M):
            if not any(word in found[1] for word in words):
                yield f"{path}:{blank.count(chr(10), 0, found.start()) + 1}: {found[1]}() lacks its module's name ({' or '.join(words)})"


def function(lines):
    return "int f(void)\n{\n" + "        x();\n" * lines + "}\n"


# For each rule: trees that it must complain of (with what it must say) and trees that it must let pass.
RULES = {
    rule_layers: [
        ("net/a.c", '#include "s3/store.h"\n', "net/a.c:1: net/ may not include s3/store.h"),
        ("base/a.c", '\n#include "net/http.h"\n', "base/a.c:2: base/ may not include net/http.h"),
        ("base/a.c", '#include "a.h"\n', 'base/a.c:1: include "a.h" by its folder'),
        ("aws/a.c", '#include "tests/unit/test.h"\n', "aws/a.c:1: aws/ may not include tests/unit/test.h"),
        ("s3/a.c", '#include "net/http.h"\n#include <errno.h>\n', None),
    ],
    rule_third_parties: [
        ("s3/a.c", "#include <curl/curl.h>\n", "s3/a.c:1: <curl/curl.h> is for net/http.c"),
        ("net/http.h", "#include <curl/curl.h>\n", "net/http.h:1: <curl/curl.h> is for net/http.c"),
        ("aws/a.c", "#include <openssl/evp.h>\n", "aws/a.c:1: <openssl/evp.h> is for certs/, base/digest.c, rehearsal/etag.c, rehearsal/tls.c"),
        ("certs/a.c", "#include <openssl/evp.h>\n", None),
    ],
    rule_banned_calls: [
        ("base/a.c", "int f(void) { return system(x); }\n", "base/a.c:1: system() is not for this house"),
        ("base/a.c", "        getpwnam_r (x);\n", "base/a.c:1: getpwnam_r() is not for this house"),
        ("base/a.c", '        snprintf(x); f("system(x)"); a.system(x); my_system(x);\n', None),
    ],
    rule_unfinished: [
        ("docs/a.md", "TODO: more\n", "docs/a.md:1: unfinished work"),
        ("base/a.c", "/* FIXME */\n", "base/a.c:1: unfinished work"),
        ("tests/run", "mktemp /tmp/a.XXXXXX\n", None),
    ],
    rule_names: [
        ("base/clock.h", "/* x */\nint clock_a(void);\nint tick(void);\n",
         "base/clock.h:3: tick() lacks its module's name (usec_ or clock)"),
        ("certs/key.h", "#define A(x) \\\n        f(x)\nKey *load(int a);\n", "certs/key.h:3: load() lacks its module's name (key)"),
        ("base/clock.h", "/* tick(void); */\nUsec *usec_min(int a,\n        int b);\nDEFINE_CLEANUP(a);\n", None),
    ],
    rule_sizes: [
        ("base/a.c", function(100), "base/a.c:2: a function of 101 lines"),
        ("base/a.c", "\n" * 601, "base/a.c:601: more than 600 lines"),
        ("net/http.c", "\n" * 701, "net/http.c:701: more than 700 lines"),
        ("net/http.c", "\n" * 700, None),
        ("base/a.c", "x" * 111 + "\n", "base/a.c:1: 111 columns"),
        ("base/a.c", function(59), None),
    ],
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


def test_every_rule_can_fail_and_can_pass():
    for rule, cases in RULES.items():
        for path, text, complaint in cases:
            expect(list(rule({path: text})), [complaint] if complaint else [], rule.__name__)
        expect({case[2] is None for case in cases}, {True, False}, f"cases of {rule.__name__}")


def test_the_tree_keeps_every_rule():
    tree = tracked()
    expect([path for path in LONG_FILES if path not in tree or tree[path].count("\n") <= FILE_LINES], [], "long files that are none")
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
