"""Rehearsals of templates: what tests/chain has for them (its cloud.py, not that of tests/peers), and what they print taken apart."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "chain"))
from cloud import REHEARSAL, rehearse, temporary  # noqa: E402, F401


def events(out):
    """(status, type, name, reason) of each event."""
    return [(found[1], found[2], found[3], found[4] or "") for found in re.finditer(r"^ *[\d.]+ s  (\S+) +(\S+) +(\S+)(?:  (.*))?$", out, re.M)]
