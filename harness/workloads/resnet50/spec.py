"""resnet50: the residual network of 50 layers (He et al., 2016) in the form that is trained today, v1.5.

v1.5 halves the image in the 3 x 3 convolution of a bottleneck, not in the 1 x 1 before it. A stem (7 x 7
convolution, pooling) is followed by four stages of bottlenecks, global average pooling and a dense classifier.
BatchNorm follows every convolution and is trained; kernels are decayed. ``gpu`` is the network itself, the other
presets are smaller ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
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


class Preset(NamedTuple):
    size: int  # the image is (size, size, 3)
    depths: tuple[int, ...]  # blocks of each stage
    widths: tuple[int, ...]  # channels inside the blocks of each stage; the stem has as many as the first
    classes: int
    expansion: int = 4  # a block gives back this many times its width
    epsilon: float = 1e-5  # of BatchNorm
    momentum: float = 0.9  # of BatchNorm's moving statistics: what is kept of them at each step
    smooth: bool = False  # SiLU instead of ReLU, average instead of maximum pooling (gate only)


class Block(NamedTuple):
    """One bottleneck; sizes are the edges of its input and output."""

    path: str
    c_in: int
    width: int
    c_out: int
    stride: int
    size_in: int
    size_out: int


class Convolution(NamedTuple):
    """One convolution and the BatchNorm after it (``conv1``, ``bn1``); ``size`` is the edge of their output."""

    path: str
    kernel: int
    c_in: int
    c_out: int
    size: int


def size_after(size: int, stride: int) -> int:
    """Edge after a convolution or pooling: kernels are odd, with kernel // 2 pixels of padding on each side."""
    return -(-size // stride)


def blocks(preset: Preset) -> Iterator[Block]:
    """All bottlenecks in order; a stage's first changes the channels and, but in the first stage, halves the image."""
    size = size_after(size_after(preset.size, 2), 2)  # the stem's convolution and pooling
    c_in = preset.widths[0]
    for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            c_out, size_out = preset.expansion * width, size_after(size, stride)
            yield Block(f"stages.{stage}.{block}", c_in, width, c_out, stride, size, size_out)
            c_in, size = c_out, size_out


def convolutions(preset: Preset) -> Iterator[Convolution]:
    """All convolutions, in the order of the forward pass."""
    yield Convolution("stem_conv", 7, 3, preset.widths[0], size_after(preset.size, 2))
    for path, c_in, width, c_out, stride, size_in, size_out in blocks(preset):
        yield Convolution(f"{path}.conv1", 1, c_in, width, size_in)
        yield Convolution(f"{path}.conv2", 3, width, width, size_out)
        yield Convolution(f"{path}.conv3", 1, width, c_out, size_out)
        if stride > 1 or c_in != c_out:
            yield Convolution(f"{path}.shortcut_conv", 1, c_in, c_out, size_out)


def features(preset: Preset) -> int:
    """Channels that the classifier sees."""
    return preset.expansion * preset.widths[-1]


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Kernels He-uniform, a = sqrt(6 / fan_in); the classifier's bias with a = 1 / sqrt(fan_in).

    gamma is 1, but 1/4 in the last BatchNorm of a block: fp32 then moves the gradients of ``gpu`` by 7e-6 instead
    of 3e-5, after three steps by 6e-6 instead of 1e-3 (smooth form, batch 2). The moving variance starts at 1.5,
    moving mean and beta are drawn: inference from the start tells all of them apart.
    """
    made: dict[str, Tensor] = {}
    for path, kernel, c_in, c_out, size in convolutions(preset):
        a = math.sqrt(6.0 / (kernel**2 * c_in))
        made[f"{path}.kernel"] = Tensor(shape=(kernel, kernel, c_in, c_out), a=a, decayed=True)
        norm, channels, gamma = path.replace("conv", "bn"), (c_out,), 0.25 if path.endswith("conv3") else 1.0
        made[f"{norm}.gamma"] = Tensor(shape=channels, constant=gamma)
        made[f"{norm}.beta"] = Tensor(shape=channels, a=0.25)
        made[f"{norm}.moving_mean"] = Tensor(shape=channels, a=0.25, role="buffer")
        variance = Tensor(shape=channels, constant=1.5, role="buffer", averages=size**2)
        made[f"{norm}.moving_variance"] = variance
    width = features(preset)
    made["classifier.kernel"] = Tensor(shape=(width, preset.classes), a=math.sqrt(6.0 / width), decayed=True)
    made["classifier.bias"] = Tensor(shape=(preset.classes,), a=1.0 / math.sqrt(width))
    return made


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two: convolutions and classifier, nothing else.

    Training is the forward pass, the weights' gradients (as much again) and the inputs' gradients (as
    much again, except for the images, which need none).
    """
    layers = [2 * batch * one.size**2 * one.kernel**2 * one.c_in * one.c_out for one in convolutions(preset)]
    layers.append(2 * batch * features(preset) * preset.classes)
    return sum(layers) if task == "infer" else 3 * sum(layers) - layers[0]


SPEC = Workload(
    name="resnet50",
    presets={
        "smoke": Preset(size=64, depths=(2, 1, 1, 1), widths=(8, 16, 32, 64), classes=10),
        "cpu": Preset(size=64, depths=(2, 2, 2, 2), widths=(48, 96, 192, 384), classes=100),
        "gpu": Preset(size=224, depths=(3, 4, 6, 3), widths=(64, 128, 256, 512), classes=1000),
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
    optimizer=SGD(lr=2.0**-5, momentum=0.9, weight_decay=1e-4),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(  # the small presets end at 2 x 2: BatchNorm averages over 32 values there
        sizes={
            "smoke": GateSize(batch=8),
            "cpu": GateSize(batch=8, preset="smoke"),
            "gpu": GateSize(batch=8, preset="smoke"),
        },
        smooth=True,
    ),
    decisions={
        "form": "v1.5: stride 2 in the 3 x 3 convolution of a stage's first block, and in its shortcut",
        "convolution": "kernel // 2 pixels of zeros on each side at every stride, without bias; not flipped",
        "batch norm": "training: mean and biased variance over batch, height and width; the moving variance is of the "
        "biased one, moving = momentum x moving + (1 - momentum) x batch; inference: the moving statistics",
        "activation": "ReLU after each BatchNorm, but the block's last and the shortcut's: after their sum; "
        "its gradient at exactly 0 is 0",
        "pooling": "maximum of 3 x 3, stride 2, one pixel of padding that never is the maximum (zeros, after ReLU)",
        "smooth": "SiLU; average of 3 x 3 whose padding counts as zeros, so always a ninth of the sum",
        "loss": "mean over the batch of -log softmax(logits)[label]",
        "weight decay": "L2 on kernels of convolutions and classifier; not on gamma, beta, bias",
    },
)
