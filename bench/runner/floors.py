"""What the machine allows: the floors that the server is compared with."""

import subprocess
import time

from .build import FLOOR
from .process import GENERATOR_CPU, free_port, generate, pinned, running

# Each floor and its path in the floor server.
SQLITE = {"const": "", "select": "select", "group": "group"}

SCHEMA = """
    create table token (hash bytea primary key, client_id text, user_id text, scope text,
        created_at timestamptz default now(), expires_at timestamptz);
    insert into token values ('\\x00', 'client', 'user', 'api:read', now(), now() + interval '1 day');
    insert into token (hash, client_id) select sha256(n::text::bytea), 'filler' from generate_series(1, 20000) n;
    analyze token"""
INSERT = """insert into token (hash, client_id, user_id, scope, expires_at) values
    (sha256(gen_random_uuid()::text::bytea), 'client', 'user', 'api_read', now() + interval '1 hour');\n"""
SELECT = "select client_id, user_id, scope from token where hash = '\\x00' and expires_at > now();\n"


def sqlite(options, folder, cells):
    """The floors for SQLite: {(floor, connections): requests per second}."""
    found = {}
    for name, path in SQLITE.items():
        for connections in options.connections:
            # A new file for each cell: inserting at random into an ever larger table gets slower and slower.
            file = folder / f"floor-{name}-{connections}.db"
            port = free_port()
            url = f"http://127.0.0.1:{port}/"
            with running([FLOOR, port, file], url, folder / "floor.log") as process:
                cell = generate(
                    "run", "get", "--url", url + path, "-c", str(connections), "-d", str(options.seconds),
                    "--label", f"floor {name}", "--watch", f"server={process.pid}",
                )  # fmt: skip
            cells.add("sqlite", f"floor {name}", cell)
            found[name, connections] = cell["rps"]
    return found


def postgres(options, server, cells):
    """The floors for PostgreSQL: a constant answer, and one row written or read by pgbench."""
    url = server.create_database("floor")
    server.psql(url, SCHEMA)
    found = {}
    for name, script in {"select": SELECT, "group": INSERT}.items():
        file = server.folder.parent / f"{name}.sql"
        file.write_text(script)
        for connections in options.connections:
            command = [
                server.program("pgbench"), "-n", "-M", "prepared", "-f", file, "-c", connections, "-j", 1,
                "-T", options.seconds, url,
            ]  # fmt: skip
            began = time.time()
            out = subprocess.run(pinned(GENERATOR_CPU, command), check=True, stdout=subprocess.PIPE, text=True).stdout
            words = {line.split(" = ")[0]: line.split(" = ")[1] for line in out.splitlines() if " = " in line}
            cell = {
                "label": f"pgbench {name}", "workload": "Pgbench", "c": connections, "duration": time.time() - began,
                "rps": float(words["tps"].split()[0]), "mean_ms": float(words["latency average"].split()[0]),
                "p50_ms": None, "p99_ms": None, "errors": 0, "procs": {},
            }  # fmt: skip
            print(f"pgbench {name:<14} c={connections:<3} {cell['rps']:>9.1f}/s", flush=True)
            cells.add("postgres", f"floor {name}", cell)
            found[name, connections] = cell["rps"]
    return found
