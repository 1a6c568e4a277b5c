"""Every CUDA row that campaigns measure in: built twice and compared, then run on the CPU as far as it goes there.

.venv/bin/python .ci/cuda_images.py [IMAGE...]: 22 GB of wheels, hours for all of them. In each image: what is installed
is the lock, CUDA's runtime, cuDNN and NCCL load and are the row's, and the smallest workload passes its gate.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from framebench.commands.prove import case_of, plainest
from framebench.errors import UserError
from framebench.images import ImageRow, load_matrix
from framebench.images.audit.two_builds import load_rebuilds
from framebench.images.locks import check_lock
from harness import frameworks

ROOT = Path(__file__).resolve().parent.parent
WORKLOAD = "mlp"
LIBRARIES = """
import ctypes, importlib.metadata, json, pathlib, platform, sysconfig
found = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
libraries = pathlib.Path(sysconfig.get_path("purelib"), "nvidia")
def number(library, function):
    (path,) = {one.resolve() for one in libraries.rglob(library)}
    told = ctypes.c_int()
    loaded = getattr(ctypes.CDLL(str(path)), function)
    return loaded() if function == "cudnnGetVersion" else (loaded(ctypes.byref(told)), told.value)[1]
numbers = {"cuda": number("libcudart.so.1*", "cudaRuntimeGetVersion")}
numbers["cudnn"] = number("libcudnn.so.9", "cudnnGetVersion")
numbers["nccl"] = number("libnccl.so.2", "ncclGetVersion")
print(json.dumps({"python": platform.python_version(), "found": found, "numbers": numbers}))
"""


def tried(row: ImageRow) -> list[str]:
    """What is wrong with it; empty where nothing is."""
    subprocess.run([".venv/bin/framebench", "build", "--check", row.name], cwd=ROOT, check=True)
    made = subprocess.run(
        [".venv/bin/framebench", "build", row.name], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
    )
    _, digest, tag = made.stdout.splitlines()[-1].split()
    try:
        return [*_libraries(row, tag), *_gate(row, tag)]
    finally:
        subprocess.run(["docker", "image", "rm", "--force", digest], check=True, stdout=subprocess.DEVNULL)


class Space:
    """What was in the store before; the wheels and layers of all these images together would fill a disk."""

    def __init__(self) -> None:
        self.before = set(self._all())

    def _all(self) -> Iterator[Path]:
        for place in ("wheels", "links", "images/layers"):
            yield from (ROOT / "build" / "store" / place).glob("*")

    def free(self, rows: Sequence[ImageRow]) -> None:
        """Remove what came since and none of ``rows`` needs."""
        needed = {wheel.sha256 for row in rows for wheel in check_lock(ROOT, row)}
        for path in set(self._all()) - self.before:
            if path.is_file():
                path.unlink()
            elif path.name not in needed:
                shutil.rmtree(path)


def _libraries(row: ImageRow, tag: str) -> list[str]:
    told = json.loads(_python(tag, "-c", LIBRARIES).splitlines()[-1])
    locked = dict(wheel.pin.split("==") for wheel in check_lock(ROOT, row))
    found = {str(canonicalize_name(name)): version for name, version in told["found"].items()}
    wrong = [
        f"{name} is {found.get(name)} in it and {locked.get(name)} in the lock"
        for name in sorted(found.keys() | locked.keys())
        if found.get(name) != locked.get(name)
    ]
    if not told["python"].startswith(f"{row.python}."):
        wrong.append(f"its Python is {told['python']}")
    cuda, cudnn, nccl = (
        [int(part) for part in (one or "").split(".")] for one in (row.cuda, row.cudnn, row.nccl)
    )
    wanted = {
        "cuda": cuda[0] * 1000 + cuda[1] * 10,
        "cudnn": cudnn[0] * 10000 + cudnn[1] * 100 + cudnn[2],
        "nccl": nccl[0] * 10000 + nccl[1] * 100 + nccl[2],
    }
    wrong += [
        f"{name} says {told['numbers'][name]}, expected {number}"
        for name, number in wanted.items()
        if told["numbers"][name] != number
    ]
    return wrong


def _gate(row: ImageRow, tag: str) -> list[str]:
    contender = msgspec.json.encode(plainest(frameworks.info(row.stack))).decode()
    cases = [msgspec.to_builtins(case_of(WORKLOAD, "smoke", task, "fp32")) for task in ("train", "infer")]
    asked = "".join(json.dumps({"gate": case}) + "\n" for case in cases)
    answers = _python(tag, "-m", "harness.proving", contender, "fp32", "/cache", asked=asked).splitlines()
    wrong = []
    for case, answer in zip(cases, map(json.loads, answers), strict=True):
        if answer.get("failed") != []:
            wrong.append(f"{case['task']}: {answer}")
    return wrong


def _python(tag: str, *words: str, asked: str = "") -> str:
    command = ["docker", "run", "--rm", "--interactive", "--network", "none"]
    command += ["--tmpfs", "/tmp", "--workdir", "/tmp", "--entrypoint", "/opt/venv/bin/python", tag, *words]
    done = subprocess.run(command, input=asked, text=True, capture_output=True)
    if done.returncode:
        raise UserError(f"{tag}: `python {words[0]} …` ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def main() -> int:
    matrix = load_matrix(ROOT)
    rows = (
        matrix.select(sys.argv[1:])
        if sys.argv[1:]
        else [row for row in matrix.rows if row.default and row.device == "gpu" and not row.retired]
    )
    table: list[tuple[Any, ...]] = []
    failed = False
    space = Space()
    for number, row in enumerate(rows, 1):
        started = time.monotonic()
        try:
            wrong = tried(row)
        finally:
            space.free(rows[number:])
        failed = failed or bool(wrong)
        rebuild = load_rebuilds(ROOT)[row.name]
        seconds = time.monotonic() - started
        table.append(
            (row.name, rebuild.size_bytes / 1e9, rebuild.compressed_bytes / 1e9, seconds, "; ".join(wrong))
        )
        print(
            f"{row.name}: {'; '.join(wrong) or 'as its lock says, and its gate passes on the CPU'}",
            flush=True,
        )
    print(f"\n{'image':<40} {'GB':>6} {'pulled':>7} {'s':>5}")
    for name, size, pulled, seconds, words in table:
        print(f"{name:<40} {size:6.2f} {pulled:7.2f} {seconds:5.0f} {words}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
