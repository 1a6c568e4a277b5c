"""Planted faults: what the gate is worth is the share of them that it catches.

``python -m harness.gate.mutants WORKLOAD STACK MODE [--variant V] [--preset P] [--batch B] [--task T]
[--precision P]`` plants each fault that applies in a right implementation, one after the other, and prints one
line of JSON for each. A fault is planted in what a driver is built from (the specification, the data, the
precision) or in how it is stepped (``run``, ``reset``, ``state``), so every driver gets all of them; a workload
adds its own in ``workloads/<name>/mutants.py``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import numpy as np

from harness import frameworks, workloads
from harness.frameworks import Driver, Stack, State
from harness.frameworks.exported import NO_FLOAT64
from harness.gate.check import EXACT, check
from harness.record import Case, Contender, Task
from harness.scratch import cleared
from harness.workloads import Job
from harness.workloads.specification import SGD, AdamW, WarmupCosine


class Mutant(NamedTuple):
    """A fault. ``job`` gives the changed job, or null where the fault makes no sense; ``wrap`` changes the
    built driver. ``seen_in_float64`` names what has to compute in float64 for so small a fault to be seen."""

    name: str
    job: Callable[[Job], Job | None] = lambda job: job
    wrap: Callable[[Any, Job], Any] = lambda driver, job: driver
    tasks: tuple[Task, ...] = get_args(Task)
    seen_in_float64: tuple[Literal["layers", "optimizer"], ...] = ()


class Wrapped:
    """A driver with some of its methods replaced."""

    def __init__(self, driver: Any, **methods: Any) -> None:
        self._driver, self._methods = driver, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._driver, name)


# --- the specification ---------------------------------------------------------------------------


def optimizer(**changes: Callable[[Any], Any]) -> Callable[[Job], Job | None]:
    """The optimizer with these fields changed; null if it lacks one, or if nothing changes."""

    def mutate(job: Job) -> Job | None:
        declared = job.workload.optimizer
        if any(not hasattr(declared, name) for name in changes):
            return None
        changed = msgspec.structs.replace(
            declared, **{name: change(getattr(declared, name)) for name, change in changes.items()}
        )
        return None if changed == declared else with_workload(job, optimizer=changed)

    return mutate


def with_workload(job: Job, **changes: Any) -> Job:
    """The job of a workload that is specified otherwise."""
    fields = {name: getattr(job.workload, name) for name in job.workload.__dataclass_fields__}
    return job._replace(workload=type(job.workload)(**(fields | changes)))


def decay_everything(job: Job) -> Job | None:
    """Weight decay on gamma, beta and biases too."""
    tensors = job.workload.tensors
    weights = [one for one in tensors(job.preset).values() if one.role == "weight"]
    if not job.workload.optimizer.weight_decay or all(one.decayed for one in weights):
        return None
    return with_workload(
        job,
        tensors=lambda preset: {
            name: msgspec.structs.replace(one, decayed=one.role == "weight")
            for name, one in tensors(preset).items()
        },
    )


def decay_uncalled_for(job: Job) -> Job | None:
    """Weight decay where none is declared."""
    if job.workload.optimizer.weight_decay:
        return None
    tensors = job.workload.tensors
    return with_workload(
        job,
        optimizer=msgspec.structs.replace(job.workload.optimizer, weight_decay=1e-4),
        tensors=lambda preset: {
            name: msgspec.structs.replace(one, decayed=one.role == "weight")
            for name, one in tensors(preset).items()
        },
    )


def late(schedule: WarmupCosine | None) -> WarmupCosine | None:
    """A warm-up that is one step longer."""
    return schedule and msgspec.structs.replace(schedule, warmup=schedule.warmup + 1)


def momentum_for_adam(job: Job) -> Job | None:
    """Another optimizer at the same rate."""
    declared = job.workload.optimizer
    return (
        with_workload(job, optimizer=SGD(lr=declared.lr, momentum=0.9))
        if isinstance(declared, AdamW)
        else None
    )


def preset(field: str, change: Callable[[Any], Any]) -> Callable[[Job], Job | None]:
    """The preset with one number changed; null if it lacks the field, or if nothing changes."""

    def mutate(job: Job) -> Job | None:
        value = getattr(job.preset, field, None)
        if value is None or (changed := change(value)) == value:
            return None
        return job._replace(preset=job.preset._replace(**{field: changed}))

    return mutate


def slightly_larger(epsilon: float) -> float:
    """By 0.1 %, unless that is nothing beside a variance, in float64 too."""
    return 1.001 * epsilon if epsilon > 1e-9 else epsilon


def patched(name: str, change: Callable[[Any], Any]) -> Callable[[Job], Job | None]:
    """The framework's file with one of its functions or constants changed: in a copy, imported by itself."""

    def mutate(job: Job) -> Job | None:
        specification = importlib.util.find_spec(job.file.__name__)
        assert specification is not None and specification.loader is not None
        copy = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(copy)
        setattr(copy, name, change(getattr(copy, name)))
        return job._replace(file=copy)

    return mutate


def scaled_loss(factor: Callable[[Job], float]) -> Callable[[Job], Job | None]:
    """The loss times a number: a sum for a mean, a loss that is scaled and never scaled back."""

    def mutate(job: Job) -> Job | None:
        times = factor(job)
        if times == 1.0:
            return None
        own = job.file
        if hasattr(own, "scaled"):
            return None
        attributes = {name: getattr(own, name) for name in dir(own) if not name.startswith("__")}
        return job._replace(file=SimpleNamespace(**attributes | {"loss": _scaled(own.loss, times)}))

    return mutate


def _scaled(loss: Any, times: float) -> Any:
    """The file's loss function times a number: of what it computes, or of what the loss it makes computes (Keras)."""

    def scaled(*arguments: Any) -> Any:
        value = loss(*arguments)
        if isinstance(value, tuple):  # with buffers
            return value[0] * times, *value[1:]
        if callable(value):
            call = value.call
            value.call = lambda *inner: call(*inner) * times
            return value
        return value * times

    return scaled


# --- data ----------------------------------------------------------------------------------------


def batches(change: Callable[[Job, str, np.ndarray], np.ndarray]) -> Callable[[Job], Job | None]:
    """The batches of the task's inputs, changed."""

    def mutate(job: Job) -> Job | None:
        names = (*job.work.inputs, *job.work.start)
        changed = {name: change(job, name, job.batches[name]) for name in names}
        if all(np.array_equal(changed[name], job.batches[name]) for name in names):
            return None
        return job._replace(batches={**job.batches, **changed})

    return mutate


def reused(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    return np.broadcast_to(array[:1], array.shape) if name in job.work.inputs else array


def off_by_one(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    shifted = job.work.targets or job.work.inputs[:1]  # all inputs alike would be the same batch
    return np.roll(array, 1, axis=1) if name in shifted and array.ndim > 1 else array


def last_sample_lost(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """Wrong at another batch size than the gate's only."""
    if array.ndim < 2 or job.batch == job.workload.gate.sizes[job.case.preset].batch:
        return array
    changed = array.copy()
    changed[:, -1] = changed[:, 0]
    return changed


# --- stepping ------------------------------------------------------------------------------------


def at_most_two(driver: Any, job: Job) -> Any:
    """Two steps, whatever is asked for."""
    return Wrapped(driver, run=lambda n: driver.run(min(n, 2)))


def at_most_two_and_lies(driver: Any, job: Job) -> Any:
    """The same, and the counter says what was asked for."""
    asked = [0]

    def run(n: int) -> Any:
        asked[0] += n
        return driver.run(min(n, 2))

    def reset(tensors: Any) -> None:
        asked[0] = 0
        driver.reset(tensors)

    return Wrapped(driver, run=run, reset=reset, steps_done=lambda: asked[0])


def stops_after_four(driver: Any, job: Job) -> Any:
    """Nothing is done from the fifth step on."""
    state: dict[str, Any] = {"steps": 0, "last": None}

    def run(n: int) -> Any:
        for _ in range(n):
            state["steps"] += 1
            if state["steps"] <= 4:
                state["last"] = driver.run(1)
        return state["last"]

    def reset(tensors: Any) -> None:
        state["steps"] = 0
        driver.reset(tensors)

    return Wrapped(driver, run=run, reset=reset, steps_done=lambda: state["steps"])


def half(driver: Any, job: Job) -> Any:
    """Half of the steps."""
    return Wrapped(driver, run=lambda n: driver.run(max(1, n // 2)))


def double(driver: Any, job: Job) -> Any:
    """Two steps for one."""
    return Wrapped(driver, run=lambda n: driver.run(2 * n))


def keeps(what: str) -> Callable[[Any, Job], Any]:
    """``reset`` that loads the weights and leaves the slots, the buffers or the batch as they were."""

    def wrap(driver: Any, job: Job) -> Any:
        specified = job.workload.tensors(job.preset)

        def reset(tensors: Mapping[str, np.ndarray]) -> None:
            before, taken = driver.state(), driver.steps_done()
            if what == "cursor":
                driver.feed({name: np.roll(array, -taken, axis=0) for name, array in job.batches.items()})
            driver.reset(tensors)
            if what == "buffers" and taken:
                kept = {name: before.tensors[name] for name, one in specified.items() if one.role == "buffer"}
                driver.reset({**tensors, **kept})

        return Wrapped(driver, reset=reset)

    return wrap


def rearranged(driver: Any, job: Job) -> Any:
    """A kernel's rows in another order: a wrong flatten order, a transposed kernel."""
    name = max((n for n, one in job.workload.tensors(job.preset).items() if n.endswith("kernel")), key=len)
    order = np.random.Generator(np.random.Philox(1)).permutation(job.weights[name].shape[-2])
    return with_rows(driver, name, order)


def with_rows(driver: Any, name: str, order: np.ndarray) -> Any:
    """One kernel's rows are in this order, loaded so and read back straight."""
    back = np.argsort(order)

    def reset(tensors: Mapping[str, np.ndarray]) -> None:
        driver.reset({**tensors, name: np.take(tensors[name], order, axis=-2)})

    def state() -> State:
        held = driver.state()
        slots = {kind: {**one} for kind, one in held.slots.items()}
        for one in slots.values():
            if name in one:
                one[name] = np.take(one[name], back, axis=-2)
        return State({**held.tensors, name: np.take(held.tensors[name], back, axis=-2)}, slots, held.steps)

    return Wrapped(driver, reset=reset, state=state)


def unbiased(driver: Any, job: Job) -> Any:
    """The moving variance in the other convention."""
    averaging = {
        n: one.averages * job.batch for n, one in job.workload.tensors(job.preset).items() if one.averages
    }

    def state() -> State:
        held: State = driver.state()
        changed = {name: held.tensors[name] * (count / (count - 1)) for name, count in averaging.items()}
        return held._replace(tensors=held.tensors | changed) if driver.steps_done() else held

    return Wrapped(driver, state=state)


def has_buffers(job: Job) -> Job | None:
    return job if any(one.averages for one in job.workload.tensors(job.preset).values()) else None


def in_disguise(precision: str) -> Callable[[Job], Job | None]:
    """Another precision under the declared one's name; the logic stays in float64."""

    def mutate(job: Job) -> Job | None:
        if job.case.precision == precision:
            return None
        return job if job.precision == "fp64" else job._replace(precision=precision)  # type: ignore[arg-type]

    return mutate


TRAIN: tuple[Task, ...] = ("train",)
COMPUTING = tuple(task for task in get_args(Task) if task != "load")
EVERY_LAYER: tuple[Task, ...] = (
    "train",
    "infer",
    "backbone",
    "prefill",
    "decode",
)  # other phases call few of them
MUTANTS = (
    Mutant(
        "learning rate 0.001 % off",
        optimizer(lr=lambda lr: lr * (1 + 1e-5)),
        tasks=TRAIN,
        seen_in_float64=("optimizer",),
    ),
    Mutant("momentum 0.90001 for 0.9", optimizer(momentum=lambda m: m + 1e-5), tasks=TRAIN),
    Mutant("Nesterov's momentum", optimizer(nesterov=lambda n: not n), tasks=TRAIN),
    Mutant("beta 1 off by 1e-5", optimizer(beta1=lambda b: b + 1e-5), tasks=TRAIN),
    Mutant("beta 2 off by 1e-5", optimizer(beta2=lambda b: b + 1e-5), tasks=TRAIN),
    Mutant("epsilon of Adam times ten", optimizer(beta1=lambda b: b, epsilon=lambda e: 10 * e), tasks=TRAIN),
    Mutant("no weight decay", optimizer(weight_decay=lambda d: 0.0), tasks=TRAIN),
    Mutant(
        "weight decay 0.1 % off",
        optimizer(weight_decay=lambda d: d * 1.001),
        tasks=TRAIN,
        seen_in_float64=("layers", "optimizer"),
    ),
    Mutant("weight decay that nobody asked for", decay_uncalled_for, tasks=TRAIN),
    Mutant("weight decay on everything", decay_everything, tasks=TRAIN),
    Mutant("no schedule", optimizer(schedule=lambda s: None), tasks=TRAIN),
    Mutant("schedule one step late", optimizer(schedule=late), tasks=TRAIN),
    Mutant("SGD for AdamW", momentum_for_adam, tasks=TRAIN),
    Mutant(
        "epsilon of the norms 0.1 % off",
        preset("epsilon", slightly_larger),
        tasks=EVERY_LAYER,
        seen_in_float64=("layers",),
    ),
    Mutant("epsilon 1e-3 for 1e-5", preset("epsilon", lambda e: 1e-3), tasks=EVERY_LAYER),
    Mutant("momentum of BatchNorm 0.9001 for 0.9", preset("momentum", lambda m: m + 1e-4), tasks=TRAIN),
    Mutant(
        "momentum of BatchNorm in the other convention", preset("momentum", lambda m: 1.0 - m), tasks=TRAIN
    ),
    Mutant("another activation", preset("smooth", lambda s: not s), tasks=COMPUTING),
    Mutant("unbiased for biased variance", has_buffers, unbiased, tasks=TRAIN),
    Mutant("a sum for a mean", scaled_loss(lambda job: float(job.batch)), tasks=TRAIN),
    Mutant("loss 0.001 % too large", scaled_loss(lambda job: 1 + 1e-5), tasks=TRAIN),
    Mutant("one batch over and over", batches(reused)),
    Mutant("targets or samples shifted by one", batches(off_by_one)),
    Mutant("wrong at another batch size", batches(last_sample_lost)),
    Mutant("two steps, whatever is asked for", wrap=at_most_two),
    Mutant("two steps, and the counter lies", wrap=at_most_two_and_lies),
    Mutant("nothing after the fourth step", wrap=stops_after_four),
    Mutant("half of the steps", wrap=half),
    Mutant("two steps for one", wrap=double),
    Mutant("reset keeps the batch", wrap=keeps("cursor")),
    Mutant("reset keeps the buffers", has_buffers, keeps("buffers"), tasks=TRAIN),
    Mutant("rows of a kernel in another order", wrap=rearranged, tasks=EVERY_LAYER),
    Mutant("bf16 in disguise", in_disguise("bf16"), tasks=COMPUTING),
    Mutant("fp32 in disguise", in_disguise("fp32"), tasks=COMPUTING),
)


class Caught(NamedTuple):
    """What became of one mutant: ``by`` names the part and the comparison, null where it survived or does not
    apply; ``excuse`` says why this stack's gate cannot see it."""

    name: str
    applies: bool
    caught: bool
    by: str | None
    excuse: str | None = None


def plant(case: Case, contender: Contender, stack: Stack) -> Iterator[Caught]:
    """Each fault of the catalogue, and of the workload's own, in turn."""
    for mutant in catalogue(case):
        yield survive(mutant, case, contender, stack)


def catalogue(case: Case) -> list[Mutant]:
    """What can be planted in the case's task: of the catalogue below, and of the workload's folder."""
    name = f"{workloads.__name__}.{case.workload}.mutants"
    own = importlib.import_module(name).MUTANTS if importlib.util.find_spec(name) else ()
    return [mutant for mutant in (*MUTANTS, *own) if case.task in mutant.tasks]


def survive(mutant: Mutant, case: Case, contender: Contender, stack: Stack) -> Caught:
    """One fault through the gate."""
    applied = [False]

    def build(job: Job, stack: Stack) -> Driver:
        changed = mutant.job(job)
        if changed is None:
            return frameworks.build(job, stack)
        applied[0] = True
        return mutant.wrap(frameworks.build(changed, stack), job)  # type: ignore[no-any-return]

    try:
        parts = check(case, contender, stack, build)
    except (AttributeError, TypeError) as error:  # the fault itself is broken, and proves nothing
        traceback.print_exc()
        return Caught(mutant.name, True, False, f"could not be planted: {error}"[:200])
    except Exception as error:
        traceback.print_exc()
        return Caught(mutant.name, applied[0], True, f"{type(error).__name__}: {error}"[:200])
    failed = [(part.name, diff.what) for part in parts for diff in part.diffs if not diff.passed]
    if failed:
        return Caught(mutant.name, applied[0], True, f"{failed[0][0]}: {failed[0][1]}")
    return Caught(mutant.name, applied[0], False, None, _excuse(mutant, stack))


def _excuse(mutant: Mutant, stack: Stack) -> str | None:
    """Why a fault as small as this one is hidden by the rounding of a stack that is not float64 throughout."""
    if mutant.seen_in_float64 and stack.info.float64_floor == NO_FLOAT64:
        return f"{stack.info.title} computes nothing in float64"
    if "layers" in mutant.seen_in_float64 and stack.info.float64_floor > EXACT:
        return f"some layers of {stack.info.title} compute in fp32 inside and leave {stack.info.float64_floor:.0e}"
    if "optimizer" in mutant.seen_in_float64 and not stack.info.float64_optimizer:
        return f"the optimizers of {stack.info.title} hold their betas in fp32"
    return None


def main() -> None:
    """The catalogue on one contender."""
    parser = argparse.ArgumentParser(prog="python -m harness.gate.mutants")
    for name in ("workload", "stack", "mode"):
        parser.add_argument(name)
    parser.add_argument("--variant", default="")
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--task", default="train")
    parser.add_argument("--precision", default="fp32")
    given = parser.parse_args()
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to stderr
    case = Case(
        workload=given.workload,
        preset=given.preset,
        task=given.task,
        batch=given.batch,
        precision=given.precision,
        cores=len(os.sched_getaffinity(0)),
    )
    contender = Contender(stack=given.stack, mode=given.mode, variant=given.variant)
    os.environ.update(frameworks.environment(given.stack, case.cores, os.environ.get("FRAMEBENCH_CACHE")))
    stack = frameworks.load(given.stack)
    stack.configure(case, contender, 0)
    with cleared(), os.fdopen(output, "w") as stream:
        right = check(case, contender, stack, frameworks.build)
        if refused := [diff.what for part in right for diff in part.diffs if not diff.passed]:
            sys.exit(
                f"the gate refuses {contender.slug} as it is ({', '.join(refused[:3])}): mend that first"
            )
        for answer in plant(case, contender, stack):
            stream.write(json.dumps(answer._asdict()) + "\n")
            stream.flush()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
