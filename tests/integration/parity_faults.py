"""Deliberate faults in the real implementations of one stack: prints what the gate says, one JSON line each.

``python -m tests.integration.parity_faults <stack> <mode> <variant or ->``. The first line of each workload is
the right implementation.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from harness import frameworks, parity, workloads
from harness.record import Case, Contender
from harness.workloads import Job, Work, stored_reference
from harness.workloads.convstack.spec import ConvStack, Preset
from harness.workloads.mlp.spec import Mlp
from tests.integration.parity_matrix import CORES, start


class SmallConvStack(ConvStack):
    """Stops at 4 x 4: at the 1 x 1 of the presets every order of flattening is the same."""

    presets = {"small": Preset(size=16, channels=(8, 16), classes=10, gain=1.0, parity_batch=4)}


@contextmanager
def right() -> Iterator[Callable[[Work], None]]:
    yield lambda work: None


@contextmanager
def torch_wrong_flatten_order() -> Iterator[Callable[[Work], None]]:
    """Forgets the layout: C, H, W instead of H, W, C; columns instead of rows."""
    from harness.workloads.convstack import torch as conv_file
    from harness.workloads.mlp import torch as mlp_file

    def conv_forward(self: Any, images: Any) -> Any:
        return self.classifier(self.stages(images).flatten(1))

    right_mlp = mlp_file.Mlp.forward

    def mlp_forward(self: Any, images: Any) -> Any:
        return right_mlp(self, images.mT)

    with (
        mock.patch.object(conv_file.ConvStack, "forward", conv_forward),
        mock.patch.object(mlp_file.Mlp, "forward", mlp_forward),
    ):
        yield lambda work: None


@contextmanager
def torch_sum_for_mean() -> Iterator[Callable[[Work], None]]:
    import torch.nn.functional as F

    def summed(logits: Any, labels: Any, reduction: str) -> Any:
        return right_loss(logits, labels, reduction="sum")

    right_loss = F.cross_entropy
    with mock.patch.object(F, "cross_entropy", summed):
        yield lambda work: None


@contextmanager
def torch_learning_rate() -> Iterator[Callable[[Work], None]]:
    def raise_it(work: Any) -> None:
        for group in work.optimizer.param_groups:
            group["lr"] *= 1.01

    yield raise_it


@contextmanager
def keras_wrong_flatten_order() -> Iterator[Callable[[Work], None]]:
    """Swaps height and width before flattening."""
    from keras import layers

    class SwappedFlatten(layers.Flatten):
        def call(self, inputs: Any) -> Any:
            import keras

            axes = (0, 2, 1, 3)[: len(inputs.shape)]
            return super().call(keras.ops.transpose(inputs, axes))

    with mock.patch.object(layers, "Flatten", SwappedFlatten):
        yield lambda work: None


@contextmanager
def keras_sum_for_mean() -> Iterator[Callable[[Work], None]]:
    import keras

    right_loss = keras.losses.SparseCategoricalCrossentropy

    def summed(**options: Any) -> Any:
        return right_loss(**{**options, "reduction": "sum"})

    with mock.patch.object(keras.losses, "SparseCategoricalCrossentropy", summed):
        yield lambda work: None


@contextmanager
def keras_learning_rate() -> Iterator[Callable[[Work], None]]:
    import keras

    right_optimizer = keras.optimizers.SGD

    def faster(learning_rate: float, **options: Any) -> Any:
        return right_optimizer(learning_rate=1.01 * learning_rate, **options)

    with mock.patch.object(keras.optimizers, "SGD", faster):
        yield lambda work: None


FAULTS = {
    "torch": {
        "right": right,
        "flatten": torch_wrong_flatten_order,
        "sum": torch_sum_for_mean,
        "learning rate": torch_learning_rate,
    },
    "keras": {
        "right": right,
        "flatten": keras_wrong_flatten_order,
        "sum": keras_sum_for_mean,
        "learning rate": keras_learning_rate,
    },
}


def main(stack_name: str, mode: str, variant: str) -> None:
    contender = Contender(stack=stack_name, mode=mode, variant="" if variant == "-" else variant)  # type: ignore[arg-type]
    stack = start(contender, None)
    for spec, preset in ((SmallConvStack(), "small"), (Mlp(), "smoke")):
        references = stored_reference.compute(spec, preset)
        for fault, inject in FAULTS[stack_name.split("-")[0]].items():
            for task in ("train", "infer"):
                gate = functools.partial(check, spec, preset, task, contender, stack)
                with inject() as change:
                    result = gate(references[f"{preset}/{task}"], change)
                failed = sorted({diff.what.split()[0] for diff in result.diffs if not diff.passed})
                print(
                    json.dumps({"case": f"{spec.name}/{task}", "fault": fault, "failed": failed}), flush=True
                )


def check(
    spec: Any,
    preset: str,
    task: Any,
    contender: Contender,
    stack: frameworks.Stack,
    reference: parity.Reference,
    change: Callable[[Work], None],
) -> Any:
    batch = spec.parity_batch(preset)
    case = Case(workload=spec.name, preset=preset, task=task, batch=batch, cores=CORES)
    weights = spec.weights(preset, 0)
    work = workloads.build(Job(spec, case, contender, weights, spec.batches(preset, batch, 0)), stack)
    change(work)
    return parity.check(work, stack, reference, weights, spec.learning_rate, task)


if __name__ == "__main__":
    main(*sys.argv[1:])
