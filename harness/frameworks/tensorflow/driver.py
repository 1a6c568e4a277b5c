"""How a TensorFlow model is stepped. A workload's ``tensorflow.py`` offers

``model(preset) -> tf.Module``, called with the inputs; ``loss(model, *inputs)``, a scalar; where a task's outputs are
not simply ``model(*inputs)``, ``predict(model, *inputs)``, or for one task a function of its name; for generation
``empty_cache(model, batch)``, made of ``tf.Variable``, and ``prefill(model, cache, *inputs)`` and
``decode(model, cache, *inputs)``, which assign to them in place. ``NAMES`` maps attribute paths that are not canonical
names. ``UNBIASED_VARIANCE = True`` says that moving variances average n / (n - 1) times the variance of n values, as
TensorFlow's fused batch normalisation gives it; the module that holds one then has a ``momentum``, the share that a
step keeps.

Weights are trainable variables, buffers are not. A file makes all of them in fp32 and this driver gives them the job's
dtype. In mixed precision ``loss`` gets a model that sees its inputs and weights cast to bf16 and gives back fp32.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from harness.frameworks import Driver, Stack, State, Stream
from harness.frameworks.loading import LoadDriver, Loaded, loader
from harness.frameworks.tensorflow.optimizer import FusedOptimizer
from harness.workloads import Job
from harness.workloads.naming import canonical_names, refuse_other_shapes


class Place(NamedTuple):
    """Where a model keeps a variable: ``holder[key]``, reached by the attributes and indices of ``path``."""

    path: str
    holder: Any
    key: Any
    variable: tf.Variable


class TensorFlowDriver:
    """Eager, or with the whole step (forward, gradient, update) as one ``tf.function``."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.job, self.stack, self.file, self.task = job, stack, job.file, job.case.task
        self.training, self.generating = self.task == "train", self.task in ("prefill", "decode")
        self.mixed = job.precision == "bf16" and self.training  # fp32 variables, bf16 compute
        dtypes = {"fp64": tf.float64, "bf16": tf.float32 if self.training else tf.bfloat16}
        self.dtype: tf.DType = dtypes.get(job.precision, tf.float32)
        with tf.variable_creator_scope(self._in_dtype):
            self.model: tf.Module = self.file.model(job.preset)
            self.cache = self.file.empty_cache(self.model, job.batch) if self.generating else None
        self.places = list(places(self.model))
        self.specified = job.workload.tensors(job.preset)
        self.tensors = self._named_tensors()
        if self.training:
            roles = {name: one.role for name, one in self.specified.items()}
            weights = {name: tensor for name, tensor in self.tensors.items() if roles[name] == "weight"}
            decayed = {name for name, one in self.specified.items() if one.decayed}
            self.optimizer = FusedOptimizer(job.workload.optimizer, weights, decayed)
        self.step = stack.compile(self._train_step if self.training else self._infer_step)
        self.feed(job.batches)
        self.reset(job.weights)

    # --- building --------------------------------------------------------------------------------

    def _in_dtype(self, create: Callable[..., Any], **arguments: Any) -> Any:
        given = arguments["initial_value"]
        value = tf.convert_to_tensor(given() if callable(given) else given, arguments["dtype"])
        if value.dtype.is_floating:
            value = tf.cast(value, self.dtype)
        return create(**arguments | {"initial_value": value, "dtype": value.dtype})

    def _named_tensors(self) -> dict[str, tf.Variable]:
        """Floating-point variables by canonical name; one with two places in the model counts once."""
        floating = [place for place in self.places if place.variable.dtype.is_floating]
        first = {id(place.variable): place for place in reversed(floating)}
        own = {place.path: place.variable for place in first.values()}
        named = canonical_names(own, self.specified, getattr(self.file, "NAMES", {}))
        refuse_other_shapes({name: variable.shape for name, variable in named.items()}, self.specified)
        return named

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.stream: Stream | Loaded
        if self.job.workload.files:
            self.stream, self.start = Loaded(loader(self.job, batches), self._placed), []
            return
        inputs = [self._on_device(batches[name]) for name in self.job.work.inputs]
        self.stream = Stream(list(zip(*inputs, strict=True)))
        self.start = [self._on_device(batches[name][:1])[0] for name in self.job.work.start]

    def _on_device(self, batches: np.ndarray) -> list[tf.Tensor]:
        """(N, B, ...) -> N tensors; images are NHWC, TensorFlow's own order."""
        return self._placed([self.stack.to_device(batch) for batch in batches])

    def _placed(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Floating-point numbers in the dtype that is computed in."""
        dtype = tf.bfloat16 if self.mixed else self.dtype
        return [tf.cast(tensor, dtype) if tensor.dtype.is_floating else tensor for tensor in tensors]

    # --- stepping --------------------------------------------------------------------------------

    def run(self, n: int) -> Any:
        for inputs in itertools.islice(self.stream, n):
            output = self.step(*inputs)
        return output

    def _train_step(self, *inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self.file.loss(self._mixed_model if self.mixed else self.model, *inputs)
        self.optimizer.apply(tape.gradient(loss, self.optimizer.weights))
        return loss

    def _infer_step(self, *inputs: tf.Tensor) -> Any:
        if self.generating:
            return getattr(self.file, self.task)(self.model, self.cache, *inputs)
        function = getattr(self.file, self.task, getattr(self.file, "predict", None))
        return function(self.model, *inputs) if function else self.model(*inputs)

    def _mixed_model(self, *inputs: tf.Tensor, **options: Any) -> Any:
        with self._cast_weights():
            outputs = self.model(*inputs, **options)
        return tf.nest.map_structure(lambda output: tf.cast(output, tf.float32), outputs)

    @contextmanager
    def _cast_weights(self) -> Iterator[None]:
        """Every weight's place in the model holds its bf16 cast."""
        casts = {id(weight): tf.cast(weight, tf.bfloat16) for weight in self.optimizer.weights.values()}
        cast = [place for place in self.places if id(place.variable) in casts]
        for _, holder, key, variable in cast:
            holder[key] = casts[id(variable)]
        try:
            yield
        finally:
            for _, holder, key, variable in cast:
                holder[key] = variable

    # --- asked outside the clock -----------------------------------------------------------------

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        parts = output if isinstance(output, tuple) else (output,)
        named = zip(self.job.work.outputs, parts, strict=True)
        return {name: self.stack.to_host(part) for name, part in named}

    def penalty(self) -> float:
        """The penalty is added to the gradient, never to the loss."""
        return 0.0

    def state(self) -> State:
        tensors = self._to_host(self.tensors)
        if not self.training:
            return State(tensors, {}, None)
        if getattr(self.file, "UNBIASED_VARIANCE", False) and self.steps_done():
            for name, one in self.specified.items():
                if one.averages:
                    tensors[name] = self._biased(name, one.averages * self.job.batch, tensors[name])
        slots = {kind: self._to_host(slots) for kind, slots in self.optimizer.slots.items()}
        return State(tensors, slots, self.steps_done())

    def _biased(self, name: str, values: int, variance: np.ndarray) -> np.ndarray:
        """An average of n / (n - 1) times the variance of n values, without that factor; its start stays as it was."""
        holder = next(place.holder for place in self.places if place.variable is self.tensors[name])
        momentum = holder["momentum"]
        kept = momentum ** self.steps_done() * self.started[name].astype(np.float64)
        return np.asarray(kept + (variance - kept) * (values - 1) / values).astype(variance.dtype)

    def _to_host(self, variables: Mapping[str, tf.Variable]) -> dict[str, np.ndarray]:
        """Copies: what ``numpy()`` gives on a CPU may be the variable's own memory."""
        return {name: np.array(self.stack.to_host(variable)) for name, variable in variables.items()}

    def steps_done(self) -> int:
        return int(self.optimizer.iterations) if self.training else self.stream.taken

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        for name, variable in self.tensors.items():
            variable.assign(tf.cast(tensors[name], variable.dtype))
        if self.training:
            self.optimizer.reset()
        self.started, self.stream.taken = dict(tensors), 0
        for variable in tf.nest.flatten(self.cache) if self.generating else ():
            variable.assign(tf.zeros_like(variable))
        if self.start:
            self.file.prefill(self.model, self.cache, *self.start)


def places(node: Any, path: str = "") -> Iterator[Place]:
    """Every place of a variable below a module, a list or a dict, in the order in which they were set."""
    holder = vars(node) if isinstance(node, tf.Module) else node
    for key, child in list(holder.items() if isinstance(holder, Mapping) else enumerate(holder)):
        name = f"{path}.{key}".lstrip(".")
        if isinstance(child, tf.Variable):
            yield Place(name, holder, key, child)
        elif isinstance(child, tf.Module | Mapping | list) and not str(key).startswith("_"):
            yield from places(child, name)


def build(job: Job, stack: Stack) -> Driver:
    return LoadDriver(job, stack) if job.case.task == "load" else TensorFlowDriver(job, stack)
