"""The gate's comparisons on one built driver, each through ``reset``, ``run`` and ``state`` alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.frameworks import Driver, Stack, State
from harness.gate import optimizers
from harness.gate.reference import LOSSES, STEPS, Entry
from harness.gate.summary import Summary, combine, distance, summarise
from harness.record import ParityDiff
from harness.workloads import Job

OPTIMIZER_RULE = 1e-5  # of an update; beside the rounding of an fp32 variable
NON_FINITE = "non-finite"


class Part(NamedTuple):
    """One part of the gate: its comparisons, or why it does not apply; ``left_out`` had no tolerance worth
    the name."""

    name: Literal["data", "logic", "precision", "optimizer", "state", "shape"]
    diffs: list[ParityDiff]
    skipped: str | None = None
    left_out: int = 0


def diff(what: str, value: float, tolerance: float, metric: Any = "rel-l2") -> ParityDiff:
    """A comparison; a value that is not finite fails and is stored as null."""
    finite = math.isfinite(value)
    return ParityDiff(
        what=what,
        metric=metric,
        value=float(f"{value:.4g}") if finite else None,  # a record has 8 kB for all of it
        tolerance=tolerance,
        passed=finite and value <= tolerance,
    )


def round_trip(driver: Driver, job: Job) -> list[ParityDiff]:
    """Largest |read back - given| over all tensors: loading must change no bit (bf16 variables: but for one
    rounding)."""
    driver.reset(job.weights)
    held = driver.state().tensors
    rounds = job.precision == "bf16" and job.case.task != "train"
    worst = 0.0
    for name, given in job.weights.items():
        if name not in held or held[name].shape != given.shape:
            return [diff("weights round-trip", math.inf, 0.0, "abs")]
        expected = bfloat16(given) if rounds else given
        worst = max(worst, float(np.max(np.abs(held[name].astype(np.float64) - expected), initial=0.0)))
    return [diff("weights round-trip", worst, 0.0, "abs")]


def bfloat16(array: np.ndarray) -> np.ndarray:
    """fp32 values rounded to the nearest bf16, ties to even, as fp32."""
    words = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = words + np.uint32(0x7FFF) + ((words >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def step_loss(driver: Driver, stack: Stack) -> float:
    """The loss of one more step, without what the framework adds to it."""
    penalty = driver.penalty()
    output = driver.outputs(stack.barrier(driver.run(1)))["loss"]
    return float(np.asarray(output, np.float64).reshape(-1)[0]) - penalty


class Walk:
    """The first steps of a training from the initial state, looked at after each."""

    def __init__(self, driver: Driver, stack: Stack, job: Job, steps: int = LOSSES) -> None:
        driver.reset(job.weights)
        self.job = job
        self.start = driver.state()
        self.losses: list[float] = []
        self.states: list[State] = []
        for _ in range(steps):
            self.losses.append(step_loss(driver, stack))
            self.states.append(driver.state())
        self.counted = driver.steps_done()

    def gradient(self, name: str, decayed: bool) -> np.ndarray:
        """Of the first step."""
        return optimizers.gradient_of(
            self.job.workload.optimizer,
            self.start.tensors[name],
            self.states[0].tensors[name],
            _slots(self.start, name),
            _slots(self.states[0], name),
            0,
            decayed,
        )


def _slots(state: State, name: str) -> dict[str, np.ndarray]:
    return {kind: tensors[name] for kind, tensors in state.slots.items() if name in tensors}


def training(walk: Walk, expected: Entry, tolerance: Callable[[str], float | None]) -> list[ParityDiff]:
    """Losses of the first steps, gradients of the first, the tensors' change after three; without a tolerance,
    not compared. Gradients are taken back from the optimizer's slots: one that lacks them is another optimizer,
    and nothing else is asked."""
    if lacking := _slots_lacking(walk):
        return lacking
    diffs = []
    for step, (loss, stored) in enumerate(zip(walk.losses, expected.losses, strict=False), start=1):
        if (allowed := tolerance(f"loss {step}")) is not None:
            diffs.append(diff(f"loss {step}", abs(loss - stored), allowed, "abs"))
    specified = walk.job.workload.tensors(walk.job.preset)
    for name in expected.gradients:
        if (allowed := tolerance(f"gradients {name}")) is not None:
            gradient = walk.gradient(name, specified[name].decayed)
            diffs.append(_against(gradient, "gradients", name, expected, allowed))
    for name in expected.updates:
        if (allowed := tolerance(f"updates {name}")) is not None:
            change = walk.states[STEPS - 1].tensors[name].astype(np.float64) - walk.start.tensors[name]
            diffs.append(_against(change, "updates", name, expected, allowed))
    return diffs


def without_tolerance(outputs: Iterable[str], tolerance: Callable[[str], float | None]) -> int:
    """How many of these outputs are not compared."""
    return sum(tolerance(f"outputs {name}") is None for name in outputs)


def _slots_lacking(walk: Walk) -> list[ParityDiff]:
    """Of how many weights each slot of the declared optimizer is missing after a step."""
    specified = walk.job.workload.tensors(walk.job.preset)
    weights = {name for name, one in specified.items() if one.role == "weight"}
    held = walk.states[0].slots
    lacking = {
        kind: len(weights - held.get(kind, {}).keys())
        for kind in optimizers.slot_names(walk.job.workload.optimizer)
    }
    return [
        diff(f"weights without the optimizer's {kind}", float(count), 0.0, "abs")
        for kind, count in lacking.items()
        if count
    ]


def _against(array: np.ndarray, what: str, name: str, expected: Entry, allowed: float) -> ParityDiff:
    observed = summarise(array, f"{what} {name}")
    return diff(f"{what} {name}", distance(observed, expected.summary(what, name)), allowed)


def optimizer_rule(walk: Walk, epsilon: optimizers.Epsilon, float64: bool) -> list[ParityDiff]:
    """Three steps of the optimizer by itself: from the W, g and slots that were there to the W' and slots' that
    followed.

    The gradient is taken back from the slots, so a model that is wrong does not matter here. Worst tensor of each
    kind.
    """
    specified = walk.job.workload.tensors(walk.job.preset)
    declared = walk.job.workload.optimizer
    worst: dict[str, tuple[float, float]] = {}
    for step, (before, after) in enumerate(
        zip([walk.start, *walk.states], walk.states[:STEPS], strict=False)
    ):
        for name, one in specified.items():
            if one.role != "weight":
                continue
            was, now = before.tensors[name].astype(np.float64), after.tensors[name].astype(np.float64)
            slots, left = _slots(before, name), _slots(after, name)
            gradient = optimizers.gradient_of(declared, was, now, slots, left, step, one.decayed)
            moved = optimizers.move(declared, was, gradient, slots, step, one.decayed, epsilon)
            change = float(np.linalg.norm(moved.weight - was))
            allowed = (1e-9 if float64 else OPTIMIZER_RULE) * change + 1e-30
            bent = moved
            if not float64:
                bent = optimizers.move(declared, was, gradient, slots, step, one.decayed, epsilon, bent=True)
                allowed += float(np.linalg.norm(bent.weight - moved.weight))
                allowed += 2.0 * optimizers.FP32_ROUND_OFF * float(np.linalg.norm(was))
            _note(worst, "rule of the weights", float(np.linalg.norm(moved.weight - now)), allowed)
            for kind, slot in moved.slots.items():
                held = left[kind].astype(np.float64)
                allowed = (1e-9 if float64 else OPTIMIZER_RULE) * float(np.linalg.norm(held)) + 1e-30
                allowed += float(np.linalg.norm(bent.slots[kind] - slot))
                _note(worst, f"rule of the {kind}", float(np.linalg.norm(slot - held)), allowed)
    return [diff(what, apart / allowed, 1.0) for what, (apart, allowed) in worst.items()]


def _note(worst: dict[str, tuple[float, float]], what: str, apart: float, allowed: float) -> None:
    apart = apart if math.isfinite(apart) else math.inf
    if what not in worst or apart / allowed > worst[what][0] / worst[what][1]:
        worst[what] = (apart, allowed)


def state_part(driver: Driver, stack: Stack, job: Job, walk: Walk, tolerance: float) -> list[ParityDiff]:
    """The step counter; reset gives back the initial state, slots and counter too; many steps at once are the
    same steps."""
    diffs = [diff("steps counted", abs(walk.counted - len(walk.losses)), 0.0, "abs")]
    driver.reset(job.weights)
    fresh = driver.state()
    leftover = max(
        (
            float(np.max(np.abs(slot), initial=0.0))
            for slots in fresh.slots.values()
            for slot in slots.values()
        ),
        default=0.0,
    )
    diffs += [
        diff("slots after a reset", leftover, 0.0, "abs"),
        diff("steps after a reset", driver.steps_done(), 0.0, "abs"),
    ]
    diffs.append(
        diff("tensors after a reset", _farthest(fresh.tensors, walk.start.tensors, walk.start.tensors), 0.0)
    )
    stack.barrier(driver.run(len(walk.losses)))
    together = driver.state().tensors
    last = walk.states[-1].tensors
    diffs.append(diff("steps at once", _farthest(together, last, walk.start.tensors), tolerance))
    diffs.append(diff("steps counted at once", abs(driver.steps_done() - len(walk.losses)), 0.0, "abs"))
    return diffs


def _farthest(
    tensors: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray], start: Mapping[str, np.ndarray]
) -> float:
    """||a - b|| over all tensors, relative to how far b is from the start (absolute if it is not)."""

    def norm(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
        return math.sqrt(sum(float(np.sum((a.astype(np.float64) - b) ** 2)) for a, b in pairs))

    moved = norm((others[name], start[name]) for name in others)
    return norm((tensors[name], others[name]) for name in others) / (moved or 1.0)


def inference(
    driver: Driver, stack: Stack, job: Job, expected: Mapping[str, list[float]], steps: int,
    tolerance: Callable[[str], float | None],
) -> list[ParityDiff]:  # fmt: skip
    """The outputs of all steps together, one step at a time from the initial state."""
    driver.reset(job.weights)
    summaries: dict[str, list[Any]] = {name: [] for name in expected}
    for step in range(steps):
        for name, array in driver.outputs(stack.barrier(driver.run(1))).items():
            summaries[name].append(summarise(array, f"outputs {name} {step}"))
    diffs = []
    for name, stored in expected.items():
        allowed = tolerance(f"outputs {name}")
        if allowed is not None:
            diffs.append(
                diff(f"outputs {name}", distance(combine(summaries[name]), Summary(stored)), allowed)
            )
    return [*diffs, diff("steps counted", abs(driver.steps_done() - steps), 0.0, "abs")]


def many_at_once(driver: Driver, stack: Stack, job: Job, steps: int) -> list[ParityDiff]:
    """``run(n)`` gives back what the n-th of n single steps does."""
    driver.reset(job.weights)
    for _ in range(steps):
        single = driver.outputs(stack.barrier(driver.run(1)))
    driver.reset(job.weights)
    together = driver.outputs(stack.barrier(driver.run(steps)))
    apart = max(
        float(np.linalg.norm(together[name].astype(np.float64) - array))
        / max(float(np.linalg.norm(array)), 1e-30)
        for name, array in single.items()
    )
    return [diff("steps at once", apart, 1e-6 if job.precision != "bf16" else 1e-2)]
