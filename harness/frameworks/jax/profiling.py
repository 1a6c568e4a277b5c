"""JAX's profiler, and the HLO of what XLA ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.profiling import OPEN_HLO, OPEN_XPLANE, Cost, Event, costs, keep_hlo, name_trace
from harness.profiling import xla_environment as environment

__all__ = ["OPEN", "environment", "profile"]

OPEN = {
    "*.trace.json.gz": "the time line; open it in https://ui.perfetto.dev",
    "*.xplane.pb": OPEN_XPLANE,
    **OPEN_HLO,
}


def profile(run: Callable[[], Any], folder: Path, device: str) -> list[Cost]:
    """Operations of XLA. Calls of Python are not traced: they would take longer than what they call."""
    import jax

    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with jax.profiler.trace(folder, profiler_options=options):
        run()
    written = name_trace(folder)
    trace = jax.profiler.ProfileData.from_file(str(written))
    lines: list[list[Event]] = []
    modules: set[str] = set()
    for line in (line for plane in trace.planes for line in plane.lines):
        lines.append([])
        for event in line.events:
            stats = dict(event.stats)
            if "hlo_op" in stats and "hlo_module" in stats:
                modules.add(stats["hlo_module"])
                name = f"{stats['hlo_module']}: {stats['hlo_op']}"
                lines[-1].append(Event(name, event.start_ns, event.duration_ns))
    keep_hlo(folder, modules)
    return costs(lines)
