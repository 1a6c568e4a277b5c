"""What the detector's parts cost beside torchvision's own operators: RoIAlign and suppression.

``python -m benchmarks.detector_parts [--preset cpu] [--pairs 30]`` needs a torchvision beside the torch of the
interpreter (0.28 for 2.13); it is in no image of ours. Ours are what every framework can write: two products that
interpolate, and a fixed point over all pairs. Theirs are C++ written for the purpose. Both are given the same levels
and boxes, first checked to give the same, and timed in pairs, on as many threads as PyTorch takes by itself.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from benchmarks.pairs import T_95, Ratio, interleaved, ratio
from harness import workloads
from harness.workloads.fasterrcnn.preset import LEVELS, POOLED, SAMPLES

BATCH = 4
BLOCK_S = 0.2
NEAR = 1e-4  # of what is pooled; levels are within 1


class Part(NamedTuple):
    """One operator in two ways, and whether they give the same."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    same: bool


def parts(preset_name: str) -> Iterator[Part]:
    """RoIAlign forward, and forward with backward, over the four levels; suppression of one level's best."""
    import torch
    from torchvision.ops import MultiScaleRoIAlign, nms

    workload = workloads.get("fasterrcnn")
    preset = workload.presets[preset_name]
    file = workloads.file("fasterrcnn", "torch")
    model = file.model(preset)
    batches = workload.batches(preset, BATCH, 0)
    levels = [torch.from_numpy(batches[name][0]).permute(0, 3, 1, 2).contiguous() for name in LEVELS[:4]]
    boxes = torch.from_numpy(batches["found"][0])  # (B, R, 4)
    named, listed = dict(zip(map(str, range(4)), levels, strict=True)), list(boxes)
    pool = MultiScaleRoIAlign([*named], POOLED, SAMPLES, canonical_scale=preset.canonical, canonical_level=4)
    sizes = [(preset.size, preset.size)] * BATCH

    def theirs() -> Any:  # (B R, C, 7, 7)
        return pool(named, listed, sizes)

    def ours() -> Any:  # (B, R, 7, 7, C)
        return model.roi_align(levels, boxes)

    with torch.no_grad():
        apart = ours().flatten(0, 1).permute(0, 3, 1, 2) - theirs()
    same = bool(apart.abs().max() < NEAR)

    def without(run: Callable[[], Any]) -> Any:
        with torch.no_grad():
            return run()

    def backward(run: Callable[[], Any]) -> Any:
        for level in levels:
            level.grad = None
            level.requires_grad_()
        return run().sum().backward()

    yield Part("RoIAlign", partial(without, ours), partial(without, theirs), same)
    yield Part("RoIAlign and its gradient", partial(backward, ours), partial(backward, theirs), same)

    draw = torch.Generator().manual_seed(0)
    low = torch.rand(BATCH, preset.before, 2, generator=draw) * preset.size / 2
    best = torch.cat([low, low + 4 + torch.rand(low.shape, generator=draw) * preset.size / 2], -1)
    scores = torch.linspace(1, 0, preset.before)
    valid = torch.ones(BATCH, preset.before, dtype=torch.bool)

    def suppress() -> Any:
        return file.not_suppressed(best, valid, 0.7)

    def suppress_each() -> Any:
        return [nms(one, scores, 0.7) for one in best]

    kept = [one.nonzero()[:, 0].tolist() for one in suppress()]
    same = kept == [sorted(one.tolist()) for one in suppress_each()]
    yield Part(f"suppression among {preset.before} boxes", suppress, suppress_each, same)


def compare(part: Part, pairs: int) -> tuple[Ratio, float]:
    """Ours over theirs, wall time, and the median of ours in seconds."""

    def timed(run: Callable[[], Any], times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            run()
        return time.perf_counter() - began

    timed(part.ours, 2), timed(part.theirs, 2)
    times = max(1, math.ceil(BLOCK_S / min(timed(part.ours, 1), timed(part.theirs, 1))))
    times = min(times, math.ceil(5 * BLOCK_S / max(timed(part.ours, 1), timed(part.theirs, 1))))
    found = interleaved(partial(timed, part.ours, times), partial(timed, part.theirs, times), pairs)
    return ratio(found), statistics.median(ours / times for ours, _ in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="cpu", choices=sorted(workloads.get("fasterrcnn").presets))
    parser.add_argument("--pairs", type=int, default=30, choices=sorted(T_95))
    arguments = parser.parse_args()
    try:
        import torch
        import torchvision
    except (ImportError, RuntimeError) as error:
        parser.error(f"needs torch and a torchvision that matches it: {error}")
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads"
    )
    for part in parts(arguments.preset):
        if not part.same:
            print(f"{part.name}: they do not give the same")
            continue
        found, seconds = compare(part, arguments.pairs)
        print(
            f"{part.name}: ours {seconds * 1e3:.2f} ms, ours / theirs {found} in {arguments.pairs} pairs",
            flush=True,
        )


if __name__ == "__main__":
    main()
