"""The server's cells: each workload at each number of connections."""

from .process import generate

# Each workload, and the floor that does the same kind of work with the database.
FLOOR = {
    "rpc": "select",
    "refresh": "group",
    "code": "group",
    "client-credentials": "group",
    # The same with a signature.
    "jwt": "group",
    "introspect": "select",
    # Each poll writes down when the next one may come.
    "device-poll": "group",
}


def run(running, profile, engine, server, options, cells):
    watch = ["--watch", f"server={running.process.pid}"]
    if server:
        watch += ["--watch", f"postgres={server.pid}+"]
    for workload in options.workloads:
        for connections in options.connections:
            cell = generate(
                "run", workload, "--profile", str(profile), "-c", str(connections), "-d", str(options.seconds),
                "--label", f"gatepass {engine}", *watch,
            )  # fmt: skip
            cells.add(engine, workload, cell)
