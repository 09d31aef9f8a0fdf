"""What the programs say of themselves, and what manual pages and completion say of them: the same. groff and bash judge."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from tap import expect, expect_in, main

TOP = pathlib.Path(__file__).parent.parent.parent
PROGRAM, REHEARSAL = os.environ["PROGRAM"], os.environ["REHEARSAL"]
BUILD = pathlib.Path(REHEARSAL).parent.parent
PROGRAMS = {"flocker-bootstrap": PROGRAM, "flocker-template": str(BUILD / "template/flocker-template"), "flocker-rehearsal": REHEARSAL}
WRITTEN = tempfile.TemporaryDirectory(prefix="options-")  # what packaging/options writes, and the pages beside it
MAN, COMPLETION = pathlib.Path(WRITTEN.name) / "man", pathlib.Path(WRITTEN.name) / "completion"


@contextlib.contextmanager
def setup():
    with WRITTEN:
        expect(run(TOP / "packaging/options", BUILD, WRITTEN.name).returncode, 0)
        shutil.copytree(TOP / "docs/man", MAN, dirs_exist_ok=True)
        yield


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=50, **options)


def render(page):
    """A page as it is read; neither docutils nor groff may have to say anything of it."""
    made = run("/usr/bin/rst2man", "--strict", page, cwd=MAN)
    expect((made.returncode, made.stderr), (0, ""))
    shown = run("/usr/bin/groff", "-K", "utf8", "-man", "-Tutf8", "-rLL=200n", "-ww", "-P-cbou", input=made.stdout)
    expect((shown.returncode, shown.stderr), (0, ""), page.name)
    return re.sub("[\N{HYPHEN}\N{MINUS SIGN}]", "-", shown.stdout)


def commands(program, *words):
    """Every command of the program with its --help, found by asking."""
    text = run(program, *words, "--help").stdout
    yield words, text
    for name in re.findall(r"^  ([a-z][\w-]*)  +\S", text.partition("Commands")[2], re.M):
        yield from commands(program, *words, name)


def options_of(text):
    return re.findall(r"^  (?:-\w, |    )(--[\w-]+(?:=\S+)?) ", text, re.M)


def complete(program, line):
    """What a press of the tab key behind `line` offers, by bash's own rules of what a word is."""
    words = [word for word in re.split(r"(=)|\s", line) if word]
    if line.endswith((" ", "=")):
        words.append("")
    script = f"""source /usr/share/bash-completion/bash_completion
        source {COMPLETION}/{program}
        declaration=$(complete -p {program}); declaration=${{declaration% *}}; function=${{declaration##* }}
        COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9 COMP_KEY=9; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        compopt() {{ :; }}  # bash has it only within a completion of its own
        "$function" {program} "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        [ ${{#COMPREPLY[@]}} -eq 0 ] || printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = run("/bin/bash", "--norc", "-c", script, "bash", line, *words, cwd="/")
    expect((done.returncode, done.stderr), (0, ""), line)
    return done.stdout.split()


def test_every_command_and_option_stands_in_the_page():
    for name, program in PROGRAMS.items():
        text = render(next(MAN.glob(f"{name}.[18].rst")))
        for words, helped in commands(program):
            if words:
                expect(bool(re.search(rf"{name} \[?{' '.join(words)}\]? |{name} {' '.join(words[:-1])}.*COMMAND|{name} COMMAND", text)), True, " ".join(words))
            for option in options_of(helped):
                expect_in(option, text, f"{name} {' '.join(words)}")


def test_the_page_has_no_option_that_is_none():
    for name, program in PROGRAMS.items():
        known = {option.partition("=")[0] for _, helped in commands(program) for option in options_of(helped)} | {"--version"}
        text = (MAN / f"{name}.options").read_text() + next(MAN.glob(f"{name}.[18].rst")).read_text()
        expect(sorted(set(re.findall(r"--[a-z][\w-]+", text)) - known), [], name)


def test_every_setting_stands_in_the_document_s_page():
    dumped = run(PROGRAM, "config", "dump", "--role=agent", "--store=s3://b/p", "--node=1", "/dev/null").stdout
    keys = set(re.findall(r"^([\w-]+):", dumped, re.M)) - {"keys"}  # the command line's alone
    expect(len(keys) > 10, True, dumped)
    page = MAN / "flocker-bootstrap.yaml.5.rst"
    render(page)
    expect(set(re.findall(r"^``([\w-]+)``$", page.read_text(), re.M)), keys)


def test_completion_of_commands():
    expect(complete("flocker-bootstrap", "flocker-bootstrap c"), ["config", "certs"])
    expect(complete("flocker-bootstrap", "flocker-bootstrap certs "), ["create", "show", "verify", "renew"])
    for name, program in PROGRAMS.items():
        for words, helped in commands(program):
            children = re.findall(r"^  ([a-z][\w-]*)  +\S", helped.partition("Commands")[2], re.M)
            if children:
                expect(complete(name, " ".join([name, *words, ""])), children)


def test_completion_of_options():
    for name, program in PROGRAMS.items():
        for words, helped in commands(program):
            options = {re.sub("=.*", "=", option) for option in options_of(helped)}
            if words:
                expect(set(complete(name, " ".join([name, *words, "--"]))), options, " ".join(words))
    expect(complete("flocker-bootstrap", "flocker-bootstrap --only=x run --no"), ["--node="])


def test_completion_of_values_that_the_programs_take():
    for option, fixed in (("role", "--node=1"), ("swarm", "--role=control"), ("docker-key", "--role=control"), ("keep-secrets", "--role=control"),
                          ("components", "--role=control")):
        values = complete("flocker-bootstrap", f"flocker-bootstrap run --{option}=")
        expect(len(values) > 1, True, option)
        for value in values:
            done = run(PROGRAM, "config", "dump", fixed, f"--{option}={value}", "--store=s3://b/p", "/dev/null")
            expect_in(f"{option}: ", done.stdout, f"{option}={value}: {done.stderr}")
    expect(complete("flocker-bootstrap", "flocker-bootstrap --role=c"), ["control", "client"])
    expect(complete("flocker-bootstrap", "flocker-bootstrap run --role a"), ["agent"])
    expect(complete("flocker-rehearsal", "flocker-rehearsal --machines="), ["processes", "nspawn"])
    for option in ("distribution", "arch", "provider"):
        for value in complete("flocker-template", f"flocker-template images latest --{option}="):
            done = run(PROGRAMS["flocker-template"], "images", "latest", f"--{option}={value}", "--region=none")
            expect_in("cannot use the region 'none'", done.stderr, value)


def test_completion_of_steps():
    """Those of the roles' tables."""
    offered = complete("flocker-bootstrap", "flocker-bootstrap --only=")
    expect(complete("flocker-bootstrap", "flocker-bootstrap --until=mint-d"), ["mint-docker-cert"])
    tables = {step for role in ("control", "agent", "client") for step in re.findall(r'^        \{"([\w-]+)",', (TOP / f"roles/{role}.c").read_text(), re.M)}
    expect(set(offered), tables)


def test_completion_of_files():
    expect("etc" in complete("flocker-bootstrap", "flocker-bootstrap certs show e"), True)
    expect(complete("flocker-bootstrap", "flocker-bootstrap --root=et"), ["etc"])
    expect(complete("flocker-bootstrap", "flocker-bootstrap --store=s"), [])


if __name__ == "__main__":
    main(globals())
