"""The images that numbers are measured in: the matrix, the locks, the wheels, the builds."""

from framebench.images.assemble import SPEC_VERSION_LABEL
from framebench.images.build import Rebuilt, build, rebuild_at
from framebench.images.check import check
from framebench.images.debs import BaseUnavailable
from framebench.images.export import commands, export
from framebench.images.fetch import fetch_wheels, missing_wheels
from framebench.images.harness_layer import harness_tree_sha256
from framebench.images.local import LocalImage, find_by_digest, identity, local_image
from framebench.images.lock import is_locked, lock_path, lock_sha256
from framebench.images.matrix import ImageRow, Matrix, load_matrix
from framebench.images.prune import prune
from framebench.images.published import repo_digest
from framebench.images.pull import Unavailable, pull, pull_published
from framebench.images.registry import push

__all__ = [
    "SPEC_VERSION_LABEL",
    "BaseUnavailable",
    "ImageRow",
    "LocalImage",
    "Matrix",
    "Rebuilt",
    "Unavailable",
    "build",
    "check",
    "commands",
    "export",
    "fetch_wheels",
    "find_by_digest",
    "harness_tree_sha256",
    "identity",
    "is_locked",
    "load_matrix",
    "local_image",
    "lock_path",
    "lock_sha256",
    "missing_wheels",
    "prune",
    "pull",
    "pull_published",
    "push",
    "rebuild_at",
    "repo_digest",
]
