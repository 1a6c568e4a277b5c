"""``framebench schema``: the JSON Schemas of what framebench writes."""

from __future__ import annotations

import click
import msgspec

from framebench.records import store


def run() -> None:
    """Spec, record, reproduction and self-test, as one JSON document on stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(store.json_schema()), indent=2))
