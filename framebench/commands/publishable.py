"""``framebench publishable``: which images may be pushed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from framebench.images import load_matrix
from framebench.images.ship.redistribution import publishable


def run(root: Path) -> None:
    """Their names as a JSON list on stdout; why others may not goes to stderr."""
    names = publishable(root, load_matrix(root).rows, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(names))
