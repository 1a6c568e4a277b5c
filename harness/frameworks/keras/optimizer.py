"""The declared optimizer as Keras' own, and what Keras keeps for it in the declared form.

- SGD's momentum variable holds ``-rate * velocity``: the rate is inside. Its Nesterov form is the declared one.
- SGD's ``weight_decay`` is a decoupled one, another algorithm. The declared L2 is a regularizer of the decayed
variables, and Keras adds it to the loss that it reports.
- AdamW's moments are the declared, raw ones. Epsilon is added before the second moment is corrected.
- TensorFlow's gradient of an embedding lists every use of a row by itself, and AdamW squares the uses one by one: the
second moment of a row that is used twice becomes g1^2 + g2^2, not (g1 + g2)^2. ``Summed`` adds them up first.

On PyTorch ``keras.optimizers.SGD`` and ``AdamW`` are used as they are: a subclass of them would lose the fast update.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.frameworks import Unsupported
from harness.workloads.specification import SGD, Optimizer, WarmupCosine

KINDS = {"_momentum": "first", "_velocity": "second"}  # how Adam's variables' names end


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """``WarmupCosine`` of a peak rate, as a function of the optimizer's iterations."""

    def __init__(self, peak: float, shape: WarmupCosine) -> None:
        self.peak, self.shape = peak, shape

    def __call__(self, step: Any) -> Any:
        warmup, total, floor = self.shape.warmup, self.shape.total, self.shape.floor
        step = ops.cast(step, keras.config.floatx())
        passed = ops.minimum(1.0, (step - warmup) / (total - warmup))
        cosine = floor + (1.0 - floor) * 0.5 * (1.0 + ops.cos(math.pi * passed))
        return self.peak * ops.where(step < warmup, (step + 1.0) / max(1, warmup), cosine)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "shape": self.shape.__class__.__name__}


class Summed(keras.optimizers.AdamW):  # type: ignore[misc]
    """Keras' AdamW for TensorFlow, with one gradient for each row of an embedding."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        import tensorflow as tf

        summed = [one if one is None else tf.convert_to_tensor(one) for one in grads]
        return super().apply(summed, trainable_variables)


def build(declared: Optimizer, variables: Mapping[str, Any], decayed: set[str]) -> keras.Optimizer:
    """Keras' optimizer for the named variables, in this order, which it is built for."""
    rate = Schedule(declared.lr, declared.schedule) if declared.schedule else declared.lr
    if isinstance(declared, SGD):
        if declared.momentum and declared.schedule:
            raise Unsupported(
                "Keras' SGD keeps the rate in its momentum: with a schedule it is another algorithm"
            )
        if declared.weight_decay:
            for name in decayed:  # d/dw of decay / 2 * w^2 is decay * w
                variables[name].regularizer = keras.regularizers.L2(declared.weight_decay / 2)
        optimizer = keras.optimizers.SGD(rate, declared.momentum, declared.nesterov, weight_decay=None)
    else:
        adamw = Summed if keras.config.backend() == "tensorflow" else keras.optimizers.AdamW
        optimizer = adamw(
            rate,
            weight_decay=declared.weight_decay,
            beta_1=declared.beta1,
            beta_2=declared.beta2,
            epsilon=declared.epsilon,
        )
        optimizer.exclude_from_weight_decay([one for name, one in variables.items() if name not in decayed])
    optimizer.build(list(variables.values()))
    return optimizer


def slots(
    optimizer: keras.Optimizer, declared: Optimizer, names: list[str]
) -> dict[str, dict[str, np.ndarray]]:
    """``{kind: {name: array}}`` in the declared form; ``names`` in the order that the optimizer was built for."""
    made: dict[str, dict[str, np.ndarray]] = {}
    for suffix, kind in KINDS.items():
        own = [variable for variable in optimizer.variables if variable.name.endswith(suffix)]
        # copies: a view of JAX's own memory would keep it from being given away in the next step
        arrays = dict(
            zip(names, (np.array(ops.convert_to_numpy(variable)) for variable in own), strict=bool(own))
        )
        if not own:
            continue
        if isinstance(declared, SGD):
            made["velocity"] = {
                name: -array / array.dtype.type(declared.lr) for name, array in arrays.items()
            }
        else:
            made[kind] = arrays
    return made


def clear(optimizer: keras.Optimizer) -> None:
    """Slots and counter to zero; a constant rate is a variable too, and stays."""
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(np.zeros(variable.shape, variable.dtype))


def penalty(declared: Optimizer, decayed: Mapping[str, np.ndarray]) -> float:
    """What Keras adds to the loss for these weights."""
    if not isinstance(declared, SGD):
        return 0.0
    return sum(
        declared.weight_decay / 2 * float(np.sum(np.square(array, dtype=np.float64)))
        for array in decayed.values()
    )
