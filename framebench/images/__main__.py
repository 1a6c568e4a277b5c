"""Maintainers' commands: remake the locks of wheels and of Debian packages.

``python -m framebench.images lock [IMAGE...]`` resolves ``images.toml`` again (needs uv);
``python -m framebench.images base-lock`` resolves the bases again (on Debian 12, after apt-get update).
"""

import sys
from pathlib import Path

from framebench.errors import UserError
from framebench.images.debs import remake_base_lock
from framebench.images.lock import compile_lock, lock_path
from framebench.images.matrix import load_matrix


def main(arguments: list[str]) -> None:
    root = Path(__file__).parents[2]
    match arguments:
        case ["lock", *names]:
            matrix = load_matrix(root)
            for row in [matrix.find(name) for name in names] or matrix.rows:
                compile_lock(root, row)
                print(lock_path(root, row))
        case ["base-lock"]:
            for name in ("cpu", "cpu-cxx"):
                print(remake_base_lock(root, name))
        case _:
            raise UserError("Usage: python -m framebench.images lock [IMAGE...] | base-lock")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
