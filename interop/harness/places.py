"""Where things are."""

import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
PYTHON = sys.executable
_PACKAGED_NODE = HERE / "node" / "node_modules" / ".bin" / "node"
NODE = _PACKAGED_NODE if _PACKAGED_NODE.exists() else shutil.which("node")
