"""Prints the id of a committed result to reproduce; the images of all records are gone from the engine after it."""

from __future__ import annotations

from pathlib import Path

from framebench import dataset, images
from framebench.images.make import engine

root = Path(__file__).resolve().parent.parent
data = dataset.load([root / "results"])
result = next(
    r
    for r in data.results
    if r.container
    and len(r.timed) >= 3
    and (r.case.workload, r.case.task) == ("mlp", "train")
    and r.contender.slug == "keras-jax-compiled-loop"
)
for digest in {record.image.config_digest for record in data.records if record.image.config_digest}:
    if tag := images.find_by_digest(digest):
        engine.docker("image", "rm", "--force", tag)
print(result.id)
