"""How a compiled Keras model is stepped: by its own ``fit`` / ``predict``, or by its compiled function.

The models are in the workloads' ``keras.py``; the stepping is the same for all of them.

``loop``: one ``run(n)`` is one ``fit(..., steps_per_epoch=n, epochs=1, verbose=0)`` without callbacks, or one
``predict(..., steps=n)``: what Keras' users run. Both end with a read-back of their result, by themselves.
``direct``: ``run(n)`` calls n times the function that ``fit`` / ``predict`` call for every step.

The loss of ``run(n)`` is Keras' own: the mean over the n steps, because the tracker in the compiled step keeps
a running mean that starts anew with each ``run``. With n = 1 it is the step's loss exactly; with n > 1 it still
depends on the last step.

Batches are the backend's own tensors, made once; no step converts or copies them. TensorFlow's ``fit`` takes a
``tf.data.Dataset`` of slices of one tensor, PyTorch's and JAX's an endless ``keras.utils.PyDataset``.
"""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np

from harness.frameworks import Stack
from harness.workloads import Job, Weights


class KerasWork:
    """Weights, optimizer state and the order of the batches: what all ways of stepping share.

    The model's layers carry the canonical names, and Keras' kernels are HWIO and (in, out) already.
    """

    def __init__(self, model: keras.Model, job: Job, stack: Stack) -> None:
        self.model = model
        stack.watch(model)  # type: ignore[attr-defined]
        self.train = job.case.task == "train"
        self.job, self.stack = job, stack
        self.variables = {
            f"{layer.name}.{variable.name}": variable
            for layer in model.layers
            for variable in layer.trainable_variables
        }
        if self.train:
            model.optimizer.build(model.trainable_variables)
        self.prepare()
        self.reset(job.weights)

    def prepare(self) -> None:
        """Make the batches device-resident: ``(x, y)`` to train, ``(x,)`` to infer, as Keras unpacks them."""
        x, y = self.job.batches
        arrays = (x, y) if self.train else (x,)
        self.batches = [
            tuple(self.stack.to_device(part) for part in batch) for batch in zip(*arrays, strict=True)
        ]

    def run(self, n: int) -> Any:
        raise NotImplementedError

    def weights(self) -> dict[str, np.ndarray]:
        return {
            name: np.array(keras.ops.convert_to_numpy(variable.value))
            for name, variable in self.variables.items()
        }

    def reset(self, weights: Weights) -> None:
        for name, variable in self.variables.items():
            variable.assign(weights[name])
        if self.train:
            self.model.optimizer.iterations.assign(0)
            for momentum in self.model.optimizer.momentums:
                momentum.assign(np.zeros(momentum.shape, np.float32))
        self.cursor = 0
        self.stream = itertools.cycle(self.batches)


class Batches(keras.utils.PyDataset):
    """The ready batches from ``start`` on, without end."""

    num_batches = None

    def __init__(self, batches: list[tuple[Any, ...]], start: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.batches, self.start = batches, start

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.batches[(self.start + index) % len(self.batches)]


class Loop(KerasWork):
    """Keras' own ``fit`` and ``predict``, called from outside."""

    def run(self, n: int) -> Any:
        if self.train:
            history = self.model.fit(
                self.dataset(), steps_per_epoch=n, epochs=1, verbose=0, shuffle=False, callbacks=None
            )
            output = np.asarray(history.history["loss"][-1])  # a float: fit waits for it
        else:
            output = self.model.predict(self.dataset(), steps=n, verbose=0)  # (n * B, classes), on the host
            output = output[-self.job.case.batch :]
        self.cursor = (self.cursor + n) % len(self.batches)
        return output

    def dataset(self) -> Any:
        return Batches(self.batches, self.cursor)


class TensorFlowLoop(Loop):
    def prepare(self) -> None:
        import tensorflow as tf

        super().prepare()
        x, y = (self.stack.to_device(array) for array in self.job.batches)
        self.start = tf.Variable(0, dtype=tf.int64)

        def from_start(_: Any) -> tf.data.Dataset:
            slices = tf.data.Dataset.from_tensor_slices((x, y) if self.train else x)
            return slices.repeat().skip(self.start)

        self.tf_dataset = tf.data.Dataset.from_tensors(0).flat_map(from_start)
        if self.job.case.device == "gpu":
            self.tf_dataset = self.tf_dataset.apply(tf.data.experimental.prefetch_to_device("/GPU:0"))

    def dataset(self) -> Any:
        self.start.assign(self.cursor)
        return self.tf_dataset


class DirectTensorFlow(KerasWork):
    def prepare(self) -> None:
        super().prepare()
        if self.train:
            x, y = self.batches[0]
            no_logits = keras.ops.zeros((self.job.case.batch, self.model.output_shape[-1]))
            self.model.compute_loss(x, y, no_logits)  # builds the loss, as fit does before its first step
            self.model.make_train_function()
        else:
            self.model.make_predict_function()

    def run(self, n: int) -> Any:
        if not self.train:
            for batch in itertools.islice(self.stream, n):
                logits = self.model.predict_function([batch])
            return logits
        self.model.reset_metrics()
        for _ in range(n):
            logs = self.model.train_function(self.stream)
        return logs["loss"]


class DirectTorch(DirectTensorFlow):
    def run(self, n: int) -> Any:
        if not self.train:
            self.model.eval()
            for batch in itertools.islice(self.stream, n):
                logits = self.model.predict_function([batch])
            return logits
        self.model.train()
        self.model.reset_metrics()
        for batch in itertools.islice(self.stream, n):
            logs = self.model.train_function([batch])
        return logs["loss"]


class DirectJax(DirectTensorFlow):
    """JAX's functions take the state and give the new one back; the old one's buffers are donated."""

    state: tuple[list[Any], ...] | None = None  # null: the variables hold the truth

    def run(self, n: int) -> Any:
        import jax

        state = self.fresh_state()
        function = self.model.train_function if self.train else self.model.predict_function
        for _ in range(n):
            output, state = function(state, self.stream)
        self.state = state
        jax.block_until_ready(state)  # type: ignore[no-untyped-call]  # op by op, the loss alone would not cover the update
        return output["loss"] if self.train else output

    def fresh_state(self) -> tuple[list[Any], ...]:
        model = self.model
        owners = [model.trainable_variables, model.non_trainable_variables]
        if self.train:
            model.reset_metrics()
            owners += [model.optimizer.variables, model.metrics_variables]
        fresh = [[variable.value for variable in owner] for owner in owners]
        if self.state is not None:
            fresh[:3] = self.state[:3]  # all but the metrics
        return tuple(fresh)

    def write_back(self) -> None:
        """Give the variables the state's values; their own buffers are gone, donated."""
        if self.state is None:
            return
        owners = [self.model.trainable_variables, self.model.non_trainable_variables]
        if self.train:
            owners.append(self.model.optimizer.variables)  # the learning rate too
        for owner, values in zip(owners, self.state, strict=False):
            for variable, value in zip(owner, values, strict=True):
                variable.assign(value)

    def weights(self) -> dict[str, np.ndarray]:
        self.write_back()
        return super().weights()

    def reset(self, weights: Weights) -> None:
        self.write_back()
        self.state = None
        super().reset(weights)


def build(model: keras.Model, job: Job, stack: Stack) -> KerasWork:
    """Step ``model`` in the contender's variant on the running backend."""
    backend = keras.backend.backend()
    if stack.loop:  # type: ignore[attr-defined]
        return TensorFlowLoop(model, job, stack) if backend == "tensorflow" else Loop(model, job, stack)
    direct = {"tensorflow": DirectTensorFlow, "torch": DirectTorch, "jax": DirectJax}[backend]
    return direct(model, job, stack)
