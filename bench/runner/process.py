"""Starting programs on a CPU, waiting for them, stopping them."""

import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from .build import LOADGEN

SERVER_CPU, GENERATOR_CPU = "0", "1"
PATIENCE = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(cpu, command):
    return ["taskset", "-c", cpu, *map(str, command)]


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(command, url, log, environment=None):
    """The command, pinned to the server's CPU, once its URL answers."""
    with open(log, "ab") as output:
        process = subprocess.Popen(pinned(SERVER_CPU, command), env=environment, stdout=output, stderr=output)
    try:
        wait_for(process, url, log)
        yield process
    finally:
        stop(process)


def wait_for(process, url, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(url, timeout=1).read()
            return
        if process.poll() is not None:
            raise SystemExit(f"{process.args[3]} ended at once:\n{pathlib.Path(log).read_text()}")
        time.sleep(0.02)
    raise SystemExit(f"{url} did not answer within {PATIENCE} s, see {log}")


def generate(*arguments):
    """One run of the load generator, pinned to its own CPU: its result."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as out:
        command = [LOADGEN, *arguments[:1], "--out", out.name, *arguments[1:]]
        ended = subprocess.run(pinned(GENERATOR_CPU, command), check=False)
        lines = out.read().splitlines()
    if ended.returncode or not lines:
        raise SystemExit("the load generator failed")
    return json.loads(lines[-1])
