"""Every contender of both smoke cases ended `ok` or `unsupported`, and was timed where its gate passed."""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import Path

from framebench.campaign import suites
from framebench.records import store

EXPLAINED = {"ok", "unsupported"}
root = Path(__file__).resolve().parent.parent
results, globs = Path(sys.argv[1]), sys.argv[2:]
records = [record for _, record in store.load([results]).records]
suite = suites.load(root, "smoke")
wanted = [slug for slug in suite.contenders if any(fnmatch(slug, glob) for glob in globs)]
faults = []
for workload in ("convstack", "mlp"):
    for slug in wanted:
        mine = [r for r in records if r.case.workload == workload and r.contender.slug == slug]
        bad = [
            f"{r.kind} {r.outcome.status}: {r.outcome.reason}"
            for r in mine
            if r.outcome.status not in EXPLAINED
        ]
        gate = [r for r in mine if r.kind == "parity"]
        timed = [r for r in mine if r.kind == "timing"]
        if not gate:
            bad.append("no parity record")
        elif gate[0].outcome.status == "ok" and not timed:
            bad.append("no timing record")
        faults += [f"{workload} {slug}: {fault}" for fault in bad]
print(
    "\n".join(faults) or f"{len(records)} records: {len(wanted)} contenders of both workloads ok or explained"
)
sys.exit(1 if faults else 0)
