"""Images to detect something in, and where it is: rectangles, discs and triangles of several sizes on noise.

Later ones cover earlier ones. All is drawn from integers, so that no library's rounding matters.
"""

from __future__ import annotations

import numpy as np

from harness.workloads import philox

NAMES = ("rectangle", "disc", "triangle")
SHAPES = len(NAMES)


def order(name: str, seed: int, count: int, length: int) -> np.ndarray:
    """(count, length) int64: a permutation in each row."""
    words = philox.words("fasterrcnn", name, seed, count * length).reshape(count, length)
    return np.argsort(np.argsort(words, axis=1, kind="stable"), axis=1, kind="stable").astype(np.int64)


def draw(
    size: int, objects: int, classes: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (count, S, S, 3) fp32 in [-2, 2), boxes (count, objects, 4) fp32, labels (count, objects) int64.

    An image holds none to ``objects`` of them.
    """
    noise = philox.integers("fasterrcnn", "noise", seed, (count, size, size, 3), 48)
    image = noise + 104  # grey levels
    present = philox.integers("fasterrcnn", "present", seed, (count,), objects + 1)
    drawn = philox.integers("fasterrcnn", "objects", seed, (count, objects, 8), 1 << 30)
    boxes = np.zeros((count, objects, 4), np.int64)
    labels = np.zeros((count, objects), np.int64)
    least, spread = size // 8, size // 2 - size // 8
    for one in range(count):
        for k in range(present[one]):
            w, h, x, y, label, *colour = drawn[one, k]
            w, h = least + w % spread, least + h % spread
            x, y = x % (size - w), y % (size - h)
            labels[one, k] = 1 + label % (classes - 1)
            boxes[one, k] = x, y, x + w, y + h
            inside = silhouette(int((labels[one, k] - 1) % SHAPES), int(w), int(h))
            image[one, y : y + h, x : x + w][inside] = [level % 256 for level in colour]
    return ((image - 128) / 64).astype(np.float32), boxes.astype(np.float32), labels


def silhouette(shape: int, width: int, height: int) -> np.ndarray:
    """(height, width) bool: which pixels of its box a rectangle, a disc or a triangle covers."""
    x, y = np.meshgrid(2 * np.arange(width) + 1 - width, 2 * np.arange(height) + 1)
    if shape == 0:
        return np.ones((height, width), bool)
    if shape == 1:
        return np.asarray((x * height) ** 2 + ((y - height) * width) ** 2 <= (width * height) ** 2)
    return np.asarray(2 * np.abs(x) * height <= width * y)


def near(boxes: np.ndarray, size: int, proposals: int, seed: int) -> np.ndarray:
    """(count, proposals, 4): boxes around the objects and anywhere, on quarters of a pixel, inside the image."""
    count, objects = boxes.shape[:2]
    steps = philox.integers("fasterrcnn", "given", seed, (count, proposals, 4), 1 << 30)
    around = np.take(boxes, np.arange(proposals) % objects, axis=1)  # (count, proposals, 4)
    reach = size // 4
    jitter = steps % (2 * reach) - reach  # quarters of a pixel
    corner, edge = steps[..., :2] % (4 * (size - 8)), 16 + steps[..., 2:] % (2 * size)
    anywhere = np.concatenate([corner, corner + edge], -1) / 4
    alone = (around.max(-1, keepdims=True) == 0) | (np.arange(proposals)[:, None] % 3 == 2)
    made = np.where(alone, anywhere, around + jitter / 4)
    low, high = np.minimum(made[..., :2], made[..., 2:] - 1), made[..., 2:]
    inside = np.clip(np.concatenate([low, high], -1), 0, size)
    return np.asarray(inside, np.float32)
