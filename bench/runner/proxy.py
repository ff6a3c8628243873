"""The proxy's cells: a server asked straight, through nginx and through `gatepass proxy`, in turns."""

import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import time

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


NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy; fastcgi_temp_path {folder}/nginx-f;
    uwsgi_temp_path {folder}/nginx-u; scgi_temp_path {folder}/nginx-s;
    upstream asked {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://asked; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {token}";
        }}
    }}
}}
"""


@contextlib.contextmanager
def peer(folder, upstream, token, cpu):
    """A running nginx before a port: its address; `None` where there is none."""
    if not shutil.which("nginx"):
        yield None
        return
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, upstream=upstream, port=port, token=token))
    process = subprocess.Popen(pinned(cpu, ["nginx", "-c", configuration]))
    try:
        wait_until_open(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def wait_until_open(process, port):
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise SystemExit("nginx did not start")


def measure(options, folder):
    """[(what, connections, {way: cells})]"""
    found = []
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([FLOOR, port, folder / "floor.db"], f"{url}/", folder / "floor.log"):
        environment = {"GATEPASS_TOKEN": "constant", "PATH": "/usr/bin:/bin"}
        with (
            proxying(url, environment, options.proxy_cpu) as (through, process),
            peer(folder, port, "constant", options.proxy_cpu) as beside,
        ):
            for what, path in (("constant", "/"), ("after 2 ms", "/later")):
                ways = {"direct": url, "nginx": beside, "proxy": through}
                ways = {name: ["get", "--url", f"{way}{path}"] for name, way in ways.items() if way}
                found += in_turns(what, ways, process, options)
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
            found += in_turns("`whoami`", ways, process, options)
    return found


def in_turns(what, ways, process, options):
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
        yield what, connections, cells


def markdown(found):
    lines = [
        "",
        "| server | connections | direct | nginx | of direct | added | `gatepass proxy` | of direct | added | errors | MiB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for what, connections, cells in found:
        def median(way, name):
            return statistics.median(cell[name] for cell in cells[way])

        line = f"| {what} | {connections} | {median('direct', 'rps'):,.0f}/s"
        for way in ("nginx", "proxy"):
            if way in cells:
                rate, added = median(way, "rps"), median(way, "p50_ms") - median("direct", "p50_ms")
                line += f" | {rate:,.0f}/s | {rate / median('direct', 'rps'):.0%} | {added:.3f} ms"
            else:
                line += " | – | – | –"
        memory = cells["proxy"][-1]["procs"].get("proxy", {}).get("mem_mib", 0)
        errors = sum(cell["errors"] for way in cells.values() for cell in way)
        lines.append(f"{line} | {errors} | {memory:.0f} |")
    return "\n".join(lines)
