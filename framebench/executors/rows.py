"""In which image each stack is measured on each device, of those that this machine's driver runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from framebench import images
from framebench.executors import StackOn, Unavailable, gpu
from framebench.executors.drivers import runs, too_old
from framebench.images import Device, ImageRow, Matrix, OwnWheel

PROCESSORS = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}
"""As kernels call them, and as engines and rows do."""


class Rows:
    """The rows of a checkout's matrix that campaigns use; ``images_asked`` take the place of the default ones.

    With wheels of somebody's own, only those (of the images asked for, where any are) that have a place for one of
    them, each with it.
    """

    def __init__(
        self, root: Path, images_asked: Sequence[str] = (), own_wheels: Sequence[OwnWheel] = ()
    ) -> None:
        self._root = root
        self._images_asked = images_asked
        self._own_wheels = own_wheels
        self._known: dict[Device, dict[str, ImageRow]] = {}

    def on(self, device: Device) -> dict[str, ImageRow]:
        """By stack. Without a GPU here, those that the newest driver would run."""
        if device not in self._known:
            driver = self._driver if device == "gpu" else None
            rows = self._matrix.for_device(
                device, self._images_asked, lambda row: runs(self._root, driver, row)
            )
            self._known[device] = self._with_own(rows) if self._own_wheels else rows
        return self._known[device]

    def _with_own(self, rows: dict[str, ImageRow]) -> dict[str, ImageRow]:
        asked = [self._matrix.find(name) for name in self._images_asked]
        own = {
            stack: images.with_own(self._root, row, self._own_wheels)
            for stack, row in rows.items()
            if row in asked or not asked
        }
        return {stack: row for stack, row in own.items() if row is not None}

    def find(self, wanted: StackOn) -> ImageRow | Unavailable:
        """The row, or why there is none that could be made here."""
        row = self.on(wanted.device).get(wanted.stack)
        if row is None:
            return self._no_row(wanted)
        if not images.is_locked(self._root, row):
            return Unavailable(
                f"image {row.name} has no lock yet",
                f"run `framebench lock {row.alias}` and commit the result",
            )
        return row

    def refusal(self, wanted: StackOn) -> Unavailable | None:
        """Why there is no image for it; null where there is one."""
        found = self.find(wanted)
        return found if isinstance(found, Unavailable) else None

    def foreign(self, row: ImageRow, architecture: str) -> Unavailable | None:
        """Why a machine of this architecture cannot make the row's environment; null if it can."""
        here = PROCESSORS.get(architecture, architecture)
        if row.arch == here:
            return None
        rows = self._matrix.rows
        like = [one for one in rows if (one.stack, one.device, one.arch) == (row.stack, row.device, here)]
        theirs = [one.name for one in like if not one.retired and images.is_locked(self._root, one)]
        mend = (
            f"name one for {here}, as with `--image {theirs[-1]}`"
            if theirs
            else f'add and lock a row with arch = "{here}" in containers/images.toml'
        )
        return Unavailable(
            f"image {row.name} is for {row.arch} processors, and the machine that measures has {here}",
            f"measure on a machine with {row.arch}, or {mend}",
        )

    def _no_row(self, wanted: StackOn) -> Unavailable:
        if self._own_wheels:
            return Unavailable(
                "the lock of its image names no package that --wheel brings, or --image names others"
            )
        newer = self._matrix.for_device(wanted.device).get(wanted.stack)
        if newer is not None and newer.cuda is not None and self._driver is not None:
            sentence = too_old(self._root, self._driver, newer.name, wanted.stack, newer.cuda)
            if sentence is not None:
                return Unavailable(sentence)
        for row in self._matrix.rows:
            if newer is None and row.retired and (row.stack, row.device) == (wanted.stack, wanted.device):
                return Unavailable(
                    f"image {row.name} is retired since {row.retired.on}: {row.retired.because}"
                )
        return Unavailable(
            f"containers/images.toml has no default image of {wanted.stack} for a {wanted.device.upper()}",
            "add a row there, or set `default = true` on one",
        )

    @cached_property
    def _matrix(self) -> Matrix:
        return images.load_matrix(self._root)

    @cached_property
    def _driver(self) -> str | None:
        return gpu.driver()
