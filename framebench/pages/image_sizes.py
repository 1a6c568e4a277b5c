"""What an image takes: what a pull transfers, and what it is on disk."""

from __future__ import annotations

from framebench.images.audit.two_builds import Rebuild
from framebench.language import N_
from framebench.pages import figures
from framebench.pages.views import Cell

SIZES = [N_("Download"), N_("On disk")]


def size_cells(rebuild: Rebuild | None) -> list[Cell]:
    """Compressed and unpacked, under the headings ``SIZES``; – for an image that was not built twice and compared."""
    sizes = (rebuild.compressed_bytes, rebuild.size_bytes) if rebuild else (None, None)
    return [Cell(figures.size(size), "fb-num") for size in sizes]
