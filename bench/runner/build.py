"""Building the programs, and where they are."""

import os
import pathlib
import subprocess

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
GATEPASS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "gatepass"
TOOLS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", BENCH / "target")) / "release"
LOADGEN = TOOLS / "oauth-loadgen"
FLOOR = TOOLS / "floor"


def everything():
    subprocess.run(["cargo", "build", "--release", "-p", "gatepass-cli"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=BENCH, check=True)
