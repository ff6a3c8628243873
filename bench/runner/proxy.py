"""The proxy's cells: a server asked straight and through `gatepass proxy`, in turns."""

import contextlib
import json
import statistics
import subprocess

from .build import FLOOR, GATEPASS
from .cold import login
from .gatepass import Place
from .process import free_port, generate, pinned, running, stop


@contextlib.contextmanager
def proxying(upstream, environment, cpu):
    """A running proxy: its address, and its process."""
    command = pinned(cpu, [GATEPASS, "proxy", upstream])
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit(f"gatepass proxy {upstream} ended at once")
        yield url, process
    finally:
        stop(process)


def measure(options, folder):
    """[(what, connections, direct cells, cells through the proxy)]"""
    found = []
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([FLOOR, port, folder / "floor.db"], f"{url}/", folder / "floor.log"):
        environment = {"GATEPASS_TOKEN": "constant", "PATH": "/usr/bin:/bin"}
        with proxying(url, environment, options.proxy_cpu) as (through, process):
            ways = {"direct": ["get", "--url", f"{url}/"], "proxy": ["get", "--url", f"{through}/"]}
            found += pairs("constant", ways, process, options)
    place = Place(folder / "gatepass", None)
    with place.serving() as server:
        profile = json.loads(server.set_up().read_text())
        if not login(server):
            raise SystemExit("nobody could sign in")
        with proxying(place.base, place.environment, options.proxy_cpu) as (through, process):
            rpc = {"direct": profile["rpc_url"], "proxy": profile["rpc_url"].replace(place.base, through)}
            ways = {}
            for name, target in rpc.items():
                file = folder / f"{name}.json"
                file.write_text(json.dumps(profile | {"rpc_url": target}))
                ways[name] = ["rpc", "--profile", str(file)]
            found += pairs("rpc", ways, process, options)
    return found


def pairs(what, ways, process, options):
    for connections in options.connections:
        cells = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, arguments in ways.items():
                cell = generate(
                    "run", *arguments, "-c", str(connections), "-d", str(options.seconds),
                    "--label", f"{what} {name}", "--watch", f"proxy={process.pid}",
                )  # fmt: skip
                cells[name].append(cell)
                if options.out:
                    with open(options.out, "a", encoding="utf-8") as file:
                        file.write(json.dumps({"cell": f"{what} {name}", **cell}) + "\n")
        yield what, connections, cells["direct"], cells["proxy"]


def markdown(found):
    lines = [
        "",
        "| server | connections | direct/s | through/s | of it | direct p50 ms | through p50 ms | added ms | errors | MiB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for what, connections, direct, through in found:
        rps, p50 = (lambda cells, name=name: statistics.median(cell[name] for cell in cells) for name in ("rps", "p50_ms"))
        memory = through[-1]["procs"].get("proxy", {}).get("mem_mib", 0)
        errors = sum(cell["errors"] for cell in direct + through)
        lines.append(
            f"| {what} | {connections} | {rps(direct):,.0f} | {rps(through):,.0f} | {rps(through) / rps(direct):.0%}"
            f" | {p50(direct):.3f} | {p50(through):.3f} | {p50(through) - p50(direct):+.3f} | {errors} | {memory:.0f} |"
        )
    return "\n".join(lines)
