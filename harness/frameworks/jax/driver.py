"""How a JAX model is stepped. A workload's ``jax.py`` offers

``model(preset)``, a pure function of parameters and inputs; ``loss(model, params, *inputs)``, a scalar; where a task's
outputs are not simply ``model(params, *inputs)``, ``predict(model, params, *inputs)``, or for one task a function of
its name. Where the workload has buffers, they follow the parameters: ``loss(model, params, buffers, *inputs)`` gives
``(loss, buffers)``, and ``predict(model, params, buffers, *inputs)`` has to be there.

For generation: ``empty_cache(preset, batch, dtype)``; ``prefill(model, params, cache, *inputs)`` and
``decode(model, params, cache, *inputs)`` give ``(outputs, cache)``, and the cache that went in is given away.

``params`` and ``buffers`` are trees nested from canonical names, ``params["convs"][0]["kernel"]``, in canonical
layouts. Mixed precision is around ``model``: it gets inputs, kernels and embeddings in bf16, vectors (biases, scales)
in fp32, so that a layer ends with ``.astype(x.dtype)``, and its outputs are turned into fp32.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from harness.frameworks import Driver, Stack, State, Stream
from harness.frameworks.jax.trees import named, nested
from harness.frameworks.loading import LoadDriver, Loaded, loader
from harness.workloads import Job
from harness.workloads.specification import SGD, Optimizer

SLOTS = {"trace": "velocity", "mu": "first", "nu": "second"}


class JaxDriver:
    """Op by op, or with the whole step (loss, gradient, update) as one function of XLA."""

    def __init__(self, job: Job, stack: Any) -> None:
        # int64 and float64 are narrowed unless this is on, for the whole process
        jax.config.update("jax_enable_x64", job.precision == "fp64")
        self.job, self.stack, self.file = job, stack, job.file
        task = job.case.task
        self.training, self.generating = task == "train", task in ("prefill", "decode")
        dtypes = {"fp64": jnp.float64, "bf16": jnp.float32 if self.training else jnp.bfloat16}
        self.dtype = dtypes.get(job.precision, jnp.float32)
        self.specified = job.workload.tensors(job.preset)
        self.buffered = any(one.role == "buffer" for one in self.specified.values())
        self.model = self.file.model(job.preset)
        if self.training:
            if job.precision == "bf16":
                self.model = mixed(self.model, self.buffered)
            decayed = {name: one.decayed for name, one in self.specified.items() if one.role == "weight"}
            self.optimizer = optimizer(job.workload.optimizer, nested(decayed))
            # On a GPU the step gets the memory of the old state, as is usual there. On a CPU it takes longer with it
            # (1.19 times for lstm, 1.06 for gpt), and jit's own default is not to give any.
            self.train = stack.compile(self._train, donate_argnums=0 if job.case.device == "gpu" else ())
        elif self.generating:
            self.prefill, self.decode = (
                stack.compile(functools.partial(function, self.model), donate_argnums=1)
                for function in (self.file.prefill, self.file.decode)
            )
        else:
            self.predict = stack.compile(self._predict)
        self.step: Callable[..., Any]  # (carry, *inputs) -> (output, carry)
        self.carry: Any  # what a step hands to the next: (params, buffers, slots), the cache, or nothing
        self.feed(job.batches)
        self.reset(job.weights)

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.stream: Stream | Loaded
        if self.job.workload.files:
            self.stream, self.start = Loaded(loader(self.job, batches), self._on_device), []
            return
        inputs = [self._on_device(batches[name]) for name in self.job.work.inputs]
        self.stream = Stream(list(zip(*inputs, strict=True)))
        self.start = [self._on_device(batches[name])[0] for name in self.job.work.start]

    def _on_device(self, arrays: Iterable[np.ndarray]) -> list[Any]:
        """(N, B, ...), or a batch's inputs, -> an array each; int64 becomes int32 unless x64 is on."""
        return [jnp.asarray(one, self.dtype if one.dtype == np.float32 else None) for one in arrays]

    # --- stepping --------------------------------------------------------------------------------

    def run(self, n: int) -> Any:
        """(the last step's output, what it hands to the next): op by op, only both together cover all the work."""
        for inputs in itertools.islice(self.stream, n):
            output, self.carry = self.step(self.carry, *inputs)
        return output, self.carry

    def _train(self, carry: Any, *inputs: Any) -> Any:
        params, buffers, slots = carry
        gradient = jax.value_and_grad(self._loss, has_aux=True)
        (loss, buffers), gradients = gradient(params, buffers, *inputs)
        updates, slots = self.optimizer.update(gradients, slots, params)
        return loss, (optax.apply_updates(params, updates), buffers, slots)

    def _loss(self, params: Any, buffers: Any, *inputs: Any) -> Any:
        if self.buffered:
            return self.file.loss(self.model, params, buffers, *inputs)
        return self.file.loss(self.model, params, *inputs), buffers

    def _predict(self, params: Any, buffers: Any, *inputs: Any) -> Any:
        function = getattr(self.file, self.job.case.task, getattr(self.file, "predict", None))
        if function is None:
            return self.model(params, *inputs)
        if self.buffered:
            return function(self.model, params, buffers, *inputs)
        return function(self.model, params, *inputs)

    def _infer(self, carry: tuple[()], *inputs: Any) -> Any:
        return self.predict(self.params, self.buffers, *inputs), carry

    def _generate(self, cache: Any, *inputs: Any) -> Any:
        function = self.prefill if self.job.case.task == "prefill" else self.decode
        return function(self.params, cache, *inputs)

    # --- asked outside the clock -----------------------------------------------------------------

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        parts = output[0] if isinstance(output[0], tuple) else (output[0],)
        return {
            name: self.stack.to_host(part) for name, part in zip(self.job.work.outputs, parts, strict=True)
        }

    def penalty(self) -> float:
        """optax adds the penalty to the gradient, never to the loss."""
        return 0.0

    def state(self) -> State:
        params, buffers = self.carry[:2] if self.training else (self.params, self.buffers)
        own = self._to_host(params) | self._to_host(buffers)
        slots: dict[str, dict[str, np.ndarray]] = {}
        if self.training:
            for field, kind in SLOTS.items():
                for _, tree in optax.tree.get_all_with_path(self.carry[2], field):
                    slots[kind] = self._to_host(tree)
        return State({name: own[name] for name in self.specified}, slots, self._counted())

    def _to_host(self, tree: Any) -> dict[str, np.ndarray]:
        # copies: a view of JAX's own memory would keep it from being given away in the next step
        return {name: np.array(self.stack.to_host(array)) for name, array in named(tree).items()}

    def _counted(self) -> int | None:
        """Adam and a schedule count steps; plain SGD counts nothing."""
        counts = optax.tree.get_all_with_path(self.carry[2], "count") if self.training else []
        return int(counts[0][1]) if counts else None

    def steps_done(self) -> int:
        counted = self._counted()
        return self.stream.taken if counted is None else counted

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        params, buffers = (
            nested(
                {
                    name: jnp.array(tensors[name], self.dtype)
                    for name, one in self.specified.items()
                    if one.role == role
                }
            )
            for role in ("weight", "buffer")
        )
        self.stream.taken = 0
        if self.training:
            self.step, self.carry = self.train, (params, buffers, self.optimizer.init(params))
            return
        self.params, self.buffers = params, buffers
        self.step, self.carry = self._infer, ()
        if self.generating:
            self.step = self._generate
            self.carry = self.file.empty_cache(self.job.preset, self.job.batch, self.dtype)
        if self.start:
            _, self.carry = self.prefill(params, self.carry, *self.start)


def optimizer(declared: Optimizer, decayed: Any) -> optax.GradientTransformation:
    """The declared one by optax; ``decayed`` is a tree of bools."""
    rate = schedule(declared)
    if isinstance(declared, SGD):
        step = optax.sgd(rate, declared.momentum or None, declared.nesterov)
        if not declared.weight_decay:
            return step
        return optax.chain(optax.add_decayed_weights(declared.weight_decay, decayed), step)
    return optax.adamw(
        rate,
        declared.beta1,
        declared.beta2,
        declared.epsilon,
        weight_decay=declared.weight_decay,
        mask=decayed,
    )


def schedule(declared: Optimizer) -> Any:
    """The rate: a number, or a function of optax's count."""
    shape, peak = declared.schedule, declared.lr
    if shape is None:
        return peak
    warmup = optax.linear_schedule(peak / max(1, shape.warmup), peak, shape.warmup - 1)
    cosine = optax.cosine_decay_schedule(peak, shape.total - shape.warmup, alpha=shape.floor)
    rate = optax.join_schedules([warmup, cosine], [shape.warmup])
    # optax counts in int32, which divided gives float32 even where x64 is on
    return lambda count: rate(count.astype(float))


def mixed(apply: Callable[..., Any], buffered: bool) -> Callable[..., Any]:
    """``apply`` computing in bf16, from fp32 parameters and inputs to fp32 outputs; buffers stay as they are.

    Vectors stay in fp32 as well: their gradients are sums over everything else, and XLA sums in the type that it is
    given; on a CPU 2 x 64 x 64 values in bf16 came out 75 % too small.
    """

    def model(params: Any, *inputs: Any, **options: Any) -> Any:
        buffers, rest = inputs[:buffered], inputs[buffered:]
        narrow = jax.tree.map(lambda one: one.astype(jnp.bfloat16) if one.ndim > 1 else one, params)
        return cast(apply(narrow, *buffers, *cast(rest, jnp.bfloat16), **options), jnp.float32)

    return model


def cast(tree: Any, dtype: Any) -> Any:
    """The tree with its floating-point arrays in ``dtype``."""
    return jax.tree.map(
        lambda one: one.astype(dtype) if jnp.issubdtype(one.dtype, jnp.floating) else one, tree
    )


def build(job: Job, stack: Stack) -> Driver:
    return LoadDriver(job, stack) if job.case.task == "load" else JaxDriver(job, stack)
