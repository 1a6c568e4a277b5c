"""The interpreter of a stack's hash-locked environment: what a contributor's commands run the harness' tools in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from framebench.errors import UserError
from framebench.executors import Progress
from framebench.executors.plain_path import plain
from framebench.executors.venv import VenvExecutor
from framebench.images import load_matrix
from harness import cores, frameworks


def interpreter(root: Path, stack: str, say: Progress) -> Path:
    """This one where the stack's modules can be imported here, else that of its environment, made if it is
    missing."""
    if all(find_spec(name) is not None for name in frameworks.info(stack).modules):
        return Path(sys.executable)
    rows = load_matrix(root).for_device("cpu")
    if stack not in rows:
        raise UserError(f"containers/images.toml has no default row for {stack} on the CPU; add one")
    executor = VenvExecutor(root)
    executor.prepare_row(rows[stack], say)
    return executor.interpreter(rows[stack].name)


def lines(root: Path, stack: str, module: str, arguments: Sequence[str], say: Progress) -> Iterator[str]:
    """Run ``python -m module`` of the harness there; its stdout line by line. ``UserError`` with its last
    words if it fails."""
    yield from lines_of(root, interpreter(root, stack, say), stack, module, arguments)


def lines_of(root: Path, python: Path, stack: str, module: str, arguments: Sequence[str]) -> Iterator[str]:
    """The same under this interpreter."""
    root = plain(root)
    cache = root / "build" / "cache" / "tools" / stack
    cache.mkdir(parents=True, exist_ok=True)
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    log = cache / "stderr.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            env=known
            | frameworks.environment(stack, len(cores.pinned_to()), str(cache))
            | {
                "PYTHONPATH": str(root),
                "PYTHONUTF8": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "FRAMEBENCH_CACHE": str(cache),
            },
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        assert process.stdout is not None
        yield from (line.rstrip("\n") for line in process.stdout)
        code = process.wait()
    if code:
        tail = log.read_text().strip().splitlines()[-1:] or [f"exit code {code}"]
        raise UserError(f"python -m {module} failed in {python}: {tail[0]} (all of it: {log})")
