"""One contender in one case through the whole gate: which parts, on which builds, with which tolerances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from harness import frameworks, workloads
from harness.frameworks import Driver, Stack, Unsupported, exported
from harness.gate import loaded, parts, reference, shape
from harness.gate.optimizers import Epsilon
from harness.gate.parts import Part
from harness.gate.reference import SEED, Entry
from harness.record import Case, Contender, ParityDiff
from harness.workloads import Job, philox

Build = Callable[[Job, Stack], Driver]
EXACT = 1e-9  # float64 through and through


def make_job(
    case: Case,
    contender: Contender,
    preset: Any,
    batch: int,
    precision: Literal["fp64", "fp32", "tf32", "bf16"],
    seed: int = SEED,
) -> Job:
    """What a driver is built from. ``Unsupported`` where the workload does not offer what the case asks for."""
    workload = workloads.get(case.workload)
    info = frameworks.info(contender.stack)
    framework = exported.source_of(info).framework
    frameworks.refuse_unknown(contender)
    if reason := exported.refusal(info, case.task):
        raise Unsupported(reason)
    if not workloads.has_file(case.workload, framework):
        raise Unsupported(f"the workload {workload.name} has no file for {contender.stack}")
    if case.task not in workload.tasks:
        raise Unsupported(
            f"the workload {workload.name} has no task {case.task!r}", f"it has {', '.join(workload.tasks)}"
        )
    if case.precision not in workload.precisions:
        raise Unsupported(
            f"the workload {workload.name} declares no {case.precision}",
            f"it has {', '.join(workload.precisions)}",
        )
    return Job(
        workload=workload,
        file=workloads.file(case.workload, framework),
        preset=preset,
        batch=batch,
        precision=precision,
        case=case,
        contender=contender,
        weights=workload.weights(preset, seed),
        batches=workload.batches(preset, batch, seed),
    )


def timed_job(case: Case, contender: Contender) -> Job:
    """The job that is timed."""
    preset = workloads.get(case.workload).presets[case.preset]
    return make_job(case, contender, preset, case.batch, case.precision)


def check(case: Case, contender: Contender, stack: Stack, build: Build) -> list[Part]:
    """Every part that the case's workload and task need, in order; the first that fails is the last.

    The logic and the precision are looked at on builds of the gate's size, the timed shape on the case's own.
    ``MissingReference`` where there is nothing to compare with.
    """
    workload = workloads.get(case.workload)
    epsilon = reference.epsilon_matters(workload, case.task, stack.info.adam_epsilon)
    made: list[Part] = []
    if case.task == "load":
        job = timed_job(case, contender)
        return [loaded.check(build(job, stack), stack, job)]
    for part in _parts(case, contender, stack, build, epsilon):
        made.append(part)
        if any(not one.passed for one in part.diffs):
            break
    return made


def _parts(case: Case, contender: Contender, stack: Stack, build: Build, epsilon: Epsilon) -> Any:
    workload = workloads.get(case.workload)
    size = workload.gate.sizes[case.preset]
    at = size.preset or case.preset
    floor = stack.info.float64_floor
    # where layers compute in fp32 inside, a tie of the plain form tips as it does in fp32
    tipping = workload.gate.smooth and case.task == "train" and floor > EXACT
    logical = reference.entry(workload, case.preset, tipping, case.task, epsilon)

    exact = make_job(case, contender, reference.formed(workload, at, tipping), size.batch, "fp64")
    yield Part("data", _digests(exact, logical))
    if floor == exported.NO_FLOAT64:
        yield Part("logic", [], skipped=f"{stack.info.title} computes nothing in float64")
    elif case.task == "train":
        driver = build(exact, stack)
        walk = parts.Walk(driver, stack, exact)
        diffs = parts.training(walk, logical, _logic(floor, logical))
        compared = len(walk.losses) + len(logical.gradients) + len(logical.updates)
        yield Part("logic", diffs, left_out=compared - len(diffs))
        yield Part("optimizer", parts.optimizer_rule(walk, epsilon, stack.info.float64_optimizer))
        yield Part("state", parts.state_part(driver, stack, exact, walk, 10 * floor))
        del driver
    else:
        driver = build(exact, stack)
        steps = shape.steps(exact)
        tolerance = _logic(floor, logical)
        diffs = parts.inference(driver, stack, exact, logical.outputs, steps, tolerance)
        diffs += parts.many_at_once(driver, stack, exact, min(steps, 3))
        yield Part("logic", diffs, left_out=parts.without_tolerance(logical.outputs, tolerance))
        del driver

    smooth = workload.gate.smooth
    stored = reference.entry(workload, case.preset, smooth, case.task, epsilon)
    timed = make_job(case, contender, reference.formed(workload, at, smooth), size.batch, case.precision)
    measured = stored.tolerances.get(case.precision)
    if measured is None:
        raise reference.MissingReference(
            f"the reference of {workload.name} has no tolerances for {case.precision};"
            f" make it with: framebench reference {workload.name}"
        )
    driver = build(timed, stack)
    diffs = parts.round_trip(driver, timed)
    if case.task == "train":
        walk = parts.Walk(driver, stack, timed)
        diffs += parts.training(walk, stored, measured.get)
        compared = len(walk.losses) + len(stored.gradients) + len(stored.updates)
        yield Part("precision", diffs, left_out=compared + 1 - len(diffs))
        yield Part("optimizer", parts.optimizer_rule(walk, epsilon, float64=False))
        yield Part("state", parts.state_part(driver, stack, timed, walk, max(measured.values())))
    else:
        steps = shape.steps(timed)
        diffs += parts.inference(driver, stack, timed, stored.outputs, steps, measured.get)
        if floor == exported.NO_FLOAT64:  # nothing has asked for several steps at once
            diffs += parts.many_at_once(driver, stack, timed, min(steps, 3))
        yield Part("precision", diffs, left_out=parts.without_tolerance(stored.outputs, measured.get))
    del driver

    whole = timed_job(case, contender)
    try:
        yield shape.check(build(whole, stack), stack, whole)
    except reference.MissingReference as absent:
        yield Part("shape", [], skipped=str(absent))
        if tipping:  # nothing else has looked at the plain form's training
            plain = make_job(case, contender, workload.presets[at], size.batch, "fp64")
            stored = reference.entry(workload, case.preset, False, case.task, epsilon)
            walk = parts.Walk(build(plain, stack), stack, plain, steps=1)
            allowed = _logic(floor, stored)("loss 1") or floor
            yield Part(
                "logic", [parts.diff("loss 1", abs(walk.losses[0] - stored.losses[0]), allowed, "abs")]
            )


def _digests(job: Job, stored: Entry) -> list[ParityDiff]:
    """Weights and batches are the very bytes that the reference was computed from."""
    pairs = {
        "bytes of the weights": (philox.digest(job.weights), stored.weights_sha256),
        "bytes of the batches": (philox.digest(job.batches), stored.batches_sha256),
    }
    return [parts.diff(what, float(made != kept), 0.0, "abs") for what, (made, kept) in pairs.items()]


def _logic(floor: float, stored: Entry) -> Callable[[str], float | None]:
    """The stack's floor for everything; losses are compared absolutely, so theirs grows with them.

    A stack whose layers compute in fp32 inside, whatever they are told, is held to what fp32 may be off by there.
    """
    largest = max([1.0, *map(abs, stored.losses)])
    measured = stored.tolerances["fp32"]

    def tolerance(what: str) -> float | None:
        least = floor * largest if what.startswith("loss") else floor
        if floor <= EXACT:
            return least
        return max(least, measured[what]) if what in measured else None

    return tolerance
