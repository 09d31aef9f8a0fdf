"""Parts of the documents that tests make and hold: what stands there is what the program did when the test last ran with --write."""

import pathlib
import sys

from tap import expect

DOCUMENTS = pathlib.Path(__file__).parents[2] / "docs"


def hold(document, name, lines):
    """The part of docs/<document> between the marks of `name` is these lines."""
    path = DOCUMENTS / document
    text = path.read_text()
    start, end = f"<!-- {name}: made by a test -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    kept, found, after = rest.partition(end)
    expect(bool(found), True, f"{document} has the marks of '{name}'")
    made = "\n".join(lines) + "\n"
    if "--write" in sys.argv:
        path.write_text(before + start + made + end + after)
        kept = made
    expect(kept.splitlines(), made.splitlines(), f"{document}, '{name}': run the test with --write, and look at the difference")
