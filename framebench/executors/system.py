"""Trials under this interpreter, with whatever it can import: for machines where nothing can be installed."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from collections.abc import Iterable
from pathlib import Path

from framebench.executors import Failure, Progress, Unavailable
from framebench.executors.process import TrialProcess, compiler_version
from harness.record import ImageRef, Record, TrialSpec


class SystemExecutor:
    """Runs the harness of the clone ``root``; compile caches lie in ``build/cache/system`` there."""

    name = "system"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process = TrialProcess()

    def ready(self, stacks: Iterable[str]) -> dict[str, ImageRef]:
        prepared = self.prepare(stacks, lambda line: None)
        return {stack: image for stack, image in prepared.items() if isinstance(image, ImageRef)}

    def prepare(self, stacks: Iterable[str], progress: Progress) -> dict[str, ImageRef | Unavailable]:
        """A stack's name is made of the modules that it needs; they are looked for, not imported."""
        prepared: dict[str, ImageRef | Unavailable] = {}
        for stack in stacks:
            missing = [module for module in stack.split("-") if importlib.util.find_spec(module) is None]
            if missing:
                prepared[stack] = Unavailable(
                    f"{sys.executable} has no module {' and no '.join(missing)}",
                    f"install {' and '.join(missing)} there, or use the venv or the docker executor",
                )
            else:
                prepared[stack] = ImageRef(name=None, compiler=compiler_version())
        return prepared

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        variables = {"PYTHONPATH": os.pathsep.join([str(self._root), *_inherited_path()])}
        if "LD_LIBRARY_PATH" in os.environ:  # where site-wide installations keep their CUDA
            variables["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        if site.ENABLE_USER_SITE:  # the trial has an empty home, but sees the packages we looked for
            variables["PYTHONUSERBASE"] = site.getuserbase()
        else:
            variables["PYTHONNOUSERSITE"] = "1"
        cache = self._root / "build" / "cache" / "system"
        return self._process.run(Path(sys.executable), spec, cache, variables, log)

    def stop(self) -> None:
        self._process.stop()


def _inherited_path() -> list[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
