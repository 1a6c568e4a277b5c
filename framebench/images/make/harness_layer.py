"""The harness as a layer: the same bytes from every checkout, whatever its folder, times or umask."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

from framebench.errors import UserError
from framebench.images.make.canonical import Entry
from framebench.records import git_refusals

PLACE = "opt/framebench"  # where harness/ lies in an image; PYTHONPATH points at it


def harness_files(root: Path) -> dict[str, bytes]:
    """``{"harness/…": content}``: what ``files_below`` finds there."""
    return files_below(root, "harness")


def files_below(root: Path, folder: str) -> dict[str, bytes]:
    """``{"folder/…": content}`` of every file git knows or would know (ignored ones are left out), sorted.

    In a folder that is not a checkout (an unpacked archive of a commit) every file counts but bytecode.
    """
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder]
        if why := git_refusals.refusal(root):
            raise UserError(f"{why}.")
        done = subprocess.run(command, cwd=root, capture_output=True)
        if done.returncode:
            raise UserError(f"git cannot list {root}/{folder}: {done.stderr.decode().strip()}")
        names = [name for name in done.stdout.decode().split("\0") if name]
    else:
        files = (path for path in (root / folder).rglob("*") if path.is_file())
        names = [path.relative_to(root).as_posix() for path in files if "__pycache__" not in path.parts]
    contents = {name: (root / name).read_bytes() for name in sorted(set(names)) if (root / name).is_file()}
    if not contents:
        raise UserError(f"{root}/{folder} holds no files; run framebench inside a clone of the repository.")
    return contents


def harness_tree_sha256(root: Path) -> str:
    """SHA-256 over names and contents of the files that are in the harness layer."""
    return tree_sha256(harness_files(root))


def tree_sha256(files: dict[str, bytes]) -> str:
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def harness_layer(files: dict[str, bytes]) -> list[Entry]:
    """``harness/`` below ``/opt/framebench``, modes 0644 and 0755 whatever the checkout's are."""
    folders = {f"{PLACE}/{parent}" for name in files for parent in Path(name).parents if parent != Path()}
    entries = [Entry(name, 0o755) for name in sorted(folders | {"opt", PLACE})]
    return entries + [Entry(f"{PLACE}/{name}", 0o644, data) for name, data in files.items()]


def spec_version(files: dict[str, bytes]) -> str:
    """Version of the spec that this harness reads, for the image's label; read, not imported."""
    text = files.get("harness/record.py", b"").decode()
    match = re.search(r"^SPEC_VERSION = (\d+)$", text, re.MULTILINE)
    if match is None:
        raise UserError("harness/record.py has no line `SPEC_VERSION = <number>`.")
    return match[1]
