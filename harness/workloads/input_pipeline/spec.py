"""input_pipeline: images from files to a batch, by each framework's own loader; alone, and feeding a ResNet.

``load`` is the loader by itself: it reads images, cuts a place out of each, mirrors some, and gives a batch of
floating-point numbers on the host. ``train`` is the training of ``resnet50`` on these batches as they come; what
``resnet50`` itself takes for a step, with batches that lie ready, stands beside it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.record import Task
from harness.workloads import philox
from harness.workloads.resnet50 import spec as resnet50
from harness.workloads.specification import (
    Arrays,
    Files,
    Gate,
    GateSize,
    Input,
    Integers,
    Tensor,
    Work,
    Workload,
)

HEADER = 54  # bytes of a BMP before its pixels


class Preset(NamedTuple):
    """``resnet50``'s of the same name, and the files."""

    size: int  # of what is cut out: (size, size, 3)
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    classes: int
    stored: int  # edge of the images in the files
    files: int
    expansion: int = 4
    epsilon: float = 1e-5
    momentum: float = 0.9
    smooth: bool = False

    @property
    def places(self) -> int:
        """Rows, or columns, at which what is cut out may begin."""
        return self.stored - self.size + 1


class Epoch(NamedTuple):
    """The examples of an epoch in the order in which they are taken, one after the other: (N B,) each."""

    paths: list[str]
    labels: np.ndarray  # int64
    rows: np.ndarray  # of the upper edge of what is cut out; int64
    columns: np.ndarray  # of its left edge
    mirrored: np.ndarray  # left to right, after cutting; bool


def preset(name: str, stored: int, files: int) -> Preset:
    return Preset(**resnet50.SPEC.presets[name]._asdict(), stored=stored, files=files)


def images(preset: Preset) -> np.ndarray:
    """What the files hold: (files, stored, stored, 3), uint8, red first."""
    shape = (preset.files, preset.stored, preset.stored, 3)
    words = philox.words("input_pipeline", "images", 0, -(-int(np.prod(shape)) // 8))
    return words.astype("<u8").view(np.uint8)[: np.prod(shape)].reshape(shape)


def label(preset: Preset, file: np.ndarray) -> np.ndarray:
    """The class of a file's image."""
    return file % preset.classes


def path(folder: Path, preset: Preset, file: int) -> Path:
    """A folder for each class, as data sets of images come."""
    return folder / f"{file % preset.classes:04d}" / f"{file:06d}.bmp"


def write(folder: Path, preset: Preset, pixels: np.ndarray | None = None) -> None:
    """``images``, or other ``pixels``, as uncompressed BMP: rows from below, blue first, each filled up to a multiple
    of four bytes."""
    edge, row = preset.stored, -(-3 * preset.stored // 4) * 4
    header = struct.pack("<2sIHHI", b"BM", HEADER + edge * row, 0, 0, HEADER)
    header += struct.pack("<IiiHHIIiiII", 40, edge, edge, 1, 24, 0, edge * row, 2835, 2835, 0, 0)
    for file, image in enumerate(images(preset) if pixels is None else pixels):
        rows = np.zeros((edge, row), np.uint8)
        rows[:, : 3 * edge] = image[::-1, :, ::-1].reshape(edge, 3 * edge)
        own = path(folder, preset, file)
        own.parent.mkdir(exist_ok=True)
        own.write_bytes(header + rows.tobytes())


def read(path: str, stored: int) -> np.ndarray:
    """What ``write`` wrote, without a library: (stored, stored, 3), uint8, red first."""
    pixels = np.fromfile(path, np.uint8, offset=HEADER)
    return pixels.reshape(stored, -1)[:, : 3 * stored].reshape(stored, stored, 3)[::-1, :, ::-1]


def epoch(folder: Path, preset: Preset, batches: Arrays) -> Epoch:
    file = batches["file"].reshape(-1)
    return Epoch(
        paths=[str(path(folder, preset, one)) for one in file.tolist()],
        labels=label(preset, file),
        rows=batches["row"].reshape(-1),
        columns=batches["column"].reshape(-1),
        mirrored=batches["mirrored"].reshape(-1) == 1,
    )


def loaded(preset: Preset, batches: Arrays) -> dict[str, np.ndarray]:
    """image (N, B, S, S, 3), float32, and label (N, B), int64."""
    stored = images(preset)
    taken = epoch(Path(), preset, batches)
    cut = np.empty((len(taken.paths), preset.size, preset.size, 3), np.uint8)
    for n, file in enumerate(batches["file"].reshape(-1).tolist()):
        row, column = taken.rows[n], taken.columns[n]
        image = stored[file, row : row + preset.size, column : column + preset.size]
        cut[n] = image[:, ::-1] if taken.mirrored[n] else image
    shape = batches["file"].shape
    image = cut.astype(np.float32) / 128 - 1
    return {"image": image.reshape(*shape, *image.shape[1:]), "label": taken.labels.reshape(shape)}


def tensors(preset: Preset) -> dict[str, Tensor]:
    return resnet50.tensors(_network(preset))


def flops(preset: Preset, batch: int, task: Task) -> int:
    """``resnet50``'s; loading computes nothing worth counting, and is bound by ``traffic``."""
    return 0 if task == "load" else resnet50.flops(_network(preset), batch, task)


def traffic(preset: Preset, batch: int, task: Task) -> int:
    """Bytes read from the files and written into the batch, each once; training is bound by its FLOPs."""
    if task != "load":
        return 0
    return batch * (HEADER + 3 * preset.stored**2 + 4 * 3 * preset.size**2 + 8)


def _network(preset: Preset) -> resnet50.Preset:
    return resnet50.Preset(**{name: getattr(preset, name) for name in resnet50.Preset._fields})


TAKES = ("file", "row", "column", "mirrored")
SPEC = Workload(
    name="input_pipeline",
    presets={
        "smoke": preset("smoke", stored=72, files=64),
        "cpu": preset("cpu", stored=72, files=256),
        "gpu": preset("gpu", stored=256, files=256),
    },
    inputs={
        "file": Input(("B",), Integers("files"), dtype="int64"),
        "row": Input(("B",), Integers("places"), dtype="int64"),
        "column": Input(("B",), Integers("places"), dtype="int64"),
        "mirrored": Input(("B",), Integers(2), dtype="int64"),
    },
    tensors=tensors,
    tasks={
        "load": Work(inputs=TAKES, outputs=("image", "label"), unit="images"),
        "train": Work(inputs=TAKES, outputs=("loss",), unit="images"),
    },
    flops=flops,
    traffic=traffic,
    optimizer=resnet50.SPEC.optimizer,
    batches_drawn=8,
    gate=Gate(
        sizes={
            "smoke": GateSize(batch=8),
            "cpu": GateSize(batch=8, preset="smoke"),
            "gpu": GateSize(batch=8, preset="smoke"),
        },
        smooth=True,
    ),
    files=Files(write=write, epoch=epoch, loaded=loaded),
    ready="resnet50",
    decisions={
        "files": "24-bit BMP, uncompressed, one an image, in a folder for each class; they lie in the temporary "
        "folder and are read over and over, so that the kernel's page cache holds them: what is measured is a "
        "loader, not a disk. No compressed format: of the six stacks' images TensorFlow's alone holds a decoder",
        "example": "a square cut out at a drawn row and column, mirrored left to right if drawn so, x / 128 - 1 "
        "in fp32, which is exact: every stack gives the very same bytes",
        "order": "the epoch's order, places and mirrorings are drawn by the specification and handed to the "
        "loader; each epoch is the same",
        "workers": "as many processes or threads as the case has cores",
        "end": "a batch ready on the host; in training the model's step begins there",
        "training": "the network, loss, optimizer and preset of resnet50",
    },
)
