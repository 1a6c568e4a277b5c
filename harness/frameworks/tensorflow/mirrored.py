"""The driver of one device in a MirroredStrategy: each replica averages the gradients and updates its own copies."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from harness.frameworks.tensorflow.driver import TensorFlowDriver
from harness.frameworks.tensorflow.optimizer import FusedOptimizer
from harness.workloads import Job


@functools.cache
def strategy(count: int) -> tf.distribute.Strategy:
    """One for the process: a second one would give its collectives the numbers of the first one's."""
    return tf.distribute.MirroredStrategy([f"CPU:{rank}" for rank in range(count)])


class MirroredDriver(TensorFlowDriver):
    """A batch is a value per replica; the loss is the mean of theirs."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.count = job.case.device_count
        self.strategy = strategy(self.count)
        with self.strategy.scope():
            super().__init__(job, stack)
        self.optimizers = [self._optimizer_of(rank) for rank in range(self.count)]

    def _optimizer_of(self, rank: int) -> FusedOptimizer:
        """The same on one replica's copies of the variables: TensorFlow's kernels update a plain variable."""
        own = copy.copy(self.optimizer)
        own.weights = {name: one.values[rank] for name, one in self.optimizer.weights.items()}
        own.slots = {
            kind: {name: one.values[rank] for name, one in slots.items()}
            for kind, slots in self.optimizer.slots.items()
        }
        own.iterations = self.optimizer.iterations.values[rank]
        return own

    def _on_device(self, batches: np.ndarray) -> list[Any]:
        return [self._per_replica(tf.split(batch, self.count)) for batch in super()._on_device(batches)]

    def _per_replica(self, parts: list[tf.Tensor]) -> Any:
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )

    def _train_step(self, *inputs: Any) -> tf.Tensor:
        losses = self.strategy.run(self._replica_step, args=inputs)
        return self.strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    def _replica_step(self, *inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self.file.loss(self._mixed_model if self.mixed else self.model, *inputs)
        gradients = tape.gradient(loss, self.optimizer.weights)
        context = tf.distribute.get_replica_context()
        own = self.optimizers[tf.get_static_value(context.replica_id_in_sync_group)]
        dense = {name: own._dense(name, gradient) for name, gradient in gradients.items()}
        own.apply(context.all_reduce(tf.distribute.ReduceOp.MEAN, dense))
        return loss

    def steps_done(self) -> int:
        return int(self.optimizer.iterations.values[0])

    def apart(self) -> float:
        return max(
            float(np.max(np.abs(copied.numpy() - variable.values[0].numpy()), initial=0.0))
            for variable in self.tensors.values()
            for copied in variable.values
        )
