"""The images that numbers are measured in: the matrix, the locks, the wheels, the builds.

``fetch`` gets what they are made of, ``make`` puts it together, ``ship`` passes them on, ``audit`` looks inside;
the matrix, the locks and the published addresses are what all four read. ``build`` and ``load_matrix`` are a frozen
interface: later versions of framebench make a commit's images by calling them in that commit's tree.
"""

from framebench.images.audit.two_builds import check, known_digests
from framebench.images.fetch.debs import BaseUnavailable
from framebench.images.fetch.own_wheels import OwnWheel, plain_name, read_wheels, refuse_unfit, with_own
from framebench.images.fetch.wheels import fetch_wheels, missing_wheels
from framebench.images.locks import base_sha256, is_locked, lock_path, lock_sha256
from framebench.images.make.assembly import SPEC_VERSION_LABEL
from framebench.images.make.harness_layer import harness_tree_sha256
from framebench.images.make.into_engine import Rebuilt, build, rebuild_at
from framebench.images.make.leftovers import prune
from framebench.images.make.local import Here, LocalImage, find_by_digest, identity, local_image, local_images
from framebench.images.matrix import Device, ImageRow, Matrix, load_matrix, own_builds
from framebench.images.published import repo_digest
from framebench.images.ship.by_digest import Unavailable, pull, pull_published
from framebench.images.ship.image_file import commands, export
from framebench.images.ship.registry import push

__all__ = [
    "SPEC_VERSION_LABEL",
    "BaseUnavailable",
    "Device",
    "Here",
    "ImageRow",
    "LocalImage",
    "Matrix",
    "OwnWheel",
    "Rebuilt",
    "Unavailable",
    "base_sha256",
    "build",
    "check",
    "commands",
    "export",
    "fetch_wheels",
    "find_by_digest",
    "harness_tree_sha256",
    "identity",
    "is_locked",
    "known_digests",
    "load_matrix",
    "local_image",
    "local_images",
    "lock_path",
    "lock_sha256",
    "missing_wheels",
    "own_builds",
    "plain_name",
    "prune",
    "pull",
    "pull_published",
    "push",
    "read_wheels",
    "rebuild_at",
    "refuse_unfit",
    "repo_digest",
    "with_own",
]
