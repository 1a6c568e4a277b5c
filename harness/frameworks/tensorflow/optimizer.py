"""The declared optimizer in TensorFlow, under ``tf.function`` or eagerly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from harness.workloads.specification import SGD, AdamW, Optimizer, WarmupCosine


class FusedOptimizer:
    """The declared optimizer by the kernels that TensorFlow has for it, one per tensor: raw operations, as its own
    optimizers call them. The rate of a schedule is computed in the graph, from ``iterations``."""

    def __init__(self, declared: Optimizer, weights: dict[str, tf.Variable], decayed: set[str]) -> None:
        self.declared, self.weights, self.decayed = declared, weights, decayed
        self.dtype = next(iter(weights.values())).dtype
        self.iterations = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.slots: dict[str, dict[str, tf.Variable]] = {}
        if isinstance(declared, AdamW):
            self.slots = {"first": _zeros(weights), "second": _zeros(weights)}
        elif declared.momentum:
            self.slots = {"velocity": _zeros(weights)}

    def reset(self) -> None:
        for variable in tf.nest.flatten([self.iterations, self.slots]):
            variable.assign(tf.zeros_like(variable))

    def apply(self, gradients: Mapping[str, Any]) -> None:
        dense = {name: self._dense(name, gradient) for name, gradient in gradients.items()}
        if isinstance(self.declared, SGD):
            self._sgd(self.declared, dense)
        else:
            self._adamw(self.declared, dense)
        self.iterations.assign_add(1)

    def _rate(self) -> tf.Tensor:
        """Of this step, in float64."""
        rate = tf.constant(self.declared.lr, tf.float64)
        schedule = self.declared.schedule
        return rate if schedule is None else rate * _factor(schedule, tf.cast(self.iterations, tf.float64))

    def _dense(self, name: str, gradient: Any) -> tf.Tensor:
        """An embedding's gradient holds the rows that were looked up; a weight that no loss depends on has none."""
        return tf.zeros_like(self.weights[name]) if gradient is None else tf.convert_to_tensor(gradient)

    def _sgd(self, declared: SGD, gradients: dict[str, tf.Tensor]) -> None:
        rate = tf.cast(self._rate(), self.dtype)
        momentum = tf.constant(declared.momentum, self.dtype)
        for name, gradient in gradients.items():
            weight = self.weights[name]
            if declared.weight_decay and name in self.decayed:
                gradient += declared.weight_decay * weight
            if not declared.momentum:
                tf.raw_ops.ResourceApplyGradientDescent(var=weight.handle, alpha=rate, delta=gradient)
                continue
            tf.raw_ops.ResourceApplyMomentum(
                var=weight.handle,
                accum=self.slots["velocity"][name].handle,
                lr=rate,
                grad=gradient,
                momentum=momentum,
                use_nesterov=declared.nesterov,
            )

    def _adamw(self, declared: AdamW, gradients: dict[str, tf.Tensor]) -> None:
        """The kernel adds epsilon to the uncorrected root of v, so it gets epsilon times that correction."""
        rate, step = self._rate(), tf.cast(self.iterations + 1, tf.float64)
        power1, power2 = declared.beta1**step, declared.beta2**step
        numbers = {
            "lr": rate,
            "beta1": declared.beta1,
            "beta2": declared.beta2,
            "beta1_power": power1,
            "beta2_power": power2,
            "epsilon": declared.epsilon * tf.sqrt(1.0 - power2),
        }
        # a number would go through fp32
        scalars = {
            name: tf.cast(tf.convert_to_tensor(number, tf.float64), self.dtype)
            for name, number in numbers.items()
        }
        decay = tf.cast(rate * declared.weight_decay, self.dtype)
        for name, gradient in gradients.items():
            weight = self.weights[name]
            if declared.weight_decay and name in self.decayed:
                weight.assign_sub(decay * weight)
            first, second = self.slots["first"][name], self.slots["second"][name]
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle, m=first.handle, v=second.handle, grad=gradient, **scalars
            )


def _zeros(weights: Mapping[str, tf.Variable]) -> dict[str, tf.Variable]:
    return {name: tf.Variable(tf.zeros_like(weight), trainable=False) for name, weight in weights.items()}


def _factor(schedule: WarmupCosine, step: tf.Tensor) -> tf.Tensor:
    """``WarmupCosine.factor`` in the graph."""
    passed = tf.minimum((step - schedule.warmup) / (schedule.total - schedule.warmup), 1.0)
    cosine = schedule.floor + (1.0 - schedule.floor) * 0.5 * (1.0 + tf.cos(math.pi * passed))
    return tf.where(step < schedule.warmup, (step + 1.0) / schedule.warmup, cosine)
