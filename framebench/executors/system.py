"""Trials under this interpreter, with whatever it can import: for machines where nothing can be installed."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from framebench.executors import Failure, Progress, StackOn, Unavailable, gpu
from framebench.executors.installed import packages_sha256
from framebench.executors.machine import Machine, this_machine
from framebench.executors.plain_path import plain
from framebench.executors.process import TrialProcess, compiler_version
from harness import frameworks
from harness.record import ImageRef, Record, TrialSpec


class SystemExecutor:
    """Runs the harness of the clone ``root``; compile caches lie in ``build/cache/system`` there."""

    name = "system"
    engine = None
    rows = None

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process = TrialProcess()

    def machine(self) -> Machine:
        return this_machine()

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        """Modules that a stack needs are looked for, not imported."""
        if wanted.device == "gpu" and (reason := gpu.refusal_of(count)):
            return reason
        missing = [module for module in _modules(wanted.stack) if importlib.util.find_spec(module) is None]
        if not missing:
            return None
        return Unavailable(
            f"{sys.executable} has no module {' and no '.join(missing)}",
            f"install {' and '.join(missing)} there, or measure in a clone with the venv or the docker executor",
        )

    def ready(self, wanted: Iterable[StackOn]) -> dict[StackOn, ImageRef]:
        prepared = self.prepare(wanted, lambda line: None)
        return {one: image for one, image in prepared.items() if isinstance(image, ImageRef)}

    def prepare(self, wanted: Iterable[StackOn], progress: Progress) -> dict[StackOn, ImageRef | Unavailable]:
        return {one: self.refusal(one) or _environment(one.stack) for one in wanted}

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        root = plain(self._root)
        variables = {"PYTHONPATH": os.pathsep.join([str(root), *_inherited_path()])}
        if "LD_LIBRARY_PATH" in os.environ:  # where site-wide installations keep their CUDA
            variables["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        if site.ENABLE_USER_SITE:  # the trial has an empty home, but sees the packages we looked for
            variables["PYTHONUSERBASE"] = site.getuserbase()
        else:
            variables["PYTHONNOUSERSITE"] = "1"
        cache = root / "build" / "cache" / "system"
        return self._process.run(Path(sys.executable), spec, cache, variables, log)

    def stop(self) -> None:
        self._process.stop()


def _modules(stack: str) -> Sequence[str]:
    declared = frameworks.stacks().get(stack)
    return declared.modules if declared else stack.split("-")


def _environment(stack: str) -> ImageRef:
    """No image; what is installed here stands in for its lock."""
    return ImageRef(name=None, packages_sha256=packages_sha256(_modules(stack)), compiler=compiler_version())


def _inherited_path() -> list[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
