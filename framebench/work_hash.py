"""What makes two trials the same work: protocol version, the stack's adapter, the workload's files.

A change elsewhere in ``harness/`` orphans no result (DESIGN section 1); the harness tree's hash is provenance only.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.record import PROTOCOL_VERSION


def work_hash(source: Path, stack: str, workload: str) -> str:
    """SHA-256 over the files that decide what this stack does in this workload; ``source`` holds ``harness/``."""
    family = stack.split("-")[0]
    folder = source / "harness" / "workloads" / workload
    adapters = {path.parent.name: path for path in sorted((source / "harness" / "frameworks").glob("*/stack.py"))}
    files = [adapters[part] for part in stack.split("-")]  # keras-jax: Keras and its backend
    files.append(source / "harness" / "workloads" / "philox.py")
    if family == "keras":
        files.append(source / "harness" / "workloads" / "keras_steps.py")
    files += [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and (path.stem == family or path.stem not in adapters)
    ]
    digest = hashlib.sha256(f"protocol {PROTOCOL_VERSION}\n".encode())
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(source).as_posix()} {content}\n".encode())
    return digest.hexdigest()
