"""A trial under the framework's own profiler: nothing that it finds is a measurement, and its record is never kept."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import frameworks, profiling, protocol
from harness.draft import Draft
from harness.record import Outcome
from harness.trials.prepare import build, import_and_configure

STEPS = 5
SHOWN = 10


def profile_trial(draft: Draft) -> Outcome:
    """Warm-up as in a timing trial, then one ``run`` of a few steps; everything is in the sidecar (``profile``)."""
    spec = draft.spec
    frameworks.refuse_unknown(spec.contender)
    profiler = profiling.of(frameworks.info(spec.contender.stack))
    with tempfile.TemporaryDirectory(prefix="profile-") as name:
        folder = Path(name)
        os.environ.update(profiler.environment(folder))
        stack = import_and_configure(draft, spec.cache_dir)
        driver = build(draft, stack).driver
        with draft.phase("warm_up"):
            protocol.warm_up(driver.run, stack.barrier, spec.protocol, stack.compile_events)
        with draft.phase("steps"):
            found = profiler.profile(_steps(driver.run, stack.barrier), folder, spec.case.device)
        draft.series["profile"] = {
            "steps": STEPS,
            "files": {
                path.relative_to(folder).as_posix(): _content(path, profiler.OPEN, folder)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            },
            "operations": len(found),
            "self_ns": sum(cost.self_ns for cost in found),
            "costliest": sorted(found, key=lambda cost: -cost.self_ns)[:SHOWN],
        }
    return Outcome(status="ok")


def _steps(run: protocol.Run, barrier: protocol.Barrier) -> Callable[[], Any]:
    return lambda: barrier(run(STEPS))


def _content(path: Path, how_to_open: dict[str, str], folder: Path) -> dict[str, str]:
    """A file as JSON: text as it is, all else in base64; and what it is."""
    data = path.read_bytes()
    relative = path.relative_to(folder)
    opened = next((how for pattern, how in how_to_open.items() if relative.match(pattern)), "")
    try:
        return {"text": data.decode(), "open": opened}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode(), "open": opened}
