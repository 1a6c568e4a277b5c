"""The working tree as a clone of its own, for campaigns that NumPy alone can run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_tree(folder: Path) -> None:
    """What a campaign needs of the working tree."""
    for name in ("harness", "framebench", "suites", "containers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock", ".gitignore"):
        shutil.copy(ROOT / name, folder)


def commit(folder: Path) -> str:
    """All of it as one commit; its hash."""
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def framebench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of this clone."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "framebench.cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
