"""convstack: the network that the founding article prints, as far as it can exist.

``Conv2d(a, b, 3, padding=1)`` and ``MaxPool2d(2, 2)`` in turn, channels 64, 64, 128, 128, 256, 256, 512,
512, 1024 ... Every pooling halves the image, so a 224 x 224 image is 1 x 1 after seven stages and nothing is
left for an eighth. There is no activation between the stages, as printed; the maximum over a window is the only
non-linearity. A linear classifier, the mean softmax cross-entropy from its logits, and SGD with momentum make it
trainable.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.record import Task
from harness.workloads.specification import (
    SGD,
    Gate,
    GateSize,
    Input,
    Integers,
    Tensor,
    Uniform,
    Work,
    Workload,
)

ARTICLE = (64, 64, 128, 128, 256, 256, 512)  # channels after each stage


class Preset(NamedTuple):
    size: int  # the image is (size, size, 3)
    channels: tuple[int, ...]  # one stage each
    classes: int
    gain: float  # fan_in times the variance of a kernel; sets the size of the logits
    smooth: bool = False  # average pooling instead of the maximum (gate only)


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Kernels uniform with a = sqrt(3 gain / fan_in), so of variance gain / fan_in; biases with a = 1 / sqrt(fan_in).

    Gain and learning rate were chosen together: three steps move the weights by at least 1 % of their norm, and
    thousands of steps stay finite.
    """
    kernels = {
        f"convs.{stage}": (3, 3, c_in, c_out)
        for stage, (c_in, c_out) in enumerate(zip((3, *preset.channels), preset.channels, strict=False))
    }
    features = (preset.size >> len(preset.channels)) ** 2 * preset.channels[-1]
    made: dict[str, Tensor] = {}
    for layer, shape in (kernels | {"classifier": (features, preset.classes)}).items():
        fan_in = math.prod(shape[:-1])
        made[f"{layer}.kernel"] = Tensor(shape=shape, a=math.sqrt(3.0 * preset.gain / fan_in))
        made[f"{layer}.bias"] = Tensor(shape=shape[-1:], a=1.0 / math.sqrt(fan_in))
    return made


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two; biases, pooling and the update are left out.

    Training is the forward pass, the weights' gradients (as much again) and the inputs' gradients (as
    much again, except for the images, which need none).
    """
    layers = [
        2 * batch * (preset.size >> stage) ** 2 * 9 * c_in * c_out
        for stage, (c_in, c_out) in enumerate(zip((3, *preset.channels), preset.channels, strict=False))
    ]
    layers.append(
        2 * batch * (preset.size >> len(preset.channels)) ** 2 * preset.channels[-1] * preset.classes
    )
    return sum(layers) if task == "infer" else 3 * sum(layers) - layers[0]


SPEC = Workload(
    name="convstack",
    presets={
        "smoke": Preset(size=64, channels=(8, 8, 16, 16, 32, 32), classes=10, gain=1.0),
        "cpu": Preset(size=64, channels=ARTICLE[:6], classes=10, gain=1.0),
        "gpu": Preset(size=224, channels=ARTICLE, classes=1000, gain=5 / 6),
    },
    inputs={
        "image": Input(("B", "size", "size", 3), Uniform(math.sqrt(3.0)), axes="NHWC"),  # variance 1
        "label": Input(("B",), Integers("classes"), dtype="int64"),
    },
    tensors=tensors,
    tasks={
        "train": Work(inputs=("image", "label"), targets=("label",), outputs=("loss",), unit="images"),
        "infer": Work(inputs=("image",), outputs=("logits",), unit="images"),
    },
    flops=flops,
    optimizer=SGD(lr=2.0**-8, momentum=0.9),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(
        sizes={"smoke": GateSize(batch=2), "cpu": GateSize(batch=2), "gpu": GateSize(batch=2, preset="cpu")},
        smooth=True,
    ),
    decisions={
        "convolution": "3 x 3, stride 1, one pixel of zeros on each side, with bias; cross-correlation (not flipped)",
        "pooling": "maximum of 2 x 2, stride 2, no padding; the gradient goes to the first of equal maxima, row by row",
        "flatten": "height, width, channel, whatever the layout in memory",
        "loss": "mean over the batch of -log softmax(logits)[label]",
    },
)
