"""What a real engine and a real systemd answered, recorded in tests/host, and how it is asked again.

    compare_engine(ENGINE["answers"][0], status, text)
    differences(UNITS["cases"][0], Host(root, ask))

`root` is the machine's root folder as the test sees it, `ask(*words)` runs host-probe on that machine.
"""

import contextlib
import json
import pathlib
import re
import time

from tap import expect

HERE = pathlib.Path(__file__).parent.parent / "host"
ENGINE = json.loads((HERE / "refusals.json").read_text())["engine"]
UNITS_FILE = HERE / "refusals-systemd.json"
UNITS = json.loads(UNITS_FILE.read_text())
OWN_UNITS = "etc/systemd/system"
STATE = ("load_state", "active_state", "sub_state", "file_state", "result", "exec_status")
SETTLE_SECONDS = 8  # a unit's state may follow its job's end
RECORD_SECONDS = 0.5


def compare_engine(entry, status, text):
    message = json.loads(text)["message"] if text.startswith("{") else text.strip()
    expect(status, entry["status"], f"{entry['given']}: {message}")
    if not re.fullmatch(entry["message"], message):
        raise AssertionError(f"{entry['given']}: expected {entry['message']!r}, found {message!r}")


class Host:
    def __init__(self, root, ask):
        self.folder, self.ask = pathlib.Path(root) / OWN_UNITS, ask

    @contextlib.contextmanager
    def units(self, files):
        """{name: text, or None for a masked one}, read by its systemd; afterwards stopped and gone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if text is None:
                (self.folder / name).symlink_to("/dev/null")
            else:
                (self.folder / name).write_text(text)
        self.ask("reload")
        try:
            yield
        finally:
            for name in files:
                self.ask("stop", name)
                self.ask("disable", name)
                (self.folder / name).unlink()
            self.ask("reload")

    def answer(self, words):
        """What host-probe says, less what differs from one run to the next."""
        found = self.ask(*words.split(" ", 1))
        answer = {"outcome": found.outcome, "error": re.sub("; it said: .*", "", found.error)}
        if words.startswith("unit ") and found.outcome == 0:
            answer["state"] = " ".join(str(getattr(found, name)) or "-" for name in STATE)
        return answer


def settled(host, words, wanted):
    """The answer; that of a unit's state once it is the wanted one, or after SETTLE_SECONDS."""
    end = time.monotonic() + SETTLE_SECONDS
    while (found := host.answer(words)) != wanted and words.startswith("unit ") and time.monotonic() < end:
        time.sleep(0.02)
    return found


def differences(case, host):
    """A sentence for each answer that is not the recorded one."""
    said = []
    with host.units(case["units"]):
        for number, entry in enumerate(case["asked"], 1):
            wanted = {key: value for key, value in entry.items() if key != "ask"}
            if (found := settled(host, entry["ask"], wanted)) != wanted:
                said.append(f"{case['given']}, {number}. {entry['ask']}: expected {json.dumps(wanted)}, found {json.dumps(found)}")
    return said


def record(case, host):
    """The case with the answers that this systemd gives."""
    with host.units(case["units"]):
        for entry in case["asked"]:
            if entry["ask"].startswith("unit "):
                time.sleep(RECORD_SECONDS)
            entry |= host.answer(entry["ask"])
    return case
