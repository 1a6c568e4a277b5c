"""``framebench sbom``: the bill of materials of an image."""

from __future__ import annotations

from pathlib import Path

import click

from framebench.images import load_matrix
from framebench.images.audit.materials import image_sbom


def run(root: Path, name: str) -> None:
    """CycloneDX 1.6 as JSON on stdout; progress goes to stderr."""
    document = image_sbom(root, load_matrix(root).find(name), lambda line: click.echo(line, err=True))
    click.echo(document, nl=False)
