"""``framebench image show``: what is in an image, in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from framebench.errors import UserError
from framebench.images import load_matrix
from framebench.images.audit.description import describe
from framebench.images.make.engine import require_engine
from framebench.images.make.local import local_image


def run(root: Path, name: str, console: Console) -> None:
    """Facts, packages and layers of one row of the matrix."""
    row = load_matrix(root).find(name)
    described = describe(root, row)

    def say(line: str) -> None:
        console.print(line, markup=False)

    say(f"{row.name} (alias {row.alias}): {row.stack} on Python {row.python}, {row.accelerator}, {row.arch}")
    if row.cuda:
        say(f"CUDA {row.cuda}, cuDNN {row.cudnn}, NCCL {row.nccl}")
    for base, count in described.debian.items():
        say(f"base {base}: {count} Debian packages, containers/base/{base}.lock")
    try:
        require_engine()
        here = local_image(root, row)
        say(
            f"in the engine: {here.tag}, {here.config_digest}"
            if here
            else "this checkout has neither built nor pulled it"
        )
    except UserError as error:
        say(f"in the engine: unknown. {error}")
    for entry in described.published:
        say(f"pushed {entry.pushed_utc[:10]}: docker pull {entry.repo_digest}")
    if described.rebuild is None:
        say("two clean builds: never compared")
    else:
        checked = described.rebuild
        outcome = "identical" if checked.identical else f"not identical: {checked.difference}"
        say(f"two clean builds: {outcome} ({checked.checked_utc[:10]}, {checked.builder})")
        say(f"  config digest {checked.config_digest}, manifest digest {checked.manifest_digest}")
        say(
            f"  {len(checked.layers)} layers, {checked.size_bytes / 1e6:,.0f} MB,"
            f" {checked.compressed_bytes / 1e6:,.0f} MB compressed"
        )
    if not described.packages:
        say("no lock: not built; `framebench lock` makes it where the row's index can be reached")
        return
    table = Table(
        "package", "version", "licence", "layer, MB", "compressed, MB", "SHA-256 of the wheel", box=None
    )
    for package in described.packages:
        layer = package.layer
        table.add_row(
            package.name,
            package.version,
            (package.licence or "unknown")[:40],
            f"{layer.size_bytes / 1e6:,.1f}" if layer else "–",
            f"{layer.compressed_bytes / 1e6:,.1f}" if layer else "–",
            package.sha256,
        )
    console.print(table, markup=False)
