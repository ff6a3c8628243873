"""Runs every client program against a fresh server, and shows what each met."""

import argparse
import pathlib
import signal
import sys
import tempfile

from . import foreign, workload
from .features import FEATURES
from .person import Person, waiting
from .programs import PROGRAMS
from .report import Report
from .server import REDIRECT_URI, RESOURCE, SCOPE, SIGNED_OUT_URI, Server


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = arguments()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="gatepass-interop-") as folder:
        folder = pathlib.Path(folder)
        programs = [program for program in PROGRAMS if not chosen.program or program.name in chosen.program]
        if programs:
            at_gatepass(chosen, programs, report, folder)
        problems = list(report.problems)
        if not chosen.program or "oidc-provider" in chosen.program:
            problems += foreign.run(chosen.binary.resolve(), folder, chosen.logs)
    return 1 if problems else 0


def at_gatepass(chosen, programs, report, folder):
    """The programs of others, at our server."""
    with Server(chosen.binary, folder).serving() as server:
        email, password = server.add_person()
        clients, key = server.add_clients(), server.trust_workload()
        for program in programs:
            log = chosen.logs / f"{program.name}.log"
            with waiting(Person(server.issuer, email, password)) as person:
                report.add(program.name, program.run(world(server, clients, key, person), log), log)
    (chosen.logs / "serve.log").write_bytes(server.log.read_bytes())
    report.show()


def world(server, clients, key, person):
    """What a runner is told."""
    return {
        "issuer": server.issuer,
        "clients": clients,
        "workload": workload.identity(key, server.issuer),
        "person": person,
        "resource": RESOURCE,
        "redirect_uri": REDIRECT_URI,
        "signed_out_uri": SIGNED_OUT_URI,
        "scope": SCOPE,
    }


def arguments():
    both = [*FEATURES.items(), *foreign.FEATURES.items()]
    columns = "\n".join(f"  {feature:<11} {meaning}" for feature, meaning in both)
    parser = argparse.ArgumentParser(
        prog="interop/run", description=__doc__, epilog=f"columns:\n{columns}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--binary", required=True, type=pathlib.Path, help="the program under test")
    parser.add_argument("--logs", required=True, type=pathlib.Path, help="the folder for what the programs say")
    parser.add_argument("--program", action="append", help="only this row; repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
