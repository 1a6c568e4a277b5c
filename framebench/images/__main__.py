"""Maintainers' command: ``python -m framebench.images lock [IMAGE...]`` remakes locks from the matrix."""

import sys
from pathlib import Path

from framebench.errors import UserError
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
        case _:
            raise UserError("Usage: python -m framebench.images lock [IMAGE...]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
