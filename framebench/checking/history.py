"""What git knows of the commit that a record names: its date, its files, and what its code says of a work."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from framebench.images.make.harness_layer import tree_sha256

SCRIPT = Path(__file__).with_name("work_script.py")
SECONDS = 60  # for one commit's answers; they take about two


class Question(NamedTuple):
    """Which work is asked about."""

    stack: str
    workload: str
    preset: str
    task: str
    batch: int
    devices: int


class Answer(NamedTuple):
    """What a commit's own code says of a work; null what that commit could not say."""

    work_hash: str | None
    gate_hash: str | None
    config_sha256: str | None
    flops: int | None
    units: int | None
    unit: str | None


class Reference(NamedTuple):
    """What one preset, task and size is compared in, and how far each may be off; ``part`` is ``entries`` for the
    gate's own sizes and ``shapes`` for those that are timed."""

    part: str
    task: str
    precision: str
    tolerances: Mapping[str, float]


def _is_loss_after(what: str, step: int) -> bool:
    """Of a timed shape only the first losses are sure."""
    kind, _, number = what.partition(" ")
    return kind == "loss" and number.isdigit() and int(number) > step


class History:
    """The checkout's history. Only what its HEAD is built on is believed, and nothing else of git is ever run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known = cache(self._known)
        self.committed = cache(self._committed)
        self.blob = cache(self._blob)
        self.suites = cache(self._suites)
        self.images = cache(self._images)
        self.base_sha256 = cache(self._base_sha256)
        self.harness_tree = cache(self._harness_tree)
        self.references = cache(self._references)
        self._answers: dict[tuple[str, Question], Answer] = {}

    def _git(self, *arguments: str) -> bytes | None:
        command = ["git", "-C", str(self.root), *arguments]
        try:
            return subprocess.run(command, capture_output=True, check=True, timeout=SECONDS).stdout
        except (OSError, subprocess.SubprocessError):
            return None

    def _known(self, commit: str) -> bool:
        """Whether the checkout is built on this commit."""
        full = re.fullmatch("[0-9a-f]{40}", commit) is not None
        return full and self._git("merge-base", "--is-ancestor", commit, "HEAD") is not None

    def _committed(self, commit: str) -> datetime:
        """When a known commit was made."""
        told = self._git("show", "-s", "--format=%ct", commit)
        return datetime.fromtimestamp(int(told or b"0"), UTC)

    def _blob(self, commit: str, path: str) -> bytes | None:
        """A file of a known commit; null where it has none."""
        return self._git("cat-file", "blob", f"{commit}:{path}")

    def _names(self, commit: str, folder: str) -> list[str]:
        told = self._git("ls-tree", "-r", "-z", "--name-only", commit, "--", folder)
        return [name for name in os.fsdecode(told or b"").split("\0") if name]

    def _toml(self, commit: str, path: str) -> dict[str, Any]:
        try:
            return tomllib.loads((self.blob(commit, path) or b"").decode())
        except ValueError:
            return {}

    def _suites(self, commit: str) -> list[dict[str, Any]]:
        """Every suite of a known commit, as its file has it."""
        files = [name for name in self._names(commit, "suites") if name.endswith(".toml")]
        return [self._toml(commit, name) for name in files]

    def _images(self, commit: str) -> dict[str, dict[str, Any]]:
        """The matrix of a known commit: its rows by name."""
        rows = self._toml(commit, "containers/images.toml").get("image", [])
        return {row["name"]: row for row in rows}

    def _base_sha256(self, commit: str, base: str) -> str:
        """As ``images.base_sha256``, of a known commit."""
        contents: list[bytes] = []
        name: str | None = base
        while name is not None:
            path = f"containers/base/{name}.lock"
            contents.insert(0, self.blob(commit, path) or b"")
            name = self._toml(commit, path).get("parent")
        return hashlib.sha256(b"".join(contents)).hexdigest()

    def _harness_tree(self, commit: str) -> str:
        """SHA-256 of a known commit's harness, as its images have it."""
        packed = self._git("archive", commit, "harness")
        if packed is None:
            return "no harness"
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            return tree_sha256({name: file.read() for name, file in sorted(files.items()) if file})

    def _references(self, commit: str, workload: str) -> list[Reference]:
        """What the gate of a known commit compared with; none where that commit had another form of it."""
        found = []
        try:
            document = json.loads(self.blob(commit, f"harness/workloads/{workload}/reference.json") or b"{}")
            for part in ("entries", "shapes"):
                for key, stored in document.get(part, {}).items():
                    for precision, allowed in stored["tolerances"].items():
                        unsure = stored.get("sure", {}).get(precision, len(allowed))
                        kept = {what: allowed[what] for what in allowed if not _is_loss_after(what, unsure)}
                        found.append(Reference(part, key.split("/")[1], precision, kept))
        except (ValueError, TypeError, LookupError, AttributeError):
            return []
        return found

    def ask(self, commit: str, questions: Sequence[Question]) -> None:
        """Let a known commit's own code answer, in a process of its own and from its own files."""
        packed = self._git("archive", commit, "harness", "framebench")
        if packed is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(folder, filter="data")
            try:
                told = subprocess.run(
                    [sys.executable, "-P", "-B", str(SCRIPT), folder],
                    input=json.dumps(questions).encode(),
                    capture_output=True,
                    check=True,
                    timeout=SECONDS,
                ).stdout
            except (OSError, subprocess.SubprocessError):
                return
        answers = (Answer(*answer) for answer in json.loads(told))
        self._answers |= {(commit, asked): said for asked, said in zip(questions, answers, strict=True)}

    def answer(self, commit: str, question: Question) -> Answer:
        """What ``ask`` brought; all null where it was not asked, or did not answer."""
        return self._answers.get((commit, question), Answer(*[None] * 6))

    def asked(self, commit: str, question: Question) -> bool:
        return (commit, question) in self._answers

    def rewritten(self, folder: Path) -> set[Path]:
        """Files below ``folder`` that a commit changed after they were there, or that differ from HEAD."""
        changed = self._git("log", "--diff-filter=M", "-z", "--format=", "--name-only", "--", str(folder))
        differ = self._git("diff", "-z", "--name-only", "--diff-filter=M", "HEAD", "--", str(folder))
        top = self._git("rev-parse", "--show-toplevel")
        names = {
            name.strip("\n") for told in (changed, differ) for name in os.fsdecode(told or b"").split("\0")
        }
        return {Path(os.fsdecode(top or b"").strip()) / name for name in names if name}
