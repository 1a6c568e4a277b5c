"""Example images of a workload with what is on them and what is found, for its page."""

from __future__ import annotations

import base64
import functools
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from framebench.language import _
from harness import workloads


class Rectangle(NamedTuple):
    """As SVG has it."""

    x: str
    y: str
    width: str
    height: str


class Picture(NamedTuple):
    """One figure; ``src`` is the image itself, a data URL."""

    src: str
    width: int
    height: int
    there: list[Rectangle]
    found: list[Rectangle]
    label: str
    caption: str


def pictures_of(name: str) -> list[Picture]:
    """Those that the workload has; none for most."""
    examples = workloads.get(name).examples
    return [_picture(one) for one in _once(examples)] if examples else []


@functools.cache  # in every language the same, and a network runs for them
def _once(examples: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    return examples()


def _picture(example: Any) -> Picture:
    height, width = example.image.shape[:2]
    found = [f"{_(box.name)} {box.score:.2f}" for box in example.found]
    return Picture(
        src=f"data:image/png;base64,{base64.b64encode(png(example.image)).decode()}",
        width=width,
        height=height,
        there=[_rectangle(box) for box in example.there],
        found=[_rectangle(box) for box in example.found],
        label=_("{there} objects, {found} found").format(there=len(example.there), found=len(found)),
        caption=", ".join(found) or _("nothing found"),
    )


def _rectangle(box: Any) -> Rectangle:
    return Rectangle(f"{box.x1:.1f}", f"{box.y1:.1f}", f"{box.x2 - box.x1:.1f}", f"{box.y2 - box.y1:.1f}")


def png(image: Any) -> bytes:
    """The bytes of a PNG file of an (H, W, 3) uint8 array."""
    height, width = image.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in image)  # 0: no filter

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, red green blue
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
