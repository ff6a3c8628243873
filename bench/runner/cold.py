"""Starting from nothing, and doing nothing."""

import re
import statistics
import subprocess
import time

from .build import GATEPASS
from .process import SERVER_CPU, generate, pinned

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
    """Milliseconds that `gatepass token` takes with a token at hand; None when nobody could sign in."""
    place = running.place
    if not login(running):
        return None
    command = pinned(SERVER_CPU, [GATEPASS, "token", "--server", place.base])
    times = []
    for _ in range(4 * RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=place.environment, check=True, stdout=subprocess.DEVNULL)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)
