"""Every contender's every trial ended `ok` or `unsupported`, and was timed where its gate passed."""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import Path

from framebench.campaign import suites
from framebench.records import store

EXPLAINED = {"ok", "unsupported"}
root = Path(__file__).resolve().parent.parent
name, results, globs = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
records = [record for _, record in store.load([results]).records]
suite = suites.load(root, name)
wanted = [slug for slug in suite.contenders if any(fnmatch(slug, glob) for glob in globs)]
faults = []
for slug in wanted:
    mine = [record for record in records if record.contender.slug == slug]
    for record in mine:
        if record.outcome.status not in EXPLAINED:
            faults.append(
                f"{record.case.path} {slug}: {record.kind} {record.outcome.status}: {record.outcome.reason}"
            )
    passed = {record.case.path for record in mine if (record.kind, record.outcome.status) == ("parity", "ok")}
    timed = {record.case.path for record in mine if record.kind == "timing"}
    if not any(record.kind == "parity" for record in mine):
        faults.append(f"{slug}: no parity record")
    faults += [f"{path} {slug}: no timing record" for path in sorted(passed - timed)]
cases = {record.case.path for record in records}
print(
    "\n".join(faults)
    or f"{len(records)} records: {len(wanted)} contenders in {len(cases)} cases ok or explained"
)
sys.exit(1 if faults else 0)
