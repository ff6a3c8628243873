"""Counting what a server executes while the load generator asks it, from outside, by Linux's `perf`."""

import os
import pathlib
import shutil
import subprocess
import threading
import time

# The load generator asks for three seconds after its warm-up; this second lies well within them.
WAIT, SPAN = 1.5, 1.0


class Counter:
    """Instructions in user mode per second: one number for each run of the generator against a checkout's server."""

    def __init__(self, tree):
        self.server = tree / "target" / "release" / "gatepass"
        self.generator = tree / "bench" / "target" / "release" / "oauth-loadgen"
        self.counts = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch) if shutil.which("perf") else None

    def __enter__(self):
        if self.thread:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        if self.thread:
            self.thread.join()

    def watch(self):
        seen = set()
        while not self.ended.wait(0.05):
            for generator in processes(self.generator):
                servers = processes(self.server)
                if generator not in seen and servers:
                    seen.add(generator)
                    self.count(servers[0])

    def count(self, server):
        time.sleep(WAIT)
        ended = subprocess.run(
            ["perf", "stat", "-x", ",", "-e", "instructions:u", "-p", str(server), "sleep", str(SPAN)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        number = ended.stderr.split(",")[0]
        self.counts.append(int(number) / SPAN if number.isdigit() else None)


def processes(program):
    """The identifiers of the processes that run a program."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "exe") == str(program):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
