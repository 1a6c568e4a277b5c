"""What every framework's profiler is asked, and what they have in common.

``frameworks/<name>/profiling.py`` serves the stacks that compute with that framework, Keras on it too. It offers
``environment(folder)``, the variables by which the compiler leaves in ``folder`` what it makes, set before the import;
``profile(run, folder, device)``, which calls ``run`` under the profiler, puts the trace into ``folder``, removes what
nobody would read, and gives back the costs of all operations; and ``OPEN``, what each file is and how it is opened, by
pattern. No timed trial imports any of it.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from harness.frameworks import StackInfo, Unsupported

HLO = "hlo"
OPEN_HLO = {
    f"{HLO}/*.before_optimizations.txt": "HLO as XLA got it; open it in any editor",
    f"{HLO}/*_after_optimizations.txt": "HLO as XLA runs it, after its passes and fusions; open it in any editor",
}
OPEN_XPLANE = "the profile whole; open it by: pip install xprof; xprof --logdir FOLDER"


class Cost(NamedTuple):
    """What an operation took over all profiled steps, without what it called."""

    operation: str
    calls: int
    self_ns: int


class Event(NamedTuple):
    """An operation on the time line of one thread or stream; times in ns."""

    operation: str
    start: float
    duration: float


def of(info: StackInfo) -> Any:
    """The profiler's module of the framework that computes; ``Unsupported`` where it has none."""
    name = f"harness.frameworks.{info.backend or info.framework}.profiling"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise Unsupported(f"{info.title} has no profiler here") from None


def costs(lines: Iterable[Iterable[Event]]) -> list[Cost]:
    """Calls and self time of each operation; of what overlaps on a line, the later belongs to the earlier."""
    calls: dict[str, int] = defaultdict(int)
    own: dict[str, float] = defaultdict(float)
    for line in lines:
        around: list[Event] = []
        for event in sorted(line, key=lambda event: (event.start, -event.duration)):
            while around and around[-1].start + around[-1].duration <= event.start:
                around.pop()
            if around:
                own[around[-1].operation] -= event.duration
            around.append(event)
            calls[event.operation] += 1
            own[event.operation] += event.duration
    return [Cost(name, calls[name], max(0, round(own[name]))) for name in calls]


def xla_environment(folder: Path) -> dict[str, str]:
    """XLA writes each module that it compiles, as text."""
    return {"XLA_FLAGS": f"--xla_dump_to={folder / HLO} --xla_dump_hlo_as_text"}


def keep_hlo(folder: Path, modules: set[str]) -> None:
    """Of XLA's files the HLO of the modules that ran, before and after its passes."""
    for path in sorted((folder / HLO).rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()  # what was in it came first
            continue
        text = path.name.endswith((".before_optimizations.txt", "_after_optimizations.txt"))
        if not text or not any(f".{module}." in path.name for module in modules):
            path.unlink()


def name_trace(folder: Path) -> Path:
    """The trace that XLA's profiler has left (``plugins/profile/<time>/<host>.…``, which its viewers expect), under
    names that are the same each time."""
    session = next(folder.glob("plugins/profile/*")).rename(folder / "plugins" / "profile" / "run")
    for path in list(session.iterdir()):
        kind = next((kind for kind in ("xplane.pb", "trace.json.gz") if path.name.endswith(kind)), None)
        if kind is None:
            path.unlink()
        else:
            path.rename(session / f"host.{kind}")
    return session / "host.xplane.pb"
