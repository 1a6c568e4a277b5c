"""fasterrcnn: a two-stage detector (Ren et al., 2015) on a feature pyramid (Lin et al., 2017), trained end to end.

The semantics are torchvision's ``fasterrcnn_resnet50_fpn`` (0.28), with a trained BatchNorm instead of a frozen one.
What torchvision draws at random is an input here (``anchor_order``, ``proposal_order``), ties are broken by the lower
index, and every number of boxes is fixed: where too few survive, the best of the others fill up. So all frameworks do
the same work, in shapes that do not depend on what the network says.

The images are drawn, with their boxes: see ``pictures.py``.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from harness.record import Task
from harness.workloads.fasterrcnn import evaluation, pictures
from harness.workloads.fasterrcnn.preset import LEVELS, POOLED, RATIOS, Preset, edges
from harness.workloads.resnet50 import spec as resnet50
from harness.workloads.specification import (
    SGD,
    Example,
    Gate,
    GateSize,
    Given,
    Input,
    Learning,
    Tensor,
    Uniform,
    Work,
    Workload,
)

DRAWN = 4  # batches of levels, for the phases by themselves
DRAWS = 4  # of batches to learn from: with 256 images it finds 0.85 of those and 0.37 of others

# --- data ----------------------------------------------------------------------------------------


def data(preset: Preset, batch: int, seed: int) -> dict[str, np.ndarray]:
    """image (N, B, S, S, 3), boxes (N, B, objects, 4), labels (N, B, objects), orders and given boxes; of what the
    second stage by itself is handed, as many as are drawn of levels."""
    count = preset.batches * batch
    image, boxes, labels = pictures.draw(preset.size, preset.objects, preset.classes, count, seed)
    made = {
        "image": image,
        "boxes": boxes,
        "labels": labels,
        "anchor_order": pictures.order("anchor_order", seed, count, preset.places),
        "proposal_order": pictures.order("proposal_order", seed, count, preset.candidates),
        "given": pictures.near(boxes, preset.size, preset.proposals, seed),
    }
    made = {name: array.reshape(preset.batches, batch, *array.shape[1:]) for name, array in made.items()}
    return made | {"found": made["given"][:DRAWN]}


# --- model ---------------------------------------------------------------------------------------


def tensors(preset: Preset) -> dict[str, Tensor]:
    """The backbone's as in resnet50; pyramid He-uniform with a = sqrt(3 / fan_in); the heads' last layers narrow."""
    made = {
        name: one
        for name, one in resnet50.tensors(preset.backbone).items()
        if not name.startswith("classifier")
    }

    def layer(name: str, shape: tuple[int, ...], a: float) -> dict[str, Tensor]:
        kernel, bias = Tensor(shape=shape, a=a, decayed=True), Tensor(shape=shape[-1:])
        return {f"{name}.kernel": kernel, f"{name}.bias": bias}

    width, hidden, ratios = preset.channels, preset.hidden, len(RATIOS)
    narrow = 0.01 * math.sqrt(3.0)  # a standard deviation of 0.01
    for level, stage in enumerate(preset.widths):
        c_in = preset.expansion * stage
        made |= layer(f"lateral.{level}", (1, 1, c_in, width), math.sqrt(3.0 / c_in))
        made |= layer(f"merged.{level}", (3, 3, width, width), math.sqrt(3.0 / (9 * width)))
    made |= layer("rpn_conv", (3, 3, width, width), narrow)
    made |= layer("rpn_score", (1, 1, width, ratios), narrow)
    made |= layer("rpn_box", (1, 1, width, 4 * ratios), narrow)
    pooled = POOLED * POOLED * width
    made |= layer("fc1", (pooled, hidden), math.sqrt(6.0 / pooled))
    made |= layer("fc2", (hidden, hidden), math.sqrt(6.0 / hidden))
    made |= layer("class_score", (hidden, preset.classes), 1.0 / math.sqrt(hidden))
    made |= layer("class_box", (hidden, 4 * preset.classes), 0.1 / math.sqrt(hidden))
    return made


def stored(preset: Preset) -> dict[str, np.ndarray] | None:
    """What came of 8 epochs at the ``cpu`` size, batch 4, rounded to float16: ``harness.trials.checkpoint`` made it."""
    if not preset.trained:
        return None
    with np.load(Path(__file__).with_name("trained.npz")) as kept:
        return {name: kept[name].astype(np.float32) for name in kept.files}


def examples() -> list[Example]:
    """What the stored weights find."""
    trained = CPU._replace(trained=True)
    weights = stored(trained)
    assert weights is not None
    return evaluation.examples(trained, weights, 6)


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two: convolutions and dense layers, nothing else. RoIAlign needs
    four values for a point; that it is written as products with many zeros is a form, and no work.

    Training is three times the forward pass, but for the gradient of the image and of the proposals. The phases add up
    to inference.
    """
    width, hidden, ratios = preset.channels, preset.hidden, len(RATIOS)
    backbone = [
        2 * one.size**2 * one.kernel**2 * one.c_in * one.c_out
        for one in resnet50.convolutions(preset.backbone)
    ]
    pyramid, rpn = 0, 0
    for edge, stage in zip(edges(preset), preset.widths, strict=False):
        pyramid += 2 * edge**2 * width * (preset.expansion * stage + 9 * width)
    for edge in edges(preset):
        rpn += 2 * edge**2 * width * (9 * width + 5 * ratios)
    each = 2 * (POOLED * POOLED * width * hidden + hidden * hidden + 5 * preset.classes * hidden)
    if task == "train":
        forward = sum(backbone) + pyramid + rpn + preset.sampled_proposals * each
        return batch * (3 * forward - backbone[0])
    phases = {"backbone": sum(backbone) + pyramid, "rpn": rpn, "roi": preset.proposals * each}
    return batch * (phases[task] if task in phases else sum(phases.values()))


CPU = Preset(
    size=128,
    depths=(1, 1, 1, 1),
    widths=(16, 32, 64, 64),
    channels=64,
    hidden=256,
    classes=4,
    anchors=(8, 16, 32, 64, 128),
    objects=6,
    before=128,
    proposals=128,
    sampled_anchors=128,
    sampled_proposals=64,
    detections=20,
    batches=64,
    canonical=48,
)
DETECTIONS = ("boxes", "scores", "labels")

SPEC = Workload(
    name="fasterrcnn",
    presets={
        "smoke": Preset(
            size=64,
            depths=(1, 1, 1, 1),
            widths=(8, 8, 16, 16),
            channels=16,
            hidden=32,
            classes=4,
            anchors=(8, 16, 32, 64, 128),
            objects=4,
            before=16,  # fewer than proposals, so that levels show in which they are chosen
            proposals=32,
            sampled_anchors=256,
            sampled_proposals=16,
            detections=8,
            batches=32,
            canonical=24,
        ),
        "cpu": CPU,
        "cpu-trained": CPU._replace(trained=True),
        "gpu": Preset(
            size=512,
            depths=(3, 4, 6, 3),
            widths=(64, 128, 256, 512),
            channels=256,
            hidden=1024,
            classes=91,
            anchors=(32, 64, 128, 256, 512),
            objects=16,
            before=1000,
            proposals=1000,
            sampled_anchors=256,
            sampled_proposals=512,
            detections=100,
            batches=4,
            canonical=224,
        ),
    },
    inputs={
        "image": Input(("B", "size", "size", 3), Given("drawn shapes"), axes="NHWC"),
        "boxes": Input(("B", "objects", 4), Given("around the shapes: x1, y1, x2, y2 in pixels")),
        "labels": Input(("B", "objects"), Given("1, 2, ...; 0 where there is no object"), dtype="int64"),
        "anchor_order": Input(("B", "places"), Given("a permutation in each row"), dtype="int64"),
        "proposal_order": Input(("B", "candidates"), Given("a permutation in each row"), dtype="int64"),
        "given": Input(("B", "proposals", 4), Given("boxes around the objects and anywhere")),
        "found": Input(("B", "proposals", 4), Given("the first of `given`")),
        **{
            level: Input(("B", f"edge{level[1]}", f"edge{level[1]}", "channels"), Uniform(1.0), axes="NHWC")
            for level in LEVELS
        },
    },
    tensors=tensors,
    tasks={
        "train": Work(
            inputs=("image", "boxes", "labels", "anchor_order", "proposal_order", "given"),
            outputs=("loss",),
            unit="images",
        ),
        "infer": Work(inputs=("image",), outputs=DETECTIONS, unit="images"),
        "backbone": Work(inputs=("image",), outputs=LEVELS, unit="images"),
        "rpn": Work(inputs=LEVELS, outputs=("found",), unit="images"),
        "roi": Work(inputs=(*LEVELS[:4], "found"), outputs=DETECTIONS, unit="images"),
    },
    flops=flops,
    optimizer=SGD(lr=2.0**-7, momentum=0.9, weight_decay=1e-4),
    precisions=("fp32", "tf32"),
    gate=Gate(
        sizes={
            "smoke": GateSize(batch=2),
            "cpu": GateSize(batch=2, preset="smoke"),
            "cpu-trained": GateSize(batch=2, preset="smoke"),
            "gpu": GateSize(batch=2, preset="smoke"),
        },
        smooth=True,
    ),
    batches_drawn=DRAWN,
    data=data,
    learning=Learning(
        measure="mAP at IoU 0.5",
        target=0.5,
        steps=lambda preset, batch: DRAWS * preset.batches,
        score=evaluation.precision_on_test_images,
        draws=DRAWS,
    ),
    stored=stored,
    examples=examples,
    data_facts={"shapes": "rectangle, disc, triangle; integer corners"},
    decisions={
        "backbone": "resnet50 without its classifier, BatchNorm trained; its four stages feed the pyramid",
        "pyramid": "1 x 1 convolution of each stage plus the level above, each value repeated 2 x 2; then 3 x 3; "
        "the fifth level is every second place of the fourth",
        "anchors": "corners round(+-edge / 2), width edge / sqrt(ratio), height edge sqrt(ratio), at multiples of the "
        "stride from 0; ratio 1/2, 1, 2 at each place",
        "box coder": "dx, dy = centres' distance over the anchor's edge, dw, dh = log of the edges' ratio; times "
        "10, 10, 5, 5 in the head; dw, dh at most log(1000 / 16) when decoded",
        "matching": "an object is a label above 0 on a box with an area; an anchor is on an object from IoU 0.7, or if "
        "no anchor has more with that object (all that tie); off below 0.3; a proposal is on an object from IoU 0.5",
        "sampling": "the first ones in the drawn order: of anchors at most half on an object, of proposals at most a "
        "quarter; the objects' own boxes are candidates; a place that cannot be filled has no weight",
        "losses": "cross entropy of object or not, mean over the sampled; smooth L1 with beta 1/9 of those on an "
        "object, their sum over the number of all sampled; the same for the head, with the classes; the four are added",
        "proposals": "the best of each level, clipped to the image, at least 1e-3 wide and high; of two with an IoU "
        "above 0.7 on one level the worse is suppressed; of all levels the best that were kept, then the best "
        "others; no gradient through them",
        "pooling": "RoIAlign, not aligned to half a pixel, 7 x 7 cells of 2 x 2 points, edges of at least 1; the level "
        "is floor(2 + log2(sqrt(area) / canonical) + 1e-6), 0 to 3; flattened as (height, width, channel)",
        "detections": "softmax, scores above 0.05, edges of at least 1e-2, of two of one class with an IoU above 0.5 "
        "the worse suppressed, the best of all; box, score and label 0 where too few are left",
        "ties": "the lower index first; a score that is not a number comes last",
        "phases": "inference in three parts, each by itself: backbone with pyramid, proposals, and what is made of "
        "them; their levels are drawn, and about as large as a pyramid's",
        "smooth": "SiLU, average pooling; the head is trained on `given` boxes in place of the proposals",
    },
)
