"""Making references: PyTorch runs the workload's own file in float64; tolerances come from disturbing that run.

``python -m harness.gate.compute WORKLOAD [preset:task:batch ...]`` writes ``reference.json``. The optimizer's
steps are ``optimizers.move``, NumPy in float64, so that PyTorch's optimizer is held to the same rule as the
others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch

from harness import frameworks, workloads
from harness.frameworks.torch.driver import from_canonical
from harness.gate import optimizers, reference
from harness.gate.noise import RUNS, SHAPE_RUNS, RoundOff
from harness.gate.reference import LOSSES, SEED, STEPS, Entry, Shape, Stored
from harness.gate.shape import steps as steps_of
from harness.gate.summary import combine, rounded, summarise
from harness.gate.tolerances import LEAST, TIE, Trajectory, before_it_tips, measured
from harness.record import Case, Contender, Task
from harness.workloads import Job, philox
from harness.workloads.specification import AdamW, Workload


def job(workload: Workload, preset: Any, preset_name: str, task: Task, batch: int) -> Job:
    """A float64 job of plain PyTorch, seed 0."""
    return Job(
        workload=workload,
        file=workloads.file(workload.name, "torch"),
        preset=preset,
        batch=batch,
        precision="fp64",
        case=Case(workload=workload.name, preset=preset_name, task=task, batch=batch, cores=1),
        contender=Contender(stack="torch", mode="eager"),
        weights=workload.weights(preset, SEED),
        batches=workload.batches(preset, batch, SEED),
    )


def driver_of(made: Job) -> Any:
    stack = frameworks.load("torch")
    stack.configure(made.case, made.contender, SEED)
    return frameworks.build(made, stack)


def train(
    driver: Any,
    steps: int,
    epsilon: optimizers.Epsilon,
    disturb: Callable[[], AbstractContextManager[Any]] = nullcontext,
    bent: bool = False,
) -> Trajectory:
    """``steps`` steps of the declared optimizer; losses, the first gradient, the tensors' change after three
    steps. ``bent``: as ``optimizers.move`` has it."""
    made: Job = driver.job
    driver.reset(made.weights)
    weights = {name: one for name, one in driver.specified.items() if one.role == "weight"}
    current = {name: made.weights[name].astype(np.float64) for name in weights}
    slots: dict[str, dict[str, np.ndarray]] = {name: {} for name in weights}
    losses: list[float] = []
    gradients: dict[str, np.ndarray] = {}
    updates: dict[str, np.ndarray] = {}
    disturbing = disturb()
    for step in range(steps):
        inputs = next(driver.stream)
        driver.optimizer.zero_grad(set_to_none=True)
        with disturbing:
            loss = made.file.loss(driver.model, *inputs)
            loss.backward()
        losses.append(float(loss.detach()))
        for name, one in weights.items():
            gradient = driver.tensors[name].grad
            gradient = np.zeros(one.shape) if gradient is None else driver._canonical(name, gradient)
            if step == 0:
                gradients[name] = gradient
            moved = optimizers.move(
                made.workload.optimizer,
                current[name],
                gradient,
                slots[name],
                step,
                one.decayed,
                epsilon,
                bent,
            )
            current[name], slots[name] = moved
        _load(driver, current)
        if step + 1 == STEPS:
            buffers = driver.state().tensors
            updates = {
                name: (current | buffers)[name] if name not in current else current[name]
                for name in driver.tensors
            }
            updates = {name: value - made.weights[name].astype(np.float64) for name, value in updates.items()}
    return Trajectory(losses, {}, gradients, updates)


@torch.no_grad()
def _load(driver: Any, weights: dict[str, np.ndarray]) -> None:
    for name, array in weights.items():
        own = array.transpose(from_canonical(array.ndim)) if name in driver.transposed else array
        driver.tensors[name].copy_(torch.from_numpy(np.ascontiguousarray(own)))


def infer(
    driver: Any, steps: int, disturb: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Trajectory:
    """The outputs of ``steps`` steps."""
    outputs: dict[str, list[np.ndarray]] = {}
    with disturb():
        driver.reset(driver.job.weights)
        for _ in range(steps):
            for name, array in driver.outputs(driver.run(1)).items():
                outputs.setdefault(name, []).append(array)
    return Trajectory([], outputs, {}, {})


def entry(
    workload: Workload, preset_name: str, task: Task, smooth: bool, epsilon: optimizers.Epsilon
) -> Entry:
    """One preset and task at the gate's batch, with measured tolerances."""
    size = workload.gate.sizes[preset_name]
    preset = reference.formed(workload, preset_name, smooth)
    made = job(workload, preset, preset_name, task, size.batch)
    driver = driver_of(made)
    steps = steps_of(made)

    def once(disturb: Callable[[], AbstractContextManager[Any]] = nullcontext) -> Trajectory:
        return train(driver, LOSSES, epsilon, disturb) if task == "train" else infer(driver, steps, disturb)

    exact = once()
    tolerances: dict[str, dict[str, float]] = {}
    bent = train(driver, LOSSES, epsilon, bent=True) if task == "train" else exact
    for precision in workload.precisions:
        runs = [once(partial(RoundOff, precision, seed)) for seed in range(RUNS)]
        alike = precision != "fp32" and isinstance(workload.optimizer, AdamW)
        tolerances[precision] = measured(precision, exact, runs, made.weights, bent, alike)
    return Entry(
        source=f"torch {torch.__version__} float64",
        config_sha256=workload.config_sha256(preset),
        batch=size.batch,
        weights_sha256=philox.digest(made.weights),
        batches_sha256=philox.digest(made.batches),
        losses=[float(f"{loss:.13g}") for loss in exact.losses],
        outputs=_combined(exact.outputs),
        gradients={
            name: rounded(summarise(array, f"gradients {name}")) for name, array in exact.gradients.items()
        },
        updates={name: rounded(summarise(array, f"updates {name}")) for name, array in exact.updates.items()},
        tolerances=tolerances,
    )


def _combined(outputs: dict[str, list[np.ndarray]]) -> dict[str, list[float]]:
    return {
        name: rounded(combine([summarise(array, f"outputs {name} {k}") for k, array in enumerate(arrays)]))
        for name, arrays in outputs.items()
    }


def shape(workload: Workload, preset_name: str, task: Task, batch: int, epsilon: optimizers.Epsilon) -> Shape:
    """One timed shape: what its first steps give from the initial state."""
    preset = workload.presets[preset_name]
    made = job(workload, preset, preset_name, task, batch)
    driver = driver_of(made)
    steps = steps_of(made)
    training = task == "train"
    run = train(driver, steps, epsilon) if training else infer(driver, steps)
    first = min(steps, LOSSES)
    exact, bent = (
        _seen(train(driver, first, epsilon, bent=bent) if training else run) for bent in (False, True)
    )
    tolerances: dict[str, dict[str, float]] = {}
    sure: dict[str, int] = {}
    for precision in workload.precisions:
        disturbed = [partial(RoundOff, precision, seed) for seed in range(SHAPE_RUNS)]
        runs = [
            _seen(train(driver, first, epsilon, one) if training else infer(driver, steps, one))
            for one in disturbed
        ]
        if training and workload.gate.smooth:
            coarse = [partial(RoundOff, precision, seed, coarsest=True) for seed in range(RUNS)]
            tipped = [train(driver, steps, epsilon, one).losses for one in coarse]
            certain = before_it_tips(run.losses, tipped, TIE * LEAST[precision] / LEAST["fp32"])
            if certain < steps:
                sure[precision] = certain
        found = measured(precision, exact, runs, made.weights, bent)
        if workload.gate.smooth:  # the plain form is timed: after a step it may be across a tie
            for step, loss in enumerate(exact.losses[1:], start=2):
                found[f"loss {step}"] = max(found[f"loss {step}"], TIE * max(1.0, abs(loss)))
        tolerances[precision] = found
    return Shape(
        source=f"torch {torch.__version__} float64",
        config_sha256=workload.config_sha256(preset),
        losses=[float(f"{loss:.13g}") for loss in run.losses],
        outputs=_combined(run.outputs),
        tolerances=tolerances,
        sure=sure,
    )


def _seen(run: Trajectory) -> Trajectory:
    """What a shape is compared by: losses and outputs."""
    return Trajectory(run.losses, run.outputs, {}, {})


def conventions(workload: Workload, task: Task) -> list[optimizers.Epsilon]:
    """The forms of the optimizer that any stack declares."""
    both: tuple[optimizers.Epsilon, ...] = ("corrected", "uncorrected")
    return list(dict.fromkeys(reference.epsilon_matters(workload, task, one) for one in both))


def regenerate(name: str, shapes: list[tuple[str, Task, int]]) -> None:
    """Write the workload's file: every preset that the gate compares, and these timed shapes."""
    workload = workloads.get(name)
    entries: dict[str, Entry] = {}
    at = dict.fromkeys(size.preset or preset for preset, size in workload.gate.sizes.items())
    for preset in at:
        for task in workload.tasks:
            if task == "load":  # held to the specification itself
                continue
            for smooth in (False, True) if workload.gate.smooth else (False,):
                for epsilon in conventions(workload, task):
                    key = reference.entry_key(preset, task, smooth, epsilon)
                    print(f"{name}/{key}", flush=True)
                    entries[key] = entry(workload, preset, task, smooth, epsilon)
    stored: dict[str, Shape] = {}
    for preset, task, batch in shapes:
        for epsilon in conventions(workload, task):
            key = reference.shape_key(preset, task, batch, epsilon)
            print(f"{name}/{key}", flush=True)
            stored[key] = shape(workload, preset, task, batch, epsilon)
    reference.write(name, Stored(entries=entries, shapes=stored))


def _shape_of(text: str) -> tuple[str, Task, int]:
    preset, task, batch = text.split(":")
    return preset, task, int(batch)  # type: ignore[return-value]


if __name__ == "__main__":
    regenerate(sys.argv[1], [_shape_of(text) for text in sys.argv[2:]])
