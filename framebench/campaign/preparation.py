"""The environments that a campaign measures in: what they still need, and how they are made."""

from __future__ import annotations

from typing import NamedTuple

from framebench.campaign.request import Request, Resolved, Say
from framebench.errors import UserError
from framebench.executors import StackOn, Unavailable
from framebench.images import ImageRow, missing_wheels
from framebench.images.locks import check_lock
from harness.record import ImageRef

# Bytes on disk for each byte of wheels, of the five CPU rows (1.27 GB of wheels in their locks). Images: 3.9 GB in
# build/store and 3.5 GB in the engine, summed from the sizes of their layers; environments (du): 5.69 GB, and 0.64 GB
# of wheels.
DISK_PER_WHEEL_BYTE = {"docker": 5.8, "venv": 5.0}


class Needed(NamedTuple):
    """What environments that are not there yet take."""

    stacks: list[StackOn]
    download_bytes: int
    disk_bytes: float


def still_needed(request: Request, resolved: Resolved) -> Needed | None:
    """Download and disk that the environments still need; null when they need nothing."""
    rows = resolved.executor.rows
    missing = [stack for stack in resolved.stacks if stack not in resolved.ready]
    if not missing or rows is None:
        return None
    needed = [row for stack in missing if isinstance(row := rows.find(stack), ImageRow)]
    download = {wheel.sha256: wheel.size for row in needed for wheel in missing_wheels(request.root, row)}
    packages = sum(wheel.size for row in needed for wheel in check_lock(request.root, row))
    return Needed(missing, sum(download.values()), packages * DISK_PER_WHEEL_BYTE[resolved.executor.name])


def prepare(resolved: Resolved, say: Say) -> dict[StackOn, ImageRef]:
    """Build or fetch what is missing; a stack that cannot be had is left out, and said."""
    if resolved.nothing_here:
        here = [one for one in resolved.unsupported if one.here] or resolved.unsupported
        causes = "; ".join(dict.fromkeys(one.cause.reason for one in here))
        raise UserError(f"nothing of suite {resolved.suite.name} can run here: {causes or 'no case is left'}")
    images: dict[StackOn, ImageRef] = {}
    for stack, prepared in resolved.executor.prepare(resolved.stacks, say).items():
        if isinstance(prepared, Unavailable):
            say(f"{stack} is left out: {prepared.reason}" + (f"; {prepared.mend}" if prepared.mend else ""))
        else:
            images[stack] = prepared
    if not images:
        raise UserError("no stack can run here; the lines above say why")
    return images
