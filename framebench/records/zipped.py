"""What is zipped beside a record, unzipped: a few kilobytes may claim to be gigabytes, and nobody holds those."""

from __future__ import annotations

import zlib

ZIPPED_BYTES = 1 << 20
UNZIPPED_BYTES = 16 << 20
"""Of a stored sidecar. Ten thousand latencies and every comparison of a gate are far below both."""


def unzipped(data: bytes, most: int = UNZIPPED_BYTES) -> bytes:
    """The content; ``ValueError`` says what is wrong where it is not one whole gzip of at most ``most`` bytes."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        content = unzip.decompress(data, most)
    except zlib.error as error:
        raise ValueError(f"is no gzip ({error})") from None
    if not unzip.eof or unzip.unused_data:
        raise ValueError(f"is not one whole gzip of at most {most >> 20} MiB")
    return content
