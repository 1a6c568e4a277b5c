"""The images that numbers are measured in: the matrix, the locks, the wheels, the builds."""

from framebench.images.fetch import fetch_wheels, missing_wheels
from framebench.images.lock import lock_path, lock_sha256
from framebench.images.matrix import ImageRow, Matrix, load_matrix

__all__ = [
    "ImageRow",
    "Matrix",
    "fetch_wheels",
    "load_matrix",
    "lock_path",
    "lock_sha256",
    "missing_wheels",
]
