"""What was found, as a table."""

import json
import statistics

from .build import GATEPASS
from .workloads import FLOOR

# Percent of one CPU that other programs may use while a cell counts as undisturbed.
QUIET = 20


class Cells:
    """Every cell, in the order in which it was measured."""

    def __init__(self, out):
        self.out = out
        self.server = []
        self.colds = {}
        self.tokens = {}

    def add(self, engine, workload, cell):
        self.write({"engine": engine, "cell": workload, **cell})
        if workload in FLOOR:
            self.server.append((engine, workload, cell))

    def cold(self, engine, cell):
        self.write({"engine": engine, "cell": "cold", **cell})
        self.colds[engine] = cell

    def token(self, engine, found):
        self.write({"engine": engine, "cell": "token", **(found or {})})
        self.tokens[engine] = found

    def write(self, line):
        if self.out:
            with open(self.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def markdown(cells, floors):
    lines = [
        "",
        "| engine | workload | connections | requests/s | p50 ms | p99 ms | errors | server MiB | floor | of it |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for engine, workload, cell in cells.server:
        name = FLOOR[workload]
        floor = floors[engine].get((name, cell["c"]))
        memory = cell["procs"].get("server", {}).get("mem_mib", 0)
        share = f"{name} {floor:,.0f}/s | {cell['rps'] / floor:.0%}" if floor else "– | –"
        lines.append(
            f"| {engine} | {workload} | {cell['c']} | {cell['rps']:,.0f} | {cell['p50_ms']:.2f} | {cell['p99_ms']:.2f}"
            f" | {cell['errors']} | {memory:.0f} | {share} |"
        )
    disturbed = sum(cell["foreign_cpu_pct"] > QUIET for _, _, cell in cells.server)
    if disturbed:
        total = len(cells.server)
        lines += ["", f"Other programs used more than {QUIET} % of a CPU during {disturbed} of {total} cells: repeat those."]
    lines += ["", f"The program is {GATEPASS.stat().st_size / 2**20:.1f} MiB.", ""]
    for engine, cell in cells.colds.items():
        start, idle = statistics.median(cell["ms"]), statistics.median(cell["rss_mib"])
        lines.append(f"{engine}: cold start {start:.0f} ms, {idle:.1f} MiB when idle.")
    for engine, token in cells.tokens.items():
        if token:
            lines.append(
                f"{engine}: `gatepass token` takes {token['vault_ms']:.1f} ms, through an agent {token['agent_ms']:.1f} ms;"
                f" an idle agent has {token['agent_own_mib']:.1f} MiB of its own, and {token['agent_shared_mib']:.1f} MiB of"
                " the program's pages, which all its processes share."
            )
        else:
            lines.append(f"{engine}: `gatepass token` could not be measured, nobody could sign in.")
    return "\n".join(lines)
