"""Starting from nothing, and doing nothing."""

import pathlib
import re
import statistics
import subprocess
import time

from .build import GATEPASS
from .process import SERVER_CPU, generate, pinned, stop

RUNS = 5
CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")


def start(place, options):
    """Milliseconds from the command to the first answer, and MiB after some idle seconds."""
    idle = "2" if options.quick else "5"
    return generate(
        "cold", "--url", f"{place.base}/healthz", "--runs", str(RUNS), "--idle", idle, "--label", "cold", "--",
        *pinned(SERVER_CPU, place.command),
    )  # fmt: skip


def login(running):
    """Signs the place's home in with a device code; whether that went well."""
    place = running.place
    process = subprocess.Popen(
        [GATEPASS, "login", "--device", "--json", "--server", place.base],
        env=place.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if (found := CODE.search(line)) and running.approve_device(found.group()):
            break
    process.stdout.read()
    return process.wait(60) == 0


def token(running):
    """What `gatepass token` takes with a token at hand, from the vault and from an agent; None when nobody could sign in."""
    place = running.place
    if not login(running):
        return None
    vault = median([GATEPASS, "token", "--server", place.base], place.environment)
    socket = place.folder / "agent" / "api.sock"
    agent = subprocess.Popen(
        [GATEPASS, "agent", "--json", "--socket", socket], env=place.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        if "listening" not in agent.stdout.readline():
            raise SystemExit("the agent did not begin to listen")
        # As in a container: there is neither a vault nor a home.
        elsewhere = {"PATH": place.environment.get("PATH", ""), "GATEPASS_AGENT_SOCK": str(socket)}
        through = median([GATEPASS, "token"], elsewhere)
        time.sleep(15)
        status = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
        own, shared = (int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("RssAnon", "RssFile"))
    finally:
        stop(agent)
    return {"vault_ms": vault, "agent_ms": through, "agent_own_mib": own, "agent_shared_mib": shared}


def median(command, environment):
    """Milliseconds of a whole process, as the median of some runs."""
    times = []
    for _ in range(4 * RUNS):
        began = time.perf_counter()
        subprocess.run(pinned(SERVER_CPU, command), env=environment, check=True, stdout=subprocess.DEVNULL)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)
