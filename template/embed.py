"""Writes files as C: embed.py OUTPUT FILE… makes the table of template/provisioning.h."""

import pathlib
import sys


def literal(text):
    lines = [line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines()]
    return "\n".join(f'         "{line}\\n"' for line in lines)


output, *files = map(pathlib.Path, sys.argv[1:])
entries = "".join(f'        {{"{file.name}",\n{literal(file.read_text())}}},\n' for file in files)
output.write_text('#include "template/provisioning.h"\n\n#include <stddef.h>\n\n'
                  f"const ProvisioningFile provisioning_files[] = {{\n{entries}        {{NULL, NULL}},\n}};\n")
