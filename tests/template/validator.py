"""What `create` prints before the ecosystem's offline validator (npm's @aws/cloudformation-validate, its rules those of cfn-lint)."""

import json
import pathlib
import subprocess
import tempfile

from servers import HERE
from tap import expect, main
from variants import VARIANTS, create, text_of

# One agent is enough: the validator takes a second for each template, and would say of each agent the same.
WORDS = {name: (*words, "--agents=1") for name, words in VARIANTS.items() if not any(word.startswith("--agents") for word in words)}


def judge(templates, seconds=55):
    """{name: what it says} of {name: text}, in so many seconds."""
    subprocess.run([HERE / "prepare-validator"], check=True, stdout=subprocess.DEVNULL)
    root = subprocess.run([HERE / "prepare-validator", "--print-root"], check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        paths = {str(pathlib.Path(folder) / f"{name}.{'json' if text.startswith('{') else 'yaml'}"): name for name, text in templates.items()}
        for path, name in paths.items():
            pathlib.Path(path).write_text(templates[name])
        done = subprocess.run(["node", HERE / "validator/validate.js", root, *paths], capture_output=True, text=True, timeout=seconds,
                              env={"PATH": "/usr/bin:/bin", "HOME": folder})
        if done.returncode:
            raise AssertionError(done.stderr)
        return {paths[path]: found for path, found in json.loads(done.stdout).items()}


def serious(found):
    return [one for one in found if one["severity"] not in ("INFO", "DEBUG")]


def is_a_mapping(template, one):
    """W9010 asks for "a parameter or mapping" in place of an image's id, and looks through the mapping that is there."""
    return one["ruleId"] == "W9010" and "Fn::FindInMap" in template["Resources"][one["logicalId"]]["Properties"]["ImageId"]


def complaints_of(names):
    found = judge({name: text_of(*WORDS[name]) for name in names})
    return {name: left for name, all_of_it in found.items()
            if (left := [one for one in serious(all_of_it) if not is_a_mapping(create(*WORDS[name]), one)])}


def half(number):
    return list(WORDS)[number::2]


def test_it_complains_of_what_is_wrong():
    """Else its silence would say nothing."""
    text = text_of("--components=docker", "--agents=1")
    found = judge({"property": text.replace('"KeyName"', '"KeyNam"'), "type": text.replace('"Encrypted": true', '"Encrypted": "perhaps"'),
                   "reference": text.replace('"Ref": "ControlProfile"', '"Ref": "ControlProfil"'), "right": text})
    expect({name: bool(serious(one)) for name, one in found.items()}, {"property": True, "type": True, "reference": True, "right": False})


def test_no_error_and_no_warning():
    expect(complaints_of(half(0)), {})


def test_no_error_and_no_warning_of_the_others():
    expect(complaints_of(half(1)), {})


if __name__ == "__main__":
    main(globals())
