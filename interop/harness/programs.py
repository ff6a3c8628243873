"""The rows of the table: the client programs, and how each is run."""

import dataclasses
import json
import os
import signal
import subprocess

from . import places

PATIENCE = 180
"""Seconds for all features of one program; each runner bounds its single features itself."""


@dataclasses.dataclass
class Program:
    name: str
    command: list

    def run(self, world, log):
        """What it found: a dictionary from feature to `None` for a pass, or what went wrong."""
        environment = os.environ | {"INTEROP": json.dumps(world)}
        with open(log, "wb") as talk:
            process = subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=talk,
                start_new_session=True, text=True,
            )  # fmt: skip
            try:
                lines, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                end(process)
                lines, _ = process.communicate()
                talk.write(f"stopped after {PATIENCE} s\n".encode())
            finally:
                end(process)
        found = (json.loads(line) for line in lines.splitlines() if line.startswith("{"))
        return {result["feature"]: result.get("problem") for result in found}


def end(process):
    """Ends the process and whatever it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


PROGRAMS = [
    Program("openid-client", [places.NODE, places.HERE / "node" / "openid-client.mjs"]),
    Program("oauth4webapi", [places.NODE, places.HERE / "node" / "oauth4webapi.mjs"]),
    Program("Authlib", [places.PYTHON, places.HERE / "python" / "authlib_runner.py"]),
    Program("requests-oauth2client", [places.PYTHON, places.HERE / "python" / "requests_oauth2client_runner.py"]),
    Program("MCP conformance", [places.NODE, places.HERE / "node" / "conformance.mjs"]),
]
