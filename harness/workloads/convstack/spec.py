"""convstack: the network that the founding article prints, as far as it can exist.

``Conv2d(a, b, 3, padding=1)`` and ``MaxPool2d(2, 2)`` in turn, channels 64, 64, 128, 128, 256, 256, 512,
512, 1024 ... Every pooling halves the image, so a 224 x 224 image is 1 x 1 after seven stages and nothing is
left for an eighth: stages = min(7, floor(log2(size))). There is no activation between the stages, as printed;
the maximum over a window is the only non-linearity. A linear classifier, the mean softmax cross-entropy from
its logits, and SGD with momentum make it trainable.

The arithmetic, the same in every framework:

- convolution 3 x 3, stride 1, one pixel of zeros on each side, with bias; cross-correlation (not flipped)
- max-pooling 2 x 2, stride 2, no padding. The gradient goes to the maximum; among equal maxima to the first
  in row-major order (random images make exact ties a matter of rounding, see ``reference.py``)
- flatten in the order height, width, channel (NHWC), whatever the layout in memory
- loss: mean over the batch of -log softmax(logits)[label]
- SGD: v <- momentum * v + g; w <- w - lr * v; v starts at zero; no Nesterov, dampening or weight decay
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from harness.workloads import Batches, philox

ARTICLE = (64, 64, 128, 128, 256, 256, 512)  # channels after each stage
BATCHES = 4  # different batches; the steps cycle through them


class Preset(NamedTuple):
    size: int  # the image is (size, size, 3)
    channels: tuple[int, ...]  # one stage each
    classes: int
    gain: float  # fan_in times the variance of a kernel; sets the size of the logits
    parity_batch: int


class ConvStack:
    """The specification; every framework file builds exactly this."""

    name = "convstack"
    presets: Mapping[str, Preset] = {
        "smoke": Preset(size=64, channels=(8, 8, 16, 16, 32, 32), classes=10, gain=1.0, parity_batch=2),
        "cpu": Preset(size=64, channels=ARTICLE[:6], classes=10, gain=1.0, parity_batch=2),
        "gpu": Preset(size=224, channels=ARTICLE, classes=1000, gain=5 / 6, parity_batch=2),
    }
    learning_rate = 2.0**-8
    momentum = 0.9
    target_accuracy: float | None = None  # random labels: nothing to reach

    def shapes(self, preset: str) -> dict[str, tuple[int, ...]]:
        """Canonical names and shapes: kernels HWIO, the classifier (in, out)."""
        size, channels, classes, *_ = self.presets[preset]
        shapes: dict[str, tuple[int, ...]] = {}
        for stage, (c_in, c_out) in enumerate(zip((3, *channels), channels, strict=False), start=1):
            shapes[f"conv{stage}.kernel"] = (3, 3, c_in, c_out)
            shapes[f"conv{stage}.bias"] = (c_out,)
        features = (size >> len(channels)) ** 2 * channels[-1]
        shapes["classifier.kernel"] = (features, classes)
        shapes["classifier.bias"] = (classes,)
        return shapes

    def weights(self, preset: str, seed: int) -> dict[str, np.ndarray]:
        """Kernels uniform with a = sqrt(3 gain / fan_in), biases with a = 1 / sqrt(fan_in); fp32.

        The variance of a kernel is then gain / fan_in. Gain and learning rate were chosen together: three steps
        move the weights by at least 1 % of their norm, and thousands of steps stay finite.
        """
        shapes, gain = self.shapes(preset), self.presets[preset].gain
        weights = {}
        for name, shape in shapes.items():
            fan_in = math.prod(shapes[name.replace("bias", "kernel")][:-1])
            a = math.sqrt((3.0 * gain if name.endswith("kernel") else 1.0) / fan_in)
            weights[name] = philox.uniform(self.name, name, seed, shape, a)
        return weights

    def batches(self, preset: str, batch: int, seed: int) -> Batches:
        """Images uniform on [-sqrt(3), sqrt(3)) (variance 1), labels uniform. x (4, B, S, S, 3), y (4, B)."""
        size, _, classes, *_ = self.presets[preset]
        return Batches(
            x=philox.uniform(self.name, "images", seed, (BATCHES, batch, size, size, 3), math.sqrt(3.0)),
            y=philox.integers(self.name, "labels", seed, (BATCHES, batch), classes),
        )

    def parity_batch(self, preset: str) -> int:
        """Batch size of the parity preset: small, the model is the same."""
        return self.presets[preset].parity_batch

    def parity_batches(self, preset: str) -> Batches:
        """What the stored reference was computed on: seed 0, the parity batch size."""
        return self.batches(preset, self.parity_batch(preset), seed=0)

    def flops(self, preset: str, batch: int, task: str) -> int:
        """FLOPs of one step, a multiply-add counted as two; biases, pooling and the update are left out.

        Training is the forward pass, the weights' gradients (as much again) and the inputs' gradients (as
        much again, except for the images, which need none).
        """
        size, channels, classes, *_ = self.presets[preset]
        layers = []
        for stage, (c_in, c_out) in enumerate(zip((3, *channels), channels, strict=False)):
            layers.append(2 * batch * (size >> stage) ** 2 * 9 * c_in * c_out)
        layers.append(2 * batch * (size >> len(channels)) ** 2 * channels[-1] * classes)
        forward = sum(layers)
        return forward if task == "infer" else 3 * forward - layers[0]

    def first_loss(self, preset: str, batch: int, seed: int) -> float | None:
        """fp64 loss of the first batch at the initial weights; null where NumPy would take too long."""
        if self.flops(preset, batch, "infer") > 2e11:
            return None
        from harness.workloads.convstack import reference

        batches = self.batches(preset, batch, seed)
        logits = reference.forward(self.weights(preset, seed), batches.x[0]).logits
        return reference.cross_entropy(logits, batches.y[0])

    def config(self, preset: str) -> dict[str, Any]:
        """Everything that defines the work."""
        size, channels, classes, gain, parity_batch = self.presets[preset]
        return {
            "workload": self.name,
            "preset": preset,
            "image": [size, size, 3],
            "channels": list(channels),
            "classes": classes,
            "convolution": {"kernel": 3, "stride": 1, "padding": 1, "bias": True, "activation": None},
            "pooling": {"kind": "max", "size": 2, "stride": 2, "padding": 0},
            "flatten": "NHWC",
            "loss": "mean softmax cross-entropy from logits",
            "optimizer": {
                "kind": "sgd",
                "learning_rate": self.learning_rate,
                "momentum": self.momentum,
                "nesterov": False,
                "dampening": 0.0,
                "weight_decay": 0.0,
            },
            "weights": "philox uniform, kernels sqrt(3 gain/fan_in), biases 1/sqrt(fan_in)",
            "gain": gain,
            "data": {"source": "philox", "batches": BATCHES, "images": "uniform, variance 1"},
            "parity_batch": parity_batch,
        }


SPEC = ConvStack()
