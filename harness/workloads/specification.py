"""What a workload's ``spec.py`` is made of: plain values that say what is computed, the same for all frameworks.

Everything here is data. ``Workload.config`` lists all of it for one preset; the hash of that list is what a stored
reference and a record are tied to.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from harness.record import Precision, Task
from harness.workloads import philox

Arrays = Mapping[str, np.ndarray]


class _Value(msgspec.Struct, frozen=True, kw_only=False):
    """A part of a specification: immutable, compared by value, written into the config."""


# --- inputs --------------------------------------------------------------------------------------


class Uniform(_Value, frozen=True, tag="uniform"):
    """fp32, uniform on [-a, a)."""

    a: float


class Integers(_Value, frozen=True, tag="integers"):
    """int64, uniform on [0, below); a name is a field of the preset."""

    below: int | str


class Given(_Value, frozen=True, tag="given"):
    """Not drawn: the workload's ``data`` function makes it, from real data or by a rule of its own."""

    source: str


class Input(_Value, frozen=True):
    """One named input of a step.

    ``shape``: ``"B"`` is the batch, other names are fields of the preset. ``axes`` is ``"NHWC"`` for images,
    which each framework gets in its own layout; empty for everything else, which all get as it is.
    """

    shape: tuple[int | str, ...]
    draw: Uniform | Integers | Given
    dtype: Literal["float32", "int64"] = "float32"
    axes: Literal["", "NHWC"] = ""

    def resolved(self, preset: Any, batch: int) -> tuple[int, ...]:
        """The shape in numbers."""
        return tuple(
            batch if part == "B" else int(getattr(preset, part)) if isinstance(part, str) else part
            for part in self.shape
        )


# --- tensors -------------------------------------------------------------------------------------


class Tensor(_Value, frozen=True, kw_only=True):
    """One tensor of the model under its canonical name.

    Canonical layouts: convolution kernels HWIO, dense kernels (in, out), embeddings (rows, width). ``init``: uniform
    on [-a, a), or the constant. ``decayed``: the optimizer's weight decay applies to it. ``averages``: a buffer that
    averages over the batch has B times this many values behind each of its elements (H x W of a BatchNorm's input);
    it decides what a biased and an unbiased variance differ by.
    """

    shape: tuple[int, ...]
    a: float = 0.0
    constant: float = 0.0
    role: Literal["weight", "buffer"] = "weight"
    decayed: bool = False
    averages: int = 0


# --- optimizers ----------------------------------------------------------------------------------


class WarmupCosine(_Value, frozen=True, tag="warmup-cosine"):
    """Rate at step t = 0, 1, ...: peak (t + 1) / warmup below ``warmup`` steps, then half a cosine down to ``floor``
    times the peak at step ``total``, and that from there on (Loshchilov and Hutter, 2017)."""

    warmup: int
    total: int
    floor: float

    def factor(self, step: int) -> float:
        """What the peak rate is multiplied by."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        passed = min(1.0, (step - self.warmup) / (self.total - self.warmup))
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * passed))


class SGD(_Value, frozen=True, kw_only=True, tag="sgd"):
    """g <- g + decay w on decayed tensors; v <- momentum v + g; w <- w - lr v, or with Nesterov's momentum
    w <- w - lr (g + momentum v). v starts at zero; no dampening. ``weight_decay`` is the L2 penalty's (coupled)."""

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: WarmupCosine | None = None


class AdamW(_Value, frozen=True, kw_only=True, tag="adamw"):
    """w <- w (1 - lr decay) on decayed tensors; m, v: moving means of g and g^2; then
    w <- w - lr m' / (sqrt(v') + eps) with m' = m / (1 - b1^t), v' = v / (1 - b2^t) (Loshchilov and Hutter, 2019).

    Keras adds epsilon before v is corrected, which is another sum: a stack that does so declares it
    (``StackInfo.adam_epsilon``), and the gate holds it to that form.
    """

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    schedule: WarmupCosine | None = None


Optimizer = SGD | AdamW


# --- tasks ---------------------------------------------------------------------------------------


class Work(_Value, frozen=True, kw_only=True):
    """What one task does in a step.

    ``inputs`` are handed to the framework's function, in this order. ``outputs`` are what it gives back, in order;
    training gives back ``loss`` alone. ``targets`` are the inputs that only the loss looks at, if there are such:
    a detector looks at its boxes on the way. ``unit`` is counted: a step counts the batch times ``per_sample`` of them
    (a field of the preset: tokens of a sequence). ``start`` inputs are handed over once, before the first step (a
    prompt).
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    start: tuple[str, ...] = ()
    unit: Literal["samples", "images", "tokens", "calls"]
    targets: tuple[str, ...] = ()
    per_sample: int | str = 1

    def units(self, preset: Any, batch: int) -> int:
        """Units of one step, which is one call whatever its batch."""
        if self.unit == "calls":
            return 1
        each = getattr(preset, self.per_sample) if isinstance(self.per_sample, str) else self.per_sample
        return batch * int(each)


# --- gate ----------------------------------------------------------------------------------------


class GateSize(_Value, frozen=True, kw_only=True):
    """At which size the gate compares a preset with float64: a small batch, and another preset where it is
    too large."""

    batch: int
    preset: str | None = None


class Gate(_Value, frozen=True, kw_only=True):
    """How the gate looks at this workload.

    ``smooth``: presets have a field ``smooth`` that exchanges ReLU for SiLU and maximum for average pooling. Ties
    make gradients of the plain form differ by more than a tolerance may allow in fp32; the logic is compared in
    the plain form, in float64, the precision in the smooth one.
    """

    sizes: Mapping[str, GateSize]
    smooth: bool = False


# --- files ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Files:
    """Examples that lie in files, read by each framework's own loader: ``load`` in the workload's file for it.

    ``write(folder, preset)`` makes them. ``epoch(folder, preset, batches)`` is what ``load`` gets: which examples, in
    which order, and what becomes of each. ``loaded(preset, batches)`` are the very values that it has to give,
    ``{name: (N, B, ...)}``.
    """

    write: Callable[[Path, Any], None]
    epoch: Callable[[Path, Any, Arrays], Any]
    loaded: Callable[[Any, Arrays], dict[str, np.ndarray]]


# --- learning ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learning:
    """Training that is followed to an end: after every ``steps(preset, batch)`` steps ``score`` looks at the weights.
    It goes through ``draws`` draws of batches in turn: what a trial is timed on may be too few to learn from.

    ``measure`` names the score; ``target`` is reached at or above it (``higher``), else at or below.
    """

    measure: Literal["test accuracy", "validation loss", "mAP at IoU 0.5"]
    target: float
    steps: Callable[[Any, int], int]
    score: Callable[[Any, Arrays], float]
    higher: bool = True
    draws: int = 1


class Box(NamedTuple):
    """Corners in pixels, what is in it, and how sure a model is; null for what is truly there."""

    x1: float
    y1: float
    x2: float
    y2: float
    name: str
    score: float | None = None


class Example(NamedTuple):
    """An image (H, W, 3) uint8 for readers to look at, with what is there and what trained weights find."""

    image: np.ndarray
    there: list[Box]
    found: list[Box]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The specification. ``presets`` hold every number that a size of the workload has; functions get a preset.

    A task that is not the same in every preset is a function of it. ``traffic``: the bytes that a step in fp32 reads
    and writes at least, each input, weight and output once; where arithmetic does not bound a step, they do.
    ``stored``: the weights that a preset starts from, whatever the seed, where they are not drawn; else null.
    ``files``: where the batches come from, if a loader reads them; ``ready`` is then the workload that trains the same
    model on batches that lie ready.
    ``examples`` are for the workload's page.
    """

    name: str
    presets: Mapping[str, Any]
    inputs: Mapping[str, Input]
    tensors: Callable[[Any], dict[str, Tensor]]
    tasks: Mapping[Task, Work | Callable[[Any], Work]]
    flops: Callable[[Any, int, Task], int]
    optimizer: Optimizer
    gate: Gate
    precisions: tuple[Precision, ...] = ("fp32",)
    batches_drawn: int = 4
    data: Callable[[Any, int, int], dict[str, np.ndarray]] | None = None
    data_facts: Mapping[str, Any] = field(default_factory=dict)
    flops_causal: Callable[[Any, int, Task], int] | None = None
    traffic: Callable[[Any, int, Task], int] | None = None
    learning: Learning | None = None
    stored: Callable[[Any], Arrays | None] | None = None
    examples: Callable[[], list[Example]] | None = None
    files: Files | None = None
    ready: str | None = None
    decisions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def small(self) -> list[str]:
        """The presets that are looked at first: ``smoke`` and its other forms (``smoke-padded``), or all where they are
        not sizes of one model."""
        return [name for name in self.presets if name.partition("-")[0] == "smoke"] or list(self.presets)

    def work(self, task: Task, preset: Any) -> Work:
        """What a step of this task takes and gives at this preset; ``KeyError`` where there is no such task."""
        declared = self.tasks[task]
        return declared if isinstance(declared, Work) else declared(preset)

    def inputs_of(self, preset: Any) -> dict[str, Input]:
        """The inputs that any task takes at this preset."""
        works = [self.work(task, preset) for task in self.tasks]
        taken = {name for work in works for name in (*work.inputs, *work.start)}
        return {name: one for name, one in self.inputs.items() if name in taken}

    def weights(self, preset: Any, seed: int) -> dict[str, np.ndarray]:
        """Initial fp32 values of every tensor, weights and buffers, by canonical name."""
        stored = self.stored(preset) if self.stored else None
        if stored is not None:
            return dict(stored)
        return {
            name: philox.uniform(self.name, name, seed, tensor.shape, tensor.a)
            if tensor.a
            else np.full(tensor.shape, tensor.constant, np.float32)
            for name, tensor in self.tensors(preset).items()
        }

    def batches(self, preset: Any, batch: int, seed: int) -> dict[str, np.ndarray]:
        """``{input: (N, B, ...)}``: N different batches, in the order in which steps consume them, over and over."""
        given = self.data(preset, batch, seed) if self.data else {}
        return given | {
            name: self._drawn(name, one, (self.batches_drawn, *one.resolved(preset, batch)), preset, seed)
            for name, one in self.inputs_of(preset).items()
            if name not in given
        }

    def is_image(self, name: str) -> bool:
        """Whether an input, or an output of the same name, is an image: each framework has its own order of axes."""
        return name in self.inputs and self.inputs[name].axes == "NHWC"

    def _drawn(self, name: str, one: Input, shape: tuple[int, ...], preset: Any, seed: int) -> np.ndarray:
        if isinstance(one.draw, Uniform):
            return philox.uniform(self.name, name, seed, shape, one.draw.a)
        if isinstance(one.draw, Integers):
            below = one.draw.below
            limit = int(getattr(preset, below)) if isinstance(below, str) else below
            return philox.integers(self.name, name, seed, shape, limit)
        raise ValueError(
            f"{self.name}: the input {name} is given, and the workload has no data function that gives it"
        )

    def config(self, preset: Any) -> dict[str, Any]:
        """Everything that defines the work at this preset, JSON-able."""
        stored = self.stored(preset) if self.stored else None
        started = {} if stored is None else {"stored": philox.digest(stored)}
        return started | {
            "workload": self.name,
            "preset": preset._asdict() if hasattr(preset, "_asdict") else vars(preset),
            "inputs": msgspec.to_builtins(self.inputs_of(preset)),
            "tensors": msgspec.to_builtins(self.tensors(preset)),
            "optimizer": msgspec.to_builtins(self.optimizer),
            "tasks": msgspec.to_builtins({task: self.work(task, preset) for task in self.tasks}),
            "batches": self.batches_drawn,
            "data": dict(self.data_facts),
            "decisions": dict(self.decisions),
        }

    def config_sha256(self, preset: Any) -> str:
        """SHA-256 of the config's JSON."""
        text = json.dumps(self.config(preset), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
