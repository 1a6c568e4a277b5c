"""What the gate let pass and which planted faults it caught: ``harness/workloads/<name>/proofs.json``.

A cell is one contender in one case. Its ``key`` says for which work, gate and packages it was proven; where one of them
is another by now, the cell has to be proven again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from framebench.errors import UserError
from framebench.records.work_tokens import gate_hash, tokens_sha256, work_hash
from framebench.records.writing import write_file
from harness.record import Case, Contender

KEY_LENGTH = 16


class Proof(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """One cell: of ``contender``, the number of ``compared`` values, or why it is ``unsupported``; of planted faults,
    by which part of the gate each was ``caught``, and what is ``unseen``, by its reason. ``day``: when, UTC.
    """

    contender: Contender
    key: str
    day: str
    compared: int = 0
    unsupported: str | None = None
    caught: dict[str, list[str]] = {}
    unseen: dict[str, list[str]] = {}

    @property
    def faults_caught(self) -> int:
        return sum(map(len, self.caught.values()))

    @property
    def faults_unseen(self) -> int:
        return sum(map(len, self.unseen.values()))


def cell_name(case: Case, contender: Contender) -> str:
    """``torch-eager smoke-train-b4-fp32``: on how many cores is no matter of what is computed."""
    return f"{contender.slug} {case.preset}-{case.task}-b{case.batch}-{case.precision}"


def proof_key(root: Path, case: Case, contender: Contender, lock_sha256: str) -> str:
    """Of the work, the gate, the workload's own faults, and the locked packages."""
    own = root / "harness" / "workloads" / case.workload / "mutants.py"
    parts = (
        work_hash(root, contender.stack, case.workload, case.preset),
        gate_hash(root, case.workload),
        tokens_sha256(own.read_text()) if own.exists() else "",
        lock_sha256,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:KEY_LENGTH]


def proofs_path(root: Path, workload: str) -> Path:
    return root / "harness" / "workloads" / workload / "proofs.json"


def read_proofs(root: Path, workload: str) -> dict[str, Proof]:
    """The stored cells by name; none where nothing was proven yet. ``UserError`` for a file that is none."""
    path = proofs_path(root, workload)
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Proof])
    except msgspec.DecodeError as error:  # of which ValidationError is a kind
        raise UserError(
            f"{path}: {error}; delete the file, `framebench prove {workload}` writes it anew."
        ) from None


def write_proofs(root: Path, workload: str, proofs: Mapping[str, Proof]) -> None:
    """Store these cells and no others, whole; where there are none there is no file."""
    path = proofs_path(root, workload)
    if proofs:
        write_file(path, encode_proofs(proofs))
    else:
        path.unlink(missing_ok=True)


def encode_proofs(proofs: Mapping[str, Proof]) -> bytes:
    """A line for each cell, sorted, so that a change can be read."""
    lines = [
        f" {json.dumps(name)}: {json.dumps(msgspec.to_builtins(proof), ensure_ascii=False, sort_keys=True)}"
        for name, proof in sorted(proofs.items())
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
