"""Is our step at least as fast as the framework's own well-known way? (DESIGN section 6.7)

``python -m benchmarks.against_native STACK [--models well_known] [--preset smoke] [--cases GLOB] [--pairs 30]`` takes
the cases of the suite of that name (default: ``cpu``) and runs, in one process and interleaved, the ``run(n)`` of our
driver and the loop in ``benchmarks/native/`` on the same batches. The loop steps the tutorials' models or, with
``--models well_known``, those made of the layers of well-known libraries (``benchmarks/well_known/``), which have to
be installed beside the framework: flax, keras-hub, torchvision. Neither gets the harness's environment variables: both
take the framework's own number of threads for the cores of this process.

``--batch 2`` takes another batch than the suite does; with it the cases of ``--preset gpu`` run on a CPU.

Speed counts, so the time of ours over native's has to be at most 1 / 0.97; its 95 % interval is held against that.
On a busy machine CPU time tells more than wall time.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import time
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec.structs import replace

from benchmarks.pairs import T_95, Ratio, interleaved, ratio
from benchmarks.well_known import Known, unequal_work
from framebench.campaign.suites import load, parse_contender
from harness import cores, frameworks, workloads
from harness.frameworks import Stack
from harness.gate.check import timed_job
from harness.record import Case, Contender
from harness.workloads import Job

ROOT = Path(__file__).resolve().parent.parent
AT_MOST = 1 / 0.97
BLOCK_S = 0.3
OURS = {  # what users of the stack would write
    "torch": ("torch-eager", "torch-eager-channels-last"),
    "tensorflow": ("tensorflow-compiled-graph",),
    "jax": ("jax-compiled",),
    "keras-tensorflow": ("keras-tensorflow-compiled-graph-loop",),
    "keras-torch": ("keras-torch-eager-loop",),
    "keras-jax": ("keras-jax-compiled-loop",),
}

Run = Callable[[int], Any]


def cases(preset: str, glob: str, batch: int | None) -> list[Case]:
    """The cases of this preset in the suite of its name, in fp32, of the tasks that the loops know."""
    found = load(ROOT, preset).expand(cores.cores_allowed())
    if batch:  # batches that the suite tells apart are one now
        found = list(dict.fromkeys(replace(case, batch=batch, device="cpu") for case in found))
    return [
        case
        for case in found
        if case.preset == preset and case.precision == "fp32" and case.task in ("train", "infer")
        if fnmatchcase(case.path, glob)
    ]


def timed(run: Run, barrier: Callable[[Any], Any], steps: int) -> tuple[int, int]:
    """CPU and wall time of a block, ns."""
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    barrier(run(steps))
    return time.process_time_ns() - cpu, time.perf_counter_ns() - wall


def theirs(job: Job, framework: str, models: ModuleType) -> Run:
    """The native loop over their model. ``SystemExit`` where that is not the specified work."""
    loop, model = (
        importlib.import_module(f"benchmarks.native.{framework}").loop,
        models.MODELS[job.workload.name],
    )
    if not isinstance(model, Known):
        return loop(job, model)  # type: ignore[no-any-return]
    if fault := unequal_work(job.workload, job.preset, job.batch, model, models.work(job, model.build)):
        raise SystemExit(
            f"{models.__name__}: {job.workload.name} is other work than specified: it has {fault}"
        )
    return loop(job, model.build)  # type: ignore[no-any-return]


def compare(
    case: Case, contender: Contender, stack: Stack, models: ModuleType, pairs: int
) -> dict[str, Ratio]:
    """Ours over theirs, of CPU and of wall time."""
    stack.configure(case, contender, 0)
    job = timed_job(case, contender)
    runs = frameworks.build(job, stack).run, theirs(job, stack.info.framework, models)
    for run in runs * 2:  # compile
        timed(run, stack.barrier, 2)
    _, wall = min(timed(run, stack.barrier, 2) for run in runs)
    steps = max(2, math.ceil(BLOCK_S * 1e9 / (wall / 2)))
    blocks = [partial(timed, run, stack.barrier, steps) for run in runs]
    interleaved(*blocks, 2)  # warm up
    times = interleaved(*blocks, pairs)
    return {
        clock: ratio([(one[which], other[which]) for one, other in times])
        for which, clock in enumerate(("CPU", "wall"))
    }


def refusal(case: Case, models: ModuleType) -> str | None:
    """Why they have no model for this case, in words."""
    model = models.MODELS.get(case.workload)
    if model is None:
        return f"no such model in {models.__name__}"
    if isinstance(model, Known) and not model.fits(workloads.get(case.workload).presets[case.preset]):
        return f"not this preset: {model.says}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", choices=sorted(OURS))
    parser.add_argument("--models", default="native", choices=("native", "well_known"))
    parser.add_argument("--preset", default="cpu", choices=("cpu", "smoke", "gpu"))
    parser.add_argument("--cases", default="*", metavar="GLOB", help="for example 'convstack/*-train-*'")
    parser.add_argument("--batch", type=int, metavar="N", help="instead of the suite's")
    parser.add_argument("--pairs", type=int, default=30, choices=sorted(T_95))
    arguments = parser.parse_args()

    info = frameworks.info(arguments.stack)
    os.environ["KERAS_BACKEND"] = info.backend or "tensorflow"  # read at import, by native TensorFlow too
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    stack = frameworks.load(arguments.stack)
    models = importlib.import_module(f"benchmarks.{arguments.models}.{info.framework}")
    verdicts: dict[str, Counter[str]] = {"CPU": Counter(), "wall": Counter()}
    for case in cases(arguments.preset, arguments.cases, arguments.batch):
        if reason := refusal(case, models):
            print(f"{case.path}: {reason}")
            continue
        of_images = any(one.axes == "NHWC" for one in workloads.get(case.workload).inputs.values())
        for contender in map(parse_contender, OURS[arguments.stack]):
            if contender.variant == "channels-last" and not of_images:
                continue
            print(f"{contender.slug} {case.path}, ours / theirs, {arguments.pairs} pairs:", flush=True)
            for clock, found in compare(case, contender, stack, models, arguments.pairs).items():
                verdict = found.judge(at_most=AT_MOST)
                verdicts[clock][verdict] += 1
                print(f"  {clock:4} {found}, one pair ±{found.spread:.1%}: {verdict}", flush=True)
    said = "; ".join(
        f"{clock} time " + ", ".join(f"{counts[word]} {word}" for word in ("pass", "fail", "undecided"))
        for clock, counts in verdicts.items()
    )
    print(f"{arguments.stack} against {arguments.models} (time at most {AT_MOST:.3f}): {said}")


if __name__ == "__main__":
    main()
