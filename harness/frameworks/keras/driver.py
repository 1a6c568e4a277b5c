"""How a Keras model is stepped, the same on every backend. A workload's ``keras.py`` offers

``model(preset) -> keras.Model``, uncompiled: functional, sequential, nested or subclassed; ``loss() ->
keras.losses.Loss``, from (target, output), or null where the model adds its own (``add_loss``). A task's inputs but for
its targets are the model's input: one tensor, or a dict by name. A task that another model does has a function of the
task's name in place of ``model``, with the same tensors. For generation ``empty_cache(model, batch)``,
``prefill(model, cache, *inputs) -> (logits, cache)`` and ``decode(model, cache, *inputs) -> (logits, cache)``,
functions that change nothing. ``NAMES`` maps paths that are not the canonical names.

A tensor's name is its variable's path, without the model's name; Keras' layouts are the canonical ones. What
Keras does otherwise than declared, and what is done about it, is said in ``optimizer.py``. Its reported loss: see
``direct.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.frameworks import Driver, Stack, State, Unsupported
from harness.frameworks.keras import optimizer as optimizers
from harness.frameworks.keras.direct import Direct, DirectJax, DirectTorch, Pending
from harness.frameworks.keras.generation import Generation, GenerationJax, GenerationTorch
from harness.frameworks.keras.loading import AsFit, FedLoop
from harness.frameworks.keras.loop import Loop, TensorFlowLoop
from harness.frameworks.loading import LoadDriver, Loaded, loader
from harness.workloads import Job
from harness.workloads.naming import canonical_names, refuse_other_shapes

DIRECT = {"tensorflow": Direct, "torch": DirectTorch, "jax": DirectJax}
GENERATION = {"tensorflow": Generation, "torch": GenerationTorch, "jax": GenerationJax}


class KerasDriver:
    """The model, its optimizer and its batches; how they are stepped is the stepper's."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.job, self.stack, self.task = job, stack, job.case.task
        self.training, self.generating = self.task == "train", self.task in ("prefill", "decode")
        if self.generating and stack.loop:
            raise Unsupported(f"Keras has no loop of its own for {self.task}", "ask for a direct variant")
        stack.set_dtypes(job.precision, self.training)
        if stack.info.backend == "torch" and stack.jit_compile:
            import torch

            torch._dynamo.reset()  # another batch size must not turn this one's shapes dynamic
        model = job.file.model if self.generating else getattr(job.file, self.task, job.file.model)
        self.model: keras.Model = model(job.preset)
        self.model.compile(
            optimizer=None,
            loss=job.file.loss() if self.training else None,
            jit_compile=stack.jit_compile,
            run_eagerly=False,
            steps_per_execution=1,
        )
        if self.model.jit_compile != stack.jit_compile:
            raise Unsupported("Keras refuses to compile a layer of this model")
        batches, start = self._ready(job.batches)
        if not self.generating:
            first = batches.loader.dataset[0] if isinstance(batches, Loaded) else batches[0]
            self.model._symbolic_build(data_batch=first)  # as fit does before its first step
        self.specified = job.workload.tensors(job.preset)
        self.tensors = self._named_tensors()
        self.decayed = {name for name, one in self.specified.items() if one.decayed}
        if self.training:
            self.trained = self._trained()
            self.model.optimizer = optimizers.build(job.workload.optimizer, self.trained, self.decayed)
        stack.watch(self.model)
        self.stepper = self._stepper()
        self.stepper.feed(batches, start)
        self.reset(job.weights)

    # --- building --------------------------------------------------------------------------------

    def _named_tensors(self) -> dict[str, Any]:
        """Weights and floating-point buffers by canonical name, without seeds and metrics."""
        own = {
            variable.path.removeprefix(f"{self.model.name}/"): variable
            for variable in self.model.weights
            if "float" in variable.dtype
        }
        named = canonical_names(own, self.specified, getattr(self.job.file, "NAMES", {}))
        refuse_other_shapes({name: variable.shape for name, variable in named.items()}, self.specified)
        return named

    def _trained(self) -> dict[str, Any]:
        """Trainable variables by canonical name, in Keras' order."""
        names = {id(variable): name for name, variable in self.tensors.items()}
        return {names[id(variable)]: variable for variable in self.model.trainable_variables}

    def _stepper(self) -> Any:
        backend = self.stack.info.backend
        if self.generating:
            # op by op JAX needs no values handed in
            made = Generation if backend == "jax" and not self.stack.jit_compile else GENERATION[backend]
            return made(self.model, self.job.file, self.task, self.stack, self.job.batch)
        if not self.stack.loop:
            return DIRECT[backend](self.model, self.training)
        if self.job.workload.files:
            return FedLoop(self.model, self.training, self.job.batch)
        if backend == "tensorflow":
            return TensorFlowLoop(self.model, self.training, self.job.batch, self.job.case.device == "gpu")
        return Loop(self.model, self.training, self.job.batch)

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.stepper.feed(*self._ready(batches))
        self.stepper.rewind()

    def _ready(self, batches: Mapping[str, np.ndarray]) -> tuple[Any, tuple[Any, ...]]:
        """N batches as Keras unpacks them, ``(x, y)`` or ``(x,)``, and what generation starts from; or a loader."""
        if self.job.workload.files:
            return Loaded(AsFit(loader(self.job, batches))), ()
        names = self.job.work.inputs
        columns = [self._on_device(name, batches[name]) for name in names]
        rows = [self._unpacked(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
        return rows, tuple(self._on_device(name, batches[name][:1])[0] for name in self.job.work.start)

    def _unpacked(self, inputs: dict[str, Any]) -> tuple[Any, ...]:
        if self.generating:
            return tuple(inputs.values())
        targets = [inputs.pop(name) for name in self.job.work.targets]
        x = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        return (x, targets[0] if len(targets) == 1 else tuple(targets)) if targets else (x,)

    def _on_device(self, name: str, batches: np.ndarray) -> list[Any]:
        """(N, B, ...) -> N tensors, images in the contender's order of axes."""
        first = keras.config.image_data_format() == "channels_first"
        if self.job.workload.is_image(name) and first:
            batches = np.ascontiguousarray(np.moveaxis(batches, -1, 2))  # (N, B, C, H, W)
        tensors = [self.stack.to_device(batch) for batch in batches]
        return (
            [ops.cast(tensor, keras.config.floatx()) for tensor in tensors]
            if batches.dtype.kind == "f"
            else tensors
        )

    # --- stepping --------------------------------------------------------------------------------

    def run(self, n: int) -> Any:
        return self.stepper.run(n)

    # --- asked outside the clock -----------------------------------------------------------------

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        output = output.output if isinstance(output, Pending) else output
        parts = output if isinstance(output, list | tuple) else (output,)
        arrays = [self.stack.to_host(part) for part in parts]
        first = keras.config.image_data_format() == "channels_first"
        return {
            name: np.moveaxis(array, 1, -1) if first and self.job.workload.is_image(name) else array
            for name, array in zip(self.job.work.outputs, arrays, strict=True)
        }

    def penalty(self) -> float:
        """The L2 penalty of the weights as they are now: the next reported loss holds it."""
        if not self.training:
            return 0.0
        self.stepper.synchronize()
        decayed = {name: self._canonical(name) for name in self.decayed}
        return optimizers.penalty(self.job.workload.optimizer, decayed)

    def state(self) -> State:
        self.stepper.synchronize()
        tensors = {name: self._canonical(name) for name in self.tensors}
        if not self.training:
            return State(tensors, {}, None)
        optimizer = self.model.optimizer
        slots = optimizers.slots(optimizer, self.job.workload.optimizer, list(self.trained))
        return State(tensors, slots, int(optimizer.iterations.numpy()))

    def _canonical(self, name: str) -> np.ndarray:
        # a copy: a view of JAX's own memory would keep it from being given away in the next step
        return np.array(self.stack.to_host(self.tensors[name]))

    def steps_done(self) -> int:
        """By the optimizer's count in training."""
        if not self.training:
            return int(self.stepper.taken)
        self.stepper.synchronize()
        return int(self.model.optimizer.iterations.numpy())

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.stepper.synchronize()
        for name, variable in self.tensors.items():
            variable.assign(np.array(tensors[name]))  # a copy, which a backend may keep
        if self.training:
            optimizers.clear(self.model.optimizer)
        self.stepper.rewind()


def build(job: Job, stack: Stack) -> Driver:
    if job.case.task == "load":
        return LoadDriver(job, stack, keras.config.image_data_format() == "channels_first", AsFit)
    return KerasDriver(job, stack)
