"""TensorFlow's profiler, and the HLO of what XLA ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.profiling import OPEN_HLO, OPEN_XPLANE, Cost, Event, costs, keep_hlo, name_trace
from harness.profiling import xla_environment as environment

__all__ = ["OPEN", "environment", "profile"]

OPEN = {"*.xplane.pb": OPEN_XPLANE, **OPEN_HLO}
EAGER = "EagerLocalExecute: "  # what follows is the operation
FUNCTION = "__inference_"  # a whole function, of which the operations are there too


def profile(run: Callable[[], Any], folder: Path, device: str) -> list[Cost]:
    """Operations of graphs (``node:Operation``), of XLA, and of eager calls with their dispatch."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tf.profiler.experimental.Profile(str(folder)):
        run()
    written = name_trace(folder)
    trace = xplane_pb2.XSpace()
    trace.ParseFromString(written.read_bytes())
    modules: set[str] = set()
    lines = [list(_events(plane, line, modules)) for plane in trace.planes for line in plane.lines]
    keep_hlo(folder, modules)
    return costs(lines)


def _events(plane: Any, line: Any, modules: set[str]) -> Iterator[Event]:
    """The operations on a line; the modules of XLA among them are noted."""
    for event in line.events:
        what = plane.event_metadata[event.metadata_id]
        stats = {plane.stat_metadata[one.metadata_id].name: _value(plane, one) for one in event.stats}
        if "hlo_op" in stats:
            modules.add(stats["hlo_module"])
            name = stats["hlo_op"]
        elif what.name.startswith(EAGER):
            name = what.name.removeprefix(EAGER)
        elif what.display_name and what.name.endswith(f":{what.display_name}"):
            name = what.name
        else:
            continue
        if not name.startswith(FUNCTION):
            yield Event(name, event.offset_ps / 1000, event.duration_ps / 1000)


def _value(plane: Any, stat: Any) -> str:
    return str(stat.str_value or plane.stat_metadata[stat.ref_value].name)
