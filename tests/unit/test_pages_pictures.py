"""Example images: a PNG file that holds the array's own values, boxes as they are, and the same in words."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from framebench.pages.pictures import pictures_of, png


def test_a_png_file_holds_the_array() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = png(image)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = {}, 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        assert struct.unpack(">I", data[position + 8 + length : position + 12 + length]) == (
            zlib.crc32(kind + body),
        )
        chunks[kind] = body
        position += 12 + length
    assert struct.unpack(">IIBB", chunks[b"IHDR"][:10]) == (7, 5, 8, 2)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(5, 1 + 7 * 3)
    assert (rows[:, 0] == 0).all() and (rows[:, 1:].reshape(5, 7, 3) == image).all()


def test_a_workload_with_examples_has_pictures_and_others_have_none() -> None:
    pictures = pictures_of("fasterrcnn")
    assert pictures and pictures_of("mlp") == []
    for one in pictures:
        assert one.label == f"{len(one.there)} objects, {len(one.found)} found"
        assert len(one.found) == (0 if one.caption == "nothing found" else one.caption.count(",") + 1)
        assert base64.b64decode(one.src.partition(",")[2]).startswith(b"\x89PNG")
