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
    # The poll of a device that was approved; those are made before.
    "device-redeem": "group",
    # A sign-in with an ID token.
    "code-oidc": "group",
    # Credentials that nobody has shown before, drawn from all that were sown: `--grants`.
    "rpc-cold": "select",
    "introspect-cold": "select",
    "refresh-cold": "group",
}
# What is measured unless something else is asked for.
USUAL = ["rpc", "refresh", "code", "client-credentials", "jwt", "introspect", "device-poll"]
COLD = "-cold"
# How many devices are approved beforehand; a cell ends with the last of them.
APPROVED = {"sqlite": 80_000, "postgres": 40_000}


def run(running, profile, engine, server, options, sown, cells):
    watch = ["--watch", f"server={running.process.pid}"]
    if server:
        watch += ["--watch", f"postgres={server.pid}+"]
    for workload in options.workloads:
        for part, connections in enumerate(options.connections):
            plain, pool = workload.removesuffix(COLD), []
            if plain != workload:
                # Each cell has credentials of its own.
                parts = len(options.connections)
                pool = ["--credentials", str(sown[plain]), "--parts", str(parts), "--part", str(part)]
            if workload == "device-redeem":
                pool = ["--approved", str(APPROVED[engine])]
            cell = generate(
                "run", plain, "--profile", str(profile), "-c", str(connections), "-d", str(options.seconds),
                "--label", f"gatepass {engine}", *pool, *watch,
            )  # fmt: skip
            cells.add(engine, workload, cell)
