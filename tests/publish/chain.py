"""The machines of tests/chain/cloud.py, under another name: tests/peers has a cloud.py of its own."""

import importlib.util
import pathlib

_place = pathlib.Path(__file__).parent.parent / "chain/cloud.py"
_spec = importlib.util.spec_from_file_location("chain_cloud", _place)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
Serve, PROGRAM, REHEARSAL = _module.Serve, _module.PROGRAM, _module.REHEARSAL
