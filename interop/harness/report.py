"""The table: which program met what.

A cell is `pass`, `FAIL`, or `–` for what the program cannot do. Each `–` is a row of the table of reasons in
`interop/README.md`; a cell that is neither reported nor excused there is a failure, and so is an excuse for
a cell that is reported.
"""

import re

from . import places
from .features import FEATURES, MACHINES, SIGNING_IN

REASON = re.compile(r"^\| (?P<program>[^|]+?) \| `(?P<feature>\w+)` \| (?P<reason>[^|]+?) \|$", re.MULTILINE)


def excuses():
    """The table of reasons: a dictionary from program and feature to the reason."""
    found = REASON.finditer((places.HERE / "README.md").read_text())
    return {(row["program"], row["feature"]): row["reason"] for row in found}


class Report:
    def __init__(self):
        self.excused = excuses()
        self.rows = {}
        self.problems = []

    def add(self, program, results, log):
        self.rows[program] = {feature: self.cell(program, feature, results, log) for feature in FEATURES}
        for feature in results.keys() - FEATURES.keys():
            self.problems.append(f"{program}: {feature} is no column")

    def cell(self, program, feature, results, log):
        excused = (program, feature) in self.excused
        if feature not in results:
            if excused:
                return "–"
            problem = f"not reported, see {log.name}"
        elif excused:
            problem = "reported, and yet excused in interop/README.md"
        elif results[feature] is None:
            return "pass"
        else:
            problem = results[feature]
        self.problems.append(f"{program}: {feature}: {problem}")
        return "FAIL"

    def show(self):
        for title, features in (("Signing in", SIGNING_IN), ("Machines and tokens", MACHINES)):
            print(f"\n{title}\n")
            self.table(features)
        if self.problems:
            print("\nFailures\n")
        for problem in self.problems:
            print(problem)
        cells = [cell for row in self.rows.values() for cell in row.values()]
        print(f"\n{cells.count('pass')} passed, {len(self.problems)} failed")

    def table(self, features):
        first = max(map(len, self.rows))
        print(" " * first, *features, sep="  ")
        for program, row in self.rows.items():
            cells = (row[feature].ljust(len(feature)) for feature in features)
            print(program.ljust(first), *cells, sep="  ")
